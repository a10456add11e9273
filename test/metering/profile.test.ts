// A fuel profile: every unit belongs to the function whose code burnt it, and adding up changes nothing else.
import { parse } from '@bytecodealliance/jco';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { type CoreImports, Meter } from '../../src/metering/meter.ts';
import { prices } from '../../src/metering/prices.ts';
import type { Profile } from '../../src/metering/profile.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { wat } from '../support/wat.ts';
import { programs } from './generate/program.ts';
import { AMPLE, MeteredProgram } from './generate/run.ts';
import { settings } from './generate/settings.ts';
import { load, type MeteredGuest } from './harness.ts';

type Imports = CoreImports | ((meter: Meter) => CoreImports);

/** Runs `go` with and without a profile, which must not make a difference to what is burnt, and gives the profile. */
async function profileOf(text: string | Uint8Array, imports: Imports = {}, limits: LimitsInput = {}, args: readonly unknown[] = []): Promise<Profile> {
  const plain = await load(text, limits, imports);
  const profiled = await load(text, limits, imports, { profile: true });
  expect(outcome(profiled, args)).toEqual(outcome(plain, args));
  expect(profiled.meter.usage.fuel).toBe(plain.meter.usage.fuel);
  return checked(profiled.meter);
}

function outcome(guest: MeteredGuest, args: readonly unknown[]): unknown {
  try {
    return guest.call('go', ...args);
  } catch (error) {
    return String(error);
  }
}

function checked(guest: Meter): Profile {
  const profile = guest.profile();
  expect(profile.functions.reduce((sum, { fuel }) => sum + fuel, 0)).toBe(profile.total);
  expect(profile.total).toBe(guest.usage.fuel);
  expect(profile.functions.every(({ fuel }) => fuel > 0)).toBe(true);
  return profile;
}

/** Fuel by name, or by index where there is none. */
function byName({ functions }: Profile): Record<string, number> {
  return Object.fromEntries(functions.map(({ name, function: index, fuel }) => [name ?? String(index), fuel]));
}

const { entry: ENTRY } = prices;
const CALL = 4;
const NONE = { host: { f: () => undefined } };
const ROUND = '(local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if 0 (local.get $n))';

describe('the profile of', () => {
  it('functions that call each other gives each its own', async () => {
    const profile = await profileOf(`(module
      (func $go (export "go") (call $many (i32.const 3)) (call $many (i32.const 10)))
      (func $many (param $n i32) (loop ${ROUND})))`);
    expect(byName(profile)).toEqual({ go: ENTRY + 2 * (CALL + 1), many: 2 * ENTRY + 13 * (prices.loop + 6) });
    expect(profile.functions.map(({ name }) => name)).toEqual(['many', 'go']);
    expect(profile.functions[0]).toEqual({ function: 1, name: 'many', fuel: 2 * ENTRY + 13 * (prices.loop + 6) });
  });

  it('small functions, which their callers pay for, gives them what they cost themselves', async () => {
    const profile = await profileOf(`(module
      (func $go (export "go") (call $outer) (drop (call $inner)) (br_if 0 (i32.const 1)) (call $outer))
      (func $outer (drop (call $inner)) (drop (call $inner)) (drop (i32.const 1)))
      (func $inner (result i32) (i32.add (i32.const 1) (i32.const 2))))`);
    const inner = ENTRY + 3;
    expect(byName(profile)).toEqual({ go: ENTRY + 1 + 1 + 3 * CALL, outer: 2 * (ENTRY + 2 * CALL + 1), inner: 5 * inner });
  });

  it('a small function costs the same, paid for by its caller or by itself', async () => {
    const small = '(func $small (param i32) (result i32) (i32.add (local.get 0) (i32.const 2)))';
    const text = (more: string): string => `(module (func $go (export "go") (drop (call $small (i32.const 1)))) ${small} ${more})`;
    const prepaid = await profileOf(text(''));
    // A reference to it may be called from anywhere, without anybody who pays.
    const escaping = await profileOf(text('(table funcref (elem $small))'));
    expect(byName(prepaid).small).toBe(ENTRY + 3);
    expect(byName(escaping)).toEqual({ ...byName(prepaid), '(host)': 2 * prices.element });
  });

  it('calls that no way leads to has nothing of them', async () => {
    const profile = await profileOf(`(module
      (func $go (export "go") (call $half) (return) (call $small))
      (func $half (block (br 0) (call $small)))
      (func $small (drop (i32.const 1))))`);
    expect(byName(profile)).toEqual({ go: ENTRY + CALL + 1, half: ENTRY + 1 });
  });

  it('recursion, deep and mutual, counts each call', async () => {
    const profile = await profileOf(
      `(module
        (func $go (export "go") (drop (call $even (i32.const 100))))
        (func $even (param i32) (result i32)
          (if (result i32) (local.get 0) (then (call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
        (func $odd (param i32) (result i32)
          (if (result i32) (local.get 0) (then (call $even (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 0)))))`,
    );
    const { even, odd } = byName(profile);
    expect(even).toBeGreaterThan(51 * ENTRY);
    expect(odd).toBeGreaterThan(50 * ENTRY);
  });

  it('loops: split, with calls, nested, with exits, over many quanta', async () => {
    const profile = await profileOf(
      `(module (import "host" "f" (func $f))
        (func $go (export "go")
          (call $split (i32.const 200000)) (call $nested (i32.const 300)) (call $calling (i32.const 10)) (call $exits (i32.const 1000)))
        (func $split (param $n i32) (loop ${ROUND}))
        (func $nested (param $n i32) (loop (call $split (local.get $n)) (block (loop (br_if 1 (i32.const 1)) (br 0))) ${ROUND}))
        (func $calling (param $n i32) (loop (call $f) (call $small) ${ROUND}))
        (func $exits (param $n i32) (block (loop (br_if 1 (i32.eqz (local.get $n))) (if (local.get $n) (then (call $small))) ${ROUND})))
        (func $small (drop (i32.const 1))))`,
      NONE,
    );
    expect(Object.keys(byName(profile)).sort()).toEqual(['calling', 'exits', 'go', 'nested', 'small', 'split']);
    expect(byName(profile).small).toBe((10 + 1000) * (ENTRY + 1));
  });

  it('work by size gives it to the function that does it', async () => {
    const profile = await profileOf(`(module (memory 1) (table 100 funcref)
      (func $go (export "go") (call $fill) (call $grow) (call $copy))
      (func $fill (memory.fill (i32.const 0) (i32.const 1) (i32.const 8000)))
      (func $grow (drop (memory.grow (i32.const 2))) (drop (table.grow (ref.null func) (i32.const 5))))
      (func $copy (table.copy (i32.const 0) (i32.const 0) (i32.const 10))))`);
    const { fill = 0, grow = 0, copy = 0, go = 0 } = byName(profile);
    expect(fill - 2000).toBeLessThan(50);
    expect(grow - 2 * (prices.growth + prices.grown) - 2 * prices.page - 5 * prices.element).toBeLessThan(50);
    expect(copy - 2_560).toBeLessThan(60);
    expect(go).toBe(ENTRY + 3 * CALL);
  });

  it('objects and arrays of the collector, too', async () => {
    const profile = await profileOf(
      await parse(`(module (type $a (array (mut i32))) (type $s (struct (field i64)))
        (func $go (export "go") (call $array (i32.const 1000)) (call $struct))
        (func $array (param i32) (local (ref null $a))
          (local.set 1 (array.new_default $a (local.get 0))) (array.fill $a (local.get 1) (i32.const 0) (i32.const 7) (i32.const 1000)))
        (func $struct (drop (struct.new $s (i64.const 1)))))`),
    );
    expect(byName(profile).array).toBeGreaterThan(8000);
    expect(byName(profile).go).toBeLessThan(20);
  });

  it('tail calls and calls through tables gives each function its own', async () => {
    const profile = await profileOf(
      `(module (import "host" "f" (func $f)) (type $t (func (param i32))) (table funcref (elem $down $f))
        (func $go (export "go") (call $down (i32.const 50)) (call_indirect (i32.const 1)) (call $last))
        (func $down (param i32) (if (local.get 0) (then (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
        (func $last (return_call $f)))`,
      NONE,
    );
    const { go = 0, last = 0, down = 0 } = byName(profile);
    expect(go).toBeGreaterThan(prices.hostCall);
    expect(go).toBeLessThan(prices.hostCall + 40);
    expect(last).toBeGreaterThanOrEqual(prices.hostCall + ENTRY);
    expect(last).toBeLessThan(prices.hostCall + 20);
    expect(down).toBeGreaterThan(50 * ENTRY);
  });

  it('exceptions, thrown across loops of callers', async () => {
    const profile = await profileOf(
      await parse(`(module (tag $e)
        (func $go (export "go") (local $n i32) (local.set $n (i32.const 5)) (loop (call $catches) ${ROUND}))
        (func $catches (block $h (try_table (catch_all $h) (call $spins (i32.const 20)))))
        (func $spins (param $n i32) (loop ${ROUND}) (throw $e)))`),
    );
    expect(byName(profile).spins).toBeGreaterThan(5 * 20 * 8);
  });

  it('calls of the host gives them to the caller, with all that the host does for it', async () => {
    const imports = (guest: Meter): CoreImports => ({ host: { f: () => guest.control.charge(5_000) } });
    const profile = await profileOf(
      '(module (import "host" "f" (func $f)) (func $go (export "go") (call $a)) (func $a (drop (call $b)) (call $f)) (func $b (result i32) (call $f) (i32.const 1)))',
      imports,
    );
    const { a = 0, b = 0, go } = byName(profile);
    expect(go).toBe(ENTRY + CALL);
    for (const fuel of [a, b]) expect(fuel - 5_000 - prices.hostCall).toBeLessThan(30);
  });

  it('builtins for strings gives what they charge to the caller', async () => {
    const string = '(param externref externref) (result (ref extern))';
    const profile = await profileOf(
      await parse(`(module (import "wasm:js-string" "concat" (func $concat ${string})) (import "wasm:js-string" "fromCharCode" (func $char (param i32) (result (ref extern))))
        (global $text (mut externref) (ref.null extern))
        (func $go (export "go") (call $start) (call $double (i32.const 10)))
        (func $start (global.set $text (call $char (i32.const 65))))
        (func $double (param $n i32) (loop (global.set $text (call $concat (global.get $text) (global.get $text))) ${ROUND})))`),
    );
    const { go = 0, start = 0, double = 0 } = byName(profile);
    // A kilobyte in the end, of two bytes each, after half of that, and so on.
    expect(double).toBeGreaterThan(2 * 2_000);
    expect(start).toBeLessThan(double);
    expect(go).toBeLessThan(50);
    expect(Object.keys(byName(profile)).length).toBe(3);
  });

  it('work of the host outside of calls is the host’s, and inside of them the caller’s, whatever was called in between', async () => {
    let call = (_name: string): void => undefined;
    let seen: Profile | undefined;
    const text = `(module (import "host" "f" (func $f)) (import "host" "g" (func $g)) (table funcref (elem $g))
      (func $go (export "go") (call $f)) (func $inner (export "inner") (call_indirect (i32.const 0))))`;
    const metered = meter(await wat(text), { profile: true });
    const guest = new Meter(resolveLimits(AMPLE));
    const f = (): void => {
      call('inner');
      guest.control.charge(1_000);
      seen = checked(guest);
    };
    const module = new WebAssembly.Module(metered.bytes as BufferSource);
    guest.run(() => {
      guest.control.charge(7);
      const exports = guest.instantiate(module, metered.descriptor, { host: { f, g: () => guest.control.charge(20_000) } });
      call = (name) => (exports[name] as () => void)();
    });
    guest.run(() => {
      call('go');
      guest.control.charge(300);
    });
    const { go = 0, inner = 0, '(host)': host } = byName(checked(guest));
    // A table of one element, which a segment sets.
    const made = 2 * prices.element;
    expect(host).toBe(7 + made + 300);
    expect(go - 1_000 - prices.hostCall).toBeLessThan(30);
    expect(inner - 20_000 - prices.hostCall).toBeLessThan(30);
    expect(byName(seen as unknown as Profile)['(host)']).toBe(7 + made);
  });

  it('a start function that is the host’s is the host’s work', async () => {
    const guest = await load('(module (import "host" "f" (func $f)) (start $f))', {}, NONE, { profile: true });
    expect(checked(guest.meter).functions).toEqual([{ name: '(host)', fuel: prices.hostCall }]);
  });

  it('a guest that ran out of fuel, or that the host stopped, ends with what it burnt', async () => {
    const spin = '(module (import "host" "f" (func $f)) (func $go (export "go") (call $f) (loop (br 0))))';
    const exhausted = await profileOf(spin, NONE, { fuel: 3_000_000 });
    expect(byName(exhausted)).toEqual({ go: exhausted.total });
    expect(exhausted.total).toBeGreaterThan(3_000_000);
    const stopped = await profileOf(spin, (guest) => ({ host: { f: () => guest.abort(new GloveportError('ABORTED', 'enough')) } }));
    expect(stopped.total).toBeLessThan(prices.hostCall + 40);
  });

  it('a trap has what it forfeited apart', async () => {
    const { functions } = await profileOf(
      `(module (func $go (export "go") (call $spin (i32.const 1000)) (unreachable)) (func $spin (param $n i32) (loop ${ROUND})))`,
    );
    expect(functions.map(({ name }) => name)).toEqual(['(forfeited)', 'spin', 'go']);
    expect(functions[0]?.function).toBeUndefined();
    expect(functions[1]?.fuel).toBe(ENTRY + 1000 * (prices.loop + 6));
  });

  it('a trap below a function of the host has what it forfeited apart, too', async () => {
    let call: () => void = () => undefined;
    const text = `(module (import "host" "f" (func $f)) (func $go (export "go") (call $f))
      (func $inner (export "inner") (local $n i32) (local.set $n (i32.const 1000)) (loop ${ROUND}) (unreachable)))`;
    const guest = await load(text, {}, { host: { f: () => call() } }, { profile: true });
    call = guest.exports.inner as () => void;
    expect(guest.failure('go').code).toBe('GUEST_TRAPPED');
    const { inner, '(forfeited)': forfeited } = byName(checked(guest.meter));
    expect(inner).toBeGreaterThan(8_000);
    expect(forfeited).toBeGreaterThan(0);
  });

  it('a trap at the very end of the budget is not more than was charged', async () => {
    for (let fuel = 8_000; fuel < 8_400; fuel += 7) {
      await profileOf(
        `(module (func (export "go") (call $spin (i32.const 1000)) (unreachable)) (func $spin (param $n i32) (loop ${ROUND}) (unreachable)))`,
        {},
        { fuel },
      );
    }
  });

  it('a guest that was let go of stays as it was', async () => {
    const guest = await load('(module (memory 1) (func $go (export "go") (drop (i32.const 1))))', {}, {}, { profile: true });
    guest.call('go');
    const before = checked(guest.meter);
    guest.meter.abort(new GloveportError('DISPOSED', 'done'));
    guest.meter.release();
    expect(guest.meter.profile()).toEqual(before);
  });

  it('several modules and several instances of one has each module’s functions once', async () => {
    const source = '(module (import "other" "f" (func $f)) (func $g (export "f") (call $f)) (func $own (export "go") (call $g)))';
    const metered = meter(await wat(source), { profile: true, name: 'user' });
    const other = meter(await wat('(module (func $f (export "f") (drop (i32.const 1))))'), { profile: true, name: 'base' });
    const [module, otherModule] = [metered, other].map(({ bytes }) => new WebAssembly.Module(bytes as BufferSource)) as [
      WebAssembly.Module,
      WebAssembly.Module,
    ];
    const guest = new Meter(resolveLimits(AMPLE));
    guest.run(() => {
      const base = guest.instantiate(otherModule, other.descriptor, {});
      const middle = guest.instantiate(module, metered.descriptor, { other: base });
      const top = guest.instantiate(module, metered.descriptor, { other: middle });
      (top.go as () => void)();
    });
    const { functions } = checked(guest);
    expect(functions.map(({ module: from, name }) => `${from} ${name}`).sort()).toEqual(['base f', 'user g', 'user own']);
    expect(functions.find(({ name }) => name === 'f')?.fuel).toBe(ENTRY + 1);
  });
});

describe('a profile', () => {
  it('is to be asked for when the module is metered', async () => {
    const guest = await load('(module)');
    expect(() => guest.meter.profile()).toThrow(expect.objectContaining({ code: 'INVALID_STATE', message: expect.stringContaining('{ profile: true }') }));
  });

  it('escapes and cuts the names that a guest gives itself', async () => {
    const name = `${'\\u{202e}\\0a'}${'x'.repeat(300)}`;
    const bytes = await parse(`(module (func (@name "${name}") (export "go")))`);
    const guest = await load(bytes, {}, {}, { profile: true });
    guest.call('go');
    const [entry] = checked(guest.meter).functions;
    expect(entry?.name).toMatch(/^\\u\{202e\}\\u\{a\}x{198}… \(302 characters\)$/);
  });

  it('is in a memory that the guest has no name for and is not charged for', async () => {
    const bytes = await wat('(module (memory (export "memory") 1) (func (export "go") (drop (i32.const 1))))');
    const { descriptor, bytes: rewritten } = meter(bytes, { profile: true });
    const guest = new Meter(resolveLimits({ memoryBytes: 65_536 }));
    const exports = guest.run(() => guest.instantiate(new WebAssembly.Module(rewritten as BufferSource), descriptor, {}));
    expect(Object.keys(exports).sort()).toEqual(['go', 'memory']);
    expect(guest.usage.memoryBytes).toBe(65_536);
    expect(structuredClone(descriptor)).toEqual(descriptor);
  });

  it('does not change what a program does or burns, and is all that it burns', () => {
    fc.assert(
      fc.property(programs(), fc.double({ min: 0, max: 1, noNaN: true }), (program, share) => {
        const plain = new MeteredProgram(program);
        const profiled = new MeteredProgram(program, { profile: true });
        const whole = plain.run();
        expect(profiled.run(AMPLE, 1, checked)).toEqual(whole);
        const fuel = Math.max(1, Math.floor(Math.max(...whole.fuel) * share));
        expect(profiled.run({ ...AMPLE, fuel }, 1, checked)).toEqual(plain.run({ ...AMPLE, fuel }));
      }),
      settings(200),
    );
  });
});
