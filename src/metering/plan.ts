// Reads one function body and decides where charges, checks, stack counting and growth requests go. The result is a list of edits by offset, which
// `body.ts` splices into a copy of the bytes. A region is what is charged by one deduction, before its first instruction has an effect: it runs on
// through conditional branches and through blocks that no branch leaves, and ends where control can come from elsewhere.
import { checkBudget } from '../wasm/budgets.ts';
import { immediateAt, priceAt, readBlockType, readLocals, readOperator, skipImmediate } from '../wasm/code.ts';
import type { CoreModule } from '../wasm/module.ts';
import { Immediate } from '../wasm/operators.ts';
import { Reader } from '../wasm/reader.ts';
import type { FunctionType } from '../wasm/types.ts';
import { Op } from './opcodes.ts';
import { frame, LARGE_REGION_UNITS, LEAF_UNITS, prices, UNCHECKED_UNITS } from './prices.ts';

/** What an edit puts into the code, before or instead of the bytes of its span. */
export const Edit = Object.freeze({
  /** Deducts `value` units. */
  CHARGE: 0,
  /** Deducts `value` units and asks the host for more when none are left. */
  CHECK: 1,
  RESTORE_AND_CHECK: 2,
  /** Puts the stack counter right at an exception handler. */
  RESTORE: 3,
  /** Instead of `return`: a branch to the wrapping block, `value` labels out. */
  RETURN: 4,
  /** Takes the frame off the stack counter, before a tail call. */
  LEAVE: 5,
  /** The end of the wrapping block, and leaving. */
  FINISH: 6,
  /** Calls helper `value`, which takes the length on top of the stack, charges for it and gives it back. */
  BULK: 7,
  /** Instead of `memory.grow` or `table.grow`: the helper that grows number `value`. */
  GROW_MEMORY: 8,
  GROW_TABLE: 9,
});

/** The edits of a body as parallel lists in the order of their offsets; what stands in `[at, end)` is replaced. */
export interface Edits {
  readonly at: number[];
  readonly end: number[];
  readonly kind: number[];
  readonly value: number[];
}

export interface BodyPlan {
  readonly start: number;
  /** Where the code begins, behind the locals. */
  readonly code: number;
  readonly end: number;
  readonly type: FunctionType;
  /** Parameters and declared locals. */
  readonly slots: number;
  /** Whether its frames count for depth and bytes of stack: it calls something. */
  readonly counted: boolean;
  /** Whether it holds exception handlers. */
  readonly handlers: boolean;
  readonly frameBytes: number;
  readonly edits: Edits;
}

/** Which helper a {@link Edit.BULK} calls. */
export const Bulk = Object.freeze({ MEMORY: 0, TABLE: 1 });

const NONE = -1;
// Units since the last check where control can come from any place in a block: more than any path may have without one.
const ANYWHERE = UNCHECKED_UNITS + 1;

interface Block {
  /** The operator that opened it; `else` once an `if` has come to its other arm. */
  kind: number;
  /** Whether a branch leads to its label; to a loop's label leads its head. */
  targeted: boolean;
  /** Whether an exception handler leads to its label, where the stack counter has to be put right. */
  handler: boolean;
  readonly reachable: boolean;
  /** Values that its type takes and gives. */
  readonly arity: number;
  /** The check at a loop's head. */
  readonly check: number;
  /** Units since the last check when it was opened. */
  readonly opened: number;
  /** The most units since the last check with which control comes to its end other than by falling through. */
  joined: number;
}

/** Plans the bodies of one module, one after the other; a plan holds until the next one is made. */
export class BodyPlanner {
  readonly #module: CoreModule;
  readonly #edits: Edits = { at: [], end: [], kind: [], value: [] };
  readonly #blocks: Block[] = [];
  #localsOfAll = 0;
  #labelsOfAll = 0;
  /** The edit that charges the region at hand. */
  #region = NONE;
  #reachable = true;
  /** The most units since the last check on any path that leads here, the region at hand aside. */
  #unchecked = 0;
  /** Units of small functions that the region at hand calls. */
  #called = 0;
  /** The blocks whose labels branches of the region at hand lead to. */
  readonly #exits: Block[] = [];
  /** What the engine's compilers do for this body beyond one step for each operator: see the budget 'control work of one function'. */
  #work = 0;
  #workOfAll = 0;
  #slots = 0;
  #references = 0;
  #units = 0;
  #calls = false;
  #handlers = false;

  constructor(module: CoreModule) {
    this.#module = module;
  }

  /** Plans function `index`, whose body stands in `[start, end)`. */
  plan(index: number, start: number, end: number): BodyPlan {
    const type = this.#module.types[this.#module.functionTypes[index] as number] as FunctionType;
    const reader = new Reader(this.#module.bytes, start, end);
    const locals = readLocals(reader);
    this.#localsOfAll += locals.count;
    checkBudget('locals of all functions', this.#localsOfAll, start);
    const slots = type.params.length + locals.count;
    checkBudget('locals of one function', slots, start);
    const code = reader.pos;
    this.#reset(slots);
    this.#references = locals.references;
    this.#region = this.#edit(code, code, Edit.CHARGE, 0);
    this.#charge(code, prices.entry + (slots >>> prices.localsShift));
    this.#scan(reader, slots);
    this.#workOfAll += this.#work;
    checkBudget('control work of one function', this.#work, start);
    checkBudget('control work of all functions', this.#workOfAll, start);

    const { kind, value } = this.#edits;
    if (this.#calls) value[0] = (value[0] as number) + prices.countedEntry - prices.entry;
    if (this.#calls || this.#units > LEAF_UNITS) kind[0] = Edit.CHECK;
    const vectors = locals.vectors + type.params.filter((param) => param === 'v128').length;
    const frameBytes = frame.fixedBytes + (slots + vectors) * frame.slotBytes;
    return { start, code, end, type, slots, counted: this.#calls, handlers: this.#handlers, frameBytes, edits: this.#edits };
  }

  #reset(slots: number): void {
    const { at, end, kind, value } = this.#edits;
    at.length = end.length = kind.length = value.length = 0;
    this.#reachable = true;
    this.#unchecked = 0;
    this.#called = 0;
    this.#exits.length = 0;
    this.#work = 0;
    this.#slots = slots;
    this.#units = 0;
    this.#calls = false;
    this.#handlers = false;
  }

  #scan(reader: Reader, slots: number): void {
    this.#open(Op.BLOCK, reader.pos);
    while (this.#blocks.length > 0) {
      const at = reader.pos;
      const operator = readOperator(reader);
      this.#charge(at, priceAt[operator] as number);
      if (!this.#control(reader, at, operator)) this.#plain(reader, at, operator, slots);
    }
    if (!reader.done) reader.fail('a function body is longer than its code');
  }

  /** Structured control, branches and calls; false for every other operator. */
  #control(reader: Reader, at: number, operator: number): boolean {
    switch (operator) {
      case Op.BLOCK:
      case Op.TRY:
        this.#open(operator, at, this.#blockType(reader));
        return true;
      case Op.LOOP: {
        const arity = this.#blockType(reader);
        this.#closeRegion();
        this.#region = this.#edit(reader.pos, reader.pos, Edit.CHECK, prices.loop);
        this.#units += prices.loop;
        this.#open(operator, at, arity);
        return true;
      }
      case Op.IF: {
        const arity = this.#blockType(reader);
        this.#closeRegion();
        this.#open(operator, at, arity);
        return true;
      }
      case Op.ELSE:
        this.#else(reader);
        return true;
      case Op.TRY_TABLE:
        this.#tryTable(reader, at);
        return true;
      case Op.CATCH:
      case Op.CATCH_ALL:
        if (operator === Op.CATCH) this.#index(reader, 'tag', this.#module.tags);
        this.#arm(this.#innermost(reader), ANYWHERE);
        this.#handlers = true;
        this.#edit(reader.pos, reader.pos, Edit.RESTORE);
        return true;
      case Op.DELEGATE:
        this.#label(reader);
        this.#end(reader, at);
        return true;
      case Op.END:
        this.#end(reader, at);
        return true;
      case Op.BR:
      case Op.RETHROW:
        this.#branch(this.#label(reader));
        this.#reachable = false;
        return true;
      case Op.BR_IF:
        this.#branch(this.#label(reader));
        return true;
      case Op.BR_TABLE:
        this.#branchTable(reader, at);
        return true;
      case Op.THROW:
        this.#index(reader, 'tag', this.#module.tags);
        this.#reachable = false;
        return true;
      case Op.UNREACHABLE:
      case Op.THROW_REF:
        this.#reachable = false;
        return true;
      case Op.RETURN:
        this.#edit(at, reader.pos, Edit.RETURN, this.#blocks.length - 1);
        this.#reachable = false;
        return true;
      case Op.CALL:
      case Op.CALL_INDIRECT:
        this.#callee(reader, operator === Op.CALL);
        return true;
      case Op.RETURN_CALL:
      case Op.RETURN_CALL_INDIRECT:
        this.#callee(reader, operator === Op.RETURN_CALL);
        this.#edit(at, at, Edit.LEAVE);
        this.#reachable = false;
        return true;
      default:
        return false;
    }
  }

  #plain(reader: Reader, at: number, operator: number, slots: number): void {
    const module = this.#module;
    const immediate = immediateAt[operator] as number;
    switch (immediate) {
      case Immediate.LOCAL:
        this.#index(reader, 'local', slots);
        return;
      case Immediate.GLOBAL:
        this.#index(reader, 'global', module.globals);
        return;
      case Immediate.FUNCTION:
        this.#index(reader, 'function', module.functionTypes.length);
        return;
      case Immediate.TABLE: {
        const table = this.#index(reader, 'table', module.tables.length);
        if (operator === Op.TABLE_GROW) this.#edit(at, reader.pos, Edit.GROW_TABLE, table);
        else if (operator === Op.TABLE_FILL) this.#edit(at, at, Edit.BULK, Bulk.TABLE);
        return;
      }
      case Immediate.ELEMENT_AND_TABLE:
      case Immediate.TWO_TABLES:
        if (immediate === Immediate.TWO_TABLES) this.#index(reader, 'table', module.tables.length);
        else reader.u32();
        this.#index(reader, 'table', module.tables.length);
        this.#edit(at, at, Edit.BULK, Bulk.TABLE);
        return;
      case Immediate.MEMORY: {
        const memory = this.#index(reader, 'memory', module.memories.length);
        if (operator === Op.MEMORY_GROW) this.#edit(at, reader.pos, Edit.GROW_MEMORY, memory);
        else if (operator === Op.MEMORY_FILL) this.#edit(at, at, Edit.BULK, Bulk.MEMORY);
        return;
      }
      default:
        if (operator === Op.MEMORY_COPY || operator === Op.MEMORY_INIT) this.#edit(at, at, Edit.BULK, Bulk.MEMORY);
        skipImmediate(reader, immediate);
    }
  }

  #callee(reader: Reader, direct: boolean): void {
    const module = this.#module;
    let type: number;
    if (direct) {
      type = module.functionTypes[this.#index(reader, 'function', module.functionTypes.length)] as number;
    } else {
      type = this.#index(reader, 'type', module.types.length);
      this.#index(reader, 'table', module.tables.length);
    }
    // A call moves each value several times, and writes down where each reference is.
    this.#work += 4 * arityOf(module.types[type] as FunctionType) + this.#references;
    this.#calls = true;
    this.#called += LEAF_UNITS;
    if (this.#unchecked + this.#called > UNCHECKED_UNITS) this.#closeRegion();
  }

  #tryTable(reader: Reader, at: number): void {
    const arity = this.#blockType(reader);
    this.#handlers = true;
    for (let catches = reader.count('catch clauses'); catches > 0; catches--) {
      const kind = reader.u8();
      if (kind > 3) reader.fail('unknown kind of catch clause', reader.pos - 1);
      if (kind < 2) this.#index(reader, 'tag', this.#module.tags);
      const target = this.#label(reader);
      target.targeted = target.handler = true;
      target.joined = ANYWHERE;
      if (target.kind === Op.LOOP) this.#edits.kind[target.check] = Edit.RESTORE_AND_CHECK;
    }
    this.#open(Op.BLOCK, at, arity);
  }

  // The other arm of an `if` starts as the first one did.
  #else(reader: Reader): void {
    const block = this.#innermost(reader);
    this.#arm(block, block.opened);
    block.kind = Op.ELSE;
  }

  // One more way through a block, besides what fell through or branched to its end so far.
  #arm(block: Block, unchecked: number): void {
    this.#closeRegion();
    if (this.#reachable) block.joined = Math.max(block.joined, this.#unchecked);
    this.#unchecked = unchecked;
    this.#reachable = block.reachable;
  }

  #branch(target: Block): void {
    target.targeted = true;
    this.#work += target.arity;
    if (!this.#reachable) return;
    if (this.#region === NONE) target.joined = Math.max(target.joined, this.#unchecked);
    else this.#exits.push(target);
  }

  #branchTable(reader: Reader, at: number): void {
    const labels = reader.count('labels') + 1;
    this.#labelsOfAll += labels;
    checkBudget('br_table labels', this.#labelsOfAll, at);
    for (let label = 0; label < labels; label++) this.#branch(this.#label(reader));
    this.#reachable = false;
  }

  #end(reader: Reader, at: number): void {
    const block = this.#blocks.pop() as Block;
    if (this.#blocks.length === 0) {
      this.#closeRegion();
      this.#edit(at, at, Edit.FINISH);
    } else if (block.kind === Op.LOOP) {
      this.#closeRegion();
    } else if (block.kind !== Op.BLOCK || block.targeted) {
      this.#closeRegion();
      const skipped = block.kind === Op.IF ? block.opened : 0;
      this.#unchecked = Math.max(this.#reachable ? this.#unchecked : 0, block.joined, skipped);
      this.#reachable = block.reachable;
      if (block.handler) this.#edit(reader.pos, reader.pos, Edit.RESTORE);
    }
  }

  #open(kind: number, at: number, arity = 0): void {
    this.#blocks.push({
      kind,
      arity,
      targeted: false,
      handler: false,
      reachable: this.#reachable,
      check: this.#region,
      opened: this.#unchecked,
      joined: 0,
    });
    // The engine's compilers keep a copy of all locals for each block that control can come to in more than one way.
    this.#work += arity + (kind === Op.BLOCK ? 0 : this.#slots);
    checkBudget('nested blocks', this.#blocks.length, at);
  }

  #innermost(reader: Reader): Block {
    return this.#blocks[this.#blocks.length - 1] ?? reader.fail('no block is open');
  }

  #label(reader: Reader): Block {
    const at = reader.pos;
    const depth = reader.u32();
    return this.#blocks[this.#blocks.length - 1 - depth] ?? reader.fail(`label ${depth} does not exist`, at);
  }

  #index(reader: Reader, what: string, count: number): number {
    const at = reader.pos;
    const index = reader.u32();
    if (index >= count) reader.fail(`${what} ${index} does not exist`, at);
    return index;
  }

  /** The number of values that a block takes and gives. */
  #blockType(reader: Reader): number {
    const at = reader.pos;
    const index = readBlockType(reader);
    if (index === undefined) return 1;
    const type = this.#module.types[index] ?? reader.fail(`type ${index} does not exist`, at);
    return arityOf(type);
  }

  // Charged before the first instruction of the region has an effect, and for all of it: a branch that leaves early was overcharged.
  #charge(at: number, units: number): void {
    if (units === 0 || !this.#reachable) return;
    if (this.#region === NONE) this.#region = this.#edit(at, at, this.#unchecked > UNCHECKED_UNITS ? Edit.CHECK : Edit.CHARGE, 0);
    this.#edits.value[this.#region] = (this.#edits.value[this.#region] as number) + units;
    this.#units += units;
  }

  #closeRegion(): void {
    const region = this.#region;
    if (region === NONE) return;
    const units = this.#edits.value[region] as number;
    if (units > LARGE_REGION_UNITS && this.#edits.kind[region] === Edit.CHARGE) this.#edits.kind[region] = Edit.CHECK;
    // What a check stands before is paid; what small functions charge that the region calls is not.
    this.#unchecked = this.#called + (this.#edits.kind[region] === Edit.CHARGE ? this.#unchecked + units : 0);
    this.#called = 0;
    this.#region = NONE;
    // All of the region was charged at its start, also for those who left it early.
    for (const target of this.#exits) target.joined = Math.max(target.joined, this.#unchecked);
    this.#exits.length = 0;
  }

  #edit(at: number, end: number, kind: number, value = 0): number {
    if (kind === Edit.CHECK) this.#work += this.#slots;
    this.#edits.at.push(at);
    this.#edits.end.push(end);
    this.#edits.kind.push(kind);
    return this.#edits.value.push(value) - 1;
  }
}

function arityOf({ params, results }: FunctionType): number {
  return params.length + results.length;
}
