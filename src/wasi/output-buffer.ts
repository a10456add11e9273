// Output on its way to a consumer that takes one chunk after the other, in its own time. What comes meanwhile is kept in a bounded buffer, which counts for
// `hostBytes` from the start; when it is full, the guest waits.
import { Cap } from '../capabilities.ts';
import { limitExceeded } from '../errors.ts';
import type { WasiContext } from './context.ts';
import type { ErrorCode } from './filesystem/errors.ts';
import { isReady, Signal, type Waitable } from './waiting.ts';

/** Takes what a guest prints in its own time. Throws nothing. */
export interface OutputConsumer {
  /** Ready when the chunk before was delivered, or never will be. */
  readonly ready: Waitable;
  /** Whether it takes nothing any more. */
  readonly closed: boolean;
  /** Takes a chunk that it may keep. Called when it is ready; for what is left at the end, also when it is not. */
  take(chunk: Uint8Array): void;
  /** Nothing more comes; what it has may still be on its way. Called once. */
  release(): void;
}

/** Bytes that are kept while the consumer is busy, and those that it has at a time. */
export const OUTPUT_BUFFER_BYTES = 64 * 1024;

export class OutputBuffer {
  /** Ready when {@link permit} gives more than 0, or throws. */
  readonly ready: Waitable;
  /** Ready when everything was delivered, or never will be. */
  readonly delivered: Waitable;
  readonly #context: WasiContext;
  readonly #consumer: OutputConsumer;
  readonly #unsubscribe: (() => void) | undefined;
  readonly #changed = new Signal(() => false);
  readonly #bytes = new Uint8Array(OUTPUT_BUFFER_BYTES);
  #length = 0;
  #flushing = false;
  #released = false;

  /** Takes over `consumer`. @throws GloveportError MEMORY_EXCEEDED when `hostBytes` has no room for the buffer. */
  constructor(context: WasiContext, consumer: OutputConsumer) {
    this.#context = context;
    this.#consumer = consumer;
    this.#unsubscribe = consumer.ready.onChange?.(() => {
      this.#move();
      this.#changed.notify();
    });
    this.ready = this.#waitable(() => this.#hasRoom());
    this.delivered = this.#waitable(() => this.#isDelivered());
    context.keep(this);
    context.onRevoke(Cap.CONSOLE, () => this.#changed.notify());
    if (context.keepBytes(2 * OUTPUT_BUFFER_BYTES)) return;
    const { hostBytes } = context.limits;
    const message = `limits.hostBytes of ${hostBytes} has no room for the buffers of streams that output goes to`;
    throw limitExceeded('MEMORY_EXCEEDED', message, 'hostBytes', hostBytes);
  }

  /** Bytes that {@link put} takes now; 0 while the buffer is full or a flush is under way. Throws `pipe` when the consumer is closed. */
  permit(): number {
    if (this.#consumer.closed) throw 'pipe' satisfies ErrorCode;
    return this.#hasRoom() ? OUTPUT_BUFFER_BYTES - this.#length : 0;
  }

  /** Takes a chunk that it may keep, no longer than permitted. */
  put(chunk: Uint8Array): void {
    if (this.#length === 0 && isReady(this.#consumer.ready)) {
      this.#consumer.take(chunk);
    } else {
      this.#bytes.set(chunk, this.#length);
      this.#length += chunk.length;
    }
  }

  /** Has nothing permitted until everything is delivered. Where nobody could wait for that, it goes on behind the guest's back. */
  flush(): void {
    this.#flushing = this.#context.control.suspends();
  }

  /** Hands over what is left. */
  close(): void {
    if (this.#released) return;
    this.#released = true;
    this.#unsubscribe?.();
    this.#handOver();
    this.#consumer.release();
    this.#context.letGo(this);
    this.#changed.notify();
  }

  #hasRoom(): boolean {
    if (this.#flushing) this.#flushing = !this.#isDelivered();
    else this.#move();
    return !this.#context.allows(Cap.CONSOLE) || this.#consumer.closed || (!this.#flushing && this.#length < OUTPUT_BUFFER_BYTES);
  }

  #isDelivered(): boolean {
    this.#move();
    return this.#released || this.#consumer.closed || (this.#length === 0 && isReady(this.#consumer.ready));
  }

  #move(): void {
    if (isReady(this.#consumer.ready)) this.#handOver();
  }

  #handOver(): void {
    const chunk = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (chunk.length > 0 && !this.#consumer.closed) this.#consumer.take(chunk);
  }

  // The consumer knows how it can be waited for. A look moves on what can be moved.
  #waitable(isOver: () => boolean): Waitable {
    const remainingMs = (): number => (isOver() ? 0 : this.#consumer.ready.remainingMs());
    return this.#unsubscribe === undefined ? { remainingMs } : { remainingMs, onChange: (wake) => this.#changed.onChange(wake) };
  }
}
