// wasi:io 0.2 (error, poll, streams). Streams here never wait: standard input is there from the start, files are read and written on the spot, and
// nothing is buffered, so that flushing has nothing to do.
import { GloveportError } from '../../errors.ts';
import { type Clocks, READY, type Waitable } from '../clocks.ts';
import type { WasiContext } from '../context.ts';
import type { ErrorCode } from '../filesystem/errors.ts';
import { interfaceOf, Resource } from './resource.ts';

/** Bytes that one call moves at most: a longer read is answered in part, a longer write is more than `check-write` permits and stops the guest. */
export const MAX_TRANSFER_BYTES = 1024 * 1024;
/** Pollables of one `poll`. */
export const MAX_POLL = 10_000;

/** Where an input stream reads. */
export interface InputSource {
  /** At most `limit` bytes, none at the end. Throws an {@link ErrorCode}. */
  read(limit: number): Uint8Array;
  close?(): void;
}

/** Where an output stream writes. */
export interface OutputTarget {
  /** Writes all of `bytes`. Throws an {@link ErrorCode}. */
  write(bytes: Uint8Array): void;
  close?(): void;
}

/** `stream-error`. */
export type StreamError = { readonly tag: 'closed' } | { readonly tag: 'last-operation-failed'; readonly val: IoError };

/** The resource `error`: the code of a failed stream operation. */
export class IoError extends Resource {
  readonly #code: ErrorCode;

  constructor(context: WasiContext, code: ErrorCode) {
    super(context);
    this.#code = code;
  }

  toDebugString(): string {
    return this.#code;
  }

  /** For `filesystem-error-code`. */
  static codeOf(error: IoError): ErrorCode {
    return error.#code;
  }
}

export class Pollable extends Resource {
  readonly #clocks: Clocks;
  readonly #waitable: Waitable;

  constructor(context: WasiContext, clocks: Clocks, waitable: Waitable) {
    super(context);
    this.#clocks = clocks;
    this.#waitable = waitable;
  }

  ready(): boolean {
    return this.#waitable.remainingMs() <= 0;
  }

  block(): void {
    this.#clocks.waitForAny([this.#waitable]);
  }

  static waitForAny(clocks: Clocks, pollables: readonly Pollable[]): Uint32Array {
    clocks.waitForAny(pollables.map((pollable) => pollable.#waitable));
    return Uint32Array.from(pollables.flatMap((pollable, index) => (pollable.ready() ? [index] : [])));
  }
}

export class InputStream extends Resource {
  readonly #context: WasiContext;
  readonly #clocks: Clocks;
  readonly #source: InputSource;

  constructor(context: WasiContext, clocks: Clocks, source: InputSource) {
    super(context, () => source.close?.());
    this.#context = context;
    this.#clocks = clocks;
    this.#source = source;
  }

  read(length: bigint): Uint8Array {
    if (length === 0n) return new Uint8Array();
    const bytes = orStreamError(this.#context, () => this.#source.read(Math.min(Number(length), MAX_TRANSFER_BYTES)));
    if (bytes.length === 0) throw CLOSED;
    return bytes;
  }

  blockingRead(length: bigint): Uint8Array {
    return this.read(length);
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return this.skip(length);
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#clocks, READY);
  }
}

export class OutputStream extends Resource {
  readonly #context: WasiContext;
  readonly #clocks: Clocks;
  readonly #target: OutputTarget;

  constructor(context: WasiContext, clocks: Clocks, target: OutputTarget) {
    super(context, () => target.close?.());
    this.#context = context;
    this.#clocks = clocks;
    this.#target = target;
  }

  checkWrite(): bigint {
    return BigInt(MAX_TRANSFER_BYTES);
  }

  write(contents: Uint8Array): void {
    this.#checkPermitted(contents.length);
    orStreamError(this.#context, () => this.#target.write(contents));
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    this.write(contents);
  }

  flush(): void {}

  blockingFlush(): void {}

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#clocks, READY);
  }

  writeZeroes(length: bigint): void {
    this.#checkPermitted(length);
    this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    this.writeZeroes(length);
  }

  splice(source: InputStream, length: bigint): bigint {
    const bytes = source.read(length);
    this.write(bytes);
    return BigInt(bytes.length);
  }

  blockingSplice(source: InputStream, length: bigint): bigint {
    return this.splice(source, length);
  }

  // The specification has a write beyond the permit trap.
  #checkPermitted(length: number | bigint): void {
    if (length >= 0 && length <= MAX_TRANSFER_BYTES) return;
    this.#context.control.stop(
      new GloveportError('GUEST_TRAPPED', `the guest wrote ${length} bytes at once to a stream whose check-write permits ${MAX_TRANSFER_BYTES}`, {
        maximum: MAX_TRANSFER_BYTES,
      }),
    );
  }
}

/** The interfaces of wasi:io. */
export function ioInterfaces(context: WasiContext, clocks: Clocks): Record<string, object> {
  return {
    'wasi:io/error': interfaceOf({ Error: IoError }),
    'wasi:io/poll': interfaceOf({ Pollable, poll: (pollables: readonly Pollable[]) => poll(context, clocks, pollables) }),
    'wasi:io/streams': interfaceOf({ InputStream, OutputStream }),
  };
}

// The specification has an empty list trap; a list this long is the guest's as well.
function poll(context: WasiContext, clocks: Clocks, pollables: readonly Pollable[]): Uint32Array {
  if (!(pollables.length >= 1 && pollables.length <= MAX_POLL)) {
    context.control.stop(
      new GloveportError('GUEST_TRAPPED', `the guest polled ${pollables.length} pollables; from 1 to ${MAX_POLL} can be`, { maximum: MAX_POLL }),
    );
  }
  context.chargeEntries(pollables.length);
  return Pollable.waitForAny(clocks, pollables);
}

const CLOSED: StreamError = Object.freeze({ tag: 'closed' });

function orStreamError<Result>(context: WasiContext, operation: () => Result): Result {
  try {
    return operation();
  } catch (error) {
    if (typeof error !== 'string') throw error;
    const failed: StreamError = { tag: 'last-operation-failed', val: new IoError(context, error as ErrorCode) };
    throw failed;
  }
}
