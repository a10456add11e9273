// Standard output or error of one guest: counted against `outputBytes`, then given to a function that takes it at once, or to a consumer that takes it in its
// own time. Without CONSOLE output is discarded and not counted.
import { isPromise } from '../component/thrown.ts';
import { Cap } from '../capabilities.ts';
import { GloveportError, limitExceeded } from '../errors.ts';
import type { WasiContext } from './context.ts';
import { OutputBuffer, type OutputConsumer } from './output-buffer.ts';
import { READY, type Waitable } from './waiting.ts';

/** Takes what a guest prints; the chunk is a copy that it may keep. */
export type OutputSink = (chunk: Uint8Array) => unknown;

/** What the streams of one guest count together. */
export interface OutputAccount {
  /** Bytes that were printed. */
  bytes: number;
}

export class StandardOutput {
  readonly #context: WasiContext;
  readonly #account: OutputAccount;
  readonly #name: 'stdout' | 'stderr';
  readonly #to: OutputSink | OutputBuffer;

  /** @throws GloveportError MEMORY_EXCEEDED when `hostBytes` has no room for a consumer's buffer. */
  constructor(context: WasiContext, account: OutputAccount, name: 'stdout' | 'stderr', to: OutputSink | OutputConsumer) {
    this.#context = context;
    this.#account = account;
    this.#name = name;
    this.#to = typeof to === 'function' ? to : new OutputBuffer(context, to);
  }

  /** Ready when {@link permit} gives more than 0, or throws. */
  get ready(): Waitable {
    return typeof this.#to === 'function' ? READY : this.#to.ready;
  }

  /** Ready when everything was delivered, or never will be. */
  get delivered(): Waitable {
    return typeof this.#to === 'function' ? READY : this.#to.delivered;
  }

  /** Bytes that {@link write} takes now. Throws `pipe` when nobody takes them any more. */
  permit(): number {
    return typeof this.#to === 'function' || !this.#context.allows(Cap.CONSOLE) ? Number.MAX_SAFE_INTEGER : this.#to.permit();
  }

  /**
   * Takes as much of `bytes` as is permitted, and gives how much that was. Throws like {@link permit}. Stops the guest with OUTPUT_EXCEEDED when the limit is
   * passed, after delivering what is below it.
   */
  write(bytes: Uint8Array): number {
    const context = this.#context;
    if (context.observed) context.report(Cap.CONSOLE, 'console.write', context.allows(Cap.CONSOLE), { stream: this.#name, bytes: bytes.length });
    // The bytes may be the guest's memory itself, which is another one when it grows meanwhile.
    const count = Math.min(bytes.length, this.permit());
    context.chargeBytes(count);
    if (!context.allows(Cap.CONSOLE) || count === 0) return count;
    context.chargeEntries(1);
    const limit = context.limits.outputBytes;
    const chunk = new Uint8Array(bytes.subarray(0, Math.min(count, limit - this.#account.bytes)));
    this.#account.bytes += chunk.length;
    if (chunk.length > 0) this.#deliver(chunk);
    if (chunk.length < count) {
      const message = `the guest printed more than ${limit} bytes; raise limits.outputBytes if it needs more`;
      context.control.stop(limitExceeded('OUTPUT_EXCEEDED', message, 'outputBytes', limit));
    }
    return count;
  }

  /** Begins to have everything delivered: until then nothing more is permitted. */
  flush(): void {
    if (typeof this.#to !== 'function') this.#to.flush();
  }

  // A sink is the host's code: its exception must neither reach the guest nor be taken for an error of WASI. Nobody would wait for its promise, nor see
  // it fail.
  #deliver(chunk: Uint8Array): void {
    const sink = this.#to;
    if (typeof sink !== 'function') return sink.put(chunk);
    const { control } = this.#context;
    let result: unknown;
    try {
      result = sink(chunk);
    } catch (cause) {
      if (control.isStop(cause)) throw cause;
      control.stop(new GloveportError('HOST_FUNCTION_FAILED', "the function that takes the guest's output threw", {}, { cause }));
    }
    if (!isPromise(result)) return;
    control.stop(new GloveportError('HOST_FUNCTION_FAILED', "the function that takes the guest's output must not give a Promise: the guest does not wait"));
  }
}
