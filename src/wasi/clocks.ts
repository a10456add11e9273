// Clocks and waiting (wasi:clocks 0.2). Without TIME both clocks stand at 0 and no wait for a time waits. The wait itself is the control's, which ends it
// at the deadline of the running call. Times of files are no clock of this file: a guest that may write a file can read the time off it.
import { Cap } from '../capabilities.ts';
import type { WasiContext } from './context.ts';

/** Something a guest can wait for. */
export interface Waitable {
  /** Milliseconds until it is ready: 0 when it is, Infinity when it never will be. */
  remainingMs(): number;
}

/** What never has to be waited for: files, and standard streams, whose whole content is there from the start. */
export const READY: Waitable = Object.freeze({ remainingMs: () => 0 });

/** Nanoseconds between two readings of the monotonic clock: coarse, so that a guest cannot time the host's caches with it. */
export const MONOTONIC_RESOLUTION_NS = 10_000n;
/** Nanoseconds between two readings of the wall clock. */
export const WALL_RESOLUTION_NS = 1_000_000n;

const NS_PER_MS = 1_000_000n;

export class Clocks {
  readonly #context: WasiContext;
  readonly #start = performance.now();

  constructor(context: WasiContext) {
    this.#context = context;
  }

  /** Nanoseconds since this guest's host was made. */
  monotonic(): bigint {
    if (!this.#granted()) return 0n;
    return (BigInt(Math.floor((performance.now() - this.#start) * 1e6)) / MONOTONIC_RESOLUTION_NS) * MONOTONIC_RESOLUTION_NS;
  }

  /** Nanoseconds since 1970. */
  wall(): bigint {
    return this.#granted() ? BigInt(Date.now()) * NS_PER_MS : 0n;
  }

  /** Ready when the monotonic clock shows `instant` nanoseconds. */
  at(instant: bigint): Waitable {
    return { remainingMs: () => (this.#granted() ? millisecondsUntil(instant, this.monotonic()) : 0) };
  }

  /** Ready `duration` nanoseconds from now. */
  after(duration: bigint): Waitable {
    return this.at(this.monotonic() + duration);
  }

  /** Ready when the wall clock shows `instant` nanoseconds since 1970. */
  atWall(instant: bigint): Waitable {
    return { remainingMs: () => (this.#granted() ? millisecondsUntil(instant, this.wall()) : 0) };
  }

  /** Waits until one of `waitables` is ready. With none that ever will be, that is the deadline. */
  waitForAny(waitables: readonly Waitable[]): void {
    for (;;) {
      const remaining = waitables.reduce((least, waitable) => Math.min(least, waitable.remainingMs()), Infinity);
      if (remaining <= 0) return;
      this.#context.control.sleep(remaining);
    }
  }

  #granted(): boolean {
    return this.#context.allows(Cap.TIME);
  }
}

function millisecondsUntil(instant: bigint, now: bigint): number {
  return instant <= now ? 0 : Number(instant - now) / Number(NS_PER_MS);
}
