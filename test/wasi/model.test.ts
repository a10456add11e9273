// Random operations, done to a directory of each kind and to a host directory at once: both have to answer the same and to look the same after. The host's
// own file system is the model; the count of a directory in memory has to come back to nothing when everything is removed.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENTRY_BYTES } from '../../src/wasi/filesystem/memory.ts';
import { HIDDEN_BYTES } from '../../src/wasi/filesystem/overlay-state.ts';
import { type Files, setUp, VERSIONS } from './files.ts';
import { STORE_KINDS, thrownBy } from './support.ts';

const LIMIT = 1_000_000;

type Operation = readonly [name: keyof typeof OPERATIONS, path: string, other: string];

const OPERATIONS = {
  read: (files: Files, path: string) => files.read(path),
  write: (files: Files, path: string, other: string) => files.write(path, other),
  append: (files: Files, path: string, other: string) => files.append(path, other),
  create: (files: Files, path: string) => files.create(path, true),
  truncate: (files: Files, path: string) => files.truncate(path),
  setSize: (files: Files, path: string, other: string) => files.setSize(path, BigInt(other.length * 100)),
  stat: (files: Files, path: string) => files.stat(path).type,
  look: (files: Files, path: string) => files.stat(path, false).type,
  list: (files: Files, path: string) => files.list(path),
  makeDirectory: (files: Files, path: string) => files.makeDirectory(path),
  removeDirectory: (files: Files, path: string) => files.removeDirectory(path),
  remove: (files: Files, path: string) => files.remove(path),
  rename: (files: Files, path: string, other: string) => files.rename(path, other),
  link: (files: Files, path: string, other: string) => files.link(path, other),
  symlink: (files: Files, path: string, other: string) => files.symlink(other, path),
  readLink: (files: Files, path: string) => files.readLink(path),
};

// Few names, so that operations meet; sometimes a detour, a slash at the end, or a way out.
const plain = fc.constantFrom('a', 'b', 'c', 'a/a', 'a/b', 'b/a', 'b/c', 'a/b/c');
const path = fc.oneof(
  { arbitrary: plain, weight: 12 },
  { arbitrary: fc.tuple(plain, plain).map(([one, other]) => `${one}/../${other}`), weight: 2 },
  { arbitrary: fc.tuple(plain, fc.constantFrom('/', '/.', '/..', '//')).map((parts) => parts.join('')), weight: 2 },
  { arbitrary: fc.constantFrom('.', '..', '../a', 'a/../../a', '/a', 'a/b/../../../a'), weight: 1 },
);
const START = { a: 'file', 'b/a': 'below', 'b/c': '' };
const operation: fc.Arbitrary<Operation> = fc.tuple(fc.constantFrom(...(Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[])), path, path);

const KINDS = STORE_KINDS.filter((kind) => kind !== 'host');

test.each(KINDS.flatMap((kind) => VERSIONS.map((version) => ({ kind, version }))))(
  'a $kind directory answers like the host’s file system through WASI $version',
  ({ kind, version }) => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 5, maxLength: 60 }), (operations) => {
        const subject = setUp({ kind, version }, START, { limits: { hostBytes: LIMIT } });
        const model = setUp({ kind: 'host', version }, START);
        try {
          for (const [name, path, other] of operations) {
            const [ours, theirs] = [subject.files, model.files].map((files) => outcome(() => OPERATIONS[name](files, path, other)));
            expect([name, path, other, ours]).toEqual([name, path, other, theirs]);
          }
          expect(tree(subject.files, '.')).toEqual(tree(model.files, '.'));
          clear(subject.files, '.');
          expect(subject.files.list('.')).toEqual([]);
          subject.files.create('all', true);
          // What was there at first is hidden in an overlay, and that counts.
          const hidden = kind.includes('overlay') ? HIDDEN_AT_MOST * HIDDEN_BYTES : 0;
          subject.files.setSize('all', BigInt(LIMIT - ENTRY_BYTES - hidden));
        } finally {
          subject.host.dispose();
          model.host.dispose();
        }
      }),
      { numRuns: kind === 'memory' ? 200 : 50, seed: 20_260_101 },
    );
  },
);

// a, b, b/a and b/c.
const HIDDEN_AT_MOST = 4;

function outcome(operation: () => unknown): unknown {
  let value: unknown;
  const error = thrownBy(() => {
    value = operation();
  });
  return { value, error };
}

/** Everything below `path`, links as their content. */
function tree(files: Files, path: string): unknown {
  return files.list(path).map((name) => {
    const below = `${path}/${name}`;
    const { type } = files.stat(below, false);
    return [name, type, type === 'directory' ? tree(files, below) : type === 'symbolic-link' ? files.readLink(below) : files.read(below)];
  });
}

function clear(files: Files, path: string): void {
  for (const name of files.list(path)) {
    const below = `${path}/${name}`;
    if (files.stat(below, false).type !== 'directory') {
      files.remove(below);
      continue;
    }
    clear(files, below);
    files.removeDirectory(below);
  }
}
