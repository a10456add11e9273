// Any object with node:fs's synchronous methods to stand a memory directory on. It is asked by path, and links are never on these paths: whoever walks has
// looked at each name. Directories that are open know their paths, and are told when those change.
import { isPromise } from '../../component/thrown.ts';
import { isInstance } from '../../errors.ts';
import type { DirectoryEntry, FileStat, FileType } from './backing.ts';
import { fail } from './errors.ts';
import type { FileSystemStats, SynchronousFileSystem, Volume, VolumeDirectory, VolumeFile } from './volume.ts';

const REQUIRED = [
  'lstatSync',
  'fstatSync',
  'readdirSync',
  'openSync',
  'closeSync',
  'readSync',
  'writeSync',
  'ftruncateSync',
  'mkdirSync',
  'rmdirSync',
  'unlinkSync',
  'renameSync',
  'futimesSync',
  'lutimesSync',
] as const satisfies readonly (keyof SynchronousFileSystem)[];

const OPTIONAL = ['symlinkSync', 'readlinkSync', 'linkSync'] as const satisfies readonly (keyof SynchronousFileSystem)[];

/** The methods that `fs` would have to have and has not. */
export function missingMethods(fs: object): string[] {
  return REQUIRED.filter((name) => typeof (fs as Record<string, unknown>)[name] !== 'function');
}

export class FsVolume implements Volume {
  readonly fs: Volume['fs'];
  readonly #open = new Set<FsDirectory>();

  constructor(fs: SynchronousFileSystem) {
    this.fs = guarded(fs);
  }

  root(): VolumeDirectory {
    return this.hold('');
  }

  unlink(path: string): void {
    this.fs.unlinkSync(path);
  }

  removeDirectory(path: string): void {
    this.fs.rmdirSync(path);
    for (const directory of this.#open) directory.removed(path);
  }

  rename(from: string, to: string): void {
    this.fs.renameSync(from, to);
    for (const directory of this.#open) directory.moved(from, to);
  }

  hold(path: string): FsDirectory {
    const directory = new FsDirectory(this, path);
    this.#open.add(directory);
    return directory;
  }

  letGo(directory: FsDirectory): void {
    this.#open.delete(directory);
  }
}

class FsDirectory implements VolumeDirectory {
  readonly #home: FsVolume;
  #path: string | undefined;

  constructor(home: FsVolume, path: string) {
    this.#home = home;
    this.#path = path;
  }

  path(): string {
    return this.#path ?? fail('no-entry');
  }

  stat(): FileStat {
    return this.#stat(this.path() === '' ? '/' : this.path()) ?? fail('no-entry');
  }

  lookup(name: string): FileStat | undefined {
    const path = `${this.path()}/${name}`;
    const stat = this.#stat(path);
    return stat?.type === 'symbolic-link' ? { ...stat, size: BigInt(Buffer.byteLength(this.#home.fs.readlinkSync(path) as string)) } : stat;
  }

  count(): number {
    return this.#names().length;
  }

  entries(): DirectoryEntry[] {
    return this.#names().map((name) => ({ name, type: this.#stat(`${this.path()}/${name}`)?.type ?? 'unknown' }));
  }

  child(name: string): VolumeDirectory | undefined {
    const path = `${this.path()}/${name}`;
    const stat = this.#stat(path) ?? fail('no-entry');
    return stat.type === 'directory' ? this.#home.hold(path) : undefined;
  }

  open(name: string, write: boolean): VolumeFile {
    const { fs } = this.#home;
    const fd = fs.openSync(`${this.path()}/${name}`, write ? 'r+' : 'r');
    const stat = (): FileStat => statOf(fs.fstatSync(fd, { bigint: true }));
    return { fd, size: () => Number(stat().size), capacity: () => Infinity, stat, forget() {} };
  }

  reopen(): VolumeDirectory {
    return this.#home.hold(this.path());
  }

  close(): void {
    this.#home.letGo(this);
  }

  /** The directory `from` is now `to`. */
  moved(from: string, to: string): void {
    if (this.#path === from || this.#path?.startsWith(`${from}/`)) this.#path = to + this.#path.slice(from.length);
  }

  /** The directory `path`, which was empty, is gone. */
  removed(path: string): void {
    if (this.#path === path) this.#path = undefined;
  }

  #stat(path: string): FileStat | undefined {
    try {
      const stats = this.#home.fs.lstatSync(path, { bigint: true, throwIfNoEntry: false });
      return stats === undefined ? undefined : statOf(stats);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #names(): string[] {
    if (this.#path === undefined) return [];
    return this.#home.fs.readdirSync(this.#path === '' ? '/' : this.#path) as string[];
  }
}

// The methods as they are now; what they throw, and what is no answer of a file system, is an error of one, whatever is wrong with the object.
function guarded(fs: SynchronousFileSystem): Volume['fs'] {
  const methods = [...REQUIRED, ...OPTIONAL].map((name) => {
    const method = fs[name] as ((...args: unknown[]) => unknown) | undefined;
    const call = (...args: unknown[]): unknown => {
      if (typeof method !== 'function') throw withCode('ENOSYS');
      let answer: unknown;
      try {
        answer = method.apply(fs, args);
      } catch (error) {
        throw failureOf(error);
      }
      if (isPromise(answer) || IS_ANSWER[name]?.(answer, args) === false) throw withCode('EIO');
      return answer;
    };
    return [name, call];
  });
  return Object.freeze(Object.fromEntries(methods));
}

const isCount = (count: unknown, [, , , length]: readonly unknown[]): boolean =>
  Number.isSafeInteger(count) && (count as number) >= 0 && (count as number) <= (length as number);
// Of the methods whose answers are used; stats are looked at when they are read.
const IS_ANSWER: { readonly [Name in keyof SynchronousFileSystem]?: (answer: unknown, args: readonly unknown[]) => boolean } = {
  openSync: Number.isSafeInteger,
  readSync: isCount,
  writeSync: isCount,
  readdirSync: (names) => Array.isArray(names) && names.every(isName),
  readlinkSync: (target) => typeof target === 'string',
};

function isName(name: unknown): boolean {
  return typeof name === 'string' && !/^\.{0,2}$|[/\0]/.test(name);
}

function failureOf(error: unknown): Error {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code === 'string') return withCode(code, error);
  return isInstance(error, RangeError) ? error : withCode('EIO', error);
}

function withCode(code: string, cause?: unknown): Error {
  return Object.assign(new Error('the file system failed', { cause }), { code });
}

function statOf(stats: FileSystemStats): FileStat {
  try {
    return {
      type: typeOf(stats),
      links: natural(stats.nlink),
      size: natural(stats.size),
      device: 0n,
      inode: BigInt.asUintN(64, BigInt(stats.ino)),
      accessed: nanoseconds(stats.atimeMs),
      modified: nanoseconds(stats.mtimeMs),
      changed: nanoseconds(stats.ctimeMs),
    };
  } catch (error) {
    throw withCode('EIO', error);
  }
}

function typeOf(stats: FileSystemStats): FileType {
  if (stats.isFile()) return 'regular-file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symbolic-link' : 'unknown';
}

// An object that knows no bigints gives numbers.
function natural(value: bigint | number): bigint {
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError('not a number of bytes or links');
  return BigInt(value);
}

// WASI has no times before 1970.
function nanoseconds(milliseconds: bigint | number): bigint {
  if (milliseconds < 0) return 0n;
  return typeof milliseconds === 'bigint' ? milliseconds * 1_000_000n : BigInt(Math.round(milliseconds * 1e6));
}
