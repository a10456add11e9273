import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { MAX_RANDOM_BYTES } from '../../src/wasi/random.ts';
import { ALL, makeHost, Preview1Guest, stopOf, wasi02 } from './support.ts';

const MONOTONIC = 1;
const SECOND = 1_000_000_000n;

describe('clocks', () => {
  test('stand at 0 without TIME, and waiting for a time does not wait', () => {
    const { host, control } = makeHost({ grants: ALL & ~Cap.TIME });
    const { 'wasi:clocks/monotonic-clock': monotonic, 'wasi:clocks/wall-clock': wall, 'wasi:io/poll': poll } = wasi02(host);
    expect([monotonic.now(), wall.now()]).toEqual([0n, { seconds: 0n, nanoseconds: 0 }]);
    monotonic.subscribeDuration(2n ** 64n - 1n).block();
    expect([...poll.poll([monotonic.subscribeInstant(2n ** 64n - 1n)])]).toEqual([0]);
    const guest = new Preview1Guest(host);
    const result = guest.room(8);
    expect([guest.call('clock_time_get', 0, 0n, result), guest.view.getBigUint64(result, true)]).toEqual([0, 0n]);
    expect(pollClocks(guest, [{ clock: MONOTONIC, time: 3600n * SECOND }]).ready).toEqual([0n]);
    expect(control.sleeps).toEqual([]);
  });

  test('go forward with TIME, from the start of the guest, in steps of their resolution', () => {
    const { host } = makeHost();
    const { 'wasi:clocks/monotonic-clock': monotonic, 'wasi:clocks/wall-clock': wall } = wasi02(host);
    const before = monotonic.now();
    monotonic.subscribeDuration(3_000_000n).block();
    const after = monotonic.now();
    expect(after - before).toBeGreaterThanOrEqual(3_000_000n);
    expect([before % monotonic.resolution(), after % monotonic.resolution()]).toEqual([0n, 0n]);
    expect(wall.now().seconds).toBeGreaterThan(1_700_000_000n);
    host.revoke(Cap.TIME);
    expect(monotonic.now()).toBe(0n);
  });

  test('unknown clocks are an error, and processor time is the time since the start', () => {
    const guest = new Preview1Guest(makeHost().host);
    const result = guest.room(8);
    expect([0, 1, 2, 3, 4, -1].map((clock) => guest.call('clock_time_get', clock, 0n, result))).toEqual([0, 0, 0, 0, 28, 28]);
    expect(guest.call('clock_res_get', 0, result)).toBe(0);
    expect(guest.view.getBigUint64(result, true)).toBe(1_000_000n);
  });

  test('a poll gives everything that is ready and waits only when nothing is', () => {
    const { host, control } = makeHost();
    const { 'wasi:clocks/monotonic-clock': monotonic, 'wasi:io/poll': poll, 'wasi:cli/stdin': stdin } = wasi02(host);
    const late = monotonic.subscribeDuration(3600n * SECOND);
    expect([...poll.poll([late, stdin.getStdin().subscribe(), monotonic.subscribeDuration(0n)])]).toEqual([1, 2]);
    expect([late.ready(), control.sleeps]).toEqual([false, []]);
    expect([...poll.poll([late, monotonic.subscribeDuration(2_000_000n)])]).toEqual([1]);
    expect(control.sleeps.every((milliseconds) => milliseconds <= 2)).toBe(true);
  });

  test('a wait that is longer than the call may last ends at its deadline', () => {
    const { host } = makeHost();
    const { 'wasi:clocks/monotonic-clock': monotonic } = wasi02(host);
    expect(stopOf(() => monotonic.subscribeDuration(2n ** 64n - 1n).block())).toBe('DEADLINE_EXCEEDED');
    const guest = new Preview1Guest(host);
    expect(stopOf(() => pollClocks(guest, [{ clock: MONOTONIC, time: 2n ** 64n - 1n }]))).toBe('DEADLINE_EXCEEDED');
    expect(stopOf(() => pollClocks(guest, [{ clock: 0, time: 2n ** 64n - 1n, absolute: true }]))).toBe('DEADLINE_EXCEEDED');
  });

  test('poll lists are bounded: none and too many stop a component and fail in preview 1', () => {
    const { host } = makeHost({ limits: { handles: 20_000 } });
    const { 'wasi:clocks/monotonic-clock': monotonic, 'wasi:io/poll': poll } = wasi02(host);
    const one = monotonic.subscribeDuration(0n);
    expect(poll.poll(Array(10_000).fill(one))).toHaveLength(10_000);
    expect(stopOf(() => poll.poll(Array(10_001).fill(one)))).toBe('GUEST_TRAPPED');
    expect(stopOf(() => poll.poll([]))).toBe('GUEST_TRAPPED');
    const guest = new Preview1Guest(host);
    expect([0, 1025, -1].map((count) => guest.call('poll_oneoff', 0, 0, count, 0))).toEqual([28, 28, 28]);
    expect(guest.call('poll_oneoff', 0, 2 ** 18 - 8, 1, 0)).toBe(21);
  });

  test('poll_oneoff reports descriptors with their bytes, and unknown ones with their error', () => {
    const { host } = makeHost({ stdin: Buffer.from('12345') });
    const guest = new Preview1Guest(host);
    const { ready, event } = pollClocks(guest, [{ clock: MONOTONIC, time: 3600n * SECOND }], [0, 77]);
    expect(ready).toEqual([1n, 2n]);
    expect(event(0)).toEqual({ errno: 0, type: 1, available: 5n, hangup: false });
    expect(event(1)).toMatchObject({ errno: 8, type: 1 });
  });
});

describe('random numbers', () => {
  test('differ with RANDOM, and the whole of a large request is filled', () => {
    const { host, control } = makeHost();
    const { 'wasi:random/random': random, 'wasi:random/insecure': insecure } = wasi02(host);
    expect(random.getRandomU64()).not.toBe(random.getRandomU64());
    expect(Buffer.from(insecure.getInsecureRandomBytes(32n))).not.toEqual(Buffer.from(insecure.getInsecureRandomBytes(32n)));
    const guest = new Preview1Guest(host);
    const start = 1024;
    expect(guest.call('random_get', start, 200_000)).toBe(0);
    expect(guest.get(start + 199_968, 32).some((byte) => byte !== 0)).toBe(true);
    expect(control.units).toBeGreaterThanOrEqual(200_000 / 8);
  });

  test('one call gives up to a bound, and a byte more stops the guest', () => {
    const { host } = makeHost();
    const { 'wasi:random/random': random, 'wasi:random/insecure': insecure } = wasi02(host);
    expect(random.getRandomBytes(BigInt(MAX_RANDOM_BYTES))).toHaveLength(MAX_RANDOM_BYTES);
    expect(stopOf(() => random.getRandomBytes(BigInt(MAX_RANDOM_BYTES) + 1n))).toBe('MEMORY_EXCEEDED');
    expect(stopOf(() => insecure.getInsecureRandomBytes(2n ** 64n - 1n))).toBe('MEMORY_EXCEEDED');
    expect(new Preview1Guest(host).call('random_get', 8, -1)).toBe(21);
  });

  test('fail without RANDOM where they must be secure', () => {
    const { host } = makeHost({ grants: ALL & ~Cap.RANDOM });
    expect(stopOf(() => wasi02(host)['wasi:random/random'].getRandomU64())).toBe('CAPABILITY_DENIED');
    expect(stopOf(() => wasi02(host)['wasi:random/random'].getRandomBytes(0n))).toBe('CAPABILITY_DENIED');
    expect(new Preview1Guest(host).call('random_get', 0, 8)).toBe(63);
  });

  test('are SplitMix64 from seed 0 without RANDOM where they may be predictable', () => {
    const { 'wasi:random/insecure': insecure, 'wasi:random/insecure-seed': seed } = wasi02(makeHost({ grants: Cap.NONE }).host);
    expect(insecure.getInsecureRandomU64()).toBe(0xe220a8397b1dcdafn);
    expect(Buffer.from(insecure.getInsecureRandomBytes(10n)).toString('hex')).toBe('f465b9a16a9e786e4f45');
    expect(seed.insecureSeed()).toEqual([0n, 0n]);
  });
});

interface ClockSubscription {
  readonly clock: number;
  readonly time: bigint;
  readonly absolute?: boolean;
}

/** Polls clocks, and then descriptors for reading; userdata is the index of the subscription. */
function pollClocks(guest: Preview1Guest, clocks: readonly ClockSubscription[], reads: readonly number[] = []) {
  const count = clocks.length + reads.length;
  const [input, output, result] = [guest.room(48 * count), guest.room(32 * count), guest.room(4)];
  const { view } = guest;
  clocks.forEach(({ clock, time, absolute = false }, index) => {
    const at = input + 48 * index;
    view.setBigUint64(at, BigInt(index), true);
    view.setUint8(at + 8, 0);
    view.setUint32(at + 16, clock, true);
    view.setBigUint64(at + 24, time, true);
    view.setUint16(at + 40, absolute ? 1 : 0, true);
  });
  reads.forEach((fd, index) => {
    const at = input + 48 * (clocks.length + index);
    view.setBigUint64(at, BigInt(clocks.length + index), true);
    view.setUint8(at + 8, 1);
    view.setUint32(at + 16, fd, true);
  });
  expect(guest.call('poll_oneoff', input, output, count, result)).toBe(0);
  return {
    ready: Array.from({ length: view.getUint32(result, true) }, (_, index) => view.getBigUint64(output + 32 * index, true)),
    event: (index: number) => ({
      errno: view.getUint16(output + 32 * index + 8, true),
      type: view.getUint8(output + 32 * index + 10),
      available: view.getBigUint64(output + 32 * index + 16, true),
      hangup: view.getUint16(output + 32 * index + 24, true) === 1,
    }),
  };
}
