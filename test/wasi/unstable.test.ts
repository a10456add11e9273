// wasi_unstable, the first snapshot of preview 1: its own layouts, and programs that were published for it: SQLite, and clang with its linker, whose output
// runs here too.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostDirectory, memoryDirectory, type Mount, Sandbox } from '../../src/index.ts';
import { clang, clangFiles, sqlite, wasmLd } from '../../guest-examples/programs.ts';
import { wat } from '../support/wat.ts';
import { EVERY_RIGHT, FIRST_PREOPEN, makeHost, makeMount, MOUNT_KINDS, Preview1Guest, temporaryDirectory } from './support.ts';

function guestsOn(mount: Mount): { unstable: Preview1Guest; preview1: Preview1Guest } {
  const { host } = makeHost({ mounts: { '/data': mount } });
  return { unstable: new Preview1Guest(host, { module: 'wasi_unstable' }), preview1: new Preview1Guest(host) };
}

describe.each(MOUNT_KINDS)('the layouts of wasi_unstable on a %s directory', (kind) => {
  test('have a filestat of 56 bytes that says what the later one says', () => {
    const { unstable, preview1 } = guestsOn(makeMount(kind, { 'a.txt': '0123456789' }).mount);
    for (const guest of [unstable, preview1]) {
      expect(guest.call('path_filestat_set_times', FIRST_PREOPEN, 0, ...guest.put('a.txt'), 3_000_000_000n, 5_000_000_000n, 1 | 4)).toBe(0);
    }
    expect(unstable.call('path_link', FIRST_PREOPEN, 0, ...unstable.put('a.txt'), FIRST_PREOPEN, ...unstable.put('b.txt'))).toBe(0);
    const { fd } = unstable.open('a.txt');
    for (const call of [
      (guest: Preview1Guest, at: number) => guest.call('path_filestat_get', FIRST_PREOPEN, 0, ...guest.put('a.txt'), at),
      (guest: Preview1Guest, at: number) => guest.call('fd_filestat_get', guest === unstable ? fd : guest.open('a.txt').fd, at),
    ]) {
      const [old, later] = [unstable.put('~'.repeat(64))[0], preview1.room(64)];
      expect([call(unstable, old), call(preview1, later)]).toEqual([0, 0]);
      expect(unstable.get(old, 17)).toEqual(preview1.get(later, 17));
      expect([unstable.view.getUint32(old + 20, true), preview1.view.getBigUint64(later + 24, true)]).toEqual([2, 2n]);
      expect(unstable.get(old + 24, 32)).toEqual(preview1.get(later + 32, 32));
      expect([unstable.view.getBigUint64(old + 24, true), unstable.view.getBigUint64(old + 40, true)]).toEqual([10n, 5_000_000_000n]);
      expect(unstable.get(old + 56, 8).toString()).toBe('~~~~~~~~');
    }
  });

  test('number whence from where it is, the end, the beginning', () => {
    const { unstable } = guestsOn(makeMount(kind, { 'a.txt': '0123456789' }).mount);
    const { fd } = unstable.open('a.txt', { rights: EVERY_RIGHT });
    const result = unstable.room(8);
    const seek = (offset: bigint, whence: number): bigint | number =>
      unstable.call('fd_seek', fd, offset, whence, result) || unstable.view.getBigUint64(result, true);
    expect([seek(-3n, 1), seek(1n, 0), seek(4n, 2), seek(0n, 0), seek(0n, 3)]).toEqual([7n, 8n, 4n, 4n, 28]);
  });
});

describe('wasi_unstable', () => {
  // A subscription of 56 bytes: with an identifier before what the later one starts with.
  const subscriptions = (guest: Preview1Guest, ...list: { type: number; fd?: number; timeout?: bigint; flags?: number }[]): number => {
    const [at] = guest.put(new Uint8Array(56 * list.length));
    list.forEach(({ type, fd = 0, timeout = 0n, flags = 0 }, index) => {
      const start = at + 56 * index;
      guest.view.setBigUint64(start, BigInt(index), true);
      guest.view.setUint8(start + 8, type);
      if (type === 0) {
        guest.view.setBigUint64(start + 16, 2n ** 64n - 1n, true);
        guest.view.setUint32(start + 24, 1, true);
        guest.view.setBigUint64(start + 32, timeout, true);
        guest.view.setUint16(start + 48, flags, true);
      } else {
        guest.view.setUint32(start + 16, fd, true);
      }
    });
    return at;
  };

  test('has subscriptions of 56 bytes', () => {
    const { host, control } = makeHost();
    const guest = new Preview1Guest(host, { module: 'wasi_unstable' });
    const [events, result] = [guest.room(96), guest.room(4)];
    const polled = (...list: Parameters<typeof subscriptions> extends [Preview1Guest, ...infer Rest] ? Rest : never): [bigint, number, number][] => {
      expect(guest.call('poll_oneoff', subscriptions(guest, ...list), events, list.length, result)).toBe(0);
      return Array.from({ length: guest.view.getUint32(result, true) }, (_, index) => [
        guest.view.getBigUint64(events + 32 * index, true),
        guest.view.getUint16(events + 32 * index + 8, true),
        guest.view.getUint8(events + 32 * index + 10),
      ]);
    };
    expect(polled({ type: 0, timeout: 3_600_000_000_000n }, { type: 2, fd: 1 }, { type: 1, fd: 99 })).toEqual([
      [1n, 0, 2],
      [2n, 8, 1],
    ]);
    expect(control.sleeps).toEqual([]);
    // An instant of the monotonic clock that is long past, and a duration.
    expect(polled({ type: 0, timeout: 0n, flags: 1 })).toEqual([[0n, 0, 0]]);
    expect(control.sleeps).toEqual([]);
    expect(polled({ type: 0, timeout: 20_000_000n })).toEqual([[0n, 0, 0]]);
    expect(control.sleeps[0]).toBeGreaterThan(10);
  });

  test('has no sock_accept, and the types of the later one', async () => {
    const load = async (name: string, type: string): Promise<unknown> =>
      new Sandbox().load(await wat(`(module (import "wasi_unstable" "${name}" (func ${type})) (memory (export "memory") 1))`));
    await expect(load('sock_accept', '(param i32 i32 i32) (result i32)')).rejects.toMatchObject({ code: 'LINK_FAILED' });
    await expect(load('fd_seek', '(param i32 i64 i32 i64) (result i32)')).rejects.toMatchObject({ code: 'LINK_FAILED' });
    await expect(load('fd_seek', '(param i32 i64 i32 i32) (result i32)')).resolves.toBeDefined();
  });

  test('shares its descriptors with the later one where a module imports both', async () => {
    const type = '(param i32 i32 i32 i32) (result i32)';
    const bytes = await wat(`(module
      (import "wasi_unstable" "fd_close" (func $close (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write ${type}))
      (memory (export "memory") 1)
      (func (export "write") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 8)))
      (func (export "close") (result i32) (call $close (i32.const 1))))`);
    using guest = await new Sandbox().load(bytes);
    expect([await guest.call('write'), await guest.call('close'), await guest.call('write')]).toEqual([0, 0, 8]);
  });
});

describe('programs for wasi_unstable', () => {
  test.each(MOUNT_KINDS)('SQLite keeps a database in a %s directory from one guest to the next', async (kind) => {
    const { mount } = makeMount(kind);
    const run = async (sql: string): Promise<string> => {
      const sandbox = new Sandbox({ grant: ['console', 'fs-read', 'fs-write'], mounts: { '/': mount }, args: ['sqlite3', '-batch', '/shop.db'], stdin: sql });
      await using guest = await sandbox.load(sqlite);
      const { exitCode, stdout, stderr } = await guest.run();
      expect([exitCode, stderr]).toEqual([0, '']);
      return stdout;
    };
    await run(`
      CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price INT);
      BEGIN;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO items SELECT i, 'item ' || i, i * 7 % 101 FROM n;
      COMMIT;
      BEGIN; DELETE FROM items; ROLLBACK;`);
    const found = await run(`
      CREATE INDEX by_price ON items (price);
      DELETE FROM items WHERE id % 2 = 0;
      VACUUM;
      SELECT count(*), sum(price), max(name) FROM items;
      SELECT name FROM items WHERE price = 100 ORDER BY id LIMIT 2;`);
    const rows = Array.from({ length: 1000 }, (_, index) => 2 * index + 1);
    const sum = rows.reduce((total, id) => total + ((id * 7) % 101), 0);
    const expensive = rows.filter((id) => (id * 7) % 101 === 100).slice(0, 2);
    expect(found.trim().split('\n')).toEqual([`1000|${sum}|item 999`, ...expensive.map((id) => `item ${id}`)]);
  });

  test('clang compiles a C program, its linker links it, and the program runs', async () => {
    const out = temporaryDirectory();
    const mounts = { '/': memoryDirectory({ ...unpacked(clangFiles), 'program.c': PROGRAM }), '/out': hostDirectory(out, { write: true }) };
    const run = async (program: URL | Uint8Array, args: readonly string[]): Promise<unknown> => {
      // The names of clang's temporary files are random.
      const grant = ['console', 'fs-read', 'fs-write', 'random'];
      await using guest = await new Sandbox({ grant, limits: 'permissive', mounts, args }).load(program);
      return await guest.run();
    };
    const includes = ['/sys/include', '/sys/lib/clang/8.0.1/include'].flatMap((path) => ['-internal-isystem', path]);
    const compiled = await run(clang, [
      'clang',
      '-cc1',
      '-emit-obj',
      '-disable-free',
      '-isysroot',
      '/sys',
      ...includes,
      '-O2',
      '-o',
      '/out/program.o',
      '-x',
      'c',
      '/program.c',
    ]);
    expect(compiled).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const libraries = ['-L/sys/lib/wasm32-wasi', '/sys/lib/wasm32-wasi/crt1.o', '/out/program.o', '-lc'];
    const linked = await run(wasmLd, ['wasm-ld', '--no-threads', ...libraries, '-o', '/out/program.wasm']);
    expect(linked).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(readdirSync(out).sort()).toEqual(['program.o', 'program.wasm']);
    const program = new Uint8Array(readFileSync(join(out, 'program.wasm')));
    expect(WebAssembly.Module.imports(new WebAssembly.Module(program)).map(({ module }) => module)).toContain('wasi_unstable');
    expect(await run(program, ['program', 'world'])).toEqual({ exitCode: 7, stdout: 'world 11 1\n', stderr: '' });
    expect(readFileSync(join(out, 'note'), 'utf8')).toBe('Hello world');
  });
});

const PROGRAM = `
#include <stdio.h>
#include <sys/stat.h>
int main(int argc, char **argv) {
  char text[16] = {0};
  struct stat found;
  FILE *note = fopen("/out/note", "w+");
  fprintf(note, "hello %s", argv[1]);
  fseek(note, -5, SEEK_END);
  fread(text, 1, sizeof text - 1, note);
  rewind(note);
  fputc('H', note);
  fclose(note);
  if (stat("/out/note", &found) != 0) return 1;
  printf("%s %ld %d\\n", text, (long)found.st_size, (int)found.st_nlink);
  return 7;
}`;

/** The files of a compressed archive by path. */
function unpacked(archive: URL): Record<string, Uint8Array> {
  const folder = temporaryDirectory();
  execFileSync('tar', ['-xzf', archive.pathname, '-C', folder]);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(files.map(({ name, parentPath }) => [join(parentPath, name).slice(folder.length + 1), readFileSync(join(parentPath, name))]));
}
