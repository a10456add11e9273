// Clocks (wasi:clocks 0.2), and waiting for what they show. Without TIME both stand at 0 and no wait for a time waits. Times of files are no clock of this
// file: a guest that may write a file can read the time off it.
import { Cap } from '../capabilities.ts';
import type { WasiContext } from './context.ts';
import type { Waitable } from './waiting.ts';

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

  #granted(): boolean {
    return this.#context.allows(Cap.TIME);
  }
}

function millisecondsUntil(instant: bigint, now: bigint): number {
  return instant <= now ? 0 : Number(instant - now) / Number(NS_PER_MS);
}
