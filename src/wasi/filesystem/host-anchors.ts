// The ways to hold on to a directory of the host, so that what is done in it happens there whatever others make of its path meanwhile. On Linux a
// descriptor, through /proc/self/fd/N/name, which is a true openat. Elsewhere there is no such thing: the directory's real path is looked at again before
// each use, which a process that swaps directories for links at the right moment can beat.
import { type BigIntStats, closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from './errors.ts';

/** An open directory as paths for node:fs, whose errors its methods throw. */
export interface Anchor {
  /** A path of the directory itself. */
  self(): string;
  /** A path of the entry `name`. */
  at(name: string): string;
  stat(): BigIntStats;
  /** Opens the first of `names`, the second in that, and so on, as long as they are directories and no links. Closes them again when one is not there. */
  descend(names: readonly string[]): Anchor[];
  /** The same directory for one more holder, who closes it as well. */
  reopen(): Anchor;
  close(): void;
}

/** Whether /proc/self/fd is what Linux has there: an opened directory cannot be exchanged then. */
export const HAS_DESCRIPTOR_PATHS = process.platform === 'linux' && existsSync('/proc/self/fd');

/** Opens the directory at `path`, which the host chose: links on the way to it are followed. Without `byDescriptor`, as on other systems than Linux. */
export function openAnchor(path: string, byDescriptor = HAS_DESCRIPTOR_PATHS): Anchor {
  return byDescriptor ? DescriptorAnchor.root(path) : new PathAnchor(realpathSync.native(path));
}

/**
 * Directories below one mount that were opened lately and are kept open, so that a walk need not open them anew. Each was reached through single names
 * that no link was followed for, and is believed to stand under its name only as long as the name is looked at and shows the same object.
 */
class KeptDirectories {
  readonly #byPath = new Map<string, { readonly anchor: DescriptorAnchor; used: number }>();
  #uses = 0;
  #closed = false;

  get(path: string): DescriptorAnchor | undefined {
    const kept = this.#byPath.get(path);
    if (kept) kept.used = ++this.#uses;
    return kept?.anchor;
  }

  /** Keeps `anchor` open, instead of what had this path, or else of what was not used for longest when there are too many. */
  keep(path: string, anchor: DescriptorAnchor): void {
    if (this.#closed) return;
    this.#drop(path);
    if (this.#byPath.size === MAX_KEPT) {
      const [oldest] = [...this.#byPath].reduce((least, entry) => (entry[1].used < least[1].used ? entry : least));
      this.#drop(oldest);
    }
    this.#byPath.set(path, { anchor: anchor.reopen(), used: ++this.#uses });
  }

  close(): void {
    this.#closed = true;
    for (const path of [...this.#byPath.keys()]) this.#drop(path);
  }

  #drop(path: string): void {
    const kept = this.#byPath.get(path);
    this.#byPath.delete(path);
    kept?.anchor.close();
  }
}

/** Directories that are kept open for one mount of one guest. */
export const MAX_KEPT = 32;
// Not in fs.constants: names a place without opening what is there.
const O_PATH = 0o10000000;
const CHILD_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

class DescriptorAnchor implements Anchor {
  readonly #fd: number;
  // Where it stood when it was opened: to be checked, never to be opened.
  readonly #path: string;
  readonly #kept: KeptDirectories;
  readonly #isRoot: boolean;
  #holders = 1;
  #identity: { readonly dev: bigint; readonly ino: bigint } | undefined;

  static root(path: string): DescriptorAnchor {
    const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
    try {
      return new DescriptorAnchor(fd, readlinkSync(`/proc/self/fd/${fd}`), new KeptDirectories(), true);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  private constructor(fd: number, path: string, kept: KeptDirectories, isRoot: boolean) {
    this.#fd = fd;
    this.#path = path;
    this.#kept = kept;
    this.#isRoot = isRoot;
  }

  self(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  at(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  stat(): BigIntStats {
    return fstatSync(this.#fd, { bigint: true });
  }

  descend(names: readonly string[]): Anchor[] {
    const opened: DescriptorAnchor[] = [];
    let here: DescriptorAnchor = this;
    // Each name is looked at in the directory that the path before it shows: when that is this one, all below follow.
    let isInPlace: boolean | undefined;
    try {
      for (const name of names) {
        const path = `${here.#path}/${name}`;
        const kept = this.#kept.get(path);
        if (kept) isInPlace ??= this.#standsAt(this.#path);
        const next = kept && isInPlace && kept.#standsAt(path) ? kept.reopen() : here.#open(name, path);
        if (next === undefined) break;
        if (next !== kept) this.#kept.keep(path, next);
        opened.push(next);
        here = next;
      }
      return opened;
    } catch (error) {
      for (const anchor of opened) anchor.close();
      throw error;
    }
  }

  reopen(): DescriptorAnchor {
    this.#holders += 1;
    return this;
  }

  close(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    try {
      closeSync(this.#fd);
    } catch {
      // It is gone all the same, and others are to be closed too.
    }
    if (this.#isRoot) this.#kept.close();
  }

  #open(name: string, path: string): DescriptorAnchor | undefined {
    try {
      return new DescriptorAnchor(openSync(this.at(name), CHILD_FLAGS), path, this.#kept, false);
    } catch (error) {
      if (isNoDirectory(error)) return undefined;
      throw error;
    }
  }

  // Whether `path` shows this very object, which as long as it is open no other can be taken for. Only that is learned from a path that was not opened.
  #standsAt(path: string): boolean {
    try {
      const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) return false;
      this.#identity ??= this.stat();
      return stats.ino === this.#identity.ino && stats.dev === this.#identity.dev;
    } catch {
      return false;
    }
  }
}

class PathAnchor implements Anchor {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  self(): string {
    if (realpathSync.native(this.#path) !== this.#path) fail('not-permitted');
    return this.#path;
  }

  at(name: string): string {
    if (process.platform === 'win32' && isSpecialOnWindows(name)) fail('not-permitted');
    return join(this.self(), name);
  }

  stat(): BigIntStats {
    return statSync(this.self(), { bigint: true });
  }

  descend(names: readonly string[]): Anchor[] {
    const opened: PathAnchor[] = [];
    for (const name of names) {
      const here = opened.at(-1) ?? this;
      const path = here.at(name);
      if (!lstatSync(path).isDirectory()) break;
      // In the spelling that the file system has.
      const real = realpathSync.native(path);
      if (dirname(real) !== here.#path) fail('not-permitted');
      opened.push(new PathAnchor(real));
    }
    return opened;
  }

  reopen(): Anchor {
    return this;
  }

  close(): void {}
}

function isNoDirectory(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOTDIR' || code === 'ELOOP';
}

// Device names (also with an extension), streams and drives, 8.3 names, what Windows strips from the end, and what it forbids.
const SPECIAL_ON_WINDOWS = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³])\s*(?:\.|$)|[<>:"/\\|?*]|~\d|[. ]$/i;

/** Whether Windows could take `name` for something else than a file of that name. */
export function isSpecialOnWindows(name: string): boolean {
  return SPECIAL_ON_WINDOWS.test(name);
}
