// Reads the function bodies of a module and decides where charges, checks and requests go: a flat list of edits, and a few facts about each function
// for `call-graph.ts`, which decides the rest. A region is what is charged by one deduction, before its first instruction has an effect: it runs on
// through conditional branches and through blocks that no branch leaves, and ends where control can come from elsewhere.
import { checkBudget } from '../wasm/budgets.ts';
import { immediateAt, priceAt, readBlockType, readCastBranch, readIndex, readLocals, readOperator, readTypeOf, skipImmediate } from '../wasm/code.ts';
import type { CoreModule, DefinedFunctionType } from '../wasm/module.ts';
import { Immediate } from '../wasm/operators.ts';
import { Reader } from '../wasm/reader.ts';
import type { FunctionType } from '../wasm/types.ts';
import { Block } from './block.ts';
import { Edit, Edits, NO_EDIT } from './edits.ts';
import { CONTROL_OPERATORS, Op } from './opcodes.ts';
import { EXCEPTION_BYTES, EXCEPTION_VALUE_BYTES, frame, prices, UNCHECKED_UNITS } from './prices.ts';
import { Regions } from './regions.ts';
import { type ScannedCode, Trait } from './scanned.ts';
import { isSized, readSized, type SizedWork } from './sized.ts';

/** Scans all bodies of `module`. @throws GloveportError as `meter` does. */
export function scanCode(module: CoreModule, countExceptions: boolean): ScannedCode {
  const scanned = new BodyScanner(module).scan();
  // What crosses from one module to another may be kept by the other.
  const shared = module.imports.some(({ kind }) => kind === 'tag') || module.exports.some(({ kind }) => kind === 'tag');
  scanned.countsExceptions = countExceptions || scanned.keepsExceptions || shared;
  return scanned;
}

// Kinds of catch clauses that give the exception itself.
const CATCH_REF = 1;
const CATCH_ALL_REF = 3;

// How often the engine's compilers move each value of a call, or of an exception.
const MOVES = 4;
/** They look at all locals for each branch and label, 2^4 of them in the time of a copy. */
const LABEL_SHIFT = 4;
/** What they do for each clause of a handler. */
const CLAUSE_WORK = 64;

/** An array's elements are made by a loop or a call of the engine's own from some size on. */
const WIDEST_OBJECT_WORK = 20_000;
/** What they do for an array whose length they do not know; more than linear in the number of such. */
const NEW_ARRAY_WORK = 2_000;

const CONTROL = new Uint8Array(immediateAt.length);
for (const operator of CONTROL_OPERATORS) CONTROL[operator] = 1;

// Units since the last check where control can come from any place in a block: more than any path may have without one.
const ANYWHERE = UNCHECKED_UNITS + 1;

/** How far a body has come with the place where its frame begins to count. */
const Entry = Object.freeze({ AHEAD: 0, INSIDE: 1, BEHIND: 2, WHOLE: 3 });

class BodyScanner {
  readonly #module: CoreModule;
  readonly #edits = new Edits();
  readonly #blocks: Block[] = [];
  #depth = 0;
  /** The depth of the innermost loop that is open. */
  #loop = -1;
  #localsOfAll = 0;
  #labelsOfAll = 0;
  #reachable = true;
  readonly #regions = new Regions(this.#edits);
  /** What the engine's compilers do for this body beyond one step for each operator: see the budget 'control work of one function'. */
  #work = 0;
  #workOfAll = 0;
  #entry: number = Entry.AHEAD;
  /** The depth of the block at whose end the frame stops counting. */
  #entryDepth = 0;
  /** The edit before the outermost loop that is open. */
  #outermost: number = NO_EDIT;
  #outermostDepth = 0;
  #slots = 0;
  #references = 0;
  #units = 0;
  #traits = 0;
  #keepsExceptions = false;
  /** The last i32.const, and where it ended. */
  #lastConstant = 0;
  #constantEnd = 0;

  constructor(module: CoreModule) {
    this.#module = module;
  }

  scan(): ScannedCode {
    const { bodies, importedFunctions } = this.#module;
    const count = bodies.length / 2;
    const scanned: ScannedCode = {
      edits: this.#edits,
      firstEdit: new Int32Array(count + 1),
      code: new Int32Array(count),
      slots: new Int32Array(count),
      traits: new Uint8Array(count),
      units: new Float64Array(count),
      frameBytes: new Int32Array(count),
      keepsExceptions: false,
      countsExceptions: false,
    };
    for (let index = 0; index < count; index++) {
      scanned.firstEdit[index] = this.#edits.length;
      this.#body(importedFunctions + index, bodies[2 * index] as number, bodies[2 * index + 1] as number, index, scanned);
    }
    scanned.firstEdit[count] = this.#edits.length;
    scanned.keepsExceptions = this.#keepsExceptions;
    return scanned;
  }

  #body(index: number, start: number, end: number, defined: number, scanned: ScannedCode): void {
    const type = this.#module.types[this.#module.functionTypes[index] as number] as DefinedFunctionType;
    const reader = new Reader(this.#module.bytes, start, end);
    const locals = readLocals(reader, this.#module.types);
    this.#localsOfAll += locals.count;
    checkBudget('locals of all functions', this.#localsOfAll, start);
    const slots = type.params.length + locals.count;
    checkBudget('locals of one function', slots, start);
    let vectors = locals.vectors;
    for (const param of type.params) if (param === 'v128') vectors++;
    this.#reset(slots, locals.references);
    this.#regions.begin(this.#edit(Edit.CHARGE, reader.pos));
    scanned.code[defined] = reader.pos;
    this.#charge(reader.pos, prices.entry + ((slots + vectors) >>> prices.localsShift));
    this.#scan(reader, slots, type.results.length);
    this.#work += this.#regions.checks * slots;
    this.#workOfAll += this.#work;
    checkBudget('control work of one function', this.#work, start);
    checkBudget('control work of all functions', this.#workOfAll, start);
    scanned.slots[defined] = slots;
    const late = (this.#entry === Entry.INSIDE || this.#entry === Entry.BEHIND) && (this.#traits & Trait.HANDLERS) === 0;
    scanned.traits[defined] = this.#traits | (late ? Trait.ENTERS_LATE : 0);
    scanned.units[defined] = this.#units;
    scanned.frameBytes[defined] = frame.fixedBytes + (slots + vectors) * frame.slotBytes;
  }

  #reset(slots: number, references: number): void {
    this.#depth = 0;
    this.#loop = -1;
    this.#reachable = true;
    this.#entry = Entry.AHEAD;
    this.#work = 0;
    this.#slots = slots;
    this.#references = references;
    this.#units = 0;
    this.#traits = 0;
  }

  #scan(reader: Reader, slots: number, results: number): void {
    this.#open(Op.BLOCK, reader.pos, results);
    while (this.#depth > 0) {
      const at = reader.pos;
      const operator = readOperator(reader);
      const price = priceAt[operator] as number;
      if (price !== 0 && operator !== Op.CATCH && operator !== Op.CATCH_ALL) this.#charge(at, price);
      const immediate = immediateAt[operator] as number;
      if (immediate === Immediate.LOCAL) readIndex(reader, 'local', slots);
      else if (immediate === Immediate.I32) this.#constant(reader);
      else if (CONTROL[operator] === 0) this.#plain(reader, at, operator, immediate);
      else this.#control(reader, at, operator);
    }
    if (!reader.done) reader.fail('a function body is longer than its code');
  }

  #constant(reader: Reader): void {
    this.#lastConstant = reader.s32() >>> 0;
    this.#constantEnd = reader.pos;
  }

  /** Structured control, branches and calls: the operators that {@link CONTROL} names. */
  #control(reader: Reader, at: number, operator: number): void {
    switch (operator) {
      case Op.BLOCK:
      case Op.TRY:
        this.#open(operator, at, this.#blockType(reader));
        return;
      case Op.LOOP:
        this.#openLoop(reader, at);
        return;
      case Op.IF: {
        const arity = this.#blockType(reader);
        const region = this.#regions.current;
        this.#closeRegion();
        this.#open(operator, at, arity, region);
        return;
      }
      case Op.ELSE: {
        // The other arm of an `if` starts as the first one did.
        const block = this.#innermost(reader);
        this.#leaveAtEnd(at);
        this.#arm(block, block.opened);
        block.kind = Op.ELSE;
        return;
      }
      case Op.TRY_TABLE:
        this.#tryTable(reader, at);
        return;
      case Op.CATCH:
      case Op.CATCH_ALL:
        this.#catch(reader, operator);
        return;
      case Op.DELEGATE:
        this.#delegate(reader);
        this.#end(reader, at);
        return;
      case Op.END:
        this.#end(reader, at);
        return;
      case Op.BR:
        this.#leaveByBranch(reader, at);
        this.#branch(this.#label(reader, false));
        this.#reachable = false;
        return;
      case Op.RETHROW:
        // Until then the engine keeps what was caught.
        this.#keepsExceptions = true;
        this.#throw(at, 0);
        this.#label(reader);
        return;
      case Op.BR_IF:
      case Op.BR_ON_NULL:
      case Op.BR_ON_NON_NULL:
        this.#branch(this.#label(reader));
        return;
      case Op.BR_ON_CAST:
      case Op.BR_ON_CAST_FAIL:
        this.#castBranch(reader);
        return;
      case Op.BR_TABLE:
        this.#branchTable(reader, at);
        return;
      case Op.THROW:
        this.#throw(at, this.#exceptionBytes(reader, at));
        return;
      case Op.THROW_REF:
        this.#throw(at, 0);
        return;
      case Op.UNREACHABLE:
        this.#reachable = false;
        return;
      case Op.RETURN:
        if (this.#entry === Entry.INSIDE && this.#reachable) this.#edit(Edit.LEAVE, at);
        this.#edit(Edit.RETURN, at, reader.pos - at, this.#depth - 1, this.#loopEdit());
        if (this.#reachable) this.#leave(-1);
        this.#reachable = false;
        return;
      case Op.CALL:
      case Op.CALL_INDIRECT:
      case Op.CALL_REF:
        this.#call(reader, at, operator, false);
        return;
      case Op.RETURN_CALL:
      case Op.RETURN_CALL_INDIRECT:
      case Op.RETURN_CALL_REF:
        this.#call(reader, at, operator, true);
        if (this.#reachable) this.#leave(-1);
        this.#reachable = false;
        return;
    }
  }

  #plain(reader: Reader, at: number, operator: number, immediate: number): void {
    if (isSized(operator)) this.#sized(at, reader, readSized(reader, operator, this.#module, this.#constantEnd === at ? this.#lastConstant : undefined));
    else skipImmediate(reader, immediate, this.#module);
  }

  #sized(at: number, reader: Reader, { edit, value, over, units }: SizedWork): void {
    // An object that is made whole is made field by field.
    if (edit === Edit.ALLOCATE) this.#work += Math.min(value >>> 3, WIDEST_OBJECT_WORK);
    if (edit === Edit.NEW_ARRAY) this.#work += NEW_ARRAY_WORK;
    this.#traits |= Trait.DYNAMIC;
    this.#keepWhole();
    this.#charge(at, units);
    this.#edit(edit, at, over ? reader.pos - at : 0, value);
  }

  #call(reader: Reader, at: number, operator: number, tail: boolean): void {
    const { functionTypes, types, tables, importedFunctions } = this.#module;
    let callee = -1;
    let type: FunctionType;
    if (operator === Op.CALL || operator === Op.RETURN_CALL) {
      callee = readIndex(reader, 'function', functionTypes.length);
      type = types[functionTypes[callee] as number] as DefinedFunctionType;
    } else {
      type = readTypeOf(reader, types, 'function');
      if (operator === Op.CALL_INDIRECT || operator === Op.RETURN_CALL_INDIRECT) readIndex(reader, 'table', tables.length);
    }
    const known = callee >= importedFunctions;
    if (!known) this.#traits |= Trait.CALLS_UNKNOWN;
    // A call moves each value several times, and writes down where each reference is.
    this.#work += MOVES * arityOf(type) + this.#references;
    this.#passValues(at, arityOf(type));
    if (this.#module.tags.length > 0) this.#charge(at, prices.unwinding);
    this.#keepWhole();
    if (this.#reachable) this.#enterBefore(at, tail);
    this.#edit(tail ? Edit.TAIL_CALL : Edit.CALL, at, tail ? 0 : reader.pos - at, known ? callee : -1, this.#reachable ? this.#regions.current : NO_EDIT);
    this.#regions.call();
  }

  // All calls have to stand between where the frame begins to count and where it stops.
  #enterBefore(at: number, tail: boolean): void {
    if (tail || this.#entry === Entry.BEHIND) this.#entry = Entry.WHOLE;
    if (this.#entry !== Entry.AHEAD) return;
    this.#entry = Entry.INSIDE;
    if (this.#loop < 0) {
      this.#entryDepth = this.#depth - 1;
      this.#edit(Edit.ENTER, at);
    } else if (this.#leftFrom(this.#outermostDepth + 1) <= this.#outermostDepth) {
      // A round that came to no call yet may be left behind one that did.
      this.#entry = Entry.WHOLE;
    } else {
      this.#entryDepth = this.#outermostDepth;
      this.#edits.kind[this.#outermost] = Edit.ENTER;
    }
  }

  /** The outermost depth that a branch out of the blocks from `depth` inwards has led to. */
  #leftFrom(depth: number): number {
    let exit = depth;
    for (let open = depth; open < this.#depth; open++) exit = Math.min(exit, (this.#blocks[open] as Block).exit);
    return exit;
  }

  #leaveAtEnd(at: number): void {
    if (this.#entry !== Entry.INSIDE || this.#depth - 1 !== this.#entryDepth) return;
    this.#entry = Entry.BEHIND;
    if (this.#reachable) this.#edit(Edit.LEAVE, at);
  }

  #leaveByBranch(reader: Reader, at: number): void {
    if (this.#entry !== Entry.INSIDE || !this.#reachable) return;
    const start = reader.pos;
    const depth = this.#depth - 1 - reader.u32();
    reader.pos = start;
    if (depth <= this.#entryDepth) this.#edit(Edit.LEAVE, at);
  }

  #openLoop(reader: Reader, at: number): void {
    const arity = this.#blockType(reader);
    const region = this.#regions.current;
    this.#closeRegion();
    this.#keepWhole();
    const before = this.#edit(Edit.NONE, at, 0, reader.pos - at);
    if (this.#loop < 0) {
      this.#outermost = before;
      this.#outermostDepth = this.#depth - 1;
    }
    this.#regions.beginWith(this.#edit(Edit.LOOP, reader.pos, 0, prices.loop, before));
    this.#work += this.#slots;
    this.#units += prices.loop;
    this.#traits |= Trait.LOOPS;
    const block = this.#open(Op.LOOP, at, arity, region);
    block.before = before;
    block.innermost = true;
    block.outerLoop = this.#loop;
    this.#loop = this.#depth - 1;
  }

  /** The innermost loop that is open holds a call, or another loop: it is not split. */
  #keepWhole(): void {
    if (this.#loop >= 0) (this.#blocks[this.#loop] as Block).innermost = false;
  }

  #loopEdit(): number {
    return this.#loop < 0 ? NO_EDIT : (this.#blocks[this.#loop] as Block).before;
  }

  // Legacy exceptions: the arm is charged where control comes to it, and the clause with what stands before the `try`.
  #catch(reader: Reader, operator: number): void {
    const block = this.#innermost(reader);
    if (operator === Op.CATCH) this.#work += MOVES * this.#tagType(reader).params.length;
    this.#regions.chargeBefore(block.region, prices.catchClause);
    this.#work += CLAUSE_WORK;
    this.#arm(block, ANYWHERE);
    this.#traits |= Trait.HANDLERS;
    this.#edit(Edit.HANDLER, reader.pos);
    this.#charge(reader.pos, priceAt[operator] as number);
  }

  #tagType(reader: Reader): DefinedFunctionType {
    const { tags, types } = this.#module;
    return types[tags[readIndex(reader, 'tag', tags.length)] as number] as DefinedFunctionType;
  }

  // What a function owes has to be stored before control leaves it, so it cannot be prepaid either.
  #throw(at: number, bytes: number): void {
    this.#traits |= Trait.DYNAMIC;
    this.#edit(Edit.THROW, at, 0, bytes);
    if (this.#reachable) this.#leave(-1);
    this.#reachable = false;
  }

  #exceptionBytes(reader: Reader, at: number): number {
    const { params } = this.#tagType(reader);
    this.#work += MOVES * params.length;
    this.#passValues(at, params.length);
    let bytes = EXCEPTION_BYTES;
    for (const type of params) bytes += EXCEPTION_VALUE_BYTES[type as keyof typeof EXCEPTION_VALUE_BYTES] ?? EXCEPTION_VALUE_BYTES.reference;
    return bytes;
  }

  #tryTable(reader: Reader, at: number): void {
    const arity = this.#blockType(reader);
    this.#traits |= Trait.HANDLERS;
    const clauses = reader.count('catch clauses');
    this.#charge(at, prices.catchClause * clauses);
    for (let clause = 0; clause < clauses; clause++) {
      const kind = reader.u8();
      if (kind > 3) reader.fail('unknown kind of catch clause', reader.pos - 1);
      if (kind < 2) this.#work += MOVES * this.#tagType(reader).params.length;
      if (kind === CATCH_REF || kind === CATCH_ALL_REF) this.#keepsExceptions = true;
      const target = this.#label(reader);
      this.#work += CLAUSE_WORK + target.arity;
      target.targeted = target.handler = true;
      if (target.kind === Op.LOOP) this.#edits.cut[target.before] = 1;
      target.joined = ANYWHERE;
    }
    this.#open(Op.BLOCK, at, arity);
  }

  // One more way through a block, besides what fell through or branched to its end so far.
  #arm(block: Block, unchecked: number): void {
    this.#closeRegion();
    if (this.#reachable) block.joined = Math.max(block.joined, this.#regions.unchecked);
    this.#regions.unchecked = unchecked;
    this.#reachable = block.reachable;
  }

  #branch(target: Block, moves = true): void {
    target.targeted = true;
    this.#work += target.arity + (this.#slots >>> LABEL_SHIFT);
    if (!this.#reachable) return;
    if (moves && target.arity > prices.freeValues) this.#chargeMore(target.arity);
    this.#regions.branch(target);
  }

  #branchTable(reader: Reader, at: number): void {
    const labels = reader.count('labels') + 1;
    this.#labelsOfAll += labels;
    checkBudget('br_table labels', this.#labelsOfAll, at);
    for (let label = 0; label < labels; label++) this.#branch(this.#label(reader), label === 0);
    this.#reachable = false;
  }

  #end(reader: Reader, at: number): void {
    const block = this.#innermost(reader);
    const whole = block.exit >= this.#depth - 1;
    this.#leaveAtEnd(at);
    this.#depth--;
    if (this.#depth === 0) {
      this.#closeRegion();
      this.#edit(Edit.FINISH, at);
      return;
    }
    this.#leave(block.exit);
    if (block.kind === Op.LOOP) {
      this.#closeRegion();
      this.#loop = block.outerLoop;
      if (block.innermost) {
        this.#edits.kind[block.before] = Edit.SPLIT;
        this.#traits |= Trait.SPLITS;
        this.#edit(Edit.LOOP_END, reader.pos);
      }
      if (whole && this.#reachable) this.#regions.resume(block.region);
    } else if (block.kind !== Op.BLOCK || block.targeted) {
      const same = block.kind === Op.BLOCK && this.#regions.current === block.region && block.region !== NO_EDIT;
      if (whole && same && !block.handler) {
        this.#reachable = block.reachable;
        return;
      }
      this.#closeRegion();
      const skipped = block.kind === Op.IF ? block.opened : 0;
      this.#regions.unchecked = Math.max(this.#reachable ? this.#regions.unchecked : 0, block.joined, skipped);
      const ends = this.#reachable || block.targeted || block.kind === Op.IF;
      this.#reachable = block.reachable;
      if (block.handler) this.#edit(Edit.HANDLER, reader.pos);
      else if (whole && ends) this.#regions.resume(block.region);
    }
  }

  #open(kind: number, at: number, arity: number, region: number = this.#regions.current): Block {
    let block = this.#blocks[this.#depth];
    if (block === undefined) {
      block = new Block();
      this.#blocks.push(block);
    }
    this.#depth++;
    block.kind = kind;
    block.arity = arity;
    block.targeted = false;
    block.handler = false;
    block.reachable = this.#reachable;
    block.opened = this.#regions.unchecked;
    block.joined = 0;
    block.before = NO_EDIT;
    block.innermost = false;
    block.exit = this.#depth - 1;
    block.region = region;
    // The engine's compilers keep a copy of all locals for each block that control can come to in more than one way.
    this.#work += arity + (kind === Op.BLOCK ? this.#slots >>> LABEL_SHIFT : this.#slots);
    checkBudget('nested blocks', this.#depth, at);
    return block;
  }

  // Its label is counted from outside of the `try` that it ends.
  #delegate(reader: Reader): void {
    this.#depth--;
    this.#label(reader);
    this.#depth++;
  }

  #innermost(reader: Reader): Block {
    return this.#depth > 0 ? (this.#blocks[this.#depth - 1] as Block) : reader.fail('no block is open');
  }

  #leave(depth: number): void {
    const block = this.#blocks[this.#depth - 1] as Block;
    if (depth < block.exit) block.exit = depth;
  }

  #label(reader: Reader, conditional = true): Block {
    const at = reader.pos;
    return this.#target(reader, reader.u32(), at, conditional);
  }

  // The label, which stands at `at` and is read, is edited when it leads out of a loop that is split.
  #target(reader: Reader, label: number, at: number, conditional: boolean): Block {
    const depth = this.#depth - 1 - label;
    if (depth < 0) reader.fail(`label ${label} does not exist`, at);
    if (depth === 0) this.#traits |= Trait.LEAVES;
    if (this.#reachable) this.#leave(depth);
    if (conditional && this.#entry === Entry.INSIDE && depth <= this.#entryDepth) this.#entry = Entry.WHOLE;
    if (depth < this.#loop && (this.#blocks[this.#loop] as Block).innermost) this.#edit(Edit.LABEL, at, lengthOf(reader, at), label, this.#loopEdit());
    return this.#blocks[depth] as Block;
  }

  // The label stands between the flags and the types.
  #castBranch(reader: Reader): void {
    const at = reader.pos + 1;
    this.#branch(this.#target(reader, readCastBranch(reader, this.#module.types), at, true));
  }

  /** The number of values that a block takes and gives. */
  #blockType(reader: Reader): number {
    const type = readBlockType(reader, this.#module.types);
    return type === undefined ? 1 : arityOf(type);
  }

  /** What is moved costs by the value, beyond the few that cost next to nothing. */
  #passValues(at: number, values: number): void {
    if (values > prices.freeValues) this.#charge(at, values);
  }

  #chargeMore(units: number): void {
    this.#regions.chargeMore(units);
    this.#units += units;
  }

  #closeRegion(): void {
    if (this.#regions.close()) this.#keepWhole();
  }

  #charge(at: number, units: number): void {
    if (!this.#reachable || units === 0) return;
    this.#regions.charge(at, units, this.#blocks[this.#depth - 1] as Block);
    this.#units += units;
  }

  #edit(kind: number, at: number, cut = 0, value = 0, link: number = NO_EDIT): number {
    return this.#edits.add(kind, at, cut, value, link);
  }
}

// Bytes of the number that stands at `at`.
function lengthOf(reader: Reader, at: number): number {
  let end = at;
  while ((reader.bytes[end++] as number) >= 0x80);
  return end - at;
}

function arityOf({ params, results }: FunctionType): number {
  return params.length + results.length;
}
