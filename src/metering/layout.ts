// Where a rewritten module keeps its meter, and how the stack counter is packed.

/** Globals, a table and a memory behind the guest's own. */
export interface Layout {
  /** i32: units left of the quantum. Code asks the host for more when it is negative. */
  readonly counter: number;
  /** i64: calls left in the high half, bytes of stack left in the low half. */
  readonly stack: number;
  /** i32: bytes left of what the host has granted for objects of the collector. */
  readonly heap: number;
  /** The table of slots that the host fills. */
  readonly slots: number;
  /** The memory of a module with a profile: see `attribution.ts`. */
  readonly profile?: number;
}

/** One call, in the high half of the stack counter. */
export const ONE_CALL = 1n << 32n;
/** The bits of the stack counter that are set once one of its halves went below zero. */
export const STACK_SPENT = BigInt.asIntN(64, (1n << 63n) | (1n << 31n));
