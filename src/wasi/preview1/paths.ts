// The path_* functions of preview 1: what is done with a path below an open directory.
import { OpenFile } from '../filesystem/file.ts';
import { checkFdFlags, type DescriptorTable, DirectoryDescriptor, FdFlag, FileDescriptor } from './descriptors.ts';
import { Errno, raise } from './errno.ts';
import { timesOf } from './files.ts';
import type { Layout } from './layouts.ts';
import type { GuestMemory } from './memory.ts';
import { Right } from './rights.ts';

const OpenFlag = { CREATE: 1, DIRECTORY: 2, EXCLUSIVE: 4, TRUNCATE: 8 } as const;
const FOLLOW = 1;

/** Each function throws its error; `functions.ts` makes an errno of it. */
export function pathFunctions(layout: Layout, memory: GuestMemory, table: DescriptorTable) {
  return {
    path_create_directory(fd: number, path: number, length: number): void {
      table.directory(fd, Right.PATH_CREATE_DIRECTORY).directory.createDirectoryAt(memory.path(path, length));
    },

    path_filestat_get(fd: number, flags: number, path: number, length: number, result: number): void {
      const { directory } = table.directory(fd, Right.PATH_FILESTAT_GET);
      memory.set(result, layout.filestat(directory.statAt(memory.path(path, length), follows(flags))));
    },

    path_filestat_set_times(fd: number, flags: number, path: number, length: number, accessed: bigint, modified: bigint, times: number): void {
      const { directory } = table.directory(fd, Right.PATH_FILESTAT_SET_TIMES);
      const name = memory.path(path, length);
      directory.setTimesAt(
        name,
        follows(flags),
        timesOf(accessed, modified, times, () => directory.statAt(name, follows(flags))),
      );
    },

    path_link(fd: number, flags: number, path: number, length: number, newFd: number, newPath: number, newLength: number): void {
      const from = table.directory(fd, Right.PATH_LINK_SOURCE).directory;
      const to = table.directory(newFd, Right.PATH_LINK_TARGET).directory;
      from.linkAt(memory.path(path, length), follows(flags), to, memory.path(newPath, newLength));
    },

    // Of the rights that are asked for, reading and writing decide how a file is opened. All others come with it as far as the directory hands them on: many
    // programs ask for fewer than they use, and most hosts let them.
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
      const { directory, lost } = table.directory(fd, Right.PATH_OPEN | neededToOpen(openFlags));
      const name = memory.path(path, length);
      checkFdFlags(fdFlags);
      const asked = Number(BigInt.asUintN(32, rights)) & (Right.FD_READ | Right.FD_WRITE);
      if ((asked & lost.inheriting) !== 0) raise(Errno.NOTCAPABLE);
      // Nothing is opened whose number could not be told.
      memory.u32(result);
      table.context.checkHandles();
      const object = directory.open(name, {
        follow: follows(flags),
        create: (openFlags & OpenFlag.CREATE) !== 0,
        directory: (openFlags & OpenFlag.DIRECTORY) !== 0,
        exclusive: (openFlags & OpenFlag.EXCLUSIVE) !== 0,
        truncate: (openFlags & OpenFlag.TRUNCATE) !== 0,
        read: (asked & Right.FD_READ) !== 0,
        write: (asked & Right.FD_WRITE) !== 0,
        sync: fdFlags & (FdFlag.SYNC | FdFlag.RSYNC) ? 'all' : fdFlags & FdFlag.DSYNC ? 'data' : 'none',
      });
      const { context } = table;
      const inherited = { base: lost.inheriting, inheriting: lost.inheriting };
      const descriptor =
        object instanceof OpenFile ? new FileDescriptor(context, object, fdFlags, inherited) : new DirectoryDescriptor(context, object, fdFlags, inherited);
      memory.setU32(result, table.add(descriptor));
    },

    path_readlink(fd: number, path: number, length: number, buffer: number, bufferLength: number, result: number): void {
      const { directory } = table.directory(fd, Right.PATH_READLINK);
      const target = Buffer.from(directory.readLinkAt(memory.path(path, length)));
      const kept = target.subarray(0, memory.bytes(buffer, bufferLength).length);
      memory.set(buffer, kept);
      memory.setU32(result, kept.length);
    },

    path_remove_directory(fd: number, path: number, length: number): void {
      table.directory(fd, Right.PATH_REMOVE_DIRECTORY).directory.removeDirectoryAt(memory.path(path, length));
    },

    path_rename(fd: number, path: number, length: number, newFd: number, newPath: number, newLength: number): void {
      const from = table.directory(fd, Right.PATH_RENAME_SOURCE).directory;
      const to = table.directory(newFd, Right.PATH_RENAME_TARGET).directory;
      from.renameAt(memory.path(path, length), to, memory.path(newPath, newLength));
    },

    path_symlink(target: number, targetLength: number, fd: number, path: number, length: number): void {
      table.directory(fd, Right.PATH_SYMLINK).directory.createLinkAt(memory.path(target, targetLength), memory.path(path, length));
    },

    path_unlink_file(fd: number, path: number, length: number): void {
      table.directory(fd, Right.PATH_UNLINK_FILE).directory.removeFileAt(memory.path(path, length));
    },
  };
}

function neededToOpen(openFlags: number): number {
  return (openFlags & OpenFlag.CREATE ? Right.PATH_CREATE_FILE : 0) | (openFlags & OpenFlag.TRUNCATE ? Right.PATH_FILESTAT_SET_SIZE : 0);
}

function follows(flags: number): boolean {
  return (flags & FOLLOW) !== 0;
}
