// A body that a guest writes: a bounded buffer between the guest and whoever sends it on. It holds the guest to the length that it declared.
import type { WasiContext } from '../context.ts';
import { CLOSED, type OutputTarget } from '../component/io.ts';
import { Signal } from '../waiting.ts';
import type { HttpErrorCode } from './errors.ts';
import { pairsOf } from './fields.ts';

/** Bytes that a guest can be ahead of who sends its body. */
export const CONTENT_BUFFER_BYTES = 1024 * 1024;
// What has to be free again before a guest that has filled the buffer may go on: each time that it is woken, it hands over all that it has left to write.
const WAKING_BYTES = CONTENT_BUFFER_BYTES / 4;
// What a piece takes up beside its bytes: it bounds how many small ones there can be.
const PIECE_OVERHEAD = 256;
// Calls of the system that one read or write is charged for.
const PIECE_CALLS = 5;

/** How a body ended: whole, or not. */
export type ContentEnd = 'finished' | 'broken';

export class OutgoingContent implements OutputTarget {
  readonly ready = new Signal(() => this.#refused !== undefined || !this.#full);
  /** Called when there is something new for {@link take}, or the {@link end}. */
  onProgress: (() => void) | undefined;
  readonly #context: WasiContext;
  readonly #declared: number | undefined;
  readonly #sizeTag: 'HTTP-request-body-size' | 'HTTP-response-body-size';
  readonly #pieces: Uint8Array[] = [];
  #held = 0;
  #full = false;
  #written = 0;
  #end: ContentEnd | undefined;
  #trailers: readonly string[] = [];
  #fault: HttpErrorCode | undefined;
  // Why writing is refused.
  #refused: HttpErrorCode | typeof CLOSED | undefined;

  /** @param declared the length that the message's header says it has. */
  constructor(context: WasiContext, declared: number | undefined, sizeTag: 'HTTP-request-body-size' | 'HTTP-response-body-size') {
    this.#context = context;
    this.#declared = declared;
    this.#sizeTag = sizeTag;
  }

  permit(): number {
    if (this.#refused !== undefined) throw this.#refused;
    return this.#full ? 0 : this.#room();
  }

  /** Throws `HTTP-…-body-size` with the bytes written so far when they are more than declared. */
  write(bytes: Uint8Array): void {
    if (this.#refused !== undefined) throw this.#refused;
    this.#context.chargeCalls(PIECE_CALLS);
    this.#context.chargeBytes(bytes.length);
    this.#written += bytes.length;
    if (this.#written > (this.#declared ?? Infinity)) throw this.#break();
    if (bytes.length === 0) return;
    const cost = bytes.length + PIECE_OVERHEAD;
    this.#context.keepBytesOrStop(cost);
    this.#held += cost;
    this.#full = this.#room() === 0;
    this.#pieces.push(bytes);
    this.onProgress?.();
  }

  /**
   * The guest has written all of it, and these fields after it: name, value, name, value. Throws `HTTP-…-body-size` when that is not what it declared, and
   * `HTTP-protocol-error` for trailers of a request that has declared its length, and so has no place for them, and for those that would declare it.
   */
  finish(trailers: readonly string[] = []): void {
    if (this.#written !== (this.#declared ?? this.#written)) throw this.#break();
    const hasNoPlace = this.#declared !== undefined && this.#sizeTag === 'HTTP-request-body-size' && trailers.length > 0;
    if (hasNoPlace || pairsOf(trailers).some(([name]) => name.toLowerCase() === 'content-length')) throw this.#break({ tag: 'HTTP-protocol-error' });
    if (this.#end === undefined) this.#trailers = trailers;
    this.#close('finished');
  }

  /** The guest gives up. Harmless when the body has ended. */
  abandon(): void {
    this.#close('broken');
  }

  /** Bytes that are declared or, once the body has ended, written; undefined as long as nobody knows. */
  get length(): number | undefined {
    return this.#declared ?? (this.#end === 'finished' ? this.#written : undefined);
  }

  /** How the body ended, once everything before is taken. A broken one need not be taken first. */
  get end(): ContentEnd | undefined {
    return this.#end === 'broken' || this.#pieces.length === 0 ? this.#end : undefined;
  }

  /** Why the body is broken, where that is its length. */
  get fault(): HttpErrorCode | undefined {
    return this.#fault;
  }

  /** With the end: what comes after the body. */
  get trailers(): readonly string[] {
    return this.#trailers;
  }

  /** The next bytes, if there are some, and at most `limit`. */
  take(limit = Infinity): Uint8Array | undefined {
    const next = this.#pieces.shift();
    if (next === undefined) return undefined;
    const piece = next.subarray(0, limit);
    const isWhole = piece.length === next.length;
    if (!isWhole) this.#pieces.unshift(next.subarray(limit));
    const cost = Math.min(this.#held, piece.length + (isWhole ? PIECE_OVERHEAD : 0));
    this.#held -= cost;
    this.#context.giveBack(cost);
    if (this.#room() < WAKING_BYTES) return piece;
    this.#full = false;
    this.ready.notify();
    return piece;
  }

  /** All of it, when the guest has written all of it already. */
  takeAll(): Uint8Array | undefined {
    if (this.#end !== 'finished') return undefined;
    const pieces: Uint8Array[] = [];
    for (let piece = this.take(); piece !== undefined; piece = this.take()) pieces.push(piece);
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  /** Takes what there is and will be, and throws it away. */
  discard(): void {
    this.onProgress = () => {
      for (let piece = this.take(); piece !== undefined; piece = this.take());
    };
    this.onProgress();
  }

  /** What is held is not the guest's any more, who has ended the body: whoever takes it may be long in coming. */
  handOver(): void {
    this.#context.giveBack(this.#held);
    this.#held = 0;
  }

  /** Nobody wants the rest: what the guest still writes fails with `why`, and what is held is let go. */
  cancel(why: HttpErrorCode | typeof CLOSED = CLOSED): void {
    this.#refused ??= why;
    this.#context.giveBack(this.#held);
    this.#held = 0;
    this.#pieces.length = 0;
    this.ready.notify();
  }

  #close(end: ContentEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#refused ??= CLOSED;
    this.ready.notify();
    this.onProgress?.();
  }

  // For the guest to be thrown.
  #break(fault: HttpErrorCode = { tag: this.#sizeTag, val: BigInt(this.#written) }): HttpErrorCode {
    this.#fault = fault;
    this.#close('broken');
    this.cancel();
    return fault;
  }

  #room(): number {
    return Math.max(0, CONTENT_BUFFER_BYTES - this.#held - PIECE_OVERHEAD);
  }
}
