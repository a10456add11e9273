// What callers rely on: closed lists and fixed numbers, options that are refused rather than guessed at, and nothing shared that a caller could change.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { php } from '../../guest-examples/programs.ts';
import { Cap, compile, errorCategories, GloveportError, type Guest, hostDirectory, limits, memoryDirectory, Sandbox } from '../../src/index.ts';
import { resolveOptions } from '../../src/sandbox/options.ts';
import { codeOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';

const EMPTY = '(module (func (export "go")))';

describe('the closed lists', () => {
  it('have every code in its category', () => {
    const byCategory = Map.groupBy(Object.entries(errorCategories), ([, category]) => category);
    expect(Object.fromEntries([...byCategory].map(([category, codes]) => [category, codes.map(([code]) => code).join(' ')]))).toEqual({
      io: 'FILE_NOT_FOUND IO_FAILED',
      parse: 'INVALID_MODULE MANIFEST_PARSE',
      validation: 'INVALID_OPTION INVALID_ARGUMENT MANIFEST_INVALID LINK_FAILED UNSUPPORTED_FEATURE',
      compatibility: 'INCOMPATIBLE_API_VERSION DEPENDENCY_MISSING DEPENDENCY_CYCLE',
      capability: 'CAPABILITY_DENIED CHECKSUM_MISMATCH SIGNATURE_INVALID',
      limit: 'FUEL_EXHAUSTED DEADLINE_EXCEEDED MEMORY_EXCEEDED STACK_EXCEEDED OUTPUT_EXCEEDED HANDLES_EXCEEDED MODULE_TOO_LARGE QUEUE_FULL',
      runtime: 'GUEST_TRAPPED GUEST_EXITED GUEST_POISONED HOST_FUNCTION_FAILED ABORTED WORKER_LOST FUNCTION_NOT_FOUND',
      state: 'INVALID_STATE PLUGIN_NOT_FOUND PLUGIN_EXISTS REGISTRY_FULL DISPOSED',
      internal: 'INTERNAL',
    });
  });

  it('have the presets that are documented, frozen', () => {
    const rows = Object.values(limits).map((preset) => Object.values(preset).join(' '));
    expect(Object.keys(limits)).toEqual(['default', 'restrictive', 'permissive']);
    expect(Object.keys(limits.default).join(' ')).toBe(
      'memoryBytes timeMs stackBytes callDepth fuel tableElements gcBytes handles outputBytes hostBytes moduleBytes',
    );
    expect(rows).toEqual([
      '67108864 5000 1048576 1000 10000000000 100000 268435456 1000 16777216 67108864 67108864',
      '16777216 1000 262144 500 1000000000 20000 33554432 100 1048576 16777216 16777216',
      '268435456 60000 4194304 5000 1000000000000 1000000 536870912 10000 268435456 268435456 268435456',
    ]);
    for (const preset of Object.values(limits)) expect(Object.isFrozen(preset)).toBe(true);
  });

  it('have the six figures of usage and the four states', async () => {
    const held: { guest?: Guest; states: string[] } = { states: [] };
    const text = '(module (import "host" "look" (func $look)) (func (export "go") (call $look)) (func (export "trap") (unreachable)))';
    const guest = await new Sandbox({ imports: { host: { look: () => void held.states.push(held.guest?.state ?? '') } } }).load(await wat(text));
    held.guest = guest;
    expect(Object.keys(guest.usage).sort()).toEqual(['fuel', 'hostCalls', 'memoryBytes', 'outputBytes', 'peakMemoryBytes', 'wallMs']);
    held.states.push(guest.state);
    await guest.call('go');
    await guest.call('trap').catch(() => undefined);
    held.states.push(guest.state);
    guest.dispose();
    held.states.push(guest.state);
    expect(held.states).toEqual(['ready', 'running', 'poisoned', 'disposed']);
  });
});

describe('what is not what it should be', () => {
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  // biome-ignore lint/suspicious/noExplicitAny: wrong values are the point
  const wrong = (value: unknown): any => value;
  const REFUSED: Record<string, (bytes: Uint8Array) => unknown> = {
    'options that are null': () => new Sandbox(wrong(null)),
    'options that are an array': () => new Sandbox(wrong([])),
    'restrictive options that are null': () => Sandbox.restrictive(wrong(null)),
    'a list of arguments with holes': () => new Sandbox({ args: new Array(2) }),
    'load options that are null': (bytes) => new Sandbox().load(bytes, wrong(null)),
    'load options with an unknown field': (bytes) => new Sandbox().load(bytes, wrong({ timeout: 5 })),
    'a signal that is none': (bytes) => new Sandbox().load(bytes, wrong({ signal: {} })),
    'compile options that are null': (bytes) => compile(bytes, wrong(null)),
    'a cache directory that is a number': (bytes) => compile(bytes, wrong({ cacheDirectory: 5 })),
    'a source that is a number': () => compile(wrong(5)),
    'a source that is detached': () => compile(detached),
    'a source at another host': () => compile(new URL('file://elsewhere/x.wasm')),
    'a source in the web': () => compile(new URL('https://example.com/x.wasm')),
    'a module that compile() did not make': () => new Sandbox().load(Object.create(class Module {}.prototype)),
    'files that are null': () => memoryDirectory(wrong(null)),
    'files that are a number': () => memoryDirectory(wrong(5)),
    'files that are an array': () => memoryDirectory(wrong(['x'])),
    'directory options that are null': () => hostDirectory(tmpdir(), wrong(null)),
    'a directory option that is unknown': () => hostDirectory(tmpdir(), wrong({ writable: true })),
    'a working directory that is not absolute': () => new Sandbox({ cwd: 'work' }),
    'a working directory that is above itself': () => new Sandbox({ cwd: '/work/..' }),
    'standard input that is a number': () => new Sandbox({ stdin: wrong(5) }),
    'standard input that is a list of chunks': () => new Sandbox({ stdin: wrong(['chunk']) }),
    'standard output that goes to an unknown place': () => new Sandbox({ stdout: wrong('inherited') }),
    'standard error that goes to an object': () => new Sandbox({ stderr: wrong({ write: 5 }) }),
    'a clock that is a function': () => new Sandbox({ clock: wrong(() => 0) }),
    'a clock with an unknown field': () => new Sandbox({ clock: wrong({ time: 0 }) }),
    'a clock that starts before 1970': () => new Sandbox({ clock: { now: -1 } }),
    'a clock that starts at no time': () => new Sandbox({ clock: { now: new Date('never') } }),
    'a clock that starts with text': () => new Sandbox({ clock: { now: wrong('2026-01-01') } }),
    'a monotonic clock that is a number': () => new Sandbox({ clock: { monotonic: wrong(0) } }),
    'a monotonic clock beside made-up time': () => new Sandbox({ clock: { now: 0, monotonic: () => 0 } }),
    'a step without made-up time': () => new Sandbox({ clock: { now: () => 0, step: 1 } }),
    'a step back': () => new Sandbox({ clock: { now: 0, step: -1 } }),
    'a step that is a date': () => new Sandbox({ clock: { now: 0, step: wrong(new Date()) } }),
    'a zone that is an offset': () => new Sandbox({ clock: { timezone: '+01:00' } }),
    'a zone that nobody knows': () => new Sandbox({ clock: { timezone: 'Atlantis/Capital' } }),
    'a seed that is a fraction': () => new Sandbox({ random: { seed: 0.5 } }),
    'a seed that is missing': () => new Sandbox({ random: wrong({}) }),
    'random numbers that are a number': () => new Sandbox({ random: wrong(4) }),
    'an observer that is none': () => new Sandbox({ onAccess: wrong({}) }),
    'two mounts at one path': (bytes) => new Sandbox({ grant: Cap.FS_READ, mounts: { '/a': memoryDirectory(), '/a/': memoryDirectory() } }).load(bytes),
  };
  for (const [title, attempt] of Object.entries(REFUSED)) {
    it(`is INVALID_OPTION: ${title}`, async () => {
      const bytes = await wat(EMPTY);
      expect(await codeOf(async () => attempt(bytes))).toBe('INVALID_OPTION');
    });
  }

  it('is INVALID_ARGUMENT for names of functions that are no strings, and leaves the guest ready', async () => {
    const guest = await new Sandbox().load(await wat(EMPTY));
    for (const name of [undefined, null, 5, Symbol('go'), {}, ['go']]) {
      expect(await codeOf(() => guest.call(wrong(name)))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(async () => guest.callSync(wrong(name)))).toBe('INVALID_ARGUMENT');
    }
    expect(guest.state).toBe('ready');
  });

  it('is UNSUPPORTED_FEATURE for what is not there yet', async () => {
    for (const options of [{ isolation: 'worker' }, { isolation: 'process' }] as const) {
      expect(await codeOf(async () => new Sandbox(options))).toBe('UNSUPPORTED_FEATURE');
    }
    new Sandbox({ network: undefined, isolation: undefined });
  });

  it('is IO_FAILED for a path that is no file', async () => {
    expect(await codeOf(() => compile(tmpdir()))).toBe('IO_FAILED');
  });
});

it('lists of options are what they were when the sandbox was made', () => {
  const [denyPaths, args] = [['/data/secret'], ['guest', 'quiet']];
  const policy = resolveOptions({ denyPaths, args });
  denyPaths.length = 0;
  args[1] = 'loud';
  expect([policy.denyPaths, policy.args]).toEqual([['/data/secret'], ['guest', 'quiet']]);
  expect(() => (policy.denyPaths as string[]).pop()).toThrow(TypeError);
});

describe('what somebody put on Object.prototype', () => {
  it('is no option', () => {
    const polluted = Object.prototype as unknown as Record<string, unknown>;
    try {
      polluted.grant = 1023;
      polluted.limits = 'permissive';
      expect(new Sandbox().grants).toBe(Cap.CONSOLE);
      expect(new Sandbox({}).limits).toEqual(limits.default);
      expect(Sandbox.restrictive().grants).toBe(Cap.NONE);
    } finally {
      delete polluted.grant;
      delete polluted.limits;
    }
  });
});

describe('a restrictive sandbox', () => {
  it('keeps the restrictive preset for limits that are not given', () => {
    expect(Sandbox.restrictive({ limits: { fuel: 5e6 } }).limits).toEqual({ ...limits.restrictive, fuel: 5e6 });
    expect(Sandbox.restrictive({ limits: 'default' }).limits).toEqual(limits.default);
    expect(new Sandbox({ limits: { fuel: 5e6 } }).limits).toEqual({ ...limits.default, fuel: 5e6 });
  });
});

describe('a module', () => {
  it('cannot be changed for others that load the same bytes', async () => {
    const bytes = await wat('(module (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32))) (memory (export "memory") 1))');
    const module = await compile(bytes);
    expect(() => (module.imports as unknown[]).pop()).toThrow(TypeError);
    expect(() => Object.assign(module.exports[0] as object, { name: 'other' })).toThrow(TypeError);
    expect(() => ((module.imports[0]?.type?.params ?? []) as unknown[]).pop()).toThrow(TypeError);
    expect(await codeOf(() => new Sandbox({ strict: true }).load(bytes))).toBe('CAPABILITY_DENIED');
  });

  it('that imports the network requires NETWORK, is dangerous, and is refused in strict mode', async () => {
    const module = await compile(await wat('(module (import "wasi_snapshot_preview1" "sock_send" (func (param i32 i32 i32 i32 i32) (result i32))))'));
    expect(module).toMatchObject({ requires: Cap.NETWORK, dangerous: true });
    expect(await codeOf(() => new Sandbox({ strict: true }).load(module))).toBe('CAPABILITY_DENIED');
  });

  it('in strict mode needs no grant for what the host provides itself', async () => {
    const module = await compile(await wat('(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))'));
    const imports = { wasi_snapshot_preview1: { fd_write: () => 0 } };
    await new Sandbox({ strict: true, grant: Cap.NONE, imports }).load(module);
    expect(await codeOf(() => new Sandbox({ strict: true, grant: Cap.NONE }).load(module))).toBe('CAPABILITY_DENIED');
  });
});

describe('a guest in odd moments', () => {
  it('whose loading is aborted from inside its start function is not given out', async () => {
    const controller = new AbortController();
    const text = '(module (import "host" "abort" (func $abort)) (func $start (call $abort)) (start $start))';
    const sandbox = new Sandbox({ imports: { host: { abort: () => controller.abort() } } });
    expect(await codeOf(async () => sandbox.load(await wat(text), { signal: controller.signal }))).toBe('ABORTED');
  });

  it('is aborted whatever the reason does when it is looked at', async () => {
    const reasons: unknown[] = [
      null,
      Symbol('enough'),
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('no');
          },
        },
      ),
    ];
    reasons.push(
      Object.defineProperty(new Error('x'), 'message', {
        get: () => {
          throw new Error('no');
        },
      }),
      Proxy.revocable([], {}),
    );
    for (const reason of reasons) {
      const guest = await new Sandbox().load(await wat(EMPTY));
      guest.abort(reason);
      expect(guest.state).toBe('poisoned');
    }
  });

  it('has one budget for its start function and _initialize together', async () => {
    const work = '(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))';
    const text = `(module (func $start ${work}) (start $start) (func (export "_initialize") ${work}))`;
    const { fuel } = (await new Sandbox().load(await wat(text))).usage;
    await new Sandbox({ limits: { fuel } }).load(await wat(text));
    expect(await codeOf(async () => new Sandbox({ limits: { fuel: fuel - 1 } }).load(await wat(text)))).toBe('FUEL_EXHAUSTED');
  });

  it('with an _initialize that takes parameters is refused, with such a _start it is no command', async () => {
    expect(await codeOf(async () => new Sandbox().load(await wat('(module (func (export "_initialize") (param i32)))')))).toBe('INVALID_MODULE');
    const guest = await new Sandbox().load(await wat('(module (func (export "_start") (param i32)))'));
    expect(await codeOf(() => guest.run())).toBe('FUNCTION_NOT_FOUND');
  });

  it('keeps its figures after it was disposed of', async () => {
    const guest = await new Sandbox().load(await wat('(module (memory 3) (func (export "go")))'));
    await guest.call('go');
    const before = guest.usage;
    guest.dispose();
    expect(guest.usage).toEqual(before);
  });

  it('is stopped when the function that takes its output throws or gives a promise', async () => {
    const text = `(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)
      (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;
    const sinks = [
      () => {
        throw new Error('full');
      },
      async () => {
        throw new Error('full');
      },
    ];
    for (const stdout of sinks) {
      const guest = await new Sandbox({ stdout }).load(await wat(text));
      expect(await codeOf(() => guest.run())).toBe('HOST_FUNCTION_FAILED');
    }
  });

  it('cannot be called back by a host function, which sees INVALID_STATE', async () => {
    const held: { guest?: Guest } = {};
    const text = '(module (import "host" "again" (func $again)) (func (export "go") (call $again)))';
    held.guest = await new Sandbox({ imports: { host: { again: () => held.guest?.callSync('go') } } }).load(await wat(text));
    await expect(held.guest.call('go')).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause: { code: 'INVALID_STATE' } });
  });

  it('ends at the deadline that a host function ran over', async () => {
    const text = '(module (import "host" "wait" (func $wait)) (func (export "go") (call $wait)))';
    const wait = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
    const guest = await new Sandbox({ limits: { timeMs: 10 }, imports: { host: { wait } } }).load(await wat(text));
    await expect(guest.call('go')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', details: { limit: 'timeMs', maximum: 10 } });
  });
});

describe('directories of the host', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'gloveport-contract-'));
    for (const name of ['open.txt', 'secret.txt']) writeFileSync(join(folder, name), `content of ${name}`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const phpSays = async (code: string, options: object): Promise<string> => {
    const mounts = { '/app': memoryDirectory({ 'a.php': `<?php ${code}` }), '/data': hostDirectory(folder) };
    const sandbox = new Sandbox({ grant: 'console,fs-read', limits: 'permissive', mounts, args: ['php-cgi', '-q', '/app/a.php'], ...options });
    await using guest = await sandbox.load(php);
    return (await guest.run()).stdout;
  };

  it('are read by real programs, but for denied paths', async () => {
    const read = 'foreach (["open", "secret"] as $name) echo @file_get_contents("/data/$name.txt") ?: "nothing", "; ";';
    expect(await phpSays(read, {})).toBe('content of open.txt; content of secret.txt; ');
    expect(await phpSays(read, { denyPaths: ['/data/secret.txt'] })).toBe('content of open.txt; nothing; ');
    expect(await phpSays(read, { denyPaths: ['/data'] })).toBe('nothing; nothing; ');
  });

  it('that do not exist are FILE_NOT_FOUND at once', async () => {
    expect(await codeOf(async () => hostDirectory(join(folder, 'nowhere')))).toBe('FILE_NOT_FOUND');
    expect(() => hostDirectory(join(folder, 'open.txt'))).toThrow(GloveportError);
  });
});
