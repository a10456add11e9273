// Random operations on files and directories that are held open while their names are written, moved and removed by other ways, done to a directory of each
// kind and to a host directory at once: what is open has to stay the same object on both.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import { makeHost, makeMount, rootOf, STORE_KINDS, thrownBy } from './support.ts';

const START = { a: 'file', 'b/a': 'below', 'b/c/d': 'deep' };
const FOLLOW = { symlinkFollow: true };
const SLOTS = 3;

/** A guest with slots for what it has open. */
class Holder {
  readonly files: (Descriptor | undefined)[] = [];
  readonly directories: (Descriptor | undefined)[] = [];
  readonly #root: Descriptor;

  constructor(root: Descriptor) {
    this.#root = root;
  }

  openFile(slot: number, path: string, write: boolean): void {
    const opened = this.#root.openAt(FOLLOW, path, {}, { read: true, write });
    if (opened.getType() !== 'regular-file') return;
    this.files[slot]?.[Symbol.dispose]();
    this.files[slot] = opened;
  }

  openDirectory(slot: number, path: string): void {
    const opened = this.#root.openAt(FOLLOW, path, { directory: true }, { read: true });
    this.directories[slot]?.[Symbol.dispose]();
    this.directories[slot] = opened;
  }

  read(slot: number): string | undefined {
    const file = this.files[slot];
    return file && Buffer.from(file.read(1000n, 0n)[0]).toString();
  }

  write(slot: number, text: string): unknown {
    return this.files[slot]?.write(Buffer.from(text), 1n);
  }

  setSize(slot: number, text: string): unknown {
    return this.files[slot]?.setSize(BigInt(text.length));
  }

  size(slot: number): unknown {
    return this.files[slot]?.stat().size;
  }

  setTimes(slot: number): unknown {
    const time = { tag: 'timestamp', val: { seconds: 1n, nanoseconds: 0 } } as const;
    this.files[slot]?.setTimes(time, time);
    return this.files[slot]?.stat().dataModificationTimestamp.seconds;
  }

  list(slot: number): unknown {
    return this.directories[slot] && namesOf(this.directories[slot]);
  }

  put(slot: number | undefined, path: string, text: string): void {
    const directory = slot === undefined ? this.#root : this.directories[slot];
    const file = directory?.openAt(FOLLOW, path, { create: true, truncate: true }, { write: true });
    file?.write(Buffer.from(text), 0n);
    file?.[Symbol.dispose]();
  }

  get(slot: number | undefined, path: string): unknown {
    const file = (slot === undefined ? this.#root : this.directories[slot])?.openAt(FOLLOW, path, {}, { read: true });
    const text = file && Buffer.from(file.read(1000n, 0n)[0]).toString();
    file?.[Symbol.dispose]();
    return text;
  }

  makeDirectory(slot: number | undefined, path: string): void {
    (slot === undefined ? this.#root : this.directories[slot])?.createDirectoryAt(path);
  }

  remove(path: string): void {
    this.#root.unlinkFileAt(path);
  }

  removeDirectory(path: string): void {
    this.#root.removeDirectoryAt(path);
  }

  rename(slot: number | undefined, path: string, newPath: string): void {
    (slot === undefined ? this.#root : this.directories[slot])?.renameAt(path, this.#root, newPath);
  }

  link(path: string, newPath: string): void {
    this.#root.linkAt({}, path, this.#root, newPath);
  }

  type(slot: number, path: string): unknown {
    return this.directories[slot]?.statAt(FOLLOW, path).type;
  }
}

type Step = readonly [name: string, act: (holder: Holder) => unknown];

const slot = fc.nat(SLOTS - 1);
const maybeSlot = fc.option(slot, { nil: undefined });
const path = fc.constantFrom('a', 'b', 'c', 'b/a', 'b/c', 'c/a', 'b/c/d', 'c/c/d');
const name = fc.constantFrom('a', 'c', 'd', 'c/d');
const text = fc.constantFrom('', 'x', 'longer text');

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(slot, path, fc.boolean()).map(([s, p, w]): Step => [`open file ${s} ${p} ${w}`, (h) => h.openFile(s, p, w)]),
  fc.tuple(slot, path).map(([s, p]): Step => [`open directory ${s} ${p}`, (h) => h.openDirectory(s, p)]),
  slot.map((s): Step => [`read ${s}`, (h) => h.read(s)]),
  fc.tuple(slot, text).map(([s, t]): Step => [`write ${s} ${t}`, (h) => h.write(s, t)]),
  fc.tuple(slot, text).map(([s, t]): Step => [`set size ${s} ${t}`, (h) => h.setSize(s, t)]),
  slot.map((s): Step => [`size ${s}`, (h) => h.size(s)]),
  slot.map((s): Step => [`set times ${s}`, (h) => h.setTimes(s)]),
  slot.map((s): Step => [`list ${s}`, (h) => h.list(s)]),
  fc.tuple(maybeSlot, name, text).map(([s, p, t]): Step => [`put ${s} ${p} ${t}`, (h) => h.put(s, p, t)]),
  fc.tuple(maybeSlot, name).map(([s, p]): Step => [`get ${s} ${p}`, (h) => h.get(s, p)]),
  fc.tuple(maybeSlot, name).map(([s, p]): Step => [`make directory ${s} ${p}`, (h) => h.makeDirectory(s, p)]),
  path.map((p): Step => [`remove ${p}`, (h) => h.remove(p)]),
  path.map((p): Step => [`remove directory ${p}`, (h) => h.removeDirectory(p)]),
  fc.tuple(maybeSlot, name, path).map(([s, p, q]): Step => [`rename ${s} ${p} ${q}`, (h) => h.rename(s, p, q)]),
  fc.tuple(path, path).map(([p, q]): Step => [`rename ${p} ${q}`, (h) => h.rename(undefined, p, q)]),
  fc.tuple(path, path).map(([p, q]): Step => [`link ${p} ${q}`, (h) => h.link(p, q)]),
  fc.tuple(slot, name).map(([s, p]): Step => [`type ${s} ${p}`, (h) => h.type(s, p)]),
);

test.each(STORE_KINDS.filter((kind) => kind !== 'host'))('what is open in a %s directory stays what it is, like on the host’s file system', (kind) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const hosts = [makeHost({ mounts: { '/data': makeMount(kind, START).mount } }), makeHost({ mounts: { '/data': makeMount('host', START).mount } })];
      const [subject, model] = hosts.map(({ host }) => new Holder(rootOf(host))) as [Holder, Holder];
      const done: string[] = [];
      for (const [what, act] of steps) {
        done.push(what);
        const outcomes = [subject, model].map((holder) => {
          let value: unknown;
          const error = thrownBy(() => {
            value = act(holder);
          });
          return { value, error };
        });
        expect([done, outcomes[0]]).toEqual([done, outcomes[1]]);
      }
      for (const { host } of hosts) host.dispose();
    }),
    { numRuns: 150, seed: 20_260_101 },
  );
});

function namesOf(directory: Descriptor): string[] {
  const names: string[] = [];
  const stream = directory.readDirectory();
  for (let entry = stream.readDirectoryEntry(); entry; entry = stream.readDirectoryEntry()) names.push(entry.name);
  stream[Symbol.dispose]();
  return names.sort();
}
