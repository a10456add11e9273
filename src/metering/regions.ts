// The regions of one body: what is charged by one deduction, and how many units can have been charged since the last check on any path.
import type { Block } from './block.ts';
import { Edit, type Edits, NO_EDIT } from './edits.ts';
import { Op } from './opcodes.ts';
import { LARGE_REGION_UNITS, LEAF_UNITS, MERGED_UNITS, REGION_UNITS, RESUMED_UNITS, SMALL_UNITS, UNCHECKED_UNITS } from './prices.ts';

export class Regions {
  readonly #edits: Edits;
  /** The edit that charges the region at hand; none where no region is. */
  current: number = NO_EDIT;
  /** The most units since the last check on any path that leads here, the region at hand aside. */
  unchecked = 0;
  /** Regions of this body that ask for more fuel where they are charged. */
  checks = 0;
  /** Units of small functions that the region at hand calls. */
  #called = 0;
  /** The blocks whose labels branches of the region at hand lead to. */
  readonly #exits: Block[] = [];
  /** The region at hand when the block was opened that the region at hand begins in; none where it may run more often than that one. */
  #outer: number = NO_EDIT;
  /** Whether the region at hand was closed before, and goes on. */
  #resumed = false;

  constructor(edits: Edits) {
    this.#edits = edits;
  }

  /** Begins a body, with the edit that charges its entry. */
  begin(edit: number): void {
    this.unchecked = 0;
    this.checks = 0;
    this.#called = 0;
    this.#exits.length = 0;
    this.#resumed = false;
    this.beginWith(edit);
  }

  /** Begins a region with an edit that is there: of an entry, or of a loop's head. */
  beginWith(edit: number): void {
    this.current = edit;
    this.#outer = NO_EDIT;
  }

  /** Charges before the first instruction of the region has an effect, and for all of it: a branch that leaves early was overcharged. */
  charge(at: number, units: number, block: Block): void {
    if (this.current !== NO_EDIT && (this.#edits.value[this.current] as number) + units > (this.#resumed ? RESUMED_UNITS : REGION_UNITS)) this.close();
    if (this.current === NO_EDIT) this.#open(at, block);
    this.#edits.value[this.current] = (this.#edits.value[this.current] as number) + units;
  }

  /** Charges a few units more with the region at hand, in the middle of an operator. */
  chargeMore(units: number): void {
    this.#edits.value[this.current] = (this.#edits.value[this.current] as number) + units;
  }

  /** Charges with a region that was at hand before, and that leads to what costs the units once at most. */
  chargeBefore(before: number, units: number): void {
    if (before === NO_EDIT) return;
    const region = this.#taken(before);
    this.#edits.value[region] = (this.#edits.value[region] as number) + units;
  }

  /** A call in the region at hand, of what may charge some units without asking. */
  call(): void {
    this.#called += LEAF_UNITS;
    if (this.unchecked + this.#called > UNCHECKED_UNITS) this.close();
  }

  /** A branch to the end or the head of `target`. */
  branch(target: Block): void {
    if (this.current === NO_EDIT) target.joined = Math.max(target.joined, this.unchecked);
    else this.#exits.push(target);
  }

  /** Ends the region at hand. True for that of a loop's head which is too large for a loop that looks before it deducts. */
  close(): boolean {
    const region = this.current;
    if (region === NO_EDIT) return false;
    this.current = NO_EDIT;
    const { kind, value } = this.#edits;
    const units = value[region] as number;
    const large = units > LARGE_REGION_UNITS;
    if (large && kind[region] === Edit.CHARGE) {
      kind[region] = Edit.CHECK;
      this.checks++;
    }
    if (this.#resumed || this.#mergeSmall(region)) {
      // It was counted when it, or the region that took it in, was closed before: with what that may have become since.
      this.#resumed = false;
      this.unchecked += this.#called;
    } else {
      // What a check stands before is paid; what small functions charge that the region calls is not, nor what a split loop deducts behind its check.
      const checked = kind[region] === Edit.CHECK;
      const before = checked || kind[region] === Edit.LOOP ? 0 : this.unchecked;
      this.unchecked = this.#called + before + (checked ? 0 : Math.max(units, RESUMED_UNITS));
    }
    this.#called = 0;
    // All of the region was charged at its start, also for those who left it early.
    for (const target of this.#exits) target.joined = Math.max(target.joined, this.unchecked);
    this.#exits.length = 0;
    return large && kind[region] === Edit.LOOP;
  }

  /** Every way through a block leads to its end, once: the region that was at hand before goes on, and what follows is charged with it. */
  resume(before: number): void {
    const region = before === NO_EDIT ? before : this.#taken(before);
    if (region === NO_EDIT || (this.#edits.value[region] as number) > RESUMED_UNITS) return;
    this.current = region;
    this.#resumed = true;
  }

  #open(at: number, block: Block): void {
    const checks = this.unchecked > UNCHECKED_UNITS;
    if (checks) this.checks++;
    this.current = this.#edits.add(checks ? Edit.CHECK : Edit.CHARGE, at, 0, 0, NO_EDIT);
    // What stands directly in a loop runs more often than what stands before it.
    this.#outer = block.kind === Op.LOOP ? NO_EDIT : block.region;
  }

  // A few units are charged with the region before the block that they stand in, also for those who do not come to them: cheaper than a charge of their own.
  #mergeSmall(region: number): boolean {
    const { kind, value, cut, link } = this.#edits;
    const units = value[region] as number;
    if (units > SMALL_UNITS || kind[region] !== Edit.CHARGE || this.#outer === NO_EDIT || this.#called > 0) return false;
    const into = this.#taken(this.#outer);
    if ((cut[into] as number) + units > MERGED_UNITS || (value[into] as number) + units > RESUMED_UNITS) return false;
    kind[region] = Edit.NONE;
    link[region] = into;
    value[into] = (value[into] as number) + units;
    cut[into] = (cut[into] as number) + units;
    return true;
  }

  /** The region that charges for `region`: itself, or the one that took it in. */
  #taken(region: number): number {
    const { kind, link } = this.#edits;
    return kind[region] === Edit.NONE ? (link[region] as number) : region;
  }
}
