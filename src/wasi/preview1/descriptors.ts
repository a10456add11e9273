// The file descriptors of one preview 1 module: numbers, positions, flags and rights over the open files and directories of `filesystem/`.
import type { WasiContext } from '../context.ts';
import type { DirectoryEntry } from '../filesystem/backing.ts';
import { OpenDirectory } from '../filesystem/directory.ts';
import { fail } from '../filesystem/errors.ts';
import type { OpenFile } from '../filesystem/file.ts';
import type { MountPoint } from '../filesystem/mount-point.ts';
import { Errno, raise } from './errno.ts';
import { isWithin, Rights, type RightsPair, withImplied } from './rights.ts';

/** `fdflags`. */
export const FdFlag = Object.freeze({ APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 });
export const SYNC_FLAGS = FdFlag.DSYNC | FdFlag.RSYNC | FdFlag.SYNC;

/** Fails for flags that do not exist. */
export function checkFdFlags(flags: number): void {
  if ((flags & ~(SYNC_FLAGS | FdFlag.APPEND | FdFlag.NONBLOCK)) !== 0) fail('invalid');
}

const NO_RIGHTS: RightsPair = Object.freeze({ base: 0, inheriting: 0 });

export class StreamDescriptor {
  readonly kind: 'stdin' | 'stdout' | 'stderr';
  flags = 0;
  lost = NO_RIGHTS;

  constructor(kind: StreamDescriptor['kind']) {
    this.kind = kind;
  }

  close(): void {}
}

export class FileDescriptor {
  readonly kind = 'file';
  readonly file: OpenFile;
  position = 0n;
  flags: number;
  /** Rights that were given up, here or where it was opened. */
  lost: RightsPair;
  readonly #context: WasiContext;

  /** Takes over `file`. */
  constructor(context: WasiContext, file: OpenFile, flags: number, lost: RightsPair) {
    this.#context = context;
    this.file = file;
    this.flags = flags;
    this.lost = lost;
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
  lost: RightsPair;
  readonly #context: WasiContext;
  #listing: ReturnType<OpenDirectory['list']> | undefined;

  /** Takes over `directory`. */
  constructor(context: WasiContext, directory: OpenDirectory, flags: number, lost: RightsPair, preopen?: string) {
    this.#context = context;
    this.directory = directory;
    this.flags = flags;
    this.lost = lost;
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

/** The rights that `descriptor` has now. */
export function rightsOf(descriptor: Descriptor): RightsPair {
  const { base, inheriting } = fullRights(descriptor);
  return { base: base & ~descriptor.lost.base, inheriting: inheriting & ~descriptor.lost.inheriting };
}

/** Reduces the rights of `descriptor` to these. Fails for any that it does not have. */
export function reduceRights(descriptor: Descriptor, base: bigint, inheriting: bigint): void {
  const held = rightsOf(descriptor);
  if (!isWithin(base, held.base) || !isWithin(inheriting, held.inheriting)) raise(Errno.NOTCAPABLE);
  const full = fullRights(descriptor);
  descriptor.lost = { base: full.base & ~withImplied(Number(base)), inheriting: full.inheriting & ~withImplied(Number(inheriting)) };
}

function fullRights(descriptor: Descriptor): RightsPair {
  if (descriptor.kind === 'file') return { base: Rights.file(descriptor.file.mode.read, descriptor.file.mode.write), inheriting: 0 };
  if (descriptor.kind === 'directory') return { base: Rights.directory, inheriting: Rights.inherited };
  return { base: descriptor.kind === 'stdin' ? Rights.input : Rights.output, inheriting: 0 };
}

export class DescriptorTable {
  readonly context: WasiContext;
  readonly #table = new Map<number, Descriptor>();
  // Numbers below `#next` that are free, the lowest last.
  readonly #free: number[] = [];
  #next = 0;

  /** Standard streams at 0, 1 and 2, then the mounts in their order. */
  constructor(context: WasiContext, points: readonly MountPoint[]) {
    this.context = context;
    for (const kind of ['stdin', 'stdout', 'stderr'] as const) this.add(new StreamDescriptor(kind));
    for (const point of points) this.add(new DirectoryDescriptor(context, OpenDirectory.rootOf(point), 0, NO_RIGHTS, point.path));
  }

  /** Gives `descriptor` the lowest free number. */
  add(descriptor: Descriptor): number {
    const fd = this.#free.pop() ?? this.#next++;
    this.#table.set(fd, descriptor);
    return fd;
  }

  /** The descriptor `fd`. Fails when a right of `needed` was given up; what it never had is told by the error of the operation itself. */
  get(fd: number, needed: number): Descriptor {
    const descriptor = this.#table.get(fd >>> 0) ?? fail('bad-descriptor');
    if ((descriptor.lost.base & needed) !== 0) raise(Errno.NOTCAPABLE);
    return descriptor;
  }

  /** Like {@link get}, for what only files have. */
  file(fd: number, needed: number): FileDescriptor {
    const descriptor = this.get(fd, needed);
    if (descriptor.kind === 'file') return descriptor;
    return fail(descriptor.kind === 'directory' ? 'is-directory' : 'invalid-seek');
  }

  /** Like {@link get}, for what only directories have. */
  directory(fd: number, needed: number): DirectoryDescriptor {
    const descriptor = this.get(fd, needed);
    return descriptor.kind === 'directory' ? descriptor : fail('not-directory');
  }

  /** Closes `fd`, which is gone also when its store fails at that. */
  close(fd: number): void {
    const descriptor = this.get(fd, 0);
    this.#forget(fd);
    descriptor.close();
  }

  /** Moves `from` to `to`, which has to be open and is closed; the same number twice changes nothing. */
  renumber(from: number, to: number): void {
    const descriptor = this.get(from, 0);
    const replaced = this.get(to, 0);
    if (descriptor === replaced) return;
    this.#table.set(to >>> 0, descriptor);
    this.#forget(from);
    replaced.close();
  }

  #forget(fd: number): void {
    const number = fd >>> 0;
    this.#table.delete(number);
    let [start, end] = [0, this.#free.length];
    while (start < end) {
      const middle = (start + end) >>> 1;
      if ((this.#free[middle] as number) > number) start = middle + 1;
      else end = middle;
    }
    this.#free.splice(start, 0, number);
  }
}
