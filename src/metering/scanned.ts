// What scanning finds out about the bodies of a module, for those who decide and write.
import type { Edits } from './edits.ts';

/** What a body does that matters to others, as bits of {@link ScannedCode.traits}. */
export const Trait = Object.freeze({
  /** It has a loop. */
  LOOPS: 1,
  /** It calls what is only known when it runs: through a table or a reference, or an import. */
  CALLS_UNKNOWN: 2,
  HANDLERS: 8,
  /** It charges by the size of an operand, allocates, or throws. */
  DYNAMIC: 16,
  /** A label leads out of it. */
  LEAVES: 32,
  /** Its frame counts only between {@link Edit.ENTER} and {@link Edit.LEAVE}, where all its calls are. */
  ENTERS_LATE: 64,
  /** It has a loop that is split. */
  SPLITS: 128,
});

/** The scanned bodies; one entry for each defined function. */
export interface ScannedCode {
  readonly edits: Edits;
  /** The number of the first edit of each body, and one more for the end. The first edit is the charge at the entry. */
  readonly firstEdit: Int32Array;
  /** Where the code begins, behind the locals. */
  readonly code: Int32Array;
  /** Parameters and declared locals. */
  readonly slots: Int32Array;
  readonly traits: Uint8Array;
  /** Units of all its regions together. */
  readonly units: Float64Array;
  readonly frameBytes: Int32Array;
  /** Whether code can keep an exception as a value. */
  keepsExceptions: boolean;
  /** Whether what thrown exceptions take is counted: they can be kept here, or elsewhere. */
  countsExceptions: boolean;
}
