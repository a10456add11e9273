// What observers are told of files, and what taking a grant back closes.
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import { type Access, WasiContext } from '../../src/wasi/context.ts';
import { OpenDirectory, type OpenRequest } from '../../src/wasi/filesystem/directory.ts';
import { OpenFile } from '../../src/wasi/filesystem/file.ts';
import { type Mount, memoryDirectory, memoryFile, overlay } from '../../src/wasi/filesystem/mount.ts';
import { openMounts } from '../../src/wasi/filesystem/mount-point.ts';
import { makeHost, makeMount, openDescriptors, RecordingControl, rootOf, stopOf, thrownBy } from './support.ts';

const BOTH = Cap.FS_READ | Cap.FS_WRITE;
const OPEN: OpenRequest = { follow: true, create: false, directory: false, exclusive: false, truncate: false, read: true, write: false, sync: 'none' };

/** The root of `mount` at /data, and what was observed since the last look, in short. */
function watched(mount: Mount, grants = BOTH, denyPaths: readonly string[] = []) {
  const seen: string[] = [];
  const observer = ({ capability, operation, allowed, detail: { path, ...more } }: Access) => {
    const details = Object.entries(more).map(([name, value]) => ` ${name} ${value}`);
    seen.push(`${capability} ${operation} ${path}${details.join('')}${allowed ? '' : ' denied'}`);
  };
  const context = new WasiContext(grants, limits.default, new RecordingControl(), observer);
  const [point] = openMounts(context, { '/data': mount }, denyPaths);
  if (!point) throw new Error('nothing is mounted');
  return { root: OpenDirectory.rootOf(point), context, seen: () => seen.splice(0) };
}

function file(root: OpenDirectory, path: string, request: Partial<OpenRequest> = {}): OpenFile {
  const opened = root.open(path, { ...OPEN, ...request });
  if (opened instanceof OpenFile) return opened;
  throw new Error('not a file');
}

describe('an observer is told', () => {
  test('of every use of a path or of what is open, in the words of WASI, with the path as the guest has it', () => {
    const { root, seen } = watched(memoryDirectory({ a: 'text', 'd/b': '' }));
    const times = { accessed: 0n, modified: 0n };
    const written = file(root, 'd/new', { create: true, write: true, read: false });
    written.write(Buffer.from('x'), 0n);
    written.setSize(0n);
    written.setTimes(times);
    written.stat();
    written.sync(true);
    written.sync(false);
    expect(seen()).toEqual([
      'fs-write filesystem.open /data/d/new',
      'fs-write filesystem.write /data/d/new',
      'fs-write filesystem.set-size /data/d/new',
      'fs-write filesystem.set-times /data/d/new',
      'fs-read filesystem.stat /data/d/new',
      'fs-read filesystem.sync-data /data/d/new',
      'fs-read filesystem.sync /data/d/new',
    ]);
    file(root, './d/../a').read(new Uint8Array(4), 0n);
    root.statAt('a', true);
    root.setTimesAt('a', true, times);
    root.createDirectoryAt('e');
    root.createLinkAt('a', 'e/link');
    root.readLinkAt('e/link');
    root.linkAt('a', false, root, 'linked');
    root.renameAt('linked', root, 'e/moved');
    root.removeFileAt('e/moved');
    root.removeFileAt('e/link');
    root.removeDirectoryAt('e');
    expect(seen()).toEqual([
      'fs-read filesystem.open /data/./d/../a',
      'fs-read filesystem.read /data/a',
      'fs-read filesystem.stat /data/a',
      'fs-write filesystem.set-times /data/a',
      'fs-write filesystem.create-directory /data/e',
      'fs-write filesystem.symlink /data/e/link target a',
      'fs-read filesystem.readlink /data/e/link',
      'fs-write filesystem.link /data/a to /data/linked',
      'fs-write filesystem.rename /data/linked to /data/e/moved',
      'fs-write filesystem.unlink-file /data/e/moved',
      'fs-write filesystem.unlink-file /data/e/link',
      'fs-write filesystem.remove-directory /data/e',
    ]);
    const directory = root.open('d', { ...OPEN, directory: true }) as OpenDirectory;
    directory.list();
    directory.stat();
    directory.statAt('b', true);
    expect(seen()).toEqual([
      'fs-read filesystem.open /data/d',
      'fs-read filesystem.read-directory /data/d',
      'fs-read filesystem.stat /data/d',
      'fs-read filesystem.stat /data/d/b',
    ]);
  });

  test('what was denied, by grants, by mounts, by denied paths and by the edge of the mount, and of failures that are none of these as allowed', () => {
    const reader = watched(memoryDirectory({ a: 'text' }), Cap.FS_READ, ['/data/secret']);
    thrownBy(() => reader.root.removeFileAt('a'));
    thrownBy(() => file(reader.root, 'a', { write: true }));
    thrownBy(() => file(reader.root, '../a'));
    thrownBy(() => file(reader.root, '/etc/passwd'));
    thrownBy(() => file(reader.root, 'secret'));
    thrownBy(() => file(reader.root, 'missing'));
    expect(reader.seen()).toEqual([
      'fs-write filesystem.unlink-file /data/a denied',
      'fs-write filesystem.open /data/a denied',
      'fs-read filesystem.open /data/../a denied',
      'fs-read filesystem.open /etc/passwd denied',
      'fs-read filesystem.open /data/secret denied',
      'fs-read filesystem.open /data/missing',
    ]);
    const writer = watched(memoryDirectory({ a: 'text' }), Cap.FS_WRITE);
    thrownBy(() => file(writer.root, 'a'));
    thrownBy(() => writer.root.list());
    writer.root.statAt('a', true);
    const opened = file(writer.root, 'a', { write: true });
    thrownBy(() => opened.checkReadable());
    opened.checkWritable();
    expect(writer.seen()).toEqual([
      'fs-read filesystem.open /data/a denied',
      'fs-read filesystem.read-directory /data denied',
      'fs-write filesystem.stat /data/a',
      'fs-write filesystem.open /data/a',
      'fs-read filesystem.read /data/a denied',
    ]);
  });

  test('no more of a path than a path can be long', () => {
    const { root, context } = watched(memoryDirectory());
    let longest = 0;
    context.report = (_capability, _operation, _allowed, detail) => {
      longest = Math.max(longest, String(detail?.path).length);
    };
    thrownBy(() => root.statAt('x'.repeat(1_000_000), true));
    expect(longest).toBeGreaterThan(4000);
    expect(longest).toBeLessThan(4200);
  });

  test('and can end the guest; what was opened meanwhile is closed with the rest', () => {
    const { mount } = makeMount('host', { a: 'text' });
    const before = openDescriptors();
    const context = new WasiContext(BOTH, limits.default, new RecordingControl(), () => {
      throw new Error('no');
    });
    const [point] = openMounts(context, { '/data': mount }, []);
    if (!point) throw new Error('nothing is mounted');
    expect(stopOf(() => OpenDirectory.rootOf(point).open('a', OPEN))).toBe('HOST_FUNCTION_FAILED');
    context.closeAll();
    expect(openDescriptors()).toBe(before);
  });
});

describe('taking back', () => {
  test('FS_WRITE closes what was opened for writing alone, and leaves what can be read', () => {
    const { mount } = makeMount('host', { a: 'text', 'd/b': '' });
    const { host } = makeHost({ mounts: { '/data': mount } });
    const root = rootOf(host);
    const before = openDescriptors();
    const [writer, reader, both] = [
      root.openAt({}, 'a', {}, { write: true }),
      root.openAt({}, 'a', {}, { read: true }),
      root.openAt({}, 'a', {}, { read: true, write: true }),
    ];
    const directory = root.openAt({}, 'd', { directory: true }, { read: true });
    const stream = writer.writeViaStream(0n);
    const kept = openDescriptors();
    host.revoke(Cap.FS_WRITE);
    expect(kept - openDescriptors()).toBe(1);
    expect([thrownBy(() => writer.write(Buffer.from('x'), 0n)), thrownBy(() => both.write(Buffer.from('x'), 0n))]).toEqual(['read-only', 'read-only']);
    expect(thrownBy(() => stream.write(Buffer.from('x')))).toMatchObject({ tag: 'last-operation-failed' });
    expect([reader, both].map((one) => Buffer.from(one.read(4n, 0n)[0]).toString())).toEqual(['text', 'text']);
    expect(directory.readDirectory().readDirectoryEntry()?.name).toBe('b');
    host.revoke(Cap.FS_READ);
    // All but what was open before: nothing of the mount is.
    expect(openDescriptors()).toBeLessThan(before);
    for (const one of [writer, reader, both]) expect(thrownBy(() => one.stat())).toBe('not-permitted');
    expect([thrownBy(() => directory.readDirectory()), thrownBy(() => root.statAt({}, 'a'))]).toEqual(['not-permitted', 'not-permitted']);
    host.dispose();
  });

  test.each([
    ['memory', () => memoryDirectory({ a: 'text' })],
    ['an overlay', () => overlay(memoryDirectory({ a: 'text' }))],
  ])('both closes what is open in %s, and gives back a file without a name', (_kind, make) => {
    const mount = make();
    const { host } = makeHost({ mounts: { '/data': mount } });
    const root = rootOf(host);
    const open = root.openAt({}, 'a', {}, { read: true, write: true });
    open.write(Buffer.from('x'.repeat(1000)), 0n);
    root.unlinkFileAt('a');
    host.revoke(BOTH);
    expect(mount.stores.map(({ grownBytes }) => grownBytes).reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(2000);
    expect(thrownBy(() => open.read(1n, 0n))).toBe('not-permitted');
    open[Symbol.dispose]();
    host.dispose();
  });

  test('the grants of one guest leaves others what they have', () => {
    const mount = memoryFile('text');
    const [one, other] = [makeHost({ mounts: { '/d/a': mount } }).host, makeHost({ mounts: { '/d/a': mount } }).host];
    const open = rootOf(other).openAt({}, 'a', {}, { read: true });
    one.revoke(BOTH);
    expect(Buffer.from(open.read(4n, 0n)[0]).toString()).toBe('text');
  });
});
