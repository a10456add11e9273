// Reads the types of tables, memories and globals, as definitions and imports have them.
import type { GlobalType, MemoryType, SizeLimits, TableType } from './module.ts';
import type { Reader } from './reader.ts';
import { kindOf, readValueType, unsupported, ValueKind, type ValueType } from './types.ts';

/** Reads the type of a table (WebAssembly core specification, section 5.3.10) in a module that has `types` type indices to name. */
export function readTableType(reader: Reader, types: number): TableType {
  const element = readReferenceType(reader, types);
  const at = reader.pos;
  const limits = readSizeLimits(reader);
  if (limits.shared) unsupported('shared-everything threads', at);
  return { element, ...limits };
}

/** Reads the type of a memory (section 5.3.9), also of shared ones (threads proposal). */
export function readMemoryType(reader: Reader): MemoryType {
  const at = reader.pos;
  const limits = readSizeLimits(reader);
  const most = limits.address64 ? MOST_PAGES_64 : MOST_PAGES_32;
  if (limits.minimum > most || (limits.maximum ?? 0) > most) reader.fail(`a memory has more than ${most} pages`, at);
  if (limits.shared && limits.maximum === undefined) reader.fail('a shared memory has no maximum', at);
  return limits;
}

/** Reads the type of a global (section 5.3.11). */
export function readGlobalType(reader: Reader, types: number): GlobalType {
  const type = readValueType(reader, types);
  const at = reader.pos;
  const mutability = reader.u8();
  if (mutability & SHARED_GLOBAL) unsupported('shared-everything threads', at);
  if (mutability > 1) reader.fail('unknown mutability of a global', at);
  return { type, mutable: mutability === 1 };
}

/** Reads a type of values that has to be one of references. */
export function readReferenceType(reader: Reader, types: number): ValueType {
  const at = reader.pos;
  const type = readValueType(reader, types);
  if (kindOf(type) !== ValueKind.REFERENCE) reader.fail(`${type} is not a type of references`, at);
  return type;
}

const HAS_MAXIMUM = 1;
const SHARED = 2;
const ADDRESS_64 = 4;
const PAGE_SIZE = 8;
const SHARED_GLOBAL = 2;
const MOST_PAGES_32 = 2 ** 16;
const MOST_PAGES_64 = 2 ** 48;

function readSizeLimits(reader: Reader): SizeLimits {
  const at = reader.pos;
  const flags = reader.u8();
  if (flags > 0x0f) reader.fail(`unknown limits 0x${flags.toString(16)}`, at);
  if (flags & PAGE_SIZE) unsupported('custom page sizes', at);
  const address64 = (flags & ADDRESS_64) !== 0;
  const shared = (flags & SHARED) !== 0;
  const minimum = readSize(reader, address64);
  if ((flags & HAS_MAXIMUM) === 0) return { minimum, address64, shared };
  const maximum = readSize(reader, address64);
  if (maximum < minimum) reader.fail('the maximum of a size is less than its minimum', at);
  return { minimum, maximum, address64, shared };
}

function readSize(reader: Reader, address64: boolean): number {
  return address64 ? Math.min(Number(reader.u64()), Number.MAX_SAFE_INTEGER) : reader.u32();
}
