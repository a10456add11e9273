// Denied paths and their patterns: what each covers, that no spelling gets past, that moving does not bring what is denied to where it is not, and that names
// which a guest chose cannot make the matching long.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Sandbox } from '../../src/index.ts';
import { DeniedPaths } from '../../src/wasi/filesystem/denied.ts';
import { memoryDirectory, memoryFile } from '../../src/wasi/filesystem/mount.ts';
import { filesOf, setUp, VERSIONS } from './files.ts';
import { makeHost, STORE_KINDS, thrownBy } from './support.ts';

function isDenied(patterns: readonly string[], path: string): boolean {
  return new DeniedPaths(patterns).at(path) === undefined;
}

describe('a denied path', () => {
  test.each([
    ['/data/secret', ['/data/secret', '/data/secret/x/y'], ['/data', '/data/secrets', '/data/x/secret', '/', '/data/secret-not']],
    ['/data//secret/', ['/data/secret', '/data/secret/x'], ['/data']],
    ['/', ['/', '/data'], []],
    ['/data/*', ['/data/a', '/data/.hidden', '/data/a/b'], ['/data', '/other/a']],
    ['/data/*.key', ['/data/a.key', '/data/.key', '/data/a.b.key', '/data/a.key/x'], ['/data/key', '/data/a.keys', '/data/d/a.key', '/data/a.key.pub']],
    ['/data/a*b*c', ['/data/abc', '/data/aXbYc', '/data/abbcc'], ['/data/ab', '/data/acb', '/data/abcd']],
    ['/data/?', ['/data/a', '/data/é', '/data/e\u0301', '/data/𝒳', '/data/ß'], ['/data', '/data/ab']],
    ['/data/a?c', ['/data/abc', '/data/a*c'], ['/data/ac', '/data/abbc']],
    ['/*/secret', ['/data/secret', '/x/secret/y'], ['/secret', '/a/b/secret']],
    ['/data/**/secret', ['/data/secret', '/data/a/secret', '/data/a/b/c/secret/x'], ['/data/a/b', '/secret', '/other/secret']],
    ['/**/*.key', ['/a.key', '/data/a.key', '/data/d/e/a.key/x'], ['/', '/data/key']],
    ['/data/**', ['/data/a', '/data/a/b'], ['/data', '/other']],
    ['/**', ['/data', '/data/a'], ['/']],
    ['/a/**/b/**/c', ['/a/b/c', '/a/x/b/y/z/c', '/a/b/b/c/c'], ['/a/c', '/a/b', '/b/c']],
    ['/data/[x]', ['/data/[x]'], ['/data/x']],
    ['/data/a.c', ['/data/a.c'], ['/data/abc']],
  ])('%s denies what it names, and what is below', (pattern, denied, others) => {
    expect(denied.filter((path) => !isDenied([pattern], path))).toEqual([]);
    expect(others.filter((path) => isDenied([pattern], path))).toEqual([]);
  });

  test.each([
    ['another case', '/data/secret', '/data/SeCrEt'],
    ['a pattern in another case', '/data/*.KEY', '/data/a.key'],
    ['another composition', '/data/caf\u00e9', '/data/cafe\u0301'],
    ['another composition of the pattern', '/data/cafe\u0301*', '/data/CAF\u00c9.txt'],
    ['a compatible character', '/data/file', '/data/\ufb01le'],
    ['a letter that is two in the other case', '/data/strasse', '/data/STRA\u1e9eE'],
    ['the Kelvin sign', '/data/key', '/data/\u212aey'],
    ['what is not seen', '/data/secret', '/data/sec\u200dre\u200bt\ufeff'],
    ['a soft hyphen', '/data/secret', '/data/sec\u00adret'],
  ])('is denied in %s as well', (_what, pattern, path) => expect(isDenied([pattern], path)).toBe(true));

  test.each(['relative', '', '/a/../b', '/a/./b', '/a\0', '/a/**b', '/a/b**', '/***', 1, undefined])('%j is no pattern', (pattern) => {
    const invalid = expect.objectContaining({ code: 'INVALID_OPTION' });
    expect(() => new DeniedPaths([pattern as string])).toThrow(invalid);
    expect(() => new Sandbox({ denyPaths: [pattern as string] })).toThrow(invalid);
  });

  test('agrees with regular expressions that say the same', () => {
    const name = fc.array(fc.constantFrom('a', 'b', '*', '?'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    const part = fc.oneof({ arbitrary: name.filter((text) => !text.includes('**')), weight: 3 }, { arbitrary: fc.constant('**'), weight: 1 });
    const plain = fc.array(fc.constantFrom('a', 'b', 'A'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    const pattern = fc.array(part, { minLength: 1, maxLength: 4 });
    const path = fc.array(plain, { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(pattern, path, (parts, names) => {
        expect(isDenied([`/${parts.join('/')}`], `/${names.join('/')}`)).toBe(expressionOf(parts).test(`/${names.join('/')}`));
      }),
      { numRuns: 2000, seed: 20_260_101 },
    );
  });
});

function expressionOf(parts: readonly string[]): RegExp {
  const names = parts.map((part, index) => {
    if (part === '**') return index === parts.length - 1 ? '/[^/]+' : '(?:/[^/]+)*';
    return `/${part.replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}`;
  });
  return new RegExp(`^${names.join('')}(?:/.*)?$`, 'i');
}

describe('names that a guest chose', () => {
  test('cannot make the matching of stars long', () => {
    const pattern = `/data/${'*a'.repeat(120)}*b`;
    const files = filesOf(makeHost({ mounts: { '/data': memoryDirectory() }, denyPaths: [pattern] }).host, '0.2');
    expect(thrownBy(() => files.read('a'.repeat(255)))).toBe('no-entry');
    expect(thrownBy(() => files.read(`${'a'.repeat(254)}b`))).toBe('not-permitted');
  });

  test('cannot make the matching of runs of names long, and pay for it', () => {
    const pattern = `/data${'/**/a'.repeat(60)}/b`;
    const { host, control } = makeHost({ mounts: { '/data': memoryDirectory() }, denyPaths: [pattern] });
    const files = filesOf(host, '0.2');
    let path = 'a';
    for (let depth = 1; depth < 100; depth += 1) {
      files.makeDirectory(path);
      path += '/a';
    }
    expect([thrownBy(() => files.read(path)), thrownBy(() => files.read(`${path.slice(0, -2)}/b`))]).toEqual(['no-entry', 'not-permitted']);
    const before = control.units;
    thrownBy(() => files.read(path));
    const withPatterns = control.units - before;
    const plain = makeHost({ mounts: { '/data': memoryDirectory() } });
    thrownBy(() => filesOf(plain.host, '0.2').read(path));
    expect(withPatterns).toBeGreaterThan(plain.control.units);
  });
});

describe.each(STORE_KINDS.flatMap((kind) => VERSIONS.map((version) => ({ kind, version }))))('patterns on a $kind directory through WASI $version', (pair) => {
  test('hold for every way to a name, and hide it from listings', () => {
    const content = { 'a.key': 'hidden', 'd/b.key': 'hidden', 'd/plain': 'open', 'd/KEYS/x': 'hidden', 'e/keys': 'hidden' };
    const { files } = setUp(pair, content, { denyPaths: ['/data/**/*.key', '/data/?/keys'] });
    files.symlink('d', 'link');
    files.symlink('d/b.key', 'to-key');
    for (const path of ['a.key', './a.key', 'd/../a.key', 'd/b.key', 'link/b.key', 'to-key', 'd/KEYS/x', 'd/keys', 'e/keys', 'new.key', 'd/A.KEY']) {
      expect([path, thrownBy(() => files.read(path))]).toEqual([path, 'not-permitted']);
      expect([path, thrownBy(() => files.write(path, ''))]).toEqual([path, 'not-permitted']);
      expect([path, thrownBy(() => files.rename('d/plain', path))]).toEqual([path, path === 'to-key' ? undefined : 'not-permitted']);
      if (path === 'to-key') files.rename('to-key', 'd/plain');
    }
    expect([files.list('.'), files.list('d'), files.list('e')]).toEqual([['d', 'e', 'link'], ['plain'], []]);
  });

  test('let directories be moved where the same is denied below', () => {
    const { files } = setUp(pair, { 'd/b.key': 'hidden', 'd/plain': 'open', 'e/f/x': '', 'top/x': '' }, { denyPaths: ['/data/**/*.key', '/data/e/f/secret'] });
    files.rename('d', 'top/d');
    expect([thrownBy(() => files.read('top/d/b.key')), files.read('top/d/plain')]).toEqual(['not-permitted', 'open']);
    expect(thrownBy(() => files.rename('e', 'g'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('e/f', 'g'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('top', 'e/f'))).toBe('not-permitted');
    expect(thrownBy(() => files.rename('e/f/x', 'g'))).toBeUndefined();
  });
});

test('a pattern can deny mounts and single files', () => {
  const mounts = { '/data/one': memoryDirectory({ x: '' }), '/data/two': memoryDirectory({ x: '' }), '/etc/key': memoryFile(), '/etc/other': memoryFile() };
  const { host } = makeHost({ mounts, denyPaths: ['/data/t*', '/**/key'] });
  const preopens = host.component()['wasi:filesystem/preopens'].getDirectories();
  expect(preopens.map(([, path]) => path)).toEqual(['/data/one', '/etc']);
  const entries = preopens[1]?.[0].readDirectory();
  expect([entries?.readDirectoryEntry()?.name, entries?.readDirectoryEntry()]).toEqual(['other', undefined]);
});
