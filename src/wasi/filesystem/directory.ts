// An open directory of a guest, and every operation on paths below it. Rights are looked at together with the live grants at every operation; where a
// path leads is decided in `resolve.ts`. Shared by preview 1 and 0.2.
import type { BackingDirectory, DirectoryEntry, FileStat, FileTimes, FileType } from './backing.ts';
import { fail } from './errors.ts';
import { type FileMode, OpenFile } from './file.ts';
import type { MountPoint } from './mount.ts';
import { checkPath, type Ending, MAX_DESCENT, type Place, resolve, staysInside } from './resolve.ts';

/** What `open` is asked to do. */
export interface OpenRequest extends FileMode {
  readonly follow: boolean;
  readonly create: boolean;
  /** Fails unless it is a directory. */
  readonly directory: boolean;
  /** With `create`: fails when it exists. */
  readonly exclusive: boolean;
  readonly truncate: boolean;
}

// What the host keeps of a directory entry besides its name.
const ENTRY_OVERHEAD_BYTES = 64;
// Calls of the store for what is done at the end of a path, at most: opening a file is opening it and two looks at what was opened.
const USE_CALLS = 3;
// The same for changing a directory, which a disk takes several times as long for.
const CHANGE_CALLS = 10;

export class OpenDirectory {
  readonly point: MountPoint;
  // Undefined once closed: the host may have given its number to another directory by then.
  #backing: BackingDirectory | undefined;
  // Within the mount, as it was when the directory was opened. A guest that moves it cannot bring a denied path below it by that: see `renameAt`.
  readonly #path: string;
  readonly #movesBefore: number;
  readonly #borrowed: boolean;

  /** Takes over `backing`, closed by {@link release}, unless it is only `borrowed`. `movesBefore` is of when `path` was right for sure. */
  private constructor(point: MountPoint, backing: BackingDirectory, path: string, movesBefore: number, borrowed: boolean) {
    this.point = point;
    this.#backing = backing;
    this.#path = path;
    this.#movesBefore = movesBefore;
    this.#borrowed = borrowed;
  }

  /** The mounted directory itself. */
  static rootOf(point: MountPoint): OpenDirectory {
    return new OpenDirectory(point, point.root, '', 0, true);
  }

  release(): void {
    if (!this.#borrowed) this.#backing?.close();
    this.#backing = undefined;
  }

  stat(): FileStat {
    this.point.checkUse();
    this.point.context.chargeCalls(1);
    return this.point.identify(this.#store.stat());
  }

  setTimes(times: FileTimes): void {
    this.point.checkWrite();
    this.point.context.chargeCalls(1);
    this.#store.setTimes(times);
    this.point.times.remember(times, this.#store.stat());
  }

  sync(): void {
    this.point.checkUse();
    this.point.context.chargeSync();
    this.#store.sync();
  }

  /**
   * The entries that are not denied, without '.' and '..', and how many bytes keeping them takes: counted against `hostBytes` until the caller gives
   * them back with `giveBack(bytes)`. Fails with 'insufficient-memory' when they do not fit.
   */
  list(): { readonly entries: readonly DirectoryEntry[]; readonly bytes: number } {
    this.point.checkRead();
    const entries = this.#entriesOf(this.#store).filter((entry) => !this.point.denies(this.#pathOf(entry.name)));
    const bytes = entries.reduce((sum, entry) => sum + ENTRY_OVERHEAD_BYTES + 2 * entry.name.length, 0);
    if (!this.point.context.keepBytes(bytes)) fail('insufficient-memory');
    return { entries, bytes };
  }

  open(path: string, request: OpenRequest): OpenFile | OpenDirectory {
    const changes = request.write || request.create || request.truncate;
    if (changes) this.#checkChange();
    else this.point.checkRead();
    if (request.create && request.directory) fail('invalid');
    const exclusive = request.create && request.exclusive;
    return this.#at(path, request.follow && !exclusive ? 'follow' : 'nofollow', (place) => {
      if (exclusive && (place.name === undefined || place.stat)) fail('exist');
      if (place.name === undefined || place.stat?.type === 'directory') return this.#openDirectory(place, request);
      if (!place.stat && !request.create) fail('no-entry');
      if (request.directory) fail('not-directory');
      return this.#openFile(place, place.name, request);
    });
  }

  statAt(path: string, follow: boolean): FileStat {
    this.point.checkUse();
    return this.#at(path, follow ? 'follow' : 'nofollow', (place) =>
      this.point.identify(place.name === undefined ? place.directory.stat() : (place.stat ?? fail('no-entry'))),
    );
  }

  setTimesAt(path: string, follow: boolean, times: FileTimes): void {
    this.#checkChange();
    this.#at(path, follow ? 'follow' : 'nofollow', ({ directory, name, stat }) => {
      if (name === undefined) directory.setTimes(times);
      else if (stat) directory.setTimesOf(name, times);
      else fail('no-entry');
      const kept = name === undefined ? directory.stat() : directory.lookup(name);
      if (kept) this.point.times.remember(times, kept);
    });
  }

  readLinkAt(path: string): string {
    this.point.checkRead();
    return this.#at(path, 'nofollow', (place) => {
      if (place.name === undefined) fail('invalid');
      if (!place.stat) fail('no-entry');
      if (place.stat.type !== 'symbolic-link') fail('invalid');
      const target = place.directory.readLink(place.name);
      // What is absolute speaks of the host's directories, not of the guest's.
      return target.startsWith('/') ? fail('not-permitted') : target;
    });
  }

  createDirectoryAt(path: string): void {
    this.#checkChange();
    this.#at(path, 'entry', (place) => {
      if (place.name === undefined || place.stat) fail('exist');
      place.directory.createDirectory(place.name);
    });
  }

  /** Makes a symbolic link. What its text shows to lead outside of the mount is refused: other programs of the host might follow it. */
  createLinkAt(target: string, path: string): void {
    this.#checkChange();
    checkPath(target);
    this.#at(path, 'entry', (place) => {
      if (place.name === undefined || place.stat) fail('exist');
      if (place.slash) fail('no-entry');
      if (!staysInside(parentOf(this.#placeOf(place)), target)) fail('not-permitted');
      place.directory.createLink(place.name, target);
    });
  }

  removeDirectoryAt(path: string): void {
    this.#checkChange();
    this.#at(path, 'entry', (place) => {
      if (place.name === undefined) fail('invalid');
      if (!place.stat) fail('no-entry');
      if (place.stat.type !== 'directory') fail('not-directory');
      place.directory.removeDirectory(place.name);
    });
  }

  removeFileAt(path: string): void {
    this.#checkChange();
    this.#at(path, 'entry', (place) => {
      if (place.name === undefined || place.stat?.type === 'directory') fail('is-directory');
      if (!place.stat) fail('no-entry');
      if (place.slash) fail('not-directory');
      place.directory.removeFile(place.name);
    });
  }

  /** Makes a hard link, within one mount. Of a symbolic link it makes another one with the same text, which is what was checked. */
  linkAt(path: string, follow: boolean, target: OpenDirectory, newPath: string): void {
    this.#checkPair(target);
    this.#at(path, follow ? 'follow' : 'nofollow', (from) => {
      if (from.name === undefined) fail('not-permitted');
      if (!from.stat) fail('no-entry');
      const { name, stat } = from;
      if (stat.type !== 'regular-file' && stat.type !== 'symbolic-link') fail('not-permitted');
      target.#at(newPath, 'entry', (to) => {
        if (to.name === undefined || to.stat) fail('exist');
        if (to.slash) fail('no-entry');
        if (stat.type === 'regular-file') return from.directory.link(name, to.directory, to.name);
        const text = from.directory.readLink(name);
        if (!staysInside(parentOf(target.#placeOf(to)), text)) fail('not-permitted');
        to.directory.createLink(to.name, text);
      });
    });
  }

  /** Moves within one mount. Nothing is moved from or to a place that has a denied path below it. */
  renameAt(path: string, target: OpenDirectory, newPath: string): void {
    this.#checkPair(target);
    this.#at(path, 'entry', (from) => {
      if (from.name === undefined) fail('busy');
      if (!from.stat) fail('no-entry');
      const { name, stat } = from;
      target.#at(newPath, 'entry', (to) => {
        if (to.name === undefined) fail('busy');
        if ((from.slash || to.slash) && stat.type !== 'directory') fail('not-directory');
        if (this.point.deniesBelow(from.path) || this.point.deniesBelow(to.path)) fail('not-permitted');
        this.#checkLinks(from, name, stat.type, target.#placeOf(to));
        from.directory.rename(name, to.directory, to.name);
      });
    });
  }

  // A link's text is looked at again where it comes to stand, and so are those of all links below a directory that gets nearer to the mount's root: deeper
  // down, no text leads further out than before.
  #checkLinks(from: Place, name: string, type: FileType, to: string): void {
    if (type === 'symbolic-link') {
      this.point.context.chargeCalls(1);
      if (!staysInside(parentOf(to), from.directory.readLink(name))) fail('not-permitted');
    } else if (type === 'directory') {
      this.point.moved();
      if (!this.#mayHaveMoved && depthOf(to) >= depthOf(from.path)) return;
      const moved = from.directory.child(name) ?? fail('not-directory');
      try {
        this.#checkLinksIn(moved, to);
      } finally {
        moved.close();
      }
    }
  }

  #checkLinksIn(directory: BackingDirectory, path: string): void {
    if (depthOf(path) > MAX_DESCENT) fail('name-too-long');
    for (const { name, type: listed } of this.#entriesOf(directory)) {
      this.point.context.chargeCalls(3);
      const type = listed === 'unknown' ? directory.lookup(name)?.type : listed;
      if (type === 'symbolic-link' && !staysInside(path, directory.readLink(name))) fail('not-permitted');
      const child = type === 'directory' ? directory.child(name) : undefined;
      if (child === undefined) continue;
      try {
        this.#checkLinksIn(child, `${path}/${name}`);
      } finally {
        child.close();
      }
    }
  }

  #entriesOf(directory: BackingDirectory): DirectoryEntry[] {
    return directory.entries((count) => this.point.context.chargeCalls(count));
  }

  // How deep `place` is at least, as a path: when directories were moved since this one was opened, it may be in the root by now.
  #placeOf(place: Place): string {
    return this.#mayHaveMoved ? place.path.slice(this.#path.length + 1) : place.path;
  }

  get #mayHaveMoved(): boolean {
    return this.#path !== '' && this.#movesBefore !== this.point.moves;
  }

  #at<Result>(path: string, ending: Ending, use: (place: Place) => Result): Result {
    this.point.context.chargeCalls(USE_CALLS);
    return resolve({ point: this.point, directory: this.#store, path: this.#path }, path, ending, use);
  }

  #checkChange(): void {
    this.point.checkWrite();
    this.point.context.chargeCalls(CHANGE_CALLS);
  }

  #checkPair(target: OpenDirectory): void {
    this.#checkChange();
    target.point.checkWrite();
    if (this.point !== target.point) fail('cross-device');
  }

  get #store(): BackingDirectory {
    return this.#backing ?? fail('bad-descriptor');
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}/${name}`;
  }

  #openDirectory(place: Place, request: OpenRequest): OpenDirectory {
    if (request.write || request.create || request.truncate) fail('is-directory');
    const { directory, name } = place;
    const backing = name === undefined ? directory.reopen() : (directory.child(name) ?? fail('not-directory'));
    return new OpenDirectory(this.point, backing, place.path, this.#path === '' ? this.point.moves : this.#movesBefore, false);
  }

  #openFile(place: Place, name: string, request: OpenRequest): OpenFile {
    const type = place.stat?.type ?? 'regular-file';
    // Devices, pipes and sockets are the host's own business, and opening one may already do something.
    if (type !== 'regular-file') fail(type === 'symbolic-link' ? 'loop' : 'not-permitted');
    // Truncating needs a descriptor that may write, also where the guest asked for none.
    const mode: FileMode = { read: request.read || !request.write, write: request.write, sync: request.sync };
    const backing = place.directory.openFile(name, {
      read: mode.read,
      write: mode.write || request.truncate,
      create: request.create,
      exclusive: request.exclusive,
    });
    const file = new OpenFile(this.point, backing, mode);
    try {
      if (request.truncate && place.stat) backing.setSize(0);
    } catch (error) {
      file.release();
      throw error;
    }
    return file;
  }
}

function depthOf(path: string): number {
  return path === '' ? 0 : path.split('/').length;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
