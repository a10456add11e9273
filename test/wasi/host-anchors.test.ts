// How directories of the host are held: those that are kept open from walk to walk are bounded and never taken for what stands at their path now; where there
// are no descriptor paths, paths are looked at again; and the names that Windows takes for something else.
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isSpecialOnWindows, MAX_KEPT, openAnchor } from '../../src/wasi/filesystem/host-anchors.ts';
import { hostDirectory } from '../../src/wasi/filesystem/mount.ts';
import { filesOf } from './files.ts';
import { makeHost, makeMount, openDescriptors, rootOf, temporaryDirectory, thrownBy } from './support.ts';

const CONTENT = { 'a/b/c/file': 'old', 'x/b/c/file': 'other' };

/** A guest that has just gone through a/b/c, so that all three are kept. */
function walked() {
  const { mount, path = '' } = makeMount('host', CONTENT);
  const { host } = makeHost({ mounts: { '/data': mount } });
  const files = filesOf(host, '0.2');
  expect(files.read('a/b/c/file')).toBe('old');
  return { files, host, path, outside: dirname(path) };
}

describe('a directory that a walk went through', () => {
  test.each(['a', 'a/b', 'a/b/c'])('is not used any more when %s is another one', (place) => {
    const { files, path, outside } = walked();
    renameSync(join(path, place), join(outside, 'old'));
    mkdirSync(join(path, 'a/b/c'), { recursive: true });
    writeFileSync(join(path, 'a/b/c/file'), 'new');
    expect(files.read('a/b/c/file')).toBe('new');
  });

  test.each(['a', 'a/b', 'a/b/c'])('is not used any more when %s was moved out of the mount, also when a link leads to it', (place) => {
    const { files, path, outside } = walked();
    renameSync(join(path, place), join(outside, 'moved'));
    expect(thrownBy(() => files.read('a/b/c/file'))).toBe('no-entry');
    symlinkSync(join(outside, 'moved'), join(path, place));
    expect(thrownBy(() => files.read('a/b/c/file'))).toBe('not-permitted');
  });

  test.each(['a', 'a/b', 'a/b/c'])('is looked for anew when %s was moved and a link leads to it', (place) => {
    const { mount, path = '' } = makeMount('host', CONTENT);
    const files = filesOf(makeHost({ mounts: { '/data': mount }, denyPaths: ['/data/locked'] }).host, '0.2');
    expect(files.read('a/b/c/file')).toBe('old');
    renameSync(join(path, place), join(path, 'locked'));
    symlinkSync(`${'../'.repeat(place.split('/').length - 1)}locked`, join(path, place));
    expect(thrownBy(() => files.read('a/b/c/file'))).toBe('not-permitted');
  });

  test('is found at its new place when the guest moves it, and what takes its place is seen', () => {
    const { files } = walked();
    files.rename('a', 'z');
    files.rename('x', 'a');
    expect([files.read('z/b/c/file'), files.read('a/b/c/file')]).toEqual(['old', 'other']);
  });

  test('is not found any more when it was removed', () => {
    const { files, path } = walked();
    rmSync(join(path, 'a'), { recursive: true });
    expect(thrownBy(() => files.read('a/b/c/file'))).toBe('no-entry');
  });

  test('is the mounted one also when another directory takes the place of the mount', () => {
    const { files, path, outside } = walked();
    renameSync(path, join(outside, 'moved'));
    mkdirSync(join(path, 'a/b/c'), { recursive: true });
    writeFileSync(join(path, 'a/b/c/file'), 'not mounted');
    expect(files.read('a/b/c/file')).toBe('old');
    renameSync(join(outside, 'moved/a'), join(outside, 'a'));
    expect(thrownBy(() => files.read('a/b/c/file'))).toBe('no-entry');
  });

  test('is found from a directory that was opened before it was moved', () => {
    const { files, host } = walked();
    const opened = rootOf(host).openAt({}, 'a', { directory: true }, { read: true });
    files.rename('a', 'z');
    files.rename('x', 'a');
    const [bytes] = opened.openAt({}, 'b/c/file', {}, { read: true }).read(10n, 0n);
    expect(Buffer.from(bytes).toString()).toBe('old');
  });
});

test('directories are kept open up to a bound, the ones used last, and closed with the guest', () => {
  const names = Array.from({ length: MAX_KEPT + 10 }, (_, index) => `d${index}`);
  const { mount } = makeMount('host', Object.fromEntries(names.map((name) => [`${name}/file`, name])));
  const before = openDescriptors();
  const { host } = makeHost({ mounts: { '/data': mount } });
  const files = filesOf(host, '0.2');
  for (let round = 0; round < 3; round += 1) for (const name of names) expect(files.read(`${name}/file`)).toBe(name);
  expect(openDescriptors() - before).toBe(MAX_KEPT + 1);
  host.dispose();
  expect(openDescriptors()).toBe(before);
});

describe('a directory that is held by its path', () => {
  test('is entered by names that are directories, as far as they go', () => {
    const { path = '' } = makeMount('host', CONTENT);
    symlinkSync('a', join(path, 'link'));
    const anchor = openAnchor(path, false);
    const opened = anchor.descend(['a', 'b', 'c', 'file']);
    expect(opened.map((one) => one.self())).toEqual(['a', 'a/b', 'a/b/c'].map((name) => join(path, name)));
    expect(anchor.descend(['link', 'b'])).toEqual([]);
    expect(() => anchor.descend(['a', 'missing'])).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(opened[0]?.at('b')).toBe(join(path, 'a/b'));
  });

  test('is refused when its path leads elsewhere by now', () => {
    const { path = '' } = makeMount('host', CONTENT);
    const [opened] = openAnchor(path, false).descend(['a']);
    renameSync(join(path, 'a'), join(path, 'moved'));
    symlinkSync(dirname(path), join(path, 'a'));
    expect(thrownBy(() => opened?.at('b'))).toBe('not-permitted');
    expect(thrownBy(() => opened?.stat())).toBe('not-permitted');
    expect(thrownBy(() => opened?.descend(['b']))).toBe('not-permitted');
  });

  test('is found behind a link that the host chose', () => {
    const { path = '' } = makeMount('host', CONTENT);
    const link = join(temporaryDirectory(), 'link');
    symlinkSync(path, link);
    expect(openAnchor(link, false).self()).toBe(path);
    const { host } = makeHost({ mounts: { '/data': hostDirectory(link) } });
    expect(filesOf(host, '0.2').list('.')).toEqual(readdirSync(path).sort());
  });
});

describe('on Windows', () => {
  const special = [
    'CON',
    'con',
    'PRN',
    'aux',
    'NUL',
    'nul.txt',
    'NUL.tar.gz',
    'aux .txt',
    'COM1',
    'COM0',
    'com¹',
    'COM².log',
    'LPT³',
    'lpt9.txt',
    'COM1 ',
    'CONIN$',
    'conout$',
    'C:x',
    'C:',
    'file:stream',
    'file::$DATA',
    '\\\\?\\C:',
    'a\\b',
    '..\\canary',
    'a/b',
    'PROGRA~1',
    'longna~2.txt',
    'name.',
    'name ',
    'name...',
    'a<b',
    'a>b',
    'a"b',
    'a|b',
    'a?b',
    'a*b',
  ];
  test.each(special)('%j is no name of a file', (name) => expect(isSpecialOnWindows(name)).toBe(true));

  const plain = [
    'console',
    'auxiliary',
    'null',
    'com',
    'com10',
    'COMx',
    'lpt',
    'nul1',
    '.nul',
    'a.nul',
    'x~y',
    '~',
    '..config',
    'prn_',
    'a b',
    'ä',
    'file.txt',
  ];
  test.each(plain)('%j is a name like any other', (name) => expect(isSpecialOnWindows(name)).toBe(false));
});
