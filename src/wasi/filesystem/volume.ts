// What a memory directory stands on: an object with node:fs's synchronous methods, in which directories and files can be held on to. `memfs-volume.ts` does
// that with memfs's own objects, `fs-volume.ts` with nothing but the methods. Errors are the object's own, with node:fs's codes.
import type { DirectoryEntry, FileStat } from './backing.ts';

/**
 * An in-memory file system to mount, such as one of memfs: these methods of node:fs, with paths that begin at '/' and stats as bigints, in which `ino` tells
 * files apart. Where one of the last three is missing the guest is told 'unsupported'.
 */
export interface SynchronousFileSystem {
  lstatSync(path: string, options: { bigint: true; throwIfNoEntry: false }): FileSystemStats | undefined;
  fstatSync(fd: number, options: { bigint: true }): FileSystemStats;
  readdirSync(path: string): unknown;
  openSync(path: string, flags: string): number;
  closeSync(fd: number): void;
  readSync(fd: number, target: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, source: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(fd: number, size: number): void;
  mkdirSync(path: string): unknown;
  rmdirSync(path: string): void;
  unlinkSync(path: string): void;
  renameSync(from: string, to: string): void;
  futimesSync(fd: number, accessed: number, modified: number): void;
  lutimesSync(path: string, accessed: number, modified: number): void;
  symlinkSync?(target: string, path: string): unknown;
  readlinkSync?(path: string): unknown;
  linkSync?(from: string, to: string): void;
}

/** What is used of node:fs's bigint stats. */
export interface FileSystemStats {
  readonly ino: bigint;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly atimeMs: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export interface Volume {
  /** All changes are made through it, by path. What it does not have fails with ENOSYS. */
  readonly fs: Required<SynchronousFileSystem>;
  root(): VolumeDirectory;
  /** Takes the name away from a file, which stays what it is as long as it is `open`. */
  unlink(path: string, stat: FileStat, open: boolean): void;
  /** Takes away an empty directory. */
  removeDirectory(path: string, stat: FileStat): void;
  rename(from: string, to: string): void;
}

/** A directory that is held on to: it keeps its place when it, or one above, is moved. */
export interface VolumeDirectory {
  /** Where it is now. Fails with 'no-entry' when it was removed. */
  path(): string;
  stat(): FileStat;
  lookup(name: string): FileStat | undefined;
  /** How many entries it has. */
  count(): number;
  entries(): DirectoryEntry[];
  /** The directory `name`, undefined when that is something else. Fails with 'no-entry' when it is not there. */
  child(name: string): VolumeDirectory | undefined;
  /** Opens the file `name`, which is there. */
  open(name: string, write: boolean): VolumeFile;
  /** The same directory for one more holder, who closes it as well. */
  reopen(): VolumeDirectory;
  close(): void;
}

/** An open file: its descriptor, and what is quicker to ask than through that. The holder closes the descriptor. */
export interface VolumeFile {
  readonly fd: number;
  size(): number;
  /** Bytes that are kept for its content, which may be more than its size; Infinity where that is not known. */
  capacity(): number;
  stat(): FileStat;
  /** It has no name, and the last that had it open has closed it. */
  forget(): void;
}
