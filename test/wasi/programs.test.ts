// Programs in C, built with clang and wasi-libc, on memory and host directories: one does with thousands of files what the same program does natively, the
// other calls preview 1 below C's library.
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { canBuildC, cGuest } from '../../guest-examples/build.ts';
import { type Mount, Sandbox } from '../../src/index.ts';
import { makeMount, MOUNT_KINDS, temporaryDirectory } from './support.ts';

const PROGRAMS = new URL('programs/', import.meta.url);
const FILES = new URL('files.c', PROGRAMS);
const PREVIEW1 = new URL('preview1.c', PROGRAMS);

const there = await canBuildC();
const MISSING = 'there is no clang with lld and wasi-libc: they are the packages clang, lld, wasi-libc and libclang-rt-dev-wasm32 of Debian';

beforeEach(({ skip }) => {
  if (!there && process.env.CI) throw new Error(MISSING);
  skip(!there, MISSING);
});

async function run(program: URL, args: readonly string[], mounts: Readonly<Record<string, Mount>>): Promise<unknown> {
  const grant = ['console', 'time', 'fs-read', 'fs-write'];
  // A busy machine's disk takes its time.
  await using guest = await new Sandbox({ grant, mounts, args, limits: 'permissive' }).load(await cGuest(program));
  return await guest.run();
}

describe('a program that makes, reads, lists, moves, links and removes thousands of files', () => {
  const native = async (): Promise<string> => {
    const [folder, work] = [temporaryDirectory(), temporaryDirectory()];
    const program = join(folder, 'files');
    await promisify(execFile)('clang', ['-O2', '-D_GNU_SOURCE', '-o', program, fileURLToPath(FILES)]);
    return (await promisify(execFile)(program, [work])).stdout;
  };

  test('finds in a memory directory and in one of the host what it finds without a sandbox', async () => {
    const stdout = await native();
    expect(stdout.split('\n')).toContain('made 2500 files with 3812575 bytes');
    for (const kind of MOUNT_KINDS) {
      const { mount, path } = makeMount(kind);
      expect([kind, await run(FILES, ['files', '/work'], { '/work': mount })]).toEqual([kind, { exitCode: 0, stdout, stderr: '' }]);
      if (path !== undefined) expect(readdirSync(path)).toEqual([]);
    }
  });

  test('says what does not hold where it may not change anything', async () => {
    const { mount } = makeMount('host', {}, false);
    expect(await run(FILES, ['files', '/work'], { '/work': mount })).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('mkdir(name, 0777) == 0') });
  });
});

describe.each(MOUNT_KINDS)('preview 1 below C’s library, on a %s directory', (kind) => {
  test.each([
    ['buffers', 'reads and writes through several of them, and keeps positions'],
    ['much', 'writes 64 KiB at once'],
    ['append', 'appends until it is told not to'],
    ['open-often', 'opens and closes thousands of times'],
    ['poll', 'waits for clocks and files, and not for too many'],
    ['keep', 'keeps what may not be changed'],
    ['paths', 'takes paths of any form, and refuses what leads out or is too long'],
    ['streams', 'says of streams that they are neither terminals nor files nor sockets'],
    ['times', 'keeps times at their edges'],
  ])('%s: %s', async (name) => {
    const mounts = { '/work': makeMount(kind).mount, '/kept': makeMount('host', { text: 'what is to be kept.\n' }, false).mount };
    expect(await run(PREVIEW1, ['preview1', name], mounts)).toEqual({ exitCode: 0, stdout: `${name}\n`, stderr: '' });
  });
});
