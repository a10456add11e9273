// The rewriter: a core module in, the same module with its meter built in out. A pure function over bytes. Types, functions, one table, globals and
// exports are appended behind the guest's own, the start function becomes an export, custom sections give way to the module's name; all else is copied.
import { describeValue, GloveportError } from '../errors.ts';
import { BRANCH_HINTS } from '../wasm/branch-hints.ts';
import { functionNameBytes } from '../wasm/function-names.ts';
import { type CoreModule, SectionId, type SizeLimits } from '../wasm/module.ts';
import { readModule } from '../wasm/module-reader.ts';
import { ModuleWriter } from '../wasm/module-writer.ts';
import { Reader } from '../wasm/reader.ts';
import { Writer } from '../wasm/writer.ts';
import { describeProfile, type ProfileDescriptor, SLOT_BYTES } from './attribution.ts';
import { BodyWriter, checkGrown } from './body.ts';
import { planFunctions } from './call-graph.ts';
import { Helpers, Slot } from './helpers.ts';
import { HintWriter } from './hints.ts';
import { type HostSignature, hostSignature } from './host-values.ts';
import type { Layout } from './layout.ts';
import { Op, Type } from './opcodes.ts';
import { prices } from './prices.ts';
import { scanCode } from './scan.ts';
import { type Trace, TraceWriter } from './trace.ts';

export { REWRITER_VERSION } from './prices.ts';

/** What the host has to know of a rewritten module; plain data, as `structuredClone` takes it. */
export interface MeterDescriptor {
  /** Names of the appended exports; none of them is a name of the guest's. */
  readonly counter: string;
  readonly stack: string;
  readonly heap: string;
  readonly slots: string;
  readonly start?: string;
  /** Of a module with a profile. */
  readonly profile?: ProfileDescriptor;
  /** What each function import asks of a host function, in their order. */
  readonly functionImports: readonly HostSignature[];
  /** Units that instantiating it costs, its start function aside. */
  readonly instantiationUnits: number;
  /** Bytes of the collector's objects that the initialisers allocate. */
  readonly initialHeapBytes: number;
  /** The memories and tables that the module defines, under the names of their appended exports. Pages of 64 KiB, elements. */
  readonly memories: readonly (SizeLimits & { readonly name: string })[];
  readonly tables: readonly (SizeLimits & { readonly name: string })[];
  /** The way back to the original, for errors. */
  readonly trace: Trace;
}

/** Bytes of the original's function names that are kept; those that stand behind them are not known. */
const NAME_BYTES = 4 * 1024 * 1024;

export interface MeterOptions {
  /**
   * What errors call the module where they say in which function a guest stopped: up to 64 ASCII letters, digits and hyphens. Of modules that one guest
   * instantiates under the same name, or none, errors do not say it. Profiles call it the same.
   */
  readonly name?: string;
  /**
   * Counts thrown exceptions for `gcBytes` even where the module itself cannot keep one: for a module that a guest links with one that can (see
   * `MeteredModule.keepsExceptions`). Default: false.
   */
  readonly countExceptions?: boolean;
  /**
   * Adds up fuel by function, for `Meter.profile()`: the same fuel, but more code, slower. Needs an engine that takes several memories in one module.
   */
  readonly profile?: boolean;
}

export interface MeteredModule {
  readonly bytes: Uint8Array;
  readonly descriptor: MeterDescriptor;
  /** Whether it declares or imports a memory that threads share, or waits for other threads. */
  readonly threads: boolean;
  /** Whether its code can keep an exception as a value. */
  readonly keepsExceptions: boolean;
  /** What was read of the module on the way. */
  readonly module: CoreModule;
}

/**
 * Builds a meter into a core module. `bytes` must be a module that the engine accepts: check it with `WebAssembly.validate` too, since code that is not
 * valid may become so by what is appended. Any bytes are safe to pass: nothing is allocated or walked beyond what they hold.
 * @throws GloveportError INVALID_MODULE, UNSUPPORTED_FEATURE or MODULE_TOO_LARGE, with the offset in `details`; INVALID_OPTION.
 */
export function meter(bytes: Uint8Array, { name, profile = false, countExceptions = false }: MeterOptions = {}): MeteredModule {
  checkName(name);
  const module = readModule(bytes);
  const prefix = freshPrefix(module);
  const globals = module.globals.length;
  const layout: Layout = {
    counter: globals,
    stack: globals + 1,
    heap: globals + 2,
    slots: module.tables.length,
    ...(profile && { profile: module.memories.length }),
  };
  const helpers = new Helpers(module, layout);
  const trace = new TraceWriter(1 << 12);
  const hints = new HintWriter();
  const scanned = scanCode(module, countExceptions);
  const plans = planFunctions(module, scanned);
  const code = rewriteCode(module, new BodyWriter(module, scanned, plans, layout, helpers, trace), trace, hints);

  const writer = new ModuleWriter(module, () => false);
  const append = (id: number, count: number, write: (out: Writer) => void): void => {
    if (count === 0) return;
    const entries = new Writer();
    write(entries);
    writer.append(id, count, entries.view());
  };
  append(SectionId.TYPE, helpers.typeCount, (out) => helpers.writeTypes(out));
  append(SectionId.FUNCTION, helpers.count, (out) => helpers.writeTypeIndices(out));
  const slots = profile ? Slot.MARK + 1 : Slot.COUNT;
  append(SectionId.TABLE, 1, (out) => out.append([Type.FUNCREF, 1, slots, slots]));
  append(SectionId.MEMORY, profile ? 1 : 0, (out) => fixedMemory(out, (module.bodies.length / 2) * SLOT_BYTES));
  append(SectionId.GLOBAL, 3, (out) => {
    out.append([...mutableZero(Type.I32, Op.I32_CONST), ...mutableZero(Type.I64, Op.I64_CONST), ...mutableZero(Type.I32, Op.I32_CONST)]);
  });
  const described = describe(module, prefix, profile ? describeProfile(scanned, plans, module.importedFunctions, `${prefix}profile`) : undefined);
  append(SectionId.EXPORT, exportCount(described), (out) => writeExports(out, module, described, layout));
  if (hints.count > 0) writer.insertBefore(SectionId.CODE, BRANCH_HINTS, hints.contents());
  writer.replace(SectionId.CODE, codeSection(module, code, helpers));
  writer.drop(SectionId.START);
  const engineName = name === undefined ? 'gloveport' : `gloveport-${name}`;
  writer.insertLast('name', moduleName(engineName));
  const rewritten = writer.write();
  const kept: Trace = {
    engineName,
    ...(name !== undefined && { module: name }),
    importedFunctions: module.importedFunctions,
    code: firstBody(rewritten),
    spans: trace.view().slice(),
    names: functionNameBytes(module, NAME_BYTES),
  };
  const threads = helpers.waits || module.memories.some(({ shared }) => shared);
  return { bytes: rewritten, descriptor: { ...described, trace: kept }, threads, keepsExceptions: scanned.keepsExceptions, module };
}

function checkName(name: unknown): void {
  if (name === undefined || (typeof name === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(name))) return;
  const message = `name has to be up to 64 ASCII letters, digits and hyphens, not ${describeValue(name)}`;
  throw new GloveportError('INVALID_OPTION', message, { option: 'name' });
}

// A name section with nothing but the module's name, which engines give in stack traces; names of functions would be the guest's own words there.
function moduleName(name: string): Uint8Array {
  const out = new Writer();
  out.u8(0);
  out.sized((subsection) => subsection.name(name));
  return out.view();
}

// Where the first body stands in a module of ours; what is asked of one without bodies has no answer anyway.
function firstBody(bytes: Uint8Array): number {
  const reader = new Reader(bytes, 8);
  while (!reader.done) {
    const id = reader.u8();
    const size = reader.u32();
    if (id === SectionId.CODE) {
      reader.u32();
      return reader.pos;
    }
    reader.skip(size);
  }
  return 0;
}

function rewriteCode(module: CoreModule, writer: BodyWriter, trace: TraceWriter, hints: HintWriter): Writer {
  const { bodies, importedFunctions } = module;
  const out = new Writer(module.bytes.length + (module.bytes.length >> 2));
  const body = new Writer(1 << 16);
  for (let index = 0; index < bodies.length / 2; index++) {
    const start = bodies[2 * index] as number;
    body.clear();
    trace.begin(start);
    writer.write(index, body);
    checkGrown(importedFunctions + index, (bodies[2 * index + 1] as number) - start, body.length);
    hints.add(importedFunctions + index, writer.hints);
    out.u32(body.length);
    trace.end(out.length);
    out.append(body.view());
    checkGrowth(module, out.length);
  }
  return out;
}

// Code that consists of little but heads of loops grows most.
function checkGrowth(module: CoreModule, after: number): void {
  const maximum = GROWTH * module.bytes.length + GROWTH_BYTES;
  if (after <= maximum) return;
  const message = `the module is too large to be metered: its code would grow from ${module.bytes.length} bytes in all to over ${maximum}`;
  throw new GloveportError('MODULE_TOO_LARGE', message, { limit: 'bytes of metered code', value: after, maximum });
}

const GROWTH = 3;
const GROWTH_BYTES = 2 ** 20;

function codeSection(module: CoreModule, code: Writer, helpers: Helpers): Uint8Array[] {
  const count = new Writer();
  count.u32(module.bodies.length / 2 + helpers.count);
  const appended = new Writer();
  helpers.writeBodies(appended);
  return [count.view(), code.view(), appended.view()];
}

function mutableZero(type: number, constant: number): number[] {
  return [type, 1, constant, 0, Op.END];
}

// Limits in pages of 64 KiB, as small as they can be and as large.
function fixedMemory(out: Writer, bytes: number): void {
  const pages = Math.ceil(bytes / 65_536);
  out.u8(1);
  out.u32(pages);
  out.u32(pages);
}

function describe(module: CoreModule, prefix: string, profile: ProfileDescriptor | undefined): Omit<MeterDescriptor, 'trace'> {
  return {
    counter: `${prefix}counter`,
    stack: `${prefix}stack`,
    heap: `${prefix}heap`,
    slots: `${prefix}slots`,
    ...(module.start === undefined ? {} : { start: `${prefix}start` }),
    ...(profile === undefined ? {} : { profile }),
    functionImports: module.imports.flatMap(({ type }) => (type === undefined ? [] : [hostSignature(type)])),
    instantiationUnits: instantiationUnits(module),
    initialHeapBytes: module.initialGcBytes,
    memories: module.memories.slice(module.importedMemories).map((memory, index) => ({ name: `${prefix}memory${index}`, ...memory })),
    tables: module.tables.slice(module.importedTables).map(({ element: _, ...table }, index) => ({ name: `${prefix}table${index}`, ...table })),
  };
}

// What stands ready before the first instruction, at the price of making it; what is only declared is bounded by budgets.
function instantiationUnits(module: CoreModule): number {
  const minimum = (all: readonly SizeLimits[]): number => all.reduce((sum, limits) => sum + limits.minimum, 0);
  return (
    prices.page * minimum(module.memories.slice(module.importedMemories)) +
    prices.element * (minimum(module.tables.slice(module.importedTables)) + module.elementEntries) +
    (module.dataBytes >>> prices.bulkMemoryShift) +
    module.initialGcBytes
  );
}

// A prefix that no export of the guest's begins with.
function freshPrefix(module: CoreModule): string {
  const taken = new Set(module.exports.map(({ name }) => /^gloveport\/(\d+)\//.exec(name)?.[1]));
  let number = 0;
  while (taken.has(String(number))) number++;
  return `gloveport/${number}/`;
}

function exportCount(descriptor: Omit<MeterDescriptor, 'trace'>): number {
  return 4 + (descriptor.start === undefined ? 0 : 1) + (descriptor.profile === undefined ? 0 : 1) + descriptor.memories.length + descriptor.tables.length;
}

function writeExports(out: Writer, module: CoreModule, descriptor: Omit<MeterDescriptor, 'trace'>, layout: Layout): void {
  const entry = (name: string, kind: number, index: number): void => {
    out.name(name);
    out.u8(kind);
    out.u32(index);
  };
  entry(descriptor.counter, 3, layout.counter);
  entry(descriptor.stack, 3, layout.stack);
  entry(descriptor.heap, 3, layout.heap);
  entry(descriptor.slots, 1, layout.slots);
  if (descriptor.start !== undefined) entry(descriptor.start, 0, module.start as number);
  if (descriptor.profile !== undefined) entry(descriptor.profile.memory, 2, layout.profile as number);
  for (const [index, { name }] of descriptor.memories.entries()) entry(name, 2, module.importedMemories + index);
  for (const [index, { name }] of descriptor.tables.entries()) entry(name, 1, module.importedTables + index);
}
