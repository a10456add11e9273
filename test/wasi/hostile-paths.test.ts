// The weakness classes of file systems that other hosts had, tried on both kinds of directory through both versions of WASI. Outside of each host
// directory lies a canary; what a guest was given, and what it left behind, is looked at for it.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import { openHostDirectory } from '../../src/wasi/filesystem/host-directory.ts';
import { hostDirectory, type Mount, overlay, readOnly } from '../../src/wasi/filesystem/mount.ts';
import { type Files, filesOf, PAIRS, setUp, VERSIONS } from './files.ts';
import { CANARY, makeHost, makeMount, openDescriptors, Preview1Guest, rootOf, rootsOf, thrownBy } from './support.ts';

/** Everything that can be done with one path, and what it gives when it gives something. */
function attempts(files: Files, path: string): [name: string, attempt: () => unknown][] {
  return [
    ['read', () => files.read(path)],
    ['write', () => files.write(path, 'overwritten')],
    ['create', () => files.create(path, true)],
    ['truncate', () => files.truncate(path)],
    ['append', () => files.append(path, 'more')],
    ['set size', () => files.setSize(path, 0n)],
    ['set times', () => files.setTimes(path, 0n)],
    ['stat', () => files.stat(path)],
    ['list', () => files.list(path)],
    ['make directory', () => files.makeDirectory(path)],
    ['remove directory', () => files.removeDirectory(path)],
    ['remove', () => files.remove(path)],
    ['rename from', () => files.rename(path, 'stolen')],
    ['rename to', () => files.rename('file', path)],
    ['link from', () => files.link(path, 'stolen')],
    ['link to', () => files.link('file', path)],
    ['symlink', () => files.symlink('file', path)],
    ['read link', () => files.readLink(path)],
  ];
}

describe.each(PAIRS)('hostile paths on a $kind directory through WASI $version', (pair) => {
  const content = { file: 'text', 'a/b/file': 'text' };

  test.each([
    '/etc/passwd',
    '/',
    '..',
    '../canary',
    '../inside/file',
    'a/../../canary',
    'a/b/../../../canary',
    './..//canary',
    'a/./.././../canary',
    '../../../../../../../../etc/passwd',
    '//etc/passwd',
  ])('%s is not permitted to any operation', (path) => {
    const setup = setUp(pair, content);
    for (const [name, attempt] of attempts(setup.files, path)) expect([name, thrownBy(attempt)]).toEqual([name, 'not-permitted']);
    expectUntouched(setup.path);
  });

  test.each(['..\\canary', '..%2fcanary', '%2e%2e/canary', '．．/canary', '~/canary', 'file:///etc/passwd'])('%s is a name like any other', (path) => {
    const { files } = setUp(pair, content);
    expect(thrownBy(() => files.read(path))).toBe('no-entry');
  });

  test.each(['file\0', 'file\0.txt', '\0', 'a/\0', 'a\0/../file'])('a NUL makes %j no path of any operation', (path) => {
    const { files } = setUp(pair, content);
    for (const [name, attempt] of attempts(files, path)) expect([name, thrownBy(attempt)]).toEqual([name, 'invalid']);
    expect(thrownBy(() => files.symlink(path, 'new'))).toBe('invalid');
  });

  test('links that a guest may make do not lead outside, alone or in a chain', () => {
    const setup = setUp(pair, content);
    const { files } = setup;
    expect(thrownBy(() => files.symlink('/etc/passwd', 'absolute'))).toBe('not-permitted');
    expect(thrownBy(() => files.symlink('../canary', 'up'))).toBe('not-permitted');
    expect(thrownBy(() => files.symlink('../../../canary', 'a/b/up'))).toBe('not-permitted');
    expect(thrownBy(() => files.symlink('x/../../canary', 'up'))).toBe('not-permitted');
    // Harmless where it is made, but not where it would be moved to.
    files.symlink('../../canary', 'a/b/link');
    files.symlink('a/b/link', 'chain');
    expect(thrownBy(() => files.rename('a/b/link', 'link'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('a/b/link', 'a/link'))).toBe('not-permitted');
    files.rename('chain', 'a/chain');
    files.makeDirectory('c');
    files.rename('a/b/link', 'c/../a/b/link2');
    files.rename('a/b/link2', 'a/b/link');
    // A link whose text goes up behind a name, which may be another link.
    files.symlink('..', 'a/up');
    expect(thrownBy(() => files.symlink('a/up/../canary', 'link'))).toBe('not-permitted');
    if (setup.path === undefined) return;
    // One that the host made.
    symlinkSync('../canary', join(setup.path, 'link'));
    expect(thrownBy(() => files.rename('link', 'a/link'))).toBeUndefined();
    expect(thrownBy(() => files.rename('a/link', 'link'))).toBe('not-permitted');
    symlinkSync('../canary', join(setup.path, 'link'));
    files.symlink('link', 'to-link');
    for (const path of ['link', 'link/', 'link//', 'link/.', 'to-link', 'to-link/', 'link/x', 'to-link/../x', 'a/chain', 'a/../to-link/']) {
      for (const [name, attempt] of attempts(files, path).filter(([name]) => FOLLOWING.has(name))) {
        expect([path, name, typeof thrownBy(attempt)]).toEqual([path, name, 'string']);
      }
    }
    expectUntouched(setup.path);
  });

  test('a directory with links is not moved to where they would lead outside, whatever it was opened as', () => {
    const { files, host } = setUp(pair, content);
    for (const path of ['p', 'p/q', 'p/q/r', 'p/q/r/s']) files.makeDirectory(path);
    files.symlink('../../../in-mount', 'p/q/r/s/link');
    expect(thrownBy(() => files.rename('p/q/r', 'r'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('p/q/r/s', 'p/s'))).toBe('not-permitted');
    files.rename('p/q/r', 'p/r');
    expect(thrownBy(() => files.rename('p/r', 'r'))).toBe('not-permitted');
    // A descriptor that was opened deep down, of a directory that is in the root now.
    files.makeDirectory('p/q/deep');
    files.makeDirectory('p/q/deep/below');
    const root = rootOf(host);
    const deep = root.openAt({}, 'p/q/deep', { directory: true }, { read: true });
    files.makeDirectory('other');
    root.renameAt('p/q/deep', root, 'deep');
    const below = deep.openAt({}, 'below', { directory: true }, { read: true });
    expect(thrownBy(() => deep.symlinkAt('../../canary', 'link'))).toBe('not-permitted');
    expect(thrownBy(() => below.symlinkAt('../../canary', 'link'))).toBe('not-permitted');
    expect(thrownBy(() => below.symlinkAt('inside', 'link'))).toBeUndefined();
    // And one that was opened in the root, of a directory that is deep down now.
    const other = root.openAt({}, 'other', { directory: true }, { read: true });
    root.renameAt('other', root, 'p/q/other');
    root.createDirectoryAt('p/q/other/d');
    root.symlinkAt('../../../../in-mount', 'p/q/other/d/link');
    expect(thrownBy(() => other.renameAt('d', root, 'p/d'))).toBe('not-permitted');
  });

  test('names that differ in case or in composition are different files or none', () => {
    const { files } = setUp(pair, { 'caf\u00e9': 'composed' });
    expect([thrownBy(() => files.read('cafe\u0301')), thrownBy(() => files.read('CAF\u00c9'))]).toEqual(['no-entry', 'no-entry']);
  });

  test('names that objects of JavaScript have are names like any other', () => {
    const { files } = setUp(pair);
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then']) {
      expect(thrownBy(() => files.stat(name))).toBe('no-entry');
      files.makeDirectory(name);
      files.write(`${name}/${name}`, name);
      expect(files.read(`${name}/${name}`)).toBe(name);
    }
  });
});

// What follows a link at the end of the path, or goes through it.
const FOLLOWING = new Set(['read', 'write', 'truncate', 'append', 'set size', 'set times', 'stat', 'list']);

function expectUntouched(path: string | undefined): void {
  if (!path) return;
  const canary = join(dirname(path), 'canary');
  expect([readFileSync(canary, 'utf8'), statSync(canary).nlink, readdirSync(dirname(path))]).toEqual([CANARY, 1, ['canary', 'inside']]);
}

const TRAPS: [what: string, lay: (path: string) => void][] = [
  ['an absolute link to a file', (path) => symlinkSync(join(dirname(path), 'canary'), join(path, 'trap'))],
  ['a relative link outside', (path) => symlinkSync('../canary', join(path, 'trap'))],
  ['a link to the directory above', (path) => symlinkSync('..', join(path, 'trap'))],
  ['an absolute link to the directory itself', (path) => symlinkSync(path, join(path, 'trap'))],
  ['a link to the environment of the process', (path) => symlinkSync('/proc/self/environ', join(path, 'trap'))],
  ['a link to the root of the process', (path) => symlinkSync('/proc/self/root', join(path, 'trap'))],
  ['a link to the working directory', (path) => symlinkSync('/proc/self/cwd', join(path, 'trap'))],
  ['a link to a descriptor', (path) => symlinkSync('/proc/self/fd/0', join(path, 'trap'))],
  ['a link to a device', (path) => symlinkSync('/dev/zero', join(path, 'trap'))],
];
const SPELLINGS = ['trap', 'trap/', 'trap//', 'trap/.', './trap', 'trap/canary', 'trap/inside/file', 'trap/x', 'trap/..', 'trap/../canary'];

const VIEWS = [
  { view: 'itself', make: (mount: Mount) => mount },
  { view: 'a read-only view', make: readOnly },
  { view: 'an overlay', make: (mount: Mount) => overlay(mount) },
  { view: 'an overlay of an overlay of a view', make: (mount: Mount) => overlay(overlay(readOnly(mount))) },
];

describe.each(VERSIONS.flatMap((version) => VIEWS.map((view) => ({ version, ...view }))))(
  'traps in a host directory, seen as $view through WASI $version',
  ({ version, view, make }) => {
    const filesAt = (mount: Mount) => filesOf(makeHost({ mounts: { '/data': make(mount) } }).host, version);

    test.each(TRAPS)('%s is not followed, with or without slashes', (what, lay) => {
      const { mount, path = '' } = makeMount('host', { file: 'text' });
      lay(path);
      const files = filesAt(mount);
      for (const trap of SPELLINGS) {
        for (const [name, attempt] of attempts(files, trap).filter(([name]) => FOLLOWING.has(name))) {
          const outcome = thrownBy(attempt);
          const expected = outcome === 'read-only' && view === 'a read-only view' ? 'read-only' : 'not-permitted';
          expect([trap, name, outcome]).toEqual([trap, name, expected]);
        }
      }
      expect(thrownBy(() => files.readLink('trap'))).toBe(what.includes('relative') || what.includes('above') ? undefined : 'not-permitted');
      expectUntouched(path);
    });

    test('none leads any operation outside, whatever is done with it', () => {
      for (const [what, lay] of TRAPS) {
        const { mount, path = '' } = makeMount('host', { file: 'text' });
        const files = filesAt(mount);
        for (const trap of [...SPELLINGS, 'file/../trap/']) {
          for (const [name, attempt] of attempts(files, trap)) {
            // Laid anew: what was done to the link before is not to keep the next from it.
            rmSync(join(path, 'trap'), { recursive: true, force: true });
            lay(path);
            let value: unknown;
            const error = thrownBy(() => {
              value = attempt();
            });
            expect([what, trap, name, typeof error]).toEqual([what, trap, name, error === undefined ? 'undefined' : 'string']);
            expect(String(value)).not.toContain(CANARY);
          }
        }
        expectUntouched(path);
      }
    });
  },
);

describe.each(VERSIONS)('a host directory that holds special files, through WASI %s', (version) => {
  test('fifos, sockets and the kernel’s files are not opened, and no open waits', async () => {
    const { path = '' } = makeMount('host', {});
    execFileSync('mkfifo', [join(path, 'fifo')]);
    const server = createServer().listen(join(path, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const files = filesOf(makeHost({ mounts: { '/data': hostDirectory(path, { write: true }) } }).host, version);
      for (const name of ['fifo', 'socket']) {
        for (const attempt of [() => files.read(name), () => files.write(name, 'x'), () => files.append(name, 'x')])
          expect(thrownBy(attempt)).toBe('not-permitted');
        expect(files.stat(name).type).toBe(version === '0.2' ? name : name === 'fifo' ? 'unknown' : 'socket');
      }
    } finally {
      server.close();
    }
    const devices = filesOf(makeHost({ mounts: { '/data': hostDirectory('/dev') } }).host, version);
    expect([thrownBy(() => devices.read('null')), thrownBy(() => devices.read('zero'))]).toEqual(['not-permitted', 'not-permitted']);
    const processes = filesOf(makeHost({ mounts: { '/data': hostDirectory('/proc') } }).host, version);
    for (const name of [
      'self/environ',
      'thread-self/environ',
      `${process.pid}/environ`,
      `${process.pid}/root/bin`,
      `${process.pid}/cwd/package.json`,
      'version',
    ]) {
      expect([name, thrownBy(() => processes.read(name))]).toEqual([name, 'not-permitted']);
    }
  });

  test('what is opened is looked at once more, since it can have changed since it was looked at', () => {
    const { path = '' } = makeMount('host', { 'sub/x': '' });
    execFileSync('mkfifo', [join(path, 'fifo')]);
    symlinkSync('sub/x', join(path, 'link'));
    const directory = openHostDirectory(path);
    onTestFinished(() => directory.close());
    const before = openDescriptors();
    const open = (name: string) => thrownBy(() => directory.openFile(name, { read: true, write: false, create: false, exclusive: false, truncate: false }));
    expect([open('fifo'), open('link'), open('sub')]).toEqual(['not-permitted', 'loop', 'is-directory']);
    expect(openDescriptors()).toBe(before);
  });
});

describe('links and moves between mounts', () => {
  test('do not exist, so that a read-only file cannot be had writable', () => {
    const { path = '' } = makeMount('host', { 'ro/file': 'text', 'rw/x': '' });
    const mounts = {
      '/ro': hostDirectory(join(path, 'ro')),
      '/rw': hostDirectory(join(path, 'rw'), { write: true }),
      '/rw2': hostDirectory(join(path, 'rw'), { write: true }),
    };
    const { host } = makeHost({ mounts });
    const [readOnly, writable, other] = rootsOf(host) as [Descriptor, Descriptor, Descriptor];
    expect(thrownBy(() => readOnly.linkAt({}, 'file', writable, 'mine'))).toBe('read-only');
    expect(thrownBy(() => readOnly.renameAt('file', writable, 'mine'))).toBe('read-only');
    expect(thrownBy(() => writable.renameAt('x', readOnly, 'y'))).toBe('read-only');
    expect(thrownBy(() => writable.linkAt({}, 'x', other, 'y'))).toBe('cross-device');
    expect(thrownBy(() => writable.renameAt('x', other, 'y'))).toBe('cross-device');
    const guest = new Preview1Guest(host);
    expect(guest.call('path_link', 3, 0, ...guest.put('file'), 4, ...guest.put('mine'))).toBe(69);
    expect(guest.call('path_rename', 4, ...guest.put('x'), 5, ...guest.put('y'))).toBe(75);
    expect(readdirSync(join(path, 'rw'))).toEqual(['x']);
  });
});

describe('text that is no Unicode', () => {
  test('names in invalid UTF-8 are refused by preview 1, lone surrogates by 0.2', () => {
    const { host } = makeHost({ mounts: { '/data': makeMount('host', { '\ufffd': 'text' }).mount } });
    const guest = new Preview1Guest(host);
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x61, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      expect(guest.open(Uint8Array.from(bytes)).errno).toBe(25);
    }
    expect(guest.open('\ufffd').errno).toBe(0);
    expect(guest.open('\ufeff\ufffd').errno).toBe(44);
    expect(thrownBy(() => rootOf(host).statAt({}, '\ud800'))).toBe('illegal-byte-sequence');
  });
});

describe('a directory that many walks went through', () => {
  test('leaves no descriptor open but those kept for the next walk, whether walks end well or not', () => {
    const { mount, path = '' } = makeMount('host', { 'a/b/c/file': 'text' });
    symlinkSync('a/b', join(path, 'link'));
    symlinkSync('/etc', join(path, 'out'));
    const before = openDescriptors();
    const { host } = makeHost({ mounts: { '/data': mount } });
    const files = filesOf(host, '0.2');
    for (let round = 0; round < 50; round += 1) {
      files.read('link/c/../../b/c/file');
      files.list('a/b/c');
      for (const wrong of ['a/b/c/missing', 'a/b/c/file/x', 'a/b/out/x', 'out/passwd', 'a/b/../../../x', 'link/c/file/']) thrownBy(() => files.read(wrong));
      thrownBy(() => files.rename('a/b/c/file', 'link/missing/x'));
    }
    // The root, and a, a/b and a/b/c.
    expect(openDescriptors() - before).toBe(4);
    host.dispose();
    expect(openDescriptors()).toBe(before);
  });

  test('what is left open is closed by dispose, and no descriptor is good for anything after that', () => {
    const before = openDescriptors();
    const { mount, path = '' } = makeMount('host', { 'a/file': 'text' });
    const { host } = makeHost({ mounts: { '/data': mount } });
    const root = rootOf(host);
    const file = root.openAt({}, 'a/file', {}, { read: true });
    const stream = file.readViaStream(0n);
    const directory = root.openAt({}, 'a', { directory: true }, { read: true });
    file[Symbol.dispose]();
    expect(Buffer.from(stream.read(4n)).toString()).toBe('text');
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('a/file');
    expect(openDescriptors()).toBeGreaterThan(before);
    host.dispose();
    host.dispose();
    expect(openDescriptors()).toBe(before);
    // The host's next files get the numbers that the guest's had.
    const others = Array.from({ length: 10 }, () => openSync(join(dirname(path), 'canary'), 'r'));
    onTestFinished(() => others.forEach(closeSync));
    expect(thrownBy(() => directory.readDirectory())).toBe('not-permitted');
    expect(thrownBy(() => root.statAt({}, 'a'))).toBe('not-permitted');
    expect(thrownBy(() => stream.read(1n))).toMatchObject({ tag: 'last-operation-failed' });
    expect(guest.read(fd, 4).errno).toBe(63);
    expect(guest.open('a/file').errno).toBe(63);
  });
});
