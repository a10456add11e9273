// Reads what stands inside function bodies and constant expressions: operators with their immediates, and declarations of locals.
// What an operator means for fuel is decided in `metering/`.
import { checkBudget } from './budgets.ts';
import { Immediate, operators } from './operators.ts';
import type { Reader } from './reader.ts';
import { readValueType, unsupported } from './types.ts';

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

/**
 * Reads an opcode with its prefix, not its immediates.
 * @throws GloveportError INVALID_MODULE for an opcode that does not exist, UNSUPPORTED_FEATURE for one that is not metered.
 */
export function readOperator(reader: Reader): OperatorSlot {
  const at = reader.pos;
  const first = reader.u8();
  const slot = first >= 0xfb && first <= 0xfe ? prefixedSlot(reader, first) : first;
  const immediate = immediateAt[slot];
  if (immediate === ABSENT) reader.fail(`unknown operator 0x${first.toString(16)}`, at);
  if (immediate === Immediate.UNKNOWN) unsupported(`${REFUSED[slot]} (${NAMES[slot]})`, at);
  return slot;
}

function prefixedSlot(reader: Reader, prefix: number): OperatorSlot {
  const at = reader.pos;
  const number = reader.u32();
  if (number >= PAGE) reader.fail(`unknown operator 0x${prefix.toString(16)} ${number}`, at);
  return PREFIXES.indexOf(prefix) * PAGE + number;
}

/** Steps over the immediates of an operator whose indices need no look; those that do are read by the caller. */
export function skipImmediate(reader: Reader, immediate: number): void {
  switch (immediate) {
    case Immediate.NONE:
      return;
    case Immediate.MEMORY_ARGUMENT:
      return skipMemoryArgument(reader);
    case Immediate.I32:
      reader.s32();
      return;
    case Immediate.I64:
      return skipWide(reader);
    case Immediate.F32:
      return reader.skip(4);
    case Immediate.F64:
      return reader.skip(8);
    case Immediate.BYTES_16:
      return reader.skip(16);
    case Immediate.LANE:
      return reader.skip(1);
    case Immediate.MEMORY_ARGUMENT_AND_LANE:
      skipMemoryArgument(reader);
      return reader.skip(1);
    case Immediate.HEAP_TYPE:
      return readNullType(reader);
    case Immediate.VALUE_TYPES:
      for (let types = reader.count('types of values'); types > 0; types--) readValueType(reader);
      return;
    case Immediate.DATA_AND_MEMORY:
    case Immediate.TWO_MEMORIES:
      reader.u32();
      reader.u32();
      return;
    case Immediate.DATA:
    case Immediate.ELEMENT:
    case Immediate.MEMORY:
    case Immediate.TAG:
      reader.u32();
      return;
    default:
      throw new RangeError(`the immediate ${immediate} has to be read, not skipped`);
  }
}

/**
 * Reads a block type. The engine reads some types over several bytes, and whoever takes another number of them loses step with it: only what is known by
 * one byte, or an index, is accepted.
 * @returns the index of a function type, undefined for a block without parameters and at most one result.
 */
export function readBlockType(reader: Reader): number | undefined {
  const byte = reader.bytes[reader.pos] as number;
  if (byte === EMPTY_BLOCK) {
    reader.u8();
    return undefined;
  }
  if (byte > EMPTY_BLOCK && byte < 0x80) {
    readValueType(reader);
    return undefined;
  }
  const at = reader.pos;
  const index = reader.s33();
  if (index < 0) reader.fail('a block type is neither a type of values nor an index', at);
  return index;
}

const EMPTY_BLOCK = 0x40;

// The type of a null reference: one byte, like the types of references.
function readNullType(reader: Reader): void {
  const at = reader.pos;
  if (!readValueType(reader).endsWith('ref')) reader.fail('a null reference of no type of references', at);
}

function skipMemoryArgument(reader: Reader): void {
  const alignment = reader.u32();
  if (alignment & 0x40) reader.u32();
  skipWide(reader);
}

function skipWide(reader: Reader): void {
  for (let length = 1; reader.u8() >= 0x80; length++) if (length === 10) reader.fail('a LEB128 number is over-long');
}

/** The number of locals that a body declares, and of vectors and references among them; leaves the reader at its first operator. */
export function readLocals(reader: Reader): { readonly count: number; readonly vectors: number; readonly references: number } {
  const at = reader.pos;
  let count = 0;
  let vectors = 0;
  let references = 0;
  for (let groups = reader.count('groups of locals'); groups > 0; groups--) {
    const size = reader.u32();
    const type = readValueType(reader);
    count += size;
    if (type === 'v128') vectors += size;
    else if (type.endsWith('ref')) references += size;
    checkBudget('locals of one function', count, at);
  }
  return { count, vectors, references };
}

// What may stand in a constant expression: constants, global.get, references, and the arithmetic of extended constants.
const CONSTANT = new Set([0x23, 0x41, 0x42, 0x43, 0x44, 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e, 0xd0, 0xd2, slotOf(0xfd_000c)]);
const END = 0x0b;

/** Steps over a constant expression (WebAssembly core specification, section 3.3.10), whose operators all cost next to nothing. */
export function skipConstantExpression(reader: Reader): void {
  for (;;) {
    const at = reader.pos;
    const operator = readOperator(reader);
    if (operator === END) return;
    if (!CONSTANT.has(operator)) reader.fail(`${NAMES[operator]} in a constant expression`, at);
    const immediate = immediateAt[operator] as number;
    if (immediate === Immediate.GLOBAL || immediate === Immediate.FUNCTION) reader.u32();
    else skipImmediate(reader, immediate);
  }
}
