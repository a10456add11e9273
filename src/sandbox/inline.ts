// Runs a guest on the caller's own thread. A call holds it until the guest returns or waits, or until fuel or deadline end.
import { Cap } from '../capabilities.ts';
import { type ExportedFunction, findFunction, type Program, type ProgramInstance } from '../component/program.ts';
import { describeValue, GloveportError, limitExceeded } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { Meter } from '../metering/meter.ts';
import type { Profile } from '../metering/profile.ts';
import type { Respond, ServedRequest } from '../wasi/http/serving.ts';
import { WasiHost } from '../wasi/host.ts';
import { mapImports } from '../wasi/imports.ts';
import type { InputFeed } from '../wasi/standard-input.ts';
import { Signal, waitOnLoop } from '../wasi/waiting.ts';
import { openInput } from './input.ts';
import type { Isolate, Usage } from './isolation.ts';
import type { Policy } from './options.ts';
import { openOutput, type Output } from './output.ts';
import { guardClasses, type ResourceClasses } from './resources.ts';

/** @see StartIsolate */
export async function startInline(program: Program, policy: Policy): Promise<Isolate> {
  return new InlineIsolate(program, policy);
}

class InlineIsolate implements Isolate {
  readonly #meter: Meter;
  readonly #wasi: WasiHost;
  readonly #stdout: Output;
  readonly #stderr: Output;
  readonly classes: ResourceClasses;
  readonly #limits: Limits;
  readonly #aborted = new Signal(() => this.#abortedFor !== undefined);
  #abortedFor: GloveportError | undefined;
  #instance: ProgramInstance | undefined;

  constructor(program: Program, policy: Policy) {
    this.#limits = policy.limits;
    this.#meter = new Meter(policy.limits, true);
    this.#stdout = openOutput(policy.stdout, 1);
    this.#stderr = openOutput(policy.stderr, 2);
    const { control } = this.#meter;
    this.#wasi = new WasiHost({ ...policy, stdin: openStdin(policy), stdout: this.#stdout.to, stderr: this.#stderr.to }, control);
    try {
      const imports = mapImports(program, this.#wasi, policy.imports, () => this.#instance?.memory, control);
      const instance = this.#meter.run(() => {
        const made = program.instantiate(this.#meter, imports, policy.limits);
        this.#instance = made;
        initialize(made);
        return made;
      });
      this.classes = guardClasses(program, instance, this.#meter, (name) => this.#exported(name));
    } catch (error) {
      this.#wasi.dispose();
      throw error;
    }
  }

  get stopped(): GloveportError | undefined {
    return this.#meter.stopped;
  }

  get running(): boolean {
    return this.#meter.running;
  }

  get usage(): Usage {
    return { ...this.#meter.usage, outputBytes: this.#wasi.outputBytes };
  }

  profile(): Profile {
    return this.#meter.profile();
  }

  get stdout(): Uint8Array {
    return this.#stdout.captured();
  }

  get stderr(): Uint8Array {
    return this.#stderr.captured();
  }

  async call(name: string, args: readonly unknown[]): Promise<unknown> {
    const target = this.#function(name);
    const checked = target.check(args);
    return this.#meter.runAsync(() => target.invokeAsync(checked));
  }

  callSync(name: string, args: readonly unknown[]): unknown {
    const target = this.#function(name);
    const checked = target.check(args);
    return this.#meter.run(() => target.invoke(checked));
  }

  async handle(request: ServedRequest, respond: Respond): Promise<void> {
    const target = this.#function('wasi:http/incoming-handler#handle');
    await this.#meter.runAsync(async () => {
      const incoming = this.#wasi.incoming(request, respond);
      try {
        await target.invokeAsync(target.check(incoming.args));
      } finally {
        incoming.close();
      }
    });
  }

  async delivered(startedAt: number): Promise<void> {
    const { timeMs } = this.#limits;
    for (const output of this.#wasi.delivered) {
      const inTime = await waitOnLoop([output, this.#aborted], startedAt + timeMs - performance.now());
      if (this.#abortedFor !== undefined) throw this.#abortedFor;
      if (inTime) continue;
      const message = `the guest has ended, but the stream for its output did not take it within limits.timeMs of ${timeMs} ms`;
      throw limitExceeded('DEADLINE_EXCEEDED', message, 'timeMs', timeMs);
    }
  }

  revoke(capabilities: number): void {
    this.#wasi.revoke(capabilities);
    this.#meter.wake();
  }

  abort(reason: GloveportError): void {
    this.#meter.abort(reason);
    this.#abortedFor ??= reason;
    this.#aborted.notify();
  }

  dispose(): void {
    this.#wasi.dispose();
    this.#meter.release();
    this.#instance = undefined;
  }

  #exported(name: string): ExportedFunction {
    const found = this.#instance?.functions.get(name);
    if (found === undefined) throw new GloveportError('DISPOSED', 'the guest was disposed of; load the module again');
    return found;
  }

  #function(name: string): ExportedFunction {
    const found = this.#instance && findFunction(this.#instance, name);
    if (found === undefined) {
      const known = [...(this.#instance?.functions.keys() ?? [])].slice(0, 20).map((key) => describeValue(key));
      throw new GloveportError('FUNCTION_NOT_FOUND', `the guest exports no function ${describeValue(name)}; it exports: ${known.join(', ') || 'none'}`, {
        function: name,
      });
    }
    return found;
  }
}

// Who may not read does not take the stream from others.
function openStdin({ grants, stdin }: Policy): Uint8Array | InputFeed {
  if (stdin instanceof Uint8Array) return stdin;
  return (grants & Cap.CONSOLE) === 0 ? new Uint8Array() : openInput(stdin);
}

// A core module without a main function may export one that sets it up, by the convention of the tools that make such reactors.
function initialize({ functions }: ProgramInstance): void {
  const start = functions.get('_initialize');
  if (start === undefined || functions.has('_start')) return;
  if (start.type.params.length > 0) throw new GloveportError('INVALID_MODULE', 'the module exports an _initialize that takes parameters, which none may');
  start.invoke([]);
}
