// A real directory as the store of a mount. Every object is reached from an open directory, held by an anchor, by a single name that is not followed when
// it is a link. Only regular files are opened.
import {
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, FileTimes, FileType, OpenAccess } from './backing.ts';
import { MAX_ENTRIES } from './backing.ts';
import { attempt, fail } from './errors.ts';
import { type Anchor, HAS_DESCRIPTOR_PATHS, openAnchor } from './host-anchors.ts';

/** Opens the directory at `path`, which the host chose: links on the way to it are followed. Throws node:fs errors. */
export function openHostDirectory(path: string): BackingDirectory {
  return new HostDirectory(openAnchor(path));
}

// Entries that are read at once.
const BATCH_ENTRIES = 64;

class HostDirectory implements BackingDirectory {
  readonly #anchor: Anchor;

  constructor(anchor: Anchor) {
    this.#anchor = anchor;
  }

  stat(): FileStat {
    return attempt(() => fileStat(this.#anchor.stat()));
  }

  setTimes(times: FileTimes): void {
    attempt(() => utimesSync(this.#anchor.self(), seconds(times.accessed), seconds(times.modified)));
  }

  sync(): void {
    attempt(() => {
      const fd = openSync(this.#anchor.self(), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  entries(pay: (count: number) => void): DirectoryEntry[] {
    return attempt(() => {
      const directory = opendirSync(this.#anchor.self(), { bufferSize: BATCH_ENTRIES });
      try {
        const entries: DirectoryEntry[] = [];
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          if (entries.length === MAX_ENTRIES) fail('insufficient-memory');
          if (entries.length % BATCH_ENTRIES === 0) pay(BATCH_ENTRIES);
          entries.push({ name: entry.name, type: typeOf(entry) });
        }
        return entries;
      } finally {
        directory.closeSync();
      }
    });
  }

  reopen(): BackingDirectory {
    return attempt(() => new HostDirectory(this.#anchor.reopen()));
  }

  descend(names: readonly string[]): BackingDirectory[] {
    return attempt(() => this.#anchor.descend(names)).map((anchor) => new HostDirectory(anchor));
  }

  lookup(name: string): FileStat | undefined {
    const stats = attempt(() => lstatSync(this.#anchor.at(name), { bigint: true, throwIfNoEntry: false }));
    return stats && fileStat(stats);
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    const mode = access.write ? (access.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
    const making = access.create ? constants.O_CREAT | (access.exclusive ? constants.O_EXCL : 0) : 0;
    const fd = attempt(() => openSync(this.#anchor.at(name), mode | making | NEVER_FOLLOW_NOR_WAIT, 0o666));
    try {
      // What was opened need not be what was looked at.
      const stats = attempt(() => fstatSync(fd, { bigint: true }));
      refuseUnlessRegular(typeOf(stats));
      this.#refuseKernelFiles(fd, stats);
      return new HostFile(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  readLink(name: string): string {
    return attempt(() => readlinkSync(this.#anchor.at(name)));
  }

  setTimesOf(name: string, times: FileTimes): void {
    attempt(() => lutimesSync(this.#anchor.at(name), seconds(times.accessed), seconds(times.modified)));
  }

  createDirectory(name: string): void {
    attempt(() => mkdirSync(this.#anchor.at(name)));
  }

  createLink(name: string, target: string): void {
    attempt(() => symlinkSync(target, this.#anchor.at(name)));
  }

  removeDirectory(name: string): void {
    attempt(() => rmdirSync(this.#anchor.at(name)));
  }

  removeFile(name: string): void {
    attempt(() => unlinkSync(this.#anchor.at(name)));
  }

  link(name: string, target: BackingDirectory, newName: string): void {
    attempt(() => linkSync(this.#anchor.at(name), HostDirectory.#pathIn(target, newName)));
  }

  rename(name: string, target: BackingDirectory, newName: string): void {
    attempt(() => renameSync(this.#anchor.at(name), HostDirectory.#pathIn(target, newName)));
  }

  close(): void {
    this.#anchor.close();
  }

  static #pathIn(directory: BackingDirectory, name: string): string {
    return directory instanceof HostDirectory ? directory.#anchor.at(name) : fail('cross-device');
  }

  // /proc and /sys say of their files that they are regular, but they are the kernel's: environments, memory, settings. They have no blocks.
  #refuseKernelFiles(fd: number, stats: BigIntStats): void {
    if (!HAS_DESCRIPTOR_PATHS || stats.blocks !== 0n) return;
    const type = attempt(() => statfsSync(`/proc/self/fd/${fd}`).type);
    if (KERNEL_FILE_SYSTEMS.has(type)) fail('not-permitted');
  }
}

// A fifo or a device must not make the host wait, nor a terminal become its own.
const NEVER_FOLLOW_NOR_WAIT = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

// statfs magic numbers: proc, sysfs, debugfs, tracefs, securityfs, cgroup, cgroup2, bpf, efivarfs, configfs, pstore.
const KERNEL_FILE_SYSTEMS = new Set([
  0x9fa0, 0x62656572, 0x64626720, 0x74726163, 0x73636673, 0x27e0eb, 0x63677270, 0xcafe4a11, 0xde5e81e4, 0x62656570, 0x6165676c,
]);

function refuseUnlessRegular(type: FileType): void {
  if (type === 'regular-file') return;
  fail(type === 'directory' ? 'is-directory' : type === 'symbolic-link' ? 'loop' : 'not-permitted');
}

class HostFile implements BackingFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  stat(): FileStat {
    return attempt(() => fileStat(fstatSync(this.#fd, { bigint: true })));
  }

  size(): number {
    return attempt(() => fstatSync(this.#fd).size);
  }

  read(target: Uint8Array, position: number): number {
    return attempt(() => readSync(this.#fd, target, 0, target.length, position));
  }

  write(source: Uint8Array, position: number): number {
    return attempt(() => writeSync(this.#fd, source, 0, source.length, position));
  }

  setSize(size: number): void {
    attempt(() => ftruncateSync(this.#fd, size));
  }

  setTimes(times: FileTimes): void {
    attempt(() => futimesSync(this.#fd, seconds(times.accessed), seconds(times.modified)));
  }

  sync(dataOnly: boolean): void {
    attempt(() => (dataOnly ? fdatasyncSync : fsyncSync)(this.#fd));
  }

  close(): void {
    attempt(() => closeSync(this.#fd));
  }
}

function fileStat(stats: BigIntStats): FileStat {
  return {
    type: typeOf(stats),
    links: stats.nlink,
    size: stats.size,
    device: stats.dev,
    inode: stats.ino,
    accessed: sinceEpoch(stats.atimeNs),
    modified: sinceEpoch(stats.mtimeNs),
    changed: sinceEpoch(stats.ctimeNs),
  };
}

// WASI has no times before 1970.
function sinceEpoch(nanoseconds: bigint): bigint {
  return nanoseconds < 0n ? 0n : nanoseconds;
}

function typeOf(entry: BigIntStats | Dirent): FileType {
  if (entry.isFile()) return 'regular-file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'symbolic-link';
  if (entry.isCharacterDevice()) return 'character-device';
  if (entry.isBlockDevice()) return 'block-device';
  if (entry.isFIFO()) return 'fifo';
  if (entry.isSocket()) return 'socket';
  return 'unknown';
}

// node:fs takes seconds as a double: exact to about a quarter of a microsecond.
function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
