// The cache of compiled programs: one compilation per content, bounded in memory, and on disk never anything but what was written.
import { fork } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { contentKey, ProgramCache, readArtifact, writeArtifact } from '../../src/component/cache.ts';
import { compileProgram } from '../../src/component/compile.ts';
import type { Program } from '../../src/component/program.ts';
import { limits } from '../../src/limits.ts';
import { wat } from '../support/wat.ts';
import { instantiate, lifted } from './support.ts';

const program = (name: string): Program => ({
  kind: 'core',
  bytes: 1,
  requires: 0,
  imports: [],
  exports: [{ name, kind: 'function' }],
  instantiate: () => ({}) as never,
});

describe('in memory', () => {
  test('those who ask for one content at the same time share its compilation', async () => {
    const cache = new ProgramCache();
    let compilations = 0;
    const compile = async () => {
      compilations++;
      return { program: program('a'), bytes: 1 };
    };
    const [first, second] = await Promise.all([cache.get('a', compile), cache.get('a', compile)]);
    expect(first).toBe(second);
    expect(await cache.get('a', compile)).toBe(first);
    expect(compilations).toBe(1);
  });

  test('what failed is tried again', async () => {
    const cache = new ProgramCache();
    await expect(cache.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await cache.get('a', async () => ({ program: program('b'), bytes: 1 }))).exports[0]?.name).toBe('b');
  });

  test.each([
    ['entries', 2, 1_000, 1],
    ['bytes', 1_000, 20, 10],
  ])('what was not asked for the longest goes when the bound of %s is passed', async (_bound, entries, maximum, bytes) => {
    const cache = new ProgramCache(entries, maximum);
    const compiled: string[] = [];
    const ask = (key: string) =>
      cache.get(key, async () => {
        compiled.push(key);
        return { program: program(key), bytes };
      });
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) await ask(key);
    expect(compiled).toEqual(['a', 'b', 'c', 'b']);
  });

  test('the same bytes are the same program, whatever the limits', async () => {
    const bytes = await wat('(module (func (export "one") (result i32) i32.const 1))');
    const first = await compileProgram(bytes, { limits: limits.default });
    expect(await compileProgram(bytes.slice(), { limits: limits.restrictive })).toBe(first);
  });

  test('bytes that the caller changes afterwards are another program', async () => {
    const bytes = await wat('(module (func (export "one") (result i32) i32.const 1))');
    const compiling = compileProgram(bytes, { limits: limits.default });
    bytes.fill(0);
    expect((await compiling).exports.map(({ name }) => name)).toEqual(['one']);
  });
});

describe('on disk', () => {
  let directory: string;
  let bytes: Uint8Array;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gloveport-cache-'));
    // Another number in each test, so that no program is found in memory.
    const number = Math.floor(Math.random() * 2 ** 31);
    bytes = await lifted(`(func (export "number") (result i32) (i32.const ${number}))`, { number: '(result u32)' });
  });

  afterEach(() => rm(directory, { recursive: true }));

  const compile = (cacheDirectory = directory): Promise<Program> => compileProgram(bytes, { limits: limits.default, cacheDirectory });
  const entry = async (): Promise<string> => join(directory, (await readdir(directory))[0] as string);

  test('an entry is one file of its owner’s alone, and nothing else is left', async () => {
    await compile();
    expect(await readdir(directory)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.program$/)]);
    if (process.platform !== 'win32') expect((await stat(await entry())).mode & 0o777).toBe(0o600);
  });

  test('another process finds it, and its program does the same', async () => {
    const first = instantiate(await compile()).call('number');
    const file = await readFile(await entry());
    const answers = await Promise.all([1, 2, 3].map(() => inAnotherProcess(bytes, directory)));
    expect(answers).toEqual([first, first, first]);
    expect(await readdir(directory)).toHaveLength(1);
    expect(await readFile(await entry())).toEqual(file);
  });

  test('several processes that compile one content at once all succeed and leave one entry', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => inAnotherProcess(bytes, directory)));
    expect(new Set(answers).size).toBe(1);
    expect(await readdir(directory)).toHaveLength(1);
  });

  test.each([
    ['cut off', (file: Buffer) => file.subarray(0, file.length / 2)],
    ['emptied', () => Buffer.alloc(0)],
    ['changed in its last byte', (file: Buffer) => flipped(file, file.length - 1)],
    ['changed in its first byte', (file: Buffer) => flipped(file, 0)],
    ['changed in the key it names', (file: Buffer) => flipped(file, 30)],
    ['replaced by other bytes', () => Buffer.from('x'.repeat(1_000))],
  ])('an entry that was %s is ignored and written anew', async (_what, spoil) => {
    const key = contentKey(bytes, 'test');
    const artifact = { kind: 'core', bytes: 1, requires: 0, imports: [], exports: [], modules: [] } as const;
    await writeArtifact(directory, key, artifact);
    expect(await readArtifact(directory, key)).toEqual(artifact);
    const path = await entry();
    const whole = await readFile(path);
    await writeFile(path, spoil(whole));
    expect(await readArtifact(directory, key)).toBeUndefined();
    await writeArtifact(directory, key, artifact);
    expect(await readFile(path)).toEqual(whole);
  });

  test('an entry under another’s key is not taken', async () => {
    const [one, other] = [contentKey(bytes, 'one'), contentKey(bytes, 'other')];
    await writeArtifact(directory, one, { kind: 'core', bytes: 1, requires: 0, imports: [], exports: [], modules: [] });
    await writeFile(join(directory, `${other}.program`), await readFile(await entry()));
    expect(await readArtifact(directory, other)).toBeUndefined();
  });

  test('the key changes with the content and with every version that takes part', () => {
    const keys = [contentKey(Uint8Array.of(1), 'a'), contentKey(Uint8Array.of(2), 'a'), contentKey(Uint8Array.of(1), 'b')];
    expect(new Set(keys).size).toBe(3);
  });

  test('a directory that is missing or a file is IO_FAILED', async () => {
    const file = join(directory, 'file');
    await writeFile(file, '');
    for (const wrong of [join(directory, 'missing'), file]) await expect(compile(wrong)).rejects.toMatchObject({ code: 'IO_FAILED', details: { path: wrong } });
  });

  test('a directory in the place of an entry is IO_FAILED and leaves nothing aside', async () => {
    const key = contentKey(bytes, 'test');
    await mkdir(join(directory, `${key}.program`, 'inside'), { recursive: true });
    const write = writeArtifact(directory, key, { kind: 'core', bytes: 1, requires: 0, imports: [], exports: [], modules: [] });
    await expect(write).rejects.toMatchObject({ code: 'IO_FAILED' });
    expect(await readdir(directory)).toEqual([`${key}.program`]);
  });
});

function flipped(file: Buffer, at: number): Buffer {
  const copy = Buffer.from(file);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

function inAnotherProcess(bytes: Uint8Array, directory: string): Promise<unknown> {
  const child = fork(fileURLToPath(new URL('./cache-process.ts', import.meta.url)), [directory], { serialization: 'advanced' });
  child.send(bytes);
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}`)));
  });
}
