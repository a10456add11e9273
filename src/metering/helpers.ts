// The functions that metering appends to a module. They hold the only ways from the guest to the host's side of the counter: an indirect call through a
// table of two slots, which the host fills and which no index of the guest's can name. The host answers with a status, and the guest traps by itself,
// so that no handler of the guest's can catch it.
import type { CoreModule } from '../wasm/module.ts';
import { Writer } from '../wasm/writer.ts';
import { emitCheck, type Layout } from './body.ts';
import { Op, Type } from './opcodes.ts';
import { prices } from './prices.ts';

/** Slots of the appended table: `[i32 reason] → [i32 stop?]` and `[i32 kind, i32 delta] → [i32 Growth]`. */
export const Slot = Object.freeze({ SLOW_PATH: 0, GROW: 1, COUNT: 2 });
/** Why the slow path is taken. */
export const Reason = Object.freeze({ QUANTUM_SPENT: 0, STACK_SPENT: 1 });
/** What is to grow. */
export const GrowthKind = Object.freeze({ MEMORY: 0, TABLE: 1 });
/** The host's answer to a request to grow. */
export const Growth = Object.freeze({ REFUSED: 0, GRANTED: 1, STOP: 2 });

/** Type indices of the helpers, the slots included. */
export interface HelperTypes {
  /** `[] → []` */
  readonly nothing: number;
  /** `[i32] → [i32]` */
  readonly unary: number;
  /** `[i32 i32] → [i32]` */
  readonly binary: number;
  /** `[reference i32] → [i32]` for each table. */
  readonly growTable: readonly number[];
}

export interface Helper {
  readonly type: number;
  /** The body with its locals, without its size. */
  readonly body: Uint8Array;
}

/** The helpers in the order of their indices, which {@link Layout} counts on. `table` is the appended table. */
export function helperFunctions(module: CoreModule, layout: Layout, types: HelperTypes, table: number): Helper[] {
  return [
    { type: types.nothing, body: code(0, (out) => slowPath(out, types, table)) },
    { type: types.nothing, body: code(0, (out) => stackOverflow(out, types, table)) },
    { type: types.unary, body: code(0, (out) => bulkMemory(out, layout)) },
    { type: types.unary, body: code(0, (out) => bulkTable(out, layout)) },
    ...module.memories.map((_, index) => ({ type: types.unary, body: code(1, (out) => growMemory(out, types, table, index)) })),
    ...module.tables.map((_, index) => ({ type: types.growTable[index] as number, body: code(1, (out) => growTable(out, types, table, index)) })),
  ];
}

function slowPath(out: Writer, types: HelperTypes, table: number): void {
  constant(out, Reason.QUANTUM_SPENT);
  callSlot(out, Slot.SLOW_PATH, types.unary, table);
  trapIf(out);
}

function stackOverflow(out: Writer, types: HelperTypes, table: number): void {
  constant(out, Reason.STACK_SPENT);
  callSlot(out, Slot.SLOW_PATH, types.unary, table);
  out.append([Op.DROP, Op.UNREACHABLE]);
}

function bulkMemory(out: Writer, layout: Layout): void {
  emitChargeOf(out, layout, () => {
    local(out, Op.LOCAL_GET, 0);
    constant(out, prices.bulkMemoryShift);
    out.u8(Op.I32_SHR_U);
  });
}

// No table holds more than 2^24 elements, so a longer length traps at once and the charge need not fit a number of 32 bits beyond it.
function bulkTable(out: Writer, layout: Layout): void {
  const most = 1 << 24;
  emitChargeOf(out, layout, () => {
    local(out, Op.LOCAL_GET, 0);
    constant(out, most);
    local(out, Op.LOCAL_GET, 0);
    constant(out, most);
    out.append([Op.I32_LT_U, Op.SELECT]);
    constant(out, prices.bulkTableShift);
    out.u8(Op.I32_SHL);
  });
}

function growMemory(out: Writer, types: HelperTypes, table: number, memory: number): void {
  askToGrow(out, types, table, GrowthKind.MEMORY, 0, 1);
  local(out, Op.LOCAL_GET, 1);
  out.append([Op.IF, Type.I32]);
  local(out, Op.LOCAL_GET, 0);
  out.u8(Op.MEMORY_GROW);
  out.u32(memory);
  refusedElse(out);
}

function growTable(out: Writer, types: HelperTypes, table: number, index: number): void {
  askToGrow(out, types, table, GrowthKind.TABLE, 1, 2);
  local(out, Op.LOCAL_GET, 2);
  out.append([Op.IF, Type.I32]);
  local(out, Op.LOCAL_GET, 0);
  local(out, Op.LOCAL_GET, 1);
  out.append(TABLE_GROW);
  out.u32(index);
  refusedElse(out);
}

const TABLE_GROW = [0xfc, 0x0f];

// Asks the host whether local `delta` may be granted, traps when it says stop, and leaves the answer in local `answer`.
function askToGrow(out: Writer, types: HelperTypes, table: number, kind: number, delta: number, answer: number): void {
  constant(out, kind);
  local(out, Op.LOCAL_GET, delta);
  callSlot(out, Slot.GROW, types.binary, table);
  local(out, Op.LOCAL_SET, answer);
  local(out, Op.LOCAL_GET, answer);
  constant(out, Growth.STOP);
  out.u8(Op.I32_EQ);
  trapIf(out);
}

function refusedElse(out: Writer): void {
  out.u8(Op.ELSE);
  constant(out, -1);
  out.u8(Op.END);
}

// Deducts what `amount` leaves on the stack from the counter, checks, and gives parameter 0 back.
function emitChargeOf(out: Writer, layout: Layout, amount: () => void): void {
  out.u8(Op.GLOBAL_GET);
  out.u32(layout.counter);
  amount();
  out.append([Op.I32_SUB, Op.GLOBAL_SET]);
  out.u32(layout.counter);
  emitCheck(layout, out);
  local(out, Op.LOCAL_GET, 0);
}

function code(locals: 0 | 1, write: (out: Writer) => void): Uint8Array {
  const out = new Writer(64);
  out.append(locals === 0 ? [0] : [1, 1, Type.I32]);
  write(out);
  out.u8(Op.END);
  return out.view();
}

function constant(out: Writer, value: number): void {
  out.u8(Op.I32_CONST);
  out.s32(value);
}

function local(out: Writer, operator: number, index: number): void {
  out.u8(operator);
  out.u32(index);
}

function callSlot(out: Writer, slot: number, type: number, table: number): void {
  constant(out, slot);
  out.u8(Op.CALL_INDIRECT);
  out.u32(type);
  out.u32(table);
}

function trapIf(out: Writer): void {
  out.append([Op.IF, Type.EMPTY_BLOCK, Op.UNREACHABLE, Op.END]);
}
