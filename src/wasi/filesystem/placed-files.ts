// Single files at guest paths. WASI gives a guest open directories only, so that a file appears in the directory of its path: in the one that is mounted
// there, in place of what that has under the name, or in an empty one of its own that holds nothing else.
import { GloveportError, printable } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import type { BackingDirectory, BackingFile, DirectoryEntry, FileStat, FileTimes, OpenAccess } from './backing.ts';
import { fail } from './errors.ts';
import { Mount, memoryDirectory, readOnly } from './mount.ts';

/** A mount at a path that `guestPath` made. */
export interface Placement {
  readonly path: string;
  readonly mount: Mount;
}

/**
 * The directories that show all of `placements`, in their order; the place of a directory that is made for files is that of the first.
 * @throws GloveportError INVALID_OPTION for a file at '/', and for a mount below a file.
 */
export function placeFiles(placements: readonly Placement[]): Placement[] {
  const filePaths = placements.filter(({ mount }) => mount.type === 'file').map(({ path }) => path);
  for (const { path } of placements) {
    const above = filePaths.find((file) => file === '/' || path.startsWith(`${file}/`));
    if (above !== undefined) {
      const reason =
        above === '/' ? "a file needs a name: '/' is a directory" : `'${printable(path, 80)}' lies below '${printable(above, 80)}', which is a file`;
      throw new GloveportError('INVALID_OPTION', reason, { option: 'mounts', path });
    }
  }
  const directories = new Map<string, { base: Mount | undefined; readonly files: Map<string, Mount> }>();
  for (const { path, mount } of placements) {
    const end = path.lastIndexOf('/');
    const directory = mount.type === 'file' ? path.slice(0, end) || '/' : path;
    const placed = directories.get(directory) ?? { base: undefined, files: new Map() };
    if (mount.type === 'file') placed.files.set(path.slice(end + 1), mount);
    else placed.base = mount;
    directories.set(directory, placed);
  }
  return [...directories].map(([path, { base, files }]) => ({ path, mount: withFiles(base ?? readOnly(memoryDirectory()), files) }));
}

function withFiles(base: Mount, files: ReadonlyMap<string, Mount>): Mount {
  if (files.size === 0) return base;
  const all = [base, ...files.values()];
  return new Mount({
    kind: base.kind,
    writable: all.some(({ writable }) => writable),
    follow: base.follow,
    stores: all.flatMap(({ stores }) => stores),
    layers: base.layers,
    open: (context) => openWithFiles(base, files, context),
  });
}

function openWithFiles(base: Mount, files: ReadonlyMap<string, Mount>, context: WasiContext): BackingDirectory {
  const opened: BackingDirectory[] = [];
  try {
    const open = (mount: Mount): BackingDirectory => {
      const directory = mount.open(context);
      opened.push(directory);
      return directory;
    };
    const inner = open(base);
    return new DirectoryWithFiles(inner, new Map([...files].map(([name, mount]) => [name, new PlacedFile(open(mount), mount.fileName ?? '')])));
  } catch (error) {
    for (const directory of opened) directory.close();
    throw error;
  }
}

/** One file in a directory of which nothing else is shown. */
class PlacedFile {
  readonly directory: BackingDirectory;
  readonly name: string;

  constructor(directory: BackingDirectory, name: string) {
    this.directory = directory;
    this.name = name;
  }

  /** What is there now; if that is no file any more, at least nothing that could be followed or entered. */
  stat(): FileStat | undefined {
    const stat = this.directory.lookup(this.name);
    return stat && stat.type !== 'regular-file' ? { ...stat, type: 'unknown' } : stat;
  }
}

const NO_FILES: ReadonlyMap<string, PlacedFile> = new Map();

class DirectoryWithFiles implements BackingDirectory {
  readonly #inner: BackingDirectory;
  readonly #files: ReadonlyMap<string, PlacedFile>;
  #holders = 1;

  /** Takes over `inner` and the directories of `files`. */
  constructor(inner: BackingDirectory, files: ReadonlyMap<string, PlacedFile>) {
    this.#inner = inner;
    this.#files = files;
  }

  stat(): FileStat {
    return this.#inner.stat();
  }

  setTimes(times: FileTimes): void {
    this.#inner.setTimes(times);
  }

  sync(): void {
    this.#inner.sync();
  }

  entries(pay: (count: number) => void): DirectoryEntry[] {
    pay(this.#files.size);
    const placed = [...this.#files].flatMap(([name, file]): DirectoryEntry[] => {
      const type = file.stat()?.type;
      return type === undefined ? [] : [{ name, type }];
    });
    return [...this.#inner.entries(pay).filter(({ name }) => !this.#files.has(name)), ...placed];
  }

  reopen(): BackingDirectory {
    this.#holders += 1;
    return this;
  }

  // All directories below are of this class too, so that moves between them find what is behind it.
  descend(names: readonly string[]): BackingDirectory[] {
    if (this.#files.has(names[0] ?? '')) return [];
    return this.#inner.descend(names).map((directory) => new DirectoryWithFiles(directory, NO_FILES));
  }

  lookup(name: string): FileStat | undefined {
    const file = this.#files.get(name);
    return file ? file.stat() : this.#inner.lookup(name);
  }

  openFile(name: string, access: OpenAccess): BackingFile {
    const file = this.#files.get(name);
    return file ? file.directory.openFile(file.name, access) : this.#inner.openFile(name, access);
  }

  readLink(name: string): string {
    return this.#files.has(name) ? fail('invalid') : this.#inner.readLink(name);
  }

  setTimesOf(name: string, times: FileTimes): void {
    const file = this.#files.get(name);
    if (file) file.directory.setTimesOf(file.name, times);
    else this.#inner.setTimesOf(name, times);
  }

  createDirectory(name: string): void {
    this.#checkFree(name);
    this.#inner.createDirectory(name);
  }

  createLink(name: string, target: string): void {
    this.#checkFree(name);
    this.#inner.createLink(name, target);
  }

  removeDirectory(name: string): void {
    this.#checkFree(name);
    this.#inner.removeDirectory(name);
  }

  removeFile(name: string): void {
    this.#checkFree(name);
    this.#inner.removeFile(name);
  }

  link(name: string, target: BackingDirectory, newName: string): void {
    if (this.#files.has(name)) fail('cross-device');
    const into = this.#checkPair(name, target, newName);
    this.#inner.link(name, into, newName);
  }

  rename(name: string, target: BackingDirectory, newName: string): void {
    const into = this.#checkPair(name, target, newName);
    this.#inner.rename(name, into, newName);
  }

  close(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#inner.close();
    for (const { directory } of this.#files.values()) directory.close();
  }

  #checkPair(name: string, target: BackingDirectory, newName: string): BackingDirectory {
    const into = target instanceof DirectoryWithFiles ? target : fail('cross-device');
    this.#checkFree(name);
    into.#checkFree(newName);
    return into.#inner;
  }

  // A placed file keeps its place, as what is mounted does.
  #checkFree(name: string): void {
    if (this.#files.has(name)) fail('busy');
  }
}
