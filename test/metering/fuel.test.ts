// A golden table: what tiny modules burn. A change here is a change of prices, and needs a new version of the rewriter.
import { describe, expect, it } from 'vitest';
import { prices, REWRITER_VERSION } from '../../src/metering/prices.ts';
import { operators } from '../../src/wasm/operators.ts';
import { load } from './harness.ts';

const ENTRY = prices.entry;
const COUNTED = prices.countedEntry;
const NONE = { host: { f: () => undefined } };

const GOLDEN: readonly [title: string, fuel: number, code: string, rest?: string][] = [
  ['an empty function', ENTRY, ''],
  ['nop and drop are free', ENTRY + 1, '(nop) (drop (i32.const 1))'],
  ['arithmetic', ENTRY + 3, '(drop (i32.add (i32.const 1) (i32.const 2)))'],
  ['a division', ENTRY + 8, '(drop (i32.div_u (i32.const 1) (i32.const 2)))'],
  ['eight locals', ENTRY + 2, '(local i32 i32 i32 i32 i32 i32 i32 i32)'],
  ['eight vectors', ENTRY + 4, '(local v128 v128 v128 v128 v128 v128 v128 v128)'],
  ['a block that nothing leaves', ENTRY + 1, '(block (drop (i32.const 1)))'],
  ['the arm that is taken', ENTRY + 2 + 10, `(if (i32.const 1) (then ${'(drop (i32.const 1))'.repeat(10)}) (else ${'(drop (i32.const 1))'.repeat(20)}))`],
  ['the arm that is not taken', ENTRY + 2 + 20, `(if (i32.const 0) (then ${'(drop (i32.const 1))'.repeat(10)}) (else ${'(drop (i32.const 1))'.repeat(20)}))`],
  ['small arms, which are both charged', ENTRY + 2 + 2 + 1, '(if (i32.const 0) (then (drop (i32.const 1)) (drop (i32.const 1))) (else (drop (i32.const 1))))'],
  ['small arms up to ten units together', ENTRY + 4 + 10, `${`(if (i32.const 0) (then ${'(drop (i32.const 1))'.repeat(5)}))`.repeat(2)}`],
  ['no more of them than that', ENTRY + 6 + 10, `${`(if (i32.const 0) (then ${'(drop (i32.const 1))'.repeat(5)}))`.repeat(3)}`],
  ['what follows an if', ENTRY + 2 + 10 + 7, `(if (i32.const 1) (then ${'(drop (i32.const 1))'.repeat(10)})) ${'(drop (i32.const 1))'.repeat(7)}`],
  ['an early exit is charged for the whole region', ENTRY + 1 + 1 + 2, '(block (br_if 0 (i32.const 1)) (drop (i32.const 1)) (drop (i32.const 1)))'],
  ['code behind a branch is not charged', ENTRY + 1, '(block (br 0) (drop (i32.const 1)))'],
  ['a loop of one round', ENTRY + prices.loop, '(loop)'],
  [
    'a loop of ten rounds',
    ENTRY + 10 * (prices.loop + 8),
    '(local $i i32) (loop (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 10))))',
  ],
  ['a call of a small function', ENTRY + 4 + ENTRY, '(call $leaf)', '(func $leaf)'],
  ['a call of a small function in an arm that is not taken', ENTRY + 2, '(if (i32.const 0) (then (call $leaf) (call $leaf)))', '(func $leaf)'],
  ['a call of a function with a loop', ENTRY + 4 + ENTRY + prices.loop, '(call $loops)', '(func $loops (loop))'],
  [
    'a call of itself',
    2 * COUNTED + 2 + 2 + 1 + 4 + 1,
    '(if (global.get $first) (then (global.set $first (i32.const 0)) (call $go)))',
    '(global $first (mut i32) (i32.const 1))',
  ],
  ['a call of the host', COUNTED + 4 + prices.hostCall, '(call $f)', '(import "host" "f" (func $f))'],
  [
    'a call of the host with two values',
    COUNTED + 2 + 4 + prices.hostCall + 2 * prices.hostValue,
    '(call $f (i32.const 1) (i32.const 2))',
    '(import "host" "f" (func $f (param i32 i32)))',
  ],
  ['a fill of 800 bytes', ENTRY + 3 + 20 + 200, '(memory.fill (i32.const 0) (i32.const 0) (i32.const 800))', '(memory 1)'],
  ['growth by one page', ENTRY + 1 + 10 + prices.growth + prices.grown + prices.page, '(drop (memory.grow (i32.const 1)))', '(memory 1)'],
  ['growth that is refused', ENTRY + 1 + 10 + prices.growth + prices.grown, '(drop (memory.grow (i32.const 60000)))', '(memory 1)'],
];

describe('fuel', () => {
  for (const [title, fuel, code, rest = ''] of GOLDEN) {
    it(`${title}: ${fuel}`, async () => {
      const guest = await load(`(module ${rest} (func $go (export "go") ${code}))`, {}, NONE);
      expect(guest.fuel('go')).toBe(fuel);
    });
  }

  it('has its prices under a version', () => {
    expect([REWRITER_VERSION, prices]).toMatchInlineSnapshot(`
      [
        "3",
        {
          "bulkArrayShift": 2,
          "bulkMemoryShift": 2,
          "bulkTableShift": 8,
          "catchClause": 14,
          "countedEntry": 6,
          "element": 32,
          "entry": 2,
          "freeValues": 8,
          "grown": 20,
          "growth": 1000,
          "hostCall": 200,
          "hostValue": 25,
          "localsShift": 2,
          "loop": 2,
          "page": 16000,
          "stringBuiltin": 10,
          "stringMaking": 60,
          "unwinding": 24,
        },
      ]
    `);
  });
});

describe('the table of operators', () => {
  it('has every opcode once', () => {
    const names = [...operators.values()].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(operators.size).toBe(706);
  });

  it('knows each operator by the code that the specification gives it', () => {
    const codes: Record<string, number> = {
      'i64.extend32_s': 0xc4,
      'f64.copysign': 0xa6,
      'i64.rotr': 0x8a,
      'v128.any_true': 0xfd_0053,
      'i8x16.abs': 0xfd_0060,
    };
    Object.assign(codes, {
      'f64x2.pmax': 0xfd_00f7,
      'i64x2.mul': 0xfd_00d5,
      'table.fill': 0xfc_0011,
      'i64.atomic.rmw32.cmpxchg_u': 0xfe_004e,
      'i31.get_u': 0xfb_001e,
    });
    for (const [name, code] of Object.entries(codes)) expect(operators.get(code)?.name).toBe(name);
  });
});
