// What a generated module declares: types, imports, functions without their bodies, memories, tables, globals, tags and segments. Worked out from the
// first parts of a tree; `body.ts` writes the functions, `program.ts` the bytes.
import type { Features } from './features.ts';
import { Dice, type Tree } from './tree.ts';
import { type Composite, EXNREF, EXTERNREF, type Field, FUNCREF, isCrossable, NUMERIC, type Signature, TypeTable, type ValueType } from './types.ts';

/** Guarded functions count down a global at entry and so may call anything; those in the middle call leaves only, and leaves call nothing. */
export type FunctionKind = 'host' | 'guarded' | 'middle' | 'leaf';

export interface FunctionShape extends Signature {
  readonly kind: FunctionKind;
  readonly type: number;
  readonly exported: boolean;
  /** Whether the first parameter bounds its recursion. */
  readonly counted: boolean;
  /** Whether it throws the first tag where it may go no deeper. */
  readonly throws: boolean;
  /** Whether references of it are made, so that it may be called from anywhere. */
  readonly referable: boolean;
  readonly body: readonly Tree[];
}

export interface Sizes {
  readonly address: 'i32' | 'i64';
  readonly minimum: number;
  readonly maximum: number;
  readonly imported: boolean;
}

export interface MemoryShape extends Sizes {
  readonly shared: boolean;
}

export interface TableShape extends Sizes {
  readonly element: ValueType;
  /** The functions in the first slots of a table of functions. */
  readonly initial: readonly (number | undefined)[];
}

export interface GlobalShape {
  readonly type: ValueType;
  readonly mutable: boolean;
  readonly imported: boolean;
}

export interface Shape {
  readonly features: Features;
  /** The engine accepts one encoding of exceptions in a module. */
  readonly exceptions: 'none' | 'standard' | 'legacy';
  readonly types: TypeTable;
  /** Types that locals, parameters and blocks have: those with a default value. */
  readonly values: readonly ValueType[];
  /** Types that are passed between functions and blocks: references that are not null, too. */
  readonly passed: readonly ValueType[];
  /** Imported ones first. */
  readonly functions: readonly FunctionShape[];
  readonly memories: readonly MemoryShape[];
  readonly tables: readonly TableShape[];
  readonly globals: readonly GlobalShape[];
  /** The global that says how many more guarded functions a call may enter. */
  readonly steps: number;
  readonly tags: readonly (readonly ValueType[])[];
  readonly start: number | undefined;
  /** The bytes of passive data segments. */
  readonly data: readonly Uint8Array[];
  /** The functions of passive element segments; undefined for a null. */
  readonly elements: readonly (readonly (number | undefined)[])[];
  /** Whether a segment lies outside its memory, so that the module cannot be instantiated. */
  readonly misplaced: boolean;
}

export const MEMORY_MAXIMUM = 4;
export const TABLE_MAXIMUM = 24;
/** Host functions that every program imports: one that only leaves a trace, one that calls the guest back. */
export const TICK = 0;
export const AGAIN = 1;

/** The parts of the first kid of a program's tree: each holds a list of items, `modes` none. */
export const PARTS = ['modes', 'composites', 'memories', 'tables', 'globals', 'tags', 'hosts', 'segments'] as const;

export function shapeOf(declarations: Tree | undefined, functions: readonly Tree[], features: Features, straight = false): Shape {
  const items = (part: (typeof PARTS)[number]): readonly Tree[] => declarations?.kids[PARTS.indexOf(part)]?.kids ?? [];
  const modes = new Dice(declarations?.kids[0]);
  const exceptions = (['standard', 'legacy', 'none'] as const)[modes.below(3)] as Shape['exceptions'];
  const composites = features.gc ? compositesOf(items('composites')) : [];
  const types = new TypeTable(composites);
  const values = valueTypes(exceptions, composites, features);
  // The types of the two host functions that every program has.
  const signatures = features.functionReferences ? [types.function([], []), types.function(['i32'], ['i32'])] : [];
  values.push(...signatures.map((index) => `ref null ${index}`));
  const sure = [...(features.gc ? ['i31', ...composites.keys()] : []), ...(features.functionReferences ? ['func', ...signatures] : [])];
  const passed = [...values, ...sure.map((heap) => `ref ${heap}`)];
  const crossable = values.filter(isCrossable);
  const hosts = [
    hostFunction(types, [], []),
    hostFunction(types, ['i32'], ['i32']),
    ...items('hosts').map((item) => {
      const { params, results } = signatureOf(item, crossable, 3, 2);
      return hostFunction(types, params, results);
    }),
  ];
  const defined = functions.map((tree, index) => functionOf(tree, straight || index === 0, types, passed));
  const all = [...hosts, ...defined];
  const start = all.findIndex(({ kind, params, results }) => kind === 'guarded' && params.length + results.length === 0);
  const globals = importedFirst(items('globals').map((item) => globalOf(item, values)));
  return {
    features,
    exceptions,
    types,
    values,
    passed,
    functions: all,
    memories: importedFirst(items('memories').map((item) => memoryOf(item, features, straight))),
    tables: importedFirst(items('tables').map((item) => tableOf(item, all, values, features))),
    globals: [...globals, { type: 'i32', mutable: true, imported: false }],
    steps: globals.length,
    tags: exceptions === 'none' ? [] : [[], ...items('tags').map((item) => signatureOf(item, passed, 3, 0).params)],
    start: start >= 0 && !straight && modes.rarely(3) ? start : undefined,
    data: items('segments').map((item) => bytesOf(item)),
    elements: items('segments').map((item) => entriesOf(new Dice(item), 6, all)),
    misplaced: !straight && modes.rarely(40),
  };
}

function importedFirst<Item extends { readonly imported: boolean }>(items: readonly Item[]): Item[] {
  return [...items.filter(({ imported }) => imported), ...items.filter(({ imported }) => !imported)];
}

function hostFunction(types: TypeTable, params: readonly ValueType[], results: readonly ValueType[]): FunctionShape {
  return { kind: 'host', params, results, type: types.function(params, results), exported: false, counted: false, throws: false, referable: true, body: [] };
}

// A function's first kid is its signature; all others are its statements.
function functionOf(tree: Tree, alwaysExported: boolean, types: TypeTable, values: readonly ValueType[]): FunctionShape {
  const dice = new Dice(tree);
  const kind = dice.of(['guarded', 'leaf', 'guarded', 'middle'] as const);
  const counted = kind === 'guarded' && dice.below(3) === 1;
  const exported = alwaysExported || dice.below(2) === 0;
  const throws = kind === 'guarded' && dice.rarely(3);
  const referable = dice.rarely(3);
  const { params, results } = signatureOf(tree.kids[0], exported ? values.filter(isCrossable) : values, 4, dice.rarely(4) ? 4 : 1);
  const all = counted ? ['i32', ...params] : params;
  return { kind, params: all, results, type: types.function(all, results), exported, counted, throws, referable, body: tree.kids.slice(1) };
}

function signatureOf(item: Tree | undefined, values: readonly ValueType[], params: number, results: number): Signature {
  const dice = new Dice(item);
  const list = (most: number): ValueType[] => Array.from({ length: dice.below(most + 1) }, () => dice.of(values));
  return { params: list(params), results: list(results) };
}

function valueTypes(exceptions: Shape['exceptions'], composites: readonly Composite[], features: Features): ValueType[] {
  return [
    ...NUMERIC,
    'i32',
    'i64',
    'v128',
    FUNCREF,
    EXTERNREF,
    ...(exceptions === 'standard' ? [EXNREF] : []),
    ...(features.gc ? ['any', 'eq', 'i31', 'struct', 'array', ...composites.keys()].map((heap) => `ref null ${heap}`) : []),
  ];
}

function compositesOf(items: readonly Tree[]): Composite[] {
  const composites: Composite[] = [];
  for (const item of items) {
    const dice = new Dice(item);
    const field = (): Field => {
      const reference = dice.rarely(3) && composites.length > 0 ? `ref null ${dice.below(composites.length)}` : 'ref null any';
      return { type: dice.of(['i32', 'i64', 'f32', 'f64', 'v128', 'i8', 'i16', reference, FUNCREF, EXTERNREF]), mutable: dice.below(4) > 0 };
    };
    const parent = dice.rarely(2) ? composites.findLastIndex(({ kind }) => kind === 'struct') : -1;
    const own = Array.from({ length: dice.below(4) }, field);
    if (parent >= 0) composites.push({ kind: 'struct', fields: [...(composites[parent] as Composite).fields, ...own], parent });
    else if (dice.rarely(2)) composites.push({ kind: 'array', fields: [{ ...field(), mutable: true }] });
    else composites.push({ kind: 'struct', fields: own });
  }
  return composites;
}

function memoryOf(item: Tree, features: Features, straight: boolean): MemoryShape {
  const dice = new Dice(item);
  return {
    minimum: dice.rarely(30) && !straight ? 0 : 1,
    maximum: 1 + dice.below(MEMORY_MAXIMUM),
    address: features.memory64 && dice.rarely(2) ? 'i64' : 'i32',
    shared: features.threads && dice.rarely(3),
    imported: dice.rarely(4),
  };
}

function tableOf(item: Tree, functions: readonly FunctionShape[], values: readonly ValueType[], features: Features): TableShape {
  const dice = new Dice(item);
  const references = values.filter((type) => type.startsWith('ref'));
  const element = dice.rarely(3) ? dice.of(references) : FUNCREF;
  const minimum = 2 + dice.below(7);
  return {
    element,
    minimum,
    maximum: minimum + dice.below(TABLE_MAXIMUM - 8),
    address: features.memory64 && dice.rarely(3) ? 'i64' : 'i32',
    imported: dice.rarely(4) && isCrossable(element),
    initial: element === FUNCREF ? entriesOf(dice, minimum, functions) : [],
  };
}

function globalOf(item: Tree, values: readonly ValueType[]): GlobalShape {
  const dice = new Dice(item);
  const type = dice.of(values);
  return { type, mutable: dice.below(3) > 0, imported: dice.rarely(4) && isCrossable(type) };
}

function entriesOf(dice: Dice, count: number, functions: readonly FunctionShape[]): (number | undefined)[] {
  const referable = referableOf(functions);
  return Array.from({ length: count }, () => (dice.rarely(8) ? undefined : dice.of(referable)));
}

/** Functions that references may be made of: the imported ones, and some of the others. */
export function referableOf(functions: readonly FunctionShape[]): number[] {
  return [...functions.keys()].filter((index) => functions[index]?.referable);
}

function bytesOf(item: Tree): Uint8Array {
  const dice = new Dice(item);
  return Uint8Array.from({ length: dice.below(40) }, (_, index) => item.pick >>> (index % 24));
}
