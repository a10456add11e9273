// The types of values and functions, as the binary format writes them.
import { GloveportError } from '../errors.ts';
import type { Reader } from './reader.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref' | 'externref' | 'exnref';

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

const BY_CODE: ReadonlyMap<number, ValueType> = new Map([
  [0x7f, 'i32'],
  [0x7e, 'i64'],
  [0x7d, 'f32'],
  [0x7c, 'f64'],
  [0x7b, 'v128'],
  [0x70, 'funcref'],
  [0x6f, 'externref'],
  [0x69, 'exnref'],
]);
const CODES = new Map([...BY_CODE].map(([code, type]) => [type, code]));

/** The byte that stands for `type` in the binary format. */
export function valueTypeCode(type: ValueType): number {
  return CODES.get(type) as number;
}

/** Reads a type of values (WebAssembly core specification, section 5.3.5). @throws GloveportError UNSUPPORTED_FEATURE for the types of GC and typed references. */
export function readValueType(reader: Reader): ValueType {
  const code = reader.u8();
  const type = BY_CODE.get(code);
  if (type !== undefined) return type;
  if (code === 0x63 || code === 0x64) unsupported('typed function references', reader.pos - 1);
  if (code >= 0x65 && code <= 0x74) unsupported('gc', reader.pos - 1);
  return reader.fail(`unknown type of value 0x${code.toString(16)}`, reader.pos - 1);
}

/** Refuses a feature that is known but not handled yet. */
export function unsupported(feature: string, offset: number): never {
  throw new GloveportError('UNSUPPORTED_FEATURE', `the module uses ${feature} (at offset ${offset}), which this version does not meter and therefore refuses`, {
    feature,
    offset,
  });
}
