// The reader of core modules: what the sections of WebAssembly 3.0 declare, indices that exist, and bytes that are malformed or too many.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { budgets } from '../../src/wasm/budgets.ts';
import { type CoreModule, SECTION_ORDER } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { failureOf, leb, longSection, moduleOf, name, section, typeSection } from './binary.ts';

const read = (...sections: number[][]): CoreModule => readModule(moduleOf(...sections));
const readText = async (text: string): Promise<CoreModule> => readModule(await parse(text));
const VOID = [0x60, 0, 0];
const END = 0x0b;

describe('the type section', () => {
  it('gives one entry for each type index, the members of recursion groups too', async () => {
    const { types } = await readText(`(module
      (type (func (param i32 (ref null 0)) (result anyref)))
      (rec (type $node (sub (struct (field i8) (field (mut i16)) (field (ref null $list))))) (type $list (array (mut (ref $node)))))
      (type $leaf (sub final $node (struct (field i8) (field (mut i16)) (field (ref null $list)) (field v128))))
      (rec)
      (type (sub (func))))`);
    expect(types).toEqual([
      { kind: 'function', final: true, supertype: undefined, params: ['i32', '(ref null 0)'], results: ['anyref'] },
      { kind: 'struct', final: false, supertype: undefined, fields: ['i8', 'i16', '(ref null 2)'] },
      { kind: 'array', final: true, supertype: undefined, element: '(ref 1)' },
      { kind: 'struct', final: true, supertype: 1, fields: ['i8', 'i16', '(ref null 2)', 'v128'] },
      { kind: 'function', final: false, supertype: undefined, params: [], results: [] },
    ]);
  });

  const MALFORMED: Record<string, number[][]> = {
    'a group within a group': [[0x4e, 1, 0x4e, 1, ...VOID]],
    'a group that is longer than its section': [[0x4e, 2, ...VOID]],
    'a type beyond its group': [[0x4e, 1, 0x5f, 1, 0x63, 1, 0], VOID],
    'a type beyond itself, outside of a group': [[0x60, 1, 0x64, 1, 0], VOID],
    'a supertype that is itself': [[0x50, 1, 0, 0x5f, 0]],
    'a supertype behind its subtype': [[0x4e, 2, 0x50, 1, 1, 0x5f, 0, 0x50, 0, 0x5f, 0]],
    'two supertypes': [
      [0x50, 0, 0x5f, 0],
      [0x50, 0, 0x5f, 0],
      [0x50, 2, 0, 1, 0x5f, 0],
    ],
    'a supertype of a supertype': [[0x50, 0, 0x50, 0, 0x5f, 0]],
    'a packed parameter': [[0x60, 1, 0x78, 0]],
    'a field of unknown mutability': [[0x5f, 1, 0x7f, 2]],
    'an element without mutability': [[0x5e, 0x7f]],
    'an unknown form': [[0x51, 0]],
    'more fields than bytes': [[0x5f, 0xff, 0xff, 0x03, 0x7f, 0]],
  };
  for (const [title, types] of Object.entries(MALFORMED)) {
    it(`has not ${title}`, () => {
      const bytes = moduleOf(typeSection(...types));
      expect(failureOf(() => readModule(bytes)).code).toBe('INVALID_MODULE');
      expect(WebAssembly.validate(bytes as BufferSource)).toBe(false);
    });
  }

  it('refuses continuations, shared types and descriptors by name', () => {
    expect(failureOf(() => read(typeSection([0x5d, 0])))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature: 'stack switching', offset: 11 } });
    expect(failureOf(() => read(typeSection([0x65, ...VOID]))).details).toEqual({ feature: 'shared-everything threads', offset: 11 });
    expect(failureOf(() => read(typeSection([0x50, 0, 0x65, ...VOID]))).details).toEqual({ feature: 'shared-everything threads', offset: 13 });
    expect(failureOf(() => read(typeSection([0x4e, 1, 0x4d, 0, 0x5f, 0]))).details).toEqual({ feature: 'custom descriptors', offset: 13 });
    expect(failureOf(() => read(typeSection([0x4c, 0, 0x5f, 0]))).details).toEqual({ feature: 'custom descriptors', offset: 11 });
  });

  it('may be as long as its budget, counted by indices, and no longer', () => {
    const empty = [0x5f, 0];
    const groups = (sizes: number[]): number[][] => sizes.map((size) => [0x4e, ...leb(size), ...new Array(size).fill(empty).flat()]);
    expect(read(typeSection(...groups([budgets.types - 1, 1]))).types).toHaveLength(budgets.types);
    expect(failureOf(() => read(typeSection(...groups([budgets.types, 1]))))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'types' } });
    expect(failureOf(() => read(typeSection(...groups(new Array(budgets.types + 1).fill(0)))))).toMatchObject({ details: { limit: 'types' } });
  });

  it('may hold as many entries as their budget, of all kinds together, and no more', () => {
    const half = budgets.typeEntries / 2;
    const fields = [0x5f, ...leb(half - 2)].concat(new Array(half - 2).fill([0x7f, 0]).flat());
    const params = [0x60, ...leb(half - 1)].concat(new Array(half - 1).fill(0x7f), 1, 0x7e);
    const array = [0x5e, 0x7f, 0];
    const subtype = [0x50, 1, 2, 0x5e, 0x7f, 0];
    const open = [0x50, 0, 0x5e, 0x7f, 0];
    expect(read(typeSection(fields, params, array, array)).types).toHaveLength(4);
    for (const over of [
      [array, array, array],
      [open, subtype],
    ]) {
      expect(failureOf(() => read(typeSection(fields, params, ...over)))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'typeEntries' } });
    }
  });
});

describe('tables, memories, globals and tags', () => {
  it('have their types, imported ones first', async () => {
    const module = await readText(`(module (type $s (struct)) (type $e (func (param i32)))
      (import "m" "t" (table i64 1 2 (ref null $s))) (import "m" "m" (memory 1 2 shared)) (import "m" "g" (global (mut i64))) (import "m" "e" (tag (type $e)))
      (table 3 anyref) (table 0 (ref $s) (struct.new $s)) (memory i64 4 5) (memory 6) (global (ref i31) (ref.i31 (i32.const 1))) (tag (type $e)))`);
    const plain = { address64: false, shared: false };
    expect(module.tables).toEqual([
      { element: '(ref null 0)', minimum: 1, maximum: 2, address64: true, shared: false },
      { element: 'anyref', minimum: 3, ...plain },
      { element: '(ref 0)', minimum: 0, ...plain },
    ]);
    expect(module.memories).toEqual([
      { minimum: 1, maximum: 2, address64: false, shared: true },
      { minimum: 4, maximum: 5, address64: true, shared: false },
      { minimum: 6, ...plain },
    ]);
    expect(module.globals).toEqual([
      { type: 'i64', mutable: true },
      { type: '(ref i31)', mutable: false },
    ]);
    expect(module.tags).toEqual([1, 1]);
    expect([module.importedTables, module.importedMemories]).toEqual([1, 1]);
    expect(module.imports.map(({ kind, table, memory, global }) => table ?? memory ?? global ?? kind)).toEqual([
      module.tables[0],
      module.memories[0],
      module.globals[0],
      'tag',
    ]);
  });

  const LARGEST_64 = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  const PAGES_64 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];

  it('have sizes that neither wrap nor lose what counts', () => {
    expect(read(section(5, 1, 0x05, ...PAGES_64, ...PAGES_64)).memories).toEqual([{ minimum: 2 ** 48, maximum: 2 ** 48, address64: true, shared: false }]);
    expect(read(section(4, 1, 0x70, 0x05, 0, ...LARGEST_64)).tables[0]?.maximum).toBe(Number.MAX_SAFE_INTEGER);
    expect(read(section(4, 1, 0x70, 0x04, ...LARGEST_64)).tables[0]?.minimum).toBe(Number.MAX_SAFE_INTEGER);
    expect(read(section(4, 1, 0x70, 0x00, 0xff, 0xff, 0xff, 0xff, 0x0f)).tables[0]?.minimum).toBe(2 ** 32 - 1);
    expect(read(section(5, 1, 0x01, ...leb(65_536), ...leb(65_536))).memories[0]?.minimum).toBe(65_536);
  });

  const MALFORMED: Record<string, number[][]> = {
    'more pages than 32 bits address': [section(5, 1, 0x00, ...leb(65_537))],
    'a maximum of more pages than 32 bits address': [section(5, 1, 0x01, 0, ...leb(65_537))],
    'more pages than 64 bits address': [section(5, 1, 0x04, 0x81, ...PAGES_64.slice(1))],
    'a maximum below the minimum': [section(5, 1, 0x01, 2, 1)],
    'a table whose maximum is below its minimum': [section(4, 1, 0x70, 0x01, 2, 1)],
    'a shared memory without maximum': [section(5, 1, 0x02, 1)],
    'a shared 64-bit memory without maximum': [section(5, 1, 0x06, 1)],
    'unknown limits': [section(5, 1, 0x10, 1)],
    'limits of two bytes': [section(5, 1, 0x81, 0x00, 1, 1)],
    'a size of 32 bits over more bytes': [section(5, 1, 0x00, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)],
    'a size of 64 bits over more bytes': [section(5, 1, 0x04, ...LARGEST_64.slice(0, 9), 0x81, 0x00)],
    'a size of 65 bits': [section(5, 1, 0x04, ...LARGEST_64.slice(0, 9), 0x02)],
    'a table of numbers': [section(4, 1, 0x7f, 0x00, 1)],
    'a table with a reserved byte': [section(4, 1, 0x40, 0x01, 0x70, 0x00, 1, 0xd0, 0x70, END)],
    'an initialiser that names a later global': [section(4, 1, 0x40, 0x00, 0x70, 0x00, 1, 0x23, 0, END), section(6, 1, 0x70, 0, 0xd0, 0x70, END)],
    'an unknown mutability': [section(6, 1, 0x7f, 4, 0x41, 0, END)],
    'a tag of another kind': [typeSection(VOID), section(13, 1, 1, 0)],
    'a tag of a structure': [typeSection([0x5f, 0]), section(13, 1, 0, 0)],
    'a function of a structure': [typeSection([0x5f, 0]), section(2, 1, ...name('m'), ...name('f'), 0, 0)],
    'a tag of a type that does not exist': [typeSection(VOID), section(13, 1, 0, 1)],
  };
  for (const [title, sections] of Object.entries(MALFORMED)) {
    it(`are not ${title}`, () => {
      const bytes = moduleOf(...sections);
      expect(failureOf(() => readModule(bytes)).code).toBe('INVALID_MODULE');
      expect(WebAssembly.validate(bytes as BufferSource)).toBe(false);
    });
  }

  const REFUSED: readonly [feature: string, offset: number, ...sections: number[][]][] = [
    ['custom page sizes', 11, section(5, 1, 0x08, 1, 0)],
    ['shared-everything threads', 12, section(4, 1, 0x70, 0x03, 1, 2)],
    ['shared-everything threads', 12, section(6, 1, 0x7f, 2, 0x41, 0, END)],
    ['compact imports', 14, section(2, 1, ...name('m'), ...name(''), 0x7f, 0)],
    ['compact imports', 14, section(2, 1, ...name('m'), ...name(''), 0x7e, 0)],
    ['custom descriptors', 21, typeSection(VOID), section(2, 1, ...name('m'), ...name('f'), 0x20, 0)],
    ['stringref', 8, section(14, 0, 0)],
  ];
  for (const [feature, offset, ...sections] of REFUSED) {
    it(`of ${feature} are refused by name and offset ${offset}`, () => {
      expect(failureOf(() => read(...sections))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature, offset } });
    });
  }

  it('count together, imported and defined ones', () => {
    const imports = (kind: number[], count: number): number[] =>
      longSection(2, leb(count).concat(new Array(count).fill([...name('m'), ...name('n'), ...kind]).flat()));
    const kinds = [
      ['tables', budgets.tables, [1, 0x70, 0, 0], section(4, 1, 0x70, 0, 0)],
      ['memories', budgets.memories, [2, 0, 0], section(5, 1, 0, 0)],
      ['tags', budgets.tags, [4, 0, 0], section(13, 1, 0, 0)],
    ] as const;
    for (const [limit, most, kind, definition] of kinds) {
      expect(read(typeSection(VOID), imports([...kind], most - 1), [...definition])).toBeDefined();
      for (const over of [[imports([...kind], most), [...definition]], [imports([...kind], most + 1)]]) {
        expect(failureOf(() => read(typeSection(VOID), ...over))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit } });
      }
    }
  });
});

describe('element and data segments', () => {
  it('of every kind are read', async () => {
    const module = await readText(`(module (table $t 5 funcref) (table $u i64 5 funcref) (memory 1) (memory $n i64 1) (func $f)
      (elem (i32.const 0) $f) (elem func $f) (elem (table $u) (i64.const 0) func $f) (elem declare func $f)
      (elem (i32.const 0) funcref (ref.func $f) (ref.null func)) (elem (ref null func) (ref.func $f))
      (elem (table $u) (i64.const 1) funcref (ref.null func)) (elem declare funcref (ref.func $f)) (elem anyref)
      (data (i32.const 0) "a") (data "b") (data (memory $n) (i64.const 1) "c") (func (data.drop 1)))`);
    expect([module.elementSegments, module.dataSegments]).toEqual([9, 3]);
  });

  it('are no more than the data count says, and no fewer', () => {
    const data = section(11, 1, 1, 0);
    expect(read(section(12, 1), data).dataSegments).toBe(1);
    expect(read(data).dataSegments).toBe(0);
    for (const sections of [[section(12, 2), data], [section(12, 0), data], [section(12, 1)]])
      expect(failureOf(() => read(...sections)).code).toBe('INVALID_MODULE');
  });

  const MALFORMED: Record<string, number[][]> = {
    'a table that does not exist': [section(9, 1, 0, 0x41, 0, END, 0)],
    'a function that does not exist': [section(9, 1, 1, 0, 1, 0)],
    'a function in an expression that does not exist': [section(9, 1, 5, 0x70, 1, 0xd2, 0, END)],
    'an unknown kind': [section(9, 1, 8, 0)],
    'an unknown kind of elements': [section(9, 1, 1, 1, 0)],
    'a memory that does not exist': [section(11, 1, 0, 0x41, 0, END, 0)],
    'an unknown kind of data': [section(11, 1, 3, 0)],
    'more bytes than there are': [section(11, 1, 1, 9, 0)],
  };
  for (const [title, sections] of Object.entries(MALFORMED)) {
    it(`have not ${title}`, () => {
      expect(failureOf(() => read(...sections)).code).toBe('INVALID_MODULE');
      expect(WebAssembly.validate(moduleOf(...sections) as BufferSource)).toBe(false);
    });
  }

  it('hold references, where the engine would let an empty one pass as numbers', () => {
    expect(failureOf(() => read(section(9, 1, 5, 0x7f, 0)))).toMatchObject({ code: 'INVALID_MODULE', details: { offset: 12 } });
  });
});

describe('the module as a whole', () => {
  it('exports only what it has', () => {
    for (const kind of [0, 1, 2, 3, 4]) {
      expect(
        failureOf(() => read(section(7, 1, ...name('x'), kind, 0))),
        `kind ${kind}`,
      ).toMatchObject({ code: 'INVALID_MODULE', details: { offset: 14 } });
    }
  });

  it('starts with a function that takes and gives nothing', () => {
    const starting = (...type: number[]): number[][] => [typeSection(type), section(3, 1, 0), section(8, 0), section(10, 1, 2, 0, END)];
    expect(read(...starting(...VOID)).start).toBe(0);
    for (const type of [
      [0x60, 1, 0x7f, 0],
      [0x60, 0, 1, 0x7f],
    ])
      expect(failureOf(() => read(...starting(...type))).code).toBe('INVALID_MODULE');
    expect(failureOf(() => read(section(8, 0))).code).toBe('INVALID_MODULE');
  });

  it('has as many bodies as functions', () => {
    const functions = (count: number): number[] => section(3, count, ...new Array(count).fill(0));
    expect(read(typeSection(VOID), functions(0), section(10, 0)).bodies).toHaveLength(0);
    for (const sections of [[functions(1)], [functions(1), section(10, 0)], [section(10, 1, 2, 0, END)], [functions(2), section(10, 1, 2, 0, END)]]) {
      expect(failureOf(() => read(typeSection(VOID), ...sections)).code).toBe('INVALID_MODULE');
    }
  });

  it('has its sections in order, each once, empty ones too', () => {
    const empty = SECTION_ORDER.filter((id) => id !== 8).map((id) => section(id, 0));
    expect(read(...empty).sections.map(({ id }) => id)).toEqual(SECTION_ORDER.filter((id) => id !== 8));
    expect(WebAssembly.validate(moduleOf(...empty) as BufferSource)).toBe(true);
    for (let at = 1; at < empty.length; at++) {
      const [first, second] = [empty[at - 1] as number[], empty[at] as number[]];
      expect(failureOf(() => read(second, first)).code).toBe('INVALID_MODULE');
      expect(failureOf(() => read(first, first)).code).toBe('INVALID_MODULE');
    }
  });

  it('remembers its custom sections and where they stand, as many as their budget', () => {
    const custom = (text: string, ...contents: number[]): number[] => section(0, ...name(text), ...contents);
    const { sections } = read(custom('a', 1, 2), typeSection(VOID), custom(''), custom('a'));
    expect(sections).toEqual([
      { id: 0, at: 8, start: 12, end: 14, name: 'a' },
      { id: 1, at: 14, start: 16, end: 20 },
      { id: 0, at: 20, start: 23, end: 23, name: '' },
      { id: 0, at: 23, start: 27, end: 27, name: 'a' },
    ]);
    const many = (count: number): number[][] => new Array(count).fill(custom(''));
    expect(read(...many(budgets['custom sections'])).sections).toHaveLength(budgets['custom sections']);
    expect(failureOf(() => read(...many(budgets['custom sections'] + 1)))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'custom sections' } });
  });

  it('is refused when it is cut anywhere, and where a section is longer or shorter than it says', async () => {
    const whole = await parse(`(module (rec (type $s (sub (struct (field (ref null 0)))))) (type $f (func (param (ref $s)))) (import "m" "f" (func (type $f)))
      (table i64 1 1 (ref null $s) (ref.null $s)) (memory i64 1 1 shared) (tag (type $f)) (global (ref $s) (struct.new_default $s))
      (func (type $f)) (export "f" (func 1)) (elem (ref null $s) (ref.null $s)) (data (i64.const 0) "abc") (@custom "c" "d"))`);
    const { sections } = readModule(whole);
    const ends = new Set([8, ...sections.map(({ end }) => end)]);
    for (let length = 0; length < whole.length; length++) {
      if (ends.has(length)) continue;
      expect(failureOf(() => readModule(whole.slice(0, length))).code, `cut to ${length}`).toBe('INVALID_MODULE');
    }
    for (const { id, at } of sections.filter(({ id }) => id !== 0)) {
      for (const change of [-1, 1]) {
        const bytes = whole.slice();
        bytes[at + 1] = (bytes[at + 1] as number) + change;
        expect(['INVALID_MODULE', 'UNSUPPORTED_FEATURE'], `section ${id}`).toContain(failureOf(() => readModule(bytes)).code);
      }
    }
  });
});
