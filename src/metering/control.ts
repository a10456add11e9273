// What host code may do to the guest on whose behalf it runs. The WASI host and the component door hold only this, never the meter itself.
import type { GloveportError } from '../errors.ts';

export interface GuestControl {
  /** Charges `units` of fuel for work done for the guest (finite, not negative). Stops the guest, and does not return, when its budget is spent. */
  charge(units: number): void;
  /**
   * Stops the guest for good with `reason`. Never returns: it throws a trap of the engine that no guest can catch, so call it directly
   * and let it pass; a `finally` may run, a `catch` has to throw it on.
   */
  stop(reason: GloveportError): never;
  /**
   * Waits for `milliseconds` (Infinity: for ever), but never beyond the deadline of the running call: at the deadline the guest is stopped with
   * DEADLINE_EXCEEDED and this does not return. Blocks the thread.
   */
  sleep(milliseconds: number): void;
  /** Milliseconds that are left of the running call, 0 when its deadline has passed; Infinity outside a call. */
  remainingMs(): number;
  /** Whether `error` is the trap that {@link stop} threw. */
  isStop(error: unknown): boolean;
}
