// Descriptors, files and directories of preview 1, called by hand: what each function gives for files of both kinds of directories.
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { listing } from './files.ts';
import { EVERY_RIGHT, FIRST_PREOPEN, makeHost, makeMount, MOUNT_KINDS, OpenFlag, Preview1Guest, READ_RIGHTS, stopOf } from './support.ts';

const content = { 'a.txt': '0123456789', 'sub/b.txt': 'below' };

function guestOn(kind: 'memory' | 'host' = 'memory', policy: object = {}): Preview1Guest {
  return new Preview1Guest(makeHost({ mounts: { '/data': makeMount(kind, content).mount }, ...policy }).host);
}

describe('preopens', () => {
  test('are numbered from 3 in the order of the mounts, with names of their exact length', () => {
    const mounts = { '/': memoryDirectory(), '/später': memoryDirectory() };
    const guest = new Preview1Guest(makeHost({ mounts }).host);
    const result = guest.room(8);
    const names = [3, 4].map((fd) => {
      expect(guest.call('fd_prestat_get', fd, result)).toBe(0);
      const length = guest.view.getUint32(result + 4, true);
      const [buffer] = guest.put('~'.repeat(20));
      expect(guest.call('fd_prestat_dir_name', fd, buffer, length - 1)).toBe(37);
      expect(guest.call('fd_prestat_dir_name', fd, buffer, 20)).toBe(0);
      expect(guest.get(buffer + length, 1).toString()).toBe('~');
      return guest.get(buffer, length).toString();
    });
    expect(names).toEqual(['/', '/später']);
    expect([0, 2, 5, -1].map((fd) => guest.call('fd_prestat_get', fd, result))).toEqual([8, 8, 8, 8]);
  });

  test('are not there without a file system grant', () => {
    expect(guestOn('memory', { grants: Cap.CONSOLE }).call('fd_prestat_get', 3, 0)).toBe(8);
  });

  test('tell C’s library what it may ask for', () => {
    const guest = guestOn();
    const result = guest.room(24);
    expect(guest.call('fd_fdstat_get', FIRST_PREOPEN, result)).toBe(0);
    expect(guest.view.getUint8(result)).toBe(3);
    // It asks for FD_READ, FD_WRITE, FD_SEEK and FD_TELL as far as a directory passes them on.
    const asked = (1n << 1n) | (1n << 2n) | (1n << 5n) | (1n << 6n);
    expect(guest.view.getBigUint64(result + 16, true) & asked).toBe(asked);
    const { fd } = guest.open('a.txt', { rights: READ_RIGHTS });
    expect(guest.call('fd_fdstat_get', fd, result)).toBe(0);
    expect([guest.view.getUint8(result), guest.view.getBigUint64(result + 8, true) & ((1n << 1n) | (1n << 6n))]).toEqual([4, 1n << 1n]);
  });
});

describe.each(MOUNT_KINDS)('open files of a %s directory', (kind) => {
  test('have a position that reading, writing and seeking move', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const at = guest.room(8);
    const seek = (offset: bigint, whence: number): bigint | number => guest.call('fd_seek', fd, offset, whence, at) || guest.view.getBigUint64(at, true);
    expect(guest.read(fd, 3).text).toBe('012');
    expect(seek(0n, 1)).toBe(3n);
    expect(seek(-2n, 2)).toBe(8n);
    expect(guest.read(fd, 10).text).toBe('89');
    expect(guest.read(fd, 10).text).toBe('');
    expect(seek(4n, 0)).toBe(4n);
    expect(guest.write(fd, 'AB', '', 'C')).toEqual({ errno: 0, count: 3 });
    expect([guest.call('fd_tell', fd, at), guest.view.getBigUint64(at, true)]).toEqual([0, 7n]);
    expect([seek(-1n, 0), seek(2n ** 63n - 1n, 1), seek(0n, 3), seek(-8n, 1)]).toEqual([28, 28, 28, 28]);
    expect(seek(20n, 0)).toBe(20n);
    expect(guest.write(fd, '!').errno).toBe(0);
    expect(seek(0n, 0) || guest.read(fd, 30).text).toBe('0123ABC789\0\0\0\0\0\0\0\0\0\0!');
  });

  test('are read and written at given positions without moving their own', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const result = guest.room(4);
    const [list, count] = guest.vectors('????', '????');
    expect(guest.call('fd_pread', fd, list, count, 4n, result)).toBe(0);
    expect(guest.view.getUint32(result, true)).toBe(6);
    expect(guest.get(guest.view.getUint32(list + 8, true), 4).toString()).toBe('89??');
    expect(guest.call('fd_pwrite', fd, ...guest.vectors('xy'), 1n, result)).toBe(0);
    expect(guest.read(fd, 4).text).toBe('0xy3');
    expect(guest.call('fd_pread', fd, list, count, -1n, result)).toBe(28);
    expect(guest.call('fd_pread', 0, list, count, 0n, result)).toBe(70);
  });

  test('that append write at the end, wherever their position is', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT, fdFlags: 1 });
    const result = guest.room(8);
    expect(guest.write(fd, 'x').errno).toBe(0);
    expect(guest.call('fd_seek', fd, 0n, 0, result)).toBe(0);
    expect(guest.write(fd, 'y').errno).toBe(0);
    expect(guest.call('fd_fdstat_set_flags', fd, 0)).toBe(0);
    expect(guest.call('fd_seek', fd, 0n, 0, result)).toBe(0);
    expect(guest.write(fd, 'z').errno).toBe(0);
    expect(guest.call('fd_seek', fd, 0n, 0, result) || guest.read(fd, 30).text).toBe('z123456789xy');
  });

  test('refuse what they were not opened for', () => {
    const guest = guestOn(kind);
    const reading = guest.open('a.txt').fd;
    expect(guest.write(reading, 'x').errno).toBe(8);
    expect(guest.call('fd_filestat_set_size', reading, 0n)).toBe(8);
    expect(guest.call('fd_allocate', reading, 0n, 100n)).toBe(8);
    const writing = guest.open('a.txt', { rights: 1n << 6n }).fd;
    expect(guest.read(writing, 1).errno).toBe(8);
    expect(guest.call('fd_readdir', reading, 0, 100, 0n, 0)).toBe(54);
    expect([guest.read(FIRST_PREOPEN, 1).errno, guest.write(FIRST_PREOPEN, 'x').errno]).toEqual([31, 31]);
    expect(guest.write(0, 'x').errno).toBe(8);
    expect(guest.read(1, 1).errno).toBe(8);
  });

  test('show their size, type and times, and take new times, also the present', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const result = guest.room(64);
    const times = (): bigint[] => {
      expect(guest.call('fd_filestat_get', fd, result)).toBe(0);
      return [guest.view.getBigUint64(result + 40, true), guest.view.getBigUint64(result + 48, true)];
    };
    expect(guest.call('fd_filestat_set_times', fd, 5_000_000_000n, 7_000_000_000n, 1 | 4)).toBe(0);
    expect(times()).toEqual([5_000_000_000n, 7_000_000_000n]);
    expect([guest.view.getUint8(result + 16), guest.view.getBigUint64(result + 32, true), guest.view.getBigUint64(result + 24, true)]).toEqual([4, 10n, 1n]);
    expect(guest.call('fd_filestat_set_times', fd, 0n, 0n, 8)).toBe(0);
    expect([times()[0], (times()[1] ?? 0n) > 10n ** 18n]).toEqual([5_000_000_000n, true]);
    expect([guest.call('fd_filestat_set_times', fd, 0n, 0n, 1 | 2), guest.call('fd_filestat_set_times', fd, 0n, 0n, 4 | 8)]).toEqual([28, 28]);
    expect(guest.call('fd_filestat_get', 0, result) || guest.view.getUint8(result + 16)).toBe(2);
  });

  test('are told apart and recognised by device and inode', () => {
    const host = makeHost({ mounts: { '/one': makeMount(kind, content).mount, '/two': makeMount(kind, content).mount } }).host;
    const guest = new Preview1Guest(host);
    const identity = (path: string, dir = FIRST_PREOPEN): string => {
      const result = guest.room(64);
      expect(guest.call('path_filestat_get', dir, 0, ...guest.put(path), result)).toBe(0);
      return `${guest.view.getBigUint64(result, true)}:${guest.view.getBigUint64(result + 8, true)}`;
    };
    expect(identity('a.txt')).toBe(identity('sub/../a.txt'));
    expect(new Set([identity('a.txt'), identity('sub'), identity('a.txt', 4), identity('sub', 4)]).size).toBe(4);
  });

  test('can be synchronised, while files and while they are opened so', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT, fdFlags: 16 });
    expect(guest.write(fd, 'x').errno).toBe(0);
    expect([guest.call('fd_sync', fd), guest.call('fd_datasync', fd), guest.call('fd_sync', FIRST_PREOPEN), guest.call('fd_sync', 1)]).toEqual([0, 0, 0, 0]);
    expect(guest.call('fd_fdstat_set_flags', fd, 0)).toBe(58);
    expect(guest.call('fd_fdstat_set_flags', fd, 16 | 4)).toBe(0);
    expect(guest.call('fd_fdstat_set_flags', fd, 32)).toBe(28);
  });

  test('take every advice that there is', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt');
    expect([0, 1, 2, 3, 4, 5, 6, -1, 2 ** 31 - 1].map((advice) => guest.call('fd_advise', fd, 0n, 10n, advice))).toEqual([0, 0, 0, 0, 0, 0, 28, 28, 28]);
    expect([guest.call('fd_advise', FIRST_PREOPEN, 0n, 0n, 0), guest.call('fd_advise', 0, 0n, 0n, 0)]).toEqual([31, 70]);
  });
});

describe.each(MOUNT_KINDS)('room in a %s directory', (kind) => {
  const sizeOf = (guest: Preview1Guest, fd: number): bigint => {
    const result = guest.room(64);
    expect(guest.call('fd_filestat_get', fd, result)).toBe(0);
    return guest.view.getBigUint64(result + 32, true);
  };

  test('is made for a file up to where it is asked for, in zeros, and never taken away', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    const sizes = [
      [0n, 5n],
      [8n, 4n],
      [100_000n, 1n],
      [0n, 1n],
    ].map(([offset = 0n, length = 0n]) => [guest.call('fd_allocate', fd, offset, length), sizeOf(guest, fd)]);
    expect(sizes).toEqual([
      [0, 10n],
      [0, 12n],
      [0, 100_001n],
      [0, 100_001n],
    ]);
    expect(guest.read(fd, 13).text).toBe('0123456789\0\0\0');
    expect([guest.call('fd_allocate', fd, 0n, 0n), guest.call('fd_allocate', fd, -1n, -1n), guest.call('fd_allocate', fd, 2n ** 53n - 1n, 1n)]).toEqual([
      28, 22, 22,
    ]);
    expect([guest.call('fd_allocate', 1, 0n, 1n), guest.call('fd_allocate', FIRST_PREOPEN, 0n, 1n)]).toEqual([70, 31]);
  });

  test('costs fuel by what is made', () => {
    const { host, control } = makeHost({ mounts: { '/data': makeMount(kind, content).mount } });
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
    control.budget = control.units + 1_000_000;
    expect(stopOf(() => guest.call('fd_allocate', fd, 0n, 2n ** 40n))).toBe('FUEL_EXHAUSTED');
    control.budget = Infinity;
    expect(sizeOf(guest, fd)).toBeLessThan(8_000_000n);
  });
});

test('room that a memory directory does not have is not made at all', () => {
  const guest = guestOn('memory', { limits: { hostBytes: 1_000_000 } });
  const { fd } = guest.open('a.txt', { rights: EVERY_RIGHT });
  const result = guest.room(64);
  expect(guest.call('fd_allocate', fd, 0n, 1_000_011n)).toBe(51);
  expect(guest.call('fd_filestat_get', fd, result) || guest.view.getBigUint64(result + 32, true)).toBe(10n);
  expect(guest.call('fd_allocate', fd, 0n, 1_000_010n)).toBe(0);
});

describe.each(MOUNT_KINDS)('opening in a %s directory', (kind) => {
  test.each([
    ['a directory as a directory', 'sub', OpenFlag.DIRECTORY, READ_RIGHTS, 0],
    ['a directory as anything', 'sub', 0, READ_RIGHTS, 0],
    ['a directory without rights', 'sub', 0, 0n, 0],
    ['a directory to write', 'sub', OpenFlag.DIRECTORY, EVERY_RIGHT, 31],
    ['a directory to truncate', 'sub', OpenFlag.TRUNCATE, READ_RIGHTS, 31],
    ['a directory that exists to create', 'sub', OpenFlag.CREATE, READ_RIGHTS, 31],
    ['a file as a directory', 'a.txt', OpenFlag.DIRECTORY, READ_RIGHTS, 54],
    ['to create a directory', 'new', OpenFlag.CREATE | OpenFlag.DIRECTORY, READ_RIGHTS, 28],
    ['a file to create exclusively', 'a.txt', OpenFlag.CREATE | OpenFlag.EXCLUSIVE, READ_RIGHTS, 20],
    ['a file exclusively without creating', 'a.txt', OpenFlag.EXCLUSIVE, READ_RIGHTS, 0],
    ['what is not there', 'new', OpenFlag.TRUNCATE, READ_RIGHTS, 44],
    ['the directory itself', '.', OpenFlag.DIRECTORY, READ_RIGHTS, 0],
  ])('%s', (_name, path, flags, rights, errno) => {
    expect(guestOn(kind).open(path, { flags, rights }).errno).toBe(errno);
  });

  test('a link at the end is only followed when that is asked for', () => {
    const guest = guestOn(kind);
    expect(guest.call('path_symlink', ...guest.put('a.txt'), FIRST_PREOPEN, ...guest.put('link'))).toBe(0);
    expect([guest.open('link', { follow: true }).errno, guest.open('link', { follow: false }).errno]).toEqual([0, 32]);
    const [buffer, result] = [guest.put('~~~~~')[0], guest.room(4)];
    expect(guest.call('path_readlink', FIRST_PREOPEN, ...guest.put('link'), buffer, 3, result)).toBe(0);
    expect([guest.view.getUint32(result, true), guest.get(buffer, 5).toString()]).toEqual([3, 'a.t~~']);
  });

  test('below a directory that was opened before goes from there, and not above it', () => {
    const guest = guestOn(kind);
    const { fd: dir } = guest.open('sub', { flags: OpenFlag.DIRECTORY });
    const { fd } = guest.open('b.txt', { dir });
    expect([guest.read(fd, 10).text, guest.open('../a.txt', { dir }).errno]).toEqual(['below', 63]);
    expect(guest.open('x', { dir: fd }).errno).toBe(54);
    expect(guest.open('x', { dir: 0 }).errno).toBe(54);
    expect(guest.open('x', { dir: 77 }).errno).toBe(8);
  });

  test('a directory that was opened stays itself when it is moved, and is no entry when it is removed', () => {
    const guest = guestOn(kind);
    const { fd: dir } = guest.open('sub', { flags: OpenFlag.DIRECTORY });
    expect(guest.call('path_rename', FIRST_PREOPEN, ...guest.put('sub'), FIRST_PREOPEN, ...guest.put('moved'))).toBe(0);
    expect(guest.call('path_create_directory', FIRST_PREOPEN, ...guest.put('sub'))).toBe(0);
    expect(listing(guest, dir, 4096)).toEqual(['.', '..', 'b.txt']);
    expect(guest.call('path_unlink_file', dir, ...guest.put('b.txt'))).toBe(0);
    expect(guest.call('path_remove_directory', FIRST_PREOPEN, ...guest.put('moved'))).toBe(0);
    expect(guest.open('x', { dir, flags: OpenFlag.CREATE, rights: EVERY_RIGHT }).errno).toBe(44);
    expect(guest.call('path_create_directory', FIRST_PREOPEN, ...guest.put('moved'))).toBe(0);
    expect(guest.open('x', { dir, flags: OpenFlag.CREATE, rights: EVERY_RIGHT }).errno).toBe(44);
  });
});

describe.each(MOUNT_KINDS)('listing a %s directory', (kind) => {
  const names = Array.from({ length: 300 }, (_, index) => `file-${'x'.repeat(index % 40)}-${index}`);
  const listed = (): Preview1Guest =>
    new Preview1Guest(makeHost({ mounts: { '/data': makeMount(kind, Object.fromEntries(names.map((name) => [name, '']))).mount } }).host);

  test.each([80, 128, 1000, 65536])('with a buffer of %i bytes gives every entry once', (size) => {
    const guest = listed();
    const { fd } = guest.open('.', { flags: OpenFlag.DIRECTORY });
    const expected = ['.', '..', ...names].sort();
    expect(listing(guest, fd, size).sort()).toEqual(expected);
    expect(listing(guest, fd, size).sort()).toEqual(expected);
  });

  test('goes on at any cookie, gives nothing beyond the last, and cuts the entry that does not fit', () => {
    const guest = listed();
    const { fd } = guest.open('.', { flags: OpenFlag.DIRECTORY });
    const [buffer, result] = [guest.room(4096), guest.room(4)];
    const used = (length: number, cookie: bigint): number => guest.call('fd_readdir', fd, buffer, length, cookie, result) || guest.view.getUint32(result, true);
    expect(used(10, 0n)).toBe(10);
    expect(used(0, 0n)).toBe(0);
    expect(used(4096, 302n)).toBe(0);
    expect(used(4096, 301n)).toBeLessThan(100);
    expect([used(4096, 2n ** 64n - 1n), used(4096, -1n), used(4096, 2n ** 63n)]).toEqual([0, 0, 0]);
    expect(guest.call('fd_readdir', fd, buffer, -1, 0n, result)).toBe(21);
  });

  test('names types and numbers of its entries', () => {
    const guest = guestOn(kind);
    const { fd } = guest.open('.', { flags: OpenFlag.DIRECTORY });
    const [buffer, result] = [guest.room(4096), guest.room(64)];
    expect(guest.call('fd_readdir', fd, buffer, 4096, 2n, result)).toBe(0);
    const entries = new Map<string, [number, boolean]>();
    for (let at = 0; at < guest.view.getUint32(result, true); at += 24 + guest.view.getUint32(buffer + at + 16, true)) {
      const name = guest.get(buffer + at + 24, guest.view.getUint32(buffer + at + 16, true)).toString();
      entries.set(name, [guest.view.getUint8(buffer + at + 20), guest.view.getBigUint64(buffer + at + 8, true) !== 0n]);
    }
    expect(Object.fromEntries(entries)).toEqual({ 'a.txt': [4, true], sub: [3, true] });
  });
});

describe('descriptors', () => {
  test('get the lowest free number, and closed ones are no longer there', () => {
    const guest = guestOn();
    const fds = [guest.open('a.txt').fd, guest.open('a.txt').fd, guest.open('a.txt').fd];
    expect(fds).toEqual([4, 5, 6]);
    expect([guest.call('fd_close', 5), guest.call('fd_close', 5), guest.read(5, 1).errno]).toEqual([0, 8, 8]);
    expect([guest.open('a.txt').fd, guest.call('fd_close', 0), guest.open('a.txt').fd]).toEqual([5, 0, 0]);
    expect([-1, 2 ** 31, 1e9].map((fd) => guest.call('fd_close', fd))).toEqual([8, 8, 8]);
  });

  test('are not sockets', () => {
    const guest = guestOn();
    const calls = ['sock_accept', 'sock_recv', 'sock_send', 'sock_shutdown'];
    expect(calls.map((name) => [guest.call(name, 1, 0, 0, 0, 0, 0), guest.call(name, 99, 0, 0, 0, 0, 0)])).toEqual(calls.map(() => [57, 8]));
  });

  test('of two modules of one guest are separate', () => {
    const { host } = makeHost({ mounts: { '/data': memoryDirectory(content) } });
    const [one, two] = [new Preview1Guest(host), new Preview1Guest(host)];
    expect([one.open('a.txt').fd, two.read(4, 1).errno]).toEqual([4, 8]);
  });
});
