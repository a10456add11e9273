// What programs rely on and what they try, in calls of WASI 0.2 that a component makes, through all of the generated code. The situations are those that
// wasmtime's test programs (crates/test-programs, p2_*) look at, as far as they do not belong to HTTP or sockets.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Cap, type Guest, limits, memoryDirectory, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { codeOf } from '../support/rejection.ts';
import { Caller, callerComponent } from './caller.ts';
import { MOUNT_KINDS, makeMount } from './support.ts';

const MODULES = [
  'wasi:io/error',
  'wasi:io/poll',
  'wasi:io/streams',
  'wasi:cli/environment',
  'wasi:cli/exit',
  'wasi:cli/stdin',
  'wasi:cli/stdout',
  'wasi:clocks/monotonic-clock',
  'wasi:clocks/wall-clock',
  'wasi:filesystem/preopens',
  'wasi:filesystem/types',
  'wasi:random/insecure',
  'wasi:random/insecure-seed',
  'wasi:random/random',
];
const component = await callerComponent(MODULES);
const GRANT = Cap.CONSOLE | Cap.TIME | Cap.RANDOM | Cap.FS_READ | Cap.FS_WRITE | Cap.ENV;

interface Program {
  readonly guest: Guest;
  readonly call: Caller['call'];
  /** A method, by resource and name, on what `self` is. */
  readonly on: (resource: keyof typeof HOMES, method: string, self: unknown, ...values: unknown[]) => unknown;
  readonly drop: (resource: keyof typeof HOMES, self: unknown) => void;
}

const HOMES = {
  descriptor: 'wasi:filesystem/types',
  'input-stream': 'wasi:io/streams',
  'output-stream': 'wasi:io/streams',
  pollable: 'wasi:io/poll',
  error: 'wasi:io/error',
} as const;

async function start(options: SandboxOptions = {}): Promise<Program> {
  const guest = await new Sandbox({ grant: GRANT, ...options }).load(component);
  const caller = new Caller(MODULES, (name, ...args) => guest.callSync(name, ...args));
  const call: Caller['call'] = (...args) => caller.call(...args);
  return {
    guest,
    call,
    on: (resource, method, self, ...values) => call(HOMES[resource], `[method]${resource}.${method}`, self, ...values),
    drop: (resource, self) => call(HOMES[resource], `[resource-drop]${resource}`, self),
  };
}

const ok = (val?: unknown): unknown => (val === undefined ? { tag: 'ok' } : { tag: 'ok', val });
const err = (val: unknown): unknown => ({ tag: 'err', val });
const CLOSED = err({ tag: 'closed' });

function okOf(result: unknown): unknown {
  const { tag, val } = result as { tag: string; val: unknown };
  if (tag !== 'ok') throw new Error(`the call failed with ${JSON.stringify(val)}`);
  return val;
}

function preopens({ call }: Program): [descriptor: number, path: string][] {
  return call('wasi:filesystem/preopens', 'get-directories') as [number, string][];
}

function rootOf(program: Program): number {
  return preopens(program)[0]?.[0] as number;
}

function open({ on }: Program, directory: number, path: string, openFlags: string[], flags: string[]): unknown {
  return on('descriptor', 'open-at', directory, [], path, openFlags, flags);
}

describe.each(MOUNT_KINDS)('files in a %s directory', (kind) => {
  const begin = async (files: Readonly<Record<string, string>> = {}) => {
    const program = await start({ mounts: { '/data': makeMount(kind, files).mount } });
    const root = rootOf(program);
    const opened = (path: string, openFlags: string[], flags: string[]): unknown => okOf(open(program, root, path, openFlags, flags));
    const stream = (method: 'read-via-stream' | 'write-via-stream' | 'append-via-stream', file: unknown, ...at: bigint[]): unknown =>
      okOf(program.on('descriptor', method, file, ...at));
    return { ...program, root, opened, stream };
  };

  test('a stream writes from its offset on and leaves a hole before it', async () => {
    const { on, drop, opened, stream } = await begin();
    const file = opened('new', ['create'], ['read', 'write']);
    const output = stream('write-via-stream', file, 5n);
    for (const text of ['Hello, ', 'World!']) expect(on('output-stream', 'blocking-write-and-flush', output, Buffer.from(text))).toEqual(ok());
    drop('output-stream', output);
    expect(on('descriptor', 'read', file, 100n, 0n)).toEqual(ok([bytes('\0\0\0\0\0Hello, World!'), true]));
  });

  test('a reader that waits for its pollable before each piece gets all of it, and then the end', async () => {
    const { on, drop, opened, stream } = await begin({ file: 'And stood awhile in thought' });
    const input = stream('read-via-stream', opened('file', [], ['read']), 0n);
    const pollable = on('input-stream', 'subscribe', input);
    let text = '';
    for (;;) {
      on('pollable', 'block', pollable);
      expect(on('pollable', 'ready', pollable)).toBe(true);
      const result = on('input-stream', 'read', input, 4n);
      if (isDeepStrictEqual(result, CLOSED)) break;
      text += Buffer.from(okOf(result) as Uint8Array).toString();
    }
    expect(text).toBe('And stood awhile in thought');
    drop('pollable', pollable);
    drop('input-stream', input);
  });

  test('streams that append write behind what is there at the time', async () => {
    const { on, drop, opened, stream } = await begin({ file: 'one' });
    const file = opened('file', [], ['read', 'write']);
    const streams = [stream('append-via-stream', file), stream('append-via-stream', file)];
    for (const [index, text] of [' two', ' three', ' four'].entries()) {
      expect(on('output-stream', 'blocking-write-and-flush', streams[index % 2], Buffer.from(text))).toEqual(ok());
    }
    for (const output of streams) drop('output-stream', output);
    expect(on('descriptor', 'read', file, 100n, 0n)).toEqual(ok([bytes('one two three four'), true]));
  });

  test('files and directories can be synchronised', async () => {
    const { on, root, opened } = await begin({ file: '' });
    for (const descriptor of [opened('file', [], ['read', 'write']), root]) {
      expect([on('descriptor', 'sync', descriptor), on('descriptor', 'sync-data', descriptor)]).toEqual([ok(), ok()]);
    }
  });

  test('lengths and offsets of any size get what there is', async () => {
    const { on, opened, stream } = await begin({ file: 'text' });
    const file = opened('file', [], ['read']);
    const LAST = 2n ** 64n - 1n;
    const FAR = 2n ** 53n - 1n;
    expect(on('descriptor', 'read', file, LAST, 1n)).toEqual(ok([bytes('ext'), true]));
    expect(on('descriptor', 'read', file, 0n, 0n)).toEqual(ok([bytes(''), false]));
    expect(on('descriptor', 'read', file, LAST, FAR)).toEqual(ok([bytes(''), true]));
    expect(on('descriptor', 'read', file, LAST, LAST)).toEqual(err('invalid'));
    const input = stream('read-via-stream', file, FAR);
    expect(on('input-stream', 'blocking-read', input, LAST)).toEqual(CLOSED);
    expect(on('input-stream', 'skip', stream('read-via-stream', file, 1n), LAST)).toEqual(ok(3n));
  });

  test('directories have no contents to stream', async () => {
    const { on, root } = await begin();
    for (const [method, ...at] of [['read-via-stream', 0n], ['write-via-stream', 0n], ['append-via-stream']] as const) {
      expect([method, on('descriptor', method, root, ...at)]).toEqual([method, err('is-directory')]);
    }
  });

  test('a failed operation says why, and ends its stream', async () => {
    const { guest, call, on, drop, opened, stream } = await begin({ file: 'text' });
    const input = stream('read-via-stream', opened('file', [], ['read']), 0n);
    guest.revoke(Cap.FS_READ);
    const { val: failure } = (on('input-stream', 'read', input, 1n) as { val: { tag: string; val: unknown } }).val;
    expect(call('wasi:filesystem/types', 'filesystem-error-code', failure)).toBe('not-permitted');
    expect(on('error', 'to-debug-string', failure)).toBe('not-permitted');
    drop('error', failure);
    expect(on('input-stream', 'read', input, 1n)).toEqual(CLOSED);
  });
});

describe('a directory that may only be read', () => {
  const begin = async () => {
    const mounts = { '/readable': makeMount('host', { file: 'as it was', 'sub/file': '' }, false).mount, '/writable': memoryDirectory() };
    const program = await start({ mounts });
    const [[readable], [writable]] = preopens(program) as [[number, string], [number, string]];
    const { val: file } = open(program, readable, 'file', [], ['read']) as { val: unknown };
    return { ...program, readable, writable, file };
  };

  test('keeps its files from being cut, written, renamed and linked, also into another directory', async () => {
    const { on, readable, writable, file, ...rest } = await begin();
    const program = { on, ...rest } as Program;
    const refused = [
      open(program, readable, 'file', ['truncate'], ['read']),
      open(program, readable, 'file', [], ['read', 'write']),
      open(program, readable, 'new', ['create'], ['read']),
      on('descriptor', 'write-via-stream', file, 0n),
      on('descriptor', 'append-via-stream', file),
      on('descriptor', 'write', file, Buffer.from('x'), 0n),
      on('descriptor', 'set-size', file, 0n),
      on('descriptor', 'create-directory-at', readable, 'new'),
      on('descriptor', 'remove-directory-at', readable, 'sub'),
      on('descriptor', 'unlink-file-at', readable, 'file'),
      on('descriptor', 'rename-at', readable, 'file', readable, 'other'),
      on('descriptor', 'rename-at', readable, 'file', writable, 'file'),
      on('descriptor', 'link-at', readable, [], 'file', writable, 'alias'),
    ];
    const codes = refused.map((result) => (result as { val: unknown }).val);
    expect(codes).toEqual(codes.map(() => expect.stringMatching(/^(?:read-only|bad-descriptor|cross-device)$/)));
    expect(on('descriptor', 'read', file, 100n, 0n)).toEqual(ok([bytes('as it was'), true]));
    expect(open(program, writable, 'file', [], ['read'])).toEqual(err('no-entry'));
  });
});

describe('preopens', () => {
  test('are there in the order of the mounts, each time anew', async () => {
    const program = await start({ mounts: { '/c': memoryDirectory(), '/a': memoryDirectory(), '/b/d': memoryDirectory() } });
    const [first, again] = [preopens(program), preopens(program)];
    expect(first.map(([, path]) => path)).toEqual(['/c', '/a', '/b/d']);
    for (const [descriptor] of first) program.drop('descriptor', descriptor);
    expect(open(program, again[1]?.[0] as number, 'new', ['create'], ['write'])).toMatchObject({ tag: 'ok' });
  });
});

describe('pollables', () => {
  test('may be given several times in one poll', async () => {
    const { call, on } = await start();
    const stdin = call('wasi:cli/stdin', 'get-stdin');
    const [one, two] = [on('input-stream', 'subscribe', stdin), on('input-stream', 'subscribe', stdin)];
    expect(call('wasi:io/poll', 'poll', [one, two, one, two])).toEqual([0, 1, 2, 3]);
  });

  test('of moments that are now or in the past are ready at once', async () => {
    const { call, on } = await start();
    const clock = (name: string, ...values: unknown[]): unknown => call('wasi:clocks/monotonic-clock', name, ...values);
    const now = clock('now') as bigint;
    for (const pollable of [clock('subscribe-duration', 0n), clock('subscribe-instant', now), clock('subscribe-instant', now - 1n)]) {
      on('pollable', 'block', pollable);
      expect(on('pollable', 'ready', pollable)).toBe(true);
    }
  });

  test('wait as long as they should', async () => {
    const { call, on } = await start();
    const clock = (name: string, ...values: unknown[]): unknown => call('wasi:clocks/monotonic-clock', name, ...values);
    const before = clock('now') as bigint;
    const late = clock('subscribe-duration', 10_000_000n);
    expect(on('pollable', 'ready', late)).toBe(false);
    on('pollable', 'block', late);
    expect((clock('now') as bigint) - before).toBeGreaterThanOrEqual(10_000_000n);
  });

  test('outlive what they are of, and harm nobody', async () => {
    const { call, on, drop } = await start({ stdin: 'text' });
    const stdin = call('wasi:cli/stdin', 'get-stdin');
    const pollable = on('input-stream', 'subscribe', stdin);
    drop('input-stream', stdin);
    on('pollable', 'block', pollable);
    drop('pollable', pollable);
  });

  test('cannot be polled when there are none', async () => {
    const { call, guest } = await start();
    expect(await codeOf(() => call('wasi:io/poll', 'poll', []))).toBe('GUEST_TRAPPED');
    expect(guest.state).toBe('poisoned');
  });
});

describe('standard streams', () => {
  test('can be spliced into each other until the end', async () => {
    const text = 'So rested he by the Tumtum tree. '.repeat(10_000);
    const { guest, call, on } = await start({ stdin: text });
    const [stdin, stdout] = [call('wasi:cli/stdin', 'get-stdin'), call('wasi:cli/stdout', 'get-stdout')];
    let moved = 0n;
    for (;;) {
      const result = on('output-stream', 'blocking-splice', stdout, stdin, 4096n);
      if (isDeepStrictEqual(result, CLOSED)) break;
      moved += okOf(result) as bigint;
    }
    expect(on('output-stream', 'blocking-flush', stdout)).toEqual(ok());
    expect([moved, guest.stdout]).toEqual([BigInt(text.length), text]);
  });

  test('take piece after piece, as much as their pollable and check-write permit', async () => {
    const { guest, call, on } = await start();
    const stdout = call('wasi:cli/stdout', 'get-stdout');
    const pollable = on('output-stream', 'subscribe', stdout);
    for (let index = 0; index < 10; index += 1) {
      on('pollable', 'block', pollable);
      expect(okOf(on('output-stream', 'check-write', stdout))).toBeGreaterThanOrEqual(50n);
      expect(on('output-stream', 'write', stdout, bytes('a'.repeat(50)))).toEqual(ok());
    }
    expect(on('output-stream', 'write-zeroes', stdout, 3n)).toEqual(ok());
    expect(guest.stdout).toBe(`${'a'.repeat(500)}\0\0\0`);
  });

  test('are read empty when nothing is asked for, before their end', async () => {
    const { call, on } = await start({ stdin: 'x' });
    const stdin = call('wasi:cli/stdin', 'get-stdin');
    expect(on('input-stream', 'blocking-read', stdin, 0n)).toEqual(ok(bytes('')));
    expect(on('input-stream', 'blocking-read', stdin, 10n)).toEqual(ok(bytes('x')));
    expect(on('input-stream', 'blocking-read', stdin, 10n)).toEqual(CLOSED);
  });
});

describe('environment and random numbers', () => {
  test('a large environment arrives whole', async () => {
    const env = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`KEY_${index}`, `grüße ${index} `.repeat(50)]));
    const args = Array.from({ length: 500 }, (_, index) => 'x'.repeat(index));
    const { call } = await start({ env, args, limits: 'permissive' });
    expect(call('wasi:cli/environment', 'get-environment')).toEqual(Object.entries(env));
    expect(call('wasi:cli/environment', 'get-arguments')).toEqual(args);
  });

  test('random bytes are as many as asked for, also none, and a seed stays the same', async () => {
    const { call } = await start();
    for (const [module, name] of [
      ['wasi:random/random', 'get-random-bytes'],
      ['wasi:random/insecure', 'get-insecure-random-bytes'],
    ] as const) {
      expect([0n, 1n, 256n, 65_537n].map((length) => (call(module, name, length) as Uint8Array).length)).toEqual([0, 1, 256, 65_537]);
    }
    expect(call('wasi:random/insecure-seed', 'insecure-seed')).toEqual(call('wasi:random/insecure-seed', 'insecure-seed'));
  });
});

describe('handles', () => {
  test('that are forgotten count, and one too many ends the guest', async () => {
    const { call } = await start({ limits: { handles: 100 } });
    const subscribe = (): unknown => call('wasi:clocks/monotonic-clock', 'subscribe-duration', 1_000_000n);
    for (let index = 0; index < 100; index += 1) subscribe();
    expect(await codeOf(subscribe)).toBe('HANDLES_EXCEEDED');
  });

  test('that are dropped do not count, however many they were', async () => {
    const { call, drop } = await start({ limits: { handles: 3, fuel: 1e9 } });
    for (let index = 0; index < 1_000; index += 1) drop('pollable', call('wasi:clocks/monotonic-clock', 'subscribe-duration', 0n));
  });

  test.each<[string, (program: Program) => unknown]>([
    ['that were never given', ({ on }) => on('pollable', 'ready', 7)],
    ['that are 0', ({ on }) => on('pollable', 'ready', 0)],
    ['that are far out', ({ on }) => on('pollable', 'ready', 0xffff_ffff)],
    [
      'that were dropped',
      ({ call, on, drop }) => {
        const stdin = call('wasi:cli/stdin', 'get-stdin');
        drop('input-stream', stdin);
        return on('input-stream', 'read', stdin, 1n);
      },
    ],
    [
      'that are dropped twice',
      ({ call, drop }) => {
        const stdin = call('wasi:cli/stdin', 'get-stdin');
        drop('input-stream', stdin);
        drop('input-stream', stdin);
      },
    ],
    ['of another resource', ({ call, on }) => on('output-stream', 'check-write', call('wasi:cli/stdin', 'get-stdin'))],
    ['of another resource in a list', ({ call }) => call('wasi:io/poll', 'poll', [call('wasi:cli/stdin', 'get-stdin')])],
    ['of another resource, dropped', ({ call, drop }) => drop('descriptor', call('wasi:cli/stdin', 'get-stdin'))],
  ])('%s end the guest', async (_, misuse) => {
    const program = await start({ stdin: 'text' });
    expect(await codeOf(() => misuse(program))).toBe('GUEST_TRAPPED');
  });
});

describe('large calls', () => {
  test.each<[string, (program: Program) => unknown]>([
    [
      'a poll of the same pollable over and over',
      ({ call }) => call('wasi:io/poll', 'poll', new Array(5_000).fill(call('wasi:clocks/monotonic-clock', 'subscribe-duration', 0n))),
    ],
    ['random bytes', ({ call }) => call('wasi:random/random', 'get-random-bytes', 1_000_000n)],
    ['reading', (program) => program.on('descriptor', 'read', okOf(open(program, rootOf(program), 'large', [], ['read'])), 2n ** 64n - 1n, 0n)],
    [
      'writing zeroes',
      (program) => {
        const file = okOf(open(program, rootOf(program), 'made', ['create'], ['write']));
        const output = okOf(program.on('descriptor', 'write-via-stream', file, 0n));
        return program.on('output-stream', 'blocking-write-zeroes-and-flush', output, 1_000_000n);
      },
    ],
  ])('of %s cost what they take', async (_, use) => {
    const mounts = { '/data': memoryDirectory({ large: 'x'.repeat(900_000) }) };
    use(await start({ mounts }));
    const poor = await start({ mounts, limits: { ...limits.default, fuel: 100_000 } });
    expect(await codeOf(() => use(poor))).toBe('FUEL_EXHAUSTED');
  });

  test('of writes beyond what a stream permits end the guest', async () => {
    const program = await start();
    const stdout = program.call('wasi:cli/stdout', 'get-stdout');
    const { val: permit } = program.on('output-stream', 'check-write', stdout) as { val: bigint };
    expect(await codeOf(() => program.on('output-stream', 'write-zeroes', stdout, permit + 1n))).toBe('GUEST_TRAPPED');
    expect(program.guest.stdout).toBe('');
  });

  test('of much output end at the limit', async () => {
    const { guest, call, on } = await start({ limits: { outputBytes: 100_000 } });
    const stdout = call('wasi:cli/stdout', 'get-stdout');
    const write = (): unknown => on('output-stream', 'blocking-write-and-flush', stdout, bytes('x'.repeat(4_000)));
    for (let index = 0; index < 25; index += 1) expect(write()).toEqual(ok());
    expect(await codeOf(write)).toBe('OUTPUT_EXCEEDED');
    expect(guest.stdout.length).toBe(100_000);
  });
});

test.each([
  ['exit', { tag: 'ok' }, 0],
  ['exit', { tag: 'err' }, 1],
  ['exit-with-code', 42, 42],
] as const)('a component ends itself by %s(%j)', async (name, status, exitCode) => {
  const { call } = await start();
  await expect(async () => call('wasi:cli/exit', name, status)).rejects.toMatchObject({ code: 'GUEST_EXITED', details: { exitCode } });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
