// What mounts can be made of: single files, read-only views, and file systems of the caller's; and how they stand beside each other. Overlays have
// a file of their own.
import * as nodeFs from 'node:fs';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memfs } from 'memfs';
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { ENTRY_BYTES } from '../../src/wasi/filesystem/memory.ts';
import { hostDirectory, hostFile, type Mount, memoryDirectory, memoryFile, overlay, readOnly } from '../../src/wasi/filesystem/mount.ts';
import { type Files, filesOf, VERSIONS, type Version } from './files.ts';
import { ALL, CANARY, fileSystem, makeHost, makeMount, Preview1Guest, rootOf, rootsOf, temporaryDirectory, thrownBy, wasi02 } from './support.ts';

const INVALID = expect.objectContaining({ code: 'INVALID_OPTION' });

/** A guest that sees `mounts`, by the path of each preopen. */
function seen(mounts: Readonly<Record<string, Mount>>, policy: Parameters<typeof makeHost>[0] = {}) {
  const { host } = makeHost({ mounts, ...policy });
  return wasi02(host)
    ['wasi:filesystem/preopens'].getDirectories()
    .map(([, path]) => path);
}

function filesIn(mounts: Readonly<Record<string, Mount>>, version: Version = '0.2', policy: Parameters<typeof makeHost>[0] = {}): Files {
  return filesOf(makeHost({ mounts, ...policy }).host, version);
}

function hostFileWith(content: string): string {
  const path = join(temporaryDirectory(), 'file');
  writeFileSync(path, content);
  return path;
}

/** Every change that could be tried on `name`, and what it gives. */
function changesOf(files: Files, name: string): [what: string, outcome: unknown][] {
  const changes: [string, () => void][] = [
    ['write', () => files.write(name, 'changed')],
    ['truncate', () => files.truncate(name)],
    ['append', () => files.append(name, 'more')],
    ['set size', () => files.setSize(name, 0n)],
    ['set times', () => files.setTimes(name, 0n)],
    ['remove', () => files.remove(name)],
    ['rename', () => files.rename(name, 'elsewhere')],
    ['link', () => files.link(name, 'elsewhere')],
    ['create', () => files.create('new', true)],
    ['make directory', () => files.makeDirectory('new')],
    ['symlink', () => files.symlink(name, 'new')],
  ];
  return changes.map(([what, change]) => [what, thrownBy(change)]);
}

describe.each(VERSIONS)('a single file through WASI %s', (version) => {
  const kinds: [kind: string, make: (content: string) => Mount][] = [
    ['of memory', memoryFile],
    ['of the host', (content) => hostFile(hostFileWith(content), { write: true })],
  ];

  test.each(kinds)('%s is all that its directory shows, to be read and written, but neither removed nor moved', (_kind, make) => {
    const files = filesIn({ '/etc/settings': make('text') }, version);
    expect([files.list('.'), files.read('settings'), files.stat('settings').size]).toEqual([['settings'], 'text', 4]);
    files.write('settings', 'new');
    files.append('./settings', ' text');
    files.setTimes('settings', 1_000_000_000n);
    expect([files.read('settings'), files.stat('settings').modified]).toEqual(['new text', 1_000_000_000n]);
    files.truncate('settings');
    expect(files.read('settings')).toBe('');
    expect(thrownBy(() => files.create('settings', true))).toBe('exist');
    expect(thrownBy(() => files.remove('settings'))).toBe('busy');
    expect(thrownBy(() => files.rename('settings', 'other'))).toBe('busy');
    expect(thrownBy(() => files.link('settings', 'other'))).toBe('cross-device');
    expect(thrownBy(() => files.readLink('settings'))).toBe('invalid');
    expect(thrownBy(() => files.list('settings'))).toBe('not-directory');
    expect(thrownBy(() => files.read('settings/x'))).toBe('not-directory');
    for (const make of [() => files.write('x', ''), () => files.makeDirectory('x'), () => files.symlink('settings', 'x')]) {
      expect(thrownBy(make)).toBe('read-only');
    }
    expect(files.list('.')).toEqual(['settings']);
  });

  test('stands beside others of its directory, each with its own rights', () => {
    const mounts = { '/etc/a': memoryFile('a'), '/etc/b': readOnly(memoryFile('b')), '/x': memoryFile('x'), '/etc/deep/c': hostFile(hostFileWith('c')) };
    expect(seen(mounts)).toEqual(['/etc', '/', '/etc/deep']);
    const files = filesIn(mounts, version);
    expect(files.list('.')).toEqual(['a', 'b']);
    files.write('a', 'new');
    expect(thrownBy(() => files.write('b', 'new'))).toBe('read-only');
    expect(thrownBy(() => files.setTimes('b', 0n))).toBe('read-only');
    expect([files.read('a'), files.read('b')]).toEqual(['new', 'b']);
  });

  test('appears in the directory that is mounted there, in place of what that has under its name', () => {
    const { mount, path = '' } = makeMount('host', { settings: 'real', 'sub/x': 'below', other: 'file' });
    const files = filesIn({ '/app/settings': memoryFile('placed'), '/app': mount, '/app/more': memoryFile('more') }, version);
    expect([files.list('.'), files.read('settings'), files.read('more')]).toEqual([['more', 'other', 'settings', 'sub'], 'placed', 'more']);
    files.write('settings', 'changed');
    // The directory around it is as writable as it was, and its subdirectories are part of it.
    files.rename('sub/x', 'moved');
    files.rename('moved', 'sub/y');
    files.link('sub/y', 'linked');
    files.makeDirectory('made');
    expect(thrownBy(() => files.rename('other', 'settings'))).toBe('busy');
    expect(thrownBy(() => files.rename('settings', 'sub/settings'))).toBe('busy');
    expect(thrownBy(() => files.link('other', 'settings'))).toBe('exist');
    expect(files.read('settings')).toBe('changed');
    expect([readFileSync(join(path, 'settings'), 'utf8'), existsSync(join(path, 'more')), readFileSync(join(path, 'sub/y'), 'utf8')]).toEqual([
      'real',
      false,
      'below',
    ]);
  });

  test('can be writable in a directory that is not, and the other way round', () => {
    const { mount } = makeMount('host', { other: 'file' }, false);
    const files = filesIn({ '/app': mount, '/app/log': memoryFile() }, version);
    files.write('log', 'line');
    for (const [what, outcome] of changesOf(files, 'other')) expect([what, outcome]).toEqual([what, 'read-only']);
    expect([files.read('log'), files.read('other'), files.list('.')]).toEqual(['line', 'file', ['log', 'other']]);
    const writable = filesIn({ '/app': memoryDirectory(), '/app/fixed': readOnly(memoryFile('fixed')) }, version);
    writable.write('new', '');
    expect(thrownBy(() => writable.write('fixed', ''))).toBe('read-only');
    expect(thrownBy(() => writable.truncate('fixed'))).toBe('read-only');
  });

  test('of the host is the one that has the name now, and nothing else', () => {
    const path = hostFileWith('first');
    const files = filesIn({ '/etc/file': hostFile(path, { write: true }) }, version);
    expect(files.read('file')).toBe('first');
    writeFileSync(`${path}.new`, 'second');
    renameSync(`${path}.new`, path);
    expect([files.read('file'), files.list('.')]).toEqual(['second', ['file']]);
    rmSync(path);
    expect([thrownBy(() => files.read('file')), files.list('.')]).toEqual(['no-entry', []]);
    for (const replace of [
      () => symlinkSync(hostFileWith(CANARY), path),
      () => symlinkSync('other', path),
      () => mkdirSync(path),
      () => execFileSync('mkfifo', [path]),
    ]) {
      replace();
      for (const attempt of [() => files.read('file'), () => files.write('file', ''), () => files.read('file/')]) {
        expect(['not-permitted', 'not-directory']).toContain(thrownBy(attempt));
      }
      expect(files.stat('file').type).toBe('unknown');
      rmSync(path, { recursive: true });
    }
    files.write('file', 'made anew');
    expect(readFileSync(path, 'utf8')).toBe('made anew');
  });
});

describe('single files', () => {
  test('that are denied are not there', () => {
    const mounts = { '/etc/a': memoryFile('a'), '/etc/b': memoryFile('b') };
    const files = filesIn(mounts, '0.2', { denyPaths: ['/etc/b'] });
    expect([files.list('.'), thrownBy(() => files.read('b')), thrownBy(() => files.write('b', ''))]).toEqual([['a'], 'not-permitted', 'not-permitted']);
    expect(seen(mounts, { denyPaths: ['/etc'] })).toEqual([]);
  });

  test('need a name, a directory for a parent, and a path of their own', () => {
    expect(() => seen({ '/': memoryFile() })).toThrow(INVALID);
    expect(() => seen({ '/a': memoryFile(), '/a/b': memoryDirectory() })).toThrow(INVALID);
    expect(() => seen({ '/a/b/c': memoryFile(), '/a/b': memoryFile() })).toThrow(INVALID);
    expect(() => seen({ '/a': memoryFile(), '/a/': memoryDirectory() })).toThrow(INVALID);
    expect(seen({ '/a': memoryFile(), '/ab/c': memoryFile() })).toEqual(['/', '/ab']);
  });

  test('count what is written to them', () => {
    const limits = { hostBytes: 1000 };
    const file = memoryFile('x'.repeat(5000));
    const files = filesIn({ '/a': file }, '0.2', { limits });
    files.setSize('a', 6000n);
    expect(thrownBy(() => files.setSize('a', 6001n))).toBe('insufficient-space');
  });

  test('of memory are shared by the guests that are given them', () => {
    const file = memoryFile();
    filesIn({ '/a': file }).write('a', 'shared');
    expect(filesIn({ '/b/c': file }, 'preview 1').read('c')).toBe('shared');
  });

  test('of the host have to be regular files, or may be made', () => {
    const directory = temporaryDirectory();
    const missing = join(directory, 'missing');
    expect(() => hostFile(missing)).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
    expect(() => hostFile(directory)).toThrow(INVALID);
    expect(() => hostFile(join(directory, 'no/file'), { create: true })).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
    expect(hostFile(missing, { create: true })).toMatchObject({ kind: 'host', type: 'file', writable: false });
    expect(readFileSync(missing, 'utf8')).toBe('');
    writeFileSync(missing, 'kept');
    hostFile(missing, { create: true });
    expect(readFileSync(missing, 'utf8')).toBe('kept');
    symlinkSync(missing, join(directory, 'link'));
    expect(filesIn({ '/file': hostFile(join(directory, 'link')) }).read('file')).toBe('kept');
    expect(() => hostFile(missing, { follow: true } as never)).toThrow(INVALID);
    expect(() => memoryFile(1 as never)).toThrow(INVALID);
  });
});

describe('a host directory', () => {
  test('can be made when it is missing', () => {
    const path = join(temporaryDirectory(), 'deep/er');
    expect(() => hostDirectory(path)).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
    expect(() => hostDirectory(path, { create: false })).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
    filesIn({ '/data': hostDirectory(path, { create: true, write: true }) }).write('x', 'text');
    expect(readFileSync(join(path, 'x'), 'utf8')).toBe('text');
    hostDirectory(path, { create: true });
    expect(statSync(join(path, 'x')).size).toBe(4);
    expect(() => hostDirectory(join(path, 'x'), { create: true })).toThrow(expect.objectContaining({ code: 'IO_FAILED' }));
  });

  test.each(VERSIONS)('follows no link when it is asked not to, and shows links still, through WASI %s', (version) => {
    const { path = '' } = makeMount('host', { file: 'text', 'd/file': 'below' });
    symlinkSync('file', join(path, 'link'));
    symlinkSync('d', join(path, 'to-d'));
    for (const make of [(mount: Mount) => mount, overlay, readOnly]) {
      const files = filesIn({ '/data': make(hostDirectory(path, { follow: false, write: true })) }, version);
      for (const attempt of [
        () => files.read('link'),
        () => files.stat('link'),
        () => files.read('to-d/file'),
        () => files.list('to-d/'),
        () => files.stat('to-d/.', false),
      ]) {
        expect(thrownBy(attempt)).toBe('loop');
      }
      expect([files.readLink('link'), files.stat('link', false).type, files.read('d/file')]).toEqual(['file', 'symbolic-link', 'below']);
    }
    const files = filesIn({ '/data': hostDirectory(path, { follow: false, write: true }) }, version);
    files.rename('link', 'moved');
    files.remove('moved');
    expect(files.list('.')).toEqual(['d', 'file', 'to-d']);
  });
});

describe('a read-only view', () => {
  const content = { file: 'text', 'sub/x': 'below' };
  const kinds: [kind: string, mount: () => Mount][] = [
    ['a memory directory', () => memoryDirectory(content)],
    ['a host directory', () => makeMount('host', content).mount],
    ['an overlay', () => overlay(memoryDirectory(content))],
    ['another view', () => readOnly(memoryDirectory(content))],
    ['a file system', () => memoryDirectory(fileSystem(content))],
  ];

  test.each(kinds.flatMap(([kind, make]) => VERSIONS.map((version) => ({ kind, make, version }))))(
    'of $kind changes nothing, whatever is granted, through WASI $version',
    ({ make, version }) => {
      const files = filesIn({ '/data': readOnly(make()) }, version, { grants: ALL });
      for (const [what, outcome] of changesOf(files, 'file')) expect([what, outcome]).toEqual([what, 'read-only']);
      expect([files.list('.'), files.read('file'), files.read('sub/x')]).toEqual([['file', 'sub'], 'text', 'below']);
    },
  );

  test('shows what others change, and leaves the mount itself as it was', () => {
    const mount = memoryDirectory(content);
    const view = filesIn({ '/data': readOnly(mount) });
    filesIn({ '/data': mount }).write('file', 'changed');
    expect(view.read('file')).toBe('changed');
    expect([mount.writable, readOnly(mount)]).toMatchObject([true, { kind: 'memory', writable: false }]);
    expect(() => readOnly({} as never)).toThrow(INVALID);
  });

  test('does not count what it cannot make grow', () => {
    const mount = memoryDirectory();
    filesIn({ '/data': mount }).write('big', 'x'.repeat(5000));
    const files = filesIn({ '/tmp': memoryDirectory(), '/data': readOnly(mount) }, '0.2', { limits: { hostBytes: ENTRY_BYTES } });
    expect(thrownBy(() => files.write('fits', ''))).toBeUndefined();
  });
});

describe('a file system of the caller’s', () => {
  test('can be a memfs volume, or what memfs gives with it, and both see the same', () => {
    const { vol, fs } = memfs({ '/a/file': 'text' });
    for (const mount of [memoryDirectory(vol), memoryDirectory(fs)]) {
      const files = filesIn({ '/data': mount });
      expect(files.read('a/file')).toBe('text');
      files.write('a/new', 'from the guest');
      expect(vol.readFileSync('/a/new', 'utf8')).toBe('from the guest');
      files.rename('a', 'b');
      expect(vol.existsSync('/b/file')).toBe(true);
      files.rename('b', 'a');
      vol.writeFileSync('/a/new', 'from the host');
      expect(files.read('a/new')).toBe('from the host');
    }
  });

  test('tells who watches a memfs volume of what guests change', () => {
    const { vol } = memfs({ '/file': 'text' });
    const changes: string[] = [];
    vol._core.changes.listen(({ type, steps }) => changes.push(`${type} ${steps.join('/')}`));
    const files = filesIn({ '/data': memoryDirectory(vol) });
    files.append('file', ' more');
    files.makeDirectory('d');
    files.remove('file');
    expect(changes).toHaveLength(3);
  });

  test('can be any object with the methods; links are resolved in it, and nothing outside of its root is asked for', () => {
    const object = fileSystem({ '/file': 'text', '/d/x': 'below' });
    const asked: string[] = [];
    const watched = Object.fromEntries(
      Object.entries(object).map(([name, method]) => [
        name,
        (...args: unknown[]) => {
          asked.push(...args.filter((argument) => typeof argument === 'string' && argument.includes('/')).map(String));
          return (method as (...args: unknown[]) => unknown)(...args);
        },
      ]),
    ) as unknown as typeof object;
    const files = filesIn({ '/data': memoryDirectory(watched) });
    files.symlink('d', 'link');
    expect([files.read('link/x'), thrownBy(() => files.read('../x')), thrownBy(() => files.read('link/../../x'))]).toEqual([
      'below',
      'not-permitted',
      'not-permitted',
    ]);
    expect(asked.filter((path) => path.includes('..') || !path.startsWith('/'))).toEqual([]);
  });

  test('is not node:fs itself, and not an object that lacks methods', () => {
    expect(() => memoryDirectory(nodeFs as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('hostDirectory') }),
    );
    expect(() => memoryDirectory({ ...nodeFs } as never)).toThrow(INVALID);
    const { openSync: _, ...lacking } = fileSystem({});
    expect(() => memoryDirectory(lacking as never)).toThrow(expect.objectContaining({ message: expect.stringContaining('openSync') }));
  });

  test('may lack links, and then has none', () => {
    const { symlinkSync: _symlink, linkSync: _link, readlinkSync: _readlink, ...object } = fileSystem({ '/file': 'text' });
    const files = filesIn({ '/data': memoryDirectory(object) });
    expect([thrownBy(() => files.symlink('file', 'x')), thrownBy(() => files.link('file', 'x')), files.list('.')]).toEqual([
      'unsupported',
      'unsupported',
      ['file'],
    ]);
  });

  test('that fails in a way of its own gives the guest an error of input and output', () => {
    const object = {
      ...fileSystem({ '/file': 'text' }),
      readSync() {
        throw new Error('a secret of the host');
      },
    };
    const files = filesIn({ '/data': memoryDirectory(object) });
    expect(thrownBy(() => files.read('file'))).toBe('io');
  });

  const content = { '/file': 'text', '/d/x': '' };
  const stats = fileSystem(content).lstatSync('/file', { bigint: true, throwIfNoEntry: false });
  const statsWith = (own: object) => Object.assign(Object.create(stats as object), own);
  const thrown = (value: unknown) => () => {
    throw value;
  };
  const NONSENSE: [method: string, answers: (() => unknown)[], use: (files: Files) => unknown][] = [
    ['lstatSync', [() => null, () => ({}), () => statsWith({ size: -1n }), async () => stats, thrown('not-permitted')], (files) => files.stat('file')],
    ['fstatSync', [() => null, () => statsWith({ size: 1.5 }), () => statsWith({ nlink: NaN })], (files) => files.truncate('file')],
    ['openSync', [() => undefined, async () => thrown(new Error('not now'))()], (files) => files.read('file')],
    ['readSync', [() => 1e9, () => -1, () => NaN, async () => 1, thrown({ code: 7 })], (files) => files.read('file')],
    ['writeSync', [() => 1e9, () => -1, () => undefined, async () => 1], (files) => files.write('file', 'text')],
    ['readdirSync', [() => null, () => [{}], () => [Symbol('x')], () => ['..'], () => ['a/b'], () => ['']], (files) => files.list('.')],
    ['readlinkSync', [() => null, () => Symbol('x')], (files) => files.stat('link', false)],
  ];
  test.each(NONSENSE)('that answers nonsense to %s gives the guest an error of input and output, too', (method, answers, use) => {
    for (const answer of answers) {
      const whole = fileSystem(content);
      filesIn({ '/data': memoryDirectory(whole) }).symlink('file', 'link');
      const files = filesIn({ '/data': memoryDirectory({ ...whole, [method]: answer }) }, 'preview 1');
      expect([String(answer), thrownBy(() => use(files))]).toEqual([String(answer), 'io']);
    }
  });

  test('whose codes are no errors of its own keeps them to itself', () => {
    const object = { ...fileSystem({ '/file': 'text' }), readSync: thrown({ code: 'EACCES', message: '/secret' }) };
    expect(thrownBy(() => filesIn({ '/data': memoryDirectory(object) }).read('file'))).toBe('access');
  });

  test('that fails to close is an error of fd_close, once, and of nothing else', () => {
    const object = { ...fileSystem({ '/file': 'text' }), closeSync: thrown(new Error('a secret of the host')) };
    const { host } = makeHost({ mounts: { '/data': memoryDirectory(object) } });
    const guest = new Preview1Guest(host);
    const { fd } = guest.open('file');
    expect([guest.call('fd_close', fd), guest.call('fd_close', fd)]).toEqual([29, 8]);
    const file = rootOf(host).openAt({}, 'file', {}, { read: true });
    file[Symbol.dispose]();
    expect(thrownBy(() => file.stat())).toBe('bad-descriptor');
    rootOf(host).openAt({}, 'file', {}, { read: true });
    host.revoke(ALL);
    host.dispose();
  });

  test('that cannot be asked any more has all closed that was open', () => {
    const whole = fileSystem({ '/a': '', '/b': '', '/c': '' });
    let [broken, closed] = [false, 0];
    const object = {
      ...whole,
      fstatSync: (fd: number, options: { bigint: true }) => (broken ? (null as never) : whole.fstatSync(fd, options)),
      closeSync(fd: number) {
        closed += 1;
        whole.closeSync(fd);
      },
    };
    const { host } = makeHost({ mounts: { '/data': memoryDirectory(object) } });
    for (const name of ['a', 'b', 'c']) rootOf(host).openAt({}, name, {}, { read: true });
    rootOf(host).unlinkFileAt('a');
    broken = true;
    host.revoke(ALL);
    expect(closed).toBe(3);
  });

  test('has one account, however often it is mounted', () => {
    const { vol } = memfs();
    const [one, other] = [memoryDirectory(vol), memoryDirectory(vol)];
    filesIn({ '/data': one }).write('file', 'x'.repeat(100));
    const files = filesIn({ '/data': other }, '0.2', { limits: { hostBytes: ENTRY_BYTES + 200 } });
    expect([thrownBy(() => files.setSize('file', 201n)), thrownBy(() => files.setSize('file', 200n))]).toEqual(['insufficient-space', undefined]);
  });
});

test('a guest that opens as many files as it may keeps no other out of the memory directory that they share', () => {
  const mount = memoryDirectory({ file: 'text' });
  const root = rootOf(makeHost({ mounts: { '/data': mount }, limits: { handles: 12_000 } }).host);
  for (let count = 0; count < 11_000; count += 1) root.openAt({}, 'file', {}, { read: true });
  expect(filesIn({ '/data': mount }).read('file')).toBe('text');
});

test('grants are looked at on every kind of mount', () => {
  const mounts = { '/a/file': memoryFile('text') };
  const reader = filesIn(mounts, '0.2', { grants: Cap.FS_READ });
  expect([reader.read('file'), thrownBy(() => reader.write('file', ''))]).toEqual(['text', 'read-only']);
  const writer = filesIn(mounts, '0.2', { grants: Cap.FS_WRITE });
  writer.write('file', 'new');
  expect([thrownBy(() => writer.read('file')), thrownBy(() => writer.list('.'))]).toEqual(['not-permitted', 'not-permitted']);
  expect(rootOf(makeHost({ mounts }).host).getFlags()).toMatchObject({ mutateDirectory: true });
});

test('a directory that was moved through one mount gets no link that leads out of another', () => {
  const path = join(temporaryDirectory(), 'inside');
  mkdirSync(join(path, 'out/a/b'), { recursive: true });
  const mounts = { '/w': hostDirectory(path, { write: true }), '/w/out': hostDirectory(join(path, 'out'), { write: true }) };
  const [all, out] = rootsOf(makeHost({ mounts }).host);
  const held = all?.openAt({}, 'out/a/b', { directory: true }, { read: true });
  held?.symlinkAt('../../../kept', 'before');
  held?.unlinkFileAt('before');
  out?.renameAt('a/b', out, 'b');
  expect(thrownBy(() => held?.symlinkAt('../../../canary', 'link'))).toBe('not-permitted');
  held?.symlinkAt('beside', 'link');
});
