// What a host function returns, made into what the engine takes: where that fails, it has to fail before the engine sees it, since a guest can catch what the
// engine throws there (WebAssembly JavaScript interface, 'ToWebAssemblyValue').
import type { FunctionType, ValueType } from '../wasm/types.ts';

/** What a function import's type asks of the host. */
export interface HostSignature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Whether no JavaScript function can be called by it: the engine throws at the guest each time. */
  readonly opaque: boolean;
}

export function hostSignature({ params, results }: FunctionType): HostSignature {
  return { params, results, opaque: [...params, ...results].some((type) => OPAQUE.has(type)) };
}

const OPAQUE: ReadonlySet<string> = new Set(['v128', 'exnref', 'nullexnref', '(ref exn)', '(ref noexn)']);

/** The conversion for a host function's result. It throws as the engine would; references are the engine's to check. */
export function resultConversion(results: readonly ValueType[]): (result: unknown) => unknown {
  if (results.length === 0) return () => undefined;
  if (results.length === 1) return conversionTo(results[0] as ValueType);
  const conversions = results.map(conversionTo);
  return (result) => {
    const values = [...(result as Iterable<unknown>)];
    if (values.length !== conversions.length) throw new TypeError(`a host function returned ${values.length} values instead of ${conversions.length}`);
    return values.map((value, index) => (conversions[index] as (value: unknown) => unknown)(value));
  };
}

/** What the engine takes for results that nobody will look at. */
export function anyResult(results: readonly ValueType[]): unknown {
  const values = results.map((type) => (type === 'i64' ? 0n : 0));
  return values.length < 2 ? values[0] : values;
}

function conversionTo(type: ValueType): (value: unknown) => unknown {
  switch (type) {
    case 'i32':
      return (value) => (value as number) | 0;
    case 'i64':
      return (value) => BigInt.asIntN(64, value as bigint);
    case 'f32':
    case 'f64':
      return (value) => +(value as number);
    default:
      return (value) => value;
  }
}
