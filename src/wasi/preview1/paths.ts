// The path_* functions of wasi_snapshot_preview1: what is done with a path below an open directory.
import { OpenFile } from '../filesystem/file.ts';
import { checkFdFlags, type DescriptorTable, DirectoryDescriptor, FdFlag, FileDescriptor } from './descriptors.ts';
import { timesOf } from './files.ts';
import type { GuestMemory } from './memory.ts';
import { filestat, Right } from './records.ts';

const OpenFlag = { CREATE: 1, DIRECTORY: 2, EXCLUSIVE: 4, TRUNCATE: 8 } as const;
const FOLLOW = 1;

/** Each function throws its error; `functions.ts` makes an errno of it. */
export function pathFunctions(memory: GuestMemory, table: DescriptorTable) {
  return {
    path_create_directory(fd: number, path: number, length: number): void {
      table.directory(fd).directory.createDirectoryAt(memory.path(path, length));
    },

    path_filestat_get(fd: number, flags: number, path: number, length: number, result: number): void {
      memory.set(result, filestat(table.directory(fd).directory.statAt(memory.path(path, length), follows(flags))));
    },

    path_filestat_set_times(fd: number, flags: number, path: number, length: number, accessed: bigint, modified: bigint, times: number): void {
      const { directory } = table.directory(fd);
      const name = memory.path(path, length);
      directory.setTimesAt(
        name,
        follows(flags),
        timesOf(accessed, modified, times, () => directory.statAt(name, follows(flags))),
      );
    },

    path_link(fd: number, flags: number, path: number, length: number, newFd: number, newPath: number, newLength: number): void {
      const from = table.directory(fd).directory;
      from.linkAt(memory.path(path, length), follows(flags), table.directory(newFd).directory, memory.path(newPath, newLength));
    },

    path_open(
      fd: number,
      flags: number,
      path: number,
      length: number,
      openFlags: number,
      rights: bigint,
      _inheriting: bigint,
      fdFlags: number,
      result: number,
    ): void {
      const { directory } = table.directory(fd);
      const name = memory.path(path, length);
      checkFdFlags(fdFlags);
      // Nothing is opened whose number could not be told.
      memory.u32(result);
      table.context.checkHandles();
      const object = directory.open(name, {
        follow: follows(flags),
        create: (openFlags & OpenFlag.CREATE) !== 0,
        directory: (openFlags & OpenFlag.DIRECTORY) !== 0,
        exclusive: (openFlags & OpenFlag.EXCLUSIVE) !== 0,
        truncate: (openFlags & OpenFlag.TRUNCATE) !== 0,
        read: (rights & Right.FD_READ) !== 0n,
        write: (rights & Right.FD_WRITE) !== 0n,
        sync: fdFlags & (FdFlag.SYNC | FdFlag.RSYNC) ? 'all' : fdFlags & FdFlag.DSYNC ? 'data' : 'none',
      });
      const { context } = table;
      memory.setU32(
        result,
        table.add(object instanceof OpenFile ? new FileDescriptor(context, object, fdFlags) : new DirectoryDescriptor(context, object, fdFlags)),
      );
    },

    path_readlink(fd: number, path: number, length: number, buffer: number, bufferLength: number, result: number): void {
      const target = Buffer.from(table.directory(fd).directory.readLinkAt(memory.path(path, length)));
      const kept = target.subarray(0, memory.bytes(buffer, bufferLength).length);
      memory.set(buffer, kept);
      memory.setU32(result, kept.length);
    },

    path_remove_directory(fd: number, path: number, length: number): void {
      table.directory(fd).directory.removeDirectoryAt(memory.path(path, length));
    },

    path_rename(fd: number, path: number, length: number, newFd: number, newPath: number, newLength: number): void {
      table.directory(fd).directory.renameAt(memory.path(path, length), table.directory(newFd).directory, memory.path(newPath, newLength));
    },

    path_symlink(target: number, targetLength: number, fd: number, path: number, length: number): void {
      table.directory(fd).directory.createLinkAt(memory.path(target, targetLength), memory.path(path, length));
    },

    path_unlink_file(fd: number, path: number, length: number): void {
      table.directory(fd).directory.removeFileAt(memory.path(path, length));
    },
  };
}

function follows(flags: number): boolean {
  return (flags & FOLLOW) !== 0;
}
