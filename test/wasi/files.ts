// File operations as a program does them, in both versions of WASI behind one interface: each throws the error code of wasi:filesystem. What is said
// about one version on one kind of directory is so said about all four pairs.
import type { Mount } from '../../src/wasi/filesystem/mount.ts';
import type { WasiHost } from '../../src/wasi/host.ts';
import {
  EVERY_RIGHT,
  FIRST_PREOPEN,
  makeMount,
  makeHost,
  OpenFlag,
  Preview1Guest,
  READ_RIGHTS,
  rootOf,
  STORE_KINDS,
  type TestHost,
  type TestMount,
} from './support.ts';

export interface Files {
  read(path: string): string;
  /** Creates or truncates. */
  write(path: string, text: string): void;
  create(path: string, exclusive: boolean): void;
  truncate(path: string): void;
  append(path: string, text: string): void;
  setSize(path: string, size: bigint): void;
  setTimes(path: string, modified: bigint): void;
  stat(path: string, follow?: boolean): { readonly type: string; readonly size: number; readonly modified: bigint };
  list(path: string): string[];
  makeDirectory(path: string): void;
  removeDirectory(path: string): void;
  remove(path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  symlink(target: string, path: string): void;
  readLink(path: string): string;
}

export const VERSIONS = ['0.2', 'preview 1'] as const;
export type Version = (typeof VERSIONS)[number];

export function filesOf(host: WasiHost, version: Version): Files {
  return version === '0.2' ? componentFiles(host) : preview1Files(new Preview1Guest(host));
}

/** Every pair of a kind of directory and a version of WASI, for describe.each. */
export const PAIRS = STORE_KINDS.flatMap((kind) => VERSIONS.map((version) => ({ kind, version })));

export interface Setup extends TestHost, TestMount {
  readonly files: Files;
}

/** One directory with `content`, mounted at /data of a guest with `policy`. */
export function setUp(
  { kind, version }: (typeof PAIRS)[number],
  content: Readonly<Record<string, string>> = {},
  policy: Parameters<typeof makeHost>[0] & { write?: boolean } = {},
): Setup {
  const made = makeMount(kind, content, policy.write);
  const mounts: Record<string, Mount> = { '/data': made.mount };
  const { write, ...rest } = policy;
  const test = makeHost({ mounts, ...rest });
  return { ...test, ...made, files: filesOf(test.host, version) };
}

function componentFiles(host: WasiHost): Files {
  const root = rootOf(host);
  const follow = { symlinkFollow: true };
  const READ = { read: true };
  const WRITE = { write: true };
  const opened = <Result>(descriptor: ReturnType<typeof root.openAt>, use: (descriptor: ReturnType<typeof root.openAt>) => Result): Result => {
    try {
      return use(descriptor);
    } finally {
      descriptor[Symbol.dispose]();
    }
  };
  const put = (descriptor: ReturnType<typeof root.openAt>, text: string): void => {
    const stream = descriptor.writeViaStream(0n);
    stream.blockingWriteAndFlush(Buffer.from(text));
    stream[Symbol.dispose]();
  };
  return {
    read: (path) => opened(root.openAt(follow, path, {}, READ), (file) => Buffer.from(file.read(1_000_000n, 0n)[0]).toString()),
    write: (path, text) => opened(root.openAt(follow, path, { create: true, truncate: true }, WRITE), (file) => put(file, text)),
    create: (path, exclusive) => opened(root.openAt(follow, path, { create: true, exclusive }, WRITE), () => {}),
    truncate: (path) => opened(root.openAt(follow, path, { truncate: true }, READ), () => {}),
    append: (path, text) =>
      opened(root.openAt(follow, path, {}, WRITE), (file) => {
        const stream = file.appendViaStream();
        stream.write(Buffer.from(text));
        stream[Symbol.dispose]();
      }),
    setSize: (path, size) => opened(root.openAt(follow, path, {}, WRITE), (file) => file.setSize(size)),
    setTimes: (path, modified) =>
      root.setTimesAt(
        follow,
        path,
        { tag: 'no-change' },
        { tag: 'timestamp', val: { seconds: modified / 1_000_000_000n, nanoseconds: Number(modified % 1_000_000_000n) } },
      ),
    stat: (path, followed = true) => {
      const stat = root.statAt({ symlinkFollow: followed }, path);
      const { seconds, nanoseconds } = stat.dataModificationTimestamp;
      return { type: stat.type, size: Number(stat.size), modified: seconds * 1_000_000_000n + BigInt(nanoseconds) };
    },
    list: (path) =>
      opened(root.openAt(follow, path, { directory: true }, READ), (directory) => {
        const names: string[] = [];
        const stream = directory.readDirectory();
        for (let entry = stream.readDirectoryEntry(); entry; entry = stream.readDirectoryEntry()) names.push(entry.name);
        stream[Symbol.dispose]();
        return names.sort();
      }),
    makeDirectory: (path) => root.createDirectoryAt(path),
    removeDirectory: (path) => root.removeDirectoryAt(path),
    remove: (path) => root.unlinkFileAt(path),
    rename: (from, to) => root.renameAt(from, root, to),
    link: (from, to) => root.linkAt({}, from, root, to),
    symlink: (target, path) => root.symlinkAt(target, path),
    readLink: (path) => root.readlinkAt(path),
  };
}

const FILE_TYPES = ['unknown', 'block-device', 'character-device', 'directory', 'regular-file', 'socket', 'socket', 'symbolic-link'];

function preview1Files(guest: Preview1Guest): Files {
  const check = (errno: number): void => {
    if (errno !== 0) throw CODES[errno] ?? errno;
  };
  const call = (name: string, ...args: (number | bigint)[]): void => check(guest.call(name, ...args));
  const opened = <Result>(path: string, options: Parameters<Preview1Guest['open']>[1], use: (fd: number) => Result): Result => {
    const { errno, fd } = guest.open(path, options);
    check(errno);
    try {
      return use(fd);
    } finally {
      call('fd_close', fd);
    }
  };
  const put = (fd: number, text: string): void => {
    const { errno, count } = guest.write(fd, text);
    check(errno);
    if (count !== Buffer.byteLength(text)) throw new Error(`a short write of ${count}`);
  };
  const at = FIRST_PREOPEN;
  return {
    read: (path) =>
      opened(path, { rights: READ_RIGHTS }, (fd) => {
        const { errno, text } = guest.read(fd, 10_000);
        check(errno);
        return text;
      }),
    write: (path, text) => opened(path, { flags: OpenFlag.CREATE | OpenFlag.TRUNCATE, rights: EVERY_RIGHT }, (fd) => put(fd, text)),
    create: (path, exclusive) => opened(path, { flags: OpenFlag.CREATE | (exclusive ? OpenFlag.EXCLUSIVE : 0), rights: EVERY_RIGHT }, () => {}),
    truncate: (path) => opened(path, { flags: OpenFlag.TRUNCATE, rights: READ_RIGHTS }, () => {}),
    append: (path, text) => opened(path, { rights: EVERY_RIGHT, fdFlags: 1 }, (fd) => put(fd, text)),
    setSize: (path, size) => opened(path, { rights: EVERY_RIGHT }, (fd) => call('fd_filestat_set_size', fd, size)),
    setTimes: (path, modified) => call('path_filestat_set_times', at, 1, ...guest.put(path), 0n, modified, 4),
    stat: (path, followed = true) => {
      const result = guest.room(64);
      call('path_filestat_get', at, followed ? 1 : 0, ...guest.put(path), result);
      const { view } = guest;
      return {
        type: FILE_TYPES[view.getUint8(result + 16)] ?? '',
        size: Number(view.getBigUint64(result + 32, true)),
        modified: view.getBigUint64(result + 48, true),
      };
    },
    list: (path) =>
      opened(path, { flags: OpenFlag.DIRECTORY, rights: READ_RIGHTS }, (fd) =>
        listing(guest, fd, 4096)
          .filter((name) => name !== '.' && name !== '..')
          .sort(),
      ),
    makeDirectory: (path) => call('path_create_directory', at, ...guest.put(path)),
    removeDirectory: (path) => call('path_remove_directory', at, ...guest.put(path)),
    remove: (path) => call('path_unlink_file', at, ...guest.put(path)),
    rename: (from, to) => call('path_rename', at, ...guest.put(from), at, ...guest.put(to)),
    link: (from, to) => call('path_link', at, 0, ...guest.put(from), at, ...guest.put(to)),
    symlink: (target, path) => call('path_symlink', ...guest.put(target), at, ...guest.put(path)),
    readLink: (path) => {
      const [buffer, result] = [guest.room(4096), guest.room(4)];
      call('path_readlink', at, ...guest.put(path), buffer, 4096, result);
      return guest.get(buffer, guest.view.getUint32(result, true)).toString();
    },
  };
}

/** Reads a directory as C's library does: with a buffer of `size` bytes, going on at the last cookie that was read whole. */
export function listing(guest: Preview1Guest, fd: number, size: number): string[] {
  const [buffer, result] = [guest.room(size), guest.room(4)];
  const names: string[] = [];
  let cookie = 0n;
  for (;;) {
    const errno = guest.call('fd_readdir', fd, buffer, size, cookie, result);
    if (errno !== 0) throw CODES[errno] ?? errno;
    const used = guest.view.getUint32(result, true);
    let at = 0;
    while (at + 24 <= used) {
      const length = guest.view.getUint32(buffer + at + 16, true);
      if (at + 24 + length > used) break;
      cookie = guest.view.getBigUint64(buffer + at, true);
      names.push(guest.get(buffer + at + 24, length).toString());
      at += 24 + length;
    }
    if (used < size) return names;
    if (at === 0) throw new Error('the buffer is too small for one entry');
  }
}

// Written down from the specification, not taken from the host's own table.
const CODES: Record<number, string> = {
  8: 'bad-descriptor',
  10: 'busy',
  20: 'exist',
  21: 'fault',
  25: 'illegal-byte-sequence',
  28: 'invalid',
  29: 'io',
  31: 'is-directory',
  32: 'loop',
  37: 'name-too-long',
  44: 'no-entry',
  51: 'insufficient-space',
  54: 'not-directory',
  55: 'not-empty',
  58: 'unsupported',
  63: 'not-permitted',
  69: 'read-only',
  75: 'cross-device',
};
