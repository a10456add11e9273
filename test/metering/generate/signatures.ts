// What each operator without control takes and gives, worked out from its name: the engine's validation of every generated module says if it is right.
import { operators } from '../../../src/wasm/operators.ts';
import { NUMERIC, type ValueType } from './types.ts';

export interface TypedOperator {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** How many values a lane immediate has; 32 for the sixteen of a shuffle. */
  readonly lanes: number;
}

export interface MemoryOperator {
  readonly name: string;
  /** The values that it takes besides the address. */
  readonly params: readonly ValueType[];
  readonly result: ValueType | undefined;
  /** Bytes of the access. */
  readonly size: number;
  readonly lanes: number;
  readonly atomic: boolean;
}

const LANES: Readonly<Record<string, readonly [type: ValueType, count: number]>> = {
  i8x16: ['i32', 16],
  i16x8: ['i32', 8],
  i32x4: ['i32', 4],
  i64x2: ['i64', 2],
  f32x4: ['f32', 4],
  f64x2: ['f64', 2],
};
const COMPARISON = /^(eq|ne|lt|gt|le|ge)(_[su])?$/;
const SCALAR_UNARY = /^(clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|extend(8|16|32)_s)$/;
const CONVERSION = /_(i32|i64|f32|f64)(_[su])?$/;
const VECTOR_UNARY = /^(not|abs|neg|sqrt|ceil|floor|trunc|nearest|popcnt|(extend|extadd|convert|trunc_sat|demote|promote|relaxed_trunc)_.*)$/;
const VECTOR_TERNARY = /^(bitselect|relaxed_(laneselect|n?madd|dot_i8x16_i7x16_add_s))$/;

/** Numeric and vector operators. */
export const typedOperators: readonly TypedOperator[] = names().flatMap((name) => typed(name) ?? []);

/** Loads, stores and atomic accesses. Waiting and notifying is not among them. */
export const memoryOperators: readonly MemoryOperator[] = names().flatMap((name) => memory(name) ?? []);

function names(): string[] {
  return [...operators.values()].filter(({ price }) => price !== undefined).map(({ name }) => name);
}

function typed(name: string): TypedOperator | undefined {
  const [type = '', operation = ''] = name.split('.');
  if (/const|load|store|atomic|128|mul_wide/.test(operation)) return undefined;
  if (NUMERIC.includes(type)) return scalar(name, type, operation);
  const lane = LANES[type];
  if (lane === undefined && type !== 'v128') return undefined;
  const [element, count] = lane ?? ['i32', 0];
  const of = (params: readonly ValueType[], result: ValueType, lanes = 0): TypedOperator => ({ name, params, result, lanes });
  if (operation === 'splat') return of([element], 'v128');
  if (operation.startsWith('extract_lane')) return of(['v128'], element, count);
  if (operation === 'replace_lane') return of(['v128', element], 'v128', count);
  if (operation === 'shuffle') return of(['v128', 'v128'], 'v128', 32);
  if (/^sh[lr]/.test(operation)) return of(['v128', 'i32'], 'v128');
  if (/all_true|any_true|bitmask/.test(operation)) return of(['v128'], 'i32');
  if (VECTOR_UNARY.test(operation)) return of(['v128'], 'v128');
  if (VECTOR_TERNARY.test(operation)) return of(['v128', 'v128', 'v128'], 'v128');
  return of(['v128', 'v128'], 'v128');
}

function scalar(name: string, type: ValueType, operation: string): TypedOperator {
  const from = CONVERSION.exec(operation)?.[1];
  if (operation === 'eqz') return { name, params: [type], result: 'i32', lanes: 0 };
  if (COMPARISON.test(operation)) return { name, params: [type, type], result: 'i32', lanes: 0 };
  if (SCALAR_UNARY.test(operation)) return { name, params: [type], result: type, lanes: 0 };
  if (from !== undefined) return { name, params: [from], result: type, lanes: 0 };
  return { name, params: [type, type], result: type, lanes: 0 };
}

function memory(name: string): MemoryOperator | undefined {
  const match = /^(i32|i64|f32|f64|v128)\.(atomic\.)?(load|store|rmw)(\d+)?(x\d)?(_zero|_splat|_lane|_[su]|\.(\w+?)(_u)?)?$/.exec(name);
  if (match === null) return undefined;
  const [, type = '', atomic, access, bits, times, variant, modification] = match;
  const whole = { i32: 4, f32: 4, i64: 8, f64: 8, v128: 16 }[type] as number;
  const size = bits === undefined ? whole : (Number(bits) / 8) * Number(times?.slice(1) ?? 1);
  const lane = variant === '_lane';
  const base = { name, size, lanes: lane ? 16 / size : 0, atomic: atomic !== undefined };
  if (access === 'store') return { ...base, params: [type], result: undefined };
  if (access === 'load') return { ...base, params: lane ? [type] : [], result: type };
  return { ...base, params: modification === 'cmpxchg' ? [type, type] : [type], result: type };
}
