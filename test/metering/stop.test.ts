// Nothing that a guest does may outlive its budget: every way of going round or down ends, and no handler of the guest's sees it.
import { describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { load } from './harness.ts';

const FUEL = { fuel: 5_000_000 };

const ENDLESS: Record<string, string> = {
  'a loop': '(func (export "go") (loop (br 0)))',
  'a loop that branches conditionally': '(func (export "go") (loop (br_if 0 (i32.const 1))))',
  'a loop through br_table': '(func (export "go") (loop (br_table 0 0 0 (i32.const 7))))',
  'a loop out of a block': '(func (export "go") (loop (block (br 1))))',
  'two nested loops': '(func (export "go") (loop (loop (br 1)) (br 0)))',
  'a loop with an empty if': '(func (export "go") (loop (if (i32.const 0) (then)) (br 0)))',
  'a tail call of itself': '(func $f (export "go") (return_call $f))',
  'mutual tail calls': '(func $f (export "go") (return_call $g)) (func $g (return_call $f))',
  'tail calls through a table':
    '(type $t (func)) (table 2 funcref) (elem (i32.const 0) $f $g) (func $f (export "go") (return_call_indirect (type $t) (i32.const 1))) (func $g (return_call_indirect (type $t) (i32.const 0)))',
  'calls of a function without loops': '(func $leaf) (func (export "go") (loop (call $leaf) (br 0)))',
  'a loop of throws': '(tag $e) (func (export "go") (loop $l (block $h (try_table (catch $e $h) (throw $e))) (br $l)))',
  'a loop of huge fills': '(memory 100) (func (export "go") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 6553600)) (br 0)))',
  'a loop of huge copies': '(memory 100) (func (export "go") (loop (memory.copy (i32.const 0) (i32.const 8) (i32.const 6553000)) (br 0)))',
  'a loop of table fills': '(table 90000 externref) (func (export "go") (loop (table.fill (i32.const 0) (ref.null extern) (i32.const 90000)) (br 0)))',
  'a loop of refused growth': '(memory 1) (func (export "go") (loop (drop (memory.grow (i32.const -1))) (br 0)))',
  'a loop of growth by nothing': '(memory 1) (func (export "go") (loop (drop (memory.grow (i32.const 0))) (br 0)))',
  'a loop of refused table growth': '(table 1 funcref) (func (export "go") (loop (drop (table.grow (ref.null func) (i32.const -1))) (br 0)))',
};

// 2^40 calls without a loop or a recursion: each function calls the next one twice.
ENDLESS['a tower of calls without recursion'] = `(func (export "go") (call $f0) (call $f0)) ${Array.from({ length: 40 }, (_, i) =>
  i < 39 ? `(func $f${i} (call $f${i + 1}) (call $f${i + 1}))` : `(func $f${i})`,
).join(' ')}`;

describe('stopping', () => {
  for (const [name, text] of Object.entries(ENDLESS)) {
    it(`ends ${name} when the fuel is gone`, async () => {
      const guest = await load(`(module ${text})`, FUEL);
      const error = guest.failure('go');
      expect(error).toBeInstanceOf(GloveportError);
      expect(error.code).toBe('FUEL_EXHAUSTED');
      expect(guest.meter.usage.fuel).toBeGreaterThanOrEqual(FUEL.fuel);
    });
  }

  // Each tail runs while the recursion unwinds, and its checks stand only where control never goes.
  it('ends tails of a recursion whose checks are never come to, without the counter going round', async () => {
    const round = `${'(call $leaf)'.repeat(38)} (if (i32.const 0) (then (loop)))`;
    const leaf = `(func $leaf (f64.const 1) ${'(f64.sqrt)'.repeat(20)} (drop))`;
    const text = `(module ${leaf} (func $f (export "go") (param i32)
      (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))) ${round.repeat(2_000)}))`;
    const limit = 20_000_000;
    const guest = await load(text, { fuel: limit, timeMs: 60_000 });
    expect(guest.failure('go', 40).code).toBe('FUEL_EXHAUSTED');
    expect(guest.meter.usage.fuel).toBeGreaterThanOrEqual(limit);
    expect(guest.meter.usage.fuel).toBeLessThan(limit + 1_000_000);
  });

  for (const [arms, text] of Object.entries({
    'the arm that is not taken': (tail: string) => `(if (i32.const 1) (then ${tail}) (else (loop)))`,
    'a block that is left early': (tail: string) => `(block (block (br_if 0 (i32.const 1)) (loop) (br 1)) ${tail})`,
    'a case of br_table': (tail: string) => `(block (block (block (br_table 0 1 (i32.const 0))) ${tail} (br 1)) (loop))`,
  })) {
    it(`counts what was not checked along each path: ${arms}`, async () => {
      const work = '(call $leaf)'.repeat(30);
      const leaf = `(func $leaf (f64.const 1) ${'(f64.sqrt)'.repeat(20)} (drop))`;
      const body = text(work).repeat(300);
      const guest = await load(
        `(module ${leaf} (func $f (export "go") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))) ${body}))`,
        {
          fuel: 10_000_000,
        },
      );
      expect(guest.failure('go', 30).code).toBe('FUEL_EXHAUSTED');
      expect(guest.meter.usage.fuel).toBeLessThan(10_600_000);
    });
  }

  it('ends an endless loop at the deadline', async () => {
    const guest = await load('(module (func (export "go") (loop (br 0))))', { timeMs: 20 });
    expect(guest.failure('go').code).toBe('DEADLINE_EXCEEDED');
  });

  it('ends an endless start function when the module is loaded', async () => {
    await expect(load('(module (func $s (loop (br 0))) (start $s))', FUEL)).rejects.toMatchObject({ code: 'FUEL_EXHAUSTED' });
  });

  it('cannot be caught by handlers of the guest', async () => {
    const guest = await load(
      `(module (global $caught (export "caught") (mut i32) (i32.const 0))
        (func $spin (loop (br 0)))
        (func (export "go") (loop $again (block $h (try_table (catch_all $h) (call $spin))) (global.set $caught (i32.const 1)) (br $again))))`,
      FUEL,
    );
    expect(guest.failure('go').code).toBe('FUEL_EXHAUSTED');
  });

  it('passes an exception of a host function by every handler of the guest', async () => {
    const guest = await load(
      `(module (import "host" "fail" (func $fail)) (func (export "go") (result i32) (block $h (try_table (catch_all $h) (call $fail))) (i32.const 7)))`,
      {},
      {
        host: {
          fail() {
            throw new Error('/secret/path');
          },
        },
      },
    );
    const error = guest.failure('go');
    expect(error.code).toBe('GUEST_TRAPPED');
    expect(guest.failure('go')).toMatchObject({ code: 'GUEST_POISONED', cause: error });
  });

  it('passes an exception that refuses to be looked at', async () => {
    const evil = (): object =>
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw evil();
          },
        },
      );
    const text =
      '(module (import "host" "fail" (func $fail)) (func (export "go") (result i32) (block $h (try_table (catch_all $h) (call $fail))) (i32.const 7)))';
    const guest = await load(
      text,
      {},
      {
        host: {
          fail: () => {
            throw evil();
          },
        },
      },
    );
    expect(guest.failure('go').code).toBe('GUEST_TRAPPED');
  });

  it('refuses to charge what is no amount', async () => {
    for (const units of [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const guest = await load('(module (import "host" "work" (func $work)) (func (export "go") (call $work)))', {}, (meter) => ({
        host: { work: () => meter.control.charge(units) },
      }));
      expect(guest.failure('go').code).toBe('INTERNAL');
      expect(guest.meter.usage.fuel).toBeGreaterThan(0);
    }
  });

  it('stops at the next check when a host function aborted the guest and then returned', async () => {
    const guest = await load('(module (import "host" "abort" (func $abort)) (func (export "go") (result i32) (call $abort) (i32.const 7)))', {}, (meter) => ({
      host: { abort: () => meter.abort(new GloveportError('ABORTED', 'enough')) },
    }));
    expect(guest.failure('go').code).toBe('ABORTED');
  });

  it('refuses a call back into the running guest', async () => {
    const held: { again?: () => unknown } = {};
    const guest = await load(
      '(module (import "host" "again" (func $again)) (func (export "go") (call $again)))',
      {},
      { host: { again: () => held.again?.() } },
    );
    held.again = () => guest.call('go');
    expect(guest.failure('go').code).toBe('INVALID_STATE');
  });

  it('leaves nothing of a budget for the call after a stop', async () => {
    const guest = await load('(module (func (export "go") (loop (br 0))) (func (export "idle")))', FUEL);
    guest.failure('go');
    expect(guest.failure('idle').code).toBe('GUEST_POISONED');
  });
});

describe('the fuel limit', () => {
  const COUNT = `(module (func (export "go") (param $n i32) (result i32) (local $i i32)
    (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (local.get $n)))) (local.get $i)))`;

  it('lets a call pass that burns exactly the limit and stops one unit below', async () => {
    const burnt = (await load(COUNT)).fuel('go', 1000);
    expect((await load(COUNT, { fuel: burnt })).call('go', 1000)).toBe(1000);
    expect((await load(COUNT, { fuel: burnt - 1 })).failure('go', 1000).code).toBe('FUEL_EXHAUSTED');
  });

  it('holds for each call anew', async () => {
    const burnt = (await load(COUNT)).fuel('go', 1000);
    const guest = await load(COUNT, { fuel: burnt });
    for (let call = 0; call < 10; call++) expect(guest.call('go', 1000)).toBe(1000);
  });

  it('burns the same for the same work, however it is cut into quanta', async () => {
    const once = (await load(COUNT)).fuel('go', 3_000_000);
    const guest = await load(COUNT);
    guest.call('go', 12_345);
    expect(guest.fuel('go', 3_000_000)).toBe(once);
  });

  it('charges a region before its first effect', async () => {
    const body = Array.from({ length: 2_000 }, () => '(global.set 0 (i32.add (global.get 0) (i32.const 1)))').join('');
    const text = `(module (import "host" "seen" (func $seen (param i32))) (global (mut i32) (i32.const 0)) (func (export "go") (call $seen (i32.const 1)) (loop (nop)) ${body} (call $seen (i32.const 2))))`;
    const seen: number[] = [];
    const guest = await load(text, { fuel: 5_000 }, { host: { seen: (value: number) => void seen.push(value) } });
    expect(guest.failure('go').code).toBe('FUEL_EXHAUSTED');
    expect(seen).not.toContain(2);
  });

  it('counts what was charged even when the region traps', async () => {
    const guest = await load('(module (func (export "go") (drop (i32.div_u (i32.const 1) (i32.const 0)))))');
    expect(guest.failure('go').code).toBe('GUEST_TRAPPED');
    expect(guest.meter.usage.fuel).toBeGreaterThan(5);
  });
});
