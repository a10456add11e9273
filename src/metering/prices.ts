// What metering charges beyond the price of each operator in `wasm/operators.ts`: the checks themselves, frames, growth, bulk work and calls of the host.
// One unit is about 0.08 nanoseconds of plain arithmetic (Node 26, x64), a quantum of a million less than 0.1 milliseconds. A change here changes what
// programs burn: raise REWRITER_VERSION with it.

/** Names the rewriter's output; part of every cache key. */
export const REWRITER_VERSION: string = '3';

export const prices = Object.freeze({
  /** Head of a loop, each time round: its check. */
  loop: 2,
  /** Entry of a function. */
  entry: 2,
  /** Entry of a function that counts depth and checks. */
  countedEntry: 6,
  /** A function is charged one unit for each 2^2 of its locals, which the engine sets to zero; vectors count twice. */
  localsShift: 2,
  /** A call in a module that knows exceptions, besides its price: its frame may be unwound. */
  unwinding: 24,
  /** A clause of a handler, each time its block is entered: whatever is thrown in there is compared with it. */
  catchClause: 14,
  /** What a branch or a call may pass on without a price: beyond that each value costs a unit. */
  freeValues: 8,
  /** memory.copy, memory.fill, memory.init: one unit for each 2^2 bytes. */
  bulkMemoryShift: 2,
  /** table.copy, table.fill, table.init: 2^8 units for each element, which may be a function of the host. */
  bulkTableShift: 8,
  /** array.fill, array.copy, array.init_data, array.init_elem: 2^2 units for each element. */
  bulkArrayShift: 2,
  /** A request to grow a memory or a table, granted or not. */
  growth: 1_000,
  /** The same, for each memory or table that the guest has: all of them are looked at. */
  grown: 20,
  /** Each page (64 KiB) that a memory grows by: the engine clears it when it is first touched. */
  page: 16_000,
  /** Each element that a table grows by. */
  element: 32,
  /** A call from the guest to the host. */
  hostCall: 200,
  /** Each value that such a call passes. */
  hostValue: 25,
  /** A builtin for strings, beside a unit for each byte that it allocates or each code unit that it looks at. */
  stringBuiltin: 10,
  /** The same, where it makes characters of numbers or copies them. */
  stringMaking: 60,
});

/** What an array takes beside its elements. */
export const ARRAY_BYTES = 24;
/** What a thrown exception takes beside its values, and each of them by its type. */
export const EXCEPTION_BYTES = 96;
export const EXCEPTION_VALUE_BYTES = Object.freeze({ i32: 16, f32: 16, i64: 32, f64: 32, v128: 64, reference: 16 });

/** What a string of JavaScript takes beside two bytes for each code unit: it may be a rope first, and its characters in one piece later. */
export const STRING_BYTES = 48;
/** Bytes of stack that a frame counts for: a fixed part, and each parameter and local; vectors take two slots. */
export const frame = Object.freeze({ fixedBytes: 32, slotBytes: 8 });

/** Units that may pass between two checks on the way through one function, the region that holds the last of them aside. */
export const UNCHECKED_UNITS = 10_000;
/** The most that one function can owe that has not been stored: what may pass between two checks, and the region behind it. */
export const OVERDRAFT_UNITS = 2 * UNCHECKED_UNITS;
/** A region that costs more than this is checked when it is charged. */
export const LARGE_REGION_UNITS = 1_000;
/** No region costs more than this, small functions that it calls and handlers aside: what stands behind it in a row is another one. */
export const REGION_UNITS = 2 ** 20;
/** A region goes on behind a block only while it costs no more than this; what it may become is what counts as unchecked. */
export const RESUMED_UNITS = 200;
/** A region of no more units than this is charged with an earlier one, which takes in no more than {@link MERGED_UNITS} of all such together. */
export const SMALL_UNITS = 5;
export const MERGED_UNITS = 10;
/** A function that calls nothing and costs no more than this is not checked at its entry; its callers count it as much. */
export const LEAF_UNITS = 256;
/** The same for functions that can be called through a table or from outside. */
export const ESCAPING_UNITS = 64;
/** A function whose whole work costs no more than this, whatever it is called with, is paid for by its callers; at most 255. */
export const PREPAID_UNITS = 60;
