// An overlay: what is read comes from below, what is changed goes above, and the mount below stays as it was to the last byte. That it answers like any file
// system is shown in `model.test.ts` and `held.test.ts`; here is what is its own.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import { ENTRY_UNITS } from '../../src/wasi/context.ts';
import { ENTRY_BYTES } from '../../src/wasi/filesystem/memory.ts';
import { type Mount, memoryDirectory, memoryFile, overlay, readOnly } from '../../src/wasi/filesystem/mount.ts';
import { HIDDEN_BYTES } from '../../src/wasi/filesystem/overlay-state.ts';
import { type Files, filesOf, type Version, VERSIONS } from './files.ts';
import { makeHost, makeMount, rootOf, stopOf, thrownBy } from './support.ts';

const INVALID = expect.objectContaining({ code: 'INVALID_OPTION' });
const CONTENT = { file: 'text', 'd/x': 'x', 'd/y': 'y', 'd/e/z': 'z' };

function filesIn(mount: Mount, version: Version = '0.2', hostBytes = 1_000_000): Files {
  return filesOf(makeHost({ mounts: { '/data': mount }, limits: { hostBytes } }).host, version);
}

/** All that is below `path`, with content and times. */
function snapshot(path: string): unknown {
  return readdirSync(path).map((name) => {
    const below = join(path, name);
    const { mtimeMs, atimeMs: _, mode } = statSync(below);
    return [name, mtimeMs, mode, statSync(below).isDirectory() ? snapshot(below) : readFileSync(below, 'utf8')];
  });
}

describe.each(VERSIONS)('an overlay through WASI %s', (version) => {
  test('leaves what is below as it was, whatever is done', () => {
    const { mount, path = '' } = makeMount('host', CONTENT);
    const before = snapshot(path);
    const files = filesIn(overlay(mount), version);
    files.write('file', 'changed');
    files.append('d/x', ' and more');
    files.setTimes('d', 1_000_000_000n);
    files.setTimes('d/y', 1_000_000_000n);
    files.link('d/y', 'linked');
    files.remove('d/y');
    files.rename('d', 'moved');
    files.rename('moved/e', 'e');
    files.makeDirectory('d');
    files.symlink('moved', 'd/link');
    files.remove('file');
    expect(files.list('.')).toEqual(['d', 'e', 'linked', 'moved']);
    expect([files.list('moved'), files.list('e'), files.list('d'), files.read('moved/x'), files.read('e/z'), files.read('linked')]).toEqual([
      ['x'],
      ['z'],
      ['link'],
      'x and more',
      'z',
      'y',
    ]);
    expect(snapshot(path)).toEqual(before);
  });

  test('shows what was removed no more, also when a directory of the same name is made', () => {
    const files = filesIn(overlay(memoryDirectory(CONTENT)), version);
    files.remove('d/e/z');
    files.removeDirectory('d/e');
    expect(files.list('d')).toEqual(['x', 'y']);
    files.makeDirectory('d/e');
    expect(files.list('d/e')).toEqual([]);
    for (const name of ['d/x', 'd/y']) files.remove(name);
    files.removeDirectory('d/e');
    files.removeDirectory('d');
    files.write('d', 'a file');
    files.remove('d');
    files.makeDirectory('d');
    expect([files.list('d'), thrownBy(() => files.read('d/x')), files.list('.')]).toEqual([[], 'no-entry', ['d', 'file']]);
  });

  test('moves directories with all that is below and above, and replaces empty ones', () => {
    const files = filesIn(overlay(memoryDirectory({ ...CONTENT, 'empty/x': '' })), version);
    files.write('d/new', 'new');
    files.remove('d/x');
    files.remove('empty/x');
    expect(thrownBy(() => files.rename('empty', 'd'))).toBe('not-empty');
    files.rename('d', 'empty');
    expect([files.list('empty'), files.read('empty/e/z'), files.list('.')]).toEqual([['e', 'new', 'y'], 'z', ['empty', 'file']]);
    files.rename('empty', 'd');
    expect([files.list('d'), files.list('.')]).toEqual([
      ['e', 'new', 'y'],
      ['d', 'file'],
    ]);
    expect(thrownBy(() => files.removeDirectory('d'))).toBe('not-empty');
  });

  test('keeps the times of what it copies up, and those of the directories on the way', () => {
    const { mount, path = '' } = makeMount('host', CONTENT);
    for (const name of ['d/e/z', 'd/e', 'd']) utimesSync(join(path, name), 1, 1);
    const files = filesIn(overlay(mount), version);
    files.link('d/e/z', 'linked');
    files.setTimes('d/x', 5_000_000_000n);
    const second = 1_000_000_000n;
    expect([files.stat('linked').modified, files.stat('d/e').modified, files.stat('d').modified, files.stat('d/x').modified]).toEqual([
      second,
      second,
      second,
      5n * second,
    ]);
  });

  test('shows what comes to be below, unless it was covered or removed', () => {
    const { mount, path = '' } = makeMount('host', CONTENT);
    const files = filesIn(overlay(mount), version);
    files.write('file', 'covered');
    files.remove('d/x');
    for (const name of ['file', 'd/x', 'd/late']) writeFileSync(join(path, name), 'late');
    expect([files.read('file'), thrownBy(() => files.read('d/x')), files.read('d/late'), files.list('d')]).toEqual([
      'covered',
      'no-entry',
      'late',
      ['e', 'late', 'y'],
    ]);
  });
});

describe('an overlay', () => {
  test('is one file system for all guests that are given it, and its upper side can be looked into', () => {
    const upper = memoryDirectory();
    const mount = overlay(memoryDirectory(CONTENT), upper);
    const [one, other] = [filesIn(mount), filesIn(mount, 'preview 1')];
    one.write('d/new', 'by the first');
    one.remove('file');
    expect([other.read('d/new'), thrownBy(() => other.read('file'))]).toEqual(['by the first', 'no-entry']);
    expect(filesIn(upper).list('.')).toEqual(['d']);
    expect(filesIn(upper).list('d')).toEqual(['new']);
  });

  test('of which another guest moves a directory away tells so to who writes through an open one', () => {
    const mount = overlay(memoryDirectory(CONTENT));
    const root = rootOf(makeHost({ mounts: { '/data': mount } }).host);
    const open = root.openAt({}, 'd/e', { directory: true }, { read: true });
    filesIn(mount).rename('d', 'moved');
    write(open, 'late', 'through the open one');
    expect(filesIn(mount).list('moved/e')).toEqual(['late', 'z']);
    const others = filesIn(mount);
    others.remove('moved/e/z');
    others.remove('moved/e/late');
    others.removeDirectory('moved/e');
    expect(thrownBy(() => write(open, 'late', ''))).toBe('no-entry');
  });

  test('gives those who read a file what is written to it later', () => {
    const root = rootOf(makeHost({ mounts: { '/data': overlay(memoryDirectory(CONTENT)) } }).host);
    const reader = root.openAt({}, 'file', {}, { read: true });
    expect(text(reader)).toBe('text');
    write(root, 'file', 'new');
    expect(text(reader)).toBe('newt');
    root.renameAt('file', root, 'moved');
    write(root, 'moved', 'newest');
    expect(text(reader)).toBe('newest');
    root.unlinkFileAt('moved');
    expect([text(reader), reader.stat().linkCount]).toEqual(['newest', 0n]);
  });

  test('knows a directory as the same before and after it is copied up', () => {
    const root = rootOf(makeHost({ mounts: { '/data': overlay(memoryDirectory(CONTENT)) } }).host);
    const open = () => root.openAt({}, 'd', { directory: true }, { read: true });
    const before = open();
    write(root, 'd/new', '');
    expect(before.isSameObject(open())).toBe(true);
    // Numbers of both sides begin at the same.
    const objects = ['d', 'd/x', 'd/new', 'file'].map((path) => root.openAt({}, path, {}, { read: true }));
    expect(objects.map((one) => objects.filter((other) => one.isSameObject(other)).length)).toEqual([1, 1, 1, 1]);
  });

  test('can lie over an overlay, over a view, and under one', () => {
    const bottom = overlay(readOnly(memoryDirectory(CONTENT)));
    filesIn(bottom).write('d/x', 'changed below');
    filesIn(bottom).remove('file');
    const top = overlay(bottom);
    const files = filesIn(top);
    expect([files.list('.'), files.read('d/x')]).toEqual([['d'], 'changed below']);
    files.write('d/x', 'changed above');
    files.rename('d/y', 'd/x2');
    files.rename('d', 'moved');
    expect([filesIn(bottom).read('d/x'), filesIn(top).read('moved/x'), filesIn(bottom).list('d')]).toEqual(['changed below', 'changed above', ['e', 'x', 'y']]);
    const view = filesIn(readOnly(top));
    expect([view.read('moved/x2'), thrownBy(() => view.write('moved/x', ''))]).toEqual(['y', 'read-only']);
    const root = rootOf(makeHost({ mounts: { '/data': top } }).host);
    write(root, 'a', '');
    write(rootOf(makeHost({ mounts: { '/data': bottom } }).host), 'b', '');
    const [a, b] = ['a', 'b'].map((path) => root.openAt({}, path, {}, { read: true })) as [Descriptor, Descriptor];
    expect(a.isSameObject(b)).toBe(false);
  });

  test('copies links as they are, and nothing that is neither file, directory nor link', () => {
    const { mount, path = '' } = makeMount('host', CONTENT);
    symlinkSync('d/x', join(path, 'link'));
    mkdirSync(join(path, 'special'));
    execFileSync('mkfifo', [join(path, 'special/fifo')]);
    const files = filesIn(overlay(mount));
    files.rename('link', 'moved');
    expect([files.readLink('moved'), files.read('moved'), thrownBy(() => files.stat('link', false))]).toEqual(['d/x', 'x', 'no-entry']);
    expect(thrownBy(() => files.rename('special', 'other'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('special/fifo', 'other'))).toBe('not-permitted');
    expect([thrownBy(() => files.read('special/fifo')), files.list('.')]).toEqual(['not-permitted', ['d', 'file', 'moved', 'special']]);
    files.remove('special/fifo');
    expect(files.list('special')).toEqual([]);
  });

  test('has two sides that are different directories, the upper one in memory and writable', () => {
    const memory = memoryDirectory();
    for (const make of [
      () => overlay(memoryFile()),
      () => overlay(memory, memory),
      () => overlay(readOnly(memory), memory),
      () => overlay(memory, readOnly(memoryDirectory())),
      () => overlay(memory, makeMount('host').mount),
      () => overlay(memory, overlay(memoryDirectory())),
      () => overlay(memory, memoryFile()),
      () => overlay({} as never),
    ]) {
      expect(make).toThrow(INVALID);
    }
    expect(overlay(memory)).toMatchObject({ kind: 'overlay', type: 'directory', writable: true });
  });
});

describe('what an overlay takes up', () => {
  const big = { big: 'x'.repeat(10_000) };

  test('is counted when a file is copied up: it fits to the byte, or is not begun', () => {
    const needed = ENTRY_BYTES + 10_000;
    const poor = filesIn(overlay(memoryDirectory(big)), '0.2', needed - 1);
    expect(thrownBy(() => poor.append('big', ''))).toBe('insufficient-space');
    expect(poor.read('big').length).toBe(10_000);
    expect(thrownBy(() => poor.write('small', ''))).toBeUndefined();
    const rich = filesIn(overlay(memoryDirectory(big)), '0.2', needed);
    expect([thrownBy(() => rich.append('big', '')), thrownBy(() => rich.setSize('big', 10_001n))]).toEqual([undefined, 'insufficient-space']);
  });

  test('is nothing for the content of a file that is cut as it is opened', () => {
    const files = filesIn(overlay(memoryDirectory(big)), '0.2', ENTRY_BYTES + 3);
    files.write('big', 'new');
    expect(files.read('big')).toBe('new');
  });

  test('is counted for each name that is hidden, and given back with its directory', () => {
    const mount = overlay(memoryDirectory({ a: '', b: '', 'd/x': '', 'd/y': '' }));
    const files = filesIn(mount, '0.2', ENTRY_BYTES + 2 * HIDDEN_BYTES);
    files.remove('a');
    files.remove('d/x');
    expect(thrownBy(() => files.create('fits', true))).toBeUndefined();
    expect(thrownBy(() => files.remove('b'))).toBe('insufficient-space');
    files.remove('fits');
    files.remove('d/y');
    // Two names of d are given back, and d itself is hidden.
    files.removeDirectory('d');
    expect([thrownBy(() => files.create('fits', true)), filesIn(mount).list('.')]).toEqual([undefined, ['b', 'fits']]);
  });

  test('is nothing for names that were hidden below a directory once that is moved, whose price that is', () => {
    const names = Array.from({ length: 200 }, (_, index) => `d${index}/x`);
    const lower = memoryDirectory({ file: '', 'empty/x': '', ...Object.fromEntries(names.map((name) => [`all/${name}`, ''])) });
    const costs = (hidden: boolean): number[] => {
      const mount = overlay(lower);
      const { host, control } = makeHost({ mounts: { '/data': mount } });
      const files = filesOf(host, '0.2');
      const cost = (work: () => void): number => {
        const before = control.units;
        work();
        return control.units - before;
      };
      files.remove('empty/x');
      files.makeDirectory('new');
      for (const name of names) if (hidden) files.remove(`all/${name}`);
      const measured = [cost(() => files.rename('file', 'moved')), cost(() => files.remove('moved')), cost(() => files.removeDirectory('empty'))];
      measured.push(cost(() => files.rename('new', 'newer')));
      files.rename('all', 'other');
      expect(mount.stores.map(({ grownBytes }) => grownBytes)[1]).toBe(3 * HIDDEN_BYTES);
      return measured;
    };
    const [few, many] = [costs(false), costs(true)];
    expect(many.slice(0, 3)).toEqual(few.slice(0, 3));
    expect((many[3] as number) - (few[3] as number)).toBeGreaterThanOrEqual(200 * 64);
  });

  test('of one over the other is paid for in each, and so is the way down to where they have nothing yet', () => {
    const path = Array.from({ length: 100 }, () => 'd').join('/');
    const looks: number[] = [];
    const changes: number[] = [];
    for (let layers = 0; layers <= 2; layers += 1) {
      let mount = memoryDirectory({ [`${path}/file`]: '' });
      for (let layer = 1; layer <= layers; layer += 1) mount = overlay(mount);
      const { host, control } = makeHost({ mounts: { '/data': mount } });
      const root = rootOf(host);
      const look = control.units;
      root.statAt({}, `${path}/file`);
      looks.push(control.units - look);
      const change = control.units;
      root.setTimesAt({}, `${path}/file`, { tag: 'now' }, { tag: 'now' });
      changes.push(control.units - change);
    }
    const steps = (100 * 101) / 2;
    for (const costs of [looks, changes]) {
      expect((costs[1] as number) - (costs[0] as number)).toBeGreaterThanOrEqual(100 * ENTRY_UNITS + steps * 64);
      expect((costs[2] as number) - (costs[1] as number)).toBeGreaterThanOrEqual(100 * ENTRY_UNITS + steps * 64);
    }
  });

  test('leaves nothing half done when the guest is stopped in the middle of it', () => {
    const mount = overlay(memoryDirectory({ big: 'x'.repeat(500_000) }));
    const { host, control } = makeHost({ mounts: { '/data': mount } });
    const files = filesOf(host, '0.2');
    files.list('.');
    control.budget = control.units + 100_000;
    expect(stopOf(() => files.append('big', 'y'))).toBe('FUEL_EXHAUSTED');
    host.dispose();
    const later = filesIn(mount);
    expect(later.stat('big').size).toBe(500_000);
    later.append('big', 'y');
    expect(later.stat('big').size).toBe(500_001);
  });
});

function text(file: Descriptor): string {
  return Buffer.from(file.read(1_000n, 0n)[0]).toString();
}

function write(directory: Descriptor, path: string, content: string): void {
  const file = directory.openAt({ symlinkFollow: true }, path, { create: true }, { write: true });
  file.write(Buffer.from(content), 0n);
  file[Symbol.dispose]();
}
