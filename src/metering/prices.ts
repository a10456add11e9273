// What metering charges beyond the price of each operator in `wasm/operators.ts`: the checks themselves, frames, growth, bulk work and calls of the host.
// One unit is about half a nanosecond of plain arithmetic. A change here changes what programs burn: raise REWRITER_VERSION with it.

/** Names the rewriter's output; part of every cache key. */
export const REWRITER_VERSION = '1';

export const prices = Object.freeze({
  /** Head of a loop, each time round: its check. */
  loop: 2,
  /** Entry of a function. */
  entry: 2,
  /** Entry of a function that counts depth and checks. */
  countedEntry: 6,
  /** A function is charged one unit for each 2^3 of its locals, which the engine sets to zero. */
  localsShift: 3,
  /** memory.copy, memory.fill, memory.init: one unit for each 2^3 bytes. */
  bulkMemoryShift: 3,
  /** table.copy, table.fill, table.init: 2^5 units for each element. */
  bulkTableShift: 5,
  /** A request to grow a memory or a table, granted or not. */
  growth: 1_000,
  /** Each page (64 KiB) that a memory grows by: the engine clears it when it is first touched. */
  page: 2_000,
  /** Each element that a table grows by. */
  element: 32,
  /** A call from the guest to the host. */
  hostCall: 200,
  /** Each value that such a call passes. */
  hostValue: 25,
});

/** Bytes of stack that a frame counts for: a fixed part, and each parameter and local; vectors take two slots. */
export const frame = Object.freeze({ fixedBytes: 32, slotBytes: 8 });

/** Units that may pass between two checks on the way through one function, the region that holds the last of them aside. */
export const UNCHECKED_UNITS = 10_000;
/** A region that costs more than this is checked when it is charged. */
export const LARGE_REGION_UNITS = 1_000;
/** A function that calls nothing and costs no more than this is not checked at its entry; its callers count it as much. */
export const LEAF_UNITS = 256;
