// The fd_* functions of wasi_snapshot_preview1: what is done with an open descriptor.
import type { Console } from '../console.ts';
import type { FileTimes } from '../filesystem/backing.ts';
import { fail } from '../filesystem/errors.ts';
import type { OpenFile } from '../filesystem/file.ts';
import { checkFdFlags, type Descriptor, type DescriptorTable, type DirectoryDescriptor, FdFlag, reduceRights, rightsOf, SYNC_FLAGS } from './descriptors.ts';
import type { Layout } from './layouts.ts';
import { type GuestMemory, unsigned } from './memory.ts';
import { dirent, fdstat, STREAM_STAT } from './records.ts';
import { Right } from './rights.ts';

/** What the functions work on. */
export interface FilesEnvironment {
  readonly layout: Layout;
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  readonly console: Console;
}

// Numbers of `advice`.
const ADVICES = 6;

/** Each function throws its error; `functions.ts` makes an errno of it. */
export function fileFunctions({ layout, memory, table, console }: FilesEnvironment) {
  return {
    // What no store here makes use of.
    fd_advise(fd: number, _offset: bigint, _length: bigint, advice: number): void {
      const { file } = table.file(fd, Right.FD_ADVISE);
      if (!(advice >= 0 && advice < ADVICES)) fail('invalid');
      file.stat();
    },

    fd_allocate(fd: number, offset: bigint, length: bigint): void {
      const { file } = table.file(fd, Right.FD_ALLOCATE);
      file.checkWritable();
      const size = BigInt.asUintN(64, offset) + BigInt.asUintN(64, length);
      if (length === 0n) fail('invalid');
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) fail('file-too-large');
      fillUpTo(file, size);
    },

    fd_close(fd: number): void {
      table.close(fd);
    },

    fd_datasync(fd: number): void {
      sync(table.get(fd, Right.FD_DATASYNC), true);
    },

    fd_fdstat_get(fd: number, result: number): void {
      memory.set(result, fdstatOf(table.get(fd, 0)));
    },

    fd_fdstat_set_flags(fd: number, flags: number): void {
      const descriptor = table.get(fd, Right.FD_FDSTAT_SET_FLAGS);
      checkFdFlags(flags);
      // How writes are synchronised is fixed when a file is opened.
      if (((flags ^ descriptor.flags) & SYNC_FLAGS) !== 0) fail('unsupported');
      descriptor.flags = flags;
    },

    fd_fdstat_set_rights(fd: number, base: bigint, inheriting: bigint): void {
      reduceRights(table.get(fd, 0), base, inheriting);
    },

    fd_filestat_get(fd: number, result: number): void {
      const descriptor = table.get(fd, Right.FD_FILESTAT_GET);
      const stat = descriptor.kind === 'file' ? descriptor.file.stat() : descriptor.kind === 'directory' ? descriptor.directory.stat() : STREAM_STAT;
      memory.set(result, layout.filestat(stat));
    },

    fd_filestat_set_size(fd: number, size: bigint): void {
      table.file(fd, Right.FD_FILESTAT_SET_SIZE).file.setSize(BigInt.asUintN(64, size));
    },

    fd_filestat_set_times(fd: number, accessed: bigint, modified: bigint, flags: number): void {
      const descriptor = table.get(fd, Right.FD_FILESTAT_SET_TIMES);
      const object = descriptor.kind === 'file' ? descriptor.file : descriptor.kind === 'directory' ? descriptor.directory : fail('bad-descriptor');
      object.setTimes(timesOf(accessed, modified, flags, () => object.stat()));
    },

    fd_pread(fd: number, vectors: number, count: number, offset: bigint, result: number): void {
      const { file } = table.file(fd, Right.FD_READ | Right.FD_SEEK);
      memory.setU32(result, read(file, BigInt.asUintN(64, offset), vectors, count));
    },

    fd_prestat_get(fd: number, result: number): void {
      const name = preopenName(table.get(fd, 0));
      memory.set(result, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0));
      memory.setU32(unsigned(result) + 4, name.length);
    },

    fd_prestat_dir_name(fd: number, path: number, length: number): void {
      const name = preopenName(table.get(fd, 0));
      if (name.length > length >>> 0) fail('name-too-long');
      memory.set(path, name);
    },

    fd_pwrite(fd: number, vectors: number, count: number, offset: bigint, result: number): void {
      const { file } = table.file(fd, Right.FD_WRITE | Right.FD_SEEK);
      memory.setU32(result, write(file, BigInt.asUintN(64, offset), vectors, count));
    },

    fd_read(fd: number, vectors: number, count: number, result: number): void {
      const descriptor = table.get(fd, Right.FD_READ);
      if (descriptor.kind === 'file') {
        const moved = read(descriptor.file, descriptor.position, vectors, count);
        descriptor.position += BigInt(moved);
        memory.setU32(result, moved);
      } else if (descriptor.kind === 'stdin') {
        if (!table.context.waitForAny([console.stdin.ready])) return;
        memory.setU32(
          result,
          memory.vectors(vectors, count, (buffer) => console.stdin.readInto(buffer)),
        );
      } else {
        fail(descriptor.kind === 'directory' ? 'is-directory' : 'bad-descriptor');
      }
    },

    // A cookie is the number of entries before the next one; 0 takes a new look at the directory.
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, result: number): void {
      const descriptor = table.directory(fd, Right.FD_READDIR);
      const target = memory.bytes(buffer, length);
      const start = BigInt.asUintN(64, cookie);
      const entries = descriptor.entries(start === 0n);
      const end = entries.length + 2;
      let used = 0;
      for (let index = start < BigInt(end) ? Number(start) : end; index < end && used < target.length; index += 1) {
        const { name, type } = index === 0 ? OWN : (entries[index - 2] ?? PARENT);
        const record = dirent(BigInt(index + 1), inodeOf(descriptor, name), type, name).subarray(0, target.length - used);
        target.set(record, used);
        used += record.length;
      }
      memory.setU32(result, used);
    },

    fd_renumber(from: number, to: number): void {
      table.renumber(from, to);
    },

    fd_seek(fd: number, offset: bigint, whence: number, result: number): void {
      const from = layout.whence[whence] ?? fail('invalid');
      // Not to move it is to tell it.
      const descriptor = table.file(fd, from === 'current' && offset === 0n ? Right.FD_TELL : Right.FD_SEEK);
      const base = from === 'set' ? 0n : from === 'current' ? descriptor.position : descriptor.file.end();
      const position = base + BigInt.asIntN(64, offset);
      if (position < 0n || position > BigInt(Number.MAX_SAFE_INTEGER)) fail('invalid');
      memory.setU64(result, position);
      descriptor.position = position;
    },

    fd_sync(fd: number): void {
      sync(table.get(fd, Right.FD_SYNC), false);
    },

    fd_tell(fd: number, result: number): void {
      memory.setU64(result, table.file(fd, Right.FD_TELL).position);
    },

    fd_write(fd: number, vectors: number, count: number, result: number): void {
      const descriptor = table.get(fd, Right.FD_WRITE);
      if (descriptor.kind === 'file') {
        if ((descriptor.flags & FdFlag.APPEND) !== 0) descriptor.position = descriptor.file.end();
        const moved = write(descriptor.file, descriptor.position, vectors, count);
        descriptor.position += BigInt(moved);
        memory.setU32(result, moved);
      } else if (descriptor.kind === 'stdout' || descriptor.kind === 'stderr') {
        const output = console[descriptor.kind];
        if (!table.context.waitForAny([output.ready])) return;
        memory.setU32(
          result,
          memory.vectors(vectors, count, (buffer) => output.write(buffer)),
        );
      } else {
        fail(descriptor.kind === 'directory' ? 'is-directory' : 'bad-descriptor');
      }
    },
  };

  function read(file: OpenFile, position: bigint, vectors: number, count: number): number {
    file.checkReadable();
    let at = position;
    return memory.vectors(vectors, count, (buffer) => {
      const moved = file.read(buffer, at);
      at += BigInt(moved);
      return moved;
    });
  }

  function write(file: OpenFile, position: bigint, vectors: number, count: number): number {
    file.checkWritable();
    let at = position;
    return memory.vectors(vectors, count, (buffer) => {
      const moved = file.write(buffer, at);
      at += BigInt(moved);
      return moved;
    });
  }
}

const ZEROS = new Uint8Array(64 * 1024);

// Room that is only said to be there, as by setting the size, may be missing on a disk when it is needed: zeros are written, and taken back if they do not fit.
function fillUpTo(file: OpenFile, size: bigint): void {
  const end = file.end();
  try {
    for (let at = end; at < size; ) {
      const left = size - at;
      const count = file.write(left < ZEROS.length ? ZEROS.subarray(0, Number(left)) : ZEROS, at);
      if (count === 0) fail('io');
      at += BigInt(count);
    }
  } catch (error) {
    if (typeof error === 'string') file.setSize(end);
    throw error;
  }
}

const FstFlag = { ACCESSED: 1, ACCESSED_NOW: 2, MODIFIED: 4, MODIFIED_NOW: 8 } as const;

/** The times that `fstflags` ask for; what they leave alone is taken from `current`. */
export function timesOf(accessed: bigint, modified: bigint, flags: number, current: () => FileTimes): FileTimes {
  const both = (one: number, other: number): boolean => (flags & one) !== 0 && (flags & other) !== 0;
  if (both(FstFlag.ACCESSED, FstFlag.ACCESSED_NOW) || both(FstFlag.MODIFIED, FstFlag.MODIFIED_NOW)) fail('invalid');
  const given = FstFlag.ACCESSED | FstFlag.ACCESSED_NOW;
  const old = (flags & given) === 0 || (flags & (FstFlag.MODIFIED | FstFlag.MODIFIED_NOW)) === 0 ? current() : { accessed: 0n, modified: 0n };
  const now = BigInt(Date.now()) * 1_000_000n;
  return {
    accessed: flags & FstFlag.ACCESSED ? BigInt.asUintN(64, accessed) : flags & FstFlag.ACCESSED_NOW ? now : old.accessed,
    modified: flags & FstFlag.MODIFIED ? BigInt.asUintN(64, modified) : flags & FstFlag.MODIFIED_NOW ? now : old.modified,
  };
}

const OWN = { name: '.', type: 'directory' } as const;
const PARENT = { name: '..', type: 'directory' } as const;

// C programs skip entries whose number is 0. The parent's is nobody's business.
function inodeOf({ directory }: DirectoryDescriptor, name: string): bigint {
  if (name === OWN.name || name === PARENT.name) return directory.stat().inode;
  try {
    return directory.statAt(name, false).inode;
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return 0n;
  }
}

function sync(descriptor: Descriptor, dataOnly: boolean): void {
  if (descriptor.kind === 'file') descriptor.file.sync(dataOnly);
  else if (descriptor.kind === 'directory') descriptor.directory.sync();
}

function fdstatOf(descriptor: Descriptor): Uint8Array {
  const type = descriptor.kind === 'file' ? 'regular-file' : descriptor.kind === 'directory' ? 'directory' : 'character-device';
  return fdstat(type, descriptor.flags, rightsOf(descriptor));
}

// Libraries look for preopens until a descriptor answers EBADF.
function preopenName(descriptor: Descriptor): Uint8Array {
  return Buffer.from((descriptor.kind === 'directory' ? descriptor.preopen : undefined) ?? fail('bad-descriptor'));
}
