// The types of values: every spelling of every type, in every place that a module can have one.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { arrayBytes, type ArrayType, structBytes, type StructType } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { Reader } from '../../src/wasm/reader.ts';
import {
  kindOf,
  readHeapType,
  readStorageType,
  readValueKind,
  readValueType,
  ValueKind,
  type ValueType,
  valueTypeCode,
  writeValueType,
} from '../../src/wasm/types.ts';
import { Writer } from '../../src/wasm/writer.ts';
import { failureOf } from './binary.ts';

const TYPES = 300;

// The abstract heap types: shorthand, heap type, code.
const ABSTRACT: readonly [shorthand: string, heapType: string, code: number][] = [
  ['nullexnref', 'noexn', 0x74],
  ['nullfuncref', 'nofunc', 0x73],
  ['nullexternref', 'noextern', 0x72],
  ['nullref', 'none', 0x71],
  ['funcref', 'func', 0x70],
  ['externref', 'extern', 0x6f],
  ['anyref', 'any', 0x6e],
  ['eqref', 'eq', 0x6d],
  ['i31ref', 'i31', 0x6c],
  ['structref', 'struct', 0x6b],
  ['arrayref', 'array', 0x6a],
  ['exnref', 'exn', 0x69],
];

// Type, its shortest encoding, its other ones.
const ENCODINGS: readonly [type: string, shortest: number[], others?: number[][]][] = [
  ['i32', [0x7f]],
  ['i64', [0x7e]],
  ['f32', [0x7d]],
  ['f64', [0x7c]],
  ['v128', [0x7b]],
  ...ABSTRACT.flatMap(([shorthand, heapType, code]): [string, number[], number[][]?][] => [
    [shorthand, [code], [[0x63, code]]],
    [`(ref ${heapType})`, [0x64, code]],
  ]),
  ['(ref null 0)', [0x63, 0x00], [[0x63, 0x80, 0x00]]],
  ['(ref 63)', [0x64, 0x3f]],
  ['(ref 64)', [0x64, 0xc0, 0x00], [[0x64, 0xc0, 0x80, 0x80, 0x80, 0x00]]],
  ['(ref null 299)', [0x63, 0xab, 0x02]],
];

const readerOf = (...bytes: number[]): Reader => new Reader(new Uint8Array(bytes));

describe('a type of values', () => {
  for (const [type, shortest, others = []] of ENCODINGS) {
    it(`${type} is read from every encoding and written in the shortest`, () => {
      for (const bytes of [shortest, ...others]) {
        const reader = readerOf(...bytes);
        expect(readValueType(reader, TYPES)).toBe(type);
        expect(reader.done).toBe(true);
        const kind = readerOf(...bytes);
        expect(readValueKind(kind, TYPES)).toBe(kindOf(type as ValueType));
        expect(kind.done).toBe(true);
      }
      const out = new Writer();
      writeValueType(out, type as ValueType);
      expect([...out.view()]).toEqual(shortest);
      expect(valueTypeCode(type as ValueType)).toBe(shortest.length === 1 ? shortest[0] : undefined);
    });
  }

  it('is a number, a vector or a reference', () => {
    expect(ENCODINGS.slice(0, 5).map(([type]) => kindOf(type as ValueType))).toEqual([...new Array(4).fill(ValueKind.NUMBER), ValueKind.VECTOR]);
    for (const [type] of ENCODINGS.slice(5)) expect(kindOf(type as ValueType), type).toBe(ValueKind.REFERENCE);
  });

  it('is spelt as another assembler reads it', async () => {
    const references = ENCODINGS.slice(5).map(([type]) => type);
    const { types } = readModule(await parse(`(module ${'(type (struct))'.repeat(TYPES)} (type (func (param ${references.join(' ')}))))`));
    expect(types[TYPES]).toMatchObject({ kind: 'function', params: references });
  });

  const REFUSED: readonly [feature: string, ...bytes: number[]][] = [
    ['stack switching', 0x75],
    ['stack switching', 0x68],
    ['stringref', 0x67],
    ['stringref', 0x66],
    ['shared-everything threads', 0x65, 0x6e],
    ['custom descriptors', 0x62, 0x00],
    ['stringref', 0x61],
  ];
  for (const [feature, ...bytes] of REFUSED) {
    it(`0x${bytes[0]?.toString(16)} is refused as ${feature}, alone and as a heap type, at its offset`, () => {
      for (const read of [readValueType, readValueKind, readStorageType]) {
        expect(failureOf(() => read(readerOf(...bytes), TYPES))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature, offset: 0 } });
        expect(failureOf(() => read(readerOf(0x63, ...bytes), TYPES))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature, offset: 1 } });
      }
      expect(failureOf(() => readHeapType(readerOf(...bytes), TYPES))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature, offset: 0 } });
    });
  }

  it('is nothing else', () => {
    const known = new Set([...ENCODINGS.map(([, [first]]) => first), ...REFUSED.map(([, first]) => first), 0x63, 0x64]);
    for (let code = 0; code < 256; code++) {
      if (known.has(code)) continue;
      for (const read of [readValueType, readValueKind]) {
        expect(
          failureOf(() => read(readerOf(code, 0, 0, 0), TYPES)),
          code.toString(16),
        ).toMatchObject({ code: 'INVALID_MODULE', details: { offset: 0 } });
      }
    }
  });

  it('names no type that does not exist, no heap type over more bytes than it has, and does not run out', () => {
    for (const bytes of [
      [0x63, 0xac, 0x02],
      [0x64, 0xff, 0xff, 0xff, 0xff, 0x0f],
      // What the engine takes for `func`, and the specification does not know.
      [0x63, 0xf0, 0x7f],
      [0x63, 0xf0, 0xff, 0xff, 0xff, 0x7f],
      [0x63, 0x7f],
      [0x63, 0x40],
      [0x63, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      [0x63, 0x63, 0x00],
      [0x63],
      [0x64, 0x80],
      [],
    ]) {
      for (const read of [readValueType, readValueKind]) expect(failureOf(() => read(readerOf(...bytes), TYPES)).code, bytes.join(' ')).toBe('INVALID_MODULE');
    }
  });
});

describe('what an object holds', () => {
  it('may be packed, where values may not', () => {
    expect([readStorageType(readerOf(0x78), TYPES), readStorageType(readerOf(0x77), TYPES)]).toEqual(['i8', 'i16']);
    expect(readStorageType(readerOf(0x64, 0x6e), TYPES)).toBe('(ref any)');
    expect(failureOf(() => readStorageType(readerOf(), TYPES)).code).toBe('INVALID_MODULE');
  });

  const struct = (...fields: StructType['fields']): number => structBytes({ kind: 'struct', final: true, supertype: undefined, fields });
  const array = (element: ArrayType['element'], length: number): number => arrayBytes({ kind: 'array', final: true, supertype: undefined, element }, length);

  it('takes as many bytes as the engine gives it, its header and its alignment too', () => {
    expect([struct(), struct('i8'), struct('i32', 'i32'), struct('i8', 'i64', 'i8'), struct('v128', 'anyref', '(ref 0)')]).toEqual([16, 24, 24, 40, 48]);
    expect([array('i8', 0), array('i8', 1), array('i16', 5), array('f64', 3), array('v128', 2), array('funcref', 2 ** 32 - 1)]).toEqual([
      24,
      32,
      40,
      48,
      56,
      24 + 8 * (2 ** 32 - 1),
    ]);
  });
});
