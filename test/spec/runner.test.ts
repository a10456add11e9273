// The runner itself: that it reads what scripts may hold, that it finds what does not hold, and that a rewriter with a fault does not pass.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareScript } from './compare.ts';
import { type Engine, plainEngine } from './engines.ts';
import { execute, type Outcome } from './execute.ts';
import { readScript } from './script.ts';
import { headOf, type List, readNodes } from './sexpr.ts';
import { bytesOf, matchesBytes, type NumberValue, readValue } from './values.ts';

const number = (text: string): NumberValue => readValue(readNodes(text)[0]) as NumberValue;
const run = async (script: string, engine: Engine = plainEngine()): Promise<readonly Outcome[]> => execute(await readScript(script), engine);
const MODULE = `(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "nan") (param f32) (result f32) (f32.add (local.get 0) (f32.const 1)))
  (func (export "keep") (param f64) (result f64) (local.get 0))
  (func (export "div") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "pair") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "null") (result externref) (ref.null extern))
  (func (export "vector") (param v128) (result v128) (local.get 0)))`;

describe('the reader', () => {
  it('takes parentheses in strings and nested comments for what they are', () => {
    const nodes = readNodes('(a ")\\"(" (; ( (; ;) ;) b) ;; (\n(@note (c ]; "d")) (; ;)(e $"f g" x=(h))');
    expect(nodes.map(headOf)).toEqual(['a', 'e']);
    expect((nodes[0] as List).items).toHaveLength(3);
    expect((nodes[1] as List).items.map((node) => (node.kind === 'word' ? node.text : node.kind))).toEqual(['e', '$f g', 'x=', 'list']);
  });

  it('knows every escape of strings', () => {
    const [list] = readNodes('(x "\\00\\fF\\n\\t\\r\\"\\\'\\\\\\u{20AC}\u{20ac}\u{feff}")');
    const [, text] = (list as List).items;
    expect(text?.kind === 'string' && [...text.bytes]).toEqual([0, 255, 10, 9, 13, 34, 39, 92, 0xe2, 0x82, 0xac, 0xe2, 0x82, 0xac, 0xef, 0xbb, 0xbf]);
  });

  it('reads any depth', () => {
    const depth = 200_000;
    expect(readNodes(`${'('.repeat(depth)}${')'.repeat(depth)}`)).toHaveLength(1);
    expect(readNodes(`${'(;'.repeat(depth)}${';)'.repeat(depth)}`)).toHaveLength(0);
  });

  it.each(['(', '(a', ')', '(a))', '"a', '(; a', '("\\q")'])('refuses %s', (text) => {
    expect(() => readNodes(text)).toThrow(SyntaxError);
  });

  it('says which line a command is in', async () => {
    const lines = (await readScript('\n(module)\n(; \n ;) (module\n)\n  (register "a") (frobnicate)')).map(({ line }) => line);
    expect(lines).toEqual([1]);
    expect((await readScript('\n(module)\n(; \n ;) (module\n)\n  (register "a") (thread $t)')).map(({ line }) => line)).toEqual([2, 4, 6, 6]);
  });
});

describe('floating-point literals', () => {
  const bits = (view: DataView, length: number): Uint8Array => new Uint8Array(view.buffer, 0, length);

  it('are rounded as the host rounds them, in decimal', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setFloat64(0, value, true);
        const literal = String(value).replace('Infinity', 'inf');
        expect(bytesOf(number(`(f64.const ${Object.is(value, -0) ? '-0' : literal})`))).toEqual(bits(view, 8));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are rounded to single precision once', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: -200, max: 100 }), (mantissa, exponent) => {
        const view = new DataView(new ArrayBuffer(4));
        view.setFloat32(0, mantissa * 2 ** exponent, true);
        const sign = mantissa < 0 || Object.is(mantissa, -0) ? '-' : '';
        expect(bytesOf(number(`(f32.const ${sign}0x${Math.abs(mantissa).toString(16)}p${exponent})`))).toEqual(bits(view, 4));
      }),
      { numRuns: 2_000 },
    );
    // Halfway between two numbers of single precision but for a bit that double precision cannot hold.
    expect(bytesOf(number('(f32.const 1.00000005960464477539062500001)'))).toEqual(new Uint8Array([1, 0, 0x80, 0x3f]));
    expect(bytesOf(number('(f32.const 1.000000059604644775390625)'))).toEqual(new Uint8Array([0, 0, 0x80, 0x3f]));
  });

  it('keep the payload of a NaN, and match by kind', () => {
    expect(bytesOf(number('(f32.const -nan:0x200001)'))).toEqual(new Uint8Array([1, 0, 0xa0, 0xff]));
    const canonical = number('(f32.const nan:canonical)');
    const arithmetic = number('(f32.const nan:arithmetic)');
    const matched = (literal: string): readonly boolean[] =>
      [canonical, arithmetic].map((kind) => matchesBytes(kind, bytesOf(number(`(f32.const ${literal})`))));
    expect([matched('-nan'), matched('nan:0x400001'), matched('nan:0x200000'), matched('inf')]).toEqual([
      [true, true],
      [false, true],
      [false, false],
      [false, false],
    ]);
  });
});

describe('assertions', () => {
  it.each([
    '(assert_return (invoke "add" (i32.const 2) (i32.const -3)) (i32.const 0xffffffff))',
    '(assert_return (invoke "nan" (f32.const nan:0x200000)) (f32.const nan:arithmetic))',
    '(assert_return (invoke "keep" (f64.const nan:0x123)) (f64.const nan:0x123))',
    '(assert_return (invoke "pair") (i32.const 1) (i64.const 2))',
    '(assert_return (invoke "null") (ref.null extern))',
    '(assert_return (invoke "vector" (v128.const f32x4 1 2 3 nan:0x1)) (v128.const i32x4 0x3f800000 0x40000000 0x40400000 0x7f800001))',
    '(assert_return (invoke "add" (i32.const 1) (i32.const 1)) (either (i32.const 1) (i32.const 2)))',
    '(assert_trap (invoke "div" (i32.const 0)) "")',
    '(assert_invalid (module (func (result i32))) "")',
    '(assert_malformed (module quote "(func") "")',
    '(assert_malformed (module binary "\\00asm") "")',
    '(assert_unlinkable (module (import "a" "b" (func))) "")',
    '(assert_uninstantiable (module (func $f (unreachable)) (start $f)) "")',
  ])('hold: %s', async (assertion) => {
    expect((await run(MODULE + assertion)).map(({ passed }) => passed)).toEqual([true, true]);
  });

  it.each([
    '(assert_return (invoke "add" (i32.const 2) (i32.const 3)) (i32.const 6))',
    '(assert_return (invoke "add" (i32.const 2) (i32.const 3)) (i64.const 5))',
    '(assert_return (invoke "add" (i32.const 2) (i32.const 3)))',
    '(assert_return (invoke "missing"))',
    '(assert_return (get "add") (i32.const 1))',
    '(assert_return (invoke "nan" (f32.const 1)) (f32.const nan:arithmetic))',
    '(assert_return (invoke "keep" (f64.const nan:0x123)) (f64.const nan:canonical))',
    '(assert_return (invoke "keep" (f64.const -0)) (f64.const 0))',
    '(assert_return (invoke "pair") (i32.const 1))',
    '(assert_return (invoke "null") (ref.extern 0))',
    '(assert_return (invoke "vector" (v128.const i64x2 0 1)) (v128.const i64x2 0 0))',
    '(assert_return (invoke "add" (i32.const 1) (i32.const 1)) (either (i32.const 1) (i32.const 3)))',
    '(assert_return (invoke "div" (i32.const 0)) (i32.const 0))',
    '(assert_trap (invoke "div" (i32.const 1)) "")',
    '(assert_exhaustion (invoke "div" (i32.const 0)) "")',
    '(assert_exception (invoke "div" (i32.const 0)))',
    '(assert_invalid (module (func)) "")',
    '(assert_malformed (module quote "(func)") "")',
    '(assert_unlinkable (module (func)) "")',
    '(assert_uninstantiable (module (func)) "")',
    '(thread $t)',
  ])('do not hold: %s', async (assertion) => {
    expect((await run(MODULE + assertion)).map(({ passed }) => passed)).toEqual([true, false]);
  });

  it('count what stands behind a module that failed as failed', async () => {
    const outcomes = await run('(module (func (result i32)))(register "a")(assert_return (invoke "f"))(assert_unlinkable (module (import "a" "b" (func))) "")');
    expect(outcomes.map(({ passed }) => passed)).toEqual([false, false, false, false]);
  });
});

describe('a comparison', () => {
  it('counts assertions and finds nothing where nothing is wrong', async () => {
    const script = `${MODULE}(assert_trap (invoke "div" (i32.const 0)) "")(assert_return (invoke "pair") (i32.const 1))(invoke "pair")`;
    const comparison = await compareScript(script);
    expect(comparison).toMatchObject({ commands: 4, assertions: 2, plain: 1, metered: 1, differences: [] });
    expect(comparison.plainFailures).toEqual([{ line: 8, kind: 'assert_return', reason: '2 results instead of 1' }]);
  });

  it.each([
    ['an operator', 0x6a, 0x6b, 'result 0 is -1'],
    ['a trap', 0x6e, 0x00, "'unreachable' instead of 'divide by zero'"],
  ])('finds %s that a rewriter changes', async (_, from, to, reason) => {
    const script = `${MODULE}(assert_return (invoke "add" (i32.const 2) (i32.const 3)) (i32.const 5))(assert_trap (invoke "div" (i32.const 0)) "")`;
    const { differences } = await compareScript(script, () => faultyEngine(from, to));
    expect(differences.map((difference) => difference.reason)).toEqual([reason]);
  });
});

// Replaces an operator where it is the last of a function.
function faultyEngine(from: number, to: number): Engine {
  const plain = plainEngine();
  return {
    ...plain,
    name: 'metered',
    compile: (bytes) => plain.compile(bytes.map((byte, index) => (byte === from && bytes[index + 1] === 0x0b ? to : byte))),
  };
}
