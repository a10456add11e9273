// Guests that wait: suspended in `call()`, so that the event loop lives, on the thread in `callSync()`; ended by deadline, abort and disposal; with the same
// fuel either way, whatever stands between the guest and the wait.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, test } from 'vitest';
import { Cap, type Guest, Sandbox } from '../../src/index.ts';
import { errorOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';

// `sleep(ms)` by preview 1's poll_oneoff; `swallow(ms)` catches whatever comes out of it, and then goes on for ever; `table(ms)` calls it through a table.
const CORE = `(module
  (type $sleep (func (param i64) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref) (elem (i32.const 0) $sleep)
  (func $sleep (export "sleep") (type $sleep)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.mul (local.get 0) (i64.const 1000000)))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (i32.load (i32.const 128)))
  (func (export "table") (param i64) (result i32) (call_indirect (type $sleep) (local.get 0) (i32.const 0)))
  (func (export "swallow") (param i64) (result i32)
    (drop (try (result i32) (do (call $sleep (local.get 0))) (catch_all (i32.const 7))))
    (loop (br 0)) (i32.const 0))
  (func $deep (export "deep") (param i64 i32) (result i32)
    (if (result i32) (local.get 1)
      (then (i32.add (call $deep (local.get 0) (i32.sub (local.get 1) (i32.const 1))) (i32.const 1)))
      (else (call $sleep (local.get 0))))))`;

const COMPONENT = `(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type (eq $p)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "" "block" (func $block (param i32)))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "sleep") (param i64) (result i32) (local i32)
      (local.set 1 (call $subscribe (i64.mul (local.get 0) (i64.const 1000000))))
      (call $block (local.get 1))
      (call $drop (local.get 1))
      (i32.const 1)))
  (core instance $i (instantiate $m (with "" (instance (export "block" (func $block)) (export "subscribe" (func $subscribe)) (export "drop" (func $drop))))))
  (func (export "sleep") (param "ms" u64) (result u32) (canon lift (core func $i "sleep"))))`;

const modules = { 'a core module': await wat(CORE), 'a component': new Uint8Array(await parse(COMPONENT)) };

function rejection(promise: Promise<unknown>): Promise<unknown> {
  return errorOf(() => promise);
}

function load(name: keyof typeof modules, timeMs = 5_000): Promise<Guest> {
  return new Sandbox({ grant: Cap.TIME, limits: { timeMs } }).load(modules[name]);
}

async function ticksDuring(work: Promise<unknown>): Promise<number> {
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 1);
  await work.catch(() => undefined);
  clearInterval(timer);
  return ticks;
}

describe.each(['a core module', 'a component'] as const)('%s that waits', (name) => {
  test('lets the event loop live in call(), and blocks it in callSync()', async () => {
    await using guest = await load(name);
    expect(await ticksDuring(guest.call('sleep', 60n))).toBeGreaterThan(10);
    const blocked = ticksDuring(Promise.resolve().then(() => guest.callSync('sleep', 60n)));
    expect(await blocked).toBeLessThan(3);
  });

  test('is at its deadline stopped, suspended or not', async () => {
    const deadline = { code: 'DEADLINE_EXCEEDED' };
    await using suspended = await load(name, 50);
    expect(await rejection(suspended.call('sleep', 3_600_000n))).toMatchObject(deadline);
    expect(suspended.state).toBe('poisoned');
    await using blocked = await load(name, 50);
    expect(() => blocked.callSync('sleep', 3_600_000n)).toThrow(expect.objectContaining(deadline));
  });

  test('is running meanwhile, and ends at an abort', async () => {
    const guest = await load(name);
    const call = rejection(guest.call('sleep', 3_600_000n));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(guest.state).toBe('running');
    expect(await rejection(guest.call('sleep', 0n))).toMatchObject({ code: 'INVALID_STATE' });
    guest.abort('enough');
    expect(await call).toMatchObject({ code: 'ABORTED' });
    expect(guest.state).toBe('poisoned');
  });

  test('ends when the guest is disposed of', async () => {
    const guest = await load(name);
    const call = rejection(guest.call('sleep', 3_600_000n));
    await new Promise((resolve) => setTimeout(resolve, 20));
    guest.dispose();
    expect(await call).toMatchObject({ code: 'DISPOSED' });
    expect(guest.usage.memoryBytes).toBeGreaterThanOrEqual(0);
  });

  test('burns the same fuel either way, and however long', async () => {
    const fuel = async (milliseconds: bigint, sync: boolean): Promise<object> => {
      await using guest = await load(name);
      const result = sync ? guest.callSync('sleep', milliseconds) : await guest.call('sleep', milliseconds);
      expect(result).toBe(1);
      return { fuel: guest.usage.fuel, hostCalls: guest.usage.hostCalls };
    };
    const expected = await fuel(0n, true);
    for (const milliseconds of [0n, 1n, 30n]) for (const sync of [true, false]) expect(await fuel(milliseconds, sync)).toEqual(expected);
  });

  test('does not keep others from waiting at the same time', async () => {
    const guests = await Promise.all(Array.from({ length: 20 }, () => load(name)));
    const started = performance.now();
    expect(await Promise.all(guests.map((guest) => guest.call('sleep', 200n)))).toEqual(Array(20).fill(1));
    // One after the other, it would be 4 s.
    expect(performance.now() - started).toBeLessThan(2_000);
    for (const guest of guests) guest.dispose();
  });

  test('is ready for the next call, a hundred times', async () => {
    await using guest = await load(name);
    for (let round = 0; round < 100; round += 1) expect(await guest.call('sleep', 1n)).toBe(1);
    expect(guest.state).toBe('ready');
  });
});

describe('a guest that was stopped while it was suspended', () => {
  test('cannot catch the stop', async () => {
    await using guest = await load('a core module', 100);
    expect(await rejection(guest.call('swallow', 3_600_000n))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(guest.usage.wallMs).toBeLessThan(1_000);
  });

  test('cannot go on after an abort either', async () => {
    await using guest = await load('a core module');
    const call = rejection(guest.call('swallow', 3_600_000n));
    await new Promise((resolve) => setTimeout(resolve, 20));
    guest.abort();
    expect(await call).toMatchObject({ code: 'ABORTED' });
  });
});

describe('a wait', () => {
  test('may be behind a table and many frames', async () => {
    await using guest = await load('a core module');
    expect(await ticksDuring(guest.call('table', 40n))).toBeGreaterThan(5);
    expect(await guest.call('deep', 5n, 900)).toBe(901);
  });

  test('in a start function or an _initialize blocks the thread, up to the deadline', async () => {
    const source = await wat(
      CORE.replace('(func (export "table")', '(func (export "_initialize") (drop (call $sleep (i64.const 3600000)))) (func (export "table")'),
    );
    const sandbox = new Sandbox({ grant: Cap.TIME, limits: { timeMs: 50 } });
    expect(await rejection(sandbox.load(source))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  test('takes no fuel and no time from later calls', async () => {
    await using guest = await new Sandbox({ grant: Cap.TIME, limits: { timeMs: 200 } }).load(modules['a core module']);
    for (let round = 0; round < 5; round += 1) expect(await guest.call('sleep', 80n)).toBe(1);
  });

  test('is charged where a profile says so, and the profile still sums up to the fuel', async () => {
    await using guest = await new Sandbox({ grant: Cap.TIME }).load(modules['a core module'], { profile: true });
    await guest.call('sleep', 20n);
    expect(guest.profile().total).toBe(guest.usage.fuel);
  });
});

// `poll` gives a list, which the host puts where `realloc` says, but not when the guest has to wait first.
const POLLING = `(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $p)) (export "pollable" (type (eq $p)))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $now (canon lower (func $clock "now")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $lib
    (import "" "now" (func $now (result i64)))
    (memory (export "memory") 1)
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (drop (call $now))
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (i32.const 1024)))
  (core instance $lib (instantiate $lib (with "" (instance (export "now" (func $now))))))
  (core func $poll (canon lower (func $poll "poll") (memory (core memory $lib "memory")) (realloc (core func $lib "realloc"))))
  (core module $m
    (import "" "poll" (func $poll (param i32 i32 i32)))
    (import "" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "lib" "memory" (memory 1))
    (import "lib" "calls" (global $calls (mut i32)))
    (func (export "handed-over") (param i64) (result i32)
      (i32.store (i32.const 0) (call $subscribe (i64.mul (local.get 0) (i64.const 1000000))))
      (call $poll (i32.const 0) (i32.const 1) (i32.const 16))
      (global.get $calls)))
  (core instance $i (instantiate $m (with "lib" (instance $lib)) (with "" (instance (export "poll" (func $poll)) (export "subscribe" (func $subscribe))))))
  (func (export "handed-over") (param "ms" u64) (result u32) (canon lift (core func $i "handed-over"))))`;

test('what has to be waited for is handed over once, and imports that are called meanwhile disturb nothing', async () => {
  const source = new Uint8Array(await parse(POLLING));
  const sandbox = new Sandbox({ grant: Cap.TIME });
  await using guest = await sandbox.load(source);
  // Nothing is handed over while the guest has to wait: it may have room for one result only.
  expect(await guest.call('handed-over', 30n)).toBe(1);
  await using blocked = await sandbox.load(source);
  expect(blocked.callSync('handed-over', 30n)).toBe(1);
  expect(guest.usage.fuel).toBe(blocked.usage.fuel);
});

// Polls standard input together with a moment that has come, until input is there.
const BUSY = `(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "look") (result i32) (local $looks i32)
    (i32.store8 (i32.const 8) (i32.const 0)) (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 48) (i64.const 1)) (i32.store8 (i32.const 56) (i32.const 1))
    (loop $again
      (local.set $looks (i32.add (local.get $looks) (i32.const 1)))
      (drop (call $poll (i32.const 0) (i32.const 128) (i32.const 2) (i32.const 256)))
      (br_if $again (i32.eq (i32.load (i32.const 256)) (i32.const 1))))
    (local.get $looks)))`;

test('a guest that looks again and again, instead of waiting, lets happen what it looks for', async () => {
  const input = (async function* () {
    await new Promise((resolve) => setTimeout(resolve, 20));
    yield 'here';
  })();
  await using guest = await new Sandbox({ grant: Cap.TIME | Cap.CONSOLE, stdin: input }).load(await wat(BUSY));
  expect(await guest.call('look')).toBeGreaterThan(16);
});

test('recursion without end is found on the stack of a suspendable call too', async () => {
  const source = await wat(`(module
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (func $f (export "f") (param i64 i64 i64 i64) (result i32) (i32.add (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 1))))`);
  for (const callDepth of [100, 2 ** 31 - 1]) {
    await using guest = await new Sandbox({ limits: { callDepth, stackBytes: 2 ** 31 - 1 } }).load(source);
    expect(await rejection(guest.call('f', 0n, 0n, 0n, 0n))).toMatchObject({ code: 'STACK_EXCEEDED' });
  }
});
