// A block that is open while a body is scanned. Objects are used again for the next block of their depth.
import { NO_EDIT } from './edits.ts';

export class Block {
  /** The operator that opened it; `else` once an `if` has come to its other arm. */
  kind = 0;
  /** Whether a branch leads to its label; to a loop's label leads its head. */
  targeted = false;
  /** Whether an exception handler leads to its label. */
  handler = false;
  reachable = false;
  /** Values that its type takes and gives. */
  arity = 0;
  /** Units since the last check when it was opened. */
  opened = 0;
  /** The most units since the last check with which control comes to its end other than by falling through. */
  joined = 0;
  /** The region that was at hand when it was opened: it goes on behind the end, where every way through the block leads there. */
  region: number = NO_EDIT;
  /** The outermost depth that a branch out of it leads to. */
  exit = 0;
  /** Of a loop: the edit before its operator, and whether it still may be split. */
  before: number = NO_EDIT;
  innermost = false;
  /** The depth of the loop around it, when it is a loop. */
  outerLoop = -1;
}
