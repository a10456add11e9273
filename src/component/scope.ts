// Evaluates the edited glue with nothing in reach but intrinsics that compute: no name of the global object resolves, whatever a host adds to it, and no
// file is touched. It runs in the caller's realm, so that the arrays and objects of results are the caller's own kinds.
import { compileFunction } from 'node:vm';
import { ComponentError, GloveportError } from '../errors.ts';

/** What the transpiler's `instantiate` takes: modules by name, imports by interface, and what makes an instance of a module. */
export type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: Readonly<Record<string, unknown>>,
  instantiateCore: (module: WebAssembly.Module, imports?: Readonly<Record<string, Readonly<Record<string, unknown>>>>) => { readonly exports: unknown },
) => Record<string, unknown>;

/** Makes an `instantiate` whose guards are those of one guest. */
export type GlueFactory = (guards: Readonly<Record<string, unknown>>) => Instantiate;

const { Global, Instance, Module, RuntimeError, Suspending, promising } = WebAssembly as typeof WebAssembly & Record<'Suspending' | 'promising', unknown>;
const limitedWebAssembly = Object.freeze(Object.assign(Object.create(null), { Global, Instance, Module, RuntimeError, Suspending, promising }));
const nothing = () => undefined;

const INTRINSICS: Readonly<Record<string, unknown>> = {
  Array,
  ArrayBuffer,
  BigInt,
  BigInt64Array,
  BigUint64Array,
  Boolean,
  DataView,
  Error,
  Float32Array,
  Float64Array,
  Infinity,
  Int16Array,
  Int32Array,
  Int8Array,
  JSON,
  Map,
  Math,
  NaN,
  Number,
  Object,
  Promise,
  RangeError,
  Set,
  String,
  Symbol,
  TextEncoder,
  TypeError,
  undefined,
  Uint16Array,
  Uint32Array,
  Uint8Array,
  ComponentError,
  WebAssembly: limitedWebAssembly,
  globalThis: Object.freeze(Object.assign(Object.create(null), { WebAssembly: limitedWebAssembly })),
  console: Object.freeze({ debug: nothing, error: nothing }),
  // Only ever set to look for deadlocks between asynchronous tasks, of which there are none.
  setTimeout: nothing,
};

// Found for every name that nothing nearer declares, so that none is looked up on the global object.
const nowhere = new Proxy(Object.create(null), { has: () => true, get: () => undefined, set: () => false });

/** Every name that the glue finds around it without declaring it, besides those with a `$`. */
export const GLOBAL_NAMES: readonly string[] = [...Object.keys(INTRINSICS), 'FinalizationRegistry', 'TextDecoder'];

/**
 * Compiles hardened glue. Nothing of it runs before the factory is called.
 * @throws GloveportError UNSUPPORTED_FEATURE when the transpiler wrote something that is not JavaScript, as it does for some odd components.
 */
export function compileGlue(source: string): GlueFactory {
  const body = `with (nowhere) return function (${Object.keys(INTRINSICS)}) { 'use strict'; return function ($guards) {
    const { $elements, $lift, $slice, $bytes, $entry, $created, $crossing, $host, $drop, $waiting, $noTask, FinalizationRegistry, TextDecoder } = $guards;
    ${source}
  }; };`;
  let within: (nowhere: object) => (...intrinsics: unknown[]) => GlueFactory;
  try {
    within = compileFunction(body, ['nowhere'], { filename: 'component.js' }) as typeof within;
  } catch (error) {
    throw new GloveportError('UNSUPPORTED_FEATURE', 'the component has something that the transpiler cannot handle', { feature: 'unknown' }, { cause: error });
  }
  return within(nowhere)(...Object.values(INTRINSICS));
}
