// Metered builtins for strings of JavaScript (`wasm:js-string`): the engine's own, each behind a function that charges for the size of its work first. They
// are a module of our own with a counter of fuel and one of heap bytes, which the meter treats like those of a guest's modules; what is granted and when to
// stop is the meter's to say. Code units are paid for when a string is made: that pays for flattening it later, and for the bytes that this takes.
import { GloveportError } from '../errors.ts';
import { SectionId } from '../wasm/module.ts';
import { type ValueType, writeValueType } from '../wasm/types.ts';
import { Writer } from '../wasm/writer.ts';
import { Growth, GrowthKind, Reason } from './helpers.ts';
import { Op, Type } from './opcodes.ts';
import { prices, STRING_BYTES } from './prices.ts';

type WasmFunction = (...values: unknown[]) => unknown;

/** The builtins of one guest. */
export interface StringBuiltins {
  /** By name, as functions that WebAssembly exports: what they throw can only be a trap. */
  readonly functions: ReadonlyMap<string, WasmFunction>;
  /** Units left of what was granted, like a guest module's own. */
  readonly counter: WebAssembly.Global<'i32'>;
  /** Bytes left of what was granted of the collector's heap. */
  readonly heap: WebAssembly.Global<'i32'>;
}

/** Whether an import is one of a builtin: names of the module that the proposal does not have are left to the host. */
export function isStringBuiltin(module: string, name: string): boolean {
  return module === MODULE && Object.hasOwn(BUILTINS, name);
}

/**
 * Makes the builtins of one guest.
 * @param slowPath asks for the next quantum, as the guest's modules do: `[i32 Reason] → [i32 stop?]`.
 * @param grow asks for heap: `[i32 GrowthKind, i32 bytes] → [i32 Growth]`.
 * @param charged is told of all units, where a profile is kept: `[i32 units] → []`.
 * @throws GloveportError UNSUPPORTED_FEATURE when the engine has no such builtins.
 */
export function instantiateStringBuiltins(slowPath: WasmFunction, grow: WasmFunction, charged?: (units: number) => void): StringBuiltins {
  const profiled = charged !== undefined;
  const module = compiled.get(profiled) ?? compile(profiled);
  compiled.set(profiled, module);
  const { exports } = new WebAssembly.Instance(module, { '': { slowPath, grow, charged: charged ?? (() => undefined) } });
  return {
    functions: new Map(Object.keys(BUILTINS).map((name) => [name, exports[name] as WasmFunction])),
    counter: exports[COUNTER_NAME] as WebAssembly.Global<'i32'>,
    heap: exports[HEAP_NAME] as WebAssembly.Global<'i32'>,
  };
}

const MODULE = 'wasm:js-string';
const COUNTER_NAME = '0';
const HEAP_NAME = '1';
// The only type beside those of functions: what characters are copied from and to.
const ARRAY = '(ref null 0)';

interface Builtin {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  /** Units for each call. */
  readonly units: number;
  /** Code that charges for the size of the work, where it has one. */
  readonly sized?: (code: Code) => void;
}

// The lengths are bounds where what is wrong with the operands makes the builtin trap or give an empty string. Those that trap here do so like the builtin.
const BUILTINS: Readonly<Record<string, Builtin>> = {
  cast: { params: ['externref'], result: '(ref extern)', units: prices.stringBuiltin },
  test: { params: ['externref'], result: 'i32', units: prices.stringBuiltin },
  fromCharCodeArray: {
    params: [ARRAY, 'i32', 'i32'],
    result: '(ref extern)',
    units: prices.stringMaking,
    sized: (code) =>
      code
        .get(2)
        .get(1)
        .write(Op.I32_SUB)
        .get(0)
        .write(...ARRAY_LEN)
        .call(LEAST)
        .call(ALLOCATE),
  },
  intoCharCodeArray: {
    params: ['externref', ARRAY, 'i32'],
    result: 'i32',
    units: prices.stringBuiltin,
    sized: (code) => code.get(0).builtin('length').call(CHARGE),
  },
  fromCharCode: { params: ['i32'], result: '(ref extern)', units: prices.stringMaking, sized: (code) => code.constant(1).call(ALLOCATE) },
  fromCodePoint: { params: ['i32'], result: '(ref extern)', units: prices.stringMaking, sized: (code) => code.constant(2).call(ALLOCATE) },
  charCodeAt: { params: ['externref', 'i32'], result: 'i32', units: prices.stringBuiltin },
  codePointAt: { params: ['externref', 'i32'], result: 'i32', units: prices.stringBuiltin },
  length: { params: ['externref'], result: 'i32', units: prices.stringBuiltin },
  concat: {
    params: ['externref', 'externref'],
    result: '(ref extern)',
    units: prices.stringBuiltin,
    sized: (code) => code.get(0).builtin('length').get(1).builtin('length').write(Op.I32_ADD).call(ALLOCATE),
  },
  substring: {
    params: ['externref', 'i32', 'i32'],
    result: '(ref extern)',
    units: prices.stringMaking,
    sized: (code) => code.get(2).get(1).write(Op.I32_SUB).get(0).builtin('length').call(LEAST).call(ALLOCATE),
  },
  equals: {
    params: ['externref', 'externref'],
    result: 'i32',
    units: prices.stringBuiltin,
    // Unlike the others, it takes null.
    sized: (code) => {
      code.get(0).builtin('test').get(1).builtin('test').write(Op.I32_AND, Op.IF, Type.EMPTY_BLOCK);
      code.get(0).builtin('length').get(1).builtin('length').call(LEAST).call(CHARGE).write(Op.END);
    },
  },
  compare: {
    params: ['externref', 'externref'],
    result: 'i32',
    units: prices.stringBuiltin,
    sized: (code) => code.get(0).builtin('length').get(1).builtin('length').call(LEAST).call(CHARGE),
  },
};
const NAMES = Object.keys(BUILTINS);

// Function indices: the builtins, what the meter answers with, helpers, and the functions that stand before the builtins.
const SLOW_PATH = NAMES.length;
const GROW = SLOW_PATH + 1;
const CHARGED = GROW + 1;
const CHARGE = CHARGED + 1;
const ALLOCATE = CHARGE + 1;
const LEAST = ALLOCATE + 1;
const FIRST_WRAPPER = LEAST + 1;
const COUNTER = 0;
const HEAP = 1;
const ARRAY_LEN = [0xfb, 0x0f];
/** More code units than any limit allows a string to have, few enough that their bytes fit the counters. */
const LONGEST = 2 ** 28;

/** Without and with what a profile needs. */
const compiled = new Map<boolean, WebAssembly.Module>();

function compile(profiled: boolean): WebAssembly.Module {
  let module: WebAssembly.Module | undefined;
  try {
    module = new WebAssembly.Module(moduleBytes(profiled), { builtins: ['js-string'] });
  } catch {
    // An engine that does not know the types.
  }
  // One that does not know the option, or this set of builtins, ignores it and still wants them imported.
  if (module !== undefined && WebAssembly.Module.imports(module).every(({ module: from }) => from !== MODULE)) return module;
  throw new GloveportError('UNSUPPORTED_FEATURE', `the module imports strings of JavaScript (${MODULE}), which this engine does not offer`, {
    feature: 'JS string builtins',
  });
}

/** Writes instructions, and is its own result so that these read in their order. */
class Code {
  readonly out = new Writer(64);

  write(...bytes: number[]): this {
    this.out.append(bytes);
    return this;
  }

  get(local: number): this {
    return this.write(Op.LOCAL_GET, local);
  }

  set(local: number): this {
    return this.write(Op.LOCAL_SET, local);
  }

  constant(value: number): this {
    this.out.u8(Op.I32_CONST);
    this.out.s32(value);
    return this;
  }

  call(index: number): this {
    return this.write(Op.CALL, index);
  }

  builtin(name: string): this {
    return this.call(NAMES.indexOf(name));
  }

  /** Deducts local 0 from a global, and says whether it is negative now. */
  deduct(global: number): this {
    this.write(Op.GLOBAL_GET, global).get(0).write(Op.I32_SUB, Op.GLOBAL_SET, global);
    return this.write(Op.GLOBAL_GET, global).constant(0).write(Op.I32_LT_S);
  }
}

function moduleBytes(profiled: boolean): Uint8Array<ArrayBuffer> {
  const { types, typeIndex } = functionTypes();
  const wrappers = NAMES.map((name) => BUILTINS[name] as Builtin);
  const typeOf = ({ params, result }: Builtin): number => typeIndex(params, [result]);
  const helpers = [typeIndex(['i32'], []), typeIndex(['i32'], []), typeIndex(['i32', 'i32'], ['i32'])];
  const imports = [
    ...NAMES.map((name, index) => [MODULE, name, typeOf(wrappers[index] as Builtin)] as const),
    ['', 'slowPath', typeIndex(['i32'], ['i32'])] as const,
    ['', 'grow', typeIndex(['i32', 'i32'], ['i32'])] as const,
    ['', 'charged', typeIndex(['i32'], [])] as const,
  ];
  const bodies = [charge(profiled), allocate(), least(), ...wrappers.map(wrapper)];

  const out = new Writer(2048);
  out.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = <Entry>(id: number, entries: readonly Entry[], write: (out: Writer, entry: Entry, index: number) => void): void => {
    out.u8(id);
    out.sized((contents) => {
      contents.u32(entries.length);
      for (const [index, entry] of entries.entries()) write(contents, entry, index);
    });
  };
  section(SectionId.TYPE, types(), (to, type) => to.append(type));
  section(SectionId.IMPORT, imports, (to, [module, name, type]) => {
    to.name(module);
    to.name(name);
    to.append([0, type]);
  });
  section(SectionId.FUNCTION, [...helpers, ...wrappers.map(typeOf)], (to, type) => to.u32(type));
  section(SectionId.GLOBAL, [COUNTER, HEAP], (to) => to.append([Type.I32, 1, Op.I32_CONST, 0, Op.END]));
  section(SectionId.EXPORT, [COUNTER_NAME, HEAP_NAME, ...NAMES], (to, name, index) => {
    to.name(name);
    to.append(index < 2 ? [3, index] : [0, FIRST_WRAPPER + index - 2]);
  });
  section(SectionId.CODE, bodies, (to, body) => {
    to.sized((sized) => {
      sized.u8(0);
      sized.append(body.out.view());
      sized.u8(Op.END);
    });
  });
  return new Uint8Array(out.view());
}

/** The array of 16-bit elements first, then each type of functions once. */
function functionTypes(): { types: () => readonly (readonly number[])[]; typeIndex: (params: readonly ValueType[], results: readonly ValueType[]) => number } {
  const types: number[][] = [[0x5e, 0x77, 1]];
  const indices = new Map<string, number>();
  const typeIndex = (params: readonly ValueType[], results: readonly ValueType[]): number => {
    const key = `${params.join()}>${results.join()}`;
    const known = indices.get(key);
    if (known !== undefined) return known;
    const out = new Writer(16);
    out.u8(0x60);
    for (const list of [params, results]) {
      out.u32(list.length);
      for (const type of list) writeValueType(out, type);
    }
    const index = types.push([...out.view()]) - 1;
    indices.set(key, index);
    return index;
  };
  return { types: () => types, typeIndex };
}

// [i32 units] → []
function charge(profiled: boolean): Code {
  const code = new Code();
  if (profiled) code.get(0).call(CHARGED);
  return code
    .deduct(COUNTER)
    .write(Op.IF, Type.EMPTY_BLOCK)
    .constant(Reason.QUANTUM_SPENT)
    .call(SLOW_PATH)
    .write(Op.IF, Type.EMPTY_BLOCK, Op.UNREACHABLE, Op.END, Op.END);
}

// [i32 code units] → []: charges for a string of that length, a unit for each byte like an array, and takes its bytes.
function allocate(): Code {
  const code = new Code().get(0).constant(LONGEST).call(LEAST).constant(1).write(Op.I32_SHL).constant(STRING_BYTES).write(Op.I32_ADD).set(0);
  code.get(0).call(CHARGE).deduct(HEAP).write(Op.IF, Type.EMPTY_BLOCK);
  code.constant(GrowthKind.HEAP).constant(0).write(Op.GLOBAL_GET, HEAP, Op.I32_SUB).call(GROW);
  return code.constant(Growth.STOP).write(Op.I32_EQ, Op.IF, Type.EMPTY_BLOCK, Op.UNREACHABLE, Op.END, Op.END);
}

// [i32 i32] → [i32]: the lesser one, of numbers without sign.
function least(): Code {
  return new Code().get(0).get(1).get(0).get(1).write(Op.I32_LT_U, Op.SELECT);
}

function wrapper({ params, units, sized }: Builtin, index: number): Code {
  const code = new Code().constant(units).call(CHARGE);
  sized?.(code);
  for (const local of params.keys()) code.get(local);
  return code.call(index);
}
