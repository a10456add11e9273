// The runner itself: that it gives a program what its specification names, and that it finds what a program does wrong.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { wat } from '../../support/wat.ts';
import { temporaryDirectory } from '../support.ts';
import { suitePrograms } from './programs.ts';
import { failuresOf, KINDS } from './run.ts';

/** A folder like the suite's, with one program and its specification. */
async function suiteWith(text: string, specification: object | undefined, version = 'wasm32-wasip1'): Promise<string> {
  const folder = temporaryDirectory();
  const programs = join(folder, 'tests/wat/testsuite', version);
  mkdirSync(join(programs, 'files/below'), { recursive: true });
  writeFileSync(join(programs, 'files/below/found'), 'x');
  writeFileSync(join(programs, 'files/old.cleanup'), 'x');
  writeFileSync(join(programs, 'manifest.json'), JSON.stringify({ name: 'tests', version }));
  writeFileSync(join(programs, 'program.wasm'), await wat(text));
  if (specification) writeFileSync(join(programs, 'program.json'), JSON.stringify(specification));
  return folder;
}

async function failures(text: string, specification?: object): Promise<readonly (readonly string[])[]> {
  const [program] = suitePrograms(await suiteWith(text, specification));
  if (!program) throw new Error('the program was not found');
  return await Promise.all(KINDS.map((kind) => failuresOf(program, kind)));
}

// Prints its arguments and environment with their NULs, makes a file out of `below/found`, and ends with the size of both lists.
const TALKER = `(module
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link" (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "below/foundnew")
  (func (export "_start")
    (drop (call $args_sizes (i32.const 100) (i32.const 204)))
    (drop (call $environ_sizes (i32.const 104) (i32.const 212)))
    (i32.store (i32.const 200) (i32.const 1000))
    (i32.store (i32.const 208) (i32.const 2000))
    (drop (call $args (i32.const 300) (i32.const 1000)))
    (drop (call $environ (i32.const 300) (i32.const 2000)))
    (drop (call $write (i32.const 1) (i32.const 200) (i32.const 2) (i32.const 96)))
    (if (i32.eqz (call $link (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 11) (i32.const 3) (i32.const 27) (i32.const 3)))
      (then (drop (call $write (i32.const 2) (i32.const 208) (i32.const 1) (i32.const 96)))))
    (call $exit (i32.add (i32.load (i32.const 100)) (i32.load (i32.const 104))))))`;

describe('the runner', () => {
  const given = { args: ['first', 'second'], env: { NAME: 'value' }, root: 'files' };
  const stdout = 'program.wasm\0first\0second\0NAME=value\0';

  test('gives a program its arguments, its environment and its own copy of its folder, and finds that it did what it should', async () => {
    expect(await failures(TALKER, { ...given, exit_code: 4, stdout, stderr: 'NAME=value\0' })).toEqual([[], []]);
    const folder = await suiteWith(TALKER, { ...given, exit_code: 4 });
    const [program] = suitePrograms(folder);
    for (const kind of [...KINDS, ...KINDS]) expect(program && (await failuresOf(program, kind))).toEqual([]);
    expect(readdirSync(join(folder, 'tests/wat/testsuite/wasm32-wasip1/files'), { recursive: true }).sort()).toEqual(['below', 'below/found', 'old.cleanup']);
  });

  test('finds a wrong exit code and wrong output', async () => {
    const wrong = await failures(TALKER, { ...given, exit_code: 5, stdout: 'other', stderr: '' });
    expect(wrong.map((found) => found.map((failure) => failure.split(' ')[0]))).toEqual(KINDS.map(() => ['exit', 'printed', 'complained']));
    expect((await failures(TALKER)).map((found) => found.map((failure) => failure.slice(0, 26)))).toEqual(KINDS.map(() => ['exit code 1 instead of 0; ']));
  });

  test('finds a program that traps, and one that cannot be run', async () => {
    const trapped = await failures('(module (memory (export "memory") 1) (func (export "_start") unreachable))');
    expect(trapped.map(([failure]) => failure?.split(':')[0])).toEqual(['GUEST_TRAPPED', 'GUEST_TRAPPED']);
    expect((await failures('(module)')).map(([failure]) => failure?.split(':')[0])).toEqual(['FUNCTION_NOT_FOUND', 'FUNCTION_NOT_FOUND']);
  });

  test('refuses a specification that it does not know whole, and leaves out other versions of WASI', async () => {
    const folder = await suiteWith('(module)', { operations: [] });
    expect(() => suitePrograms(folder)).toThrow('operations');
    expect(suitePrograms(await suiteWith('(module)', undefined, 'wasm32-wasip3'))).toEqual([]);
    expect(suitePrograms(await suiteWith('(module)', undefined)).map(({ name }) => name)).toEqual(['wat/program']);
  });
});
