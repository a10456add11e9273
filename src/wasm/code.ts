// Reads what stands inside function bodies and constant expressions: operators with their immediates, and declarations of locals. Every index is checked
// against the module's own index spaces, since a rewriter appends to them. What an operator means for fuel is decided in `metering/`.
import { checkBudget } from './budgets.ts';
import type { ArrayType, CoreModule, DefinedFunctionType, DefinedType, StructType } from './module.ts';
import { Immediate, operators } from './operators.ts';
import type { Reader } from './reader.ts';
import { readHeapType, readValueKind, unsupported, ValueKind } from './types.ts';

// The table of operators as arrays by opcode, one page of 512 for each prefix: the scanner looks up every operator of megabytes of code.
const PAGE = 512;
const PREFIXES = [0, 0xfb, 0xfc, 0xfd, 0xfe];
const ABSENT = 255;

/** Position of an operator in {@link immediateAt} and {@link priceAt}; equal to the opcode for those without a prefix. */
export type OperatorSlot = number;
export const immediateAt = new Uint8Array(PAGE * PREFIXES.length).fill(ABSENT);
export const priceAt = new Uint8Array(PAGE * PREFIXES.length);
const NAMES: string[] = [];
const REFUSED: (string | undefined)[] = [];

for (const operator of operators.values()) {
  const slot = slotOf(operator.code);
  immediateAt[slot] = operator.immediate;
  priceAt[slot] = operator.price ?? 0;
  NAMES[slot] = operator.name;
  if (operator.price === undefined) REFUSED[slot] = operator.feature;
}

/** The slot of an opcode as it stands in the table of operators (`prefix << 16 | number`). */
export function slotOf(code: number): OperatorSlot {
  return PREFIXES.indexOf(code >>> 16) * PAGE + (code & 0xffff);
}

/** The slot of an operator by its name in the specification. */
export function slotNamed(name: string): OperatorSlot {
  const slot = NAMES.indexOf(name);
  if (slot < 0) throw new RangeError(`there is no operator ${name}`);
  return slot;
}

export function operatorName(slot: OperatorSlot): string {
  return NAMES[slot] as string;
}

/**
 * Reads an opcode with its prefix, not its immediates.
 * @throws GloveportError INVALID_MODULE for an opcode that does not exist, UNSUPPORTED_FEATURE for one that is not metered.
 */
export function readOperator(reader: Reader): OperatorSlot {
  const first = reader.u8();
  return (immediateAt[first] as number) < Immediate.UNKNOWN ? first : readLongOperator(reader, first);
}

/**
 * The rest of {@link readOperator} for a first byte whose entry in {@link immediateAt} is UNKNOWN or more. Loops over much code read that byte and its entry
 * by themselves.
 */
export function readLongOperator(reader: Reader, first: number): OperatorSlot {
  const at = reader.pos - 1;
  const page = PREFIXES.indexOf(first);
  if (page < 1) return refuse(reader, first, at);
  const number = reader.u32();
  if (number >= PAGE) return reader.fail(`unknown operator 0x${first.toString(16)} 0x${number.toString(16)}`, at);
  const slot = page * PAGE + number;
  return (immediateAt[slot] as number) < Immediate.UNKNOWN ? slot : refuse(reader, slot, at);
}

function refuse(reader: Reader, slot: OperatorSlot, at: number): never {
  const feature = REFUSED[slot];
  if (feature !== undefined) unsupported(`${feature} (${NAMES[slot]})`, at);
  const prefix = PREFIXES[Math.floor(slot / PAGE)] as number;
  return reader.fail(`unknown operator 0x${prefix === 0 ? '' : `${prefix.toString(16)} 0x`}${(slot % PAGE).toString(16)}`, at);
}

/**
 * Steps over the immediates of an operator, checking the indices among them. Those that only the caller can check (locals, labels) or wants to know
 * (block types) are the caller's to read.
 */
export function skipImmediate(reader: Reader, immediate: number, module: CoreModule): void {
  // What most operators have, apart from the rest so that it can be inlined.
  if (immediate === Immediate.NONE) return;
  if (immediate === Immediate.MEMORY_ARGUMENT) skipMemoryArgument(reader, module);
  else if (immediate === Immediate.I32) reader.s32();
  else skipRareImmediate(reader, immediate, module);
}

function skipRareImmediate(reader: Reader, immediate: number, module: CoreModule): void {
  switch (immediate) {
    case Immediate.I64:
      reader.skipS64();
      return;
    case Immediate.F32:
      reader.skip(4);
      return;
    case Immediate.F64:
      reader.skip(8);
      return;
    case Immediate.BYTES_16:
      reader.skip(16);
      return;
    case Immediate.LANE:
      reader.skip(1);
      return;
    case Immediate.ZERO_BYTE:
      if (reader.u8() !== 0) reader.fail('a reserved byte is not zero', reader.pos - 1);
      return;
    case Immediate.MEMORY_ARGUMENT_AND_LANE:
      skipMemoryArgument(reader, module);
      reader.skip(1);
      return;
    case Immediate.GLOBAL:
      readIndex(reader, 'global', module.globals.length);
      return;
    case Immediate.FUNCTION:
      readIndex(reader, 'function', module.functionTypes.length);
      return;
    case Immediate.TABLE:
      readIndex(reader, 'table', module.tables.length);
      return;
    case Immediate.MEMORY:
      readIndex(reader, 'memory', module.memories.length);
      return;
    case Immediate.TAG:
      readIndex(reader, 'tag', module.tags.length);
      return;
    case Immediate.DATA:
      readIndex(reader, 'data segment', module.dataSegments);
      return;
    case Immediate.ELEMENT:
      readIndex(reader, 'element segment', module.elementSegments);
      return;
    case Immediate.DATA_AND_MEMORY:
      readIndex(reader, 'data segment', module.dataSegments);
      readIndex(reader, 'memory', module.memories.length);
      return;
    case Immediate.ELEMENT_AND_TABLE:
      readIndex(reader, 'element segment', module.elementSegments);
      readIndex(reader, 'table', module.tables.length);
      return;
    case Immediate.TWO_MEMORIES:
      readIndex(reader, 'memory', module.memories.length);
      readIndex(reader, 'memory', module.memories.length);
      return;
    case Immediate.TWO_TABLES:
      readIndex(reader, 'table', module.tables.length);
      readIndex(reader, 'table', module.tables.length);
      return;
    case Immediate.TYPE_AND_TABLE:
      readTypeOf(reader, module.types, 'function');
      readIndex(reader, 'table', module.tables.length);
      return;
    case Immediate.FUNCTION_TYPE:
      readTypeOf(reader, module.types, 'function');
      return;
    case Immediate.HEAP_TYPE:
      readHeapType(reader, module.types.length);
      return;
    case Immediate.VALUE_TYPES:
      for (let types = reader.count('types of values'); types > 0; types--) readValueKind(reader, module.types.length);
      return;
    default:
      skipAggregateImmediate(reader, immediate, module);
  }
}

// The immediates of operators on structures and arrays.
function skipAggregateImmediate(reader: Reader, immediate: number, module: CoreModule): void {
  switch (immediate) {
    case Immediate.STRUCT_TYPE:
      readTypeOf(reader, module.types, 'struct');
      return;
    case Immediate.STRUCT_TYPE_AND_FIELD: {
      const { fields } = readTypeOf(reader, module.types, 'struct');
      readIndex(reader, 'field', fields.length);
      return;
    }
    case Immediate.ARRAY_TYPE:
      readTypeOf(reader, module.types, 'array');
      return;
    case Immediate.ARRAY_TYPE_AND_COUNT:
      readTypeOf(reader, module.types, 'array');
      reader.u32();
      return;
    case Immediate.ARRAY_TYPE_AND_DATA:
      readTypeOf(reader, module.types, 'array');
      readIndex(reader, 'data segment', module.dataSegments);
      return;
    case Immediate.ARRAY_TYPE_AND_ELEMENT:
      readTypeOf(reader, module.types, 'array');
      readIndex(reader, 'element segment', module.elementSegments);
      return;
    case Immediate.TWO_ARRAY_TYPES:
      readTypeOf(reader, module.types, 'array');
      readTypeOf(reader, module.types, 'array');
      return;
    default:
      throw new RangeError(`the immediate ${immediate} has to be read, not skipped`);
  }
}

/** Reads an index into a space of `count`, which `what` names. @throws GloveportError INVALID_MODULE for one beyond it. */
export function readIndex(reader: Reader, what: string, count: number): number {
  const at = reader.pos;
  const index = reader.u32();
  if (index >= count) reader.fail(`${what} ${index} does not exist`, at);
  return index;
}

interface Kinds {
  function: DefinedFunctionType;
  struct: StructType;
  array: ArrayType;
}

/** Reads the index of a type of that kind, and gives the type. */
export function readTypeOf<Kind extends keyof Kinds>(reader: Reader, types: readonly DefinedType[], kind: Kind): Kinds[Kind] {
  const at = reader.pos;
  return typeOf(reader, types, kind, readIndex(reader, 'type', types.length), at);
}

/** The type with an index that was read at `at`, if it is of that kind. */
export function typeOf<Kind extends keyof Kinds>(reader: Reader, types: readonly DefinedType[], kind: Kind, index: number, at: number): Kinds[Kind] {
  const type = types[index] as DefinedType;
  if (type.kind !== kind) reader.fail(`type ${index} is not a type of ${kind}s`, at);
  return type as Kinds[Kind];
}

/**
 * Reads a block type. The engine would read some types over several bytes where the specification has one; those are refused, since whoever takes another
 * number of bytes loses step with the code.
 * @returns the function type that it names, undefined for a block without parameters and at most one result.
 */
export function readBlockType(reader: Reader, types: readonly DefinedType[]): DefinedFunctionType | undefined {
  const at = reader.pos;
  const byte = reader.bytes[at] as number;
  if (byte >= EMPTY_BLOCK && byte < 0x80) {
    if (byte === EMPTY_BLOCK) reader.u8();
    else readValueKind(reader, types.length);
    return undefined;
  }
  const index = reader.s33();
  if (index < 0) reader.fail('a block type is neither a type of values nor an index', at);
  if (index >= types.length) reader.fail(`type ${index} does not exist`, at);
  return typeOf(reader, types, 'function', index, at);
}

const EMPTY_BLOCK = 0x40;

/** Reads the immediates of `br_on_cast` and `br_on_cast_fail`; gives the label, which the caller checks. */
export function readCastBranch(reader: Reader, types: readonly DefinedType[]): number {
  if (reader.u8() > 3) reader.fail('unknown flags of a cast', reader.pos - 1);
  const label = reader.u32();
  readHeapType(reader, types.length);
  readHeapType(reader, types.length);
  return label;
}

const HAS_MEMORY = 0x40;
/** The order of an atomic access, which stands in another byte. */
const HAS_ORDER = 0x20;
// The binary logarithm of the widest access.
const WIDEST = 4;

function skipMemoryArgument(reader: Reader, module: CoreModule): void {
  const at = reader.pos;
  const flags = reader.u32();
  const memory = flags <= WIDEST ? 0 : readMemoryOf(reader, flags, at);
  if (memory >= module.memories.length) reader.fail(`memory ${memory} does not exist`, at);
  reader.skipU64();
}

function readMemoryOf(reader: Reader, flags: number, at: number): number {
  if (flags < 0x80 && flags & HAS_ORDER) unsupported('shared-everything threads', at);
  const alignment = flags - HAS_MEMORY;
  if (alignment < 0 || alignment > WIDEST) reader.fail(`unknown alignment or flags ${flags} of a memory access`, at);
  return reader.u32();
}

/** What a body declares as locals. */
export interface Locals {
  readonly count: number;
  /** Vectors and references among them. */
  readonly vectors: number;
  readonly references: number;
}

/** Reads the locals that a body declares; leaves the reader at its first operator. */
export function readLocals(reader: Reader, types: readonly DefinedType[]): Locals {
  const at = reader.pos;
  let count = 0;
  let vectors = 0;
  let references = 0;
  for (let groups = reader.count('groups of locals'); groups > 0; groups--) {
    const size = reader.u32();
    const kind = readValueKind(reader, types.length);
    count += size;
    if (kind === ValueKind.VECTOR) vectors += size;
    else if (kind === ValueKind.REFERENCE) references += size;
    checkBudget('locals of one function', count, at);
  }
  return { count, vectors, references };
}
