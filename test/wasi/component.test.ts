import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import type { IoError } from '../../src/wasi/component/io.ts';
import { memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { placeOf } from '../../src/component/naming.ts';
import { providedFunctions, requiredCapabilities } from '../../src/wasi/requirements.ts';
import { makeHost, makeMount, MOUNT_KINDS, rootOf, stopOf, thrownBy, wasi02 } from './support.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe.each(MOUNT_KINDS)('descriptors of a %s directory', (kind) => {
  const setUp = (): { root: Descriptor; host: ReturnType<typeof makeHost>['host'] } => {
    const { host } = makeHost({ mounts: { '/data': makeMount(kind, { 'a.txt': '0123456789', 'sub/b.txt': '' }).mount } });
    return { root: rootOf(host), host };
  };
  const BOTH = { read: true, write: true };

  test('read and write at positions, and through streams that keep their own', () => {
    const { root } = setUp();
    const file = root.openAt({}, 'a.txt', {}, BOTH);
    const [first, second, append, write] = [file.readViaStream(0n), file.readViaStream(5n), file.appendViaStream(), file.writeViaStream(2n)];
    write.write(Buffer.from('AB'));
    write.writeZeroes(1n);
    append.write(Buffer.from('!'));
    append.blockingWriteAndFlush(Buffer.from('?'));
    expect([text(first.read(3n)), text(first.blockingRead(2n)), text(second.read(100n))]).toEqual(['01A', 'B\0', '56789!?']);
    expect(file.write(Buffer.from('zz'), 0n)).toBe(2n);
    expect(file.read(4n, 0n)).toEqual([expect.anything(), false]);
    expect(thrownBy(() => second.read(1n))).toEqual({ tag: 'closed' });
  });

  test('splice moves from one stream to another', () => {
    const { root } = setUp();
    const target = root.openAt({}, 'copy', { create: true }, BOTH);
    const source = root.openAt({}, 'a.txt', {}, { read: true }).readViaStream(4n);
    const sink = target.writeViaStream(0n);
    expect([sink.splice(source, 3n), sink.blockingSplice(source, 100n)]).toEqual([3n, 3n]);
    expect(thrownBy(() => sink.splice(source, 1n))).toEqual({ tag: 'closed' });
    expect(text(target.read(100n, 0n)[0])).toBe('456789');
  });

  test('streams outlive the descriptor that they came from', () => {
    const { root } = setUp();
    const file = root.openAt({}, 'a.txt', {}, { read: true });
    const stream = file.readViaStream(0n);
    file[Symbol.dispose]();
    expect(text(stream.read(3n))).toBe('012');
    stream[Symbol.dispose]();
    expect(thrownBy(() => stream.read(1n))).toMatchObject({ tag: 'last-operation-failed' });
  });

  test('a failed stream operation carries an error whose code can be asked for', () => {
    const { root, host } = setUp();
    const stream = root.openAt({}, 'a.txt', {}, { read: true }).readViaStream(0n);
    host.revoke(Cap.FS_READ);
    const failed = thrownBy(() => stream.read(1n)) as { tag: string; val: IoError };
    expect(root.isSameObject(root)).toBe(true);
    host.revoke(Cap.FS_WRITE);
    expect(root.isSameObject(root)).toBe(false);
    expect([failed.tag, failed.val.toDebugString()]).toEqual(['last-operation-failed', 'not-permitted']);
    expect(failed).not.toBeInstanceOf(Error);
    expect(wasi02(host)['wasi:filesystem/types'].filesystemErrorCode(failed.val)).toBe('not-permitted');
  });

  test('show what they are, and refuse what they are not for', () => {
    const { root } = setUp();
    const file = root.openAt({}, 'a.txt', {}, { read: true });
    expect([root.getType(), file.getType()]).toEqual(['directory', 'regular-file']);
    expect([root.getFlags(), file.getFlags()]).toMatchObject([
      { read: true, mutateDirectory: true },
      { read: true, write: false },
    ]);
    expect(thrownBy(() => file.setSize(0n))).toBe('bad-descriptor');
    expect(thrownBy(() => file.writeViaStream(0n))).toBe('bad-descriptor');
    expect(thrownBy(() => file.openAt({}, 'x', {}, {}))).toBe('not-directory');
    expect(thrownBy(() => root.read(1n, 0n))).toBe('is-directory');
    expect(thrownBy(() => root.readViaStream(0n))).toBe('is-directory');
    expect(thrownBy(() => root.openAt({}, 'a.txt', {}, { write: true }).readViaStream(0n))).toBe('bad-descriptor');
    file.advise();
    file.sync();
    root.syncData();
  });

  test('are the same object or not, and their hash changes with what they hold', () => {
    const { root } = setUp();
    const [one, two] = [root.openAt({}, 'a.txt', {}, BOTH), root.openAt({}, 'sub/../a.txt', {}, { read: true })];
    expect([one.isSameObject(two), one.isSameObject(root), root.isSameObject(root.openAt({}, '.', {}, {}))]).toEqual([true, false, true]);
    const hash = one.metadataHash();
    expect([two.metadataHash(), root.metadataHashAt({}, 'a.txt')]).toEqual([hash, hash]);
    one.setSize(3n);
    expect(two.metadataHash()).not.toEqual(hash);
  });

  test('take times, and refuse those that do not fit', () => {
    const { root } = setUp();
    const file = root.openAt({}, 'a.txt', {}, BOTH);
    file.setTimes({ tag: 'timestamp', val: { seconds: 5n, nanoseconds: 500_000_000 } }, { tag: 'no-change' });
    expect(file.stat().dataAccessTimestamp).toEqual({ seconds: 5n, nanoseconds: 500_000_000 });
    file.setTimes({ tag: 'no-change' }, { tag: 'now' });
    expect([file.stat().dataAccessTimestamp.seconds, file.stat().dataModificationTimestamp.seconds > 1_700_000_000n]).toEqual([5n, true]);
    root.setTimes({ tag: 'now' }, { tag: 'timestamp', val: { seconds: 9n, nanoseconds: 0 } });
    expect(root.stat().dataModificationTimestamp.seconds).toBe(9n);
    expect(thrownBy(() => file.setTimes({ tag: 'timestamp', val: { seconds: 2n ** 64n - 1n, nanoseconds: 0 } }, { tag: 'now' }))).toBe('overflow');
  });
});

describe('the interfaces', () => {
  test('have neither a prototype nor state, and are made for one guest', () => {
    const { host } = makeHost();
    const interfaces = host.component();
    for (const object of [interfaces, ...Object.values(interfaces)]) expect([Object.getPrototypeOf(object), Object.isFrozen(object)]).toEqual([null, true]);
  });

  test('a function that is called on another object than its resource fails', () => {
    const { host } = makeHost({ mounts: { '/data': memoryDirectory({ a: '' }) } });
    const root = rootOf(host);
    const forged = Object.create(Object.getPrototypeOf(root)) as Descriptor;
    expect(() => forged.stat()).toThrow(TypeError);
    expect(() => forged.openAt({}, 'a', {}, {})).toThrow(TypeError);
  });
});

describe('required capabilities', () => {
  test.each([
    ['wasi:filesystem/types@0.2.3', '[method]descriptor.write', Cap.FS_WRITE],
    ['wasi:filesystem/types@0.2.12', '[method]descriptor.read-via-stream', Cap.FS_READ],
    ['wasi:filesystem/types', '[resource-drop]descriptor', Cap.NONE],
    ['wasi:cli/environment@0.2.0', 'get-environment', Cap.ENV],
    ['wasi:cli/environment@0.2.0', 'get-arguments', Cap.NONE],
    ['wasi:random/insecure@0.2.0', 'get-insecure-random-u64', Cap.RANDOM],
    ['wasi_snapshot_preview1', 'fd_write', Cap.CONSOLE],
    ['wasi_snapshot_preview1', 'path_open', Cap.FS_READ],
    ['wasi_snapshot_preview1', 'proc_exit', Cap.NONE],
    ['wasi_snapshot_preview1', 'sock_open', undefined],
    ['wasi_unstable', 'fd_write', Cap.CONSOLE],
    ['wasi_unstable', 'sock_accept', undefined],
    ['wasi:filesystem/types@0.3.0', '[method]descriptor.write', undefined],
    ['wasi:filesystem/types@0.2.0-rc-2023-11-10', '[method]descriptor.write', undefined],
    ['wasi:sockets/tcp@0.2.0', 'connect', undefined],
    ['wasi:cli/environment@0.2.0', 'constructor', undefined],
    ['__proto__', 'toString', undefined],
    ['constructor', 'name', undefined],
  ])('of %s %s', (module, name, mask) => {
    expect(requiredCapabilities(module, name)).toBe(mask);
  });

  test('are known of exactly the functions that the host has', () => {
    const { host } = makeHost();
    const functions = providedFunctions();
    for (const [module, object] of Object.entries<object>(host.component())) {
      const [statics, others] = partition(functions.get(module) ?? [], (name) => name.startsWith('[static]'));
      expect([module, ...[...membersOf(object)].sort()]).toEqual([module, ...[...new Set(others.map(memberOf))].sort()]);
      for (const [resource, method] of statics.map((name) => memberOf(name).split('.') as [string, string])) {
        expect([method, typeof (object as Record<string, Record<string, unknown>>)[resource]?.[method]]).toEqual([method, 'function']);
      }
    }
    for (const module of ['wasi_snapshot_preview1', 'wasi_unstable']) {
      expect(Object.keys(host.preview1(() => undefined)(module) ?? {}).sort()).toEqual([...(functions.get(module) ?? [])].sort());
    }
  });
});

test.each([0, 255])('a guest may exit with code %i', (code) => {
  expect(stopOf(() => wasi02(makeHost().host)['wasi:cli/exit'].exitWithCode(code))).toBe('GUEST_EXITED');
});

test.each([-1, 256, 1.5, NaN, Infinity, 'text', [1], undefined])('a guest that exits with %s, which is no code, is trapped', (code) => {
  expect(stopOf(() => wasi02(makeHost().host)['wasi:cli/exit'].exitWithCode(code as number))).toBe('GUEST_TRAPPED');
});

// `Descriptor.openAt` for methods, the resource alone for its constructor and its drop, `getDirectories` for functions. Static methods are looked at apart:
// classes also have some for the host's own use.
function* membersOf(object: object): Iterable<string> {
  for (const [name, member] of Object.entries(object)) {
    yield name;
    if (!/^[A-Z]/.test(name)) continue;
    const methods = Object.getOwnPropertyNames((member as { prototype: object }).prototype).filter((method) => method !== 'constructor');
    for (const method of methods) yield `${name}.${method}`;
  }
}

function memberOf(name: string): string {
  const drop = /^\[resource-drop\](.+)$/.exec(name);
  const place = placeOf(drop ? `[constructor]${drop[1]}` : name);
  return place.kind === 'function' ? place.property : place.kind === 'constructor' ? place.resource : `${place.resource}.${place.property}`;
}

function partition<Item>(items: readonly Item[], first: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(first), items.filter((item) => !first(item))];
}
