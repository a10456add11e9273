// Mounts: what the host gives a guest to see as a directory or a file. A Mount is made once and can be given to many guests; what one guest makes of it at
// one path is a `MountPoint`.
import * as nodeFs from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { checkFields, describeValue, GloveportError } from '../../errors.ts';
import type { Metered, WasiContext } from '../context.ts';
import type { BackingDirectory } from './backing.ts';
import { FsVolume, missingMethods } from './fs-volume.ts';
import { openHostDirectory } from './host-directory.ts';
import { emptyMemfs, Memfs, MemfsVolume } from './memfs-volume.ts';
import { MemoryStore } from './memory.ts';
import { openOverlay } from './overlay.ts';
import { OverlayState } from './overlay-state.ts';
import { ReadOnlyDirectory } from './read-only.ts';
import type { SynchronousFileSystem } from './volume.ts';

/**
 * A directory or a single file to mount, made by {@link memoryDirectory}, {@link hostDirectory}, {@link memoryFile}, {@link hostFile}, {@link readOnly} or
 * {@link overlay}. Opaque: what it holds is the package's own.
 */
export class Mount {
  readonly kind: 'memory' | 'host' | 'overlay';
  readonly type: 'directory' | 'file';
  /** Whether a guest with FS_WRITE may change it. */
  readonly writable: boolean;
  /** @internal Whether symbolic links are followed in it. */
  readonly follow: boolean;
  /** @internal What counts against `hostBytes` of the guests that it is given to. */
  readonly stores: readonly Metered[];
  /** @internal Overlays within it, one on the other. */
  readonly layers: number;
  /** @internal Of a file: its name in the directory that is opened. */
  readonly fileName: string | undefined;
  /** @internal Of a memory directory. */
  readonly memory: MemoryStore | undefined;
  readonly #open: (context: WasiContext) => BackingDirectory;

  /** @internal */
  constructor(parts: MountParts) {
    this.kind = parts.kind;
    this.type = parts.fileName === undefined ? 'directory' : 'file';
    this.writable = parts.writable;
    this.follow = parts.follow ?? true;
    this.stores = parts.stores ?? [];
    this.layers = parts.layers ?? 0;
    this.fileName = parts.fileName;
    this.memory = parts.memory;
    this.#open = parts.open;
    Object.freeze(this);
  }

  /** @internal The directory itself, or the one that holds the file, opened for one guest. Nothing of it can be changed unless it is writable. */
  open(context: WasiContext): BackingDirectory {
    const directory = this.#open(context);
    return this.writable ? directory : new ReadOnlyDirectory(directory);
  }
}

interface MountParts {
  readonly kind: Mount['kind'];
  readonly writable: boolean;
  readonly follow?: boolean;
  readonly stores?: readonly Metered[];
  readonly layers?: number;
  readonly fileName?: string | undefined;
  readonly memory?: MemoryStore | undefined;
  readonly open: (context: WasiContext) => BackingDirectory;
}

export function isMount(value: unknown): value is Mount {
  return value instanceof Mount;
}

/**
 * A writable directory in the host's memory: a new one with `files` in it (content by path; directories on the way are made, text becomes UTF-8), or all of
 * a memfs volume, or of any object with node:fs's synchronous methods. All guests that are given this mount see the same files. What they add counts against
 * `limits.hostBytes` of the guest that adds, for as long as it exists and whoever added it; the host itself may take up to twice that. File times have
 * milliseconds. An object that is not memfs is asked by path, and trusted to hold what it is told to.
 * @throws GloveportError INVALID_OPTION for a path that is absolute, or holds '..', an empty part or NUL, or is a file and a directory at once; for an object
 * that lacks a method, and for node:fs itself, which {@link hostDirectory} is for.
 */
export function memoryDirectory(files: Readonly<Record<string, string | Uint8Array>> | SynchronousFileSystem = {}): Mount {
  if (typeof files !== 'object' || files === null || Array.isArray(files)) {
    throw invalid(`files are an object of contents by path, or a file system, not ${describeValue(files)}`, undefined);
  }
  if (isFileSystem(files)) return memoryMount(storeOf(files));
  const volume = emptyMemfs();
  for (const [path, content] of Object.entries(files)) fill(volume, path, content);
  return memoryMount(new MemoryStore(new MemfsVolume(volume)));
}

/**
 * A writable file in the host's memory with `content`, text as UTF-8. Appears at its guest path in the directory that is mounted there, in place of what that has
 * under the name, or in a directory that shows nothing else; it can be neither removed nor renamed. Counted like a {@link memoryDirectory}.
 * @throws GloveportError INVALID_OPTION for content that is neither text nor bytes.
 */
export function memoryFile(content: string | Uint8Array = ''): Mount {
  const volume = emptyMemfs();
  fill(volume, FILE_NAME, content);
  return memoryMount(new MemoryStore(new MemfsVolume(volume)), FILE_NAME);
}

/**
 * The directory `path` of the host; a relative path is taken from the current working directory, now. Guests reach nothing outside it: links are resolved
 * within, absolute ones are refused, devices, sockets, pipes and the kernel's files are not opened. On Linux this holds against other processes that
 * change the directory meanwhile; elsewhere such a process can win a race. A directory that a guest has open, or went through lately, stays open: what the
 * host moves out of the mount is out of reach for paths, but not for those who hold it.
 * @param options.write lets guests with FS_WRITE change it; default false. Not counted against any limit.
 * @param options.create makes the directory, and those above it, when it is missing; default false: it has to be there.
 * @param options.follow follows symbolic links within; default true. Otherwise a path through a link is 'loop'; links themselves can be seen, and with
 * `write` be made, moved, linked and removed, and have their times set.
 * @throws GloveportError FILE_NOT_FOUND when it does not exist, INVALID_OPTION when it is no directory, IO_FAILED when it cannot be looked at or made.
 */
export function hostDirectory(path: string, options: { readonly write?: boolean; readonly create?: boolean; readonly follow?: boolean } = {}): Mount {
  const absolute = hostPath('host directory', path);
  const { write, create, follow } = flags(options, { write: false, create: false, follow: true });
  explained('directory', absolute, () => {
    if (create) nodeFs.mkdirSync(absolute, { recursive: true });
    if (!nodeFs.statSync(absolute).isDirectory()) throw invalid(`${describeValue(absolute)} is not a directory`, absolute);
  });
  return new Mount({ kind: 'host', writable: write, follow, open: () => explained('directory', absolute, () => openHostDirectory(absolute)) });
}

/**
 * The file `path` of the host, as a single file at a guest path (see {@link memoryFile}). It is found by name in its directory, so that a file that takes its
 * place later is the one that guests see; a link that takes its place is not followed. Behind a link, the file is what the link leads to now.
 * @param options.write lets guests with FS_WRITE change its content and times; default false. Not counted against any limit.
 * @param options.create makes an empty file when it is missing; default false: it has to be there.
 * @throws GloveportError FILE_NOT_FOUND when it does not exist, INVALID_OPTION when it is no regular file, IO_FAILED when it cannot be looked at or made.
 */
export function hostFile(path: string, options: { readonly write?: boolean; readonly create?: boolean } = {}): Mount {
  const absolute = hostPath('host file', path);
  const { write, create } = flags(options, { write: false, create: false });
  const real = explained('file', absolute, () => {
    if (create && !nodeFs.existsSync(absolute)) nodeFs.writeFileSync(absolute, '', { flag: 'a' });
    if (!nodeFs.statSync(absolute).isFile()) throw invalid(`${describeValue(absolute)} is not a regular file`, absolute);
    return nodeFs.realpathSync.native(absolute);
  });
  const open = () => explained('directory', dirname(real), () => openHostDirectory(dirname(real)));
  return new Mount({ kind: 'host', writable: write, fileName: basename(real), open });
}

/** `mount` as something that no guest can change, whatever it is granted: what others change in it is seen. */
export function readOnly(mount: Mount): Mount {
  checkMount('readOnly', mount);
  return mount.writable ? new Mount({ ...mount, writable: false, stores: [], open: (context) => mount.open(context) }) : mount;
}

/**
 * What `lower` holds, to be changed without changing `lower`: reads come from there, writes go to `upper` in memory and cover it. All guests that are given
 * the overlay share what they write. A file is copied to `upper` before it is first written, a directory with all its content before it is moved; both are
 * bounded by `limits.hostBytes` like all that is written there, and so is each removed name. Which names were removed is known to the overlay alone, not to
 * `upper`. Hard links of `lower` are separate files once they are written to.
 * @param upper a {@link memoryDirectory}; default a new one.
 * @throws GloveportError INVALID_OPTION for a single file, for an `upper` that is no writable memory directory, and for the same mount on both sides.
 */
export function overlay(lower: Mount, upper: Mount = memoryDirectory()): Mount {
  checkMount('overlay', lower);
  checkMount('overlay', upper);
  const { memory } = upper;
  if (lower.type === 'file') throw invalid('an overlay lies over a directory, not over a single file', undefined);
  if (!memory || !upper.writable || upper.type === 'file') throw invalid('what lies over a mount is a writable memory directory', undefined);
  if (lower.memory === memory) throw invalid('a mount cannot lie over itself', undefined);
  const state = new OverlayState(memory);
  const below = readOnly(lower);
  const layers = lower.layers + 1;
  return new Mount({
    kind: 'overlay',
    writable: true,
    follow: lower.follow,
    stores: [memory, state],
    layers,
    open: (context) => openOverlay(state, context, below.open(context), UPPER_DEVICE + BigInt(layers)),
  });
}

/**
 * `path` as an absolute guest path without doubled or trailing slashes.
 * @throws GloveportError INVALID_OPTION for a relative path, '.', '..' and NUL.
 */
export function guestPath(path: string, option: string): string {
  if (typeof path === 'string' && path.startsWith('/')) {
    const parts = path.split('/').filter((part) => part !== '');
    if (!parts.some(isUnusableName)) return `/${parts.join('/')}`;
  }
  throw new GloveportError('INVALID_OPTION', `${option} takes absolute paths of the guest without '.' and '..', not ${describeValue(path)}`, { option, path });
}

// No device of a host has numbers like this one and those after it.
const UPPER_DEVICE = 1n << 47n;

// The name that a file of memory has in its directory, which is never shown.
const FILE_NAME = 'file';

// One account for one file system, however often it is mounted.
const stores = new WeakMap<object, MemoryStore>();

function memoryMount(memory: MemoryStore, fileName?: string): Mount {
  return new Mount({ kind: 'memory', writable: true, stores: [memory], memory, fileName, open: (context) => memory.open(context) });
}

function isFileSystem(value: object): value is SynchronousFileSystem {
  return typeof (value as Partial<SynchronousFileSystem>).lstatSync === 'function';
}

function storeOf(fs: SynchronousFileSystem): MemoryStore {
  // What memfs gives as `fs` names the volume behind it.
  const source = (fs as { readonly __vol?: unknown }).__vol instanceof Memfs ? (fs as unknown as { readonly __vol: Memfs }).__vol : fs;
  const known = stores.get(source);
  if (known) return known;
  if (fs.lstatSync === (nodeFs.lstatSync as unknown)) throw invalid('node:fs is the whole host; name the directory with hostDirectory()', undefined);
  const missing = missingMethods(fs);
  if (missing.length > 0) throw invalid(`a file system to mount has node:fs's methods; this one lacks ${missing.join(', ')}`, undefined);
  const store = new MemoryStore(source instanceof Memfs ? new MemfsVolume(source) : new FsVolume(source));
  stores.set(source, store);
  return store;
}

function fill(volume: Memfs, path: string, content: unknown): void {
  const parts = path.split('/');
  if (parts.some(isUnusableName)) throw invalid(`${describeValue(path)} is no relative path of plain names`, path);
  if (typeof content !== 'string' && !(content instanceof Uint8Array)) {
    throw invalid(`the content of ${describeValue(path)} is a string or Uint8Array, not ${describeValue(content)}`, path);
  }
  try {
    volume.mkdirSync(`/${parts.slice(0, -1).join('/')}`, { recursive: true });
    volume.writeFileSync(`/${path}`, content);
  } catch (cause) {
    const message = `${describeValue(path)} cannot be made: a part of it is already a file, or it is a directory`;
    throw new GloveportError('INVALID_OPTION', message, { path }, { cause });
  }
}

function hostPath(what: string, path: string): string {
  if (typeof path !== 'string' || isUnusablePath(path)) throw invalid(`a ${what} is a path, not ${describeValue(path)}`, path);
  return resolve(path);
}

function flags<Defaults extends Readonly<Record<string, boolean>>>(options: object, defaults: Defaults): Record<keyof Defaults, boolean> {
  checkFields('options', options, Object.keys(defaults));
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && typeof value !== 'boolean') throw invalid(`${name} is true or false, not ${describeValue(value)}`, undefined);
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

function checkMount(what: string, value: unknown): void {
  if (!isMount(value)) throw invalid(`${what} takes mounts, made by memoryDirectory(), hostDirectory() and the like, not ${describeValue(value)}`, undefined);
}

function isUnusablePath(path: string): boolean {
  return path === '' || path.includes('\0');
}

function isUnusableName(name: string): boolean {
  return name === '.' || name === '..' || isUnusablePath(name);
}

function invalid(message: string, path: unknown): GloveportError {
  return new GloveportError('INVALID_OPTION', message, { option: 'mounts', path });
}

function explained<Result>(what: string, path: string, open: () => Result): Result {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof GloveportError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const missing = code === 'ENOENT';
    throw new GloveportError(
      missing ? 'FILE_NOT_FOUND' : 'IO_FAILED',
      missing ? `there is no ${what} ${describeValue(path)}; make it first` : `the ${what} ${describeValue(path)} cannot be opened`,
      missing ? { path } : { path, errno: code },
      { cause },
    );
  }
}
