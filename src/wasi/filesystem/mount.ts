// Mounts: what the host gives a guest to see as a directory. A Mount is made once and can be given to many guests; a MountPoint is one mount at one
// guest path for one guest, with its rights and denied paths.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Cap } from '../../capabilities.ts';
import { checkFields, describeValue, GloveportError } from '../../errors.ts';
import type { Closable, WasiContext } from '../context.ts';
import type { BackingDirectory, FileStat } from './backing.ts';
import { fail } from './errors.ts';
import { ExactTimes } from './exact-times.ts';
import { openHostDirectory } from './host-directory.ts';
import { createMemoryStore, type MemoryStore } from './memory.ts';

/** A directory to mount, made by {@link memoryDirectory} or {@link hostDirectory}. Opaque: what it holds is the package's own. */
export class Mount {
  readonly kind: 'memory' | 'host';
  /** Whether a guest with FS_WRITE may change it. */
  readonly writable: boolean;
  /** @internal */
  readonly store: MemoryStore | undefined;
  readonly #open: (context: WasiContext) => BackingDirectory;

  /** @internal */
  constructor(writable: boolean, open: (context: WasiContext) => BackingDirectory, store?: MemoryStore) {
    this.kind = store ? 'memory' : 'host';
    this.writable = writable;
    this.store = store;
    this.#open = open;
    Object.freeze(this);
  }

  /** @internal The directory itself, opened for one guest. */
  open(context: WasiContext): BackingDirectory {
    return this.#open(context);
  }
}

export function isMount(value: unknown): value is Mount {
  return value instanceof Mount;
}

/**
 * A new, writable directory in the host's memory, filled with `files`: content by path, directories on the way are made, text becomes UTF-8.
 * All guests that are given this mount see the same files. What they add counts against `limits.hostBytes` of the guest that adds, for as long as it
 * exists and whoever added it; the host itself may take up to twice that. File times have milliseconds.
 * @throws GloveportError INVALID_OPTION for a path that is absolute, or holds '..', an empty part or NUL, or is a file and a directory at once.
 */
export function memoryDirectory(files: Readonly<Record<string, string | Uint8Array>> = {}): Mount {
  if (typeof files !== 'object' || files === null || Array.isArray(files))
    throw invalid(`files are an object of contents by path, not ${describeValue(files)}`, undefined);
  const store = createMemoryStore();
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/');
    if (parts.some((part) => isUnusableName(part))) throw invalid(`${describeValue(path)} is no relative path of plain names`, path);
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) {
      throw invalid(`the content of ${describeValue(path)} is a string or Uint8Array, not ${describeValue(content)}`, path);
    }
    try {
      store.fill(parts, content);
    } catch (cause) {
      throw new GloveportError(
        'INVALID_OPTION',
        `${describeValue(path)} cannot be made: a part of it is already a file, or it is a directory`,
        { path },
        { cause },
      );
    }
  }
  return new Mount(true, (context) => store.open(context), store);
}

/**
 * The directory `path` of the host; a relative path is taken from the current working directory, now. Guests reach nothing outside it: links are resolved
 * within, absolute ones are refused, devices, sockets, pipes and the kernel's files are not opened. On Linux this holds against other processes that
 * change the directory meanwhile; elsewhere such a process can win a race.
 * @param options.write lets guests with FS_WRITE change it; default false. Not counted against any limit.
 * @throws GloveportError FILE_NOT_FOUND when it does not exist, INVALID_OPTION when it is no directory, IO_FAILED when it cannot be looked at.
 */
export function hostDirectory(path: string, options: { readonly write?: boolean } = {}): Mount {
  if (typeof path !== 'string' || isUnusablePath(path)) throw invalid(`a host directory is a path, not ${describeValue(path)}`, path);
  checkFields('options', options, ['write']);
  const { write = false } = options;
  if (typeof write !== 'boolean') throw invalid(`write is true or false, not ${describeValue(write)}`, path);
  const absolute = resolve(path);
  explained(absolute, () => {
    if (!statSync(absolute).isDirectory()) throw invalid(`${describeValue(absolute)} is not a directory`, absolute);
  });
  return new Mount(write, () => explained(absolute, () => openHostDirectory(absolute)));
}

/** One mount at one path for one guest. */
export class MountPoint implements Closable {
  readonly path: string;
  readonly context: WasiContext;
  readonly times = new ExactTimes();
  // Undefined once closed: the host may have given its number to another directory by then.
  #root: BackingDirectory | undefined;
  readonly #number: bigint;
  readonly #writable: boolean;
  #moves = 0;
  // Relative to the mount, without a leading slash.
  readonly #denied: readonly string[];

  /** Takes paths that {@link guestPath} made, and a number that no other mount of the guest has. Opens the directory. */
  constructor(context: WasiContext, path: string, mount: Mount, deniedPaths: readonly string[], number: number) {
    this.path = path;
    this.context = context;
    this.#number = BigInt(number);
    this.#writable = mount.writable;
    const prefix = path === '/' ? '/' : `${path}/`;
    this.#denied = deniedPaths.filter((denied) => denied.startsWith(prefix)).map((denied) => fold(denied.slice(prefix.length)));
    this.#root = mount.open(context);
  }

  close(): void {
    this.context.letGo(this);
    this.#root?.close();
    this.#root = undefined;
  }

  get root(): BackingDirectory {
    return this.#root ?? fail('bad-descriptor');
  }

  /** Whether a guest may change what is in here, at this moment. */
  get writable(): boolean {
    return this.#writable && this.context.allows(Cap.FS_WRITE);
  }

  /** Fails unless content, names and links may be read. */
  checkRead(): void {
    if (!this.context.allows(Cap.FS_READ)) fail('not-permitted');
  }

  /** Fails unless the file system may be used at all: enough to see that something is there. */
  checkUse(): void {
    if (!this.context.allows(Cap.FS_READ | Cap.FS_WRITE)) fail('not-permitted');
  }

  /** Fails unless it may be changed. */
  checkWrite(): void {
    this.checkUse();
    if (!this.writable) fail('read-only');
  }

  /** How often the guest moved a directory: what was opened before need not be where it was. */
  get moves(): number {
    return this.#moves;
  }

  moved(): void {
    this.#moves += 1;
  }

  /** `stat` as the guest sees it: with a device number that tells apart objects of different mounts, and times as it set them. */
  identify(stat: FileStat): FileStat {
    return { ...this.times.restore(stat), device: BigInt.asUintN(64, (this.#number << 48n) + stat.device) };
  }

  /** Whether `path`, relative to the mount and free of links, is denied, or lies below what is. */
  denies(path: string): boolean {
    const folded = this.#denied.length === 0 ? '' : fold(path);
    return this.#denied.some((denied) => folded === denied || folded.startsWith(`${denied}/`));
  }

  /** Whether something below `path` is denied: moving it would take the denied thing out of its path. */
  deniesBelow(path: string): boolean {
    const folded = this.#denied.length === 0 ? '' : fold(path);
    return this.#denied.some((denied) => denied.startsWith(`${folded}/`));
  }
}

/**
 * `path` as an absolute guest path without doubled or trailing slashes.
 * @throws GloveportError INVALID_OPTION for a relative path, '.', '..' and NUL.
 */
export function guestPath(path: string, option: string): string {
  if (typeof path === 'string' && path.startsWith('/')) {
    const parts = path.split('/').filter((part) => part !== '');
    if (!parts.some(isUnusableName)) return `/${parts.join('/')}`;
  }
  throw new GloveportError('INVALID_OPTION', `${option} takes absolute paths of the guest without '.' and '..', not ${describeValue(path)}`, { option, path });
}

/** Whether `denied` covers `path`: is the same, or a directory above it. */
export function covers(denied: string, path: string): boolean {
  return denied === '/' || path === denied || path.startsWith(`${denied}/`);
}

// File systems that take twins of a name for the same file are the rule on these.
const FOLDS_NAMES = process.platform === 'win32' || process.platform === 'darwin';

function fold(path: string): string {
  return FOLDS_NAMES ? path.normalize('NFC').toLowerCase() : path;
}

function isUnusablePath(path: string): boolean {
  return path === '' || path.includes('\0');
}

function isUnusableName(name: string): boolean {
  return name === '.' || name === '..' || isUnusablePath(name);
}

function invalid(message: string, path: unknown): GloveportError {
  return new GloveportError('INVALID_OPTION', message, { option: 'mounts', path });
}

function explained<Result>(path: string, open: () => Result): Result {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof GloveportError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const missing = code === 'ENOENT';
    throw new GloveportError(
      missing ? 'FILE_NOT_FOUND' : 'IO_FAILED',
      missing ? `there is no directory ${describeValue(path)}; make it first` : `the directory ${describeValue(path)} cannot be opened`,
      missing ? { path } : { path, errno: code },
      { cause },
    );
  }
}
