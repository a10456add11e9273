// What holds for all functions of preview 1: how they are handed out, the memory that they see, and how they end a guest.
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { wat } from '../support/wat.ts';
import { ALL, EVERY_RIGHT, makeHost, Preview1Guest, Stopped, stopOf, thrownBy } from './support.ts';

describe('a signal that a guest raises', () => {
  const raised = (signal: number): unknown => {
    const guest = new Preview1Guest(makeHost().host);
    let errno: unknown;
    const thrown = thrownBy(() => {
      errno = guest.call('proc_raise', signal);
    });
    return thrown instanceof Stopped ? [thrown.reason.code, thrown.reason.details] : errno;
  };

  test.each([
    [6, 'abrt'],
    [9, 'kill'],
    [15, 'term'],
    [30, 'sys'],
  ])('and that ends a program, %i, ends it with the exit code of a shell', (signal, name) => {
    expect(raised(signal)).toEqual(['GUEST_EXITED', { exitCode: 128 + signal, signal: name }]);
  });

  test('and that is none, or ignored by programs that do not handle it, does nothing', () => {
    expect([0, 13, 16, 17, 22, 27].map(raised)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('and that would stop it until another goes on, or that does not exist, is refused', () => {
    expect([18, 19, 20, 21].map(raised)).toEqual([58, 58, 58, 58]);
    expect([31, 255, 256 + 6, -1, 2 ** 31 - 1].map(raised)).toEqual([28, 28, 28, 28, 28]);
  });
});

describe('the functions', () => {
  test('have no prototype and cannot be changed', () => {
    const functions = makeHost().host.preview1(() => undefined)('wasi_snapshot_preview1') ?? {};
    expect([Object.getPrototypeOf(functions), Object.isFrozen(functions), 'constructor' in functions]).toEqual([null, true, false]);
  });

  test('answer EFAULT for every pointer as long as there is no memory', () => {
    const functions = makeHost().host.preview1(() => undefined)('wasi_snapshot_preview1') as Record<string, (...args: unknown[]) => unknown>;
    expect([functions.fd_write?.(1, 0, 1, 0), functions.args_sizes_get?.(0, 0), functions.random_get?.(0, 1), functions.sched_yield?.()]).toEqual([
      21, 21, 21, 0,
    ]);
  });

  test('see the memory as it is after it has grown', () => {
    const { host, stdout } = makeHost();
    const guest = new Preview1Guest(host);
    guest.write(1, 'before ');
    guest.memory.grow(1);
    guest.write(1, 'after');
    expect(stdout()).toBe('before after');
  });

  test('work on a memory that threads share', () => {
    const { host, stdout } = makeHost({ mounts: { '/data': memoryDirectory({ 'a.txt': '0123456789' }) } });
    const guest = new Preview1Guest(host, { memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) });
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    expect([guest.read(fd, 3).text, guest.write(fd, '!').errno, guest.write(1, 'out').errno, stdout()]).toEqual(['012', 0, 0, 'out']);
    expect(guest.call('random_get', guest.room(8), 8)).toBe(0);
  });

  test('take a memory that grows while output is delivered', () => {
    let guest: Preview1Guest | undefined;
    const { host } = makeHost({ stdout: () => guest?.memory.grow(1) });
    guest = new Preview1Guest(host);
    expect(guest.write(1, 'one', 'two')).toEqual({ errno: 0, count: 6 });
  });

  test('let the trap that stops a guest pass through everything', () => {
    const guest = new Preview1Guest(makeHost({ limits: { outputBytes: 4 } }).host);
    const stopped = thrownBy(() => guest.write(1, '12', '345'));
    expect(stopped).toBeInstanceOf(Stopped);
    expect(stopOf(() => guest.write(1, 'x'))).toBe('OUTPUT_EXCEEDED');
  });
});

describe('a program of preview 1', () => {
  test('copies a file to its output and exits with a code', async () => {
    const bytes = await wat(`
      (module
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 64) "a.txt")
        (func (export "_start")
          (if (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 5) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))
            (then (call $exit (i32.const 1))))
          (i32.store (i32.const 8) (i32.const 128))
          (i32.store (i32.const 12) (i32.const 4))
          (loop $more
            (drop (call $read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 12)))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))
            (br_if $more (i32.load (i32.const 12))))
          (call $exit (i32.const 7))))`);
    const run = async (grants: number): Promise<[unknown, string]> => {
      const { host, stdout } = makeHost({ grants, mounts: { '/data': memoryDirectory({ 'a.txt': '0123456789' }) } });
      let memory: WebAssembly.Memory | undefined;
      const imports = { wasi_snapshot_preview1: host.preview1(() => memory)('wasi_snapshot_preview1') } as WebAssembly.Imports;
      const { exports } = (await WebAssembly.instantiate(bytes as BufferSource, imports)).instance;
      memory = exports.memory as WebAssembly.Memory;
      const stopped = thrownBy(exports._start as () => void) as Stopped;
      return [stopped.reason.details.exitCode, stdout()];
    };
    expect(await run(ALL)).toEqual([7, '0123456789']);
    expect(await run(ALL & ~Cap.FS_READ)).toEqual([1, '']);
  });
});
