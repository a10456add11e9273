// An open directory of a guest, and every operation on paths below it. Rights are looked at together with the live grants at every operation; where a
// path leads is decided in `resolve.ts`. Shared by preview 1 and 0.2.
import type { BackingDirectory, DirectoryEntry, FileStat, FileTimes, FileType } from './backing.ts';
import { fail } from './errors.ts';
import { type FileMode, OpenFile } from './file.ts';
import { type Denial, DeniedPaths } from './denied.ts';
import type { MountPoint, Need, Opened } from './mount-point.ts';
import { below, checkPath, depthOf, MAX_PATH_BYTES, parentOf, staysInside } from './paths.ts';
import { type Ending, MAX_DESCENT, type Place, resolve, type Spot } from './resolve.ts';

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

export class OpenDirectory implements Opened {
  readonly point: MountPoint;
  // Undefined once closed: the host may have given its number to another directory by then.
  #backing: BackingDirectory | undefined;
  // Within the mount, as it was when the directory was opened. A guest that moves it cannot bring a denied path below it by that: see `renameAt`.
  readonly #path: string;
  readonly #denial: Denial;
  readonly #movesBefore: number;
  readonly #borrowed: boolean;

  /** Takes over the directory of `spot`, closed by {@link release}, unless it is only `borrowed`. `movesBefore` is of when its path was right for sure. */
  private constructor(point: MountPoint, spot: Spot, movesBefore: number, borrowed: boolean) {
    this.point = point;
    this.#backing = spot.directory;
    this.#path = spot.path;
    this.#denial = spot.denial;
    this.#movesBefore = movesBefore;
    this.#borrowed = borrowed;
    point.opened(this);
  }

  /** The mounted directory itself. */
  static rootOf(point: MountPoint): OpenDirectory {
    return new OpenDirectory(point, { directory: point.root, path: '', denial: point.denial }, 0, true);
  }

  release(): void {
    this.close();
  }

  close(): void {
    this.point.closed(this);
    const backing = this.#backing;
    this.#backing = undefined;
    if (!this.#borrowed) backing?.close();
  }

  get usable(): boolean {
    return this.point.grants('look');
  }

  stat(): FileStat {
    return this.#use('look', 'stat', '', () => {
      this.point.context.chargeCalls(1);
      return this.point.identify(this.#store.stat());
    });
  }

  setTimes(times: FileTimes): void {
    this.#use('change', 'set-times', '', () => {
      this.point.context.chargeCalls(1);
      this.#store.setTimes(times);
      this.point.times.remember(times, this.#store.stat());
    });
  }

  sync(): void {
    this.#use('look', 'sync', '', () => {
      this.point.context.chargeSync();
      this.#store.sync();
    });
  }

  /**
   * The entries that are not denied, without '.' and '..', and how many bytes keeping them takes: counted against `hostBytes` until the caller gives
   * them back with `giveBack(bytes)`. Fails with 'insufficient-memory' when they do not fit.
   */
  list(): { readonly entries: readonly DirectoryEntry[]; readonly bytes: number } {
    return this.#use('read', 'read-directory', '', () => {
      const entries = this.#entriesOf(this.#store).filter((entry) => this.point.step(this.#denial, entry.name) !== undefined);
      const bytes = entries.reduce((sum, entry) => sum + ENTRY_OVERHEAD_BYTES + 2 * entry.name.length, 0);
      if (!this.point.context.keepBytes(bytes)) fail('insufficient-memory');
      return { entries, bytes };
    });
  }

  open(path: string, request: OpenRequest): OpenFile | OpenDirectory {
    const changes = request.write || request.create || request.truncate;
    return this.#use(changes ? 'change' : 'read', 'open', path, () => {
      if (changes) this.#chargeChange();
      if (request.create && request.directory) fail('invalid');
      const exclusive = request.create && request.exclusive;
      return this.#at(path, request.follow && !exclusive ? 'follow' : 'nofollow', (place) => {
        if (exclusive && (place.name === undefined || place.stat)) fail('exist');
        if (place.name === undefined || place.stat?.type === 'directory') return this.#openDirectory(place, request);
        if (!place.stat && !request.create) fail('no-entry');
        if (request.directory) fail('not-directory');
        return this.#openFile(place, place.name, request);
      });
    });
  }

  statAt(path: string, follow: boolean): FileStat {
    return this.#use('look', 'stat', path, () =>
      this.#at(path, follow ? 'follow' : 'nofollow', (place) =>
        this.point.identify(place.name === undefined ? place.directory.stat() : (place.stat ?? fail('no-entry'))),
      ),
    );
  }

  setTimesAt(path: string, follow: boolean, times: FileTimes): void {
    this.#change('set-times', path, follow ? 'follow' : 'nofollow', ({ directory, name, stat }) => {
      if (name === undefined) directory.setTimes(times);
      else if (stat) directory.setTimesOf(name, times);
      else fail('no-entry');
      const kept = name === undefined ? directory.stat() : directory.lookup(name);
      if (kept) this.point.times.remember(times, kept);
    });
  }

  readLinkAt(path: string): string {
    return this.#use('read', 'readlink', path, () =>
      this.#at(path, 'nofollow', (place) => {
        if (place.name === undefined) fail('invalid');
        if (!place.stat) fail('no-entry');
        if (place.stat.type !== 'symbolic-link') fail('invalid');
        const target = place.directory.readLink(place.name);
        // What is absolute speaks of the host's directories, not of the guest's.
        return target.startsWith('/') ? fail('not-permitted') : target;
      }),
    );
  }

  createDirectoryAt(path: string): void {
    this.#change('create-directory', path, 'entry', (place) => {
      if (place.name === undefined || place.stat) fail('exist');
      place.directory.createDirectory(place.name);
    });
  }

  /** Makes a symbolic link. What its text shows to lead outside of the mount is refused: other programs of the host might follow it. */
  createLinkAt(target: string, path: string): void {
    const create = (place: Place): void => {
      checkPath(target);
      if (place.name === undefined || place.stat) fail('exist');
      if (place.slash) fail('no-entry');
      if (!staysInside(parentOf(this.#placeOf(place)), target)) fail('not-permitted');
      place.directory.createLink(place.name, target);
    };
    this.#change('symlink', path, 'entry', create, { target });
  }

  removeDirectoryAt(path: string): void {
    this.#change('remove-directory', path, 'entry', (place) => {
      if (place.name === undefined) fail('invalid');
      if (!place.stat) fail('no-entry');
      if (place.stat.type !== 'directory') fail('not-directory');
      place.directory.removeDirectory(place.name);
    });
  }

  removeFileAt(path: string): void {
    this.#change('unlink-file', path, 'entry', (place) => {
      if (place.name === undefined || place.stat?.type === 'directory') fail('is-directory');
      if (!place.stat) fail('no-entry');
      if (place.slash) fail('not-directory');
      place.directory.removeFile(place.name);
    });
  }

  /** Makes a hard link, within one mount. Of a symbolic link it makes another one with the same text, which is what was checked. */
  linkAt(path: string, follow: boolean, target: OpenDirectory, newPath: string): void {
    this.#changePair('link', path, target, newPath, () => {
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
    });
  }

  /** Moves within one mount, and only to a place below which the same is denied. */
  renameAt(path: string, target: OpenDirectory, newPath: string): void {
    this.#changePair('rename', path, target, newPath, () => {
      this.#at(path, 'entry', (from) => {
        if (from.name === undefined) fail('busy');
        if (!from.stat) fail('no-entry');
        const { name, stat } = from;
        target.#at(newPath, 'entry', (to) => {
          if (to.name === undefined) fail('busy');
          if ((from.slash || to.slash) && stat.type !== 'directory') fail('not-directory');
          if (!DeniedPaths.equal(from.denial, to.denial)) fail('not-permitted');
          this.#checkLinks(from, name, stat.type, target.#placeOf(to));
          from.directory.rename(name, to.directory, to.name);
        });
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
      this.#checkLinksBelow(from.directory, name, to);
    }
  }

  #checkLinksBelow(directory: BackingDirectory, name: string, path: string): void {
    if (depthOf(path) > MAX_DESCENT) fail('name-too-long');
    const [moved] = directory.descend([name]);
    if (moved === undefined) fail('not-directory');
    try {
      for (const { name: entry, type: listed } of this.#entriesOf(moved)) {
        this.point.context.chargeCalls(3);
        const type = listed === 'unknown' ? moved.lookup(entry)?.type : listed;
        if (type === 'symbolic-link' && !staysInside(path, moved.readLink(entry))) fail('not-permitted');
        if (type === 'directory') this.#checkLinksBelow(moved, entry, below(path, entry));
      }
    } finally {
      moved.close();
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
    return resolve(this.point, { directory: this.#store, path: this.#path, denial: this.#denial }, path, ending, use);
  }

  #use<Result>(need: Need, operation: string, path: string, action: () => Result, detail?: Readonly<Record<string, unknown>>): Result {
    return this.point.use(need, operation, this.point.context.observed ? this.#asked(path) : path, action, detail);
  }

  #change(operation: string, path: string, ending: Ending, use: (place: Place) => void, detail?: Readonly<Record<string, unknown>>): void {
    const change = (): void => {
      this.#chargeChange();
      this.#at(path, ending, use);
    };
    this.#use('change', operation, path, change, detail);
  }

  #changePair(operation: string, path: string, target: OpenDirectory, newPath: string, action: () => void): void {
    const both = (): void => {
      this.#chargeChange();
      target.point.check('change');
      if (this.point !== target.point) fail('cross-device');
      action();
    };
    this.#use('change', operation, path, both, this.point.context.observed ? { to: target.#asked(newPath) } : undefined);
  }

  #chargeChange(): void {
    this.point.context.chargeCalls(CHANGE_CALLS);
  }

  get #store(): BackingDirectory {
    return this.#backing ?? fail('bad-descriptor');
  }

  // For observers: the guest's own words, where they start from here.
  #asked(path: string): string {
    const words = path.slice(0, MAX_PATH_BYTES);
    return words.startsWith('/') ? words : this.point.pathOf(words === '' ? this.#path : below(this.#path, words));
  }

  #openDirectory(place: Place, request: OpenRequest): OpenDirectory {
    if (request.write || request.create || request.truncate) fail('is-directory');
    const { directory, name, path, denial } = place;
    const opened = name === undefined ? directory.reopen() : (directory.descend([name])[0] ?? fail('not-directory'));
    return new OpenDirectory(this.point, { directory: opened, path, denial }, this.#path === '' ? this.point.moves : this.#movesBefore, false);
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
      truncate: request.truncate,
    });
    const file = new OpenFile(this.point, backing, mode, this.point.pathOf(place.path));
    try {
      if (request.truncate && place.stat) backing.setSize(0);
    } catch (error) {
      file.release();
      throw error;
    }
    return file;
  }
}
