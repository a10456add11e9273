// Operators whose work, or what they allocate, depends on more than their price says: what each of them needs in the code around it.
import { checkBudget } from '../wasm/budgets.ts';
import { immediateAt, readIndex, readTypeOf, skipImmediate, slotNamed } from '../wasm/code.ts';
import { arrayBytes, type CoreModule, structBytes } from '../wasm/module.ts';
import { Immediate } from '../wasm/operators.ts';
import type { Reader } from '../wasm/reader.ts';
import { storageBytes } from '../wasm/types.ts';
import { Edit } from './edits.ts';

/** Which helper a {@link Edit.BULK} calls: for lengths in bytes and in elements, of 32 and of 64 bits. */
export const Bulk = Object.freeze({ MEMORY: 0, TABLE: 1, ARRAY: 2, MEMORY_64: 3, TABLE_64: 4 });

/** What to do about one operator. */
export interface SizedWork {
  /** The edit to put before the operator or, where it replaces or copies it, over it. */
  readonly edit: number;
  readonly value: number;
  readonly over: boolean;
  /** Units that are known beforehand, besides the operator's price. */
  readonly units: number;
}

// What the engine may make of a number that passes between the host's references and the guest's.
const CONVERTED_BYTES = 16;

/** More than an engine gives one array; it traps. */
const MOST_ALLOCATED = 2 ** 29;

/** How the work of an operator depends on an operand. */
const Sized = Object.freeze({
  MEMORY_FILL: 1,
  MEMORY_COPY: 2,
  MEMORY_INIT: 3,
  TABLE_FILL: 4,
  TABLE_COPY: 5,
  TABLE_INIT: 6,
  GROW_MEMORY: 7,
  GROW_TABLE: 8,
  STRUCT_NEW: 9,
  ARRAY_NEW: 10,
  ARRAY_NEW_FIXED: 11,
  ARRAY_BULK: 12,
  CONVERT: 13,
  WAIT: 14,
});
const SIZED = new Uint8Array(immediateAt.length);
const SIZED_OPERATORS: readonly [kind: number, names: string][] = [
  [Sized.MEMORY_FILL, 'memory.fill'],
  [Sized.MEMORY_COPY, 'memory.copy'],
  [Sized.MEMORY_INIT, 'memory.init'],
  [Sized.TABLE_FILL, 'table.fill'],
  [Sized.TABLE_COPY, 'table.copy'],
  [Sized.TABLE_INIT, 'table.init'],
  [Sized.GROW_MEMORY, 'memory.grow'],
  [Sized.GROW_TABLE, 'table.grow'],
  [Sized.STRUCT_NEW, 'struct.new struct.new_default'],
  [Sized.ARRAY_NEW, 'array.new array.new_default array.new_data array.new_elem'],
  [Sized.ARRAY_NEW_FIXED, 'array.new_fixed'],
  [Sized.ARRAY_BULK, 'array.fill array.copy array.init_data array.init_elem'],
  [Sized.CONVERT, 'any.convert_extern extern.convert_any'],
  [Sized.WAIT, 'memory.atomic.wait32 memory.atomic.wait64'],
];
for (const [kind, names] of SIZED_OPERATORS) for (const name of names.split(' ')) SIZED[slotNamed(name)] = kind;

/** Whether an operator is one of these, by its slot. */
export function isSized(operator: number): boolean {
  return SIZED[operator] !== 0;
}

/** Reads the immediates of an operator that {@link isSized}; `constant` is the i32 that stands directly before it, if one does. */
export function readSized(reader: Reader, operator: number, module: CoreModule, constant: number | undefined): SizedWork {
  const { types, memories, tables } = module;
  const sized = SIZED[operator] as number;
  switch (sized) {
    case Sized.GROW_MEMORY:
      return over(Edit.GROW_MEMORY, readIndex(reader, 'memory', memories.length));
    case Sized.GROW_TABLE:
      return over(Edit.GROW_TABLE, readIndex(reader, 'table', tables.length));
    case Sized.MEMORY_FILL:
      return before(Edit.BULK, isWide(reader, 'memory', memories) ? Bulk.MEMORY_64 : Bulk.MEMORY);
    case Sized.TABLE_FILL:
      return before(Edit.BULK, isWide(reader, 'table', tables) ? Bulk.TABLE_64 : Bulk.TABLE);
    case Sized.MEMORY_COPY: {
      const to = isWide(reader, 'memory', memories);
      const from = isWide(reader, 'memory', memories);
      return before(Edit.BULK, to && from ? Bulk.MEMORY_64 : Bulk.MEMORY);
    }
    case Sized.TABLE_COPY: {
      const to = isWide(reader, 'table', tables);
      const from = isWide(reader, 'table', tables);
      return before(Edit.BULK, to && from ? Bulk.TABLE_64 : Bulk.TABLE);
    }
    case Sized.STRUCT_NEW:
      return allocation(structBytes(readTypeOf(reader, types, 'struct')));
    case Sized.ARRAY_NEW: {
      const type = readTypeOf(reader, types, 'array');
      const { element } = type;
      skipSegment(reader, operator, module);
      // A length that the engine's compilers know is left for them to know: much work hangs on that.
      if (constant !== undefined) return allocation(Math.min(arrayBytes(type, constant), MOST_ALLOCATED));
      return before(Edit.NEW_ARRAY, Math.log2(storageBytes(element)));
    }
    case Sized.ARRAY_NEW_FIXED: {
      const type = readTypeOf(reader, types, 'array');
      const at = reader.pos;
      const length = reader.u32();
      checkBudget('operands of an initialiser', length, at);
      return allocation(arrayBytes(type, length), length);
    }
    case Sized.CONVERT:
      return allocation(CONVERTED_BYTES);
    default:
      skipImmediate(reader, immediateAt[operator] as number, module);
      if (sized === Sized.WAIT) return over(Edit.WAIT, 0);
      return before(Edit.BULK, sized === Sized.MEMORY_INIT ? Bulk.MEMORY : sized === Sized.TABLE_INIT ? Bulk.TABLE : Bulk.ARRAY);
  }
}

function before(edit: number, value: number): SizedWork {
  return { edit, value, over: false, units: 0 };
}

function over(edit: number, value: number): SizedWork {
  return { edit, value, over: true, units: 0 };
}

// Each byte that is allocated costs a unit.
function allocation(bytes: number, units = 0): SizedWork {
  return { edit: Edit.ALLOCATE, value: bytes, over: false, units: bytes + units };
}

function isWide(reader: Reader, what: string, all: readonly { readonly address64: boolean }[]): boolean {
  return all[readIndex(reader, what, all.length)]?.address64 === true;
}

function skipSegment(reader: Reader, operator: number, module: CoreModule): void {
  const immediate = immediateAt[operator] as number;
  if (immediate === Immediate.ARRAY_TYPE_AND_DATA) readIndex(reader, 'data segment', module.dataSegments);
  else if (immediate === Immediate.ARRAY_TYPE_AND_ELEMENT) readIndex(reader, 'element segment', module.elementSegments);
}
