// A body that comes to a guest: a bounded buffer between whoever receives it and the guest. What the guest does not read is not fetched. From when the guest
// starts to read until it has all, room for what is ahead of it counts against `hostBytes`: even a small rest can hold on to a whole buffer of the system.
import type { InputSource } from '../component/io.ts';
import type { WasiContext } from '../context.ts';
import { Signal } from '../waiting.ts';
import type { HttpErrorCode } from './errors.ts';

/** Bytes that wait for the guest before the one who receives them is to pause; what it has in its hands then is added. */
export const CONTENT_AHEAD_BYTES = 128 * 1024;
// What a piece takes up beside its bytes: a server that sends single bytes is not to fill the host with them.
const PIECE_OVERHEAD = 256;
// Calls of the system that one read or write is charged for.
const PIECE_CALLS = 5;

/** Who receives the body. */
export interface ContentProducer {
  /** The guest wants more. Called again only after {@link IncomingContent.push} said that it is enough. */
  resume(): void;
  /** Nobody wants the rest. Not called once the body has ended. */
  cancel(): void;
}

export class IncomingContent implements InputSource {
  readonly ready = new Signal(() => this.#pieces.length > 0 || this.#over);
  /** Ready when all of the body has been received, or has failed. */
  readonly ended = new Signal(() => this.#over);
  readonly #context: WasiContext;
  #producer: ContentProducer;
  readonly #maxBytes: number;
  readonly #pieces: Uint8Array[] = [];
  // Bytes of the pieces, with their overhead; and those that count against `hostBytes`.
  #held = 0;
  #kept = 0;
  #received = 0;
  #paused = true;
  #discarding = false;
  #over = false;
  #failure: HttpErrorCode | undefined;
  #trailers: readonly string[] = [];

  /** @param maxBytes of all of it, as it comes over the wire: what is compressed stays so. */
  constructor(context: WasiContext, producer: ContentProducer, maxBytes = Infinity) {
    this.#context = context;
    this.#producer = producer;
    this.#maxBytes = maxBytes;
  }

  /** Starts to receive. The failure of a body comes behind what was received before it. Stops the guest when `hostBytes` has no room for what will be ahead. */
  start(): void {
    if (this.#over || !this.#paused) return;
    if (this.#kept === 0 && !this.#discarding) {
      this.#context.keepBytesOrStop(CONTENT_AHEAD_BYTES);
      this.#kept = CONTENT_AHEAD_BYTES;
    }
    this.#paused = false;
    this.#producer.resume();
  }

  read(limit: number): Uint8Array | undefined {
    if (this.#pieces.length === 0) return this.#nothing();
    const pieces: Uint8Array[] = [];
    for (let left = limit; left > 0; ) {
      const piece = this.#pieces.shift();
      if (piece === undefined) break;
      const isWhole = piece.length <= left;
      if (!isWhole) this.#pieces.unshift(piece.subarray(left));
      this.#held -= isWhole ? piece.length + PIECE_OVERHEAD : left;
      pieces.push(piece.subarray(0, left));
      left -= piece.length;
    }
    const [only] = pieces;
    const bytes = pieces.length === 1 ? (only as Uint8Array) : Buffer.concat(pieces);
    this.#context.chargeCalls(PIECE_CALLS);
    this.#context.chargeBytes(bytes.length);
    if (this.#pieces.length > 0) return bytes;
    if (this.#over) this.#empty();
    else this.start();
    return bytes;
  }

  /** Throws away what is left, so that the end comes, and with it the trailers. */
  discard(): void {
    this.#discarding = true;
    this.#empty();
    this.start();
  }

  /** After the end: name, value, name, value. Throws the {@link HttpErrorCode} of a body that failed. */
  trailers(): readonly string[] {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#trailers;
  }

  /** Nothing more of it is wanted, or given: what is left is let go. */
  close(): void {
    if (!this.#over) this.#producer.cancel();
    this.fail(GONE);
    // Whoever still looks is not to take a part for the whole.
    if (this.#pieces.length > 0) this.#failure ??= GONE;
    this.#empty();
  }

  /** Takes what has arrived. Gives false when that is enough for now. */
  push(bytes: Uint8Array): boolean {
    this.#received += bytes.length;
    if (this.#received > this.#maxBytes) {
      this.#producer.cancel();
      this.fail({ tag: 'HTTP-response-body-size', val: BigInt(this.#maxBytes) });
    }
    if (this.#over || this.#discarding || bytes.length === 0) return true;
    this.#pieces.push(bytes);
    this.#held += bytes.length + PIECE_OVERHEAD;
    this.#paused ||= this.#held >= CONTENT_AHEAD_BYTES;
    this.ready.notify();
    return !this.#paused;
  }

  /** All of it was received. */
  finish(trailers: readonly string[] = []): void {
    if (this.#over) return;
    this.#trailers = trailers;
    this.#end();
  }

  /** The rest will not come. */
  fail(failure: HttpErrorCode): void {
    if (this.#over) return;
    this.#failure = failure;
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#producer = NOBODY;
    if (this.#pieces.length === 0) this.#empty();
    this.ready.notify();
    this.ended.notify();
  }

  #empty(): void {
    this.#pieces.length = 0;
    this.#held = 0;
    this.#context.giveBack(this.#kept);
    this.#kept = 0;
  }

  #nothing(): Uint8Array | undefined {
    if (!this.#over) return NOTHING;
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }
}

const NOTHING = new Uint8Array();
// Instead of a producer that has nothing more to give, and that a guest could keep with the handle of its body.
const NOBODY: ContentProducer = { resume: () => undefined, cancel: () => undefined };
const GONE: HttpErrorCode = { tag: 'connection-terminated' };
