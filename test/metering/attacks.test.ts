// What an attacker found, one test for each way of running, allocating or keeping more than was paid for, or of ending the engine: it stays closed.
import { describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { Sandbox } from '../../src/index.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { type CoreExports, type CoreImports, Meter } from '../../src/metering/meter.ts';
import { EXCEPTION_BYTES, EXCEPTION_VALUE_BYTES, LARGE_REGION_UNITS, prices, REGION_UNITS, UNCHECKED_UNITS } from '../../src/metering/prices.ts';
import { meter, type MeterOptions } from '../../src/metering/rewrite.ts';
import { gcWat, wat } from '../support/wat.ts';
import { load, loadGc, type MeteredGuest } from './harness.ts';

const EXHAUSTED = { code: 'FUEL_EXHAUSTED' };
const SQRT = 12;
/** What may run after the last unit is spent: what stands between two checks. */
const OVERSHOOT = UNCHECKED_UNITS + 2 * LARGE_REGION_UNITS;

describe('code of very many units', () => {
  const roots = (count: number): string => '(f64.sqrt)'.repeat(count);

  it('is charged in regions of a bounded size, so that no counter goes round', async () => {
    const early = (count: number): string => `(module (func (export "go") (param i32) (br_if 0 (local.get 0)) (f64.const 1) ${roots(count)} (drop)))`;
    const guest = await load(early(200_000));
    expect(guest.fuel('go', 1)).toBeLessThanOrEqual(REGION_UNITS);
    expect(guest.fuel('go', 0)).toBeGreaterThan(200_000 * SQRT);
  });

  it('behind a branch that is always taken cannot mint fuel', async () => {
    const wide = `(type $s (struct ${'(field v128)'.repeat(2_000)}))`;
    const text = (count: number): string => `(module ${wide} (func (export "go") (param i32) (loop $l
      (block $out (result (ref i31)) (br_on_cast $out (ref i31) (ref i31) (ref.i31 (i32.const 0))) drop ${'(drop (struct.new_default $s))'.repeat(count)} (unreachable)) drop
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if $l (local.get 0)))))`;
    // As many as there may be: 28 million units in each round.
    const guest = await loadGc(text(900), { fuel: 5e6 });
    expect(guest.failure('go', 1_000_000)).toMatchObject(EXHAUSTED);
    expect(guest.meter.usage.fuel).toBeGreaterThanOrEqual(5e6);
    expect(guest.meter.usage.fuel).toBeLessThan(5e6 + 2 * REGION_UNITS);
    // As many as took the counter round once.
    expect(refusal(await gcWat(text(134_000)))).toMatchObject(TOO_MUCH_WORK);
  });

  it('that is called over and over before anything else cannot mint fuel', async () => {
    // 40 × 38 × 2.8 million: 2^32.
    const text = `(module
      (func $late (param i32) (f64.const 1) ${roots(235_000)} (drop) (if (local.get 0) (then (call $late (i32.const 0)))))
      (func $many ${'(call $late (i32.const 0))'.repeat(40)})
      (func (export "go") (loop ${'(call $many)'.repeat(38)} (br 0))))`;
    const guest = await load(text, { fuel: 10e6 });
    expect(guest.failure('go')).toMatchObject(EXHAUSTED);
    expect(guest.meter.usage.fuel).toBeGreaterThanOrEqual(10e6);
    expect(guest.meter.usage.fuel).toBeLessThan(10e6 + 2 * REGION_UNITS);
  });
});

describe('a function that counts its frame late', () => {
  const done = '(global $done (export "done") (mut i32) (i32.const 0))';
  const tick = '(global.set $done (i32.add (global.get $done) (i32.const 1)))';
  const calls = (callee: string, count: number): string => `(call ${callee} (i32.const 0))`.repeat(count);

  it.each([
    ['a region at a time', 3_000, 1_500],
    ['a little at a time', 30, 40_000],
    ['more than its budget at once', 20_000, 1_500],
  ])('cannot work for nothing before its call: %s', async (_what, roots, count) => {
    const fuel = 100_000;
    const text = `(module ${done}
      (func $late (param i32) (local i32) (f64.const 1) ${'(f64.sqrt)'.repeat(roots)} (drop) ${tick} (if (local.get 0) (then (call $late (i32.const 0)))))
      (func $some ${calls('$late', 40)})
      (func (export "go") ${'(call $some)'.repeat(count / 40)}))`;
    const guest = await load(text, { fuel });
    expect(guest.failure('go')).toMatchObject(EXHAUSTED);
    const ran = (guest.exports.done as WebAssembly.Global).value as number;
    expect(ran * roots * SQRT).toBeLessThanOrEqual(fuel + OVERSHOOT);
    expect(guest.meter.usage.fuel).toBeGreaterThanOrEqual(fuel);
  });

  it('cannot work for nothing behind its call', async () => {
    const fuel = 100_000;
    const text = `(module ${done}
      (func $late (param i32) (if (local.get 0) (then (call $late (i32.const 0))))
        (f64.const 1) ${'(f64.sqrt)'.repeat(500)} (drop) ${tick})
      (func $some ${calls('$late', 40)})
      (func (export "go") ${'(call $some)'.repeat(50)}))`;
    const guest = await load(text, { fuel });
    expect(guest.failure('go')).toMatchObject(EXHAUSTED);
    const ran = (guest.exports.done as WebAssembly.Global).value as number;
    expect(ran * 500 * SQRT).toBeLessThanOrEqual(fuel + OVERSHOOT);
  });
});

const TOO_MUCH_WORK = { code: 'MODULE_TOO_LARGE', details: { limit: 'control work of one function' } };

describe('a module that the engine needs gigabytes to compile', () => {
  const many = 'i64 '.repeat(1_000);
  const label = `(module (type $r (func (result ${many}))) (func $make (type $r) (local i64) ${'(local.get 0)'.repeat(1_000)})
    (func (type $r) (call $make) ${'(br_if 0 (i32.const 0))'.repeat(10_000)}))`;
  const clauses = `(module (type $r (func (result ${many}))) (tag $e (param ${many})) (func $make (type $r) (local i64) ${'(local.get 0)'.repeat(1_000)}) (func $f)
    (func (type $r) (block $h (type $r) ${`(try_table ${'(catch $e $h)'.repeat(10)} (call $f))`.repeat(300)} (call $make))))`;
  const legacy = `(module (tag $e (param ${many})) (func $f) (func ${'(try (do (call $f)) (catch $e (unreachable)))'.repeat(3_000)}))`;
  const objects = `(module (type $s (struct ${'(field i64)'.repeat(2_000)})) (func (block (br_if 0 (i32.const 1)) ${'(drop (struct.new_default $s))'.repeat(5_000)})))`;

  it.each([
    ['the label of the function, with many results', gcWat(label)],
    ['clauses of handlers, with many values', gcWat(clauses)],
    ['legacy handlers, with many values', wat(legacy)],
    ['objects of many fields', gcWat(objects)],
  ])('is refused before: %s', async (_what, bytes) => {
    expect(refusal(await bytes)).toMatchObject(TOO_MUCH_WORK);
  });
});

describe('values in numbers', () => {
  const consts = (count: number): string => '(i64.const 1)'.repeat(count);
  const list = (count: number): string => 'i64 '.repeat(count);
  const ROUNDS = '(local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n))';
  const loop = (body: string, more = ''): string => `(module ${more} (func (export "go") (param $n i32) (loop $l ${body} ${ROUNDS})))`;

  // Making a value costs a unit, a parameter is a local too.
  const LOCAL = 1 / 2 ** prices.localsShift;
  it.each<[way: string, making: number, text: (count: number) => string]>([
    [
      'a branch to the head of a loop',
      0,
      (count) => `(module (type $t (func (param ${list(count)}) (result ${list(count)})))
        (func (export "go") (param $n i32) ${consts(count)} (loop $l (type $t) ${ROUNDS}) ${'drop '.repeat(count)}))`,
    ],
    ['a call that takes them', 1 + LOCAL, (count) => loop(`${consts(count)} (call $f)`, `(func $f (param ${list(count)}) (loop))`)],
    ['a call that gives them', 1, (count) => loop(`(call $f) ${'drop '.repeat(count)}`, `(func $f (result ${list(count)}) (loop) ${consts(count)})`)],
    [
      'a call through a table',
      1 + LOCAL,
      (count) =>
        loop(
          `${consts(count)} (call_indirect (type $t) (i32.const 0))`,
          `(type $t (func (param ${list(count)}))) (table funcref (elem $f)) (func $f (type $t))`,
        ),
    ],
    [
      'an exception',
      1,
      (count) =>
        loop(
          `(block $h (result ${list(count)}) (try_table (catch $e $h) ${consts(count)} (throw $e)) (unreachable)) ${'drop '.repeat(count)}`,
          `(tag $e (param ${list(count)}))`,
        ),
    ],
  ])('are charged for one by one where they are moved: by %s', async (_way, making, text) => {
    const few = await eachRound(text(prices.freeValues));
    expect((await eachRound(text(500))) - few).toBeGreaterThanOrEqual(500 + making * (500 - prices.freeValues));
  });

  it('are not charged for where they are few', async () => {
    const text = (count: number): string =>
      loop(`(call $f) ${'drop '.repeat(count)}`, `(func $f (result ${list(count)}) (local i64) (loop) ${'(local.get 0)'.repeat(count)})`);
    expect((await eachRound(text(8))) - (await eachRound(text(7)))).toBe(1);
    expect((await eachRound(text(9))) - (await eachRound(text(8)))).toBe(1 + 9);
  });

  async function eachRound(text: string): Promise<number> {
    const guest = await loadGc(text);
    return guest.fuel('go', 11) - guest.fuel('go', 10);
  }
});

describe('handlers', () => {
  it('cost by the clause, each time they are entered', async () => {
    const fuel = async (count: number): Promise<number> =>
      (await loadGc(`(module (tag $e) (func (export "go") (block $h (try_table ${'(catch $e $h)'.repeat(count)}))))`)).fuel('go');
    expect((await fuel(20)) - (await fuel(1))).toBe(19 * prices.catchClause);
  });

  it('of the legacy encoding cost by the clause too', async () => {
    const fuel = async (count: number): Promise<number> =>
      (await load(`(module (tag $e) (func (export "go") (try (do) ${'(catch $e)'.repeat(count)})))`)).fuel('go');
    expect((await fuel(20)) - (await fuel(1))).toBe(19 * prices.catchClause);
  });

  it('of the legacy encoding charge for their arms when those run', async () => {
    const arm = '(drop (i32.const 1))'.repeat(3);
    const text = (clause: string): string => `(module (tag $e) (func (export "thrown") (try (do (throw $e)) (${clause} ${arm})))
      (func (export "unthrown") (try (do) (${clause} ${arm}))) (func (export "bare") (try (do) (${clause}))))`;
    for (const clause of ['catch $e', 'catch_all']) {
      const guest = await load(text(clause));
      const [unthrown, bare, thrown] = ['unthrown', 'bare', 'thrown'].map((name) => guest.fuel(name)) as [number, number, number];
      expect(unthrown).toBe(bare);
      expect(bare).toBe(prices.entry + prices.catchClause);
      expect(thrown).toBeGreaterThanOrEqual(bare + 180 + 3);
    }
  });
});

describe('an import that no function of the host can be', () => {
  const TYPES = ['(param v128)', '(result v128)', '(param i32 v128)', '(param exnref)', '(result exnref)', '(param (ref exn))'];
  const text = (type: string): string => `(module (import "host" "f" (func $f ${type})) (tag (export "e")))`;

  it.each(TYPES)('does not link: %s', async (type) => {
    await expect(loadGc(text(type), {}, { host: { f: () => 0 } })).rejects.toMatchObject({
      code: 'LINK_FAILED',
      details: { module: 'host', name: 'f', kind: 'function' },
    });
  });

  it('is refused by a sandbox', async () => {
    const sandbox = new Sandbox({ imports: { host: { f: () => 0 } } });
    for (const type of TYPES) await expect(sandbox.load(await gcWat(text(type))), type).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });

  it('links with another module of the same guest', async () => {
    const guest = new Meter(resolveLimits({}));
    const library = await join(guest, '(module (func (export "f") (param v128) (result v128) (local.get 0)))');
    const program = await join(
      guest,
      '(module (import "host" "f" (func $f (param v128) (result v128))) (func (export "go") (result i32) (i32x4.extract_lane 1 (call $f (v128.const i32x4 1 2 3 4)))))',
      { host: library },
    );
    expect(guest.run(() => (program.go as () => number)())).toBe(2);
  });
});

describe('what a host function returns', () => {
  const taking = (type: string, drops: number): string => `(module (import "host" "f" (func $f (result ${type})))
    (global (export "caught") (mut i32) (i32.const 0))
    (func (export "go") (try (do (call $f) ${'(drop)'.repeat(drops)}) (catch_all (global.set 0 (i32.const 1))))))`;
  const hostile = {
    valueOf() {
      throw new Error('no number');
    },
  };

  it.each<[what: string, type: string, result: unknown]>([
    ['a bigint for an i32', 'i32', 1n],
    ['a symbol for an i32', 'i32', Symbol('one')],
    ['nothing for an i64', 'i64', undefined],
    ['a number for an i64', 'i64', 1],
    ['a bigint for an f64', 'f64', 1n],
    ['an object that throws', 'f32', hostile],
    ['an object that throws, of several', 'i32 i32', [1, hostile]],
    ['too few', 'i32 i64', [1]],
    ['too many', 'i32 i64', [1, 2n, 3]],
    ['what has no elements', 'i32 i64', 7],
  ])('ends the call, and the guest cannot catch it, when it does not fit: %s', async (_what, type, result) => {
    const guest = await load(taking(type, type.split(' ').length), {}, { host: { f: () => result } });
    expect(guest.failure('go')).toBeInstanceOf(GloveportError);
    expect(guest.meter.stopped).toBeDefined();
    expect((guest.exports.caught as WebAssembly.Global).value).toBe(0);
  });

  it.each<[type: string, result: unknown, is: unknown]>([
    ['i32', 2 ** 32 + 5, 5],
    ['i32', -1, -1],
    ['i32', 2.9, 2],
    ['i32', '12', 12],
    ['i32', undefined, 0],
    ['i64', 2n ** 64n + 3n, 3n],
    ['i64', 2n ** 63n, -(2n ** 63n)],
    ['i64', true, 1n],
    ['f32', 0.1, Math.fround(0.1)],
    ['f64', '0.5', 0.5],
    ['f64', undefined, Number.NaN],
    ['externref', null, null],
    ['i32 i64 f64', [2 ** 32 + 1, -1n, '1.5'], [1, -1n, 1.5]],
    ['i32 i32', new Set([1, 2]), [1, 2]],
  ])('is what the engine makes of it: %s, %s', async (type, result, is) => {
    const text = `(module (import "host" "f" (func $f (result ${type}))) (func (export "go") (result ${type}) (call $f)))`;
    const host = { f: () => result };
    const guest = await load(text, {}, { host });
    expect(guest.call('go')).toEqual(is);
    const plain = new WebAssembly.Instance(new WebAssembly.Module((await wat(text)) as BufferSource), { host: host as never });
    expect((plain.exports.go as () => unknown)()).toEqual(is);
  });

  it('is nothing to a guest that takes nothing', async () => {
    const guest = await load('(module (import "host" "f" (func $f)) (func (export "go") (call $f)))', {}, { host: { f: () => hostile } });
    expect(guest.call('go')).toBeUndefined();
  });
});

describe('exceptions that another module keeps', () => {
  const throwing = (tag: string): string => `(module ${tag} (func (export "throw") (throw $e (i32.const 1) (i64.const 2))))`;
  const keeping = `(module (import "other" "throw" (func $throw)) (func (export "go") (param $n i32)
    (loop $l (block $h (result exnref) (try_table (catch_all_ref $h) (call $throw)) (unreachable)) (drop)
      (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))))`;
  const TAG = '(tag $e (param i32 i64))';
  const BYTES = EXCEPTION_BYTES + EXCEPTION_VALUE_BYTES.i32 + EXCEPTION_VALUE_BYTES.i64;

  const thousand = async (tag: string, gcBytes: number, options: MeterOptions = {}): Promise<Meter> => {
    const guest = new Meter(resolveLimits({ gcBytes }));
    const other = await join(guest, throwing(tag), {}, options);
    const { go } = await join(guest, keeping, { other });
    try {
      guest.run(() => (go as (count: number) => void)(1_000));
    } catch {
      expect(guest.stopped).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes' } });
    }
    return guest;
  };

  it.each<[how: string, tag: string, options: MeterOptions]>([
    ['when their tag is exported', `${TAG} (export "e" (tag $e))`, {}],
    ['when the thrower is told', TAG, { countExceptions: true }],
  ])('count %s', async (_how, tag, options) => {
    expect((await thousand(tag, 1_000 * BYTES - 1, options)).stopped).toBeDefined();
    expect((await thousand(tag, 1_000 * BYTES, options)).stopped).toBeUndefined();
  });

  it('count when their tag is imported', async () => {
    const text = `(module (import "other" "e" (tag $e)) (func (export "throw") (throw $e)))`;
    const guest = new Meter(resolveLimits({ gcBytes: 10 * EXCEPTION_BYTES }));
    const other = await join(guest, '(module (tag (export "e")))');
    const { throw: thrower } = await join(guest, text, { other });
    const { go } = await join(guest, keeping, { other: { throw: thrower } });
    expect(() => guest.run(() => (go as (count: number) => void)(1_000))).toThrow(expect.objectContaining({ code: 'MEMORY_EXCEEDED' }));
  });
});

describe('a request to grow', () => {
  it.each([
    ['memories', (count: number) => `${'(memory 0)'.repeat(count)} (func (export "go") (drop (memory.grow (i32.const 0))))`],
    ['tables', (count: number) => `${'(table 0 externref)'.repeat(count)} (func (export "go") (drop (table.grow 0 (ref.null extern) (i32.const 0))))`],
  ])('costs for each of the guest’s %s, which are all looked at', async (_what, body) => {
    const fuel = async (count: number): Promise<number> => (await loadGc(`(module ${body(count)})`)).fuel('go');
    const one = await fuel(1);
    expect(one).toBeGreaterThanOrEqual(prices.growth + prices.grown);
    expect((await fuel(20)) - one).toBe(19 * prices.grown);
  });
});

describe('what a module declares', () => {
  const made = async (text: string, limits: LimitsInput = {}): Promise<MeteredGuest> => loadGc(`(module ${text})`, limits);

  it.each([
    ['nothing', '', 0],
    ['pages of its memory', '(memory 3)', 3 * prices.page],
    ['pages of all its memories', '(memory 3) (memory 2 5)', 5 * prices.page],
    ['elements of a table', '(table 10 externref)', 10 * prices.element],
    ['entries of segments', '(func $f) (table 10 funcref) (elem (i32.const 2) $f $f)', 12 * prices.element],
    ['bytes of data', `(memory 1) (data (i32.const 0) "${'a'.repeat(400)}")`, prices.page + 100],
    ['objects', '(type $a (array i8)) (global (ref $a) (array.new_default $a (i32.const 1000)))', 1_024],
  ])('is charged for when it is instantiated: %s', async (_what, text, units) => {
    expect((await made(text, { fuel: Math.max(1, units) })).meter.usage.fuel).toBe(units);
    if (units > 0) await expect(made(text, { fuel: units - 1 })).rejects.toMatchObject(EXHAUSTED);
  });

  it('is the host’s to pay for where the host made it', async () => {
    const memory = new WebAssembly.Memory({ initial: 10 });
    const guest = await loadGc('(module (import "host" "memory" (memory 1)))', { fuel: 1 }, { host: { memory } });
    expect(guest.meter.usage.fuel).toBe(0);
  });
});

function refusal(bytes: Uint8Array): unknown {
  try {
    meter(bytes);
  } catch (error) {
    return error;
  }
  throw new Error('the module was not refused');
}

/** One more module of a guest. */
async function join(guest: Meter, text: string, imports: CoreImports = {}, options: MeterOptions = {}): Promise<CoreExports> {
  const { bytes, descriptor } = meter(await gcWat(text), options);
  const module = new WebAssembly.Module(bytes as BufferSource);
  return guest.run(() => guest.instantiate(module, descriptor, imports));
}
