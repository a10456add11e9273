// Shared memories and waits for other threads, on the one thread that there is: who may have them, and that no wait outlives its call.
import { describe, expect, it } from 'vitest';
import { Cap, compile, limits, Sandbox } from '../../src/index.ts';
import { errorOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';
import { component } from '../component/support.ts';
import { load, type MeteredGuest } from './harness.ts';

const PAGE = 65_536;
const WAITS = `(module (memory 1 10 shared)
  (func (export "wait32") (param i32 i64) (result i32) (memory.atomic.wait32 (i32.const 0) (local.get 0) (local.get 1)))
  (func (export "wait64") (param i64 i64) (result i32) (memory.atomic.wait64 (i32.const 8) (local.get 0) (local.get 1)))
  (func (export "notify") (param i32) (result i32) (memory.atomic.notify (i32.const 0) (local.get 0)))
  (func (export "add") (param i32) (result i32) (i32.atomic.rmw.add (i32.const 0) (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "for-ever") (loop $l (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000))) (br $l)))
  (func (export "caught") (result i32)
    (block $h (try_table (catch_all $h) (return (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))) (i32.const -7)))`;

const SHARED = '(module (memory 1 1 shared) (func (export "go") (result i32) (i32.atomic.rmw.add (i32.const 0) (i32.const 5))))';
const ONLY_WAITS = '(module (memory 1) (func (export "go") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))))';
const IMPORTS = '(module (memory (import "env" "memory") 1 1 shared))';
const ONLY_ATOMICS = '(module (memory 1) (func (export "go") (result i32) (i32.atomic.rmw.add (i32.const 0) (i32.const 5))))';

describe('the grant for threads', () => {
  it('is required by shared memories, imported ones too, and by atomic waits, but not by atomic operators', async () => {
    for (const [text, requires] of [
      [SHARED, Cap.THREADING],
      [ONLY_WAITS, Cap.THREADING],
      [IMPORTS, Cap.THREADING],
      [ONLY_ATOMICS, Cap.NONE],
    ] as const) {
      const module = await compile(await wat(text));
      expect(module).toMatchObject({ requires, dangerous: false });
    }
  });

  it('is missed when a module is loaded, strict or not, and named', async () => {
    for (const text of [SHARED, ONLY_WAITS, IMPORTS]) {
      for (const strict of [true, false]) {
        const grant = Cap.CONSOLE | Cap.FS_READ;
        const error = await errorOf(async () => new Sandbox({ grant, strict }).load(await wat(text)));
        expect(error).toMatchObject({ code: 'CAPABILITY_DENIED', details: { missing: ['threading'], requires: Cap.THREADING, grants: grant } });
      }
    }
  });

  it('lets a module run; what it imports is still for the host to provide', async () => {
    const sandbox = new Sandbox({ grant: 'threading', strict: true });
    const guest = await sandbox.load(await wat(SHARED));
    expect(await guest.call('go')).toBe(0);
    expect(await guest.call('go')).toBe(5);
    expect(guest.usage.memoryBytes).toBe(PAGE);
    await expect(sandbox.load(await wat(IMPORTS))).rejects.toMatchObject({ code: 'LINK_FAILED' });
    const waits = await sandbox.load(await wat(ONLY_WAITS));
    await expect(waits.call('go')).rejects.toMatchObject({ code: 'GUEST_TRAPPED' });
  });

  it('is required by a component whose core modules wait', async () => {
    const bytes = await component(`(component
      (core module $m (memory 1) (func (export "go") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))))
      (core instance $i (instantiate $m)) (func (export "go") (canon lift (core func $i "go"))))`);
    expect((await compile(bytes)).requires).toBe(Cap.THREADING);
    await expect(new Sandbox().load(bytes)).rejects.toMatchObject({ code: 'CAPABILITY_DENIED' });
    await new Sandbox({ grant: Cap.THREADING }).load(bytes);
  });
});

describe('a wait', () => {
  const waiting = (timeMs: number = limits.default.timeMs): Promise<MeteredGuest> => load(WAITS, { timeMs });

  it('gives what the specification has: 1 for another value, 2 for the end of its time', async () => {
    const guest = await waiting();
    expect(guest.call('wait32', 1, -1n)).toBe(1);
    expect(guest.call('wait64', 1n, -1n)).toBe(1);
    for (const nanoseconds of [0n, 1n, 1_000_000n]) {
      expect(guest.call('wait32', 0, nanoseconds)).toBe(2);
      expect(guest.call('wait64', 0n, nanoseconds)).toBe(2);
    }
    expect(guest.meter.stopped).toBeUndefined();
  });

  it('ends at the deadline at the latest, and the guest with it, whatever it catches', async () => {
    for (const [name, ...values] of [
      ['wait32', 0, -1n],
      ['wait32', 0, -(2n ** 63n)],
      ['wait64', 0n, 2n ** 63n - 1n],
      ['wait64', 0n, 60_000_000_000n],
      ['caught'],
      ['for-ever'],
    ] as const) {
      const guest = await waiting(20);
      expect(guest.failure(name, ...values).code).toBe('DEADLINE_EXCEEDED');
      expect(guest.failure('notify', 1).code).toBe('GUEST_POISONED');
    }
  });

  it('costs fuel, also when it does not wait', async () => {
    const guest = await waiting();
    expect(guest.fuel('wait32', 1, -1n)).toBeGreaterThan(100);
    const poor = await load(WAITS, { fuel: 100_000, timeMs: 60_000 });
    expect(poor.failure('for-ever').code).toBe('FUEL_EXHAUSTED');
  });

  it('is nothing that anybody else hears of: nobody is there to be notified', async () => {
    const guest = await waiting();
    expect(guest.call('notify', 100)).toBe(0);
  });

  it('in a start function ends with the call that instantiates', async () => {
    const text = '(module (memory 1 1 shared) (func $s (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))) (start $s))';
    await expect(load(text, { timeMs: 20 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });
});

describe('a shared memory', () => {
  it('counts, at the start and as it grows', async () => {
    const guest = await load(WAITS, { memoryBytes: 3 * PAGE });
    expect(guest.meter.usage.memoryBytes).toBe(PAGE);
    expect(guest.call('grow', 3)).toBe(-1);
    expect(guest.call('grow', 2)).toBe(1);
    expect(guest.meter.usage.memoryBytes).toBe(3 * PAGE);
    expect(guest.call('grow', 1)).toBe(-1);
    expect(guest.call('add', 1)).toBe(0);
    await expect(load('(module (memory 2 10 shared))', { memoryBytes: PAGE })).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED' });
  });

  it("of the host's counts too", async () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 10, shared: true });
    const text = '(module (memory (import "env" "memory") 1 10 shared) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))';
    const guest = await load(text, { memoryBytes: 4 * PAGE }, { env: { memory } });
    expect(guest.call('grow', 3)).toBe(-1);
    expect(guest.call('grow', 2)).toBe(2);
    expect(guest.call('grow', 1)).toBe(-1);
    expect(memory.buffer.byteLength).toBe(guest.meter.usage.memoryBytes);
  });
});
