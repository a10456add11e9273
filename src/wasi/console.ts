// Standard input, output and error of one guest, for both versions of WASI. None of them is ever a terminal.
import type { WasiContext } from './context.ts';
import type { OutputConsumer } from './output-buffer.ts';
import { type InputFeed, StandardInput } from './standard-input.ts';
import { type OutputAccount, type OutputSink, StandardOutput } from './standard-output.ts';
import type { Waitable } from './waiting.ts';

/** What the three streams are connected to. */
export interface ConsolePolicy {
  readonly stdin: Uint8Array | InputFeed;
  readonly stdout: OutputSink | OutputConsumer;
  readonly stderr: OutputSink | OutputConsumer;
}

export class Console {
  readonly stdin: StandardInput;
  readonly stdout: StandardOutput;
  readonly stderr: StandardOutput;
  readonly #account: OutputAccount = { bytes: 0 };

  /** Takes over feed and consumers, which the context closes. @throws GloveportError MEMORY_EXCEEDED when `hostBytes` has no room for their buffers. */
  constructor(context: WasiContext, { stdin, stdout, stderr }: ConsolePolicy) {
    this.stdin = new StandardInput(context, stdin);
    this.stdout = new StandardOutput(context, this.#account, 'stdout', stdout);
    this.stderr = new StandardOutput(context, this.#account, 'stderr', stderr);
  }

  /** Bytes given to output and error so far. */
  get outputBytes(): number {
    return this.#account.bytes;
  }

  /** What to wait for until all output is with its consumers. */
  get delivered(): readonly Waitable[] {
    return [this.stdout.delivered, this.stderr.delivered];
  }
}
