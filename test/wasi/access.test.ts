// What an observer is told of: every use of console, clocks, random numbers and environment, and every attempt without the grant, once.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { type Access, Sandbox } from '../../src/index.ts';
import { codeOf, errorOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';
import type { WasiHost } from '../../src/wasi/host.ts';
import { ALL, makeHost, makeMount, openDescriptors, Preview1Guest, rootOf, Stopped, type TestHost, thrownBy, wasi02 } from './support.ts';

const bytes = Buffer.from('text');

type Use = readonly [name: string, use: (interfaces: ReturnType<typeof wasi02>, guest: Preview1Guest) => unknown, access: Omit<Access, 'allowed'>];

const USES: readonly Use[] = [
  ['get-environment', (wasi) => wasi['wasi:cli/environment'].getEnvironment(), access('env', 'environment.get', { names: ['LANG'] })],
  ['environ_get', (_, guest) => guest.call('environ_get', guest.room(8), guest.room(100)), access('env', 'environment.get', { names: ['LANG'] })],
  ['environ_sizes_get', (_, guest) => guest.call('environ_sizes_get', guest.room(8), guest.room(8)), access('env', 'environment.get', { names: ['LANG'] })],
  ['monotonic now', (wasi) => wasi['wasi:clocks/monotonic-clock'].now(), access('time', 'clocks.now', { clock: 'monotonic' })],
  ['wall now', (wasi) => wasi['wasi:clocks/wall-clock'].now(), access('time', 'clocks.now', { clock: 'wall' })],
  ['clock_time_get', (_, guest) => guest.call('clock_time_get', 0, 0n, guest.room(8)), access('time', 'clocks.now', { clock: 'wall' })],
  ['a wait', (wasi) => wasi['wasi:clocks/monotonic-clock'].subscribeDuration(1n).block(), access('time', 'clocks.subscribe', { clock: 'monotonic' })],
  ['poll_oneoff', (_, guest) => poll(guest), access('time', 'clocks.subscribe', { clock: 'monotonic' })],
  ['the zone', (wasi) => wasi['wasi:clocks/timezone'].utcOffset({ seconds: 0n, nanoseconds: 0 }), access('time', 'clocks.timezone', {})],
  ['secure bytes', (wasi) => wasi['wasi:random/random'].getRandomBytes(5n), access('random', 'random.bytes', { kind: 'secure', bytes: 5 })],
  ['random_get', (_, guest) => guest.call('random_get', guest.room(8), 6), access('random', 'random.bytes', { kind: 'secure', bytes: 6 })],
  ['other bytes', (wasi) => wasi['wasi:random/insecure'].getInsecureRandomU64(), access('random', 'random.bytes', { kind: 'insecure', bytes: 8 })],
  ['the seed', (wasi) => wasi['wasi:random/insecure-seed'].insecureSeed(), access('random', 'random.bytes', { kind: 'insecure', bytes: 16 })],
  ['a read', (wasi) => wasi['wasi:cli/stdin'].getStdin().read(3n), access('console', 'console.read', { stream: 'stdin', bytes: 3 })],
  ['fd_read', (_, guest) => guest.read(0, 2), access('console', 'console.read', { stream: 'stdin', bytes: 2 })],
  ['a write', (wasi) => wasi['wasi:cli/stdout'].getStdout().write(bytes), access('console', 'console.write', { stream: 'stdout', bytes: 4 })],
  [
    'a write that is flushed',
    (wasi) => wasi['wasi:cli/stderr'].getStderr().blockingWriteAndFlush(bytes),
    access('console', 'console.write', { stream: 'stderr', bytes: 4 }),
  ],
  ['fd_write', (_, guest) => guest.write(2, bytes), access('console', 'console.write', { stream: 'stderr', bytes: 4 })],
];

describe('an observer', () => {
  test.each(USES)('is told of %s when it is granted', (_name, use, expected) => {
    const { seen, host } = observed(ALL);
    use(wasi02(host), new Preview1Guest(host));
    expect(seen).toEqual([{ ...expected, allowed: true }]);
  });

  test.each(USES)('is told of %s when it is not granted, without what it would have given', (_name, use, { capability, operation, detail }) => {
    const { seen, host } = observed(Cap.NONE);
    thrownBy(() => use(wasi02(host), new Preview1Guest(host)));
    expect(seen).toMatchObject([{ capability, operation, allowed: false }]);
    expect(seen[0]?.detail).toEqual(
      'names' in detail ? { names: [] } : 'stream' in detail && detail.stream === 'stdin' ? { ...detail, bytes: expect.any(Number) } : detail,
    );
  });

  test.each(USES)('may take the grant of %s back in the middle of it, which is as if it never was', (_name, use) => {
    const test: TestHost = observed(ALL, () => test.host.revoke(ALL));
    expect(outcomeOf(use, test)).toEqual(outcomeOf(use, observed(Cap.NONE)));
  });

  test.each([
    ['take the grant of', (host: WasiHost) => host.revoke(ALL)],
    ['dispose of the guest in the middle of', (host: WasiHost) => host.dispose()],
  ])('may %s an open, which leaves nothing open', (_what, end) => {
    const mounts = { '/data': makeMount('host', { file: 'text' }).mount };
    const before = openDescriptors();
    const test = makeHost({ mounts, onAccess: () => end(test.host) });
    const file = rootOf(test.host).openAt({}, 'file', {}, { read: true });
    expect(openDescriptors()).toBe(before);
    expect(thrownBy(() => file.read(4n, 0n))).toBe('not-permitted');
  });

  test('hears nothing of what needs no grant', () => {
    const { seen, host } = observed(ALL);
    const wasi = wasi02(host);
    const guest = new Preview1Guest(host);
    wasi['wasi:cli/environment'].getArguments();
    wasi['wasi:cli/environment'].initialCwd();
    wasi['wasi:clocks/monotonic-clock'].resolution();
    guest.call('args_sizes_get', guest.room(8), guest.room(8));
    thrownBy(() => wasi['wasi:cli/exit'].exit({ tag: 'ok' }));
    expect(seen).toEqual([]);
  });
});

describe('an observer of a sandbox', () => {
  const NOW = `(module (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32))) (memory (export "memory") 1)
    (func (export "now") (result i64) (drop (call $now (i32.const 1) (i64.const 0) (i32.const 0))) (i64.load (i32.const 0))))`;

  test('sees nothing before a guest does something, and then who asked for what', async () => {
    const seen: Access[] = [];
    const sandbox = new Sandbox({ grant: Cap.TIME, onAccess: (use) => seen.push(use) });
    await using guest = await sandbox.load(await wat(NOW));
    expect(seen).toEqual([]);
    await guest.call('now');
    guest.revoke(Cap.TIME);
    expect(await guest.call('now')).toBe(0n);
    expect(seen).toEqual([true, false].map((allowed) => ({ capability: 'time', operation: 'clocks.now', allowed, detail: { clock: 'monotonic' } })));
  });

  test('ends the call by throwing, and must not give a promise', async () => {
    const cause = new Error('not this one');
    const throwing = await new Sandbox({
      onAccess: () => {
        throw cause;
      },
    }).load(await wat(NOW));
    expect(await errorOf(() => throwing.call('now'))).toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause });
    expect(throwing.state).toBe('poisoned');
    const promising = await new Sandbox({ onAccess: () => Promise.reject(cause) }).load(await wat(NOW));
    expect(await codeOf(() => promising.call('now'))).toBe('HOST_FUNCTION_FAILED');
  });

  test.each([
    ['abort', 'ABORTED'],
    ['dispose', 'DISPOSED'],
  ] as const)('may %s the guest that it hears of', async (end, code) => {
    const held: { end?: () => void } = {};
    const guest = await new Sandbox({ grant: Cap.TIME, onAccess: () => held.end?.() }).load(await wat(NOW));
    held.end = () => guest[end]();
    expect(await codeOf(() => guest.call('now'))).toBe(code);
  });
});

function access(capability: string, operation: string, detail: Record<string, unknown>): Omit<Access, 'allowed'> {
  return { capability, operation, detail };
}

function observed(grants: number, then = () => {}): TestHost & { readonly seen: Access[] } {
  const seen: Access[] = [];
  const onAccess = (use: Access): void => {
    seen.push(use);
    then();
  };
  return { ...makeHost({ grants, stdin: bytes, env: { LANG: 'C' }, onAccess }), seen };
}

/** All that a guest sees of `use`. */
function outcomeOf(use: Use[1], { host, stdout, stderr }: TestHost): unknown {
  const guest = new Preview1Guest(host);
  let result: unknown;
  const thrown = thrownBy(() => {
    result = use(wasi02(host), guest);
  });
  const memory = createHash('sha256').update(new Uint8Array(guest.memory.buffer)).digest('hex');
  return { result, thrown: thrown instanceof Stopped ? thrown.reason.code : thrown, memory, printed: stdout() + stderr() };
}

// For one nanosecond of the monotonic clock.
function poll(guest: Preview1Guest): void {
  const [input, output, result] = [guest.room(48), guest.room(32), guest.room(4)];
  guest.view.setUint32(input + 16, 1, true);
  guest.view.setBigUint64(input + 24, 1n, true);
  expect(guest.call('poll_oneoff', input, output, 1, result)).toBe(0);
}
