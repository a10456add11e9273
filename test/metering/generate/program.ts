// Generated programs: a tree becomes a module that is valid, ends, and whose every result is determined, together with calls of its exports. Every program
// comes in two builds: as it is, and with code before each operator that counts in a global what is executed.
import fc from 'fast-check';
import { Writer } from '../../../src/wasm/writer.ts';
import { callExpressions, callStatements } from './calls.ts';
import { Code, type Counters } from './code.ts';
import { controlExpressions, controlStatements } from './control.ts';
import { type Features, supported } from './features.ts';
import { FunctionWriter, type Repertoire } from './function-writer.ts';
import { memoryExpressions, memoryStatements } from './memory.ts';
import { numericExpressions, numericStatements } from './numeric.ts';
import { PARTS, referableOf, type Shape, type Sizes, shapeOf } from './shape.ts';
import { referenceExpressions, referenceStatements } from './references.ts';
import { tableExpressions, tableStatements } from './tables.ts';
import { Dice, type Tree, trees } from './tree.ts';
import { FUNCREF, isReference, type ValueType, writeHeapType, writeValueType } from './types.ts';

export interface Call {
  /** The index of an exported function. */
  readonly function: number;
  readonly args: readonly unknown[];
}

export interface Program {
  readonly shape: Shape;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same with the globals of {@link Counters} exported under their names. */
  readonly counted: Uint8Array<ArrayBuffer>;
  readonly calls: readonly Call[];
  /** The exported function that the host calls back. */
  readonly callback: number | undefined;
  /** For the report of a counterexample. */
  [fc.toStringMethod](): string;
}

const WHOLE: Repertoire = {
  expressions: [...numericExpressions, ...memoryExpressions, ...tableExpressions, ...referenceExpressions, ...callExpressions, ...controlExpressions],
  statements: [...numericStatements, ...memoryStatements, ...tableStatements, ...referenceStatements, ...callStatements, ...controlStatements],
};
const STRAIGHT: Repertoire = {
  expressions: [...numericExpressions, ...memoryExpressions, ...tableExpressions],
  statements: [...numericStatements, ...memoryStatements, ...tableStatements],
  straight: true,
};

const LIST = [PARTS.length, PARTS.length] as const;
const DECLARATIONS = [LIST, [0, 3]] as const;
const CALLS = [
  [1, 4],
  [0, 4],
] as const;
const FUNCTION = [
  [2, 8],
  [1, 4],
  [0, 4],
  [0, 3],
  [0, 3],
] as const;

/** Programs of any shape. */
export function programs(features: Features = supported): fc.Arbitrary<Program> {
  return trees([DECLARATIONS, CALLS, FUNCTION], [1, 6]).map((tree) => compile(tree, features, WHOLE));
}

/** Programs of two functions of the same type and locals, the first without branches, calls and traps, the second empty. */
export function straightPrograms(features: Features = supported): fc.Arbitrary<Program> {
  return trees([DECLARATIONS, CALLS, FUNCTION], [1, 1]).map((tree) => {
    const [declarations, calls, first] = tree.kids;
    const functions = first === undefined ? [] : [first, { ...first, kids: first.kids.slice(0, 1) }];
    return compile({ ...tree, kids: [declarations ?? NO_TREE, calls ?? NO_TREE, ...functions] }, features, STRAIGHT);
  });
}

const NO_TREE: Tree = { pick: 0, value: 0, kids: [] };

function compile({ kids: [declarations, calls, ...functions] }: Tree, features: Features, repertoire: Repertoire): Program {
  const shape = shapeOf(declarations, functions, features, repertoire.straight);
  const exported = [...shape.functions.keys()].filter((index) => shape.functions[index]?.exported);
  const callbacks = exported.filter((index) => shape.functions[index]?.kind === 'guarded' && !shape.functions[index]?.throws);
  const bytes = assemble(shape, repertoire, undefined);
  const args = exported.length === 0 ? [] : (calls?.kids ?? []).map((call) => callOf(call, exported, shape));
  return {
    shape,
    bytes,
    counted: assemble(shape, repertoire, countersOf(shape)),
    calls: args,
    callback: callbacks.at(-1),
    [fc.toStringMethod]: () => `calls ${args.map((call) => `f${call.function}(${call.args.map(String).join(', ')})`).join('; ')} of module ${hex(bytes)}`,
  };
}

function countersOf({ globals: { length } }: Shape): Counters {
  return { executed: length, depth: length + 1, deepest: length + 2 };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function callOf(tree: Tree, exported: readonly number[], shape: Shape): Call {
  const function_ = exported[tree.pick % exported.length] as number;
  const params = shape.functions[function_]?.params ?? [];
  return { function: function_, args: params.map((param, index) => argumentOf(param, new Dice(tree.kids[index]))) };
}

function argumentOf(type: ValueType, dice: Dice): unknown {
  switch (type) {
    case 'i32':
      return dice.below(2) === 0 ? dice.below(8) : dice.below(2 ** 32) | 0;
    case 'i64':
      return dice.below(2) === 0 ? BigInt(dice.below(8)) : BigInt.asIntN(64, BigInt(dice.below(2 ** 50)) * 0x9e37_79b9n);
    case 'f32':
    case 'f64':
      return dice.of([0, 1, -0, 0.5, -1e9, 1e20, Number.NaN, Number.POSITIVE_INFINITY, dice.below(1_000) / 7]);
    case FUNCREF:
      return null;
    default:
      return dice.of([null, 'a token', 7]);
  }
}

function assemble(shape: Shape, repertoire: Repertoire, counters: Counters | undefined): Uint8Array<ArrayBuffer> {
  // Tags and bodies first, since they add types.
  const tags = shape.tags.map((params) => shape.types.function(params, []));
  const bodies = new Writer(4_096);
  const defined = shape.functions.filter(({ kind }) => kind !== 'host');
  bodies.u32(defined.length);
  for (const self of defined) {
    const code = new Code(counters);
    const writer = new FunctionWriter(shape, self, code, repertoire);
    writer.write();
    bodies.sized((body) => {
      const locals = writer.locals.slice(self.params.length);
      body.u32(locals.length);
      for (const type of locals) {
        body.u32(1);
        writeValueType(body, type);
      }
      body.append(code.out.view());
    });
  }
  const out = new Writer(4_096);
  out.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, write: (writer: Writer) => void): void => {
    out.u8(id);
    out.sized(write);
  };
  section(1, (writer) => shape.types.write(writer));
  section(2, (writer) => writeImports(writer, shape));
  section(3, (writer) => vector(writer, defined, ({ type }) => writer.u32(type)));
  section(4, (writer) => vector(writer, own(shape.tables), (table) => writeTable(writer, table)));
  section(5, (writer) => vector(writer, own(shape.memories), (memory) => writeMemory(writer, memory)));
  if (tags.length > 0) section(13, (writer) => vector(writer, tags, (type) => writer.append([0, ...leb(type)])));
  section(6, (writer) => writeGlobals(writer, shape, counters));
  section(7, (writer) => writeExports(writer, shape, counters));
  const { start } = shape;
  if (start !== undefined) section(8, (writer) => writer.u32(start));
  section(9, (writer) => writeElements(writer, shape));
  section(12, (writer) => writer.u32(shape.data.length + own(shape.memories).length));
  section(10, (writer) => writer.append(bodies.view()));
  section(11, (writer) => writeData(writer, shape));
  return new Uint8Array(out.view());
}

function leb(value: number): Uint8Array {
  const writer = new Writer();
  writer.u32(value);
  return writer.view();
}

function own<Item extends { readonly imported: boolean }>(items: readonly Item[]): Item[] {
  return items.filter(({ imported }) => !imported);
}

function vector<Item>(writer: Writer, items: readonly Item[], write: (item: Item, index: number) => void): void {
  writer.u32(items.length);
  for (const [index, item] of items.entries()) write(item, index);
}

/** Imports are named like the exports of the same things, `f0`, `t0`, `m0`, `g0`, all from `host`. */
function writeImports(writer: Writer, shape: Shape): void {
  const imports: (() => void)[] = [];
  const entry = (name: string, kind: number, type: () => void): void => {
    imports.push(() => {
      writer.name('host');
      writer.name(name);
      writer.u8(kind);
      type();
    });
  };
  for (const [index, { kind, type }] of shape.functions.entries()) if (kind === 'host') entry(`f${index}`, 0, () => writer.u32(type));
  for (const [index, table] of shape.tables.entries()) if (table.imported) entry(`t${index}`, 1, () => writeTable(writer, table));
  for (const [index, memory] of shape.memories.entries()) if (memory.imported) entry(`m${index}`, 2, () => writeMemory(writer, memory));
  for (const [index, { type, mutable, imported }] of shape.globals.entries()) {
    if (!imported) continue;
    entry(`g${index}`, 3, () => {
      writeValueType(writer, type);
      writer.u8(mutable ? 1 : 0);
    });
  }
  vector(writer, imports, (one) => one());
}

function writeTable(writer: Writer, table: Sizes & { readonly element: ValueType }): void {
  writeValueType(writer, table.element);
  writeSizes(writer, table, 0);
}

function writeMemory(writer: Writer, memory: Sizes & { readonly shared: boolean }): void {
  writeSizes(writer, memory, memory.shared ? 2 : 0);
}

function writeSizes(writer: Writer, { address, minimum, maximum }: Sizes, flags: number): void {
  writer.u8(1 | flags | (address === 'i64' ? 4 : 0));
  writer.u32(minimum);
  writer.u32(maximum);
}

function writeGlobals(writer: Writer, shape: Shape, counters: Counters | undefined): void {
  const referable = referableOf(shape.functions);
  const counting = (counters === undefined ? [] : ['i64', 'i32', 'i32']).map((type) => ({ type, mutable: true }));
  vector(writer, [...own(shape.globals), ...counting], ({ type, mutable }, index) => {
    writeValueType(writer, type);
    writer.u8(mutable ? 1 : 0);
    writeConstant(writer, type, index % 3 === 1 ? referable[index % referable.length] : undefined);
  });
}

// A constant expression: the function, where there is one for the type, or a fixed value.
function writeConstant(writer: Writer, type: ValueType, function_: number | undefined): void {
  const code = new Code(undefined);
  if (type === FUNCREF && function_ !== undefined) code.op('ref.func', function_);
  else if (type === 'i32') code.i32(0);
  else if (type === 'i64') code.i64(0n);
  else if (type === 'f32') code.f32(1.5);
  else if (type === 'f64') code.f64(-2.5);
  else if (type === 'v128') code.v128(Array.from({ length: 16 }, (_, byte) => byte));
  else {
    code.op('ref.null');
    writeHeapType(code.out, type);
  }
  code.op('end');
  writer.append(code.out.view());
}

function writeExports(writer: Writer, shape: Shape, counters: Counters | undefined): void {
  const exports: [name: string, kind: number, index: number][] = [];
  for (const [index, { exported }] of shape.functions.entries()) if (exported) exports.push([`f${index}`, 0, index]);
  for (const index of shape.tables.keys()) exports.push([`t${index}`, 1, index]);
  for (const index of shape.memories.keys()) exports.push([`m${index}`, 2, index]);
  for (const index of shape.globals.keys()) exports.push([`g${index}`, 3, index]);
  for (const index of shape.tags.keys()) exports.push([`e${index}`, 4, index]);
  for (const [name, index] of Object.entries(counters ?? {})) exports.push([name, 3, index]);
  vector(writer, exports, ([name, kind, index]) => {
    writer.name(name);
    writer.u8(kind);
    writer.u32(index);
  });
}

// Passive segments first, so that code counts them from 0, then what tables start with, then a declaration of all functions that references
// may be made of.
function writeElements(writer: Writer, shape: Shape): void {
  const expressions = (entries: readonly (number | undefined)[]): void =>
    vector(writer, entries, (entry) => writer.append(entry === undefined ? [0xd0, 0x70, 0x0b] : [0xd2, ...leb(entry), 0x0b]));
  const tables = [...shape.tables.entries()].filter(([, { initial, imported }]) => initial.length > 0 && !imported);
  writer.u32(shape.elements.length + tables.length + 1);
  for (const entries of shape.elements) {
    writer.append([5, 0x70]);
    expressions(entries);
  }
  for (const [index, { address, initial }] of tables) {
    writer.append([6, ...leb(index), address === 'i64' ? 0x42 : 0x41, 0, 0x0b, 0x70]);
    expressions(initial);
  }
  writer.append([3, 0]);
  vector(writer, referableOf(shape.functions), (index) => writer.u32(index));
}

// Passive segments first, then a few bytes at the start of each memory.
function writeData(writer: Writer, shape: Shape): void {
  const memories = [...shape.memories.entries()].filter(([, { imported }]) => !imported);
  writer.u32(shape.data.length + memories.length);
  for (const bytes of shape.data) {
    writer.u8(1);
    writer.u32(bytes.length);
    writer.append(bytes);
  }
  for (const [index, { address, minimum }] of memories) {
    const code = new Code(undefined);
    const at = shape.misplaced ? minimum * 65_536 - 1 : 16;
    if (address === 'i32') code.i32(at);
    else code.i64(BigInt(at));
    code.op('end');
    const bytes = minimum === 0 && !shape.misplaced ? [] : [0xc0, 0xff, 0x7f, index];
    const offset = bytes.length === 0 ? [address === 'i32' ? 0x41 : 0x42, 0, 0x0b] : code.out.view();
    writer.append([2, ...leb(index), ...offset, bytes.length, ...bytes]);
  }
}

/** Whether JavaScript may read globals and tables of the type. */
export function isReadable(type: ValueType): boolean {
  return type !== 'v128' && !(isReference(type) && type.endsWith('exn'));
}
