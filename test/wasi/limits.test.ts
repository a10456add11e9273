import { memfs } from 'memfs';
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import { CALL_UNITS, ENTRY_UNITS, SCRATCH_BYTES, SYNC_UNITS, WasiContext } from '../../src/wasi/context.ts';
import { ENTRY_BYTES, MAX_DEPTH } from '../../src/wasi/filesystem/memory.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { MAX_MOVED_BYTES, VECTOR_UNITS } from '../../src/wasi/preview1/memory.ts';
import { filesOf, PAIRS, setUp, VERSIONS } from './files.ts';
import {
  EVERY_RIGHT,
  fileSystem,
  makeHost,
  makeMount,
  MOUNT_KINDS,
  OpenFlag,
  Preview1Guest,
  RecordingControl,
  rootOf,
  rootsOf,
  stopOf,
  thrownBy,
  wasi02,
} from './support.ts';

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

  test('leaves another file counted that was given its number', () => {
    const { host } = makeHost({ mounts: { '/data': memoryDirectory(fileSystem({})) }, limits: { hostBytes: 100_000 } });
    const root = rootOf(host);
    const create = (name: string) => root.openAt({}, name, { create: true }, { write: true });
    const nameless = create('a');
    root.unlinkFileAt('a');
    const named = create('b');
    named.setSize(80_000n);
    nameless[Symbol.dispose]();
    named[Symbol.dispose]();
    const other = create('c');
    expect(thrownBy(() => other.setSize(80_000n))).toBe('insufficient-space');
    other.setSize(10_000n);
    root.unlinkFileAt('b');
    other.setSize(80_000n);
  });
});

describe('the count of what the host keeps', () => {
  test('takes up to the limit, and nothing that is no number of bytes', () => {
    const context = new WasiContext(0, { ...limits.default, hostBytes: 1_000 }, new RecordingControl());
    expect([NaN, -1, Infinity, -Infinity, 1_001].map((bytes) => context.keepBytes(bytes))).toEqual([false, false, false, false, false]);
    expect([context.keepBytes(1_000), context.keepBytes(1), context.keepBytes(0)]).toEqual([true, false, true]);
    context.giveBack(1_000);
    expect(context.hostBytesLeft()).toBe(1_000);
  });
});

describe('sizes of one call', () => {
  test.each(PAIRS)('a read of everything from a $kind directory through $version gives at most what there is and what one call moves', ({ kind }) => {
    const { mount } = makeMount(kind, { big: 'x'.repeat(SCRATCH_BYTES + 10), small: 'abc' });
    const { host } = makeHost({ mounts: { '/data': mount } });
    const root = rootOf(host);
    const big = root.openAt({}, 'big', {}, { read: true });
    expect(big.read(2n ** 64n - 1n, 0n)).toMatchObject([{ length: SCRATCH_BYTES }, false]);
    expect(big.read(2n ** 64n - 1n, BigInt(SCRATCH_BYTES))).toMatchObject([{ length: 10 }, true]);
    const piece = big.readViaStream(0n).read(2n ** 64n - 1n);
    expect(piece).toHaveLength(SCRATCH_BYTES);
    const [bytes] = root.openAt({}, 'small', {}, { read: true }).read(2n ** 64n - 1n, 0n);
    expect(Buffer.from(bytes).toString()).toBe('abc');
    expect(bytes.buffer).toBe(piece.buffer);
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
    const [one, three] = [cost(() => guest.open('a')), cost(() => guest.open('a/b/c'))];
    expect(three - one).toBeGreaterThanOrEqual(2 * 2 * CALL_UNITS);
    const { fd } = guest.open('a/b/c');
    expect(cost(() => guest.read(fd, 80_000))).toBe(10_000 + CALL_UNITS + VECTOR_UNITS);
    expect(cost(() => guest.write(1, 'x'.repeat(800)))).toBe(100 + ENTRY_UNITS + VECTOR_UNITS);
  });

  test.each(MOUNT_KINDS)('each look at a file or directory of a %s directory is paid for, and a change or waiting for a disk more', (kind) => {
    const { host, control } = makeHost({ mounts: { '/data': makeMount(kind, { a: '' }).mount } });
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('a', { rights: EVERY_RIGHT });
    const [path, length] = guest.put('new');
    const result = guest.room(64);
    const cost = (name: string, ...args: (number | bigint)[]): number => {
      const before = control.units;
      expect(guest.call(name, ...args)).toBe(0);
      return control.units - before;
    };
    expect(cost('fd_filestat_get', fd, result)).toBeGreaterThanOrEqual(CALL_UNITS);
    expect(cost('fd_filestat_set_size', fd, 10n)).toBeGreaterThanOrEqual(CALL_UNITS);
    expect(cost('fd_sync', fd)).toBeGreaterThanOrEqual(SYNC_UNITS);
    expect(cost('path_create_directory', 3, path, length)).toBeGreaterThanOrEqual(10 * CALL_UNITS);
    expect(cost('path_filestat_get', 3, 0, path, length, result)).toBeGreaterThanOrEqual(2 * CALL_UNITS);
    expect(cost('path_remove_directory', 3, path, length)).toBeGreaterThanOrEqual(10 * CALL_UNITS);
  });

  test.each(MOUNT_KINDS)('entries of a %s directory are paid for before they are read, also when they are too many to keep', (kind) => {
    const files = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, '']));
    const { mount } = makeMount(kind, files);
    const { host, control } = makeHost({ mounts: { '/data': mount }, limits: { hostBytes: 1_000 } });
    expect(thrownBy(() => rootOf(host).readDirectory())).toBe('insufficient-memory');
    expect(control.units).toBeGreaterThanOrEqual(200 * CALL_UNITS);
    const poor = makeHost({ mounts: { '/data': mount } });
    poor.control.budget = 20 * CALL_UNITS;
    expect(stopOf(() => rootOf(poor.host).readDirectory())).toBe('FUEL_EXHAUSTED');
    expect(poor.control.units).toBeLessThanOrEqual(64 * CALL_UNITS + (kind === 'memory' ? 136 * CALL_UNITS : 0));
  });

  test('random numbers are paid for by what it takes to make them, also those that may be predictable', () => {
    for (const grants of [0, Cap.RANDOM]) {
      const { host, control } = makeHost({ grants });
      const { getInsecureRandomBytes: give } = wasi02(host)['wasi:random/insecure'];
      for (const [length, units] of [
        [8n, CALL_UNITS + 8],
        [60_000n, CALL_UNITS + 60_000],
      ] as const) {
        const before = control.units;
        expect(give(length)).toHaveLength(Number(length));
        expect(control.units - before).toBe(units);
      }
    }
  });

  test('what is left of a file that is cut is paid for when it is written anew, and no more than twice of it is kept', () => {
    const { vol } = memfs();
    const { host, control } = makeHost({ mounts: { '/data': memoryDirectory(vol), '/other': memoryDirectory(fileSystem({})) } });
    const cost = (work: () => void): number => {
      const before = control.units;
      work();
      return control.units - before;
    };
    const [file, other] = rootsOf(host).map((root) => root.openAt({}, 'file', { create: true }, { read: true, write: true }));
    if (file === undefined || other === undefined) throw new Error('not opened');
    const text = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index));
    for (const one of [file, other]) one.write(text, 0n);
    const node = vol._core.root.getChild('file')?.getNode() as unknown as { readonly capacity: number };
    let rewrites = 0;
    for (let size = 99_999; size > 0; size -= 1_009) {
      rewrites += cost(() => file.setSize(BigInt(size))) >= 2 * size ? 1 : 0;
      expect(node.capacity).toBeLessThanOrEqual(2 * size + 64);
      expect(cost(() => other.setSize(BigInt(size)))).toBeGreaterThanOrEqual(2 * size);
    }
    expect(rewrites).toBeLessThan(20);
    for (const one of [file, other]) {
      const left = Number(one.stat().size);
      expect(Buffer.compare(one.read(100_000n, 0n)[0], text.subarray(0, left))).toBe(0);
    }
  });

  test('each buffer and each subscription of one call is paid for, empty or not', () => {
    const { host, control } = makeHost({ mounts: { '/data': memoryDirectory({ a: 'text' }) } });
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('a');
    const result = guest.room(4);
    const cost = (work: () => number): number => {
      const before = control.units;
      expect(work()).toBe(0);
      return control.units - before;
    };
    expect(cost(() => guest.call('fd_pread', fd, ...guest.vectors('', '', ''), 0n, result))).toBe(3 * VECTOR_UNITS);
    expect(cost(() => guest.call('fd_pread', fd, ...guest.vectors('1', '1', '1'), 0n, result))).toBe(3 * (VECTOR_UNITS + CALL_UNITS + 1));
    expect(cost(() => guest.call('poll_oneoff', guest.room(2 * 48), guest.room(2 * 32), 2, result))).toBe(2 * ENTRY_UNITS);
  });

  test.each(MOUNT_KINDS)('one call of preview 1 on a %s directory moves no more than its limit, whatever its buffers say', (kind) => {
    const { host, control } = makeHost({ mounts: { '/data': makeMount(kind, { a: '' }).mount } });
    const guest = new Preview1Guest(host);
    guest.memory.grow(64);
    const { fd } = guest.open('a', { rights: EVERY_RIGHT });
    const size = 2 * MAX_MOVED_BYTES;
    expect(guest.call('fd_filestat_set_size', fd, BigInt(size))).toBe(0);
    const [list, result] = [guest.room(8 * 1024), guest.room(4)];
    const moved = (name: string, count: number, length: number): number => {
      for (let index = 0; index < count; index += 1) {
        guest.view.setUint32(list + 8 * index, 0x40000, true);
        guest.view.setUint32(list + 8 * index + 4, length, true);
      }
      expect(guest.call(name, fd, list, count, 0n, result)).toBe(0);
      return guest.view.getUint32(result, true);
    };
    const MiB = 1024 * 1024;
    for (const name of ['fd_pread', 'fd_pwrite']) {
      const before = control.units;
      expect([moved(name, 8, 2 * MiB - 1), moved(name, 8, 2 * MiB), moved(name, 8, 2 * MiB + 1), moved(name, 1024, 3 * MiB)]).toEqual([
        MAX_MOVED_BYTES - 8,
        MAX_MOVED_BYTES,
        MAX_MOVED_BYTES,
        MAX_MOVED_BYTES,
      ]);
      expect(control.units - before).toBeGreaterThanOrEqual((4 * MAX_MOVED_BYTES) / 8);
    }
    expect(guest.call('fd_close', fd)).toBe(0);
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

describe('what fails to close', () => {
  test('keeps nothing else open, at the end and when a grant is taken back', () => {
    const context = new WasiContext(Cap.NETWORK, limits.default, new RecordingControl());
    const closed: string[] = [];
    const closing = (name: string) => () => {
      closed.push(name);
      if (name.startsWith('bad')) throw new Error('EIO');
    };
    for (const name of ['bad one', 'one']) context.onRevoke(Cap.NETWORK, closing(name));
    for (const name of ['bad two', 'two']) context.hold({ close: closing(name) });
    context.revoke(Cap.NETWORK);
    expect(closed).toEqual(['bad one', 'one']);
    context.closeAll();
    expect(closed).toEqual(['bad one', 'one', 'bad two', 'two']);
  });
});
