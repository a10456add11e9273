// What an overlay knows beside what its two sides hold: which names of the lower side are hidden, and which directories and files of it are open, so that
// they follow what is moved, removed or copied up. Shared by all guests that are given the overlay.
import type { Metered, WasiContext } from '../context.ts';
import type { BackingFile, FileType } from './backing.ts';
import { fail } from './errors.ts';
import type { MemoryStore } from './memory.ts';

/** What a hidden name counts against `hostBytes`. */
export const HIDDEN_BYTES = 1024;

/** An open directory or file that has to know where it is; undefined when its name is gone. */
export interface Located {
  path: string | undefined;
}

/** An open directory: when it was moved it stands in the upper side alone. */
export interface LocatedDirectory extends Located {
  leaveLower(): void;
}

/** An open file, of the lower side until it is copied up. */
export interface LocatedFile extends Located {
  /** Goes on with what was copied up, which {@link open} opens for it. */
  switchTo(open: () => BackingFile): void;
}

export class OverlayState implements Metered {
  readonly upper: MemoryStore;
  readonly directories = new Set<LocatedDirectory>();
  readonly files = new Set<LocatedFile>();
  // Names by the path of their directory.
  readonly #hidden = new Map<string, Set<string>>();
  #hiddenNames = 0;

  constructor(upper: MemoryStore) {
    this.upper = upper;
  }

  get grownBytes(): number {
    return this.#hiddenNames * HIDDEN_BYTES;
  }

  /** How many paths are gone over when one is removed, or a file is moved. */
  get opened(): number {
    return this.directories.size + this.files.size;
  }

  /** How many are gone over besides when a directory is moved. */
  get hiding(): number {
    return this.#hidden.size;
  }

  hides(directory: string, name: string): boolean {
    return this.#hidden.get(directory)?.has(name) === true;
  }

  /** Hides what the lower side has as `name`. Gives what takes that back. Fails with 'insufficient-space' over the limit of the guest that wants it. */
  hide(context: WasiContext, directory: string, name: string): () => void {
    if (this.hides(directory, name)) return () => {};
    if (HIDDEN_BYTES > context.hostBytesLeft()) fail('insufficient-space');
    const names = this.#hidden.get(directory) ?? new Set();
    this.#hidden.set(directory, names.add(name));
    this.#hiddenNames += 1;
    return () => {
      if (names.delete(name)) this.#hiddenNames -= 1;
    };
  }

  /** The file `path` has no such name any more. */
  removedFile(path: string): void {
    for (const file of this.files) if (file.path === path) file.path = undefined;
  }

  /** The directory `path`, which was empty, is gone. What was hidden further below went with the directories there. */
  removedDirectory(path: string): void {
    this.#forgetHidden(path);
    for (const directory of this.directories) if (directory.path === path) directory.path = undefined;
  }

  /** What was `from` is now `to`, in place of what that was, and all of it in the upper side. */
  moved(from: string, to: string, type: FileType): void {
    this.removedFile(to);
    this.removedDirectory(to);
    if (type === 'directory') for (const path of this.#hidden.keys()) if (isAtOrBelow(path, from)) this.#forgetHidden(path);
    for (const file of this.files) file.path = movedPath(file.path, from, to);
    for (const directory of this.directories) {
      const path = movedPath(directory.path, from, to);
      if (path !== directory.path) directory.leaveLower();
      directory.path = path;
    }
  }

  /** What was opened as `path` below is now above. */
  copiedUp(path: string, open: () => BackingFile): void {
    for (const file of this.files) if (file.path === path) file.switchTo(open);
  }

  #forgetHidden(directory: string): void {
    const names = this.#hidden.get(directory);
    if (names === undefined) return;
    this.#hidden.delete(directory);
    this.#hiddenNames -= names.size;
    names.clear();
  }
}

function isAtOrBelow(path: string, top: string): boolean {
  return path.startsWith(top) && (path.length === top.length || path[top.length] === '/');
}

function movedPath(path: string | undefined, from: string, to: string): string | undefined {
  return path !== undefined && isAtOrBelow(path, from) ? to + path.slice(from.length) : path;
}
