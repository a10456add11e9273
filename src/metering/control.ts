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
   * Lets the guest wait for at most `milliseconds` (Infinity: until an event), never beyond the deadline of the running call, at which it is stopped with
   * DEADLINE_EXCEEDED and this does not return.
   * @param onChange subscribes a function that ends the wait early, on the host's event loop, and gives what takes the subscription back.
   * @returns true when the time has passed: the thread was blocked for it. False when the guest is going to be suspended as soon as the host function
   * returns, and calls it again with the same arguments after: it returns at once, without side effects, any value of its type.
   * Where the guest cannot be suspended, a wait with `onChange` would be one for ever, since nothing happens on a blocked thread: it stops the guest with
   * UNSUPPORTED_FEATURE.
   */
  wait(milliseconds: number, onChange?: (wake: () => void) => () => void): boolean;
  /** Whether the host function that runs has asked for a wait by suspension: nothing of what it returns is to reach the guest. */
  isWaiting(): boolean;
  /** Whether the guest can be suspended at this moment. */
  suspends(): boolean;
  /** Milliseconds that are left of the running call, 0 when its deadline has passed; Infinity outside a call. */
  remainingMs(): number;
  /** Whether `error` is the trap that {@link stop} threw. */
  isStop(error: unknown): boolean;
}
