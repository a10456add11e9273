// One running instance of a module under a sandbox, as its user holds it. Where it runs is behind `Isolate`; what it may do is settled before it exists.
import { parseCapabilities } from '../capabilities.ts';
import type { Program } from '../component/program.ts';
import { ComponentError, describeValue, GloveportError, messageOf, poisonedBy } from '../errors.ts';
import { exportsFacade, type GuestExports } from './exports.ts';
import type { Profile } from '../metering/profile.ts';
import type { Isolate, Usage } from './isolation.ts';
import { Server } from './serve.ts';

/** `ready` for a call, in the middle of one, `poisoned` by what stopped it, or `disposed` of. */
export type GuestState = 'ready' | 'running' | 'poisoned' | 'disposed';

/** What a command did: its exit code, and what it wrote as far as it was captured, decoded as UTF-8. */
export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A guest holds state until it is disposed. Calls never overlap: a call while one is running is INVALID_STATE. A guest that trapped or was stopped is
 * poisoned: every later call is GUEST_POISONED and names the first cause.
 */
export class Guest<Exports extends object = Record<string, unknown>> {
  /** The exported functions as an object: of a component by interface (with and without version) and then camelCase name, of a core module by name. */
  readonly exports: GuestExports<Exports>;
  readonly #isolate: Isolate;
  readonly #entry: string | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.abort(this.#signal?.reason);
  readonly #server = new Server(async (request, respond) => {
    this.#checkUsable();
    if (this.#isolate.handle === undefined) throw new GloveportError('UNSUPPORTED_FEATURE', 'serve() works only with inline isolation');
    await this.#isolate.handle(request, respond);
  });
  #started = false;
  #disposed = false;

  /** @internal */
  constructor(program: Program, isolate: Isolate, signal?: AbortSignal) {
    this.#isolate = isolate;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
    this.#entry = entryOf(program);
    this.exports = exportsFacade<Exports>(program, isolate.classes, (name, args) => this.call(name, ...args));
  }

  get state(): GuestState {
    if (this.#disposed) return 'disposed';
    if (this.#isolate.running) return 'running';
    return this.#isolate.stopped === undefined ? 'ready' : 'poisoned';
  }

  /** What the guest has used since it was loaded, loading included. Stays readable after it was stopped or disposed. */
  get usage(): Usage {
    return this.#isolate.usage;
  }

  /**
   * Where the fuel of {@link usage} went, function by function. As exact as that, and as readable: from a host function, and after a stop.
   * @throws GloveportError INVALID_STATE unless the guest was loaded with `profile: true`.
   */
  profile(): Profile {
    return this.#isolate.profile();
  }

  /** What was written to standard output so far, if it is captured, decoded as UTF-8. */
  get stdout(): string {
    return decode(this.#isolate.stdout);
  }

  /** What was written to standard error so far, if it is captured, decoded as UTF-8. */
  get stderr(): string {
    return decode(this.#isolate.stderr);
  }

  /**
   * Calls an exported function: `process` for one of the world itself or of a core module, `demo:plug/api#greet` for one of an interface (its version may
   * be given or left out; WIT names and their camelCase forms are both known).
   * @throws GloveportError FUNCTION_NOT_FOUND or INVALID_ARGUMENT, which leave the guest as it was; GUEST_TRAPPED, HOST_FUNCTION_FAILED, GUEST_EXITED,
   * ABORTED or a limit's code, which stop it for good; GUEST_POISONED, DISPOSED, INVALID_STATE.
   * @throws ComponentError for the `err` of a WIT result.
   */
  async call(name: string, ...args: unknown[]): Promise<unknown> {
    this.#checkUsable();
    checkName(name);
    return await this.#isolate.call(name, args);
  }

  /** The same as {@link call}, at once, with the same errors. @throws GloveportError UNSUPPORTED_FEATURE where the guest is not on this thread. */
  callSync(name: string, ...args: unknown[]): unknown {
    this.#checkUsable();
    checkName(name);
    if (this.#isolate.callSync === undefined) throw new GloveportError('UNSUPPORTED_FEATURE', 'callSync() works only with inline isolation; use call()');
    return this.#isolate.callSync(name, args);
  }

  /**
   * Runs a command, once: the `_start` of a core module or the `wasi:cli/run` of a component. An exit code other than 0 is no error. Resolves when streams that
   * its output goes to have taken all of it; what they have not taken at the deadline of the call is DEADLINE_EXCEEDED. As the
   * command has ended by then, the guest stays `ready`, and what is left is still on its way.
   * @throws GloveportError FUNCTION_NOT_FOUND when the module is no command, INVALID_STATE the second time, else as {@link call}.
   */
  async run(): Promise<RunResult> {
    this.#checkUsable();
    if (this.#entry === undefined) throw new GloveportError('FUNCTION_NOT_FOUND', 'the module is no command: it exports neither _start nor wasi:cli/run');
    if (this.#started) throw new GloveportError('INVALID_STATE', 'a command runs once; load the module again for another run');
    if (this.#isolate.running) throw new GloveportError('INVALID_STATE', 'the guest is running; its command can start when that call has ended');
    this.#started = true;
    const startedAt = performance.now();
    const exitCode = await this.#exitCode(this.#entry);
    await this.#isolate.delivered(startedAt);
    return { exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  /**
   * Has the guest handle an HTTP request, by the `wasi:http/incoming-handler` that it exports: as one call, with the limits of one. Requests that overlap wait
   * for each other, in the order in which they came. The response is there as soon as the guest gives it; its body, and the request's, flow while the guest
   * goes on, at the pace of who reads. A body that breaks off errors its stream with what the response would have been rejected with.
   *
   * When `request.signal` is aborted, or the response's body cancelled, the guest finds both bodies closed, and goes on. A body that the guest does not read is
   * left unread. Trailers and informational responses are dropped.
   * @throws GloveportError QUEUE_FULL when 1 000 requests wait already; INVALID_ARGUMENT for what is no Request, has a body that was read, or more than 1 000
   * headers or 64 KiB of them; FUNCTION_NOT_FOUND; else as {@link call}, after which the guest is stopped.
   * @throws ComponentError with an `error-code` of wasi:http as payload: the guest's own, `HTTP-response-incomplete` for a response that the guest did not
   * give or not finish, `HTTP-response-body-size` for one that is not as long as it says. The guest stays usable.
   * @throws the reason of `request.signal`.
   */
  async serve(request: Request): Promise<Response> {
    this.#checkUsable();
    return await this.#server.serve(request);
  }

  /** Takes capabilities back, also for what is open already; THREADING is settled when a guest is loaded. @throws GloveportError INVALID_OPTION for an unknown one. */
  revoke(capabilities: number | string | readonly string[]): void {
    this.#isolate.revoke(parseCapabilities(capabilities));
  }

  /** Stops the guest for good, whatever it is doing: its call, and every later one, fails. `reason` becomes the error's cause. Never throws. */
  abort(reason?: unknown): void {
    const text = reason === undefined ? '' : `: ${messageOf(reason)}`;
    this.#isolate.abort(new GloveportError('ABORTED', `the guest was aborted${text}`, {}, { cause: reason }));
  }

  /** Lets go of everything that the guest holds. A call that is running fails. Harmless when repeated. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#isolate.abort(new GloveportError('DISPOSED', 'the guest was disposed of'));
    this.#isolate.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  async #exitCode(entry: string): Promise<number> {
    try {
      await this.#isolate.call(entry, []);
      return 0;
    } catch (error) {
      if (error instanceof ComponentError) return 1;
      if (error instanceof GloveportError && error.code === 'GUEST_EXITED') return error.details.exitCode as number;
      throw error;
    }
  }

  #checkUsable(): void {
    if (this.#disposed) throw new GloveportError('DISPOSED', 'the guest was disposed of; load the module again');
    if (this.#isolate.stopped !== undefined) throw poisonedBy(this.#isolate.stopped);
  }
}

function checkName(name: unknown): void {
  if (typeof name === 'string') return;
  throw new GloveportError('INVALID_ARGUMENT', `a function's name is a string, not ${describeValue(name)}`, { path: 'name' });
}

/** What {@link Guest.run} calls: no parameters, whatever else has the name. */
function entryOf({ kind, exports }: Program): string | undefined {
  const isEntry = kind === 'core' ? (name: string) => name === '_start' : (name: string) => /^wasi:cli\/run@[^#]+#run$/.test(name);
  return exports.find(({ name, type }) => type?.params.length === 0 && isEntry(name))?.name;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
