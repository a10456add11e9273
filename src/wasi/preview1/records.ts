// Records of wasi_snapshot_preview1 as bytes: filestat, fdstat, dirent, event, and the numbers of file types and rights.
import type { FileStat, FileType } from '../filesystem/backing.ts';

const FILE_TYPE: Readonly<Record<FileType, number>> = {
  unknown: 0,
  'block-device': 1,
  'character-device': 2,
  directory: 3,
  'regular-file': 4,
  socket: 6,
  'symbolic-link': 7,
  fifo: 0,
};

/** Rights that decide something here: how a file is opened. */
export const Right = Object.freeze({ FD_READ: 1n << 1n, FD_WRITE: 1n << 6n });

const FD_DATASYNC = 1n << 0n;
const FD_SEEK = 1n << 2n;
const FD_FDSTAT_SET_FLAGS = 1n << 3n;
const FD_SYNC = 1n << 4n;
const FD_TELL = 1n << 5n;
const FD_ADVISE = 1n << 7n;
const FD_ALLOCATE = 1n << 8n;
const FD_READDIR = 1n << 14n;
// path_create_directory to path_open, path_readlink to path_filestat_set_times, path_symlink to path_unlink_file.
const PATH_ALL = (0b11111n << 9n) | (0b111111n << 15n) | (0b111n << 24n);
const FD_FILESTAT_GET = 1n << 21n;
const FD_FILESTAT_SET_SIZE = 1n << 22n;
const FD_FILESTAT_SET_TIMES = 1n << 23n;
const POLL_FD_READWRITE = 1n << 27n;

const READING = Right.FD_READ;
const WRITING = Right.FD_WRITE | FD_DATASYNC | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
const POSITION = FD_SEEK | FD_TELL;
const ANY = FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_ADVISE | FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES | POLL_FD_READWRITE;

/** What `fdstat` says a descriptor may do. C's library derives the access mode from it, and from a preopen's inheriting rights what it asks for. */
export const Rights = Object.freeze({
  file: (read: boolean, write: boolean): bigint => ANY | POSITION | (read ? READING : 0n) | (write ? WRITING : 0n),
  directory: ANY | PATH_ALL | FD_READDIR,
  inherited: ANY | POSITION | READING | WRITING | PATH_ALL | FD_READDIR,
  // C's library takes a character device without a position for a terminal, which standard streams here never are.
  input: ANY | POSITION | READING,
  output: ANY | POSITION | Right.FD_WRITE,
});

export function filestat(stat: FileStat): Uint8Array {
  const view = new DataView(new ArrayBuffer(64));
  view.setBigUint64(0, stat.device, true);
  view.setBigUint64(8, stat.inode, true);
  view.setUint8(16, FILE_TYPE[stat.type]);
  view.setBigUint64(24, stat.links, true);
  view.setBigUint64(32, stat.size, true);
  view.setBigUint64(40, stat.accessed, true);
  view.setBigUint64(48, stat.modified, true);
  view.setBigUint64(56, stat.changed, true);
  return new Uint8Array(view.buffer);
}

/** Standard streams: nothing but a type. */
export const STREAM_STAT: FileStat = Object.freeze({
  type: 'character-device',
  links: 1n,
  size: 0n,
  device: 0n,
  inode: 0n,
  accessed: 0n,
  modified: 0n,
  changed: 0n,
});

export function fdstat(type: FileType, flags: number, rights: bigint, inheriting: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint8(0, FILE_TYPE[type]);
  view.setUint16(2, flags, true);
  view.setBigUint64(8, rights, true);
  view.setBigUint64(16, inheriting, true);
  return new Uint8Array(view.buffer);
}

/** A `dirent` with its name; `next` is the cookie of the entry after it. */
export function dirent(next: bigint, inode: bigint, type: FileType, name: string): Uint8Array {
  const text = Buffer.from(name);
  const bytes = new Uint8Array(24 + text.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, next, true);
  view.setBigUint64(8, inode, true);
  view.setUint32(16, text.length, true);
  view.setUint8(20, FILE_TYPE[type]);
  bytes.set(text, 24);
  return bytes;
}

/** What happened to one subscription of `poll_oneoff`. */
export interface PollEvent {
  readonly userdata: bigint;
  readonly errno: number;
  readonly type: number;
  /** Bytes that can be read. */
  readonly available: bigint;
  readonly hangup: boolean;
}

export const EVENT_BYTES = 32;

export function eventRecord(event: PollEvent): Uint8Array {
  const view = new DataView(new ArrayBuffer(EVENT_BYTES));
  view.setBigUint64(0, event.userdata, true);
  view.setUint16(8, event.errno, true);
  view.setUint8(10, event.type);
  view.setBigUint64(16, event.available, true);
  view.setUint16(24, event.hangup ? 1 : 0, true);
  return new Uint8Array(view.buffer);
}
