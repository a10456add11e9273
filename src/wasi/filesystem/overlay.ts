// Two stores as one: what is read comes from the lower one, what is changed goes to the upper one, a memory directory, and the lower one stays as it is. A
// name of the upper store covers the same name below, directories of both are merged, and what is removed or moved away from below is hidden. A file is
// copied up before it is first opened for writing, a directory with all its content before it is moved: until then a merged directory has the same path
// in both.
import type { WasiContext } from '../context.ts';
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, FileTimes, OpenAccess } from './backing.ts';
import { MAX_ENTRIES } from './backing.ts';
import { fail } from './errors.ts';
import { LowerFile, UpperFile } from './overlay-file.ts';
import type { LocatedDirectory, OverlayState } from './overlay-state.ts';
import { below } from './paths.ts';

const COPY_BYTES = 64 * 1024;
// What looking at one path, or one step down in the upper store, costs, as if so many bytes were moved.
const STEP_BYTES = 512;
const READ: OpenAccess = { read: true, write: false, create: false, exclusive: false, truncate: false };
const MAKE: OpenAccess = { read: false, write: true, create: true, exclusive: true, truncate: false };

/** The two sides of a name: `lower` is undefined also when it is hidden. */
interface Sides {
  readonly upper: FileStat | undefined;
  readonly lower: FileStat | undefined;
}

/** Opens the root for a guest. Takes over `lower`, which is only read. */
export function openOverlay(state: OverlayState, context: WasiContext, lower: BackingDirectory, device: bigint): BackingDirectory {
  return new OverlayDirectory({ state, context, device }, '', lower, state.upper.open(context));
}

interface Guest {
  readonly state: OverlayState;
  readonly context: WasiContext;
  /** Tells objects of the upper store from those of the lower one. */
  readonly device: bigint;
}

class OverlayDirectory implements BackingDirectory, LocatedDirectory {
  path: string | undefined;
  readonly #guest: Guest;
  // Outlives the others.
  readonly #root: OverlayDirectory;
  #lower: BackingDirectory | undefined;
  #upper: BackingDirectory | undefined;

  /** Takes over `lower` and `upper`. */
  constructor(guest: Guest, path: string, lower: BackingDirectory | undefined, upper: BackingDirectory | undefined, root?: OverlayDirectory) {
    this.#guest = guest;
    this.path = path;
    this.#lower = lower;
    this.#upper = upper;
    this.#root = root ?? this;
    guest.state.directories.add(this);
  }

  close(): void {
    this.#guest.state.directories.delete(this);
    this.#lower?.close();
    this.#upper?.close();
  }

  leaveLower(): void {
    this.#lower?.close();
    this.#lower = undefined;
  }

  stat(): FileStat {
    const upper = this.#findUpper()?.stat();
    return this.#merged({ upper, lower: this.#lower?.stat() }) ?? fail('no-entry');
  }

  setTimes(times: FileTimes): void {
    this.#makeUpper().setTimes(times);
  }

  sync(): void {}

  entries(pay: (count: number) => void): DirectoryEntry[] {
    if (this.path === undefined) return [];
    const upper = this.#findUpper()?.entries(pay) ?? [];
    const covering = new Set(upper.map(({ name }) => name));
    const lower = this.#lower?.entries(pay).filter(({ name }) => !covering.has(name) && !this.#hides(name)) ?? [];
    if (upper.length + lower.length > MAX_ENTRIES) fail('insufficient-memory');
    return [...upper, ...lower];
  }

  reopen(): BackingDirectory {
    return new OverlayDirectory(this.#guest, this.#at(), this.#lower?.reopen(), this.#upper?.reopen(), this.#root);
  }

  descend(names: readonly string[]): BackingDirectory[] {
    const opened: OverlayDirectory[] = [];
    let here: OverlayDirectory = this;
    try {
      for (const name of names) {
        const child = here.#child(name);
        if (child === undefined) break;
        opened.push(child);
        here = child;
      }
      return opened;
    } catch (error) {
      for (const directory of opened) directory.close();
      throw error;
    }
  }

  lookup(name: string): FileStat | undefined {
    return this.#merged(this.#sides(name));
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    const sides = this.#sides(name);
    const stat = sides.upper ?? sides.lower;
    if (stat && access.create && access.exclusive) fail('exist');
    if (!stat && !access.create) fail('no-entry');
    if (stat && stat.type !== 'regular-file') fail(stat.type === 'directory' ? 'is-directory' : stat.type === 'symbolic-link' ? 'loop' : 'not-permitted');
    if (sides.lower && !sides.upper && access.write) this.#copyUp(name, sides.lower, !access.truncate);
    const isLower = sides.lower !== undefined && !sides.upper && !access.write;
    const file = isLower ? this.#readable().openFile(name, READ) : this.#makeUpper().openFile(name, access);
    const { state, device } = this.#guest;
    return isLower ? new LowerFile(state, device, below(this.#at(), name), file, (path) => this.#root.#copyUpAt(path)) : new UpperFile(device, file);
  }

  readLink(name: string): string {
    const sides = this.#sides(name);
    return (sides.upper ? this.#makeUpper() : this.#readable()).readLink(name);
  }

  setTimesOf(name: string, times: FileTimes): void {
    const directory = this.#child(name);
    if (directory === undefined) this.#bringUp(name);
    else directory.#makeUpper();
    directory?.close();
    this.#makeUpper().setTimesOf(name, times);
  }

  createDirectory(name: string): void {
    if (this.lookup(name)) fail('exist');
    this.#makeUpper().createDirectory(name);
  }

  createLink(name: string, target: string): void {
    if (this.lookup(name)) fail('exist');
    this.#makeUpper().createLink(name, target);
  }

  removeFile(name: string): void {
    this.#chargeSteps(this.#guest.state.opened);
    const sides = this.#sides(name);
    const stat = sides.upper ?? sides.lower ?? fail('no-entry');
    if (stat.type === 'directory') fail('is-directory');
    this.#hiding(sides, name, () => {
      if (sides.upper) this.#makeUpper().removeFile(name);
      this.#guest.state.removedFile(below(this.#at(), name));
    });
  }

  removeDirectory(name: string): void {
    this.#chargeSteps(this.#guest.state.opened);
    const sides = this.#sides(name);
    this.#checkEmpty(name);
    this.#hiding(sides, name, () => {
      if (sides.upper) this.#makeUpper().removeDirectory(name);
      this.#guest.state.removedDirectory(below(this.#at(), name));
    });
  }

  link(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameOverlay(target);
    if (into.lookup(newName)) fail('exist');
    this.#bringUp(name);
    this.#makeUpper().link(name, into.#makeUpper(), newName);
  }

  rename(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameOverlay(target);
    const [from, to] = [below(this.#at(), name), below(into.#at(), newName)];
    const [sides, replacedSides] = [this.#sides(name), into.#sides(newName)];
    const source = this.#merged(sides) ?? fail('no-entry');
    const replaced = this.#merged(replacedSides);
    if (from === to || (replaced && replaced.inode === source.inode && replaced.device === source.device)) return;
    if (from.startsWith(`${to}/`)) fail('not-empty');
    const { state } = this.#guest;
    this.#chargeSteps(state.opened);
    if (source.type === 'directory') {
      this.#chargeSteps(state.hiding);
      if (to.startsWith(`${from}/`)) fail('invalid');
      if (replaced) into.#checkEmpty(newName);
    } else if (replaced?.type === 'directory') {
      fail('is-directory');
    }
    this.#bringUp(name);
    const upper = this.#makeUpper();
    const intoUpper = into.#makeUpper();
    this.#hiding(sides, name, () => into.#hiding(replacedSides, newName, () => upper.rename(name, intoUpper, newName)));
    state.moved(from, to, source.type);
  }

  // Copies up the file `path`, which is of the lower store.
  #copyUpAt(path: string): void {
    const names = path.split('/');
    const name = names.pop() as string;
    const opened = this.descend(names);
    try {
      const parent = opened.length === names.length ? ((opened.at(-1) as OverlayDirectory | undefined) ?? this) : fail('no-entry');
      parent.#bringUp(name);
    } finally {
      for (const directory of opened) directory.close();
    }
  }

  #child(name: string): OverlayDirectory | undefined {
    const sides = this.#sides(name);
    const stat = sides.upper ?? sides.lower ?? fail('no-entry');
    if (stat.type !== 'directory') return undefined;
    const [lower] = sides.lower?.type === 'directory' ? this.#readable().descend([name]) : [];
    try {
      const [upper] = sides.upper ? this.#makeUpper().descend([name]) : [];
      return new OverlayDirectory(this.#guest, below(this.#at(), name), lower, upper, this.#root);
    } catch (error) {
      lower?.close();
      throw error;
    }
  }

  // Has all of `name` in the upper store.
  #bringUp(name: string): void {
    const { upper, lower } = this.#sides(name);
    if (lower?.type === 'directory' && (upper ?? lower).type === 'directory') this.#copyTreeUp(name);
    else if (lower && !upper) this.#copyUp(name, lower, true);
  }

  #copyTreeUp(name: string): void {
    const { context } = this.#guest;
    const directory = this.#child(name) ?? fail('not-directory');
    try {
      directory.#makeUpper();
      for (const entry of directory.entries((count) => context.chargeCalls(count))) {
        context.chargeCalls(2);
        directory.#bringUp(entry.name);
      }
    } finally {
      directory.close();
    }
  }

  #copyUp(name: string, stat: FileStat, withContent: boolean): void {
    const upper = this.#makeUpper();
    const timesHere = upper.stat();
    if (stat.type === 'symbolic-link') {
      upper.createLink(name, this.#readable().readLink(name));
    } else if (stat.type === 'regular-file') {
      const target = upper.openFile(name, MAKE);
      try {
        if (withContent) this.#copyContent(name, target);
      } catch (error) {
        // What is half copied must not cover the whole.
        upper.removeFile(name);
        throw error;
      } finally {
        target.close();
      }
    } else {
      fail('not-permitted');
    }
    upper.setTimesOf(name, stat);
    upper.setTimes(timesHere);
    this.#guest.state.copiedUp(below(this.#at(), name), () => upper.openFile(name, READ));
  }

  #copyContent(name: string, target: BackingFile): void {
    const { context } = this.#guest;
    const source = this.#readable().openFile(name, READ);
    try {
      const size = source.size();
      if (size > context.hostBytesLeft()) fail('insufficient-space');
      const buffer = new Uint8Array(Math.min(size, COPY_BYTES));
      for (let position = 0; position < size; ) {
        context.chargeCalls(2);
        context.chargeBytes(buffer.length);
        const count = source.read(buffer.subarray(0, size - position), position);
        if (count === 0) return;
        target.write(buffer.subarray(0, count), position);
        position += count;
      }
    } finally {
      source.close();
    }
  }

  // Hides what the lower store has as `name` while, and if, `change` succeeds.
  #hiding({ lower }: Sides, name: string, change: () => void): void {
    const undo = lower && this.#guest.state.hide(this.#guest.context, this.#at(), name);
    try {
      change();
    } catch (error) {
      undo?.();
      throw error;
    }
  }

  #checkEmpty(name: string): void {
    const directory = this.#child(name) ?? fail('not-directory');
    try {
      if (directory.entries((count) => this.#guest.context.chargeCalls(count)).length > 0) fail('not-empty');
    } finally {
      directory.close();
    }
  }

  // Paid for in each overlay that lies on another.
  #sides(name: string): Sides {
    this.#guest.context.chargeEntries(1);
    return { upper: this.#findUpper()?.lookup(name), lower: this.#hides(name) ? undefined : this.#lower?.lookup(name) };
  }

  // Named after the lower object as long as that is merged: copying up changes no directory's identity.
  #merged({ upper, lower }: Sides): FileStat | undefined {
    if (upper === undefined) return lower;
    const isMerged = upper.type === 'directory' && lower?.type === 'directory';
    return isMerged ? { ...upper, device: lower.device, inode: lower.inode } : { ...upper, device: this.#guest.device };
  }

  #chargeSteps(count: number): void {
    this.#guest.context.chargeBytes(STEP_BYTES * count);
  }

  #hides(name: string): boolean {
    return this.#guest.state.hides(this.#at(), name);
  }

  #at(): string {
    return this.path ?? fail('no-entry');
  }

  #readable(): BackingDirectory {
    return this.#lower ?? fail('no-entry');
  }

  // This directory in the upper store, once it is there.
  #findUpper(): BackingDirectory | undefined {
    if (this.#upper || this.path === undefined) return this.#upper;
    const names = this.path.split('/');
    this.#chargeSteps(names.length);
    let opened: BackingDirectory[] = [];
    try {
      opened = (this.#root.#upper as BackingDirectory).descend(names);
    } catch (error) {
      if (error !== 'no-entry') throw error;
    }
    if (opened.length === names.length) this.#upper = opened.pop();
    for (const directory of opened) directory.close();
    return this.#upper;
  }

  // This directory in the upper store, made there with those above it.
  #makeUpper(): BackingDirectory {
    const found = this.#findUpper();
    if (found) return found;
    const names = this.#at().split('/');
    const opened = this.#root.descend(names) as OverlayDirectory[];
    const made: { readonly parent: BackingDirectory; readonly name: string; readonly times: FileTimes }[] = [];
    try {
      let parent = this.#root.#upper as BackingDirectory;
      opened.forEach((directory, index) => {
        if (!directory.#findUpper()) {
          const name = names[index] as string;
          const times = directory.#readable().stat();
          parent.createDirectory(name);
          made.push({ parent, name, times });
        }
        parent = directory.#findUpper() ?? fail('io');
      });
    } finally {
      // Also when the guest is stopped on the way.
      for (const { parent, name, times } of made) parent.setTimesOf(name, times);
      for (const directory of opened) directory.close();
    }
    return this.#findUpper() ?? fail('no-entry');
  }

  #sameOverlay(directory: BackingDirectory): OverlayDirectory {
    return directory instanceof OverlayDirectory && directory.#guest.state === this.#guest.state ? directory : fail('cross-device');
  }
}
