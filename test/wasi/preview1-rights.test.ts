// Rights of preview 1: what a descriptor says that it may do, that a guest can give rights up and never get one back, and that what was given up no longer
// works, nor through what is opened after.
import { describe, expect, test } from 'vitest';
import { EVERY_RIGHT, FIRST_PREOPEN, makeHost, makeMount, MOUNT_KINDS, OpenFlag, Preview1Guest, READ_RIGHTS } from './support.ts';

const right = (bit: number): bigint => 1n << BigInt(bit);
const FD_DATASYNC = right(0);
const FD_READ = right(1);
const FD_SEEK = right(2);
const FD_FDSTAT_SET_FLAGS = right(3);
const FD_SYNC = right(4);
const FD_TELL = right(5);
const FD_WRITE = right(6);
const FD_ADVISE = right(7);
const FD_ALLOCATE = right(8);
const FD_READDIR = right(14);
const FD_FILESTAT_GET = right(21);
const FD_FILESTAT_SET_SIZE = right(22);
const FD_FILESTAT_SET_TIMES = right(23);
const POLL_FD_READWRITE = right(27);
const NOTCAPABLE = 76;

function guestOn(kind: 'memory' | 'host' = 'memory'): Preview1Guest {
  return new Preview1Guest(makeHost({ mounts: { '/data': makeMount(kind, { 'a.txt': '0123456789', 'sub/b.txt': 'below' }).mount } }).host);
}

function rightsOf(guest: Preview1Guest, fd: number): { base: bigint; inheriting: bigint } {
  const result = guest.room(24);
  expect(guest.call('fd_fdstat_get', fd, result)).toBe(0);
  return { base: guest.view.getBigUint64(result + 8, true), inheriting: guest.view.getBigUint64(result + 16, true) };
}

function giveUp(guest: Preview1Guest, fd: number, base: bigint, inheriting = 0n): void {
  const held = rightsOf(guest, fd);
  expect(guest.call('fd_fdstat_set_rights', fd, held.base & ~base, held.inheriting & ~inheriting)).toBe(0);
}

interface RightedCall {
  readonly name: string;
  readonly needed: bigint;
  readonly call: (guest: Preview1Guest, fd: number) => number;
}

/** What can be done with a file that was opened with every right, and what it needs. */
const OF_FILES: readonly RightedCall[] = [
  { name: 'fd_datasync', needed: FD_DATASYNC, call: (guest, fd) => guest.call('fd_datasync', fd) },
  { name: 'fd_read', needed: FD_READ, call: (guest, fd) => guest.read(fd, 1).errno },
  { name: 'fd_pread', needed: FD_READ | FD_SEEK, call: (guest, fd) => guest.call('fd_pread', fd, ...guest.vectors('?'), 0n, guest.room(4)) },
  { name: 'fd_seek', needed: FD_SEEK, call: (guest, fd) => guest.call('fd_seek', fd, 0n, 0, guest.room(8)) },
  { name: 'fd_seek to where it is', needed: FD_TELL, call: (guest, fd) => guest.call('fd_seek', fd, 0n, 1, guest.room(8)) },
  { name: 'fd_fdstat_set_flags', needed: FD_FDSTAT_SET_FLAGS, call: (guest, fd) => guest.call('fd_fdstat_set_flags', fd, 0) },
  { name: 'fd_sync', needed: FD_SYNC, call: (guest, fd) => guest.call('fd_sync', fd) },
  { name: 'fd_tell', needed: FD_TELL, call: (guest, fd) => guest.call('fd_tell', fd, guest.room(8)) },
  { name: 'fd_write', needed: FD_WRITE, call: (guest, fd) => guest.write(fd, 'x').errno },
  { name: 'fd_pwrite', needed: FD_WRITE | FD_SEEK, call: (guest, fd) => guest.call('fd_pwrite', fd, ...guest.vectors('x'), 0n, guest.room(4)) },
  { name: 'fd_advise', needed: FD_ADVISE, call: (guest, fd) => guest.call('fd_advise', fd, 0n, 0n, 0) },
  { name: 'fd_allocate', needed: FD_ALLOCATE, call: (guest, fd) => guest.call('fd_allocate', fd, 0n, 1n) },
  { name: 'fd_filestat_get', needed: FD_FILESTAT_GET, call: (guest, fd) => guest.call('fd_filestat_get', fd, guest.room(64)) },
  { name: 'fd_filestat_set_size', needed: FD_FILESTAT_SET_SIZE, call: (guest, fd) => guest.call('fd_filestat_set_size', fd, 5n) },
  { name: 'fd_filestat_set_times', needed: FD_FILESTAT_SET_TIMES, call: (guest, fd) => guest.call('fd_filestat_set_times', fd, 0n, 0n, 1) },
];

const DIR = FIRST_PREOPEN;
const PATH_OPEN = right(13);

/** What can be done with the mounted directory, again and again. */
const OF_DIRECTORIES: readonly RightedCall[] = [
  { name: 'path_open', needed: PATH_OPEN, call: (guest) => guest.open('a.txt').errno },
  { name: 'path_open, to create', needed: PATH_OPEN | right(10), call: (guest) => guest.open('a.txt', { flags: OpenFlag.CREATE }).errno },
  { name: 'path_open, to truncate', needed: PATH_OPEN | right(19), call: (guest) => guest.open('a.txt', { flags: OpenFlag.TRUNCATE }).errno },
  { name: 'fd_readdir', needed: FD_READDIR, call: (guest) => guest.call('fd_readdir', DIR, guest.room(80), 80, 0n, guest.room(4)) },
  { name: 'fd_filestat_get', needed: FD_FILESTAT_GET, call: (guest) => guest.call('fd_filestat_get', DIR, guest.room(64)) },
  { name: 'path_filestat_get', needed: right(18), call: (guest) => guest.call('path_filestat_get', DIR, 0, ...guest.put('a.txt'), guest.room(64)) },
  { name: 'path_filestat_set_times', needed: right(20), call: (guest) => guest.call('path_filestat_set_times', DIR, 0, ...guest.put('a.txt'), 0n, 0n, 1) },
  { name: 'path_readlink', needed: right(15), call: (guest) => guest.call('path_readlink', DIR, ...guest.put('link'), guest.room(8), 8, guest.room(4)) },
  {
    name: 'path_rename',
    needed: right(16) | right(17),
    call: (guest) => guest.call('path_rename', DIR, ...guest.put('a.txt'), DIR, ...guest.put('a.txt')),
  },
  {
    name: 'path_link and path_unlink_file',
    needed: right(11) | right(12) | right(26),
    call: (guest) =>
      guest.call('path_link', DIR, 0, ...guest.put('a.txt'), DIR, ...guest.put('new')) || guest.call('path_unlink_file', DIR, ...guest.put('new')),
  },
  {
    name: 'path_symlink and path_unlink_file',
    needed: right(24) | right(26),
    call: (guest) => guest.call('path_symlink', ...guest.put('a.txt'), DIR, ...guest.put('sign')) || guest.call('path_unlink_file', DIR, ...guest.put('sign')),
  },
  {
    name: 'path_create_directory and path_remove_directory',
    needed: right(9) | right(25),
    call: (guest) => guest.call('path_create_directory', DIR, ...guest.put('made')) || guest.call('path_remove_directory', DIR, ...guest.put('made')),
  },
];

const bitsOf = (mask: bigint): bigint[] => Array.from({ length: 64 }, (_, bit) => right(bit)).filter((bit) => (mask & bit) !== 0n);
const needing = (calls: readonly RightedCall[], bit: bigint): string[] => calls.filter(({ needed }) => (needed & bit) !== 0n).map(({ name }) => name);

describe('a right that was given up', () => {
  test.each(bitsOf(OF_FILES.reduce((mask, { needed }) => mask | needed, 0n) & ~FD_TELL))('of a file, %s, is missed by just the calls that need it', (bit) => {
    const guest = guestOn();
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    expect(OF_FILES.map(({ call }) => call(guest, fd))).toEqual(OF_FILES.map(() => 0));
    giveUp(guest, fd, bit);
    expect(OF_FILES.filter(({ call }) => call(guest, fd) === NOTCAPABLE).map(({ name }) => name)).toEqual(needing(OF_FILES, bit));
  });

  test('to ask for a position is kept with the right to move it, and lost with both', () => {
    const guest = guestOn();
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const told = (): number[] => OF_FILES.filter(({ needed }) => needed === FD_TELL).map(({ call }) => call(guest, fd));
    giveUp(guest, fd, FD_TELL);
    expect([told(), rightsOf(guest, fd).base & FD_TELL]).toEqual([[0, 0], FD_TELL]);
    giveUp(guest, fd, FD_SEEK);
    expect(told()).toEqual([0, 0]);
    giveUp(guest, fd, FD_TELL);
    expect(told()).toEqual([NOTCAPABLE, NOTCAPABLE]);
  });

  test.each(bitsOf(OF_DIRECTORIES.reduce((mask, { needed }) => mask | needed, 0n)))('of a directory, %s, is missed by just the calls that need it', (bit) => {
    const guest = guestOn();
    expect(guest.call('path_symlink', ...guest.put('a.txt'), DIR, ...guest.put('link'))).toBe(0);
    expect(OF_DIRECTORIES.map(({ call }) => call(guest, DIR))).toEqual(OF_DIRECTORIES.map(() => 0));
    giveUp(guest, DIR, bit);
    expect(OF_DIRECTORIES.filter(({ call }) => call(guest, DIR) === NOTCAPABLE).map(({ name }) => name)).toEqual(needing(OF_DIRECTORIES, bit));
  });

  test.each([
    ['poll_oneoff, to read', 1, FD_READ],
    ['poll_oneoff, to write', 2, FD_WRITE],
    ['poll_oneoff, to read', 1, POLL_FD_READWRITE],
    ['poll_oneoff, to write', 2, POLL_FD_READWRITE],
  ])('%s tells it as the error of the event', (_name, type, needed) => {
    const guest = guestOn();
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const [subscription] = guest.put(new Uint8Array(48));
    const [events, result] = [guest.room(32), guest.room(4)];
    guest.view.setUint8(subscription + 8, type);
    guest.view.setUint32(subscription + 16, fd, true);
    const polled = (): number => guest.call('poll_oneoff', subscription, events, 1, result) || guest.view.getUint16(events + 8, true);
    expect(polled()).toBe(0);
    giveUp(guest, fd, needed);
    expect(polled()).toBe(NOTCAPABLE);
  });

  test('never comes back, nor does one that was never there come', () => {
    const guest = guestOn();
    const { fd } = guest.open('a.txt', { rights: FD_READ });
    const { base } = rightsOf(guest, fd);
    giveUp(guest, fd, FD_ADVISE);
    const set = (more: bigint, inheriting = 0n): number => guest.call('fd_fdstat_set_rights', fd, (base & ~FD_ADVISE) | more, inheriting);
    expect([set(0n), set(FD_ADVISE), set(FD_WRITE), set(right(28)), set(right(63)), set(0n, FD_READ)]).toEqual([
      0,
      NOTCAPABLE,
      NOTCAPABLE,
      NOTCAPABLE,
      NOTCAPABLE,
      NOTCAPABLE,
    ]);
    expect(rightsOf(guest, fd)).toEqual({ base: base & ~FD_ADVISE, inheriting: 0n });
    expect(guest.call('fd_fdstat_set_rights', 99, 0n, 0n)).toBe(8);
  });

  test('is missing of one descriptor only, and moves with it', () => {
    const guest = guestOn();
    const [one, two] = [guest.open('a.txt', { rights: EVERY_RIGHT }).fd, guest.open('a.txt', { rights: EVERY_RIGHT }).fd];
    giveUp(guest, one, FD_WRITE);
    expect([guest.write(one, 'x').errno, guest.write(two, 'x').errno]).toEqual([NOTCAPABLE, 0]);
    expect(guest.call('fd_renumber', one, two)).toBe(0);
    expect(guest.write(two, 'x').errno).toBe(NOTCAPABLE);
    giveUp(guest, 1, FD_WRITE);
    expect([guest.write(1, 'x').errno, guest.write(2, 'x').errno]).toEqual([NOTCAPABLE, 0]);
  });
});

describe.each(MOUNT_KINDS)('rights that a %s directory hands on', (kind) => {
  test('and were given up are missing of what is opened through it, at any depth', () => {
    const guest = guestOn(kind);
    const opened = guest.open('a.txt', { rights: EVERY_RIGHT }).fd;
    giveUp(guest, DIR, 0n, FD_WRITE | FD_FILESTAT_GET);
    expect(guest.open('a.txt', { rights: EVERY_RIGHT }).errno).toBe(NOTCAPABLE);
    const { fd: dir } = guest.open('sub', { flags: OpenFlag.DIRECTORY });
    expect(guest.open('b.txt', { dir, rights: FD_WRITE }).errno).toBe(NOTCAPABLE);
    const { fd } = guest.open('b.txt', { dir, rights: READ_RIGHTS });
    expect([guest.read(fd, 5).text, guest.write(fd, 'x').errno, guest.call('fd_filestat_get', fd, guest.room(64))]).toEqual(['below', NOTCAPABLE, NOTCAPABLE]);
    expect(rightsOf(guest, fd).base & (FD_READ | FD_WRITE | FD_FILESTAT_GET)).toBe(FD_READ);
    expect(rightsOf(guest, dir).inheriting & (FD_READ | FD_WRITE | FD_FILESTAT_GET)).toBe(FD_READ);
    // What was open before keeps what it had.
    expect(guest.write(opened, 'x').errno).toBe(0);
  });

  test('need not be asked for one by one: reading and writing decide how a file is opened', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: FD_READ });
    expect(guest.call('fd_seek', fd, -1n, 2, guest.room(8)) || guest.read(fd, 1).text).toBe('9');
    expect(guest.write(fd, 'x').errno).toBe(8);
    const neither = guest.open('a.txt', { rights: 0n }).fd;
    expect([guest.read(neither, 1).text, guest.write(neither, 'x').errno]).toEqual(['0', 8]);
  });
});
