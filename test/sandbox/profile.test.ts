// Where a guest's fuel went, through the public surface.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { guest as build } from '../../guest-examples/build.ts';
import { compile, type Guest, type LimitsInput, type Profile, Sandbox } from '../../src/index.ts';
import { wat } from '../support/wat.ts';

const SPIN = `(module (import "host" "look" (func $look))
  (func $go (export "go") (call $spin (i32.const 1000)) (call $look))
  (func $spin (param $n i32) (loop (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if 0 (local.get $n))))
  (func $trap (export "trap") (unreachable))
  (func $forever (export "forever") (loop (br 0))))`;

// Two core modules, one of which calls the other, and hands a string to the host.
const COMPONENT = `(component
  (import "log" (func $log (param "text" string)))
  (core module $library (memory (export "memory") 1) (data (i32.const 8) "hello")
    (func $double (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))
  (core module $main (import "library" "double" (func $double (param i32) (result i32))) (import "host" "log" (func $log (param i32 i32)))
    (func $run (export "run") (param i32) (result i32) (call $log (i32.const 8) (i32.const 5)) (call $double (local.get 0))))
  (core instance $l (instantiate $library))
  (core func $log (canon lower (func $log) (memory (core memory $l "memory"))))
  (core instance $m (instantiate $main (with "library" (instance $l)) (with "host" (instance (export "log" (func $log))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run"))))`;

async function load(options: { readonly profile?: boolean; readonly look?: () => void; readonly limits?: LimitsInput } = {}): Promise<Guest> {
  const { profile = true, look = () => undefined, limits = 'default' } = options;
  return new Sandbox({ limits, imports: { host: { look } } }).load(await wat(SPIN), { profile });
}

/** Its profile, which says where all of its fuel went. */
function checked(guest: Guest): Profile {
  const profile = guest.profile();
  expect(profile.functions.reduce((sum, { fuel }) => sum + fuel, 0)).toBe(guest.usage.fuel);
  expect(profile.total).toBe(guest.usage.fuel);
  return profile;
}

describe('guest.profile()', () => {
  it('gives the fuel of each function since the guest was loaded, and costs none', async () => {
    const [plain, profiled] = [await load({ profile: false }), await load()];
    for (let round = 0; round < 3; round++) await Promise.all([plain.call('go'), profiled.call('go')]);
    expect(profiled.usage.fuel).toBe(plain.usage.fuel);
    const { functions } = checked(profiled);
    expect(functions).toMatchObject([
      { function: 2, name: 'spin' },
      { function: 1, name: 'go' },
    ]);
    expect(checked(await load()).functions).toEqual([]);
  });

  it('can be had while the guest runs, after a trap or a stop, and when it was disposed of', async () => {
    const held: { guest?: Guest; during?: Profile } = {};
    const look = (): void => {
      if (held.guest !== undefined) held.during = checked(held.guest);
    };
    const guest = await load({ look });
    held.guest = guest;
    await guest.call('go');
    expect(held.during?.functions[0]).toMatchObject({ name: 'spin' });
    await expect(guest.call('trap')).rejects.toMatchObject({ code: 'GUEST_TRAPPED' });
    expect(checked(guest).functions.map(({ name }) => name)).toEqual(['(forfeited)', 'spin', 'go', 'trap']);
    const before = guest.profile();
    guest.dispose();
    expect(checked(guest)).toEqual(before);
    const stopped = await load({ limits: { fuel: 100_000 } });
    await expect(stopped.call('forever')).rejects.toMatchObject({ code: 'FUEL_EXHAUSTED' });
    expect(checked(stopped).functions).toMatchObject([{ name: 'forever' }]);
  });

  it('has to be asked for when the guest is loaded', async () => {
    const guest = await load({ profile: false });
    expect(() => guest.profile()).toThrow(expect.objectContaining({ code: 'INVALID_STATE', message: expect.stringContaining('{ profile: true }') }));
  });

  it('tells the modules of a component apart, and the work of the host', async () => {
    const bytes = await parse(COMPONENT);
    const sandbox = new Sandbox({ imports: { log: () => undefined } });
    const [plain, profiled] = [await sandbox.load(bytes), await sandbox.load(bytes, { profile: true })];
    for (const guest of [plain, profiled]) expect(await guest.call('run', 21)).toBe(42);
    expect(profiled.usage.fuel).toBe(plain.usage.fuel);
    const { functions } = checked(profiled);
    const [run, double] = ['run', 'double'].map((name) => functions.find((entry) => entry.name === name));
    expect(run?.fuel).toBeGreaterThan(10_000);
    expect(double?.fuel).toBeLessThan(20);
    expect(new Set([run?.module, double?.module]).size).toBe(2);
  });

  it('says where an interpreter’s fuel goes', async () => {
    const sandbox = new Sandbox({ imports: { 'demo:text/host': { log: () => undefined, lookup: (name: string) => name } } });
    const bytes = await build('text-tools');
    const [plain, profiled] = [await sandbox.load(bytes), await sandbox.load(bytes, { profile: true })];
    for (const guest of [plain, profiled]) expect(await guest.call('demo:text/api#render', 'Hello, {{name}}!')).toBe('Hello, name!');
    expect(profiled.usage.fuel).toBe(plain.usage.fuel);
    const { functions } = checked(profiled);
    expect(functions.length).toBeGreaterThan(50);
    expect(functions.filter(({ function: index }) => index === undefined).map(({ name }) => name)).toEqual(['(host)']);
  });
});

describe('a module', () => {
  it('is compiled with a profile or without, and says which', async () => {
    const bytes = await wat('(module (func (export "go")))');
    const [plain, profiled] = [await compile(bytes), await compile(bytes, { profile: true })];
    expect([plain.profile, profiled.profile]).toEqual([false, true]);
    await expect(new Sandbox().load(plain, { profile: true })).rejects.toMatchObject({ code: 'INVALID_OPTION', details: { option: 'profile' } });
    const guest = await new Sandbox().load(profiled);
    await guest.call('go');
    expect(checked(guest).functions.length).toBe(1);
    await expect(compile(bytes, { profile: 1 as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(new Sandbox().load(bytes, { profile: 'yes' as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it('is kept apart from the same one without, in memory and in a directory', async () => {
    const cacheDirectory = mkdtempSync(join(tmpdir(), 'gloveport-'));
    try {
      const bytes = await wat('(module (func (export "go") (drop (i32.const 77))))');
      const sandbox = new Sandbox({ cacheDirectory });
      for (const profile of [false, true, false, true]) {
        const guest = await sandbox.load(bytes, { profile });
        if (profile) checked(guest);
        else expect(() => guest.profile()).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }));
      }
      expect(readdirSync(cacheDirectory).length).toBe(2);
    } finally {
      rmSync(cacheDirectory, { recursive: true });
    }
  });
});
