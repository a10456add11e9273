// A directory in the host's memory as the store of a mount: a memfs volume, of which nothing but this file knows. It adds what memfs does not do: content
// counts against `hostBytes`, links are never followed, directories are not moved into themselves, an open file outlives its name, an open
// directory keeps its place when it is moved, and removed objects are given back.
import { memfs } from 'memfs';
import type { Metered, WasiContext } from '../context.ts';
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, FileTimes, FileType, OpenAccess } from './backing.ts';
import { MAX_ENTRIES } from './backing.ts';
import { attempt, fail } from './errors.ts';

/** The store of a memory directory. It lives as long as its mount and is shared by the guests that are given the mount. */
export interface MemoryStore extends Metered {
  /** Writes a file and the directories on its way, for the host: not counted. Throws memfs errors. */
  fill(path: readonly string[], content: string | Uint8Array): void;
  /** The directory itself, opened for a guest, on whose account it grows. */
  open(context: WasiContext): BackingDirectory;
}

export function createMemoryStore(): MemoryStore {
  return new MemoryVolume();
}

/** What an entry (file, directory, link, and each further name of a file) counts besides its content; measured with memfs: about 3 KiB. */
export const ENTRY_BYTES = 4096;
/** Directories within directories. memfs keeps the whole path with every object, so that depth costs by the square. */
export const MAX_DEPTH = 128;

type Volume = ReturnType<typeof memfs>['vol'];

// memfs asks these of the process otherwise.
const NOBODY = { getuid: () => 0, getgid: () => 0, cwd: () => '/', platform: 'linux', emitWarning: () => {}, env: {} };

class MemoryVolume implements MemoryStore {
  grownBytes = 0;
  readonly raw: Volume = memfs({}, { cwd: '/', process: NOBODY as never }).vol;
  readonly #files = new Map<bigint, SharedFile>();
  readonly #directories = new Set<MemoryDirectory>();
  #orphans = 0;

  constructor() {
    this.raw.mkdirSync(ROOT);
    this.raw.mkdirSync(ORPHANS);
  }

  fill(path: readonly string[], content: string | Uint8Array): void {
    const parent = [ROOT, ...path.slice(0, -1)].join('/');
    this.raw.mkdirSync(parent, { recursive: true });
    this.raw.writeFileSync(`${parent}/${path.at(-1)}`, content);
  }

  open(context: WasiContext): BackingDirectory {
    return this.openDirectory(context, ROOT);
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

  openDirectory(context: WasiContext, path: string): MemoryDirectory {
    const directory = new MemoryDirectory(this, context, path);
    this.#directories.add(directory);
    return directory;
  }

  closeDirectory(directory: MemoryDirectory): void {
    this.#directories.delete(directory);
  }

  openFile(context: WasiContext, path: string, inode: bigint): BackingFile {
    let shared = this.#files.get(inode);
    if (!shared) {
      const fd = attempt(() => this.raw.openSync(path, 'r+'));
      shared = { inode, fd, size: this.raw.fstatSync(fd).size, openings: 0, orphan: undefined };
      this.#files.set(inode, shared);
    }
    shared.openings += 1;
    return new MemoryFile(this, context, shared);
  }

  closeFile(shared: SharedFile): void {
    shared.openings -= 1;
    if (shared.openings > 0) return;
    this.#files.delete(shared.inode);
    this.raw.closeSync(shared.fd);
    if (shared.orphan !== undefined) this.#removeForGood(shared.orphan, shared.size);
  }

  removeFile(path: string, stat: FileStat): void {
    const shared = this.#files.get(stat.inode);
    if (stat.links > 1n) {
      this.#removeForGood(path, 0);
    } else if (shared) {
      // memfs would give the object's number to the next file while this one is still open.
      shared.orphan = `${ORPHANS}/${this.#orphans++}`;
      const orphan = shared.orphan;
      attempt(() => this.raw.renameSync(path, orphan));
    } else {
      this.#removeForGood(path, Number(stat.size));
    }
  }

  #removeForGood(path: string, bytes: number): void {
    attempt(() => this.raw.unlinkSync(path));
    this.shrink(bytes + ENTRY_BYTES);
  }

  removeDirectory(path: string, stat: FileStat): void {
    attempt(() => this.raw.rmdirSync(path));
    // memfs keeps the node of a removed directory in its table for ever.
    const core = this.raw._core;
    const node = core.inodes[Number(stat.inode)];
    if (node) core.deleteNode(node);
    this.shrink(ENTRY_BYTES);
    for (const directory of this.#directories) directory.removed(path);
  }

  rename(from: string, to: string): void {
    attempt(() => this.raw.renameSync(from, to));
    for (const directory of this.#directories) directory.moved(from, to);
  }
}

const ROOT = '/mount';
const ORPHANS = '/orphans';

/** A file that is open at least once. All openings use one memfs descriptor, with explicit positions. */
interface SharedFile {
  readonly inode: bigint;
  readonly fd: number;
  size: number;
  openings: number;
  /** Where the content is kept when its last name is gone. */
  orphan: string | undefined;
}

class MemoryDirectory implements BackingDirectory {
  readonly #home: MemoryVolume;
  readonly #context: WasiContext;
  // Never holds a link: kept right by `moved` and `removed`.
  #path: string | undefined;

  constructor(home: MemoryVolume, context: WasiContext, path: string) {
    this.#home = home;
    this.#context = context;
    this.#path = path;
  }

  stat(): FileStat {
    return attempt(() => fileStat(this.#home.raw.lstatSync(this.#self(), { bigint: true }) as MemoryStats));
  }

  setTimes(times: FileTimes): void {
    attempt(() => this.#home.raw.lutimesSync(this.#self(), seconds(times.accessed), seconds(times.modified)));
  }

  sync(): void {}

  entries(pay: (count: number) => void): DirectoryEntry[] {
    const path = this.#self();
    const count = this.#home.raw._core.getResolvedLink(path)?.length ?? 0;
    pay(Math.min(count, MAX_ENTRIES));
    if (count > MAX_ENTRIES) fail('insufficient-memory');
    const entries = attempt(() => this.#home.raw.readdirSync(path, { withFileTypes: true })) as MemoryEntry[];
    return entries.map((entry) => ({ name: entry.name, type: typeOf(entry) }));
  }

  reopen(): BackingDirectory {
    return this.#home.openDirectory(this.#context, this.#self());
  }

  child(name: string): BackingDirectory | undefined {
    const stat = this.lookup(name) ?? fail('no-entry');
    return stat.type === 'directory' ? this.#home.openDirectory(this.#context, this.#at(name)) : undefined;
  }

  lookup(name: string): FileStat | undefined {
    const stats = attempt(() => this.#home.raw.lstatSync(this.#at(name), { bigint: true, throwIfNoEntry: false })) as MemoryStats | undefined;
    if (!stats) return undefined;
    return stats.isSymbolicLink() ? { ...fileStat(stats), size: BigInt(Buffer.byteLength(this.readLink(name))) } : fileStat(stats);
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    let stat = this.lookup(name);
    if (stat && access.create && access.exclusive) fail('exist');
    if (!stat) {
      if (!access.create) fail('no-entry');
      this.#add(() => this.#home.raw.closeSync(this.#home.raw.openSync(this.#at(name), 'wx')));
      stat = this.lookup(name) ?? fail('no-entry');
    }
    if (stat.type === 'directory') fail('is-directory');
    if (stat.type !== 'regular-file') fail('loop');
    return this.#home.openFile(this.#context, this.#at(name), stat.inode);
  }

  readLink(name: string): string {
    return attempt(() => this.#home.raw.readlinkSync(this.#at(name))) as string;
  }

  setTimesOf(name: string, times: FileTimes): void {
    attempt(() => this.#home.raw.lutimesSync(this.#at(name), seconds(times.accessed), seconds(times.modified)));
  }

  createDirectory(name: string): void {
    if (this.lookup(name)) fail('exist');
    if (depthOf(this.#at(name)) > MAX_DEPTH) fail('name-too-long');
    this.#add(() => this.#home.raw.mkdirSync(this.#at(name)));
  }

  createLink(name: string, target: string): void {
    if (this.lookup(name)) fail('exist');
    this.#add(() => this.#home.raw.symlinkSync(target, this.#at(name)), Buffer.byteLength(target));
  }

  removeDirectory(name: string): void {
    const stat = this.lookup(name) ?? fail('no-entry');
    if (stat.type !== 'directory') fail('not-directory');
    this.#home.removeDirectory(this.#at(name), stat);
  }

  removeFile(name: string): void {
    const stat = this.lookup(name) ?? fail('no-entry');
    if (stat.type === 'directory') fail('is-directory');
    this.#home.removeFile(this.#at(name), stat);
  }

  link(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameVolume(target);
    if (into.lookup(newName)) fail('exist');
    this.#add(() => this.#home.raw.linkSync(this.#at(name), into.#at(newName)));
  }

  rename(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#sameVolume(target);
    const from = this.#at(name);
    const to = into.#at(newName);
    const source = this.lookup(name) ?? fail('no-entry');
    const replaced = into.lookup(newName);
    if (from === to || (replaced && replaced.inode === source.inode)) return;
    if (from.startsWith(`${to}/`)) fail('not-empty');
    if (source.type === 'directory') this.#checkDirectoryMove(from, to);
    if (replaced?.type === 'directory') {
      if (source.type !== 'directory') fail('is-directory');
      into.removeDirectory(newName);
    } else if (replaced) {
      if (source.type === 'directory') fail('not-directory');
      into.removeFile(newName);
    }
    if (source.type === 'symbolic-link') {
      // memfs would move what the link points to.
      const link = this.readLink(name);
      attempt(() => this.#home.raw.unlinkSync(from));
      attempt(() => this.#home.raw.symlinkSync(link, to));
    } else {
      this.#home.rename(from, to);
    }
  }

  close(): void {
    this.#home.closeDirectory(this);
  }

  /** The directory `from` is now `to`. */
  moved(from: string, to: string): void {
    if (this.#path === from || this.#path?.startsWith(`${from}/`)) this.#path = to + this.#path.slice(from.length);
  }

  /** The directory `path`, which was empty, is gone. */
  removed(path: string): void {
    if (this.#path === path) this.#path = undefined;
  }

  #checkDirectoryMove(from: string, to: string): void {
    if (to.startsWith(`${from}/`)) fail('invalid');
    if (depthOf(to) + this.#heightOf(from) > MAX_DEPTH) fail('name-too-long');
  }

  // Directories below `path`, counted downwards. memfs visits every object below a moved directory, so that this is paid for too.
  #heightOf(path: string): number {
    const entries = attempt(() => this.#home.raw.readdirSync(path, { withFileTypes: true })) as MemoryEntry[];
    this.#context.chargeBytes(entries.length * ENTRY_BYTES);
    return entries.reduce((height, entry) => (entry.isDirectory() ? Math.max(height, 1 + this.#heightOf(`${path}/${entry.name}`)) : height), 0);
  }

  // Counts an entry with `content` bytes; removing it gives back the same, which is the size that `lookup` shows.
  #add(make: () => void, content = 0): void {
    this.#home.grow(this.#context, ENTRY_BYTES + content);
    try {
      attempt(make);
    } catch (error) {
      this.#home.shrink(ENTRY_BYTES + content);
      throw error;
    }
  }

  #sameVolume(directory: BackingDirectory): MemoryDirectory {
    return directory instanceof MemoryDirectory && directory.#home === this.#home ? directory : fail('cross-device');
  }

  #self(): string {
    return this.#path ?? fail('no-entry');
  }

  #at(name: string): string {
    return `${this.#self()}/${name}`;
  }
}

class MemoryFile implements BackingFile {
  readonly #home: MemoryVolume;
  readonly #context: WasiContext;
  readonly #shared: SharedFile;

  constructor(home: MemoryVolume, context: WasiContext, shared: SharedFile) {
    this.#home = home;
    this.#context = context;
    this.#shared = shared;
  }

  stat(): FileStat {
    return attempt(() => fileStat(this.#home.raw.fstatSync(this.#shared.fd, { bigint: true }) as MemoryStats));
  }

  size(): number {
    return this.#shared.size;
  }

  read(target: Uint8Array, position: number): number {
    return attempt(() => this.#home.raw.readSync(this.#shared.fd, target, 0, target.length, position));
  }

  write(source: Uint8Array, position: number): number {
    if (source.length === 0) return 0;
    const end = position + source.length;
    this.#growTo(end, () => this.#home.raw.writeSync(this.#shared.fd, source, 0, source.length, position));
    return source.length;
  }

  setSize(size: number): void {
    if (size >= this.#shared.size) this.#growTo(size, () => this.#home.raw.ftruncateSync(this.#shared.fd, size));
    else this.#shrinkTo(size);
  }

  setTimes(times: FileTimes): void {
    attempt(() => this.#home.raw.futimesSync(this.#shared.fd, seconds(times.accessed), seconds(times.modified)));
  }

  sync(): void {}

  close(): void {
    this.#home.closeFile(this.#shared);
  }

  #growTo(size: number, change: () => void): void {
    const growth = Math.max(0, size - this.#shared.size);
    this.#context.chargeBytes(growth);
    this.#home.grow(this.#context, growth);
    try {
      attempt(change);
    } catch (error) {
      this.#home.shrink(growth);
      throw error;
    }
    this.#shared.size += growth;
  }

  // memfs keeps the room of what was cut off, unless everything is: the rest is written anew.
  #shrinkTo(size: number): void {
    this.#context.chargeBytes(size);
    attempt(() => {
      const { raw } = this.#home;
      const rest = new Uint8Array(size);
      raw.readSync(this.#shared.fd, rest, 0, size, 0);
      raw.ftruncateSync(this.#shared.fd, 0);
      if (size > 0) raw.writeSync(this.#shared.fd, rest, 0, size, 0);
    });
    this.#home.shrink(this.#shared.size - size);
    this.#shared.size = size;
  }
}

// What is used of memfs's own types, which are unions over text encodings and number kinds.
interface MemoryEntry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

interface MemoryStats extends Omit<MemoryEntry, 'name'> {
  readonly ino: bigint;
  readonly nlink: bigint;
  readonly size: bigint;
  readonly atimeMs: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;
}

function fileStat(stats: MemoryStats): FileStat {
  return {
    type: typeOf(stats),
    links: stats.nlink,
    size: stats.size,
    device: 0n,
    inode: stats.ino,
    accessed: stats.atimeMs * 1_000_000n,
    modified: stats.mtimeMs * 1_000_000n,
    changed: stats.ctimeMs * 1_000_000n,
  };
}

function typeOf(entry: Omit<MemoryEntry, 'name'>): FileType {
  if (entry.isFile()) return 'regular-file';
  return entry.isDirectory() ? 'directory' : 'symbolic-link';
}

function depthOf(path: string): number {
  return path.split('/').length - ROOT.split('/').length;
}

function seconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e9;
}
