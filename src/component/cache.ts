// Compiled programs by their content: in memory, bounded, one compilation for all who ask at the same time; and as files in a directory that the host
// names, which several processes may share. Nothing that is wrong with a file is ever an error: it is made anew.
import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { GloveportError } from '../errors.ts';
import type { Artifact } from './artifact.ts';
import type { Program } from './program.ts';

const MAX_ENTRIES = 100;
const MAX_BYTES = 256 * 1024 * 1024;
/** The first line of each file; the format is part of it. */
const MAGIC = 'gloveport program 2';

/** The name of what `bytes` compile to with these versions of everything that takes part: SHA-256, in hexadecimal. */
export function contentKey(bytes: Uint8Array, versions: string): string {
  return createHash('sha256').update(`${MAGIC}\n${versions}\n`).update(bytes).digest('hex');
}

interface Compiled {
  readonly program: Program;
  /** Bytes that count against the bound. */
  readonly bytes: number;
}

/** Programs in memory. Those that were not asked for the longest go first; one that failed to compile is not kept. */
export class ProgramCache {
  readonly #entries = new Map<string, { readonly program: Promise<Program>; bytes: number }>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxEntries: number = MAX_ENTRIES, maxBytes: number = MAX_BYTES) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get(key: string, compile: () => Promise<Compiled>): Promise<Program> {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found.program;
    }
    const compiled = compile();
    const entry = { program: compiled.then(({ program }) => program), bytes: 0 };
    this.#entries.set(key, entry);
    compiled.then(
      ({ bytes }) => {
        if (this.#entries.get(key) !== entry) return;
        entry.bytes = bytes;
        this.#bytes += bytes;
        this.#evict();
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    this.#evict();
    return entry.program;
  }

  #evict(): void {
    for (const [key, { bytes }] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) return;
      this.#entries.delete(key);
      this.#bytes -= bytes;
    }
  }
}

/** What was stored under `key`, undefined when nothing was or anything about the file is not as it was written. */
export async function readArtifact(directory: string, key: string): Promise<Artifact | undefined> {
  try {
    const file = await readFile(join(directory, fileName(key)));
    const header = headerOf(key, file.subarray(headerLength(key)));
    if (!file.subarray(0, header.length).equals(header)) return undefined;
    return deserialize(file.subarray(header.length)) as Artifact;
  } catch {
    return undefined;
  }
}

/**
 * Stores an artifact under `key`. Others see the whole file or none: it is written aside, readable by its owner only, and then renamed.
 * @throws GloveportError IO_FAILED when the directory is missing or cannot be written.
 */
export async function writeArtifact(directory: string, key: string, artifact: Artifact): Promise<void> {
  const payload = serialize(artifact);
  const aside = join(directory, `.${fileName(key)}.${randomUUID()}`);
  try {
    await writeFile(aside, Buffer.concat([headerOf(key, payload), payload]), { flag: 'wx', mode: 0o600 });
    await rename(aside, join(directory, fileName(key)));
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    const { code } = error as NodeJS.ErrnoException;
    throw new GloveportError(
      'IO_FAILED',
      `the cache directory cannot be written (${code ?? 'unknown error'})`,
      { path: directory, errno: code },
      { cause: error },
    );
  }
}

function fileName(key: string): string {
  return `${key}.program`;
}

// Format, key and hash of what follows, a line each.
function headerOf(key: string, payload: Uint8Array): Buffer {
  return Buffer.from(`${MAGIC}\n${key}\n${createHash('sha256').update(payload).digest('hex')}\n`);
}

function headerLength(key: string): number {
  return MAGIC.length + key.length + 64 + 3;
}
