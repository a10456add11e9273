// What a mount is made of: open directories and files of one store, with the small set of synchronous operations that WASI needs. Implemented by
// `memory.ts` and `host-directory.ts`, and over those by `read-only.ts`, `overlay.ts` and `placed-files.ts`. Names are single components, never '.', '..' or
// a path, and nothing here ever follows a symbolic link: paths, links, denied paths and grants are decided above, in `resolve.ts`, `directory.ts`, `file.ts`.

export type FileType = 'unknown' | 'block-device' | 'character-device' | 'directory' | 'fifo' | 'symbolic-link' | 'regular-file' | 'socket';

/** What is known of a file; times in nanoseconds since 1970. `device` and `inode` name an object within its mount. */
export interface FileStat {
  readonly type: FileType;
  readonly links: bigint;
  readonly size: bigint;
  readonly device: bigint;
  readonly inode: bigint;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** Access and modification time to set, in nanoseconds since 1970. */
export interface FileTimes {
  readonly accessed: bigint;
  readonly modified: bigint;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly type: FileType;
}

export interface OpenAccess {
  readonly read: boolean;
  readonly write: boolean;
  /** Makes the file when it is not there. */
  readonly create: boolean;
  /** With `create`: fails with 'exist' when it is there. */
  readonly exclusive: boolean;
  /** With `write`: the caller cuts the file to nothing next, so that its content need not be kept. */
  readonly truncate: boolean;
}

/** An open regular file. Positions and sizes are safe integers. The holder closes it, once. */
export interface BackingFile {
  stat(): FileStat;
  size(): number;
  /** Bytes read into `target`, 0 at the end of the file. */
  read(target: Uint8Array, position: number): number;
  write(source: Uint8Array, position: number): number;
  setSize(size: number): void;
  setTimes(times: FileTimes): void;
  sync(dataOnly: boolean): void;
  close(): void;
}

/** An open directory. Directories that it opens are the caller's to close; it closes once, and never fails at that. */
export interface BackingDirectory {
  stat(): FileStat;
  setTimes(times: FileTimes): void;
  sync(): void;
  /**
   * The entries without '.' and '..', at most {@link MAX_ENTRIES}: more is 'insufficient-memory'. Calls `pay` with a number of entries before it looks at
   * so many, also when it fails for them.
   */
  entries(pay: (count: number) => void): DirectoryEntry[];
  /** The same directory, opened once more. */
  reopen(): BackingDirectory;
  /**
   * Opens the first of `names` in this directory, the second in that, and so on, as long as they are directories: all that were opened. Fails with
   * 'no-entry' when one is not there, and has closed the others then.
   */
  descend(names: readonly string[]): BackingDirectory[];
  /** What `name` is, links not followed; undefined when it is not there. */
  lookup(name: string): FileStat | undefined;
  /** Opens the regular file `name`; a link is 'loop', a directory 'is-directory', anything else 'not-permitted'. */
  openFile(name: string, access: OpenAccess): BackingFile;
  readLink(name: string): string;
  setTimesOf(name: string, times: FileTimes): void;
  createDirectory(name: string): void;
  createLink(name: string, target: string): void;
  removeDirectory(name: string): void;
  removeFile(name: string): void;
  /** Hard link of the file `name` as `newName` in `target`, which is a directory of the same mount. */
  link(name: string, target: BackingDirectory, newName: string): void;
  /** Moves `name` to `newName` in `target`, which is a directory of the same mount, replacing a file or an empty directory there. */
  rename(name: string, target: BackingDirectory, newName: string): void;
  close(): void;
}

/** Entries of one directory that are listed at most, about 10 MB of the host's memory. */
export const MAX_ENTRIES = 65_536;
