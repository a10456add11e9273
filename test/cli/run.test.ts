// `gloveport run` as a process: what it prints, what it exits with.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { php } from '../../guest-examples/programs.ts';
import { wat } from '../support/wat.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function gloveport(args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

describe('gloveport run', () => {
  let folder: string;
  let echo: string;
  let spin: string;
  const script = (): Promise<void> => writeFile(join(folder, 'script.php'), '<?php echo file_get_contents("/work/note.txt"), getenv("WHO"), "\\n";');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gloveport-cli-'));
    await writeFile(join(folder, 'note.txt'), 'note for ');
    echo = join(folder, 'echo.wasm');
    spin = join(folder, 'spin.wasm');
    await writeFile(spin, await wat('(module (func (export "_start") (loop (br 0))))'));
    // Copies standard input to standard output, then exits with 7.
    await writeFile(
      echo,
      await wat(`(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\\20\\00\\00\\00\\00\\10\\00\\00")
        (func (export "_start")
          (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
          (i32.store (i32.const 0) (i32.const 32))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
          (call $exit (i32.const 7))))`),
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("passes standard input on when asked to, and exits with the guest's code", async () => {
    expect(await gloveport(['run', echo, '--stdin'], 'through and through')).toMatchObject({ code: 7, stdout: 'through and through' });
    expect(await gloveport(['run', echo], 'not for the guest')).toMatchObject({ code: 7, stdout: '' });
  });

  it('passes it on as it comes, ends with the guest and not with the input, and is not held up by one that is never read', async () => {
    const child = spawn(process.execPath, [MAIN, 'run', echo, '--stdin']);
    const output = new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(String(chunk))));
    const code = new Promise((resolve) => child.once('exit', resolve));
    child.stdin.write('first');
    expect(await output).toBe('first');
    expect(await code).toBe(7);
    const silent = spawn(process.execPath, [MAIN, 'run', spin, '--stdin', '--fuel', '1e6']);
    expect(await new Promise((resolve) => silent.once('exit', resolve))).toBe(125);
    const waiting = spawn(process.execPath, [MAIN, 'run', echo, '--stdin', '--timeout', '50ms']);
    expect(await new Promise((resolve) => waiting.once('exit', resolve))).toBe(125);
  });

  it('runs a large program with a directory and a variable', async () => {
    await script();
    const base = ['run', fileURLToPath(php), '--limits', 'permissive', '--dir', `${folder}::/work`];
    const options = ['--env', 'WHO=Ada', '--grant', 'console,fs-read,env'];
    const { code, stdout } = await gloveport([...base, ...options, '--', '-q', '/work/script.php']);
    expect([code, stdout]).toEqual([0, 'note for Ada\n']);
  });

  it('stops an endless loop by fuel or by time with exit code 125 and one line', async () => {
    expect(await gloveport(['run', spin, '--fuel', '1e7'])).toMatchObject({ code: 125, stderr: expect.stringMatching(/^gloveport: FUEL_EXHAUSTED: .*\n$/) });
    expect(await gloveport(['run', spin, '--timeout', '50ms'])).toMatchObject({ code: 125, stderr: expect.stringContaining('DEADLINE_EXCEEDED') });
  });

  it('says in which function, with its name on one line whatever the guest calls it', async () => {
    const module = Buffer.from(await wat('(module (func $NAME_OF_GUEST (export "_start") unreachable))'));
    module.write('\x1b[2J\n    at x', module.indexOf('NAME_OF_GUEST'), 'latin1');
    const file = join(folder, 'trap.wasm');
    await writeFile(file, module);
    const { code, stderr } = await gloveport(['run', file]);
    expect(code).toBe(125);
    expect(stderr).toMatch(
      /^gloveport: GUEST_TRAPPED: the guest trapped: unreachable \(in function 0 "\\u\{1b\}\[2J\\u\{a\} {4}at x.*" at offset 0x[0-9a-f]+\)\n$/,
    );
    expect((await gloveport(['--debug', 'run', file])).stderr).not.toMatch(/\x1b|^ {4}at x/m);
  });

  it('says what was used, also of a guest that was stopped', async () => {
    const { stderr } = await gloveport(['run', spin, '--fuel', '1e7', '--stats']);
    expect(stderr).toMatch(/^fuel \d+, peak memory [\d.]+ MiB, time [\d.]+ ms, host calls \d+, output 0 bytes$/m);
  });

  it('keeps compiled modules where it is told to', async () => {
    const cache = await mkdtemp(join(folder, 'cache-'));
    for (let round = 0; round < 2; round++) {
      expect((await gloveport(['run', echo, '--cache', cache])).code).toBe(7);
      expect(await readdir(cache)).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.program$/)]);
    }
  });

  it('answers wrong use and bad input with exit code 125 and a hint', async () => {
    const text = join(folder, 'note.txt');
    const cases: [args: string[], hint: RegExp][] = [
      [['run'], /missing required argument/],
      [['run', join(folder, 'nothing.wasm')], /FILE_NOT_FOUND/],
      [['run', text], /INVALID_MODULE/],
      [['run', echo, '--grant', 'everything'], /INVALID_OPTION.*known are/],
      [['run', echo, '--memory', 'lots'], /64MiB/],
      [['run', echo, '--memory', '-1'], /INVALID_OPTION|64MiB/],
      [['run', echo, '--timeout', '5 years'], /5s/],
      [['run', echo, '--dir', 'only-one'], /host::guest/],
      [['run', echo, '--dir', `${folder}/none::/data`], /FILE_NOT_FOUND/],
      [['run', echo, '--env', 'NOVALUE'], /name=value/],
      [['run', echo, '--grant', 'network', '--net', 'localhost:80', '--net', 'no host'], /INVALID_OPTION.*network\.hosts\[1\]/],
      [['run', echo, '--env', 'A=1', '--env', 'A=2'], /--env is given twice/],
      [['run', echo, '--dir', `${folder}::/data`, '--dir', `${folder}::/data`], /--dir is given twice/],
      [['run', echo, '--grant', 'none', '--strict'], /CAPABILITY_DENIED.*console/],
      [['run', echo, '--colour'], /unknown option/],
      [['fly'], /unknown command/],
    ];
    for (const [args, hint] of cases) {
      const { code, stderr } = await gloveport(args);
      expect([args, code, stderr]).toEqual([args, 125, expect.stringMatching(hint)]);
    }
  });

  it('has a version and a help', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
    expect(await gloveport(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await gloveport(['run', '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--grant') });
  });
});
