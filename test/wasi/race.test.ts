// A thread exchanges directories and files of a mounted directory for links to the outside, and back, as fast as it can, while a guest opens them. The
// hunt has to catch an implementation that looks at a path before it opens it, and then nothing on ours. GLOVEPORT_RACE_MS makes each hunt longer.
import { appendFileSync, mkdirSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { fail } from '../../src/wasi/filesystem/errors.ts';
import { hostDirectory, hostFile, type Mount, overlay, readOnly } from '../../src/wasi/filesystem/mount.ts';
import { type Files, filesOf } from './files.ts';
import { CANARY, makeHost, temporaryDirectory, thrownBy } from './support.ts';

const HUNT_MS = Number(process.env.GLOVEPORT_RACE_MS ?? 200);
const CATCH_MS = 30_000;

/** What is exchanged (a path of the mount) for a link with this text, and what the guest asks for. */
const PLACES = [
  { what: 'a directory on the way', swapped: 'd', link: '..', path: 'd/file', isListed: false },
  { what: 'the first of several directories', swapped: 'a', link: '..', path: 'a/b/c/file', isListed: false },
  { what: 'a directory deep down', swapped: 'a/b', link: '../../b', path: 'a/b/c/file', isListed: false },
  { what: 'a file at the end', swapped: 'f', link: '../file', path: 'f', isListed: false },
  { what: 'a directory at the end', swapped: 'd', link: '..', path: 'd', isListed: true },
] as const;

// In the mount and outside of it the same names, so that only content tells where one has been.
function lay(directory: string, content: string): void {
  mkdirSync(join(directory, 'b/c'), { recursive: true });
  for (const name of ['file', 'b/c/file']) writeFileSync(join(directory, name), content);
}

interface Ground {
  readonly outside: string;
  readonly path: string;
}

function makeGround(link: string): Ground {
  const outside = temporaryDirectory();
  const path = join(outside, 'inside');
  for (const directory of ['d', 'a', 'shelf']) {
    mkdirSync(join(path, directory), { recursive: true });
    lay(join(path, directory), 'inside');
  }
  lay(outside, CANARY);
  writeFileSync(join(path, 'f'), 'inside');
  symlinkSync(link, join(path, 'shelf/link'));
  return { outside, path };
}

// Lets `hunt` run while the exchanging goes on.
async function whileSwapping(path: string, swapped: string, hunt: () => void): Promise<void> {
  const signal = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(SWAPPER, { eval: true, workerData: { path, swapped, signal } });
  const failed = new Promise((_, reject) => worker.once('error', reject));
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  try {
    Atomics.wait(signal, 1, 0, 10_000);
    hunt();
  } finally {
    Atomics.store(signal, 0, 1);
    await Promise.race([ended, failed]);
  }
}

const SWAPPER = `
  const { renameSync } = require('node:fs');
  const { workerData: { path, swapped, signal } } = require('node:worker_threads');
  const rename = (from, to) => renameSync(path + '/' + from, path + '/' + to);
  Atomics.store(signal, 1, 1);
  Atomics.notify(signal, 1);
  while (Atomics.load(signal, 0) === 0) {
    rename(swapped, 'shelf/kept'); rename('shelf/link', swapped);
    for (let i = 0; i < 1000; i++);
    rename(swapped, 'shelf/link'); rename('shelf/kept', swapped);
    for (let i = 0; i < 1000; i++);
  }
`;

/** Tries `attempt` until `isDone`, or the time is up; gives what came of it. */
function hunt(milliseconds: number, attempt: () => unknown, isDone: (outcomes: ReadonlySet<unknown>) => boolean): Set<unknown> {
  const outcomes = new Set<unknown>();
  const end = Date.now() + milliseconds;
  while (Date.now() < end && !isDone(outcomes)) {
    for (let round = 0; round < 50; round += 1) outcomes.add(thrownBy(() => outcomes.add(attempt())) ?? 'done');
  }
  return outcomes;
}

/** The planted fault: looks where a path leads, and then opens the path. */
function checkedFirst<Result>(root: string, path: string, use: (path: string) => Result): Result {
  const asked = join(root, path);
  const real = realpathSync(asked);
  if (!real.startsWith(`${root}/`)) fail('not-permitted');
  return use(asked);
}

const SUBJECTS: readonly { readonly name: string; readonly make: (ground: Ground) => Files }[] = [
  { name: 'a host directory through WASI 0.2', make: ({ path }) => filesIn(hostDirectory(path, { write: true }), '0.2') },
  { name: 'a host directory through preview 1', make: ({ path }) => filesIn(hostDirectory(path, { write: true }), 'preview 1') },
  { name: 'a read-only view', make: ({ path }) => filesIn(readOnly(hostDirectory(path, { write: true })), '0.2') },
  { name: 'an overlay', make: ({ path }) => filesIn(overlay(hostDirectory(path)), '0.2') },
];

function filesIn(mount: Mount, version: '0.2' | 'preview 1'): Files {
  return filesOf(makeHost({ mounts: { '/data': mount } }).host, version);
}

// Only the directory outside has the mount in it.
function whereIs(names: readonly string[]): string {
  return names.includes('inside') ? CANARY : 'inside';
}

describe.each(PLACES)('$what that is exchanged for a link to the outside all the time', ({ swapped, link, path, isListed }) => {
  test('gives an implementation away that looks before it opens', async () => {
    const ground = makeGround(link);
    await whileSwapping(ground.path, swapped, () => {
      const look = (asked: string) => (isListed ? whereIs(readdirSync(asked)) : readFileSync(asked, 'utf8'));
      const outcomes = hunt(
        CATCH_MS,
        () => checkedFirst(ground.path, path, look),
        (seen) => seen.has(CANARY),
      );
      expect(outcomes).toContain(CANARY);
    });
  });

  test.each(SUBJECTS)('never leads out of $name', async ({ make }) => {
    const ground = makeGround(link);
    const files = make(ground);
    const look = () => (isListed ? whereIs(files.list(path)) : files.read(path));
    await whileSwapping(ground.path, swapped, () => {
      const found = hunt(HUNT_MS, look, () => false);
      expect(found).not.toContain(CANARY);
      // However the machine shares out its time: both states were met, or nothing could have been caught.
      const met = hunt(CATCH_MS, look, (seen) => seen.has('inside') && seen.has('not-permitted'));
      expect(met).not.toContain(CANARY);
      expect([met.has('inside'), met.has('not-permitted')]).toEqual([true, true]);
    });
  });
});

describe('changes below a directory that is exchanged for a link to the outside all the time', () => {
  const changes = (directory: string): ((files: Files) => void)[] => [
    (files) => files.append(`${directory}/file`, 'changed'),
    (files) => files.write(`${directory}/file`, 'changed'),
    (files) => files.setSize(`${directory}/file`, 1n),
    (files) => files.setTimes(`${directory}/file`, 0n),
    (files) => files.create(`${directory}/made`, true),
    (files) => files.remove(`${directory}/made`),
    (files) => files.makeDirectory(`${directory}/made`),
    (files) => files.removeDirectory(`${directory}/made`),
    (files) => files.symlink('file', `${directory}/made`),
    (files) => files.rename(`${directory}/file`, `${directory}/moved`),
    (files) => files.rename(`${directory}/moved`, `${directory}/file`),
    (files) => files.link(`${directory}/file`, `${directory}/made`),
  ];

  /** All that can be seen of the directory around the mount. */
  function stateOf({ outside }: Ground): unknown {
    const { mtimeMs, nlink } = statSync(join(outside, 'file'));
    return [readdirSync(outside).sort(), readFileSync(join(outside, 'file'), 'utf8'), mtimeMs, nlink];
  }

  test('reach the outside where they look before they open', async () => {
    const ground = makeGround('..');
    const before = JSON.stringify(stateOf(ground));
    await whileSwapping(ground.path, 'd', () => {
      const append = () => checkedFirst(ground.path, 'd/file', (asked) => appendFileSync(asked, 'changed'));
      hunt(CATCH_MS, append, () => JSON.stringify(stateOf(ground)) !== before);
    });
    expect(JSON.stringify(stateOf(ground))).not.toBe(before);
  });

  test.each(SUBJECTS.slice(0, 2))('leave the outside of $name as it was', async ({ make }) => {
    const ground = makeGround('..');
    const files = make(ground);
    const before = stateOf(ground);
    const all = changes('d');
    const done = new Set<number>();
    await whileSwapping(ground.path, 'd', () => {
      const changeAll = () => {
        all.forEach((change, index) => {
          if (thrownBy(() => change(files)) === undefined) done.add(index);
        });
      };
      hunt(HUNT_MS, changeAll, () => false);
      hunt(CATCH_MS, changeAll, () => done.size === all.length);
    });
    expect(done.size).toBe(all.length);
    expect(stateOf(ground)).toEqual(before);
  });
});

test('a single file that is exchanged for a link all the time never shows what the link leads to', async () => {
  const ground = makeGround('../file');
  const files = filesOf(makeHost({ mounts: { '/etc/f': hostFile(join(ground.path, 'f'), { write: true }) } }).host, '0.2');
  await whileSwapping(ground.path, 'f', () => {
    const attempt = () => {
      thrownBy(() => files.write('f', 'inside'));
      return files.read('f');
    };
    const outcomes = hunt(HUNT_MS, attempt, () => false);
    expect(outcomes).not.toContain(CANARY);
    expect(hunt(CATCH_MS, attempt, (seen) => seen.has('inside') && seen.has('not-permitted'))).toContain('inside');
  });
  expect(readFileSync(join(ground.outside, 'file'), 'utf8')).toBe(CANARY);
});

// One guest makes links that are harmless deep down while another moves the directory up, where they lead outside: what was checked for the one need not
// hold any more for the other. A third follows what came of it.
test('two guests that make a link and move its directory at once cannot follow it', async () => {
  const ground = makeGround('..');
  const mount = hostDirectory(ground.path, { write: true });
  const [mover, reader] = [filesIn(mount, '0.2'), filesIn(mount, '0.2')];
  const signal = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL('race-guest.ts', import.meta.url), { workerData: { path: ground.path, signal } });
  const ended = new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', resolve);
  });
  try {
    Atomics.wait(signal, 1, 0, 10_000);
    const outcomes = hunt(
      HUNT_MS,
      () => {
        thrownBy(() => mover.rename('a/deep', 'up'));
        const error = thrownBy(() => reader.read('up/link'));
        thrownBy(() => mover.rename('up', 'a/deep'));
        return error ?? CANARY;
      },
      () => false,
    );
    expect(outcomes).not.toContain(CANARY);
  } finally {
    Atomics.store(signal, 0, 1);
    await ended;
  }
});
