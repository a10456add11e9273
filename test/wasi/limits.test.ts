import { describe, expect, test } from 'vitest';
import { MAX_TRANSFER_BYTES } from '../../src/wasi/component/io.ts';
import { ENTRY_BYTES, MAX_DEPTH } from '../../src/wasi/filesystem/memory.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { filesOf, PAIRS, setUp, VERSIONS } from './files.ts';
import { EVERY_RIGHT, makeHost, makeMount, OpenFlag, Preview1Guest, rootOf, stopOf, thrownBy, wasi02 } from './support.ts';

describe('handles', () => {
  test('every resource of WASI 0.2 counts until it is dropped, and one more than the limit stops the guest', () => {
    const { host } = makeHost({ limits: { handles: 4 }, mounts: { '/data': memoryDirectory({ a: '' }) } });
    const root = rootOf(host);
    const { 'wasi:cli/stdout': stdout, 'wasi:clocks/monotonic-clock': clock } = wasi02(host);
    const held = [root.openAt({}, 'a', {}, { read: true }), stdout.getStdout(), clock.subscribeDuration(0n)];
    for (const one of [
      () => stdout.getStdout(),
      () => clock.subscribeInstant(0n),
      () => root.openAt({}, 'a', {}, { read: true }),
      () => root.readDirectory(),
      () => rootOf(host),
    ]) {
      expect(stopOf(one)).toBe('HANDLES_EXCEEDED');
    }
    held[0]?.[Symbol.dispose]();
    held[0]?.[Symbol.dispose]();
    stdout.getStdout();
    expect(stopOf(() => stdout.getStdout())).toBe('HANDLES_EXCEEDED');
  });

  test('what preview 1 opens counts, what it finds open does not', () => {
    const { host } = makeHost({ limits: { handles: 2 }, mounts: { '/a': memoryDirectory({ x: '' }), '/b': memoryDirectory(), '/c': memoryDirectory() } });
    const guest = new Preview1Guest(host);
    expect([guest.open('x').fd, guest.open('x').fd]).toEqual([6, 7]);
    expect(stopOf(() => guest.open('x'))).toBe('HANDLES_EXCEEDED');
    expect(guest.call('fd_close', 6)).toBe(0);
    expect(guest.open('x')).toEqual({ errno: 0, fd: 6 });
    expect(guest.call('fd_close', 4)).toBe(0);
    expect(stopOf(() => guest.open('x'))).toBe('HANDLES_EXCEEDED');
  });
});

describe.each(VERSIONS)('hostBytes through WASI %s', (version) => {
  const limit = 1_000_000;
  const setUpMemory = (files = {}) => setUp({ kind: 'memory', version }, files, { limits: { hostBytes: limit } }).files;

  test('a file may grow to the limit, and not by a byte more', () => {
    const files = setUpMemory();
    files.create('a', true);
    files.setSize('a', BigInt(limit - ENTRY_BYTES));
    expect(thrownBy(() => files.setSize('a', BigInt(limit - ENTRY_BYTES + 1)))).toBe('insufficient-space');
    expect(thrownBy(() => files.create('b', true))).toBe('insufficient-space');
    files.setSize('a', 10n);
    files.create('b', true);
    expect(thrownBy(() => files.setSize('b', 2n ** 50n))).toBe('insufficient-space');
    expect(files.stat('a').size).toBe(10);
  });

  test('names count as well as content, and what is removed is given back', () => {
    const files = setUpMemory();
    const room = Math.floor(limit / ENTRY_BYTES);
    const fill = (): number => {
      for (let made = 0; ; made += 1) if (thrownBy(() => files.makeDirectory(`d${made}`))) return made;
    };
    expect(fill()).toBe(room);
    for (const make of [() => files.create('f', true), () => files.symlink('x', 'l')]) expect(thrownBy(make)).toBe('insufficient-space');
    for (let index = 0; index < room; index += 1) files.removeDirectory(`d${index}`);
    expect(fill()).toBe(room);
  });

  test('making and removing leaves the count as it was, whatever it was made of', () => {
    const files = setUpMemory();
    files.create('big', true);
    files.setSize('big', BigInt(limit - 4 * ENTRY_BYTES));
    for (let round = 0; round < 100; round += 1) {
      files.symlink('x/'.repeat(1_000), 'link');
      files.rename('link', 'moved');
      files.remove('moved');
      files.write('file', 'x'.repeat(1_000));
      files.link('file', 'other');
      files.truncate('file');
      files.rename('file', 'other');
      files.remove('other');
      thrownBy(() => files.remove('file'));
      files.makeDirectory('directory');
      files.removeDirectory('directory');
    }
    files.setSize('big', BigInt(limit - ENTRY_BYTES));
    expect(thrownBy(() => files.setSize('big', BigInt(limit - ENTRY_BYTES + 1)))).toBe('insufficient-space');
  });

  test('what the host put there does not count, and removing it mints nothing', () => {
    const files = setUpMemory({ big: 'x'.repeat(2 * limit) });
    files.create('a', true);
    files.remove('big');
    files.setSize('a', BigInt(limit));
    expect(thrownBy(() => files.setSize('a', BigInt(limit + 2 * ENTRY_BYTES)))).toBe('insufficient-space');
  });

  test('guests that share a directory share its room, and later guests find what is left', () => {
    const mounts = { '/data': memoryDirectory() };
    const first = filesOf(makeHost({ mounts, limits: { hostBytes: limit } }).host, version);
    first.create('a', true);
    first.setSize('a', BigInt(limit - 3 * ENTRY_BYTES));
    const second = filesOf(makeHost({ mounts, limits: { hostBytes: limit } }).host, version);
    second.create('b', true);
    second.create('c', true);
    expect(thrownBy(() => second.create('d', true))).toBe('insufficient-space');
    // A guest with less room than is taken can still change what is there.
    const third = filesOf(makeHost({ mounts, limits: { hostBytes: 1_000 } }).host, version);
    expect([thrownBy(() => third.setSize('a', 10n)), thrownBy(() => third.create('e', true))]).toEqual([undefined, 'insufficient-space']);
  });

  test('listings that are held count, until they are let go', () => {
    const names = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${'n'.repeat(200)}${index}`, '']));
    const { host } = makeHost({ mounts: { '/data': memoryDirectory(names) }, limits: { hostBytes: limit } });
    const held: (() => void)[] = [];
    const hold = (): unknown => {
      if (version === '0.2') {
        const root = rootOf(host);
        return thrownBy(() => {
          const stream = root.readDirectory();
          held.push(() => stream[Symbol.dispose]());
        });
      }
      const { fd } = guest.open('.');
      const [buffer, result] = [guest.room(64), guest.room(4)];
      held.push(() => guest.call('fd_close', fd));
      return guest.call('fd_readdir', fd, buffer, 64, 0n, result) || undefined;
    };
    const guest = new Preview1Guest(host);
    expect([hold(), hold(), hold()]).toEqual([undefined, undefined, version === '0.2' ? 'insufficient-memory' : 48]);
    for (const letGo of held) letGo();
    expect(hold()).toBeUndefined();
  });
});

describe('directories that are made and removed for ever', () => {
  test('leave nothing behind in the store: their numbers are used again', () => {
    const guest = new Preview1Guest(makeHost({ mounts: { '/data': memoryDirectory() } }).host);
    const [pointer, length] = guest.put('d');
    const result = guest.room(64);
    for (let round = 0; round < 2_000; round += 1) {
      if (guest.call('path_create_directory', 3, pointer, length) || guest.call('path_remove_directory', 3, pointer, length)) throw new Error(`round ${round}`);
    }
    guest.call('path_create_directory', 3, pointer, length);
    expect(guest.call('path_filestat_get', 3, 0, pointer, length, result)).toBe(0);
    expect(guest.view.getBigUint64(result + 8, true)).toBeLessThan(100n);
  });
});

describe('a file that is open while its last name goes', () => {
  test('keeps its content and its place in the count until it is closed', () => {
    const { host } = makeHost({ mounts: { '/data': memoryDirectory() }, limits: { hostBytes: 100_000 } });
    const root = rootOf(host);
    const write = { write: true, read: true };
    const file = root.openAt({}, 'a', { create: true }, write);
    file.setSize(80_000n);
    root.unlinkFileAt('a');
    const other = root.openAt({}, 'a', { create: true }, write);
    expect(other.isSameObject(file)).toBe(false);
    expect(thrownBy(() => other.setSize(80_000n))).toBe('insufficient-space');
    expect(file.stat().size).toBe(80_000n);
    file[Symbol.dispose]();
    other.setSize(80_000n);
  });
});

describe('sizes of one call', () => {
  test.each(PAIRS)('a read of everything from a $kind directory through $version gives at most what there is and what one call moves', ({ kind }) => {
    const { mount } = makeMount(kind, { big: 'x'.repeat(MAX_TRANSFER_BYTES + 10), small: 'abc' });
    const { host } = makeHost({ mounts: { '/data': mount } });
    const root = rootOf(host);
    const big = root.openAt({}, 'big', {}, { read: true });
    expect(big.read(2n ** 64n - 1n, 0n)).toMatchObject([{ length: MAX_TRANSFER_BYTES }, false]);
    expect(big.read(2n ** 64n - 1n, BigInt(MAX_TRANSFER_BYTES))).toMatchObject([{ length: 10 }, true]);
    expect(big.readViaStream(0n).read(2n ** 64n - 1n)).toHaveLength(MAX_TRANSFER_BYTES);
    const [bytes] = root.openAt({}, 'small', {}, { read: true }).read(2n ** 64n - 1n, 0n);
    expect([bytes.length, bytes.buffer.byteLength]).toEqual([3, 3]);
    expect(thrownBy(() => big.read(1n, 2n ** 64n - 1n))).toBe('invalid');
  });

  test('vectors, pointers and paths beyond their bounds are errors of preview 1', () => {
    const { host } = makeHost({ mounts: { '/data': memoryDirectory({ a: '' }) } });
    const guest = new Preview1Guest(host);
    const size = guest.memory.buffer.byteLength;
    const result = guest.room(4);
    expect(guest.call('fd_write', 1, 0, 1025, result)).toBe(28);
    expect(guest.call('fd_write', 1, 0, -1, result)).toBe(28);
    expect(guest.call('fd_write', 1, size - 4, 1, result)).toBe(21);
    expect(guest.call('fd_write', 1, ...guest.vectors(''), -1)).toBe(21);
    const [vector] = guest.vectors('x');
    guest.view.setUint32(vector + 4, 2 ** 32 - 1, true);
    expect(guest.call('fd_write', 1, vector, 1, result)).toBe(21);
    expect(guest.call('path_filestat_get', 3, 0, size, 1, result)).toBe(21);
    expect(guest.call('path_filestat_get', 3, 0, 0, 4097, result)).toBe(37);
    expect(guest.call('path_filestat_get', 3, 0, 0, -1, result)).toBe(21);
    expect(guest.call('fd_filestat_get', 3, size - 63)).toBe(21);
  });

  test('work for the guest is paid in fuel: bytes moved, and each step of a path', () => {
    const { host, control } = makeHost({ mounts: { '/data': memoryDirectory({ 'a/b/c': 'x'.repeat(80_000) }) } });
    const guest = new Preview1Guest(host);
    const cost = (work: () => unknown): number => {
      const before = control.units;
      work();
      return control.units - before;
    };
    const shallow = cost(() => guest.open('a'));
    expect(cost(() => guest.open('a/b/c'))).toBe(3 * shallow);
    const { fd } = guest.open('a/b/c');
    expect(cost(() => guest.read(fd, 80_000))).toBe(10_000);
    expect(cost(() => guest.write(1, 'x'.repeat(800)))).toBe(100);
  });

  test('directories within directories of a memory directory have a bottom, also when a tree is moved', () => {
    const { files } = setUp({ kind: 'memory', version: '0.2' });
    let deep = 'x';
    files.makeDirectory(deep);
    for (let depth = 2; depth <= MAX_DEPTH; depth += 1) {
      deep += '/x';
      files.makeDirectory(deep);
    }
    expect(thrownBy(() => files.makeDirectory(`${deep}/x`))).toBe('name-too-long');
    const half = Array(MAX_DEPTH / 2 + 1).fill('d');
    for (let depth = 1; depth <= half.length; depth += 1) files.makeDirectory(half.slice(0, depth).join('/'));
    files.makeDirectory('e');
    for (let depth = 2; depth < MAX_DEPTH / 2; depth += 1) files.makeDirectory(['e', ...half.slice(1, depth)].join('/'));
    const bottom = ['e', ...half.slice(1, MAX_DEPTH / 2 - 1)].join('/');
    expect(thrownBy(() => files.rename('d', `${bottom}/d`))).toBeUndefined();
    files.makeDirectory('top');
    expect(thrownBy(() => files.rename('e', 'top/e'))).toBe('name-too-long');
  });
});

describe('descriptors of preview 1', () => {
  test('renumbering and closing in a loop leaks nothing', () => {
    const { host } = makeHost({ limits: { handles: 10 }, mounts: { '/data': memoryDirectory({ a: 'text' }) } });
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('a', { rights: EVERY_RIGHT });
    for (let round = 0; round < 10_000; round += 1) {
      const other = guest.open('a', { flags: OpenFlag.CREATE, rights: EVERY_RIGHT });
      if (guest.call('fd_renumber', other.fd, fd) !== 0) throw new Error(`round ${round}`);
    }
    expect(guest.read(fd, 4).text).toBe('text');
    expect([fd, -1, 99, 2 ** 31].map((to) => guest.call('fd_renumber', fd, to))).toEqual([0, 8, 8, 8]);
    expect(guest.call('fd_renumber', 99, fd)).toBe(8);
    // A preopen and a standard stream may be replaced; their numbers are files then.
    expect(guest.call('fd_renumber', fd, 3)).toBe(0);
    expect([guest.read(3, 4).errno, guest.open('a').errno, guest.call('fd_close', fd)]).toEqual([0, 54, 8]);
    expect(guest.call('fd_prestat_get', 3, 0)).toBe(8);
  });
});
