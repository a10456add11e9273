// Splices a plan into a copy of a function body, and writes the few sequences of code that metering inserts.
import { GloveportError } from '../errors.ts';
import { budgets } from '../wasm/budgets.ts';
import type { CoreModule } from '../wasm/module.ts';
import { Reader } from '../wasm/reader.ts';
import type { ValueType } from '../wasm/types.ts';
import type { Writer } from '../wasm/writer.ts';
import { Op, Type } from './opcodes.ts';
import { type BodyPlan, Bulk, Edit } from './plan.ts';

/** Where the rewritten module keeps what inserted code refers to. All of it stands behind the guest's own indices. */
export interface Layout {
  /** Global, i32: units left of the quantum. Code asks the host for more when it is negative. */
  readonly counter: number;
  /** Global, i64: calls left in the high half, bytes of stack left in the low half. */
  readonly stack: number;
  /** Functions: `[] → []`, asks the host for the next quantum and traps when it says stop. */
  readonly slowPath: number;
  /** `[] → []`, tells the host and traps. */
  readonly stackOverflow: number;
  /** `[i32] → [i32]`, charge for a length in bytes, in elements. */
  readonly bulkMemory: number;
  readonly bulkTable: number;
  /** The functions that grow memory 0 and table 0; those of the others follow. */
  readonly growMemory: number;
  readonly growTable: number;
  /** The block type without parameters and with `results`, as the signed number that it is in code. */
  blockType(results: readonly ValueType[]): number;
}

// One call, in the high half of the packed stack counter, and the bits that are set once one of its halves went below zero.
const ONE_CALL = 1n << 32n;
const STACK_SPENT = BigInt.asIntN(64, (1n << 63n) | (1n << 31n));
const NO_LOCAL = -1;

/** Appends the rewritten body to `out`, without its size. */
export function emitBody(module: CoreModule, plan: BodyPlan, layout: Layout, out: Writer): void {
  const { bytes } = module;
  const { at, end, kind, value } = plan.edits;
  const { counted } = plan;
  const cost = ONE_CALL + BigInt(plan.frameBytes);
  // Holds the stack counter as it was after entry, for the handlers: control comes to them with the count of a callee's frames in it.
  const saved = counted && plan.handlers ? plan.slots : NO_LOCAL;
  if (saved === NO_LOCAL) out.span(bytes, plan.start, plan.code);
  else emitLocalsAndOne(bytes, plan, out);
  if (counted) emitEnter(layout, cost, saved, out);
  if (counted) {
    out.u8(Op.BLOCK);
    out.s32(layout.blockType(plan.type.results));
  }
  let from = plan.code;
  for (let edit = 0; edit < at.length; edit++) {
    out.span(bytes, from, at[edit] as number);
    from = at[edit] as number;
    const operand = value[edit] as number;
    switch (kind[edit]) {
      case Edit.CHARGE:
        emitCharge(layout, operand, out);
        break;
      case Edit.RESTORE_AND_CHECK:
        emitRestore(layout, saved, out);
        emitCharge(layout, operand, out);
        emitCheck(layout, out);
        break;
      case Edit.CHECK:
        emitCharge(layout, operand, out);
        emitCheck(layout, out);
        break;
      case Edit.RESTORE:
        emitRestore(layout, saved, out);
        break;
      case Edit.BULK:
        emitCall(operand === Bulk.TABLE ? layout.bulkTable : layout.bulkMemory, out);
        break;
      case Edit.GROW_MEMORY:
        emitCall(layout.growMemory + operand, out);
        from = end[edit] as number;
        break;
      case Edit.GROW_TABLE:
        emitCall(layout.growTable + operand, out);
        from = end[edit] as number;
        break;
      case Edit.RETURN:
        if (!counted) break;
        out.u8(Op.BR);
        out.u32(operand);
        from = end[edit] as number;
        break;
      case Edit.LEAVE:
        emitLeave(layout, cost, saved, out);
        break;
      case Edit.FINISH:
        if (!counted) break;
        out.u8(Op.END);
        emitLeave(layout, cost, saved, out);
    }
  }
  out.span(bytes, from, plan.end);
}

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

// Deducts a fixed number of units from the counter.
function emitCharge(layout: Layout, units: number, out: Writer): void {
  out.u8(Op.GLOBAL_GET);
  out.u32(layout.counter);
  out.u8(Op.I32_CONST);
  out.s32(units);
  out.u8(Op.I32_SUB);
  out.u8(Op.GLOBAL_SET);
  out.u32(layout.counter);
}

/** Takes the slow path when the counter is negative. */
export function emitCheck(layout: Layout, out: Writer): void {
  out.u8(Op.GLOBAL_GET);
  out.u32(layout.counter);
  out.u8(Op.I32_CONST);
  out.s32(0);
  out.u8(Op.I32_LT_S);
  out.u8(Op.IF);
  out.u8(Type.EMPTY_BLOCK);
  emitCall(layout.slowPath, out);
  out.u8(Op.END);
}

function emitCall(index: number, out: Writer): void {
  out.u8(Op.CALL);
  out.u32(index);
}

function emitEnter(layout: Layout, cost: bigint, saved: number, out: Writer): void {
  emitStack(layout, Op.I64_SUB, cost, NO_LOCAL, out);
  out.u8(Op.GLOBAL_GET);
  out.u32(layout.stack);
  if (saved !== NO_LOCAL) {
    out.u8(Op.LOCAL_SET);
    out.u32(saved);
    out.u8(Op.LOCAL_GET);
    out.u32(saved);
  }
  out.u8(Op.I64_CONST);
  out.s64(STACK_SPENT);
  out.u8(Op.I64_AND);
  out.u8(Op.I64_EQZ);
  out.u8(Op.I32_EQZ);
  out.u8(Op.IF);
  out.u8(Type.EMPTY_BLOCK);
  emitCall(layout.stackOverflow, out);
  out.u8(Op.END);
}

function emitLeave(layout: Layout, cost: bigint, saved: number, out: Writer): void {
  emitStack(layout, Op.I64_ADD, cost, saved, out);
}

// The stack counter, or what was saved of it, plus or minus `cost` becomes the stack counter.
function emitStack(layout: Layout, operator: number, cost: bigint, saved: number, out: Writer): void {
  out.u8(saved === NO_LOCAL ? Op.GLOBAL_GET : Op.LOCAL_GET);
  out.u32(saved === NO_LOCAL ? layout.stack : saved);
  out.u8(Op.I64_CONST);
  out.s64(cost);
  out.u8(operator);
  out.u8(Op.GLOBAL_SET);
  out.u32(layout.stack);
}

function emitRestore(layout: Layout, saved: number, out: Writer): void {
  if (saved === NO_LOCAL) return;
  out.u8(Op.LOCAL_GET);
  out.u32(saved);
  out.u8(Op.GLOBAL_SET);
  out.u32(layout.stack);
}

// The declared locals and one i64 more, behind them all.
function emitLocalsAndOne(bytes: Uint8Array, plan: BodyPlan, out: Writer): void {
  const reader = new Reader(bytes, plan.start, plan.code);
  out.u32(reader.u32() + 1);
  out.span(bytes, reader.pos, plan.code);
  out.u32(1);
  out.u8(Type.I64);
}
