// Records of preview 1 as bytes, as far as both of its layouts have them: fdstat, dirent, event, and the numbers of file types.
import type { FileStat, FileType } from '../filesystem/backing.ts';
import type { RightsPair } from './rights.ts';

/** `filetype`. */
export const FILE_TYPE: Readonly<Record<FileType, number>> = {
  unknown: 0,
  'block-device': 1,
  'character-device': 2,
  directory: 3,
  'regular-file': 4,
  socket: 6,
  'symbolic-link': 7,
  fifo: 0,
};

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

export function fdstat(type: FileType, flags: number, rights: RightsPair): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  view.setUint8(0, FILE_TYPE[type]);
  view.setUint16(2, flags, true);
  // Each is a number of 64 bits, of which no more than 30 are flags.
  view.setUint32(8, rights.base, true);
  view.setUint32(16, rights.inheriting, true);
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
