// What stands between a guest and the host functions that wait: which functions it takes, how many calls there can be at once, and what is given back when
// a call is made again.
import { describe, expect, test } from 'vitest';
import { Cap, Sandbox } from '../../src/index.ts';
import { limits } from '../../src/limits.ts';
import { Meter } from '../../src/metering/meter.ts';
import { hasRoomForCall, isRepeatable, MAX_CALLS, Suspender } from '../../src/metering/suspension.ts';
import type { ValueType } from '../../src/wasm/types.ts';
import { codeOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';

const type = (params: number, results: number, kind: ValueType = 'i32') => ({
  params: Array<ValueType>(params).fill(kind),
  results: Array<ValueType>(results).fill(kind),
});

test('host functions of few plain values can be called again', () => {
  expect([type(31, 1), type(0, 32, 'i64'), type(1, 1, 'externref')].map(isRepeatable)).toEqual([true, true, true]);
  expect([type(32, 1), type(0, 33), type(1, 0, 'funcref'), type(0, 1, 'v128')].map(isRepeatable)).toEqual([false, false, false, false]);
});

test('calls that may be suspended are bounded in a process: the last one has room, one more is QUEUE_FULL and leaves its guest as it was', async () => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(await wat('(module (func (export "f")))'))));
  const suspender = new Suspender(() => false);
  const meter = new Meter(limits.default, true);
  const calls = Array.from({ length: MAX_CALLS - 1 }, () => suspender.call(exports.f as () => void, []));
  expect(hasRoomForCall()).toBe(true);
  calls.push(suspender.call(exports.f as () => void, []));
  expect(hasRoomForCall()).toBe(false);
  const refused = codeOf(() => meter.runAsync(async () => 1));
  await Promise.all(calls);
  expect(await refused).toBe('QUEUE_FULL');
  expect([hasRoomForCall(), meter.stopped, await meter.runAsync(async () => 1)]).toEqual([true, undefined, 1]);
});

describe('a function that a module imports', () => {
  test('several times, with several types, is called by each of them', async () => {
    const source = await wat(`(module
      (import "h" "f" (func $one (param i32) (result i32)))
      (import "h" "f" (func $two (param i32 i32) (result i32)))
      (func (export "both") (result i32) (i32.add (call $one (i32.const 1)) (call $two (i32.const 10) (i32.const 100)))))`);
    await using guest = await new Sandbox({ imports: { h: { f: (...values: number[]) => values.reduce((sum, value) => sum + value) } } }).load(source);
    expect([await guest.call('both'), guest.callSync('both')]).toEqual([111, 111]);
  });

  test('and exports again can be called from outside', async () => {
    const source = await wat('(module (import "h" "f" (func $f (param i64) (result i64))) (export "again" (func $f)))');
    await using guest = await new Sandbox({ imports: { h: { f: (value: bigint) => value + 1n } } }).load(source);
    expect([await guest.call('again', 1n), guest.callSync('again', 2n)]).toEqual([2n, 3n]);
  });
});

test('a command that is refused while its guest is in a call has not run, and can run after', async () => {
  const source = await wat(`(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "wait") (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 20000000))
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
    (func (export "_start")))`);
  await using guest = await new Sandbox({ grant: Cap.TIME }).load(source);
  const call = guest.call('wait');
  expect(await codeOf(() => guest.run())).toBe('INVALID_STATE');
  await call;
  expect(await guest.run()).toMatchObject({ exitCode: 0 });
});

test('a profile books a call that is made again where it books one that did not have to wait', async () => {
  const source = await wat(`(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "wait") (param i64) (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (local.get 0))
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))`);
  const entries = async (nanoseconds: bigint): Promise<unknown> => {
    await using guest = await new Sandbox({ grant: Cap.TIME }).load(source, { profile: true });
    await guest.call('wait', nanoseconds);
    return guest.profile().functions;
  };
  const expected = await entries(0n);
  expect(expected).not.toEqual([]);
  expect(await entries(5_000_000n)).toEqual(expected);
});
