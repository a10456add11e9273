// A guest's life through the public surface: calls, host functions, output, exit, stops, and what is left of it afterwards.
import { describe, expect, it } from 'vitest';
import { Cap, compile, GloveportError, type Guest, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { wat } from '../support/wat.ts';

async function load(text: string, options: SandboxOptions = {}): Promise<Guest> {
  return new Sandbox(options).load(await wat(text));
}

const ARITHMETIC = `(module
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "wide") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "pair") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "trap") (unreachable))
  (func (export "spin") (loop (br 0))))`;

// Writes "hi\n" to the descriptor that it is given, and exits with a code.
const COMMAND = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 16) "hi\\0a")
  (func $say (export "say") (param $fd i32) (result i32) (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "leave") (param i32) (call $exit (local.get 0)))
  (func (export "_start") (drop (call $say (i32.const 1))) (drop (call $say (i32.const 2))) (call $exit (i32.const 3))))`;

describe('calls of a core module', () => {
  it('take and give numbers and bigints', async () => {
    const guest = await load(ARITHMETIC);
    expect(await guest.call('add', 2, -3)).toBe(-1);
    expect(await guest.call('add', 4_294_967_295, 1)).toBe(0);
    expect(guest.callSync('wide', 2n ** 63n - 1n)).toBe(-(2n ** 63n));
    expect(guest.exports.half).toBeTypeOf('function');
    expect(await (guest as Guest<{ half(value: number): number }>).exports.half(5)).toBe(2.5);
    expect(await guest.call('pair')).toEqual([1, 2n]);
  });

  for (const [title, args] of [
    ['too few', [1]],
    ['too many', [1, 2, 3]],
    ['a fraction', [1.5, 2]],
    ['over 32 bits', [2 ** 32, 0]],
    ['below 32 bits', [-(2 ** 31) - 1, 0]],
    ['NaN', [Number.NaN, 0]],
    ['a bigint for a number', [1n, 2]],
    ['a string', ['1', 2]],
    ['undefined', [undefined, 2]],
    ['an object with valueOf', [{ valueOf: () => 1 }, 2]],
  ] as const) {
    it(`refuse ${title} and leave the guest as it was`, async () => {
      const guest = await load(ARITHMETIC);
      await expect(guest.call('add', ...args)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(guest.state).toBe('ready');
      expect(await guest.call('add', 1, 2)).toBe(3);
    });
  }

  it('know no function that the module does not export', async () => {
    const guest = await load(ARITHMETIC);
    for (const name of ['nothing', '', 'constructor', '__proto__', 'then', 'toString']) {
      await expect(guest.call(name)).rejects.toMatchObject({ code: 'FUNCTION_NOT_FOUND' });
    }
    expect(guest.state).toBe('ready');
  });

  it('reach functions whose names are those of Object and Promise', async () => {
    const names = ['then', '__proto__', 'constructor', 'toString', 'valueOf', 'toJSON', 'hasOwnProperty'];
    const guest = await load(`(module ${names.map((name, index) => `(func (export "${name}") (result i32) (i32.const ${index}))`).join('')})`);
    for (const [index, name] of names.entries()) {
      expect(await guest.call(name)).toBe(index);
      if (name !== 'then') expect(await (guest.exports[name] as () => unknown)()).toBe(index);
    }
    expect(await guest.exports).toBe(guest.exports);
    expect(Object.getPrototypeOf(guest.exports)).toBeNull();
  });
});

describe('a guest that was stopped', () => {
  it('is poisoned and names the first cause', async () => {
    const guest = await load(ARITHMETIC);
    await expect(guest.call('trap')).rejects.toMatchObject({ code: 'GUEST_TRAPPED', details: { trap: 'unreachable' } });
    expect(guest.state).toBe('poisoned');
    await expect(guest.call('add', 1, 2)).rejects.toMatchObject({ code: 'GUEST_POISONED', details: { first: 'GUEST_TRAPPED' } });
    expect(() => guest.callSync('add', 1, 2)).toThrow(expect.objectContaining({ code: 'GUEST_POISONED' }));
  });

  it('leaves other guests of the same module alone', async () => {
    const module = await compile(await wat(ARITHMETIC));
    const sandbox = new Sandbox({ limits: { fuel: 100_000 } });
    const [first, second] = [await sandbox.load(module), await sandbox.load(module)];
    await expect(first.call('spin')).rejects.toMatchObject({ code: 'FUEL_EXHAUSTED' });
    expect(await second.call('add', 1, 2)).toBe(3);
  });

  it('keeps its usage readable', async () => {
    const guest = await load(ARITHMETIC, { limits: { fuel: 100_000 } });
    await expect(guest.call('spin')).rejects.toThrow(GloveportError);
    expect(guest.usage.fuel).toBeGreaterThanOrEqual(100_000);
    expect(guest.usage.wallMs).toBeGreaterThan(0);
  });
});

describe('disposal', () => {
  it('ends a guest, however often it is said', async () => {
    const guest = await load(ARITHMETIC);
    guest.dispose();
    guest.dispose();
    expect(guest.state).toBe('disposed');
    await expect(guest.call('add', 1, 2)).rejects.toMatchObject({ code: 'DISPOSED' });
    await expect(guest.run()).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('happens at the end of a block', async () => {
    const held: { guest?: Guest } = {};
    {
      await using guest = await load(ARITHMETIC);
      held.guest = guest;
    }
    expect(held.guest?.state).toBe('disposed');
  });

  it('in the middle of a call ends the call', async () => {
    const held: { guest?: Guest } = {};
    const text = '(module (import "host" "bye" (func $bye)) (func (export "go") (result i32) (call $bye) (i32.const 1)))';
    held.guest = await load(text, { imports: { host: { bye: () => held.guest?.dispose() } } });
    await expect(held.guest.call('go')).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});

describe('abort', () => {
  it('stops an idle guest for good', async () => {
    const guest = await load(ARITHMETIC);
    guest.abort('no longer needed');
    await expect(guest.call('add', 1, 2)).rejects.toMatchObject({ code: 'GUEST_POISONED', details: { first: 'ABORTED' } });
  });

  it('comes through a signal, before, and after loading', async () => {
    const bytes = await wat(ARITHMETIC);
    await expect(new Sandbox().load(bytes, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
    const controller = new AbortController();
    const guest = await new Sandbox().load(bytes, { signal: controller.signal });
    controller.abort();
    expect(guest.state).toBe('poisoned');
  });
});

describe('host functions of a core module', () => {
  const CALL = '(module (import "host" "f" (func $f (param i32 i64) (result f64))) (func (export "go") (result f64) (call $f (i32.const -1) (i64.const 5))))';

  it('are called with values and give a value', async () => {
    const seen: unknown[] = [];
    const guest = await load(CALL, {
      imports: {
        host: {
          f(...args: unknown[]) {
            seen.push(this, ...args);
            return 2.5;
          },
        },
      },
    });
    expect(await guest.call('go')).toBe(2.5);
    expect(seen).toEqual([undefined, -1, 5n]);
    expect(guest.usage.hostCalls).toBe(1);
  });

  it('that throw stop the guest with their error as the cause', async () => {
    const cause = new Error('/secret/path');
    const guest = await load(CALL, {
      imports: {
        host: {
          f() {
            throw cause;
          },
        },
      },
    });
    await expect(guest.call('go')).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause });
    await expect(guest.call('go')).rejects.toMatchObject({ code: 'GUEST_POISONED' });
  });

  it('that give what does not fit stop the guest', async () => {
    for (const value of ['2', 5n, undefined, Promise.resolve(1)]) {
      const guest = await load(CALL, { imports: { host: { f: () => value } } });
      await expect(guest.call('go')).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED' });
    }
  });

  it('that nobody gave are refused by name, whatever Object.prototype has', async () => {
    for (const [module, name] of [
      ['host', 'f'],
      ['constructor', 'constructor'],
      ['__proto__', 'toString'],
      ['host', 'hasOwnProperty'],
      ['wasi_snapshot_preview1', 'constructor'],
      ['wasi_snapshot_preview1', 'sock_open'],
    ]) {
      const failure = load(`(module (import "${module}" "${name}" (func)))`, { imports: { host: { other() {} } } });
      await expect(failure).rejects.toMatchObject({ code: 'LINK_FAILED', details: { missing: [`${module} ${name}`] } });
    }
  });

  it('that come by prototype do not exist', async () => {
    const host = Object.create({ f: () => 1 }) as Record<string, () => unknown>;
    await expect(load(CALL, { imports: { host } })).rejects.toMatchObject({ code: 'LINK_FAILED' });
  });

  it('are the only things that can be imported', async () => {
    for (const what of ['(memory 1)', '(table 1 funcref)', '(global i32)']) {
      await expect(load(`(module (import "host" "f" ${what}))`, { imports: { host: { f() {} } } })).rejects.toMatchObject({ code: 'LINK_FAILED' });
    }
  });
});

describe('commands', () => {
  it('run once and give exit code and output', async () => {
    const guest = await load(COMMAND);
    expect(await guest.run()).toEqual({ exitCode: 3, stdout: 'hi\n', stderr: 'hi\n' });
    expect(guest.usage.outputBytes).toBe(6);
    await expect(guest.run()).rejects.toMatchObject({ code: 'GUEST_POISONED', details: { first: 'GUEST_EXITED' } });
  });

  it('that exit in a call are an error with the exit code', async () => {
    const guest = await load(COMMAND);
    await expect(guest.call('leave', 4)).rejects.toMatchObject({ code: 'GUEST_EXITED', details: { exitCode: 4 } });
  });

  it('are told from modules that are none', async () => {
    await expect((await load(ARITHMETIC)).run()).rejects.toMatchObject({ code: 'FUNCTION_NOT_FOUND' });
  });

  it('write nowhere without the console', async () => {
    const guest = await load(COMMAND, { grant: Cap.NONE });
    expect(await guest.run()).toEqual({ exitCode: 3, stdout: '', stderr: '' });
  });

  it('write to a function, or nowhere, as they are told', async () => {
    const chunks: Uint8Array[] = [];
    const guest = await load(COMMAND, { stdout: (chunk) => chunks.push(chunk), stderr: 'ignore' });
    expect(await guest.run()).toEqual({ exitCode: 3, stdout: '', stderr: '' });
    expect(Buffer.concat(chunks).toString()).toBe('hi\n');
  });

  it('may write as much as the limit and not a byte more', async () => {
    const exact = await load(COMMAND, { limits: { outputBytes: 6 } });
    expect((await exact.run()).stderr).toBe('hi\n');
    const over = await load(COMMAND, { limits: { outputBytes: 5 } });
    await expect(over.run()).rejects.toMatchObject({ code: 'OUTPUT_EXCEEDED' });
    expect([over.stdout, over.stderr]).toEqual(['hi\n', 'hi']);
    expect(over.usage.outputBytes).toBe(5);
  });

  it('lose the console when it is revoked', async () => {
    const guest = await load(COMMAND);
    await guest.call('say', 1);
    guest.revoke('console');
    await guest.call('say', 1);
    expect(guest.stdout).toBe('hi\n');
  });
});

describe('a sandbox', () => {
  it('stays as it is when grants are added or taken away', () => {
    const sandbox = new Sandbox({ grant: 'console' });
    expect(sandbox.grant(Cap.TIME).grants).toBe(Cap.CONSOLE | Cap.TIME);
    expect(sandbox.revoke('console').grants).toBe(Cap.NONE);
    expect(sandbox.grants).toBe(Cap.CONSOLE);
    expect(Sandbox.restrictive().grants).toBe(Cap.NONE);
  });

  it('in strict mode refuses what a module imports without a grant, and names it', async () => {
    const bytes = await wat(COMMAND);
    await expect(new Sandbox({ strict: true, grant: Cap.NONE }).load(bytes)).rejects.toMatchObject({
      code: 'CAPABILITY_DENIED',
      details: { missing: ['console'] },
    });
    await new Sandbox({ strict: true }).load(bytes);
  });

  it('says of a module what it requires', async () => {
    const module = await compile(
      await wat('(module (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32))) (memory (export "memory") 1))'),
    );
    expect(module).toMatchObject({ kind: 'core', requires: Cap.ENV, dangerous: true });
    expect(module.imports).toEqual([
      { module: 'wasi_snapshot_preview1', name: 'environ_get', kind: 'function', type: { params: ['i32', 'i32'], results: ['i32'] } },
    ]);
  });

  it('holds a module that is compiled already to its own size limit', async () => {
    const bytes = await wat(ARITHMETIC);
    const module = await compile(bytes);
    expect(module.bytes).toBe(bytes.length);
    await new Sandbox({ limits: { moduleBytes: bytes.length } }).load(module);
    await expect(new Sandbox({ limits: { moduleBytes: bytes.length - 1 } }).load(module)).rejects.toMatchObject({ code: 'MODULE_TOO_LARGE' });
    await expect(compile(bytes, { limits: { moduleBytes: bytes.length - 1 } })).rejects.toMatchObject({ code: 'MODULE_TOO_LARGE' });
  });
});
