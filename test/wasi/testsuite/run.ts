// Runs one program of the suite in a sandbox, on its own copy of the folder that it asks for: in the host's memory, or in a temporary directory.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { GloveportError, hostDirectory, type Mount, memoryDirectory, Sandbox } from '../../../src/index.ts';
import type { SuiteProgram } from './programs.ts';

export const KINDS = ['memory', 'host'] as const;
export type Kind = (typeof KINDS)[number];

/** What is not as it has to be; empty when the program passes. */
export async function failuresOf(program: SuiteProgram, kind: Kind): Promise<readonly string[]> {
  const temporary = mkdtempSync(join(tmpdir(), 'gloveport-testsuite-'));
  try {
    const mounts = program.root === undefined ? {} : { '/': kind === 'memory' ? inMemory(program.root) : onHost(program.root, temporary) };
    return await run(program, mounts);
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

async function run(program: SuiteProgram, mounts: Readonly<Record<string, Mount>>): Promise<string[]> {
  const { args, env, exitCode, stdout, stderr } = program;
  const grant = ['console', 'time', 'random', 'fs-read', 'fs-write', 'env'];
  await using guest = await new Sandbox({ grant, mounts, args, env }).load(program.path);
  try {
    const result = await guest.run();
    const failures = [];
    if (result.exitCode !== exitCode) failures.push(`exit code ${result.exitCode} instead of ${exitCode}; it said: ${result.stderr}`);
    if (stdout !== undefined && result.stdout !== stdout) failures.push(`printed ${JSON.stringify(result.stdout)} instead of ${JSON.stringify(stdout)}`);
    if (stderr !== undefined && result.stderr !== stderr) failures.push(`complained ${JSON.stringify(result.stderr)} instead of ${JSON.stringify(stderr)}`);
    return failures;
  } catch (error) {
    if (!(error instanceof GloveportError)) throw error;
    return [`${error.code}: ${error.message}; it said: ${guest.stderr}`];
  }
}

// What programs left behind when others ran them is named so; it is no part of the suite.
const LEFT_BEHIND = /\.cleanup$/;

function inMemory(root: string): Mount {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !LEFT_BEHIND.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name));
  return memoryDirectory(Object.fromEntries(files.map((path) => [relative(root, path), readFileSync(path)])));
}

function onHost(root: string, temporary: string): Mount {
  cpSync(root, temporary, { recursive: true, filter: (path) => !LEFT_BEHIND.test(path) });
  return hostDirectory(temporary, { write: true });
}
