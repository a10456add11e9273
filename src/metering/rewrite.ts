// The rewriter: a core module in, the same module with its meter built in out. A pure function over bytes. Types, functions, one table, two globals and
// exports are appended behind the guest's own, the start function becomes an export, custom sections are dropped; all else is copied as it stands.
import { type CoreModule, SECTION_ORDER, SectionId, type SizeLimits } from '../wasm/module.ts';
import { readModule } from '../wasm/module-reader.ts';
import { type ValueType, valueTypeCode } from '../wasm/types.ts';
import { Writer } from '../wasm/writer.ts';
import { checkGrown, emitBody, type Layout } from './body.ts';
import { helperFunctions, type HelperTypes, Slot } from './helpers.ts';
import { Type } from './opcodes.ts';
import { BodyPlanner } from './plan.ts';

export { REWRITER_VERSION } from './prices.ts';

/** What the host has to know of a rewritten module; plain data that can be stored as JSON. */
export interface MeterDescriptor {
  /** Names of the appended exports; none of them is a name of the guest's. */
  readonly counter: string;
  readonly stack: string;
  readonly slots: string;
  readonly start?: string;
  /** The memories and tables that the module defines, under the names of their appended exports. Pages of 64 KiB, elements. */
  readonly memories: readonly (SizeLimits & { readonly name: string })[];
  readonly tables: readonly (SizeLimits & { readonly name: string })[];
}

export interface MeteredModule {
  readonly bytes: Uint8Array;
  readonly descriptor: MeterDescriptor;
  /** What was read of the module on the way. */
  readonly module: CoreModule;
}

/**
 * Builds a meter into a core module. `bytes` must be a module that the engine accepts: check it with `WebAssembly.validate` too, since code that is not
 * valid may become so by what is appended. Any bytes are safe to pass: nothing is allocated or walked beyond what they hold.
 * @throws GloveportError INVALID_MODULE, UNSUPPORTED_FEATURE or MODULE_TOO_LARGE, with the offset in `details`.
 */
export function meter(bytes: Uint8Array): MeteredModule {
  const module = readModule(bytes);
  const descriptor = describe(module);
  const types = new AppendedTypes(module);
  const helperTypes: HelperTypes = {
    nothing: types.index([], []),
    unary: types.index(['i32'], ['i32']),
    binary: types.index(['i32', 'i32'], ['i32']),
    growTable: module.tables.map(({ element }) => types.index([element, 'i32'], ['i32'])),
  };
  const firstHelper = module.functionTypes.length;
  const table = module.tables.length;
  const layout: Layout = {
    counter: module.globals,
    stack: module.globals + 1,
    slowPath: firstHelper,
    stackOverflow: firstHelper + 1,
    bulkMemory: firstHelper + 2,
    bulkTable: firstHelper + 3,
    growMemory: firstHelper + 4,
    growTable: firstHelper + 4 + module.memories.length,
    blockType: (results) => types.blockType(results),
  };
  const helpers = helperFunctions(module, layout, helperTypes, table);
  const code = rewriteCode(module, layout);

  const sections = new Sections(module);
  sections.append(SectionId.FUNCTION, helpers.length, (out) => {
    for (const helper of helpers) out.u32(helper.type);
  });
  sections.append(SectionId.TABLE, 1, (out) => out.append([valueTypeCode('funcref'), 1, Slot.COUNT, Slot.COUNT]));
  sections.append(SectionId.GLOBAL, 2, (out) => out.append([...mutableZero('i32'), ...mutableZero('i64')]));
  sections.append(SectionId.EXPORT, exportCount(descriptor), (out) => writeExports(out, module, descriptor, layout, table));
  sections.append(SectionId.TYPE, types.added.length, (out) => types.write(out));
  sections.replace(SectionId.CODE, (out) => {
    out.u32(module.bodies.length / 2 + helpers.length);
    out.append(code.view());
    for (const { body } of helpers) {
      out.u32(body.length);
      out.append(body);
    }
  });
  sections.drop(SectionId.START);
  return { bytes: sections.write(), descriptor, module };
}

function rewriteCode(module: CoreModule, layout: Layout): Writer {
  const { bodies } = module;
  const out = new Writer(module.bytes.length + (module.bytes.length >> 2));
  const body = new Writer(1 << 16);
  const planner = new BodyPlanner(module);
  for (let index = 0; index < bodies.length / 2; index++) {
    const start = bodies[2 * index] as number;
    const end = bodies[2 * index + 1] as number;
    const function_ = module.importedFunctions + index;
    body.clear();
    emitBody(module, planner.plan(function_, start, end), layout, body);
    checkGrown(function_, end - start, body.length);
    out.u32(body.length);
    out.append(body.view());
  }
  return out;
}

/** Function types behind the module's own; each is added once. */
class AppendedTypes {
  readonly added: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] }[] = [];
  readonly #first: number;
  readonly #indices = new Map<string, number>();

  constructor(module: CoreModule) {
    this.#first = module.types.length;
  }

  index(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#first + this.added.push({ params, results }) - 1;
    this.#indices.set(key, index);
    return index;
  }

  blockType(results: readonly ValueType[]): number {
    if (results.length === 0) return Type.EMPTY_BLOCK - 0x80;
    return results.length === 1 ? valueTypeCode(results[0] as ValueType) - 0x80 : this.index([], results);
  }

  write(out: Writer): void {
    for (const { params, results } of this.added) {
      out.u8(0x60);
      out.u32(params.length);
      out.append(params.map(valueTypeCode));
      out.u32(results.length);
      out.append(results.map(valueTypeCode));
    }
  }
}

/** The sections of a module, with entries appended to vectors or contents replaced; what is not touched is copied byte for byte. */
class Sections {
  readonly #module: CoreModule;
  readonly #appended = new Map<number, { readonly count: number; readonly entries: Writer }>();
  readonly #replaced = new Map<number, Writer | undefined>();

  constructor(module: CoreModule) {
    this.#module = module;
  }

  append(id: number, count: number, write: (out: Writer) => void): void {
    const entries = new Writer();
    write(entries);
    this.#appended.set(id, { count, entries });
  }

  replace(id: number, write: (out: Writer) => void): void {
    const contents = new Writer(1 << 16);
    write(contents);
    this.#replaced.set(id, contents);
  }

  drop(id: number): void {
    this.#replaced.set(id, undefined);
  }

  write(): Uint8Array {
    const { bytes, sections } = this.#module;
    const out = new Writer(bytes.length + (bytes.length >> 2) + 1024);
    out.span(bytes, 0, 8);
    for (const id of SECTION_ORDER) {
      const original = sections.find((section) => section.id === id);
      const contents = this.#contents(id, original);
      if (contents === undefined) continue;
      out.u8(id);
      out.u32(contents.length);
      out.append(contents);
    }
    return out.view();
  }

  #contents(id: number, original: { readonly start: number; readonly end: number } | undefined): Uint8Array | undefined {
    if (this.#replaced.has(id)) return this.#replaced.get(id)?.view();
    const appended = this.#appended.get(id);
    const own = original && this.#module.bytes.subarray(original.start, original.end);
    return appended === undefined ? own : appendEntries(own, appended.count, appended.entries.view());
  }
}

// A vector with entries behind its own: the count is written anew, the entries are copied.
function appendEntries(own: Uint8Array | undefined, count: number, entries: Uint8Array): Uint8Array {
  const out = new Writer((own?.length ?? 0) + entries.length + 8);
  let at = 0;
  let before = 0;
  if (own !== undefined) {
    for (let shift = 0; ; shift += 7) {
      const byte = own[at++] as number;
      before |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  out.u32(before + count);
  if (own !== undefined) out.append(own.subarray(at));
  out.append(entries);
  return out.view();
}

function mutableZero(type: 'i32' | 'i64'): number[] {
  const constant = type === 'i32' ? 0x41 : 0x42;
  return [valueTypeCode(type), 1, constant, 0, 0x0b];
}

function describe(module: CoreModule): MeterDescriptor {
  const prefix = freshPrefix(module);
  return {
    counter: `${prefix}counter`,
    stack: `${prefix}stack`,
    slots: `${prefix}slots`,
    ...(module.start === undefined ? {} : { start: `${prefix}start` }),
    memories: module.memories.slice(module.importedMemories).map((memory, index) => ({ name: `${prefix}memory${index}`, ...memory })),
    tables: module.tables.slice(module.importedTables).map(({ element: _, ...table }, index) => ({ name: `${prefix}table${index}`, ...table })),
  };
}

// A prefix that no export of the guest's begins with.
function freshPrefix(module: CoreModule): string {
  const taken = new Set(module.exports.map(({ name }) => /^gloveport\/(\d+)\//.exec(name)?.[1]));
  let number = 0;
  while (taken.has(String(number))) number++;
  return `gloveport/${number}/`;
}

function exportCount(descriptor: MeterDescriptor): number {
  return 3 + (descriptor.start === undefined ? 0 : 1) + descriptor.memories.length + descriptor.tables.length;
}

function writeExports(out: Writer, module: CoreModule, descriptor: MeterDescriptor, layout: Layout, table: number): void {
  const entry = (name: string, kind: number, index: number): void => {
    out.name(name);
    out.u8(kind);
    out.u32(index);
  };
  entry(descriptor.counter, 3, layout.counter);
  entry(descriptor.stack, 3, layout.stack);
  entry(descriptor.slots, 1, table);
  if (descriptor.start !== undefined) entry(descriptor.start, 0, module.start as number);
  for (const [index, { name }] of descriptor.memories.entries()) entry(name, 2, module.importedMemories + index);
  for (const [index, { name }] of descriptor.tables.entries()) entry(name, 1, module.importedTables + index);
}
