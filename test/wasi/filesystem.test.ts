import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { hostDirectory, memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { filesOf, PAIRS, setUp, VERSIONS } from './files.ts';
import { ALL, makeHost, makeMount, temporaryDirectory, thrownBy, wasi02 } from './support.ts';

describe.each(PAIRS)('a $kind directory through WASI $version', (pair) => {
  test('files are made, read, written, appended to, cut and removed', () => {
    const { files, path } = setUp(pair, { 'a.txt': 'text', 'sub/b.txt': 'below' });
    expect([files.read('a.txt'), files.read('sub/b.txt'), files.read('./sub/../sub//b.txt')]).toEqual(['text', 'below', 'below']);
    files.write('new.txt', 'first');
    files.append('new.txt', ' second');
    expect(files.read('new.txt')).toBe('first second');
    files.write('new.txt', 'short');
    files.setSize('new.txt', 2n);
    files.setSize('new.txt', 4n);
    expect(files.read('new.txt')).toBe('sh\0\0');
    if (path) expect(readFileSync(join(path, 'new.txt'), 'latin1')).toBe('sh\0\0');
    files.truncate('new.txt');
    expect(files.stat('new.txt')).toMatchObject({ type: 'regular-file', size: 0 });
    files.remove('new.txt');
    expect(files.list('.')).toEqual(['a.txt', 'sub']);
  });

  test('creating exclusively fails on what is there, also on a link that leads nowhere', () => {
    const { files } = setUp(pair, { 'a.txt': '' });
    files.create('b.txt', true);
    files.symlink('nowhere', 'dangling');
    expect(thrownBy(() => files.create('a.txt', true))).toBe('exist');
    expect(thrownBy(() => files.create('b.txt', true))).toBe('exist');
    expect(thrownBy(() => files.create('dangling', true))).toBe('exist');
    files.create('a.txt', false);
    files.write('dangling', 'made through the link');
    expect(files.read('nowhere')).toBe('made through the link');
  });

  test('directories are made, listed and removed when empty', () => {
    const { files } = setUp(pair, { 'a.txt': '' });
    files.makeDirectory('d');
    files.makeDirectory('d/e/');
    expect(files.list('d')).toEqual(['e']);
    expect(thrownBy(() => files.makeDirectory('d'))).toBe('exist');
    expect(thrownBy(() => files.makeDirectory('.'))).toBe('exist');
    expect(thrownBy(() => files.makeDirectory('missing/x'))).toBe('no-entry');
    expect(thrownBy(() => files.makeDirectory('a.txt/x'))).toBe('not-directory');
    expect(thrownBy(() => files.removeDirectory('d'))).toBe('not-empty');
    expect(thrownBy(() => files.removeDirectory('a.txt'))).toBe('not-directory');
    expect(thrownBy(() => files.removeDirectory('.'))).toBe('invalid');
    expect(thrownBy(() => files.remove('d'))).toBe('is-directory');
    expect(thrownBy(() => files.remove('missing'))).toBe('no-entry');
    files.removeDirectory('d/e/');
    files.removeDirectory('d');
    expect(files.list('.')).toEqual(['a.txt']);
  });

  test('a slash behind a name asks for a directory', () => {
    const { files } = setUp(pair, { 'a.txt': '', 'sub/b.txt': '' });
    files.symlink('sub', 'to-sub');
    files.symlink('a.txt', 'to-file');
    expect([files.list('sub/'), files.list('to-sub//'), files.stat('to-sub/', false).type]).toEqual([['b.txt'], ['b.txt'], 'directory']);
    for (const path of ['a.txt/', 'a.txt//', 'to-file/', 'a.txt/.']) {
      expect([path, thrownBy(() => files.read(path))]).toEqual([path, 'not-directory']);
      expect([path, thrownBy(() => files.stat(path, false))]).toEqual([path, 'not-directory']);
    }
    expect(thrownBy(() => files.remove('a.txt/'))).toBe('not-directory');
    expect(thrownBy(() => files.remove('to-sub/'))).toBe('not-directory');
    expect(thrownBy(() => files.removeDirectory('to-sub/'))).toBe('not-directory');
    expect(thrownBy(() => files.rename('a.txt/', 'x'))).toBe('not-directory');
    expect(thrownBy(() => files.rename('a.txt', 'x/'))).toBe('not-directory');
    expect(thrownBy(() => files.write('new/', ''))).toBe('no-entry');
  });

  test('opening as a directory what is none fails, and writing to a directory', () => {
    const { files } = setUp(pair, { 'a.txt': '', 'sub/b.txt': '' });
    expect(thrownBy(() => files.list('a.txt'))).toBe('not-directory');
    expect(thrownBy(() => files.write('sub', ''))).toBe('is-directory');
    expect(thrownBy(() => files.read('sub'))).toBe('is-directory');
    expect(thrownBy(() => files.read('missing'))).toBe('no-entry');
    expect(thrownBy(() => files.read('a.txt/b'))).toBe('not-directory');
    expect(thrownBy(() => files.read(''))).toBe('no-entry');
  });

  test('symbolic links are made, read and followed', () => {
    const { files } = setUp(pair, { 'a.txt': 'text', 'sub/b.txt': 'below' });
    files.symlink('sub/b.txt', 'link');
    files.symlink('../a.txt', 'sub/up');
    files.symlink('sub', 'directory');
    expect([files.read('link'), files.read('sub/up'), files.read('directory/b.txt'), files.read('directory/up')]).toEqual(['below', 'text', 'below', 'text']);
    expect([files.readLink('link'), files.stat('link', false).type, files.stat('link').type]).toEqual(['sub/b.txt', 'symbolic-link', 'regular-file']);
    expect(files.stat('link', false).size).toBe('sub/b.txt'.length);
    expect(thrownBy(() => files.readLink('a.txt'))).toBe('invalid');
    expect(thrownBy(() => files.symlink('x', 'link'))).toBe('exist');
    files.symlink('loop-b', 'loop-a');
    files.symlink('loop-a', 'loop-b');
    expect(thrownBy(() => files.read('loop-a'))).toBe('loop');
    files.remove('link');
    expect(files.read('sub/b.txt')).toBe('below');
  });

  test('renaming moves files, directories and links themselves, and replaces as POSIX says', () => {
    const { files } = setUp(pair, { 'a.txt': 'a', 'b.txt': 'b', 'd/x': 'x', 'full/y': 'y' });
    files.makeDirectory('empty');
    files.symlink('a.txt', 'link');
    files.rename('a.txt', 'b.txt');
    expect([files.read('b.txt'), thrownBy(() => files.read('a.txt'))]).toEqual(['a', 'no-entry']);
    files.rename('link', 'moved');
    expect([files.readLink('moved'), thrownBy(() => files.stat('link', false))]).toEqual(['a.txt', 'no-entry']);
    files.rename('d', 'empty');
    expect(files.list('empty')).toEqual(['x']);
    expect(thrownBy(() => files.rename('empty', 'full'))).toBe('not-empty');
    expect(thrownBy(() => files.rename('empty', 'b.txt'))).toBe('not-directory');
    expect(thrownBy(() => files.rename('b.txt', 'empty'))).toBe('is-directory');
    expect(thrownBy(() => files.rename('empty', 'empty/inside'))).toBe('invalid');
    expect(thrownBy(() => files.rename('missing', 'x'))).toBe('no-entry');
    files.rename('b.txt', 'b.txt');
    expect(files.list('.')).toEqual(['b.txt', 'empty', 'full', 'moved']);
  });

  test('hard links are a second name of the same file', () => {
    const { files } = setUp(pair, { 'a.txt': 'text', 'sub/x': '' });
    files.link('a.txt', 'sub/other');
    files.append('a.txt', ' more');
    files.remove('a.txt');
    expect(files.read('sub/other')).toBe('text more');
    expect(thrownBy(() => files.link('sub', 'x'))).toBe('not-permitted');
    expect(thrownBy(() => files.link('sub/other', 'sub/x'))).toBe('exist');
  });

  test('times can be set', () => {
    const { files } = setUp(pair, { 'a.txt': '' });
    const time = 1_234_567_890_500_000_000n;
    files.setTimes('a.txt', time);
    expect(files.stat('a.txt').modified).toBe(time);
  });

  test('with FS_READ alone, and on a mount that is not writable, every change is read-only and nothing is changed', () => {
    const content = { 'a.txt': 'text', 'sub/b.txt': 'below' };
    const readers = [setUp(pair, content, { grants: ALL & ~Cap.FS_WRITE })];
    if (pair.kind === 'host') readers.push(setUp(pair, content, { write: false }));
    for (const { files, path } of readers) {
      const modified = files.stat('a.txt').modified;
      const changes: (() => void)[] = [
        () => files.write('a.txt', 'changed'),
        () => files.truncate('a.txt'),
        () => files.create('a.txt', false),
        () => files.create('new', true),
        () => files.append('a.txt', 'more'),
        () => files.setSize('a.txt', 0n),
        () => files.setTimes('a.txt', 0n),
        () => files.makeDirectory('new'),
        () => files.removeDirectory('sub'),
        () => files.remove('a.txt'),
        () => files.rename('a.txt', 'new'),
        () => files.link('a.txt', 'new'),
        () => files.symlink('a.txt', 'new'),
      ];
      expect(changes.map((change) => thrownBy(change))).toEqual(changes.map(() => 'read-only'));
      expect([files.read('a.txt'), files.list('.'), files.stat('a.txt').modified]).toEqual(['text', ['a.txt', 'sub'], modified]);
      if (path) expect(readFileSync(join(path, 'a.txt'), 'utf8')).toBe('text');
    }
  });

  test('with FS_WRITE alone files can be written but neither read nor listed', () => {
    const { files } = setUp(pair, { 'a.txt': 'text' }, { grants: Cap.FS_WRITE });
    files.write('b.txt', 'new');
    expect(files.stat('b.txt').size).toBe(3);
    expect([thrownBy(() => files.read('a.txt')), thrownBy(() => files.list('.')), thrownBy(() => files.readLink('a.txt'))]).toEqual(
      Array(3).fill('not-permitted'),
    );
  });

  test('what is revoked is gone from what is open', () => {
    const { files, host } = setUp(pair, { 'a.txt': 'text' });
    host.revoke(Cap.FS_WRITE);
    expect([files.read('a.txt'), thrownBy(() => files.write('a.txt', ''))]).toEqual(['text', 'read-only']);
    host.revoke(Cap.FS_READ);
    expect([thrownBy(() => files.read('a.txt')), thrownBy(() => files.stat('a.txt')), thrownBy(() => files.write('a.txt', ''))]).toEqual(
      Array(3).fill('not-permitted'),
    );
  });

  test('denied paths and all below are not permitted, however they are reached, and not listed', () => {
    const content = { 'open.txt': 'open', 'secret/key': 'hidden', 'secret-not/x': 'open', 'deep/er/secret': 'hidden' };
    const { files } = setUp(pair, content, { denyPaths: ['/data/secret', '/data/deep/er/secret/', '/elsewhere'] });
    files.symlink('secret', 'link');
    files.symlink('secret/key', 'key-link');
    files.symlink('../secret', 'secret-not/up');
    const hidden = [
      'secret',
      'secret/key',
      './secret/key',
      'open.txt/../secret',
      'secret-not/../secret/key',
      'link/key',
      'key-link',
      'secret-not/up/key',
      'deep/er/secret',
    ];
    for (const path of hidden.filter((path) => !path.startsWith('open.txt'))) {
      expect([path, thrownBy(() => files.read(path))]).toEqual([path, 'not-permitted']);
      expect([path, thrownBy(() => files.stat(path))]).toEqual([path, 'not-permitted']);
      expect([path, thrownBy(() => files.write(path, 'x'))]).toEqual([path, 'not-permitted']);
    }
    expect(thrownBy(() => files.removeDirectory('secret'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('secret', 'free'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('open.txt', 'secret'))).toBe('not-permitted');
    expect(thrownBy(() => files.link('secret/key', 'free'))).toBe('not-permitted');
    // Moving a directory above it would take the denied file to a path that is not denied.
    expect(thrownBy(() => files.rename('deep', 'free'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('deep/er', 'free'))).toBe('not-permitted');
    expect([files.list('.'), files.list('deep/er'), files.read('secret-not/x')]).toEqual([['deep', 'key-link', 'link', 'open.txt', 'secret-not'], [], 'open']);
  });

  test('a directory cannot be moved to where a denied path would come to be inside it', () => {
    const { files } = setUp(pair, { 'full/secret': 'text' }, { denyPaths: ['/data/locked/secret'] });
    expect(thrownBy(() => files.rename('full', 'locked'))).toBe('not-permitted');
    files.makeDirectory('locked');
    expect(thrownBy(() => files.rename('full/secret', 'locked/secret'))).toBe('not-permitted');
  });

  test('one long path, name or target is bounded', () => {
    const { files } = setUp(pair);
    expect(thrownBy(() => files.stat('a'.repeat(256)))).toBe('name-too-long');
    expect(thrownBy(() => files.stat('é'.repeat(128)))).toBe('name-too-long');
    expect(thrownBy(() => files.write('a'.repeat(255), ''))).toBeUndefined();
    expect(thrownBy(() => files.stat('./'.repeat(2048)))).toBeUndefined();
    expect(thrownBy(() => files.stat(`${'./'.repeat(2048)}.`))).toBe('name-too-long');
    expect(thrownBy(() => files.symlink(`${'a/'.repeat(2048)}a`, 'x'))).toBe('name-too-long');
    let deep = '';
    const levels = Array.from({ length: 128 }, () => {
      deep = deep === '' ? 'd' : `${deep}/d`;
      return thrownBy(() => files.makeDirectory(deep));
    });
    expect(levels).toEqual(Array(128).fill(undefined));
    expect(thrownBy(() => files.makeDirectory(`${deep}/d/d`))).toBe('name-too-long');
  });
});

describe.each(VERSIONS)('several mounts through WASI %s', (version) => {
  test('are separate: names like their neighbours, links and renames do not lead from one to the other', () => {
    const inner = memoryDirectory({ x: 'inner' });
    const host = makeHost({
      mounts: { '/data': memoryDirectory({ x: 'outer', 'tmp/x': 'beneath' }), '/data/tmp': inner, '/data-secret': memoryDirectory({ x: 'secret' }) },
    }).host;
    const files = filesOf(host, version);
    expect([files.read('x'), files.read('tmp/x')]).toEqual(['outer', 'beneath']);
    expect(thrownBy(() => files.read('../data-secret/x'))).toBe('not-permitted');
    expect(thrownBy(() => files.read('-secret/x'))).toBe('no-entry');
    files.create('..config', true);
    expect(files.list('.')).toContain('..config');
  });
});

describe('mounts', () => {
  test('a host directory has to exist, be a directory, and be asked for with known options', () => {
    const path = temporaryDirectory();
    const { path: file } = makeMount('host', { a: '' });
    expect(() => hostDirectory(join(path, 'missing'))).toThrow(expect.objectContaining({ code: 'FILE_NOT_FOUND' }));
    expect(() => hostDirectory(join(file ?? '', 'a'))).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => hostDirectory('')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => hostDirectory('a\0b')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => hostDirectory(path, { write: 1 } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => hostDirectory(path, { wirte: true } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(hostDirectory(path)).toMatchObject({ kind: 'host', writable: false });
  });

  test('a memory directory takes text and bytes at relative paths, as plain data', () => {
    const files = { 'a/b/c': 'text', bin: Uint8Array.of(1, 2), __proto__x: 'x' };
    const { host } = makeHost({ mounts: { '/': memoryDirectory(files) } });
    expect(filesOf(host, '0.2').list('.')).toEqual(['__proto__x', 'a', 'bin']);
    for (const path of ['/a', 'a/../b', './a', 'a//b', 'a/', '', 'a\0']) {
      expect(() => memoryDirectory({ [path]: '' }), path).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    }
    expect(() => memoryDirectory({ a: '', 'a/b': '' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => memoryDirectory({ a: 1 } as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('guests that share a memory directory see each other’s files, others do not', () => {
    const mount = memoryDirectory();
    filesOf(makeHost({ mounts: { '/tmp': mount } }).host, '0.2').write('note', 'from the first');
    expect(filesOf(makeHost({ mounts: { '/tmp': mount } }).host, 'preview 1').read('note')).toBe('from the first');
    expect(filesOf(makeHost({ mounts: { '/tmp': memoryDirectory() } }).host, '0.2').list('.')).toEqual([]);
  });

  test('a mount that is denied as a whole is not there, and one of FS_READ and FS_WRITE is needed to see any', () => {
    const mounts = { '/data': memoryDirectory(), '/data2': memoryDirectory() };
    const names = (policy: object): string[] =>
      wasi02(makeHost({ mounts, ...policy }).host)
        ['wasi:filesystem/preopens'].getDirectories()
        .map(([, name]) => name);
    expect(names({})).toEqual(['/data', '/data2']);
    expect(names({ denyPaths: ['/data'] })).toEqual(['/data2']);
    expect(names({ denyPaths: ['/'] })).toEqual([]);
    expect(names({ grants: ALL & ~(Cap.FS_READ | Cap.FS_WRITE) })).toEqual([]);
  });

  test.each([['relative'], ['/a/../b'], ['/a/./b'], ['/a\0']])('the guest path %j is refused', (path) => {
    expect(() => makeHost({ mounts: { [path]: memoryDirectory() } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => makeHost({ denyPaths: [path] })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('the same path twice is refused', () => {
    expect(() => makeHost({ mounts: { '/a': memoryDirectory(), '/a/': memoryDirectory() } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  test('a host directory behind a link of the host’s own choice is used', () => {
    const { path } = makeMount('host', { x: 'text' });
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(path ?? '', link);
    expect(existsSync(link)).toBe(true);
    expect(filesOf(makeHost({ mounts: { '/data': hostDirectory(link) } }).host, '0.2').read('x')).toBe('text');
  });
});
