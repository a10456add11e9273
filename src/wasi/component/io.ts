// wasi:io 0.2 (error, poll, streams) over sources and targets: whatever gives a guest bytes or takes them. Waiting is here, what is waited for is theirs.
import { GloveportError } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import type { ErrorCode } from '../filesystem/errors.ts';
import { isReady, type Waitable } from '../waiting.ts';
import { interfaceOf, Resource } from './resource.ts';

/** Bytes that one call moves at most: a longer read is answered in part, a longer write is more than `check-write` permits and stops the guest. */
export const MAX_TRANSFER_BYTES = 1024 * 1024;
/** Pollables of one `poll`. */
export const MAX_POLL = 10_000;

/**
 * Why a stream failed: an error code of wasi:filesystem, or one of wasi:http, which is a variant. Sources and targets throw it; it closes their stream.
 * A thrown {@link CLOSED} closes it without an error.
 */
export type StreamFailure = ErrorCode | { readonly tag: string; readonly val?: unknown };

/** Where an input stream reads. */
export interface InputSource {
  /** Ready when {@link read} gives bytes, the end, or a failure. */
  readonly ready: Waitable;
  /**
   * At most `limit` bytes that are there now: empty when there are none yet, undefined at the end. They are copied before the next call of the guest, and may
   * stand in room that is used again. Throws a {@link StreamFailure}.
   */
  read(limit: number): Uint8Array | undefined;
  close?(): void;
}

/** Where an output stream writes. */
export interface OutputTarget {
  /** Ready when {@link permit} gives more than 0, or throws. */
  readonly ready: Waitable;
  /** Bytes that {@link write} takes now; 0 while earlier ones, or a flush, are under way. Throws a {@link StreamFailure}. */
  permit(): number;
  /** Takes all of `bytes`, which are no more than permitted, and may keep them. Throws a {@link StreamFailure}. */
  write(bytes: Uint8Array): void;
  /** Starts to move on what was written; absent where nothing is kept back. */
  flush?(): void;
  close?(): void;
}

/** `stream-error`. */
export type StreamError = { readonly tag: 'closed' } | { readonly tag: 'last-operation-failed'; readonly val: IoError };

/** The end of a stream. */
export const CLOSED: StreamError = Object.freeze({ tag: 'closed' });

/** The resource `error`: why a stream operation failed. */
export class IoError extends Resource {
  readonly #failure: StreamFailure;

  constructor(context: WasiContext, failure: StreamFailure) {
    super(context);
    this.#failure = failure;
  }

  toDebugString(): string {
    return typeof this.#failure === 'string' ? this.#failure : this.#failure.tag;
  }

  /** For `filesystem-error-code` and `http-error-code`, which know their own by its kind. */
  static failureOf(error: IoError): StreamFailure {
    return error.#failure;
  }
}

export class Pollable extends Resource {
  readonly #context: WasiContext;
  readonly #waitable: Waitable;

  constructor(context: WasiContext, waitable: Waitable) {
    super(context);
    this.#context = context;
    this.#waitable = waitable;
  }

  ready(): boolean {
    const ready = isReady(this.#waitable);
    if (!ready && this.#waitable.onChange !== undefined) this.#context.lookedInVain();
    return ready;
  }

  block(): void {
    this.#context.waitForAny([this.#waitable]);
  }

  static waitForAny(context: WasiContext, pollables: readonly Pollable[]): Uint32Array {
    context.waitForAny(pollables.map((pollable) => pollable.#waitable));
    return Uint32Array.from(pollables.flatMap((pollable, index) => (isReady(pollable.#waitable) ? [index] : [])));
  }
}

/** What both kinds of streams do with what their other end throws. */
abstract class Stream extends Resource {
  protected readonly context: WasiContext;
  #ended = false;

  constructor(context: WasiContext, release: () => void) {
    super(context, release);
    this.context = context;
  }

  /** Runs `operation` unless the stream has ended. A failure is its last, as the specification has it. */
  protected attempt<Result>(operation: () => Result): Result {
    if (this.#ended) throw CLOSED;
    try {
      return operation();
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#ended = true;
      if (error === CLOSED) throw CLOSED;
      const failed: StreamError = { tag: 'last-operation-failed', val: new IoError(this.context, error) };
      throw failed;
    }
  }
}

export class InputStream extends Stream {
  readonly #source: InputSource;

  constructor(context: WasiContext, source: InputSource) {
    super(context, () => source.close?.());
    this.#source = source;
  }

  read(length: bigint): Uint8Array {
    return this.attempt(() => {
      if (length === 0n) return NOTHING;
      const bytes = this.#source.read(Math.min(Number(length), MAX_TRANSFER_BYTES));
      if (bytes === undefined) throw CLOSED;
      if (bytes.length === 0) this.context.lookedInVain();
      return bytes;
    });
  }

  blockingRead(length: bigint): Uint8Array {
    return length === 0n || this.context.waitForAny([this.#source.ready]) ? this.read(length) : NOTHING;
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return BigInt(this.blockingRead(length).length);
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.#source.ready);
  }

  /** For `splice`. */
  static readyOf(stream: InputStream): Waitable {
    return stream.#source.ready;
  }
}

export class OutputStream extends Stream {
  readonly #target: OutputTarget;
  // How far a blocking write has come, for the call that is made again after the guest was suspended in the middle of it.
  #written = 0;
  #flushing = false;

  constructor(context: WasiContext, target: OutputTarget) {
    super(context, () => target.close?.());
    this.#target = target;
  }

  checkWrite(): bigint {
    const permit = this.#permit();
    if (permit === 0) this.context.lookedInVain();
    return BigInt(permit);
  }

  write(contents: Uint8Array): void {
    this.#checkPermitted(contents.length, this.#permit());
    this.#put(contents);
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    this.#checkPermitted(contents.length, MAX_TRANSFER_BYTES);
    try {
      while (this.#written < contents.length) {
        const permit = this.#permit();
        if (permit > 0) {
          // A target may keep what it is given, and counts that: a part must not hold on to the whole.
          const isWhole = this.#written === 0 && permit >= contents.length;
          const some = isWhole ? contents : new Uint8Array(contents.subarray(this.#written, this.#written + permit));
          this.#put(some);
          this.#written += some.length;
        } else if (!this.context.waitForAny([this.#target.ready])) {
          return;
        }
      }
      if (!this.#flushed()) return;
    } catch (error) {
      this.#written = 0;
      throw error;
    }
    this.#written = 0;
  }

  flush(): void {
    this.attempt(() => this.#target.flush?.());
  }

  blockingFlush(): void {
    this.#flushed();
  }

  subscribe(): Pollable {
    return new Pollable(this.context, this.#target.ready);
  }

  writeZeroes(length: bigint): void {
    this.#checkPermitted(length, this.#permit());
    this.#put(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    this.#checkPermitted(length, MAX_TRANSFER_BYTES);
    this.blockingWriteAndFlush(new Uint8Array(Number(length)));
  }

  splice(source: InputStream, length: bigint): bigint {
    const permit = BigInt(this.#permit());
    const bytes = permit === 0n ? NOTHING : source.read(length < permit ? length : permit);
    if (bytes.length > 0) this.#put(new Uint8Array(bytes));
    return BigInt(bytes.length);
  }

  blockingSplice(source: InputStream, length: bigint): bigint {
    const ready = length === 0n || (this.context.waitForAny([this.#target.ready]) && this.context.waitForAny([InputStream.readyOf(source)]));
    return ready ? this.splice(source, length) : 0n;
  }

  #permit(): number {
    return this.attempt(() => Math.min(this.#target.permit(), MAX_TRANSFER_BYTES));
  }

  #put(bytes: Uint8Array): void {
    this.attempt(() => this.#target.write(bytes));
  }

  // False when the guest is going to be suspended meanwhile.
  #flushed(): boolean {
    if (!this.#flushing) this.flush();
    this.#flushing = !this.context.waitForAny([this.#target.ready]);
    // What was flushed may have failed meanwhile.
    if (!this.#flushing) this.#permit();
    return !this.#flushing;
  }

  // The specification has a write beyond the permit trap.
  #checkPermitted(length: number | bigint, permit: number): void {
    if (length >= 0 && length <= permit) return;
    this.context.control.stop(
      new GloveportError('GUEST_TRAPPED', `the guest wrote ${length} bytes at once to a stream that permits ${permit}`, { maximum: permit }),
    );
  }
}

/** The interfaces of wasi:io. */
export function ioInterfaces(context: WasiContext) {
  return {
    'wasi:io/error': interfaceOf({ Error: IoError }),
    'wasi:io/poll': interfaceOf({ Pollable, poll: (pollables: readonly Pollable[]) => poll(context, pollables) }),
    'wasi:io/streams': interfaceOf({ InputStream, OutputStream }),
  };
}

// The specification has an empty list trap; a list this long is the guest's as well.
function poll(context: WasiContext, pollables: readonly Pollable[]): Uint32Array {
  if (!(pollables.length >= 1 && pollables.length <= MAX_POLL)) {
    context.control.stop(
      new GloveportError('GUEST_TRAPPED', `the guest polled ${pollables.length} pollables; from 1 to ${MAX_POLL} can be`, { maximum: MAX_POLL }),
    );
  }
  context.chargeEntries(pollables.length);
  return Pollable.waitForAny(context, pollables);
}

const NOTHING = new Uint8Array();

// Everything else that is thrown is the end of the guest, or a fault of ours.
function isFailure(error: unknown): error is StreamFailure {
  return typeof error === 'string' || (typeof error === 'object' && error !== null && !(error instanceof Error) && Object.hasOwn(error, 'tag'));
}
