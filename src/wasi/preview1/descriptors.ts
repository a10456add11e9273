// The file descriptors of one preview 1 module: numbers, positions and flags over the open files and directories of `filesystem/`.
import type { WasiContext } from '../context.ts';
import type { DirectoryEntry } from '../filesystem/backing.ts';
import { OpenDirectory } from '../filesystem/directory.ts';
import { fail } from '../filesystem/errors.ts';
import type { OpenFile } from '../filesystem/file.ts';
import type { MountPoint } from '../filesystem/mount.ts';

/** `fdflags`. */
export const FdFlag = Object.freeze({ APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 });
export const SYNC_FLAGS = FdFlag.DSYNC | FdFlag.RSYNC | FdFlag.SYNC;

/** Fails for flags that do not exist. */
export function checkFdFlags(flags: number): void {
  if ((flags & ~(SYNC_FLAGS | FdFlag.APPEND | FdFlag.NONBLOCK)) !== 0) fail('invalid');
}

export interface StreamDescriptor {
  readonly kind: 'stdin' | 'stdout' | 'stderr';
  flags: number;
  close(): void;
}

export class FileDescriptor {
  readonly kind = 'file';
  readonly file: OpenFile;
  position = 0n;
  flags: number;
  readonly #context: WasiContext;

  /** Takes over `file`. */
  constructor(context: WasiContext, file: OpenFile, flags: number) {
    this.#context = context;
    this.file = file;
    this.flags = flags;
    context.hold(this);
  }

  close(): void {
    this.#context.letGo(this);
    this.file.release();
  }
}

export class DirectoryDescriptor {
  readonly kind = 'directory';
  readonly directory: OpenDirectory;
  /** Its path, when the guest found it open. */
  readonly preopen: string | undefined;
  flags: number;
  readonly #context: WasiContext;
  #listing: ReturnType<OpenDirectory['list']> | undefined;

  /** Takes over `directory`. */
  constructor(context: WasiContext, directory: OpenDirectory, flags: number, preopen?: string) {
    this.#context = context;
    this.directory = directory;
    this.flags = flags;
    this.preopen = preopen;
    if (preopen === undefined) context.hold(this);
    else context.keep(this);
  }

  /** The entries as they were when reading last began at the first. */
  entries(fromStart: boolean): readonly DirectoryEntry[] {
    this.directory.point.checkRead();
    if (fromStart) this.#forget();
    this.#listing ??= this.directory.list();
    return this.#listing.entries;
  }

  close(): void {
    this.#forget();
    this.#context.letGo(this);
    this.directory.release();
  }

  #forget(): void {
    if (this.#listing) this.#context.giveBack(this.#listing.bytes);
    this.#listing = undefined;
  }
}

export type Descriptor = StreamDescriptor | FileDescriptor | DirectoryDescriptor;

export class DescriptorTable {
  readonly context: WasiContext;
  readonly #table = new Map<number, Descriptor>();
  // No free number is lower.
  #lowest = 0;

  /** Standard streams at 0, 1 and 2, then the mounts in their order. */
  constructor(context: WasiContext, points: readonly MountPoint[]) {
    this.context = context;
    for (const kind of ['stdin', 'stdout', 'stderr'] as const) this.add({ kind, flags: 0, close: () => {} });
    for (const point of points) this.add(new DirectoryDescriptor(context, OpenDirectory.rootOf(point), 0, point.path));
  }

  /** Gives `descriptor` the lowest free number. */
  add(descriptor: Descriptor): number {
    while (this.#table.has(this.#lowest)) this.#lowest += 1;
    this.#table.set(this.#lowest, descriptor);
    return this.#lowest;
  }

  get(fd: number): Descriptor {
    return this.#table.get(fd >>> 0) ?? fail('bad-descriptor');
  }

  file(fd: number): FileDescriptor {
    const descriptor = this.get(fd);
    if (descriptor.kind === 'file') return descriptor;
    return fail(descriptor.kind === 'directory' ? 'is-directory' : 'invalid-seek');
  }

  directory(fd: number): DirectoryDescriptor {
    const descriptor = this.get(fd);
    return descriptor.kind === 'directory' ? descriptor : fail('not-directory');
  }

  close(fd: number): void {
    const number = fd >>> 0;
    this.get(number).close();
    this.#table.delete(number);
    this.#lowest = Math.min(this.#lowest, number);
  }

  /** Moves `from` to `to`, which has to be open and is closed; the same number twice changes nothing. */
  renumber(from: number, to: number): void {
    const descriptor = this.get(from);
    const replaced = this.get(to);
    if (descriptor === replaced) return;
    replaced.close();
    this.#table.set(to >>> 0, descriptor);
    this.#table.delete(from >>> 0);
    this.#lowest = Math.min(this.#lowest, from >>> 0);
  }
}
