// The functions that metering appends to a module, those that it needs. They hold the only ways from the guest to the host's side of the counter: an indirect
// call through a table of slots, which the host fills and which no index of the guest's can name. The host answers with a status, and the guest traps by
// itself, so that no handler of the guest's can catch it.
import type { CoreModule } from '../wasm/module.ts';
import { type ValueType, valueTypeCode, writeValueType } from '../wasm/types.ts';
import { Writer } from '../wasm/writer.ts';
import { addUnits } from './attribution.ts';
import { type Layout, STACK_SPENT } from './layout.ts';
import { Op, Type } from './opcodes.ts';
import { ARRAY_BYTES, prices } from './prices.ts';
import { Bulk } from './sized.ts';

/**
 * Slots of the appended table: `[i32 reason] → [i32 stop?]`, `[i32 kind, i32 amount] → [i32 Growth]`, `[i64 nanoseconds] → [i64 nanoseconds]`; behind them, in
 * modules with a profile, `[i32 function] → []`.
 */
export const Slot = Object.freeze({ SLOW_PATH: 0, GROW: 1, WAIT: 2, COUNT: 3, MARK: 3 });
/** Why the slow path is taken. */
export const Reason = Object.freeze({ QUANTUM_SPENT: 0, STACK_SPENT: 1, WAITED: 2 });
/** What is to grow; for the heap the amount is what is missing, in bytes, and the host sets the counter. */
export const GrowthKind = Object.freeze({ MEMORY: 0, TABLE: 1, HEAP: 2 });
/** The host's answer to a request to grow. */
export const Growth = Object.freeze({ REFUSED: 0, GRANTED: 1, STOP: 2 });

/** What a helper does; some are made once for each operand. */
export const Helper = Object.freeze({
  /** `[] → [i32]`: asks for the next quantum; gives the counter. */
  SLOW_PATH: 0,
  /** `[] → [i32]`: the same, or stops when the stack counter is what is spent. */
  ENTER: 1,
  /** `[length] → [length]`: charges for bulk work; the operand is a {@link Bulk}. With a profile, this and the next that charges take the address of the
   * function's units, an i32, too. */
  BULK: 2,
  /** `[i32 bytes] → []`: takes bytes of the collector's heap. */
  ALLOCATE: 3,
  /** `[i32 length] → [i32 length]`: the same for an array, whose elements have 2^operand bytes, and charges for it. */
  NEW_ARRAY: 4,
  /** `[delta] → [size]`: grows the memory that the operand names. */
  GROW_MEMORY: 5,
  /** `[reference delta] → [size]`: grows the table that the operand names. */
  GROW_TABLE: 6,
  /** `[i64 timeout] → [i64 timeout]`: no longer than the guest may still run. */
  BEFORE_WAIT: 7,
  /** `[i32 result] → [i32 result]`: stops the guest when it has waited to its end. */
  AFTER_WAIT: 8,
  /** `[i32 function] → []`: the function, counted from the first defined one, is about to call what may be the host. */
  MARK: 9,
});

interface Made {
  readonly type: number;
  readonly body: Writer;
}

/** The helpers of one module and the types that are appended for them, each made when it is first asked for. */
export class Helpers {
  readonly #module: CoreModule;
  readonly #layout: Layout;
  readonly #indices = new Map<number, number>();
  readonly #made: Made[] = [];
  readonly #types: (readonly [params: readonly ValueType[], results: readonly ValueType[]])[] = [];
  readonly #typeIndices = new Map<string, number>();

  constructor(module: CoreModule, layout: Layout) {
    this.#module = module;
    this.#layout = layout;
  }

  get count(): number {
    return this.#made.length;
  }

  get typeCount(): number {
    return this.#types.length;
  }

  /** Whether anything waits for other threads. */
  get waits(): boolean {
    return this.#indices.has(keyOf(Helper.BEFORE_WAIT, 0));
  }

  /** The index of a helper among all functions. */
  index(helper: number, operand: number): number {
    const key = keyOf(helper, operand);
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const made = this.#make(helper, operand);
    const index = this.#module.functionTypes.length + this.#made.push(made) - 1;
    this.#indices.set(key, index);
    return index;
  }

  /** The block type without parameters and with `results`, as the signed number that it is in code. */
  blockType(results: readonly ValueType[]): number {
    if (results.length === 0) return Type.EMPTY_BLOCK - 0x80;
    const code = results.length === 1 ? valueTypeCode(results[0] as ValueType) : undefined;
    return code === undefined ? this.#type([], results) : code - 0x80;
  }

  writeTypes(out: Writer): void {
    for (const lists of this.#types) {
      out.u8(0x60);
      for (const types of lists) {
        out.u32(types.length);
        for (const type of types) writeValueType(out, type);
      }
    }
  }

  writeTypeIndices(out: Writer): void {
    for (const { type } of this.#made) out.u32(type);
  }

  writeBodies(out: Writer): void {
    for (const { body } of this.#made) {
      out.u32(body.length);
      out.append(body.view());
    }
  }

  /** What helpers that charge take besides. */
  get #profiled(): readonly ValueType[] {
    return this.#layout.profile === undefined ? [] : ['i32'];
  }

  #type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    const index = this.#module.types.length + this.#types.push([params, results]) - 1;
    this.#typeIndices.set(key, index);
    return index;
  }

  #make(helper: number, operand: number): Made {
    switch (helper) {
      case Helper.SLOW_PATH:
        return this.#function([], ['i32'], [], (out) => this.#slowPath(out));
      case Helper.ENTER:
        return this.#function([], ['i32'], [], (out) => this.#enter(out));
      case Helper.BULK:
        return this.#bulk(operand);
      case Helper.ALLOCATE:
        return this.#function(['i32'], [], [], (out) => this.#allocate(out, () => local(out, Op.LOCAL_GET, 0)));
      case Helper.NEW_ARRAY:
        return this.#function(['i32', ...this.#profiled], ['i32'], [Type.I32], (out) => this.#newArray(out, operand));
      case Helper.GROW_MEMORY: {
        const size = this.#module.memories[operand]?.address64 ? 'i64' : 'i32';
        return this.#function([size], [size], [Type.I32], (out) => this.#grow(out, GrowthKind.MEMORY, size, 0, [Op.MEMORY_GROW], operand));
      }
      case Helper.GROW_TABLE: {
        const table = this.#module.tables[operand];
        const size = table?.address64 ? 'i64' : 'i32';
        const params = [table?.element ?? 'funcref', size] as const;
        return this.#function(params, [size], [Type.I32], (out) => this.#grow(out, GrowthKind.TABLE, size, 1, TABLE_GROW, operand));
      }
      case Helper.BEFORE_WAIT:
        return this.#function(['i64'], ['i64'], [], (out) => {
          local(out, Op.LOCAL_GET, 0);
          this.#callSlot(out, Slot.WAIT, ['i64'], ['i64']);
        });
      case Helper.MARK:
        return this.#function(['i32'], [], [], (out) => {
          local(out, Op.LOCAL_GET, 0);
          this.#callSlot(out, Slot.MARK, ['i32'], []);
        });
      default:
        return this.#function(['i32'], ['i32'], [], (out) => this.#afterWait(out));
    }
  }

  #function(params: readonly ValueType[], results: readonly ValueType[], locals: readonly number[], write: (out: Writer) => void): Made {
    const body = new Writer(64);
    body.u32(locals.length);
    for (const type of locals) body.append([1, type]);
    write(body);
    body.u8(Op.END);
    return { type: this.#type(params, results), body };
  }

  #slowPath(out: Writer): void {
    constant(out, Reason.QUANTUM_SPENT);
    this.#callSlot(out, Slot.SLOW_PATH, ['i32'], ['i32']);
    trapIf(out);
    global(out, Op.GLOBAL_GET, this.#layout.counter);
  }

  // Either counter may be what is spent.
  #enter(out: Writer): void {
    global(out, Op.GLOBAL_GET, this.#layout.stack);
    out.u8(Op.I64_CONST);
    out.s64(STACK_SPENT);
    out.append([Op.I64_AND, Op.I64_EQZ, Op.I32_EQZ, Op.IF, Type.EMPTY_BLOCK]);
    constant(out, Reason.STACK_SPENT);
    this.#callSlot(out, Slot.SLOW_PATH, ['i32'], ['i32']);
    out.append([Op.DROP, Op.UNREACHABLE, Op.END]);
    out.u8(Op.CALL);
    out.u32(this.index(Helper.SLOW_PATH, 0));
  }

  // The lengths that no memory, table or array has are charged like the longest: the operator traps at once.
  #bulk(kind: number): Made {
    const wide = kind === Bulk.MEMORY_64 || kind === Bulk.TABLE_64;
    const type = wide ? 'i64' : 'i32';
    return this.#function([type, ...this.#profiled], [type], [], (out) => {
      this.#charge(out, () => {
        if (kind === Bulk.MEMORY) local(out, Op.LOCAL_GET, 0);
        else clamped(out, wide, BULK_MOST[kind] as number);
        const price = BULK_SHIFT[kind] as number;
        constant(out, Math.abs(price));
        out.u8(price < 0 ? Op.I32_SHR_U : Op.I32_SHL);
      });
      local(out, Op.LOCAL_GET, 0);
    });
  }

  #newArray(out: Writer, shift: number): void {
    clamped(out, false, LONGEST_ARRAY_BYTES >>> shift);
    constant(out, shift);
    out.u8(Op.I32_SHL);
    constant(out, ARRAY_BYTES);
    out.u8(Op.I32_ADD);
    const bytes = 1 + this.#profiled.length;
    local(out, Op.LOCAL_SET, bytes);
    this.#charge(out, () => local(out, Op.LOCAL_GET, bytes));
    this.#allocate(out, () => local(out, Op.LOCAL_GET, bytes));
    local(out, Op.LOCAL_GET, 0);
  }

  // Takes bytes from what was granted, or asks for what is missing.
  #allocate(out: Writer, bytes: () => void): void {
    const { heap } = this.#layout;
    global(out, Op.GLOBAL_GET, heap);
    bytes();
    out.u8(Op.I32_SUB);
    global(out, Op.GLOBAL_SET, heap);
    global(out, Op.GLOBAL_GET, heap);
    out.append([Op.I32_CONST, 0, Op.I32_LT_S, Op.IF, Type.EMPTY_BLOCK]);
    constant(out, GrowthKind.HEAP);
    constant(out, 0);
    global(out, Op.GLOBAL_GET, heap);
    out.u8(Op.I32_SUB);
    this.#callSlot(out, Slot.GROW, ['i32', 'i32'], ['i32']);
    constant(out, Growth.STOP);
    out.u8(Op.I32_EQ);
    trapIf(out);
    out.u8(Op.END);
  }

  #grow(out: Writer, kind: number, size: 'i32' | 'i64', delta: number, operator: readonly number[], index: number): void {
    const answer = delta + 1;
    constant(out, kind);
    if (size === 'i32') local(out, Op.LOCAL_GET, delta);
    else saturated(out, delta);
    this.#callSlot(out, Slot.GROW, ['i32', 'i32'], ['i32']);
    local(out, Op.LOCAL_SET, answer);
    local(out, Op.LOCAL_GET, answer);
    constant(out, Growth.STOP);
    out.u8(Op.I32_EQ);
    trapIf(out);
    local(out, Op.LOCAL_GET, answer);
    out.append([Op.IF, size === 'i32' ? Type.I32 : Type.I64]);
    for (let parameter = 0; parameter <= delta; parameter++) local(out, Op.LOCAL_GET, parameter);
    out.append(operator);
    out.u32(index);
    out.append([Op.ELSE, size === 'i32' ? Op.I32_CONST : Op.I64_CONST]);
    out.s32(-1);
    out.u8(Op.END);
  }

  #afterWait(out: Writer): void {
    local(out, Op.LOCAL_GET, 0);
    constant(out, TIMED_OUT);
    out.append([Op.I32_EQ, Op.IF, Type.EMPTY_BLOCK]);
    constant(out, Reason.WAITED);
    this.#callSlot(out, Slot.SLOW_PATH, ['i32'], ['i32']);
    trapIf(out);
    out.u8(Op.END);
    local(out, Op.LOCAL_GET, 0);
  }

  // Deducts what `amount` leaves on the stack, an unsigned number, from the counter, and asks for more when units are owed.
  #charge(out: Writer, amount: () => void): void {
    const { counter, profile } = this.#layout;
    global(out, Op.GLOBAL_GET, counter);
    amount();
    out.u8(Op.I32_SUB);
    global(out, Op.GLOBAL_SET, counter);
    if (profile !== undefined) {
      const units = (): void => {
        amount();
        out.u8(Op.I64_EXTEND_I32_U);
      };
      addUnits(out, profile, 0, () => local(out, Op.LOCAL_GET, 1), units);
    }
    global(out, Op.GLOBAL_GET, counter);
    out.append([Op.I32_CONST, 0, Op.I32_LT_S, Op.IF, Type.EMPTY_BLOCK, Op.CALL]);
    out.u32(this.index(Helper.SLOW_PATH, 0));
    out.append([Op.DROP, Op.END]);
  }

  #callSlot(out: Writer, slot: number, params: readonly ValueType[], results: readonly ValueType[]): void {
    constant(out, slot);
    out.u8(Op.CALL_INDIRECT);
    out.u32(this.#type(params, results));
    out.u32(this.#layout.slots);
  }
}

function keyOf(helper: number, operand: number): number {
  return helper * 0x10000 + operand;
}

const TABLE_GROW = [0xfc, 0x0f];
/** The result of a wait that nobody has ended. */
const TIMED_OUT = 2;
// More than the engine gives an array; what is charged for it still fits the counter.
const LONGEST_ARRAY_BYTES = 2 ** 29;
const BULK_MOST: Readonly<Record<number, number>> = {
  [Bulk.TABLE]: 2 ** 22,
  [Bulk.ARRAY]: 2 ** 27,
  [Bulk.MEMORY_64]: 2 ** 31 - 1,
  [Bulk.TABLE_64]: 2 ** 22,
};
// The binary logarithm of the units for each byte or element; negative for several of them to the unit.
const BULK_SHIFT: Readonly<Record<number, number>> = {
  [Bulk.MEMORY]: -prices.bulkMemoryShift,
  [Bulk.TABLE]: prices.bulkTableShift,
  [Bulk.ARRAY]: prices.bulkArrayShift,
  [Bulk.MEMORY_64]: -prices.bulkMemoryShift,
  [Bulk.TABLE_64]: prices.bulkTableShift,
};

// Parameter 0, an unsigned length, or `most` when it is more, as an i32.
function clamped(out: Writer, wide: boolean, most: number): void {
  const number = wide ? Op.I64_CONST : Op.I32_CONST;
  for (let round = 0; round < 2; round++) {
    local(out, Op.LOCAL_GET, 0);
    out.u8(number);
    out.s32(most);
  }
  out.append(wide ? [Op.I64_LT_U, Op.SELECT, Op.I32_WRAP_I64] : [Op.I32_LT_U, Op.SELECT]);
}

// An i64 parameter as an unsigned i32, the largest one for all that are more.
function saturated(out: Writer, index: number): void {
  local(out, Op.LOCAL_GET, index);
  out.u8(Op.I32_WRAP_I64);
  constant(out, -1);
  local(out, Op.LOCAL_GET, index);
  out.u8(Op.I64_CONST);
  out.s64(32n);
  out.append([Op.I64_SHR_U, Op.I64_EQZ, Op.SELECT]);
}

function constant(out: Writer, value: number): void {
  out.u8(Op.I32_CONST);
  out.s32(value);
}

function local(out: Writer, operator: number, index: number): void {
  out.u8(operator);
  out.u32(index);
}

function global(out: Writer, operator: number, index: number): void {
  out.u8(operator);
  out.u32(index);
}

function trapIf(out: Writer): void {
  out.append([Op.IF, Type.EMPTY_BLOCK, Op.UNREACHABLE, Op.END]);
}
