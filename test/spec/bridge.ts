// Values over the border of the JavaScript API without loss. A function with floating-point or vector types is not called from JavaScript, which changes
// NaNs and has no vectors, but by a small module that takes the arguments from a memory and leaves the results there.
import { Writer } from '../../src/wasm/writer.ts';
import { bytesOf, type NumberType, type NumberValue } from './values.ts';

type Run = () => void;

const memory = new WebAssembly.Memory({ initial: 1 });
const SLOT = 16;

/** Whether values of these types survive the JavaScript API as they are. */
export function needsBridge(types: readonly NumberType[]): boolean {
  return types.some((type) => type !== 'i32' && type !== 'i64');
}

/**
 * A call with exact numbers. `call` runs the guest: everything that it throws passes.
 * @returns the bytes of each result, undefined when the function's type is another one.
 */
export function callBridged(
  target: CallableFunction,
  args: readonly NumberValue[],
  results: readonly NumberType[],
  call: (run: Run) => void,
): readonly Uint8Array[] | undefined {
  const params = args.map(({ type }) => type);
  const run = bridgeTo(target, `${params.join()}>${results.join()}`, () => functionBridge(params, results));
  if (run === undefined) return undefined;
  const bytes = new Uint8Array(memory.buffer);
  for (const [index, value] of args.entries()) bytes.set(bytesOf(value), index * SLOT);
  call(run);
  return results.map((type, index) => bytes.slice(index * SLOT, index * SLOT + SIZES[type]));
}

/** The bytes of a global's value, undefined when its type is another one. */
export function readGlobal(target: WebAssembly.Global, type: NumberType): Uint8Array | undefined {
  const run = [0, 1].map((mutability) => bridgeTo(target, `${type}${mutability}`, () => globalBridge(type, mutability))).find(Boolean);
  run?.();
  return run && new Uint8Array(memory.buffer).slice(0, SIZES[type]);
}

const SIZES: Readonly<Record<NumberType, number>> = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 };
const CODES: Readonly<Record<NumberType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const LOADS: Readonly<Record<NumberType, readonly number[]>> = { i32: [0x28], i64: [0x29], f32: [0x2a], f64: [0x2b], v128: [0xfd, 0] };
const STORES: Readonly<Record<NumberType, readonly number[]>> = { i32: [0x36], i64: [0x37], f32: [0x38], f64: [0x39], v128: [0xfd, 11] };

const modules = new Map<string, WebAssembly.Module>();
const bridges = new WeakMap<object, Map<string, Run | undefined>>();

function bridgeTo(target: CallableFunction | WebAssembly.Global, signature: string, build: () => Uint8Array): Run | undefined {
  const known = bridges.get(target) ?? new Map<string, Run | undefined>();
  bridges.set(target, known);
  if (known.has(signature)) return known.get(signature);
  const module = modules.get(signature) ?? new WebAssembly.Module(build() as BufferSource);
  modules.set(signature, module);
  let run: Run | undefined;
  try {
    run = new WebAssembly.Instance(module, { '': { target: target as WebAssembly.ImportValue, memory } }).exports.run as Run;
  } catch (error) {
    if (!(error instanceof WebAssembly.LinkError)) throw error;
  }
  known.set(signature, run);
  return run;
}

// (func (export "run") (local results…) address, load, …, call, local.set, …, address, local.get, store, …)
function functionBridge(params: readonly NumberType[], results: readonly NumberType[]): Uint8Array {
  return assemble([0x00, 1], params, results, (out) => {
    out.u32(results.length);
    for (const type of results) out.append([1, CODES[type]]);
    for (const [index, type] of params.entries()) access(out, index, LOADS[type]);
    out.append([0x10, 0]);
    for (let index = results.length - 1; index >= 0; index--) local(out, 0x21, index);
    for (const [index, type] of results.entries()) access(out, index, STORES[type], () => local(out, 0x20, index));
  });
}

function globalBridge(type: NumberType, mutability: number): Uint8Array {
  return assemble([0x03, CODES[type], mutability], [], [], (out) => {
    out.u8(0);
    access(out, 0, STORES[type], () => out.append([0x23, 0]));
  });
}

function access(out: Writer, index: number, operator: readonly number[], value: () => void = () => {}): void {
  out.u8(0x41);
  out.s32(index * SLOT);
  value();
  out.append([...operator, 0, 0]);
}

function local(out: Writer, operator: number, index: number): void {
  out.u8(operator);
  out.u32(index);
}

// Types: 0 is what `run` has, 1 the target's. Imports: the target and the memory.
function assemble(target: readonly number[], params: readonly NumberType[], results: readonly NumberType[], body: (out: Writer) => void): Uint8Array {
  const out = new Writer();
  const section = (id: number, count: number, contents: (out: Writer) => void): void => {
    out.u8(id);
    out.sized((section) => {
      section.u32(count);
      contents(section);
    });
  };
  out.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  section(1, 2, (types) => {
    types.append([0x60, 0, 0, 0x60]);
    for (const side of [params, results]) {
      types.u32(side.length);
      types.append(side.map((type) => CODES[type]));
    }
  });
  const imports = { target, memory: [0x02, 0, 1] };
  section(2, 2, (entries) => {
    for (const [name, type] of Object.entries(imports)) {
      entries.name('');
      entries.name(name);
      entries.append(type);
    }
  });
  const runs = target[0] === 0x00 ? 1 : 0;
  section(3, 1, (functions) => functions.u8(0));
  section(7, 1, (exports) => {
    exports.name('run');
    exports.append([0x00, runs]);
  });
  section(10, 1, (code) =>
    code.sized((out) => {
      body(out);
      out.u8(0x0b);
    }),
  );
  return out.view();
}
