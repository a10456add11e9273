// What a guest can wait for, in one form for pollables, streams, sockets and subscriptions. How it waits, on the thread or suspended, is the control's
// business; see `WasiContext.waitForAny`.
import { MAX_TIMER_MS } from '../metering/suspension.ts';

/** Something a guest can wait for. */
export interface Waitable {
  /** Milliseconds until it is ready: 0 when it is, Infinity when only an event can make it so. */
  remainingMs(): number;
  /**
   * Asks for `wake` to be called, once or more, on the host's event loop, when it may have become ready. Gives what takes that back. Absent where nothing
   * but time decides.
   */
  onChange?(wake: () => void): () => void;
  /** Makes it ready without waiting, where time is made up: called when nothing else is ready or would be sooner. Absent everywhere else. */
  pass?(): void;
}

/** What never has to be waited for, such as a file. */
export const READY: Waitable = Object.freeze({ remainingMs: () => 0 });

export function isReady(waitable: Waitable): boolean {
  return waitable.remainingMs() <= 0;
}

/** What host code with callbacks gives a guest to wait for: ready as long as its predicate says so, with {@link notify} at each change. */
export class Signal implements Waitable {
  readonly #isReady: () => boolean;
  readonly #wakes = new Set<() => void>();

  /** @param isReady asked whenever a guest looks. */
  constructor(isReady: () => boolean) {
    this.#isReady = isReady;
  }

  remainingMs(): number {
    return this.#isReady() ? 0 : Infinity;
  }

  onChange(wake: () => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  /** Wakes who waits: something has changed. */
  notify(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}

/** Waits on the event loop, where no guest is, until one of `waitables` is ready. False when that takes longer than `milliseconds`. */
export async function waitOnLoop(waitables: readonly Waitable[], milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const remaining = Math.min(...waitables.map((waitable) => waitable.remainingMs()));
    if (remaining <= 0) return true;
    const left = end - performance.now();
    if (left <= 0) return false;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        for (const unsubscribe of unsubscribes) unsubscribe?.();
        resolve();
      };
      const timer = setTimeout(wake, Math.min(remaining, left, MAX_TIMER_MS));
      const unsubscribes = waitables.map((waitable) => waitable.onChange?.(wake));
    });
  }
}
