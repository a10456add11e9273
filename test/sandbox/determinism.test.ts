// Guests whose time and random numbers their host gives, as whole calls: in both ways of calling, for each guest anew, and with clocks that do not work.
import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Access, Cap, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { codeOf, errorOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';

// `sleep(ns)` sleeps and gives the time after, `either(ns)` waits for that or for input, `number()` gives a random one.
const GUEST = `(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $wait (param $ns i64) (param $count i32) (result i32)
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (local.get $ns))
    (i64.store (i32.const 48) (i64.const 1))
    (i32.store8 (i32.const 56) (i32.const 1))
    (drop (call $poll (i32.const 0) (i32.const 128) (local.get $count) (i32.const 256)))
    (i32.load (i32.const 128)))
  (func (export "sleep") (param i64) (result i64)
    (drop (call $wait (local.get 0) (i32.const 1)))
    (drop (call $time (i32.const 0) (i64.const 0) (i32.const 256)))
    (i64.load (i32.const 256)))
  (func (export "either") (param i64) (result i32) (call $wait (local.get 0) (i32.const 2)))
  (func (export "number") (result i64) (drop (call $random (i32.const 256) (i32.const 8))) (i64.load (i32.const 256))))`;

const HOUR = 3_600_000_000_000n;

let source: Uint8Array;
beforeAll(async () => {
  source = await wat(GUEST);
});

const load = (options: SandboxOptions) => new Sandbox({ limits: { timeMs: 500 }, ...options }).grant(['time', 'random']).load(source);

describe('made-up time', () => {
  test('is the same for every guest and both ways of calling, and hours of it take none', async () => {
    for (let round = 0; round < 2; round += 1) {
      await using guest = await load({ clock: { now: new Date(1_000), step: 1n } });
      expect(await guest.call('sleep', HOUR)).toBe(HOUR + 1_000_000_000n);
      expect(guest.callSync('sleep', HOUR)).toBe(2n * HOUR + 1_000_000_001n);
      expect([await guest.call('either', HOUR), guest.callSync('either', HOUR)]).toEqual([1, 1]);
    }
  });

  test('goes on while input is waited for that does not come', async () => {
    await using guest = await load({ clock: { now: 0 }, stdin: new PassThrough() });
    expect(await guest.call('either', HOUR)).toBe(0);
    expect(await guest.call('sleep', 0n)).toBe(HOUR);
  });
});

describe('a clock of the host', () => {
  test('that is moved while a guest waits for it wakes it, and one that is not moved ends at the deadline', async () => {
    let now = 0n;
    await using guest = await load({ clock: { now: () => now, monotonic: () => now } });
    setTimeout(() => (now = HOUR), 20);
    expect(await guest.call('sleep', HOUR)).toBe(HOUR);
    expect(await codeOf(() => guest.call('sleep', HOUR))).toBe('DEADLINE_EXCEEDED');
  });

  test.each([
    ['sleep', 'while the guest sleeps'],
    ['either', 'while the guest waits for input too'],
  ])('that breaks in %s, %s, stops it', async (name) => {
    let left = 3;
    const monotonic = (): number => {
      left -= 1;
      if (left < 0) throw new Error('stopped');
      return 0;
    };
    const stdin = new PassThrough();
    await using guest = await load({ clock: { monotonic }, stdin });
    setTimeout(() => stdin.write('x'), 30);
    expect(await errorOf(() => guest.call(name, HOUR))).toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause: { message: 'stopped' } });
  });
});

test('a guest that sleeps goes on when TIME is revoked, and an observer hears of its one wait', async () => {
  const seen: Access[] = [];
  await using guest = await load({ stdin: new PassThrough(), onAccess: (use) => seen.push(use), clock: { monotonic: () => performance.now() } });
  setTimeout(() => guest.revoke(Cap.TIME), 50);
  expect(await guest.call('either', HOUR)).toBe(0);
  expect(seen.map(({ operation, allowed }) => [operation, allowed])).toEqual([['clocks.subscribe', true]]);
});

test('seeded random numbers are the same for each guest, and others without the seed or with another one', async () => {
  const numbers = async (options: SandboxOptions): Promise<unknown[]> => {
    await using guest = await load(options);
    return [await guest.call('number'), guest.callSync('number')];
  };
  const first = await numbers({ random: { seed: 7 } });
  expect(new Set(first).size).toBe(2);
  for (const seed of [7, 7n, '7']) expect(await numbers({ random: { seed } })).toEqual(first);
  expect(await numbers({ random: { seed: 8 } })).not.toEqual(first);
  expect(await numbers({})).not.toEqual(first);
});
