// Builtins for strings of JavaScript: what they give is the engine's own, what they cost is charged first, and no guest can catch the end of it.
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CoreImports } from '../../src/metering/meter.ts';
import { Sandbox } from '../../src/index.ts';
import { compile } from '../../src/sandbox/module.ts';
import { gcWat } from '../support/wat.ts';
import { loadGc } from './harness.ts';

const SIGNATURES: Readonly<Record<string, string>> = {
  cast: '(param externref) (result (ref extern))',
  test: '(param externref) (result i32)',
  fromCharCodeArray: '(param (ref null $chars) i32 i32) (result (ref extern))',
  intoCharCodeArray: '(param externref (ref null $chars) i32) (result i32)',
  fromCharCode: '(param i32) (result (ref extern))',
  fromCodePoint: '(param i32) (result (ref extern))',
  charCodeAt: '(param externref i32) (result i32)',
  codePointAt: '(param externref i32) (result i32)',
  length: '(param externref) (result i32)',
  concat: '(param externref externref) (result (ref extern))',
  substring: '(param externref i32 i32) (result (ref extern))',
  equals: '(param externref externref) (result i32)',
  compare: '(param externref externref) (result i32)',
};
const NAMES = Object.keys(SIGNATURES);
const IMPORTS = `(type $chars (array (mut i16)))
  ${NAMES.map((name) => `(import "wasm:js-string" "${name}" (func $${name} ${SIGNATURES[name]}))`).join('\n')}`;
const ALL = `(module ${IMPORTS}
  ${NAMES.map((name) => `(export "${name}" (func $${name}))`).join('\n')}
  (func (export "array") (param i32) (result (ref $chars)) (array.new_default $chars (local.get 0))))`;

type Run = (name: string, ...values: unknown[]) => unknown;
type Case = readonly [name: string, values: (array: unknown) => readonly unknown[]];

// Every builtin with what it takes, what it refuses, and the edges of its numbers.
const CASES: readonly Case[] = [
  ...['text', '', null, undefined, 7, {}, Symbol.iterator, 5n].flatMap((value): Case[] => [
    ['cast', () => [value]],
    ['test', () => [value]],
    ['length', () => [value]],
    ['charCodeAt', () => [value, 0]],
    ['codePointAt', () => [value, 0]],
    ['concat', () => [value, 'x']],
    ['concat', () => ['x', value]],
    ['substring', () => [value, 0, 2]],
    ['equals', () => [value, 'text']],
    ['equals', () => [null, value]],
    ['compare', () => [value, 'text']],
    ['compare', () => ['text', value]],
    ['intoCharCodeArray', (array) => [value, array, 1]],
    ['intoCharCodeArray', () => [value, null, 0]],
  ]),
  ...[0, 1, 2, 3, 4, 8, -1, 2 ** 31 - 1, -(2 ** 31)].flatMap((number): Case[] => [
    ['charCodeAt', () => ['a😀b', number]],
    ['codePointAt', () => ['a😀b', number]],
    ['fromCharCode', () => [number]],
    ['fromCodePoint', () => [number]],
    ['substring', () => ['a😀b', number, 2]],
    ['substring', () => ['a😀b', 1, number]],
    ['substring', () => ['a😀b', number, number]],
    ['fromCharCodeArray', (array) => [array, number, 3]],
    ['fromCharCodeArray', (array) => [array, 2, number]],
    ['fromCharCodeArray', () => [null, number, number]],
    ['intoCharCodeArray', (array) => ['abc', array, number]],
  ]),
  ['fromCodePoint', () => [0x10ffff]],
  ['fromCodePoint', () => [0x110000]],
  ['fromCharCode', () => [0x1f600]],
  ['compare', () => ['b', 'a']],
  ['compare', () => ['a', 'aa']],
];

/** What all cases come to, on one guest and one array each. */
function outcomes(fresh: () => Run): unknown[] {
  return CASES.map(([name, values]) => {
    const run = fresh();
    const array = run('array', 6);
    try {
      const result = run(name, ...values(array));
      return [name, result, [0, 1, 2, 3, 4, 5].map((at) => run('fromCharCodeArray', array, at, at + 1))];
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return [name, code === undefined || code === 'GUEST_TRAPPED' ? message.replace('the guest trapped: ', '') : code];
    }
  });
}

const BUILD = `(module ${IMPORTS}
  (tag $e)
  (func (export "double") (param $s externref) (param $n i32) (result i32)
    (block $caught
      (try_table (catch_all $caught)
        (loop $l
          (local.set $s (call $concat (local.get $s) (local.get $s)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $l (local.get $n)))
        (return (call $length (local.get $s)))))
    (i32.const -7))
  (func (export "flatten") (param $s externref) (param $n i32) (result i32)
    (loop $l
      (drop (call $charCodeAt (call $concat (local.get $s) (local.get $s)) (i32.const 0)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (i32.const 0))
  ${['length', 'test'].map((name) => `(func (export "${name}") (param externref i32) (result i32) (loop $l (drop (call $${name} (local.get 0))) (br $l)) (i32.const 0))`).join('\n')}
  (func (export "copy") (param $s externref) (param $n i32) (result i32) (local $a (ref null $chars))
    (local.set $a (array.new_default $chars (call $length (local.get $s))))
    (loop $l (drop (call $intoCharCodeArray (local.get $s) (local.get $a) (i32.const 0))) (br $l)) (i32.const 0))
  ${['equals', 'compare'].map((name) => `(func (export "${name}") (param externref externref) (result i32) (call $${name} (local.get 0) (local.get 1)))`).join('\n')}
  (func (export "concat") (param externref externref) (result i32) (call $length (call $concat (local.get 0) (local.get 1))))
  (func (export "substring") (param externref i32) (result i32) (call $length (call $substring (local.get 0) (i32.const 0) (local.get 1))))
  (func (export "characters") (param i32) (result i32)
    (loop $l (drop (call $fromCharCode (local.get 0))) (drop (call $fromCodePoint (local.get 0))) (br $l)) (i32.const 0))
  (func (export "array") (param i32) (result i32) (local $a (ref null $chars))
    (local.set $a (array.new_default $chars (i32.const 1000)))
    (loop $l (drop (call $fromCharCodeArray (local.get $a) (i32.const 0) (i32.const 1000))) (br $l)) (i32.const 0)))`;
const HEADER = 48;

afterEach(() => void vi.unstubAllGlobals());

describe('the builtins of strings', () => {
  it("give and refuse what the engine's own do", async () => {
    const bytes = (await gcWat(ALL)) as BufferSource;
    const plain = new WebAssembly.Module(bytes, { builtins: ['js-string'] });
    const guests = await Promise.all(CASES.map(() => loadGc(ALL)));
    const expected = outcomes(() => {
      const { exports } = new WebAssembly.Instance(plain);
      return (name, ...values) => (exports[name] as Run)(...(values as [string]));
    });
    let next = 0;
    expect(
      outcomes(() => {
        const guest = guests[next++] as (typeof guests)[number];
        return (name, ...values) => guest.call(name, ...values);
      }),
    ).toEqual(expected);
  });

  it('are no host calls and cost the same each time', async () => {
    const guest = await loadGc(BUILD);
    const fuel = guest.fuel('flatten', 'some text', 10);
    expect(guest.fuel('flatten', 'some text', 10)).toBe(fuel);
    expect(guest.meter.usage.hostCalls).toBe(0);
  });

  it('that the host passes by itself take their place, as host functions', async () => {
    const given: CoreImports = { 'wasm:js-string': { length: () => 42 } };
    const guest = await loadGc(ALL, {}, given);
    expect(guest.call('length', 'text')).toBe(42);
    expect(guest.call('charCodeAt', 'text', 0)).toBe(116);
    expect(guest.meter.usage.hostCalls).toBe(1);
  });

  it('do not link under another type or another name, nor as constants', async () => {
    for (const wanted of [
      '"wasm:js-string" "length" (func (param i32) (result i32))',
      '"wasm:js-string" "cast" (func (param externref) (result externref))',
      '"wasm:js-string" "length" (global i32)',
      '"wasm:js-string" "constructor" (func)',
      '"wasm:js-string" "repeat" (func)',
      '"wasm:js-strings" "length" (func (param externref) (result i32))',
      '"\'" "text" (global (ref extern))',
    ]) {
      await expect(loadGc(`(module (import ${wanted}))`), wanted).rejects.toMatchObject({ code: 'LINK_FAILED' });
    }
  });

  it('end a guest that doubles a string, which it cannot catch', async () => {
    const guest = await loadGc(BUILD);
    expect(guest.failure('double', 'x', 40)).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes' } });
    expect(guest.failure('double', 'x', 1).code).toBe('GUEST_POISONED');
    const poor = await loadGc(BUILD, { fuel: 100_000 });
    expect(poor.failure('double', 'x', 40).code).toBe('FUEL_EXHAUSTED');
  });

  it("end it with the largest heap allowed before a string is longer than the engine's", async () => {
    const guest = await loadGc(BUILD, { gcBytes: 2 ** 29 });
    const long = 'x'.repeat(2 ** 29 - 24);
    expect(guest.failure('concat', long, long)).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes' } });
  });

  it('count two bytes for each code unit that is made, and a header', async () => {
    const length = 100_000;
    const bytes = HEADER + 2 * length;
    const text = 'x'.repeat(length);
    for (const [name, ...values] of [
      ['concat', text, ''],
      ['substring', `${text}y`, length],
    ] as const) {
      expect((await loadGc(BUILD, { gcBytes: bytes })).call(name, ...values)).toBe(length);
      expect((await loadGc(BUILD, { gcBytes: bytes - 1 })).failure(name, ...values)).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { value: bytes } });
    }
    const guest = await loadGc(BUILD, { gcBytes: 10 * bytes });
    expect(guest.failure('flatten', text, 100)).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes' } });
    for (const name of ['characters', 'array']) expect((await loadGc(BUILD)).failure(name, 65)).toMatchObject({ details: { limit: 'gcBytes' } });
  });

  it('charge for the code units that they look at', async () => {
    const guest = await loadGc(BUILD);
    const [short, long] = ['x'.repeat(10), 'x'.repeat(100_010)];
    for (const name of ['equals', 'compare']) {
      const base = guest.fuel(name, short, short);
      expect(guest.fuel(name, long, `${long.slice(1)}y`) - base).toBe(100_000);
      expect(guest.fuel(name, short, long)).toBe(base);
    }
    expect(guest.fuel('concat', long, '') - guest.fuel('concat', short, '')).toBe(200_000);
  });

  it('run out of fuel in loops that only look', async () => {
    for (const [name, value] of [
      ['length', 'text'],
      ['test', 'text'],
      ['copy', 'x'.repeat(1_000)],
    ] as const) {
      expect((await loadGc(BUILD, { fuel: 1_000_000 })).failure(name, value, 0).code).toBe('FUEL_EXHAUSTED');
    }
  });

  it('hold their budget with that of all modules of a guest, and from call to call', async () => {
    const guest = await loadGc(BUILD, { gcBytes: 1_000_000 });
    const text = 'x'.repeat(50_000);
    for (let call = 0; call < 9; call++) guest.call('concat', text, '');
    expect(guest.failure('concat', text, text)).toMatchObject({ code: 'MEMORY_EXCEEDED' });
  });

  it('are UNSUPPORTED_FEATURE where the engine ignores the request for them', async () => {
    class Older extends WebAssembly.Module {
      constructor(bytes: BufferSource) {
        super(bytes);
      }
    }
    vi.stubGlobal('WebAssembly', Object.create(WebAssembly, { Module: { value: Older } }));
    vi.resetModules();
    const { instantiateStringBuiltins } = await import('../../src/metering/string-builtins.ts');
    const answer = (): number => 0;
    expect(() => instantiateStringBuiltins(answer, answer)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FEATURE' }));
  });

  it('load in a sandbox without any grant or import, and are no missing ones', async () => {
    const bytes = await gcWat(`(module ${IMPORTS} (func (export "go") (param i32) (result i32)
      (call $codePointAt (call $concat (call $fromCodePoint (local.get 0)) (call $fromCharCode (i32.const 65))) (i32.const 0))))`);
    expect((await compile(bytes)).requires).toBe(0);
    const guest = await Sandbox.restrictive({ strict: true }).load(bytes);
    expect(await guest.call('go', 0x1f600)).toBe(0x1f600);
    const replaced = new Sandbox({ imports: { 'wasm:js-string': { length: () => 1 } } }).load(bytes);
    await expect(replaced).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE', message: expect.stringContaining('externref') });
  });
});
