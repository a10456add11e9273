// Standard input, output and error of one guest. Input is a fixed piece of bytes that ends; output goes to the policy's sinks, counted against
// `outputBytes`. Without CONSOLE input is at its end and output is discarded and not counted. Neither is ever a terminal.
import { Cap } from '../capabilities.ts';
import { GloveportError, limitExceeded } from '../errors.ts';
import type { WasiContext } from './context.ts';

/** Takes what a guest prints; the chunk is a copy that it may keep. */
export type OutputSink = (chunk: Uint8Array) => unknown;

export class Console {
  readonly #context: WasiContext;
  readonly #stdin: Uint8Array;
  #stdinPosition = 0;
  #outputBytes = 0;

  constructor(context: WasiContext, stdin: Uint8Array) {
    this.#context = context;
    this.#stdin = stdin;
  }

  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Bytes of input that are left. */
  get inputLeft(): number {
    return this.#context.allows(Cap.CONSOLE) ? this.#stdin.length - this.#stdinPosition : 0;
  }

  /** Moves input into `target`; 0 at the end. */
  read(target: Uint8Array): number {
    const count = Math.min(target.length, this.inputLeft);
    this.#context.chargeBytes(count);
    target.set(this.#stdin.subarray(this.#stdinPosition, this.#stdinPosition + count));
    this.#stdinPosition += count;
    return count;
  }

  /** Gives all of `bytes` to `sink`. Stops the guest with OUTPUT_EXCEEDED when the limit is passed, after delivering what is below it. */
  write(sink: OutputSink, bytes: Uint8Array): void {
    this.#context.chargeBytes(bytes.length);
    if (!this.#context.allows(Cap.CONSOLE) || bytes.length === 0) return;
    this.#context.chargeEntries(1);
    const limit = this.#context.limits.outputBytes;
    const chunk = new Uint8Array(bytes.subarray(0, limit - this.#outputBytes));
    this.#outputBytes += chunk.length;
    if (chunk.length > 0) this.#deliver(sink, chunk);
    if (chunk.length < bytes.length) {
      const message = `the guest printed more than ${limit} bytes; raise limits.outputBytes if it needs more`;
      this.#context.control.stop(limitExceeded('OUTPUT_EXCEEDED', message, 'outputBytes', limit));
    }
  }

  // A sink is the host's code: its exception must neither reach the guest nor be taken for an error of WASI. Nobody would wait for its promise, nor see
  // it fail.
  #deliver(sink: OutputSink, chunk: Uint8Array): void {
    const { control } = this.#context;
    let result: unknown;
    try {
      result = sink(chunk);
    } catch (cause) {
      if (control.isStop(cause)) throw cause;
      control.stop(new GloveportError('HOST_FUNCTION_FAILED', "the function that takes the guest's output threw", {}, { cause }));
    }
    if (!(result instanceof Promise)) return;
    result.catch(() => undefined);
    control.stop(new GloveportError('HOST_FUNCTION_FAILED', "the function that takes the guest's output must not give a Promise: the guest does not wait"));
  }
}
