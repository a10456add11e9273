// How far a guest can get beyond its budget: on generated programs of every shape of control, no further than the units that may pass between two checks.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LARGE_REGION_UNITS, LEAF_UNITS, UNCHECKED_UNITS } from '../../src/metering/prices.ts';
import { load } from './harness.ts';

const LEAF = `(func $leaf (f64.const 1) ${'(f64.sqrt)'.repeat(18)} (drop))`;
// A random bit from a linear congruence, so that each run takes the same way.
const BIT = `(func $bit (result i32) (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1103515245)) (i32.const 12345)))
  (i32.and (i32.shr_u (global.get $seed) (i32.const 16)) (i32.const 1)))`;

const { code } = fc.letrec<{ code: string; statement: string }>((tie) => ({
  code: fc.array(tie('statement'), { minLength: 1, maxLength: 4, depthIdentifier: 'nested' }).map((statements) => statements.join(' ')),
  statement: fc.oneof(
    { depthSize: 'small', depthIdentifier: 'nested', maxDepth: 5 },
    fc.integer({ min: 1, max: 60 }).map((calls) => '(call $leaf)'.repeat(calls)),
    fc.integer({ min: 1, max: 400 }).map((operators) => '(drop (i32.const 1))'.repeat(operators)),
    fc.tuple(tie('code'), tie('code')).map(([yes, no]) => `(if (call $bit) (then ${yes}) (else ${no}))`),
    tie('code').map((body) => `(if (call $bit) (then ${body}))`),
    fc.tuple(tie('code'), tie('code')).map(([before, after]) => `(block ${before} (br_if 0 (call $bit)) ${after})`),
    fc.tuple(tie('code'), tie('code')).map(([skipped, after]) => `(block (block (br_if 0 (i32.const 1)) ${skipped} (loop) (br 1)) ${after})`),
    fc.tuple(tie('code'), tie('code')).map(([zero, one]) => `(block (block (block (br_table 0 1 2 (i32.add (call $bit) (call $bit)))) ${zero} (br 1)) ${one})`),
    tie('code').map((body) => `(loop ${body} (br_if 0 (i32.and (call $bit) (call $bit))))`),
    tie('code').map((body) => `(block (try_table (catch_all 0) ${body} (if (call $bit) (then (throw $e)))))`),
  ),
}));

describe('overshoot', () => {
  it('is no more than what may go unchecked, on every path', async () => {
    // Before the last check: what may go unchecked, the region that it stands in, and the calls of small functions in that.
    const most = UNCHECKED_UNITS + LARGE_REGION_UNITS + 2 * LEAF_UNITS;
    await fc.assert(
      fc.asyncProperty(fc.array(code, { minLength: 1, maxLength: 6 }), fc.double({ min: 0.05, max: 0.95, noNaN: true }), async (parts, share) => {
        const text = `(module (tag $e) (global $seed (mut i32) (i32.const 1)) ${LEAF} ${BIT} (func (export "go") ${parts.join(' ')}))`;
        const whole = (await load(text, { fuel: 1e9 })).fuel('go');
        const limit = Math.max(1, Math.floor(whole * share));
        const guest = await load(text, { fuel: limit });
        expect(guest.failure('go').code).toBe('FUEL_EXHAUSTED');
        expect(guest.meter.usage.fuel).toBeGreaterThan(limit);
        expect(guest.meter.usage.fuel - limit).toBeLessThanOrEqual(most);
      }),
      { numRuns: 300, seed: 20_261_120 },
    );
  });
});
