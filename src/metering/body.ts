// Writes one function body anew: copies its bytes in spans, with what the edits say in between.
import { GloveportError } from '../errors.ts';
import { budgets } from '../wasm/budgets.ts';
import type { CoreModule, DefinedFunctionType } from '../wasm/module.ts';
import { Reader } from '../wasm/reader.ts';
import type { Writer } from '../wasm/writer.ts';
import { type BranchHint, BranchHints } from '../wasm/branch-hints.ts';
import { Attribution, SLOT_BYTES } from './attribution.ts';
import type { FunctionPlans } from './call-graph.ts';
import { Edit, NO_EDIT } from './edits.ts';
import { Helper, type Helpers } from './helpers.ts';
import { BodyHints } from './hints.ts';
import { type Layout, ONE_CALL, STACK_SPENT } from './layout.ts';
import { Op, Type } from './opcodes.ts';
import { type ScannedCode, Trait } from './scanned.ts';
import type { TraceWriter } from './trace.ts';

const NO_LOCAL = -1;

/** Where the counter is while a function runs. */
const Counter = Object.freeze({
  /** In its global only. */
  GLOBAL: 0,
  /** In a local, and in the global before anything that looks at it there. */
  LOCAL: 1,
  /** In both: control can come to a handler with the counter as a callee left it. */
  BOTH: 2,
});

export class BodyWriter {
  readonly #module: CoreModule;
  readonly #code: ScannedCode;
  readonly #plans: FunctionPlans;
  readonly #layout: Layout;
  readonly #helpers: Helpers;
  readonly #trace: TraceWriter;
  /** The branch hints of the body at hand. */
  readonly hints = new BodyHints();
  readonly #ownHints: BranchHints;
  /** Of modules with a profile. */
  readonly #attribution: Attribution | undefined;
  /** Hints of the original body that its copied part has not come to. */
  #pending: readonly BranchHint[] = [];
  #nextHint = 0;
  #start = 0;
  #out!: Writer;
  /** How far the original has been copied. */
  #from = 0;
  #counter: number = Counter.GLOBAL;
  /** The local that holds the counter. */
  #fuel = NO_LOCAL;
  /** The local that holds the stack counter, for handlers: control comes to them with the count of a callee's frames in it. */
  #saved = NO_LOCAL;
  #frame = 0n;

  constructor(module: CoreModule, code: ScannedCode, plans: FunctionPlans, layout: Layout, helpers: Helpers, trace: TraceWriter) {
    this.#module = module;
    this.#code = code;
    this.#plans = plans;
    this.#layout = layout;
    this.#helpers = helpers;
    this.#trace = trace;
    this.#ownHints = new BranchHints(module);
    if (layout.profile !== undefined) this.#attribution = new Attribution(module, code, plans, layout.profile);
  }

  /** Writes the body of the defined function `index` to `out`, which is empty, without its size. */
  write(index: number, out: Writer): void {
    const { bodies } = this.#module;
    this.#out = out;
    this.#start = bodies[2 * index] as number;
    this.#from = this.#start;
    this.hints.clear();
    this.#pending = this.#ownHints.of(this.#module.importedFunctions + index);
    this.#nextHint = 0;
    const end = bodies[2 * index + 1] as number;
    this.#attribution?.begin(index);
    if (this.#plans.prepaid[index]) this.#copy(end);
    else this.#metered(index, end);
  }

  #metered(index: number, end: number): void {
    const { code: starts, slots, frameBytes, firstEdit } = this.#code;
    const traits = this.#code.traits[index] as number;
    const handles = (traits & Trait.HANDLERS) !== 0;
    const counted = this.#plans.counted[index] !== 0;
    const late = counted && (traits & Trait.ENTERS_LATE) !== 0;
    const whole = counted && !late;
    this.#counter = !this.#isCached(index, traits) ? Counter.GLOBAL : handles ? Counter.BOTH : Counter.LOCAL;
    const cached = this.#counter !== Counter.GLOBAL;
    this.#fuel = cached ? (slots[index] as number) : NO_LOCAL;
    this.#saved = handles ? (slots[index] as number) + (cached ? 1 : 0) : NO_LOCAL;
    this.#frame = ONE_CALL + BigInt(frameBytes[index] as number);

    this.#locals(starts[index] as number);
    // What has to happen on the way out happens behind a block around it all, which branches out of the function then lead to.
    const wrapped = whole || ((cached || handles) && (traits & Trait.LEAVES) !== 0);
    if (wrapped) this.#wrap(index);
    const first = firstEdit[index] as number;
    const last = firstEdit[index + 1] as number;
    this.#enterFunction(first, whole, this.#plans.checked[index] !== 0 || this.#code.edits.kind[first] === Edit.CHECK);
    for (let edit = first + 1; edit < last; edit++) this.#edit(edit, whole, late, wrapped);
    this.#copy(end);
  }

  // A local for the counter pays where loops run without calls, and where there is more to charge than there are calls, each of which needs it stored and read.
  #isCached(index: number, traits: number): boolean {
    if (traits & Trait.SPLITS) return true;
    if ((traits & Trait.LOOPS) === 0) return false;
    const { kind, link } = this.#code.edits;
    const end = this.#code.firstEdit[index + 1] as number;
    let balance = 0;
    for (let edit = this.#code.firstEdit[index] as number; edit < end; edit++) {
      const what = kind[edit] as number;
      if (what === Edit.CHARGE || what === Edit.CHECK || what === Edit.LOOP) balance++;
      else if (what === Edit.CALL && link[edit] !== NO_EDIT) balance -= 2;
    }
    return balance >= 0;
  }

  #edit(edit: number, whole: boolean, late: boolean, wrapped: boolean): void {
    const { at, cut, kind, value, link } = this.#code.edits;
    const here = at[edit] as number;
    const operand = value[edit] as number;
    switch (kind[edit]) {
      case Edit.NONE:
        return;
      case Edit.CHARGE:
        this.#copy(here);
        this.#charge(edit);
        return;
      case Edit.CHECK:
        this.#copy(here);
        this.#charge(edit);
        this.#check();
        return;
      case Edit.LOOP: {
        this.#copy(here);
        const before = link[edit] as number;
        if (cut[before] !== 0) this.#reload(true);
        if (kind[before] === Edit.SPLIT) this.#leaveWhenSpent();
        this.#charge(edit);
        if (kind[before] !== Edit.SPLIT) this.#check();
        return;
      }
      case Edit.SPLIT:
        this.#copy(here);
        this.#out.span(this.#module.bytes, here, here + operand);
        this.#check();
        return;
      case Edit.LOOP_END:
        this.#copy(here);
        this.#out.u8(Op.END);
        return;
      case Edit.LABEL:
        if (!this.#isSplit(edit)) return;
        this.#replace(here, cut[edit] as number);
        this.#out.u32(operand + 1);
        return;
      case Edit.CALL:
        if (operand < 0) this.#mark(here);
        if (this.#counter === Counter.GLOBAL || (operand >= 0 && this.#plans.prepaid[operand - this.#module.importedFunctions])) return;
        this.#copy(here);
        this.#flush();
        this.#copy(here + (cut[edit] as number));
        this.#reload(false);
        return;
      case Edit.TAIL_CALL:
        this.#copy(here);
        this.#flush();
        if (operand < 0) this.#mark(here);
        if (whole) this.#leave();
        return;
      case Edit.RETURN:
        if (wrapped) {
          this.#replace(here, cut[edit] as number);
          this.#op(Op.BR, operand + (this.#isSplit(edit) ? 1 : 0));
        } else {
          this.#copy(here);
          this.#flush();
        }
        return;
      case Edit.FINISH:
        this.#copy(here);
        if (wrapped) this.#out.u8(Op.END);
        this.#flush();
        if (whole) this.#leave();
        else this.#restore();
        return;
      case Edit.HANDLER:
        this.#copy(here);
        this.#reload(true);
        return;
      case Edit.THROW:
        this.#copy(here);
        this.#flush();
        if (operand > 0 && this.#code.countsExceptions) this.#allocate(operand);
        return;
      case Edit.ENTER:
        if (!late) return;
        this.#copy(here);
        this.#enter();
        return;
      case Edit.LEAVE:
        if (!late) return;
        this.#copy(here);
        this.#leave();
        return;
      case Edit.ALLOCATE:
        this.#copy(here);
        this.#allocate(operand);
        return;
      case Edit.BULK:
        this.#copy(here);
        this.#passAddress();
        this.#ask(Helper.BULK, operand);
        return;
      case Edit.NEW_ARRAY:
        this.#copy(here);
        this.#passAddress();
        this.#ask(Helper.NEW_ARRAY, operand);
        return;
      case Edit.GROW_MEMORY:
        this.#mark(here);
        this.#replace(here, cut[edit] as number);
        this.#ask(Helper.GROW_MEMORY, operand);
        return;
      case Edit.GROW_TABLE:
        this.#mark(here);
        this.#replace(here, cut[edit] as number);
        this.#ask(Helper.GROW_TABLE, operand);
        return;
      case Edit.WAIT:
        this.#copy(here);
        this.#flush();
        this.#call(Helper.BEFORE_WAIT, 0);
        this.#copy(here + (cut[edit] as number));
        this.#trace.stay();
        this.#ask(Helper.AFTER_WAIT, 0);
    }
  }

  /** Whether the loop that an edit is linked to was split. */
  #isSplit(edit: number): boolean {
    const { kind, link } = this.#code.edits;
    const loop = link[edit] as number;
    return loop >= 0 && kind[loop] === Edit.SPLIT;
  }

  // Copies the original up to `to`.
  #copy(to: number): void {
    if (this.#nextHint < this.#pending.length) this.#moveHints(to);
    this.#trace.span(this.#from, to, this.#out.length);
    this.#out.span(this.#module.bytes, this.#from, to);
    this.#from = to;
  }

  #moveHints(to: number): void {
    for (let hint = this.#pending[this.#nextHint]; hint !== undefined && this.#start + hint.offset < to; hint = this.#pending[++this.#nextHint]) {
      const within = this.#start + hint.offset - this.#from;
      if (within >= 0) this.hints.add(this.#out.length + within, hint.taken);
    }
  }

  #replace(at: number, length: number): void {
    this.#copy(at);
    this.#from = at + length;
  }

  #locals(code: number): void {
    const { bytes } = this.#module;
    const fuel = this.#fuel === NO_LOCAL ? 0 : 1;
    const saved = this.#saved === NO_LOCAL ? 0 : 1;
    if (fuel + saved > 0) {
      const reader = new Reader(bytes, this.#from, code);
      this.#out.u32(reader.u32() + fuel + saved);
      this.#from = reader.pos;
    }
    this.#copy(code);
    if (fuel) this.#out.append([1, Type.I32]);
    if (saved) this.#out.append([1, Type.I64]);
  }

  #wrap(index: number): void {
    const { functionTypes, importedFunctions, types } = this.#module;
    const { results } = types[functionTypes[importedFunctions + index] as number] as DefinedFunctionType;
    this.#out.u8(Op.BLOCK);
    this.#out.s32(this.#helpers.blockType(results));
  }

  #enterFunction(edit: number, counts: boolean, checks: boolean): void {
    this.#op(Op.GLOBAL_GET, this.#layout.counter);
    this.#deduct(edit);
    if (counts) this.#enter();
    else if (checks) this.#check();
    if (counts || this.#saved === NO_LOCAL) return;
    this.#op(Op.GLOBAL_GET, this.#layout.stack);
    this.#op(Op.LOCAL_SET, this.#saved);
  }

  #charge(edit: number): void {
    this.#readCounter();
    this.#deduct(edit);
  }

  #readCounter(): void {
    if (this.#counter === Counter.GLOBAL) this.#op(Op.GLOBAL_GET, this.#layout.counter);
    else this.#op(Op.LOCAL_GET, this.#fuel);
  }

  // Takes the counter, which is on the stack, and puts it back where it belongs, less what the region of `edit` costs.
  #deduct(edit: number): void {
    this.#out.u8(Op.I32_CONST);
    this.#out.s32(this.#code.edits.value[edit] as number);
    this.#out.u8(Op.I32_SUB);
    if (this.#counter === Counter.LOCAL) this.#op(Op.LOCAL_SET, this.#fuel);
    else {
      if (this.#counter === Counter.BOTH) this.#op(Op.LOCAL_TEE, this.#fuel);
      this.#op(Op.GLOBAL_SET, this.#layout.counter);
    }
    this.#attribution?.write(edit, this.#out);
  }

  // Says, for a profile, who makes the host charge for what stands at `here`.
  #mark(here: number): void {
    if (this.#attribution === undefined) return;
    this.#copy(here);
    this.#out.u8(Op.I32_CONST);
    this.#out.s32(this.#attribution.function);
    this.#call(Helper.MARK, 0);
  }

  // The last parameter of helpers that charge, in a module with a profile.
  #passAddress(): void {
    if (this.#attribution === undefined) return;
    this.#out.u8(Op.I32_CONST);
    this.#out.s32(this.#attribution.function * SLOT_BYTES);
  }

  // Puts 1 on the stack when units are owed.
  #isSpent(): void {
    this.#readCounter();
    this.#out.append(LESS_THAN_ZERO);
  }

  #check(): void {
    this.#isSpent();
    this.#ifUnlikely();
    this.#askForFuel(Helper.SLOW_PATH);
  }

  // In a split loop: back to the loop around it, which asks.
  #leaveWhenSpent(): void {
    this.#isSpent();
    this.hints.add(this.#out.length, false);
    this.#op(Op.BR_IF, 1);
  }

  #ifUnlikely(): void {
    this.hints.add(this.#out.length, false);
    this.#out.u8(Op.IF);
    this.#out.u8(Type.EMPTY_BLOCK);
  }

  // Ends the `if` that it stands in.
  #askForFuel(helper: number): void {
    this.#flush();
    this.#call(helper, 0);
    if (this.#counter === Counter.GLOBAL) this.#out.u8(Op.DROP);
    else this.#op(Op.LOCAL_SET, this.#fuel);
    this.#out.u8(Op.END);
  }

  #flush(): void {
    if (this.#counter !== Counter.LOCAL) return;
    this.#op(Op.LOCAL_GET, this.#fuel);
    this.#op(Op.GLOBAL_SET, this.#layout.counter);
  }

  #reload(handler: boolean): void {
    if (this.#counter !== Counter.GLOBAL) {
      this.#op(Op.GLOBAL_GET, this.#layout.counter);
      this.#op(Op.LOCAL_SET, this.#fuel);
    }
    if (handler) this.#restore();
  }

  // Calls a helper that charges.
  #ask(helper: number, operand: number): void {
    this.#flush();
    this.#call(helper, operand);
    this.#reload(false);
  }

  #allocate(bytes: number): void {
    this.#out.u8(Op.I32_CONST);
    this.#out.s32(bytes);
    this.#call(Helper.ALLOCATE, 0);
  }

  // Counts the frame, and looks at both counters at once.
  #enter(): void {
    this.#moveStack(Op.I64_SUB);
    if (this.#saved !== NO_LOCAL) {
      this.#op(Op.GLOBAL_GET, this.#layout.stack);
      this.#op(Op.LOCAL_SET, this.#saved);
    }
    this.#readCounter();
    this.#out.u8(Op.I64_EXTEND_I32_S);
    this.#op(Op.GLOBAL_GET, this.#layout.stack);
    this.#out.u8(Op.I64_OR);
    this.#out.u8(Op.I64_CONST);
    this.#out.s64(STACK_SPENT);
    this.#out.append([Op.I64_AND, Op.I64_EQZ, Op.I32_EQZ]);
    this.#ifUnlikely();
    this.#askForFuel(Helper.ENTER);
  }

  #leave(): void {
    this.#restore();
    this.#moveStack(Op.I64_ADD);
  }

  #moveStack(operator: number): void {
    this.#op(Op.GLOBAL_GET, this.#layout.stack);
    this.#out.u8(Op.I64_CONST);
    this.#out.s64(this.#frame);
    this.#out.u8(operator);
    this.#op(Op.GLOBAL_SET, this.#layout.stack);
  }

  // Takes off the stack counter what an exception unwound.
  #restore(): void {
    if (this.#saved === NO_LOCAL) return;
    this.#op(Op.LOCAL_GET, this.#saved);
    this.#op(Op.GLOBAL_SET, this.#layout.stack);
  }

  #call(helper: number, operand: number): void {
    this.#op(Op.CALL, this.#helpers.index(helper, operand));
  }

  #op(operator: number, index: number): void {
    this.#out.u8(operator);
    this.#out.u32(index);
  }
}

const LESS_THAN_ZERO = [Op.I32_CONST, 0, Op.I32_LT_S];

/** @throws GloveportError MODULE_TOO_LARGE when a body that the engine accepts has become one that it does not. */
export function checkGrown(index: number, before: number, after: number): void {
  const maximum = budgets['bytes of one function'];
  if (after <= maximum) return;
  throw new GloveportError(
    'MODULE_TOO_LARGE',
    `function ${index} is too large to be metered: it would grow from ${before} to ${after} bytes, over ${maximum}`,
    {
      limit: 'bytes of one function',
      value: after,
      maximum,
      function: index,
    },
  );
}
