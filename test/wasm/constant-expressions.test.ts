// Initialisers: what may stand in them, and what they allocate before any code runs.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { budgets } from '../../src/wasm/budgets.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { failureOf, longSection, moduleOf, section, typeSection } from './binary.ts';

const TYPES = `(type $empty (struct)) (type $pair (struct (field i64) (field anyref))) (type $bytes (array i8)) (type $refs (array (mut anyref)))`;
const gcBytes = async (fields: string): Promise<number> => readModule(await parse(`(module ${TYPES} ${fields})`)).initialGcBytes;

describe('what initialisers allocate', () => {
  const ALLOCATIONS: readonly [title: string, bytes: number, fields: string][] = [
    ['nothing', 0, '(global i32 (i32.const 5)) (global anyref (ref.null any)) (global i31ref (ref.i31 (i32.const 7)))'],
    ['a structure', 16, '(global anyref (struct.new $empty))'],
    ['a structure with fields', 32, '(global anyref (struct.new $pair (i64.const 1) (ref.null any)))'],
    ['a structure of defaults', 32, '(global anyref (struct.new_default $pair))'],
    ['an array of a length', 24 + 104, '(global anyref (array.new $bytes (i32.const 1) (i32.const 100)))'],
    ['an array of defaults', 24 + 800, '(global anyref (array.new_default $refs (i32.const 100)))'],
    ['an array of the longest length', 24 + 8 * 0xffff_ffff, '(global anyref (array.new_default $refs (i32.const -1)))'],
    ['an array of given elements', 24 + 8, '(global anyref (array.new_fixed $bytes 2 (i32.const 1) (i32.const 2)))'],
    ['an empty array', 24, '(global anyref (array.new_fixed $bytes 0))'],
    [
      'objects in objects',
      24 + 16 + 16 + 32 + 24,
      '(global anyref (array.new_fixed $refs 2 (struct.new $empty) (struct.new $pair (i64.const 0) (array.new_default $refs (i32.const 0)))))',
    ],
    [
      'a length that is computed',
      24 + 6 * 8,
      '(global anyref (array.new_default $refs (i32.add (i32.mul (i32.const 2) (i32.const 5)) (i32.sub (i32.const 1) (i32.const 5)))))',
    ],
    ['a length that wraps', 24 + 2 * 8, '(global anyref (array.new_default $refs (i32.mul (i32.const 0x80000001) (i32.const 2))))'],
    [
      'a length that a global holds',
      24 + 24,
      '(global $n i32 (i32.const 3)) (global $m i32 (global.get $n)) (global anyref (array.new_default $refs (global.get $m)))',
    ],
    ['what the elements of a table start as, once', 16, '(table 1000 1000 anyref (struct.new $empty))'],
    ['what an element segment holds', 16 + 32, '(elem anyref (struct.new $empty) (struct.new_default $pair) (ref.null any))'],
    ['what is converted', 32, '(global anyref (any.convert_extern (extern.convert_any (ref.null any))))'],
  ];
  for (const [title, bytes, fields] of ALLOCATIONS) {
    it(`is counted: ${title}`, async () => {
      expect(await gcBytes(fields)).toBe(bytes);
    });
  }

  it('is counted for an array of constants in the offsets of segments too', async () => {
    const module = await parse(
      `(module (type $b (array i8)) (global i32 (i32.const 1)) (table 1 anyref) (elem (offset i32.const 0) anyref (array.new_fixed $b 1 (i32.const 1))))`,
    );
    expect(readModule(module).initialGcBytes).toBe(32);
  });

  const UNKNOWN: Record<string, string> = {
    'an imported global': '(import "m" "n" (global $n i32)) (global anyref (array.new_default $bytes (global.get $n)))',
    'an imported global, computed with':
      '(import "m" "n" (global $n i32)) (global anyref (array.new $bytes (i32.const 0) (i32.mul (global.get $n) (i32.const 0))))',
    'a global that holds an imported one':
      '(import "m" "n" (global $n i32)) (global $k i32 (global.get $n)) (global anyref (array.new_default $bytes (global.get $k)))',
    'a global that changes': '(global $n (mut i32) (i32.const 1)) (global anyref (array.new_default $bytes (global.get $n)))',
  };
  for (const [title, fields] of Object.entries(UNKNOWN)) {
    it(`is refused where a length comes from ${title}`, async () => {
      const bytes = await parse(`(module ${TYPES} ${fields})`);
      const error = failureOf(() => readModule(bytes));
      expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature: 'arrays of unknown length in initialisers' } });
      expect(bytes[error.details.offset as number]).toBe(0xfb);
    });
  }
});

describe('a constant expression', () => {
  const global = (...code: number[]): number[] => section(6, 1, 0x7f, 0, ...code);
  const types = typeSection([0x5f, 1, 0x7f, 0], [0x5e, 0x7f, 0], [0x60, 0, 0]);

  it('has its operands, leaves one value and ends', () => {
    const WRONG: Record<string, number[]> = {
      'no value': [0x0b],
      'two values': [0x41, 0, 0x41, 0, 0x0b],
      'no end': [0x41, 0],
      'no operands to add': [0x41, 0, 0x6a, 0x0b],
      'no operands to multiply': [0x7e, 0x0b],
      'no field': [0xfb, 0, 0, 0x0b],
      'no length': [0xfb, 7, 1, 0x0b],
      'no element beside the length': [0x41, 1, 0xfb, 6, 1, 0x0b],
      'fewer elements than declared': [0x41, 1, 0xfb, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b],
      'nothing to convert': [0xfb, 0x1a, 0x0b],
      'no number to tag': [0xfb, 0x1c, 0x0b],
    };
    for (const [title, code] of Object.entries(WRONG)) {
      const bytes = moduleOf(types, global(...code));
      expect(failureOf(() => readModule(bytes)).code, title).toBe('INVALID_MODULE');
      expect(WebAssembly.validate(bytes as BufferSource), title).toBe(false);
    }
  });

  it('names only what exists so far', () => {
    for (const code of [
      [0x23, 0],
      [0xd2, 0],
      [0xd0, 3],
      [0xd0, 0xf0, 0x7f],
      [0xfb, 1, 3],
      [0xfb, 1, 1],
      [0x41, 0, 0xfb, 7, 0],
      [0x41, 0, 0xfb, 7, 2],
    ]) {
      expect(failureOf(() => readModule(moduleOf(types, global(...code, 0x0b)))).code, code.join(' ')).toBe('INVALID_MODULE');
    }
  });

  it('holds no other operator, however harmless', () => {
    for (const code of [
      [0x01],
      [0x41, 1, 0x41, 1, 0x71],
      [0x41, 1, 0x45],
      [0x02, 0x40, 0x0b],
      [0x10, 0],
      [0xfb, 9, 1, 0],
      [0xd0, 0x6e, 0xfb, 0x15, 0x6e],
      [0xfd, 0x0f],
    ]) {
      const bytes = moduleOf(types, global(...code, 0x0b));
      expect(
        failureOf(() => readModule(bytes)),
        code.join(' '),
      ).toMatchObject({ code: 'INVALID_MODULE', message: expect.stringContaining('in a constant expression') });
      expect(WebAssembly.validate(bytes as BufferSource)).toBe(false);
    }
  });

  it('may be as long as it likes, and hold as many operands as their budget at a time', () => {
    const adding = (operands: number): Uint8Array => {
      const code = new Array(operands)
        .fill([0x41, 1])
        .concat(new Array(operands - 1).fill([0x6a]))
        .flat();
      return moduleOf(longSection(6, [1, 0x7f, 0].concat(code, 0x0b)));
    };
    const most = budgets['operands of an initialiser'];
    expect(readModule(adding(most)).globals).toHaveLength(1);
    expect(failureOf(() => readModule(adding(most + 1)))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'operands of an initialiser' } });
    const long = new Array(most).fill([0x41, 1, 0x6a]).flat();
    expect(readModule(moduleOf(longSection(6, [1, 0x7f, 0, 0x41, 0].concat(long, 0x0b)))).globals).toHaveLength(1);
  });

  it('is read to its exact end, with numbers of any length that is not over-long', () => {
    const LONG: readonly number[][] = [
      [0x41, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x41, 0x80, 0x80, 0x80, 0x80, 0x78],
      [0x41, 0xff, 0xff, 0xff, 0xff, 0x07],
    ];
    for (const code of LONG) expect(readModule(moduleOf(global(...code, 0x0b))).globals).toHaveLength(1);
    const OVER_LONG: readonly number[][] = [
      [0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      [0x41, 0xff, 0xff, 0xff, 0xff, 0x0f],
      [0x41, 0x80, 0x80, 0x80, 0x80, 0x70],
      [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ];
    for (const code of OVER_LONG) expect(failureOf(() => readModule(moduleOf(global(...code, 0x0b)))).message, code.join(' ')).toMatch(/over-long/);
  });
});
