// Checks values that go into a guest, arguments and host functions' results alike, against their WIT or core type, and copies them: what is lowered
// afterwards are plain values of ours, read once, that no getter or later change can alter.
import { describeValue } from '../errors.ts';
import { camelCase } from './naming.ts';
import type { Case, CoreFunctionType, Field, WitType } from './types.ts';

/** A value that does not fit its type. `path` is where, from the value that was checked inwards: `.items[3].name`. */
export class ValueMismatch extends Error {
  path = '';
}

/** Whether `value` is a live resource of the type that is called `resource`. */
export type ResourceCheck = (resource: string, value: object) => boolean;

/**
 * A copy of `value`, which has to fit `type` in jco's conventions: nothing is coerced, only own properties count, strings are well-formed Unicode.
 * Number lists become typed arrays. Resources are passed on as they are, if `isResource` knows them.
 * @throws ValueMismatch
 */
export function copyValue(type: WitType, value: unknown, isResource: ResourceCheck): unknown {
  switch (type.kind) {
    case 'bool':
      return typeof value === 'boolean' ? value : mismatch('a boolean', value);
    case 'u8':
    case 's8':
    case 'u16':
    case 's16':
    case 'u32':
    case 's32':
      return integer(type.kind, value);
    case 'u64':
    case 's64':
      return bigInteger(type.kind, value);
    case 'f32':
    case 'f64':
      return typeof value === 'number' ? value : mismatch('a number', value);
    case 'char':
      return character(value);
    case 'string':
      return text(value);
    case 'list':
      return list(type.element, value, isResource);
    case 'record':
      return fields(type.fields, object('an object', value), isResource);
    case 'tuple':
      return elements(array(value, type.items.length), (index) => type.items[index] as WitType, isResource);
    case 'variant':
      return variant(type.cases, value, isResource);
    case 'enum':
      return typeof value === 'string' && type.names.includes(value) ? value : mismatch(`one of ${alternatives(type.names)}`, value);
    case 'flags':
      return flags(type.names, value);
    case 'option':
      return option(type.some, value, isResource);
    case 'result':
      return variant([optionalCase('ok', type.ok), optionalCase('err', type.err)], value, isResource);
    case 'own':
    case 'borrow':
      return resource(type.resource, value, isResource);
  }
}

/**
 * A value of a core type: i32 takes any whole number from -2^31 to 2^32-1, i64 any bigint from -2^63 to 2^64-1.
 * @throws ValueMismatch, also for references and vectors, which do not cross.
 */
export function copyCoreValue(type: CoreFunctionType['params'][number], value: unknown): number | bigint {
  switch (type) {
    case 'i32':
      return wholeNumber(value, -(2 ** 31), 2 ** 32 - 1);
    case 'i64':
      return wholeBigint(value, -(2n ** 63n), 2n ** 64n - 1n);
    case 'f32':
    case 'f64':
      return typeof value === 'number' ? value : mismatch('a number', value);
    default:
      throw new ValueMismatch(`values of type ${type} do not cross between guest and host`);
  }
}

/** Runs `check` for the part of a value at `segment`; a mismatch inside is reported with the segment before its path. */
export function inside<Result>(segment: string, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (error instanceof ValueMismatch) error.path = segment + error.path;
    throw error;
  }
}

const INTEGER_RANGES = {
  u8: [0, 2 ** 8 - 1],
  s8: [-(2 ** 7), 2 ** 7 - 1],
  u16: [0, 2 ** 16 - 1],
  s16: [-(2 ** 15), 2 ** 15 - 1],
  u32: [0, 2 ** 32 - 1],
  s32: [-(2 ** 31), 2 ** 31 - 1],
} as const;

function integer(kind: keyof typeof INTEGER_RANGES, value: unknown): number {
  const [least, most] = INTEGER_RANGES[kind];
  return wholeNumber(value, least, most);
}

function wholeNumber(value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  return mismatch(`a whole number from ${least} to ${most}`, value);
}

function bigInteger(kind: 'u64' | 's64', value: unknown): bigint {
  return kind === 'u64' ? wholeBigint(value, 0n, 2n ** 64n - 1n) : wholeBigint(value, -(2n ** 63n), 2n ** 63n - 1n);
}

function wholeBigint(value: unknown, least: bigint, most: bigint): bigint {
  return typeof value === 'bigint' && value >= least && value <= most ? value : mismatch(`a bigint from ${least}n to ${most}n`, value);
}

function character(value: unknown): string {
  const valid = typeof value === 'string' && value.length <= 2 && [...value].length === 1 && value.isWellFormed();
  return valid ? value : mismatch('a string of one character', value);
}

function text(value: unknown): string {
  if (typeof value !== 'string') return mismatch('a string', value);
  return value.isWellFormed() ? value : mismatch('a well-formed string (this one has half a surrogate pair)', value);
}

const TYPED_ARRAYS = {
  u8: Uint8Array,
  s8: Int8Array,
  u16: Uint16Array,
  s16: Int16Array,
  u32: Uint32Array,
  s32: Int32Array,
  u64: BigUint64Array,
  s64: BigInt64Array,
  f32: Float32Array,
  f64: Float64Array,
};
// The accessor of the shared prototype sees what a typed array really is, whatever its own properties or class say.
const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as () => string | undefined;

function list(element: WitType, value: unknown, isResource: ResourceCheck): unknown {
  if (!Object.hasOwn(TYPED_ARRAYS, element.kind)) return elements(array(value), () => element, isResource);
  const TypedArray = TYPED_ARRAYS[element.kind as keyof typeof TYPED_ARRAYS];
  if (typedArrayName.call(value) === TypedArray.name) return new (TypedArray as Uint8ArrayConstructor)(value as Uint8Array);
  const { name } = TypedArray;
  if (!Array.isArray(value)) return mismatch(`an array or ${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`, value);
  return new (TypedArray as Uint8ArrayConstructor)(elements(value, () => element, isResource) as number[]);
}

function array(value: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) return mismatch(length === undefined ? 'an array' : `an array of ${length}`, value);
  if (length !== undefined && value.length !== length) throw new ValueMismatch(`must be an array of ${length}, not of ${value.length}`);
  return value;
}

// Elements are read by index, once each and up to the length at the start: the array may be anything that Array.isArray accepts, a proxy too.
function elements(from: readonly unknown[], typeOf: (index: number) => WitType, isResource: ResourceCheck): unknown[] {
  const { length } = from;
  const copies: unknown[] = [];
  try {
    while (copies.length < length) {
      const value = Object.hasOwn(from, copies.length) ? from[copies.length] : undefined;
      copies.push(copyValue(typeOf(copies.length), value, isResource));
    }
  } catch (error) {
    if (error instanceof ValueMismatch) error.path = `[${copies.length}]${error.path}`;
    throw error;
  }
  return copies;
}

function fields(types: readonly Field[], value: object, isResource: ResourceCheck): object {
  const copy: Record<string, unknown> = {};
  for (const { name, type } of types) {
    const property = camelCase(name);
    copy[property] = inside(`.${property}`, () => copyValue(type, own(value, property), isResource));
  }
  return copy;
}

function flags(names: readonly string[], value: unknown): object {
  const from = object('an object of booleans', value);
  const copy: Record<string, boolean> = {};
  for (const name of names) copy[camelCase(name)] = false;
  for (const property of Object.keys(from)) {
    if (!Object.hasOwn(copy, property)) throw new ValueMismatch(`has no flag ${describeValue(property)}; there are ${alternatives(Object.keys(copy))}`);
    const flag = own(from, property);
    if (flag !== undefined && typeof flag !== 'boolean') inside(`.${property}`, () => mismatch('a boolean', flag));
    copy[property] = flag === true;
  }
  return copy;
}

function variant(cases: readonly Case[], value: unknown, isResource: ResourceCheck): object {
  const from = object('an object { tag, val }', value);
  const tag = own(from, 'tag');
  const found = cases.find(({ name }) => name === tag);
  if (found === undefined) return inside('.tag', () => mismatch(`one of ${alternatives(cases.map(({ name }) => name))}`, tag));
  const payload = own(from, 'val');
  if (found.type !== undefined) {
    const { name, type } = found;
    return { tag: name, val: inside('.val', () => copyValue(type, payload, isResource)) };
  }
  return payload === undefined ? { tag: found.name, val: undefined } : inside('.val', () => mismatch(`undefined for '${found.name}'`, payload));
}

// An option inside an option could not tell its two nones apart, so the outer one is written as a variant.
function option(some: WitType, value: unknown, isResource: ResourceCheck): unknown {
  if (some.kind === 'option') return variant([{ name: 'none' }, { name: 'some', type: some }], value, isResource);
  return value === undefined ? undefined : copyValue(some, value, isResource);
}

function optionalCase(name: string, type: WitType | undefined): Case {
  return type === undefined ? { name } : { name, type };
}

function resource(name: string, value: unknown, isResource: ResourceCheck): object {
  const what = `a live resource '${name}'`;
  const candidate = object(what, value);
  return isResource(name, candidate) ? candidate : mismatch(what, value);
}

function object(what: string, value: unknown): object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : mismatch(what, value);
}

function own(value: object, property: string): unknown {
  return Object.hasOwn(value, property) ? (value as Record<string, unknown>)[property] : undefined;
}

function alternatives(names: readonly string[]): string {
  const shown = names.slice(0, 20).map((name) => `'${name}'`);
  return names.length > shown.length ? `${shown.join(', ')}, …` : shown.join(', ');
}

function mismatch(wanted: string, value: unknown): never {
  throw new ValueMismatch(`must be ${wanted}, not ${describeValue(value)}`);
}
