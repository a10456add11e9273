// The types of values, as the binary format writes them and as WebAssembly's text format spells them. A type has one spelling here, the shorthand where there
// is one, so that types are equal when their strings are (up to what the engine makes equal: type indices of the same structure).
import { GloveportError } from '../errors.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** Nullable references to the abstract heap types, by the code of both; a lone code stands for the reference, behind 0x63 or 0x64 for the heap type. */
const ABSTRACT = [
  [0x74, 'nullexnref', 'noexn'],
  [0x73, 'nullfuncref', 'nofunc'],
  [0x72, 'nullexternref', 'noextern'],
  [0x71, 'nullref', 'none'],
  [0x70, 'funcref', 'func'],
  [0x6f, 'externref', 'extern'],
  [0x6e, 'anyref', 'any'],
  [0x6d, 'eqref', 'eq'],
  [0x6c, 'i31ref', 'i31'],
  [0x6b, 'structref', 'struct'],
  [0x6a, 'arrayref', 'array'],
  [0x69, 'exnref', 'exn'],
] as const;

export type ReferenceType = (typeof ABSTRACT)[number][1] | `(ref ${(typeof ABSTRACT)[number][2]})` | `(ref ${number})` | `(ref null ${number})`;
export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | ReferenceType;
/** What fields of structures and elements of arrays hold; packed types, too. */
export type StorageType = ValueType | 'i8' | 'i16';

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** How much of a frame or an object a value takes: numbers a slot, vectors two, references a slot that the collector has to know of. */
export const ValueKind = Object.freeze({ NUMBER: 0, VECTOR: 1, REFERENCE: 2 });
export type ValueKind = (typeof ValueKind)[keyof typeof ValueKind];

const NUMBERS = [
  [0x7f, 'i32'],
  [0x7e, 'i64'],
  [0x7d, 'f32'],
  [0x7c, 'f64'],
  [0x7b, 'v128'],
] as const;
const I8 = 0x78;
const I16 = 0x77;
const REF_NULL = 0x63;
const REF = 0x64;

// By the code's byte.
const VALUE_TYPES: (ValueType | undefined)[] = new Array(0x80).fill(undefined);
const VALUE_KINDS: (ValueKind | undefined)[] = new Array(0x80).fill(undefined);
const HEAP_TYPES: (string | undefined)[] = new Array(0x80).fill(undefined);
// By the spelling, of types and of heap types.
const CODES = new Map<string, number>();

for (const [code, type] of NUMBERS) {
  VALUE_TYPES[code] = type;
  VALUE_KINDS[code] = type === 'v128' ? ValueKind.VECTOR : ValueKind.NUMBER;
  CODES.set(type, code);
}
for (const [code, type, heapType] of ABSTRACT) {
  VALUE_TYPES[code] = type;
  VALUE_KINDS[code] = ValueKind.REFERENCE;
  HEAP_TYPES[code] = heapType;
  CODES.set(type, code).set(heapType, code);
}

const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x75, 'stack switching'],
  [0x68, 'stack switching'],
  [0x67, 'stringref'],
  [0x66, 'stringref'],
  [0x65, 'shared-everything threads'],
  [0x62, 'custom descriptors'],
  [0x61, 'stringref'],
]);

/**
 * Reads a type of values (WebAssembly core specification, section 5.3.5) in a module that has `types` type indices to name.
 * @throws GloveportError INVALID_MODULE, UNSUPPORTED_FEATURE for the types of features that are not metered.
 */
export function readValueType(reader: Reader, types: number): ValueType {
  const at = reader.pos;
  const code = reader.u8();
  const type = VALUE_TYPES[code];
  if (type !== undefined) return type;
  if (code !== REF && code !== REF_NULL) return refuse(reader, 'type of values', code, at);
  const heapType = readHeapType(reader, types);
  if (heapType >= 0) return code === REF ? `(ref ${heapType})` : `(ref null ${heapType})`;
  const abstract = heapType + 0x80;
  return code === REF ? (`(ref ${HEAP_TYPES[abstract]})` as ReferenceType) : (VALUE_TYPES[abstract] as ReferenceType);
}

/** Steps over a type of values and says only what kind it is: nothing is allocated. */
export function readValueKind(reader: Reader, types: number): ValueKind {
  const at = reader.pos;
  const code = reader.u8();
  const kind = VALUE_KINDS[code];
  if (kind !== undefined) return kind;
  if (code !== REF && code !== REF_NULL) return refuse(reader, 'type of values', code, at);
  readHeapType(reader, types);
  return ValueKind.REFERENCE;
}

/** Reads the type of a field or an element. */
export function readStorageType(reader: Reader, types: number): StorageType {
  const code = reader.bytes[reader.pos];
  if (code !== I8 && code !== I16) return readValueType(reader, types);
  reader.u8();
  return code === I8 ? 'i8' : 'i16';
}

/**
 * Reads a heap type (section 5.3.3): a type index, or the negative number that an abstract one is. The abstract ones take one byte; the engine would also
 * take more for them, which the specification does not have.
 */
export function readHeapType(reader: Reader, types: number): number {
  const at = reader.pos;
  const code = reader.bytes[at] as number;
  if (code < 0x40 || code >= 0x80) {
    const index = reader.s33();
    if (index < 0) reader.fail('a heap type is neither an abstract one nor an index', at);
    if (index >= types) reader.fail(`type ${index} does not exist`, at);
    return index;
  }
  reader.u8();
  if (HEAP_TYPES[code] === undefined) refuse(reader, 'heap type', code, at);
  return code - 0x80;
}

/** Writes what {@link readValueType} reads, in its shortest form. */
export function writeValueType(out: Writer, type: ValueType): void {
  const code = valueTypeCode(type);
  if (code !== undefined) return out.u8(code);
  const [, nullable, heapType] = /^\(ref (null )?(\w+)\)$/.exec(type) as RegExpExecArray;
  out.u8(nullable === undefined ? REF : REF_NULL);
  const abstract = CODES.get(heapType as string);
  if (abstract === undefined) out.s32(Number(heapType));
  else out.u8(abstract);
}

/** The byte that stands for `type` in the binary format, where one byte does. */
export function valueTypeCode(type: ValueType): number | undefined {
  return CODES.get(type);
}

export function kindOf(type: ValueType): ValueKind {
  const code = CODES.get(type);
  return code === undefined ? ValueKind.REFERENCE : (VALUE_KINDS[code] as ValueKind);
}

/** Bytes that a field or an element takes in an object. */
export function storageBytes(type: StorageType): number {
  switch (type) {
    case 'i8':
      return 1;
    case 'i16':
      return 2;
    case 'i32':
    case 'f32':
      return 4;
    case 'v128':
      return 16;
    default:
      return 8;
  }
}

/** Refuses a feature that is known but not handled. */
export function unsupported(feature: string, offset: number): never {
  throw new GloveportError('UNSUPPORTED_FEATURE', `the module uses ${feature} (at offset ${offset}), which this version does not meter and therefore refuses`, {
    feature,
    offset,
  });
}

function refuse(reader: Reader, what: string, code: number, at: number): never {
  const feature = REFUSED.get(code);
  if (feature !== undefined) unsupported(feature, at);
  return reader.fail(`unknown ${what} 0x${code.toString(16)}`, at);
}
