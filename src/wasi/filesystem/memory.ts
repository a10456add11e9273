// A directory in the host's memory as the store of a mount: a volume, and the account that is kept of it. Content counts against `hostBytes`, links are
// never followed, directories are not moved into themselves, an open file outlives its name, and an open directory keeps its place when it is moved.
import type { Metered, WasiContext } from '../context.ts';
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, FileTimes, OpenAccess } from './backing.ts';
import { MAX_ENTRIES } from './backing.ts';
import { attempt, fail } from './errors.ts';
import type { Volume, VolumeDirectory, VolumeFile } from './volume.ts';

/** What an entry (file, directory, link, and each further name of a file) counts besides its content; measured with memfs: about 3 KiB. */
export const ENTRY_BYTES = 4096;
// Writing a byte of a file anew takes as long as moving this many: it is copied twice, to memory that is fresh.
const REWRITTEN_AS_MOVED = 16;
/** Directories within directories. memfs keeps the whole path with every object, so that depth costs by the square. */
export const MAX_DEPTH = 128;

/** The store of a memory directory. It lives as long as its mount and is shared by the guests that are given the mount. */
export class MemoryStore implements Metered {
  grownBytes = 0;
  readonly volume: Volume;
  // Open files that have a name, by number. A file system may give the number of one that has lost its last name to the next file.
  readonly #open = new Map<bigint, Openings>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  /** The directory itself, opened for a guest, on whose account it grows. */
  open(context: WasiContext): BackingDirectory {
    return new MemoryDirectory(this, context, this.volume.root());
  }

  /** Makes room for `bytes` more. Fails with 'insufficient-space' when they are over the limit of the guest that wants them. */
  grow(context: WasiContext, bytes: number): void {
    if (bytes > 0 && bytes > context.hostBytesLeft()) fail('insufficient-space');
    this.grownBytes += bytes;
  }

  // Never below nothing: what the host put there was not counted when it came.
  shrink(bytes: number): void {
    this.grownBytes = Math.max(0, this.grownBytes - bytes);
  }

  /** Counts one more opening of a file that has a name. Who opened it gives the count to {@link close}. */
  opened(inode: bigint): Openings {
    const openings = this.#open.get(inode) ?? { inode, count: 0, nameless: false };
    openings.count += 1;
    this.#open.set(inode, openings);
    return openings;
  }

  close(file: VolumeFile, openings: Openings): void {
    openings.count -= 1;
    const isLast = openings.count === 0;
    if (isLast && !openings.nameless) this.#open.delete(openings.inode);
    try {
      if (isLast && openings.nameless) this.shrink(attempt(() => file.size()) + ENTRY_BYTES);
    } finally {
      attempt(() => this.volume.fs.closeSync(file.fd));
    }
    if (isLast && openings.nameless) file.forget();
  }

  removeFile(path: string, stat: FileStat): void {
    const openings = this.#open.get(stat.inode);
    attempt(() => this.volume.unlink(path, stat, openings !== undefined));
    if (stat.links > 1n) return this.shrink(ENTRY_BYTES);
    this.#open.delete(stat.inode);
    if (openings) openings.nameless = true;
    else this.shrink(Number(stat.size) + ENTRY_BYTES);
  }

  removeDirectory(path: string, stat: FileStat): void {
    attempt(() => this.volume.removeDirectory(path, stat));
    this.shrink(ENTRY_BYTES);
  }
}

/** How often a file is open, and whether it has lost its last name since. */
interface Openings {
  readonly inode: bigint;
  count: number;
  nameless: boolean;
}

// There memfs takes a name with a backslash for a path.
const BACKSLASH_SEPARATES = process.platform === 'win32';

class MemoryDirectory implements BackingDirectory {
  readonly #store: MemoryStore;
  readonly #context: WasiContext;
  readonly #held: VolumeDirectory;

  constructor(store: MemoryStore, context: WasiContext, held: VolumeDirectory) {
    this.#store = store;
    this.#context = context;
    this.#held = held;
  }

  stat(): FileStat {
    return attempt(() => this.#held.stat());
  }

  setTimes(times: FileTimes): void {
    this.#setTimes(this.#held.path() || '/', times);
  }

  sync(): void {}

  entries(pay: (count: number) => void): DirectoryEntry[] {
    const count = attempt(() => this.#held.count());
    pay(Math.min(count, MAX_ENTRIES));
    if (count > MAX_ENTRIES) fail('insufficient-memory');
    return attempt(() => this.#held.entries());
  }

  reopen(): BackingDirectory {
    return new MemoryDirectory(this.#store, this.#context, this.#held.reopen());
  }

  descend(names: readonly string[]): BackingDirectory[] {
    const opened: MemoryDirectory[] = [];
    let here = this.#held;
    try {
      for (const name of names) {
        const child = attempt(() => here.child(name));
        if (child === undefined) break;
        opened.push(new MemoryDirectory(this.#store, this.#context, child));
        here = child;
      }
      return opened;
    } catch (error) {
      for (const directory of opened) directory.close();
      throw error;
    }
  }

  lookup(name: string): FileStat | undefined {
    return attempt(() => this.#held.lookup(name));
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    let stat = this.lookup(name);
    if (stat && access.create && access.exclusive) fail('exist');
    if (!stat) {
      if (!access.create) fail('no-entry');
      this.#add(() => this.#fs.closeSync(this.#fs.openSync(this.#at(name), 'wx')));
      stat = this.lookup(name) ?? fail('no-entry');
    }
    if (stat.type === 'directory') fail('is-directory');
    if (stat.type !== 'regular-file') fail(stat.type === 'symbolic-link' ? 'loop' : 'not-permitted');
    const file = attempt(() => this.#held.open(name, access.write));
    return new MemoryFile(this.#store, this.#context, file, this.#store.opened(stat.inode));
  }

  readLink(name: string): string {
    return attempt(() => String(this.#fs.readlinkSync(this.#at(name))));
  }

  setTimesOf(name: string, times: FileTimes): void {
    this.#setTimes(this.#at(name), times);
  }

  createDirectory(name: string): void {
    if (this.lookup(name)) fail('exist');
    if (depthOf(this.#at(name)) > MAX_DEPTH) fail('name-too-long');
    this.#add(() => this.#fs.mkdirSync(this.#at(name)));
  }

  createLink(name: string, target: string): void {
    if (this.lookup(name)) fail('exist');
    this.#add(() => this.#fs.symlinkSync(target, this.#at(name)), Buffer.byteLength(target));
  }

  removeDirectory(name: string): void {
    const stat = this.lookup(name) ?? fail('no-entry');
    if (stat.type !== 'directory') fail('not-directory');
    this.#store.removeDirectory(this.#at(name), stat);
  }

  removeFile(name: string): void {
    const stat = this.lookup(name) ?? fail('no-entry');
    if (stat.type === 'directory') fail('is-directory');
    this.#store.removeFile(this.#at(name), stat);
  }

  link(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameStore(target);
    if (into.lookup(newName)) fail('exist');
    this.#add(() => this.#fs.linkSync(this.#at(name), into.#at(newName)));
  }

  rename(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameStore(target);
    const from = this.#at(name);
    const to = into.#at(newName);
    const source = this.lookup(name) ?? fail('no-entry');
    const replaced = into.lookup(newName);
    if (from === to || (replaced && replaced.inode === source.inode)) return;
    if (from.startsWith(`${to}/`)) fail('not-empty');
    if (source.type === 'directory') this.#checkDirectoryMove(name, from, to);
    if (replaced?.type === 'directory') {
      if (source.type !== 'directory') fail('is-directory');
      into.removeDirectory(newName);
    } else if (replaced) {
      if (source.type === 'directory') fail('not-directory');
      into.removeFile(newName);
    }
    if (source.type === 'symbolic-link') {
      // memfs would move what the link points to.
      const text = this.readLink(name);
      attempt(() => this.#fs.unlinkSync(from));
      attempt(() => this.#fs.symlinkSync(text, to));
    } else {
      attempt(() => this.#store.volume.rename(from, to));
    }
  }

  close(): void {
    this.#held.close();
  }

  #checkDirectoryMove(name: string, from: string, to: string): void {
    if (to.startsWith(`${from}/`)) fail('invalid');
    if (depthOf(to) + this.#heightOf(this.#held, name) > MAX_DEPTH) fail('name-too-long');
  }

  // Directories below `name`, counted downwards. memfs visits every object below a moved directory, so that this is paid for too.
  #heightOf(parent: VolumeDirectory, name: string): number {
    const directory = attempt(() => parent.child(name));
    if (directory === undefined) return 0;
    try {
      this.#context.chargeBytes(attempt(() => directory.count()) * ENTRY_BYTES);
      const below = attempt(() => directory.entries()).filter(({ type }) => type === 'directory');
      return below.reduce((height, entry) => Math.max(height, 1 + this.#heightOf(directory, entry.name)), 0);
    } finally {
      directory.close();
    }
  }

  // Counts an entry with `content` bytes; removing it gives back the same, which is the size that `lookup` shows.
  #add(make: () => unknown, content = 0): void {
    this.#store.grow(this.#context, ENTRY_BYTES + content);
    try {
      attempt(make);
    } catch (error) {
      this.#store.shrink(ENTRY_BYTES + content);
      throw error;
    }
  }

  #setTimes(path: string, times: FileTimes): void {
    attempt(() => this.#fs.lutimesSync(path, seconds(times.accessed), seconds(times.modified)));
  }

  #sameStore(directory: BackingDirectory): MemoryDirectory {
    return directory instanceof MemoryDirectory && directory.#store === this.#store ? directory : fail('cross-device');
  }

  get #fs(): Volume['fs'] {
    return this.#store.volume.fs;
  }

  #at(name: string): string {
    if (BACKSLASH_SEPARATES && name.includes('\\')) fail('not-permitted');
    return `${this.#held.path()}/${name}`;
  }
}

class MemoryFile implements BackingFile {
  readonly #store: MemoryStore;
  readonly #context: WasiContext;
  readonly #file: VolumeFile;
  readonly #openings: Openings;

  /** Takes over `file`, which is one of `openings`. */
  constructor(store: MemoryStore, context: WasiContext, file: VolumeFile, openings: Openings) {
    this.#store = store;
    this.#context = context;
    this.#file = file;
    this.#openings = openings;
  }

  stat(): FileStat {
    const stat = attempt(() => this.#file.stat());
    return this.#openings.nameless ? { ...stat, links: 0n } : stat;
  }

  size(): number {
    return attempt(() => this.#file.size());
  }

  read(target: Uint8Array, position: number): number {
    return attempt(() => this.#fs.readSync(this.#file.fd, target, 0, target.length, position));
  }

  write(source: Uint8Array, position: number): number {
    if (source.length === 0) return 0;
    return this.#growTo(position + source.length, () => this.#fs.writeSync(this.#file.fd, source, 0, source.length, position));
  }

  setSize(size: number): void {
    if (size >= this.size()) this.#growTo(size, () => this.#fs.ftruncateSync(this.#file.fd, size));
    else this.#shrinkTo(size);
  }

  setTimes(times: FileTimes): void {
    attempt(() => this.#fs.futimesSync(this.#file.fd, seconds(times.accessed), seconds(times.modified)));
  }

  sync(): void {}

  close(): void {
    this.#store.close(this.#file, this.#openings);
  }

  #growTo<Result>(size: number, change: () => Result): Result {
    const before = this.size();
    const growth = Math.max(0, size - before);
    this.#context.chargeBytes(growth);
    this.#store.grow(this.#context, growth);
    try {
      return attempt(change);
    } finally {
      this.#store.shrink(growth - (this.size() - before));
    }
  }

  // memfs keeps the room of what was cut off, unless everything is: when that gets more than half, the rest is written anew.
  #shrinkTo(size: number): void {
    const before = this.size();
    const { fd } = this.#file;
    if (2 * size >= attempt(() => this.#file.capacity())) {
      attempt(() => this.#fs.ftruncateSync(fd, size));
    } else {
      this.#context.chargeBytes(size * REWRITTEN_AS_MOVED);
      attempt(() => {
        const rest = new Uint8Array(size);
        this.#fs.readSync(fd, rest, 0, size, 0);
        this.#fs.ftruncateSync(fd, 0);
        if (size > 0) this.#fs.writeSync(fd, rest, 0, size, 0);
      });
    }
    this.#store.shrink(before - size);
  }

  get #fs(): Volume['fs'] {
    return this.#store.volume.fs;
  }
}

function depthOf(path: string): number {
  return path.split('/').length - 1;
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
