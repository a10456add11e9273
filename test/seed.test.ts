// The seed documents' features that the first slice covers, each under its number, through the public surface.
import {
  Cap,
  Sandbox,
  addCapability,
  capabilityNames,
  hasCapability,
  hasDangerousCapabilities,
  limits,
  memoryDirectory,
  parseCapabilities,
  removeCapability,
  type Limits,
} from 'gloveport';
import { describe, expect, test } from 'vitest';
import { guest } from '../guest-examples/build.ts';
import { codeOf } from './support/rejection.ts';
import { wat } from './support/wat.ts';

const PAGE = 65_536;

/** Calls itself `n` times, so that `n + 1` activations are there at once, and returns `n`. */
const dive = await wat(`(module
  (func $dive (export "dive") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $dive (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0)))))`);

/** The same with 1024 bytes of locals in every activation. */
const wideDive = await wat(`(module
  (func $dive (export "dive") (param $n i32) (result i32)
    (local ${'v128 '.repeat(63)} i64 i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $dive (i32.sub (local.get $n) (i32.const 1)))))
      (else (i32.const 0)))))`);

const sums = await wat(`(module
  (func (export "none") (result i64) (i64.const -9223372036854775808))
  (func (export "one") (param i64) (result i64) (local.get 0))
  (func (export "two") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))`);

describe('seed 0.2: the eleven capabilities', () => {
  test('seed 0.2: have their numbers', () => {
    expect(Cap).toEqual({ NONE: 0, CONSOLE: 1, TIME: 2, RANDOM: 4, FS_READ: 8, FS_WRITE: 16, NETWORK: 32, ENV: 64, PROCESS: 128, THREADING: 256, GPU: 512 });
    expect(Object.isFrozen(Cap)).toBe(true);
  });

  test('seed 0.2: have names that stand for the numbers', () => {
    expect(parseCapabilities(['console', 'FS_READ', 'CAP_GPU'])).toBe(Cap.CONSOLE | Cap.FS_READ | Cap.GPU);
    expect(capabilityNames(2047 >> 1)).toEqual(['console', 'time', 'random', 'fs-read', 'fs-write', 'network', 'env', 'process', 'threading', 'gpu']);
  });

  test('seed 0.2: open what they name, and only that', async () => {
    const seen = async (grant: number) => {
      await using witness = await new Sandbox({ grant, env: { LANG: 'C' } }).load(await guest('witness'));
      return (await witness.run()).stdout;
    };
    expect(await seen(Cap.NONE)).toBe('');
    expect(await seen(Cap.CONSOLE)).toMatch(/^realtime 0\nmonotonic 0\nrandom refused \d+\nvariables 0\n$/);
    expect(await seen(Cap.CONSOLE | Cap.TIME)).toMatch(/^realtime [1-9]\d{17,}\nmonotonic \d+\nrandom refused \d+\nvariables 0\n$/);
    expect(await seen(Cap.CONSOLE | Cap.RANDOM)).toMatch(/^realtime 0\nmonotonic 0\nrandom [\da-f]{16}\nvariables 0\n$/);
    expect(await seen(Cap.CONSOLE | Cap.ENV)).toMatch(/^realtime 0\nmonotonic 0\nrandom refused \d+\nvariables 1\nLANG=C\n$/);
  });

  test('seed 0.2: that are not granted leave directories out', async () => {
    const preopen = await wat(`(module
      (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "first") (result i32) (call $prestat (i32.const 3) (i32.const 0))))`);
    const mounts = { '/data': memoryDirectory() };
    await using without = await new Sandbox({ mounts }).load(preopen);
    expect(await without.call('first')).toBe(8);
    await using within = await new Sandbox({ mounts, grant: Cap.FS_READ }).load(preopen);
    expect(await within.call('first')).toBe(0);
  });
});

describe('seed 0.3: capability helpers', () => {
  test('seed 0.3: has, add and remove work on the number', () => {
    const mask = addCapability(Cap.CONSOLE, Cap.TIME | Cap.NETWORK);
    expect(mask).toBe(35);
    expect(hasCapability(mask, Cap.NETWORK)).toBe(true);
    expect(hasCapability(mask, Cap.NETWORK | Cap.ENV)).toBe(false);
    expect(removeCapability(mask, Cap.NETWORK)).toBe(Cap.CONSOLE | Cap.TIME);
  });

  test('seed 0.3: FS_WRITE, NETWORK, PROCESS and ENV are dangerous, no other', () => {
    const dangerous = Object.entries(Cap).flatMap(([flag, number]) => (hasDangerousCapabilities(number) ? [flag] : []));
    expect(dangerous).toEqual(['FS_WRITE', 'NETWORK', 'ENV', 'PROCESS']);
  });
});

describe('seed 0.14: the four limits', () => {
  test('seed 0.14: memory is refused beyond its limit', async () => {
    await using bomb = await new Sandbox({ limits: { memoryBytes: 10 * PAGE } }).load(await guest('memory-bomb'));
    expect(await bomb.call('grow')).toBe(10);
    const sandbox = new Sandbox({ limits: { memoryBytes: 2 ** 30 - 1 } });
    expect(await codeOf(async () => sandbox.load(await guest('memory-hog')))).toBe('MEMORY_EXCEEDED');
  });

  test('seed 0.14: time ends a loop', async () => {
    await using spin = await new Sandbox({ limits: { timeMs: 50, fuel: limits.permissive.fuel } }).load(await guest('spin'));
    expect(await codeOf(() => spin.call('spin'))).toBe('DEADLINE_EXCEEDED');
  });

  test('seed 0.14: the call depth is exact', async () => {
    const sandbox = new Sandbox({ limits: { callDepth: 100, stackBytes: limits.permissive.stackBytes } });
    await using guest = await sandbox.load(dive);
    expect(await guest.call('dive', 100)).toBe(100);
    expect(await codeOf(() => guest.call('dive', 101))).toBe('STACK_EXCEEDED');
  });

  test('seed 0.14: stack bytes end a recursion whose depth is allowed', async () => {
    const sandbox = new Sandbox({ limits: { callDepth: 1_000, stackBytes: 100 * 1024 } });
    await using guest = await sandbox.load(wideDive);
    expect(await guest.call('dive', 50)).toBe(50);
    expect(await codeOf(() => guest.call('dive', 150))).toBe('STACK_EXCEEDED');
  });
});

describe('seed 0.15: the presets', () => {
  const MiB = 2 ** 20;
  test.each<[keyof typeof limits, Partial<Limits>]>([
    ['default', { memoryBytes: 64 * MiB, timeMs: 5_000, stackBytes: MiB, callDepth: 1_000 }],
    ['restrictive', { memoryBytes: 16 * MiB, timeMs: 1_000, stackBytes: 256 * 1024, callDepth: 500 }],
    ['permissive', { memoryBytes: 256 * MiB, timeMs: 60_000, stackBytes: 4 * MiB, callDepth: 5_000 }],
  ])('seed 0.15: %s has its numbers, and they hold at the edge', async (preset, numbers) => {
    expect(limits[preset]).toMatchObject(numbers);
    expect(Object.isFrozen(limits[preset])).toBe(true);

    const sandbox = new Sandbox({ limits: preset });
    await using memory = await sandbox.load(await guest('memory-bomb'));
    expect(await memory.call('grow')).toBe((numbers.memoryBytes as number) / PAGE);

    const depth = numbers.callDepth as number;
    await using stack = await sandbox.load(dive);
    expect(await stack.call('dive', depth)).toBe(depth);
    expect(await codeOf(() => stack.call('dive', depth + 1))).toBe('STACK_EXCEEDED');
  });
});

describe('seed 0.16: a sandbox', () => {
  const printed = async (sandbox: Sandbox) => {
    await using witness = await sandbox.load(await guest('witness'));
    return (await witness.run()).stdout;
  };

  test('seed 0.16: has the console unless told otherwise', async () => {
    expect(await printed(new Sandbox())).toContain('variables 0');
  });

  test('seed 0.16: is without any right when restrictive', async () => {
    expect(await printed(Sandbox.restrictive())).toBe('');
  });

  test('seed 0.16: ends its guests by `using`', async () => {
    let escaped: Awaited<ReturnType<Sandbox['load']>>;
    {
      await using guest = await new Sandbox().load(sums);
      escaped = guest;
    }
    expect(escaped.state).toBe('disposed');
  });
});

describe('seed 4.13: sets of rights', () => {
  test('seed 4.13: granting and revoking give a new sandbox and leave the old one', async () => {
    const run = async (sandbox: Sandbox) => {
      await using witness = await sandbox.load(await guest('witness'));
      return (await witness.run()).stdout;
    };
    const safe = new Sandbox();
    const timed = safe.grant(Cap.TIME);
    expect(await run(safe)).toContain('realtime 0\n');
    expect(await run(timed)).not.toContain('realtime 0\n');
    expect(await run(timed.revoke(Cap.TIME))).toContain('realtime 0\n');
  });

  test('seed 4.13: none is a set of its own, not the default', async () => {
    await using witness = await new Sandbox({ grant: 'none' }).load(await guest('witness'));
    expect((await witness.run()).stdout).toBe('');
  });
});

describe('seed 0.19: calls by name', () => {
  test('seed 0.19: take none, one or two i64 and give one', async () => {
    await using instance = await new Sandbox().load(sums);
    expect(await instance.call('none')).toBe(-(2n ** 63n));
    expect(await instance.call('one', 2n ** 63n - 1n)).toBe(2n ** 63n - 1n);
    expect(instance.callSync('two', 40n, 2n)).toBe(42n);
    expect(await codeOf(() => instance.call('one', 2n ** 64n))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(() => instance.call('one', 1))).toBe('INVALID_ARGUMENT');
  });

  test('seed 0.19: are possible while the guest is ready, and its state says so', async () => {
    const instance = await new Sandbox().load(await wat('(module (func (export "fall") unreachable))'));
    expect(instance.state).toBe('ready');
    expect(await codeOf(() => instance.call('fall'))).toBe('GUEST_TRAPPED');
    expect(instance.state).toBe('poisoned');
    instance.dispose();
    expect(instance.state).toBe('disposed');
  });
});
