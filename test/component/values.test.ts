// The check of values on its own: what a caller or a host function can hand over is read once, by own property, and copied.
import { describe, expect, test } from 'vitest';
import type { WitType } from '../../src/component/types.ts';
import { copyValue, ValueMismatch } from '../../src/component/values.ts';

const u8: WitType = { kind: 'u8' };
const string: WitType = { kind: 'string' };
const record: WitType = {
  kind: 'record',
  fields: [
    { name: 'a-name', type: string },
    { name: 'count', type: { kind: 'option', some: u8 } },
  ],
};
const copy = (type: WitType, value: unknown): unknown => copyValue(type, value, () => false);

function pathOf(type: WitType, value: unknown): string {
  try {
    copy(type, value);
  } catch (error) {
    if (error instanceof ValueMismatch) return error.path;
    throw error;
  }
  throw new Error('it fits');
}

describe('the edges of each type', () => {
  test.each([
    ['bool', [true, false], [0, 1, 'true', null]],
    ['u8', [0, 255], [-1, 256, 0.5, NaN, '1', 1n]],
    ['s8', [-128, 127], [-129, 128]],
    ['u16', [0, 65_535], [-1, 65_536]],
    ['s16', [-32_768, 32_767], [-32_769, 32_768]],
    ['u32', [0, 2 ** 32 - 1], [-1, 2 ** 32]],
    ['s32', [-(2 ** 31), 2 ** 31 - 1], [-(2 ** 31) - 1, 2 ** 31]],
    ['u64', [0n, 2n ** 64n - 1n], [-1n, 2n ** 64n, 0]],
    ['s64', [-(2n ** 63n), 2n ** 63n - 1n], [-(2n ** 63n) - 1n, 2n ** 63n, 0]],
    ['f32', [0, -0, Infinity, NaN], ['0', 0n, undefined]],
    ['f64', [0, -Infinity, NaN], ['0', 0n, undefined]],
    ['char', ['a', '😀', '\0'], ['', 'ab', '\ud800', 'e\u0301', 97]],
    ['string', ['', '😀', '\0'], ['\ud800', '\udc00\ud800', 1, undefined, new String('a')]],
  ] as [WitType['kind'], unknown[], unknown[]][])('%s', (kind, fitting, others) => {
    for (const value of fitting) expect(copy({ kind } as WitType, value)).toBe(value);
    for (const value of others) expect(() => copy({ kind } as WitType, value)).toThrow(ValueMismatch);
  });

  test('an option takes undefined for none, and null is not it', () => {
    expect(copy({ kind: 'option', some: string }, undefined)).toBeUndefined();
    expect(() => copy({ kind: 'option', some: string }, null)).toThrow(ValueMismatch);
  });

  test.each([
    [{ kind: 'enum', names: ['a'] }, ['b', 'constructor', 0]],
    [{ kind: 'flags', names: ['a'] }, [{ b: true }, { a: 1 }, [], 'a', { constructor: true }]],
    [{ kind: 'variant', cases: [{ name: 'a' }, { name: 'b', type: { kind: 'u8' } }] }, [{ tag: 'c' }, { tag: 'a', val: 1 }, { tag: 'b' }, 'a', {}]],
    [{ kind: 'result', ok: { kind: 'u8' } }, [{ tag: 'ok' }, { tag: 'err', val: 1 }, 1]],
    [{ kind: 'tuple', items: [{ kind: 'u8' }] }, [[], [1, 2], { 0: 1, length: 1 }]],
    [{ kind: 'list', element: { kind: 'string' } }, ['ab', { length: 0 }, new Set(), Uint8Array.of(1)]],
    [{ kind: 'list', element: { kind: 'u8' } }, [Int8Array.of(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1), [256]]],
    [{ kind: 'record', fields: [{ name: 'a', type: { kind: 'u8' } }] }, [{}, [], null, () => 1, Object.create({ a: 1 })]],
  ] as [WitType, unknown[]][])('%o', (type, others) => {
    for (const value of others) expect(() => copy(type, value)).toThrow(ValueMismatch);
  });
});

describe('paths', () => {
  test.each([
    ['.aName', record, {}],
    ['.count', record, { aName: 'a', count: 'b' }],
    ['[2]', { kind: 'list', element: string }, ['a', 'b', 3]],
    ['[1]', { kind: 'list', element: u8 }, [0, -1]],
    ['[0].val.aName', { kind: 'list', element: { kind: 'variant', cases: [{ name: 'x', type: record }] } }, [{ tag: 'x', val: { aName: 1 } }]],
    ['[1].count', { kind: 'tuple', items: [u8, record] }, [1, { aName: '', count: null }]],
    ['.val', { kind: 'result', err: u8 }, { tag: 'err', val: 'x' }],
    ['.tag', { kind: 'result', err: u8 }, { tag: 'error' }],
  ] as [string, WitType, unknown][])('%s', (path, type, value) => {
    expect(pathOf(type, value)).toBe(path);
  });
});

describe('values that are more than data', () => {
  test('have each property read once', () => {
    const reads: string[] = [];
    const value = {
      get aName() {
        reads.push('aName');
        return reads.length === 1 ? 'first' : 2;
      },
      get count() {
        reads.push('count');
        return 1;
      },
    };
    expect(copy(record, value)).toEqual({ aName: 'first', count: 1 });
    expect(reads).toEqual(['aName', 'count']);
  });

  test('are copied, so that a later change is not seen', () => {
    const value = { aName: 'a', count: 1 };
    const list = Uint8Array.of(1);
    const copies = [copy(record, value), copy({ kind: 'list', element: u8 }, list)];
    value.aName = 'b';
    list[0] = 2;
    expect(copies).toEqual([{ aName: 'a', count: 1 }, Uint8Array.of(1)]);
  });

  test('with errors of their own pass them on', () => {
    const throwing = {
      get aName(): string {
        throw new RangeError('mine');
      },
    };
    expect(() => copy(record, throwing)).toThrow(RangeError);
  });

  test('that hold themselves end where the type ends', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(pathOf({ kind: 'list', element: { kind: 'list', element: string } }, cycle)).toBe('[0][0]');
  });

  test('of arrays with holes or a proxy around them are read by index', () => {
    // biome-ignore lint/suspicious/noSparseArray: that is the point
    expect(pathOf({ kind: 'list', element: string }, ['a', , 'c'])).toBe('[1]');
    const endless = new Proxy(['a'], { get: (target, key) => (key === 'length' ? 3 : Reflect.get(target, key)) });
    expect(pathOf({ kind: 'list', element: string }, endless)).toBe('[1]');
  });

  test('of typed arrays are believed by what they are, not by what they say', () => {
    class Odd extends Uint8Array {
      override [Symbol.iterator](): ArrayIterator<number> {
        throw new Error('asked');
      }
    }
    const list: WitType = { kind: 'list', element: u8 };
    expect(copy(list, new Odd([1, 2]))).toEqual(Uint8Array.of(1, 2));
    expect(copy(list, Buffer.from([3]))).toEqual(Uint8Array.of(3));
    expect(() => copy(list, { [Symbol.toStringTag]: 'Uint8Array', length: 1, 0: 1 })).toThrow(ValueMismatch);
  });

  test('with properties that a record does not have lose them', () => {
    expect(copy(record, { aName: 'a', more: 1 })).toEqual({ aName: 'a', count: undefined });
  });

  test('with dangerous names are data', () => {
    const type: WitType = { kind: 'record', fields: ['then', 'constructor', 'prototype', 'to-string'].map((name) => ({ name, type: u8 })) };
    const value = Object.fromEntries(['then', 'constructor', 'prototype', 'toString'].map((name, index) => [name, index]));
    expect(Object.entries(copy(type, value) as object)).toEqual(Object.entries(value));
    expect(pathOf(type, {})).toBe('.then');
  });
});
