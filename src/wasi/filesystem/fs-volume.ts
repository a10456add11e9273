// Any object with node:fs's synchronous methods to stand a memory directory on. It is asked by path, and links are never on these paths: whoever walks has
// looked at each name. Directories that are open know their paths, and are told when those change.
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
    return stat?.type === 'symbolic-link' ? { ...stat, size: BigInt(Buffer.byteLength(String(this.#home.fs.readlinkSync(path)))) } : stat;
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
    return { fd, size: () => Number(stat().size), stat, forget() {} };
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
      return stats && statOf(stats);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #names(): string[] {
    if (this.#path === undefined) return [];
    return (this.#home.fs.readdirSync(this.#path === '' ? '/' : this.#path) as unknown[]).map(String);
  }
}

// The methods as they are now; what they throw is an error of a file system, whatever is wrong with the object.
function guarded(fs: SynchronousFileSystem): Volume['fs'] {
  const methods = [...REQUIRED, ...OPTIONAL].map((name) => {
    const method = fs[name] as ((...args: unknown[]) => unknown) | undefined;
    const call = (...args: unknown[]): unknown => {
      if (typeof method !== 'function') throw withCode('ENOSYS');
      try {
        return method.apply(fs, args);
      } catch (error) {
        throw typeof (error as NodeJS.ErrnoException | undefined)?.code === 'string' || error instanceof RangeError ? error : withCode('EIO', error);
      }
    };
    return [name, call];
  });
  return Object.freeze(Object.fromEntries(methods));
}

function withCode(code: string, cause?: unknown): Error {
  return Object.assign(new Error('the file system failed', { cause }), { code });
}

function statOf(stats: FileSystemStats): FileStat {
  return {
    type: typeOf(stats),
    links: BigInt(stats.nlink),
    size: BigInt(stats.size),
    device: 0n,
    inode: BigInt(stats.ino),
    accessed: nanoseconds(stats.atimeMs),
    modified: nanoseconds(stats.mtimeMs),
    changed: nanoseconds(stats.ctimeMs),
  };
}

function typeOf(stats: FileSystemStats): FileType {
  if (stats.isFile()) return 'regular-file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symbolic-link' : 'unknown';
}

// An object that knows no bigints gives numbers.
function nanoseconds(milliseconds: bigint | number): bigint {
  return typeof milliseconds === 'bigint' ? milliseconds * 1_000_000n : BigInt(Math.round(milliseconds * 1e6));
}
