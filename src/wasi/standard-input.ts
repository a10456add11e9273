// Standard input of one guest: bytes that are there from the start, or a feed of the host's that is asked for the next chunk when the guest wants it, and
// never before. Without CONSOLE it is at its end.
import { Cap } from '../capabilities.ts';
import { GloveportError, isInstance } from '../errors.ts';
import type { WasiContext } from './context.ts';
import type { ErrorCode } from './filesystem/errors.ts';
import { Signal } from './waiting.ts';

/** Input that comes in the course of time. */
export interface InputFeed {
  /**
   * The next chunk, of any size, which stays as it is; undefined at the end. Called while no other call is under way. What it rejects with is a failure of the stream, which the
   * guest sees as `io`; a GloveportError stops the guest.
   */
  next(): Promise<Uint8Array | undefined>;
  /** Nobody will ask again. Called once, possibly while a call of {@link next} is under way. */
  release(): void;
}

export class StandardInput {
  /** Ready when {@link read} gives bytes, the end or a failure. Looking at it is a reason to ask for the next chunk. */
  readonly ready: Signal;
  readonly #context: WasiContext;
  /** What is left of the bytes, or of the feed's last chunk. */
  #chunk: Uint8Array;
  /** Bytes that are counted for the chunk, which stays in memory as a whole. */
  #kept = 0;
  /** Until the end. */
  #feed: InputFeed | undefined;
  #asked = false;
  #failure: ErrorCode | GloveportError | undefined;

  constructor(context: WasiContext, from: Uint8Array | InputFeed) {
    this.#context = context;
    this.#chunk = 'next' in from ? NOTHING : from;
    this.#feed = 'next' in from ? from : undefined;
    this.ready = new Signal(() => this.#look());
    context.keep(this);
    context.onRevoke(Cap.CONSOLE, () => this.close());
  }

  /** Bytes that are there now. */
  get available(): number {
    return this.#context.allows(Cap.CONSOLE) ? this.#chunk.length : 0;
  }

  /** Whether there will be no more than what is available. */
  get ended(): boolean {
    return !this.#context.allows(Cap.CONSOLE) || (this.#feed === undefined && this.#failure === undefined);
  }

  /** At most `limit` bytes that are there now: none when there are none yet, undefined at the end. Throws an {@link ErrorCode}, after which it is at its end. */
  read(limit: number): Uint8Array | undefined {
    const bytes = new Uint8Array(Math.min(limit, this.available));
    return this.readInto(bytes) > 0 || !this.ended ? bytes : undefined;
  }

  /** Moves what is there now into `target`; gives the number of bytes, 0 also at the end. Throws like {@link read}. */
  readInto(target: Uint8Array): number {
    const context = this.#context;
    if (context.observed) context.report(Cap.CONSOLE, 'console.read', context.allows(Cap.CONSOLE), { stream: 'stdin', bytes: target.length });
    if (this.#look() && this.available === 0) this.#fail();
    const count = Math.min(target.length, this.available);
    context.chargeBytes(count);
    target.set(this.#chunk.subarray(0, count));
    this.#consume(count);
    return count;
  }

  /** Ends it, whoever waits for it. */
  close(): void {
    this.#consume(this.#chunk.length);
    this.#failure = undefined;
    this.#end(undefined);
  }

  // Whether there is something to read, if only the end; if not, it is asked for.
  #look(): boolean {
    if (this.available > 0 || this.#failure !== undefined || this.ended) return true;
    if (!this.#asked) {
      this.#asked = true;
      this.#feed
        ?.next()
        .then((chunk) => this.#take(chunk))
        .catch((error: unknown) => this.#end(isInstance(error, GloveportError) ? error : 'io'));
    }
    return false;
  }

  #take(chunk: Uint8Array | undefined): void {
    this.#asked = false;
    if (this.#feed === undefined) return;
    if (chunk === undefined) {
      this.#end(undefined);
    } else if (chunk.length === 0) {
      // Who waits asks for the next one, but only when the event loop has turned: a feed may have nothing but such chunks.
      setImmediate(() => this.ready.notify());
    } else if (this.#context.keepBytes(chunk.length)) {
      this.#chunk = chunk;
      this.#kept = chunk.length;
      this.ready.notify();
    } else {
      this.#end('insufficient-memory');
    }
  }

  #end(failure: ErrorCode | GloveportError | undefined): void {
    const feed = this.#feed;
    if (feed === undefined) return;
    this.#feed = undefined;
    this.#failure = failure;
    feed.release();
    this.ready.notify();
  }

  #fail(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (typeof failure === 'string') throw failure;
    if (failure !== undefined) this.#context.control.stop(failure);
  }

  #consume(count: number): void {
    this.#chunk = this.#chunk.subarray(count);
    if (this.#chunk.length > 0) return;
    this.#chunk = NOTHING;
    this.#context.giveBack(this.#kept);
    this.#kept = 0;
  }
}

const NOTHING = new Uint8Array();
