// Times that a guest sets, which stores keep coarser than it may see, and links to links.
import { symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileStat } from '../../src/wasi/filesystem/backing.ts';
import { ExactTimes, MAX_EXACT_TIMES } from '../../src/wasi/filesystem/exact-times.ts';
import { filesOf, PAIRS, setUp, VERSIONS } from './files.ts';
import { FIRST_PREOPEN, makeHost, Preview1Guest, thrownBy } from './support.ts';

const EXACT = 1_700_000_000_123_456_789n;

describe.each(PAIRS)('on a $kind directory through WASI $version', (pair) => {
  test('a time that was set is shown to the nanosecond, until the file changes', () => {
    const { files } = setUp(pair, { 'a.txt': 'text', 'sub/b.txt': '' });
    files.symlink('a.txt', 'link');
    for (const path of ['a.txt', 'sub', '.', 'link']) {
      files.setTimes(path, EXACT);
      expect([path, files.stat(path).modified]).toEqual([path, EXACT]);
    }
    expect(files.stat('sub/b.txt').modified).not.toBe(EXACT);
    files.append('a.txt', 'more');
    expect(files.stat('a.txt').modified).toBeGreaterThan(EXACT);
  });

  test('another guest sees the time that the directory keeps', () => {
    const { files, mount } = setUp(pair, { 'a.txt': 'text' });
    files.setTimes('a.txt', EXACT);
    const other = filesOf(makeHost({ mounts: { '/data': mount } }).host, pair.version);
    const seen = other.stat('a.txt').modified;
    expect(seen - EXACT < 1_000_000n && EXACT - seen < 1_000_000n).toBe(true);
  });

  test('a link to a symbolic link is another one, wherever it leads, and is refused where it would lead out', () => {
    const { files, path } = setUp(pair, { 'a.txt': 'text', 'sub/deep/b.txt': '' });
    files.symlink('a.txt', 'link');
    files.symlink('nowhere', 'dangling');
    files.symlink('../../a.txt', 'sub/deep/up');
    files.link('link', 'other');
    files.link('dangling', 'sub/other');
    expect([files.readLink('other'), files.read('other'), files.readLink('sub/other')]).toEqual(['a.txt', 'text', 'nowhere']);
    files.remove('link');
    expect(files.read('other')).toBe('text');
    expect(thrownBy(() => files.link('sub/deep/up', 'up'))).toBe('not-permitted');
    expect(thrownBy(() => files.link('dangling', 'other'))).toBe('exist');
    if (path === undefined) return;
    symlinkSync('/etc/passwd', join(path, 'absolute'));
    symlinkSync('../canary', join(path, 'outside'));
    expect([thrownBy(() => files.link('absolute', 'x')), thrownBy(() => files.link('outside', 'sub/x'))]).toEqual(['not-permitted', undefined]);
    expect(thrownBy(() => files.read('sub/x'))).toBe('no-entry');
  });
});

test.each(VERSIONS)('times of the host from before 1970 are shown as its beginning through WASI %s', (version) => {
  const { files, path } = setUp({ kind: 'host', version }, { 'a.txt': 'text' });
  utimesSync(`${path}/a.txt`, new Date('1938-04-24'), new Date('1938-04-24'));
  expect([files.stat('a.txt').modified, files.read('a.txt')]).toEqual([0n, 'text']);
});

test('a time that is left alone does not change by a nanosecond', () => {
  const { host } = setUp({ kind: 'host', version: 'preview 1' }, { 'a.txt': 'text' });
  const guest = new Preview1Guest(host);
  const result = guest.room(64);
  const times = (): bigint[] => {
    expect(guest.call('path_filestat_get', FIRST_PREOPEN, 0, ...guest.put('a.txt'), result)).toBe(0);
    return [guest.view.getBigUint64(result + 40, true), guest.view.getBigUint64(result + 48, true)];
  };
  const [accessed] = times();
  expect(guest.call('path_filestat_set_times', FIRST_PREOPEN, 0, ...guest.put('a.txt'), 0n, EXACT, 4)).toBe(0);
  expect(times()).toEqual([accessed, EXACT]);
  const { fd } = guest.open('a.txt');
  expect(guest.call('fd_filestat_set_times', fd, EXACT + 1n, 0n, 1)).toBe(0);
  expect(times()).toEqual([EXACT + 1n, EXACT]);
});

test('no more than a number of times is remembered', () => {
  const kept = (inode: number): FileStat => ({
    type: 'regular-file',
    links: 1n,
    size: 0n,
    device: 1n,
    inode: BigInt(inode),
    accessed: 100n,
    modified: 200n,
    changed: 300n,
  });
  const times = new ExactTimes();
  const shown = (inode: number): bigint => times.restore(kept(inode)).modified;
  for (let inode = 0; inode < MAX_EXACT_TIMES; inode += 1) times.remember({ accessed: 100n, modified: 201n }, kept(inode));
  expect([shown(0), shown(MAX_EXACT_TIMES - 1)]).toEqual([201n, 201n]);
  times.remember({ accessed: 100n, modified: 201n }, kept(MAX_EXACT_TIMES));
  expect([shown(0), shown(1), shown(MAX_EXACT_TIMES)]).toEqual([200n, 201n, 201n]);
  times.remember({ accessed: 100n, modified: 200n }, kept(1));
  expect([shown(1), times.restore({ ...kept(2), modified: 250n }).modified]).toEqual([200n, 250n]);
});
