// From a guest's path to a place: an open directory and one name in it. Walks one component at a time from a descriptor's directory, resolves links
// itself and never leaves that directory: '..' above it, absolute paths and absolute links are 'not-permitted'. Denied paths are checked at each step, on
// names that no link can disguise.
import type { BackingDirectory, FileStat } from './backing.ts';
import type { WasiContext } from '../context.ts';
import { fail } from './errors.ts';
import type { MountPoint } from './mount.ts';

/** Bytes of a path or of a link's content. */
export const MAX_PATH_BYTES = 4096;
/** Bytes of one name. */
export const MAX_NAME_BYTES = 255;
/** Links followed for one path, as on Linux. */
export const MAX_LINKS = 40;
/** Directories that one path may go down: each is held open during the walk. */
export const MAX_DESCENT = 128;
// Calls of the store for one component: opening it and closing it, or looking it up; and for a link, whose content is read as well.
const STEP_CALLS = 2;
const LINK_CALLS = 4;
// Fuel for one byte of a path: it is split, measured and joined again.
const PATH_BYTE_UNITS = 50;

/** What happens to a link at the end of the path. With 'entry' the name itself is meant, also with a slash behind it: to make, move or remove it. */
export type Ending = 'follow' | 'nofollow' | 'entry';

/** Where a walk starts: an open directory and its path within the mount. */
export interface Origin {
  readonly point: MountPoint;
  readonly directory: BackingDirectory;
  readonly path: string;
}

/** Where a path leads. `directory` is closed when the use of the place ends. */
export interface Place {
  /** The directory that holds the name; when there is no name, the directory that was meant. */
  readonly directory: BackingDirectory;
  /** Undefined for '.', 'a/..', and for 'a/' unless an entry is meant. */
  readonly name: string | undefined;
  /** What `name` is at this moment; undefined when it is not there. */
  readonly stat: FileStat | undefined;
  /** Path within the mount, of `name` or else of the directory: no links, no '..'. */
  readonly path: string;
  /** Whether the path ended in a slash, so that only a directory can be meant. */
  readonly slash: boolean;
}

/** Walks `path` from `origin` and uses the place; everything that was opened on the way is closed after. */
export function resolve<Result>(origin: Origin, path: string, ending: Ending, use: (place: Place) => Result): Result {
  const { point } = origin;
  const levels: { readonly directory: BackingDirectory; readonly path: string }[] = [];
  let links = 0;
  try {
    const pending = new Pending(point.context);
    let slash = pending.add(path, ending);
    for (;;) {
      const here = levels.at(-1) ?? origin;
      const name = pending.next();
      if (name === undefined) return use({ directory: here.directory, name, stat: undefined, path: here.path, slash });
      if (name === '.') continue;
      if (name === '..') {
        if (levels.length === 0) fail('not-permitted');
        levels.pop()?.directory.close();
        continue;
      }
      point.context.chargeCalls(STEP_CALLS);
      const below = here.path === '' ? name : `${here.path}/${name}`;
      if (point.denies(below)) fail('not-permitted');
      if (pending.isEmpty) {
        const stat = here.directory.lookup(name);
        if (stat?.type !== 'symbolic-link' || ending !== 'follow') return use({ directory: here.directory, name, stat, path: below, slash });
      } else {
        if (levels.length === MAX_DESCENT) fail('name-too-long');
        const directory = here.directory.child(name);
        if (directory) {
          levels.push({ directory, path: below });
          continue;
        }
        if (here.directory.lookup(name)?.type !== 'symbolic-link') fail('not-directory');
      }
      if (++links > MAX_LINKS) fail('loop');
      point.context.chargeCalls(LINK_CALLS);
      slash = pending.add(here.directory.readLink(name), ending) || slash;
    }
  } finally {
    for (const level of levels) level.directory.close();
  }
}

/** Checks text that becomes a path or the content of a link: not empty, not too long, no NUL, no half of a surrogate pair. */
export function checkPath(path: string): void {
  if (path === '') fail('no-entry');
  if (path.length > MAX_PATH_BYTES || Buffer.byteLength(path) > MAX_PATH_BYTES) fail('name-too-long');
  if (!path.isWellFormed()) fail('illegal-byte-sequence');
  if (path.includes('\0')) fail('invalid');
}

/**
 * Whether a link with content `target`, in the directory `path` of a mount, is relative and stays in the mount. A '..' behind a name does not count as
 * staying: the name may be a link, and what is above its target is not in the text.
 */
export function staysInside(path: string, target: string): boolean {
  if (target.startsWith('/')) return false;
  const names = target.split('/').filter((name) => name !== '' && name !== '.');
  const first = names.findIndex((name) => name !== '..');
  const up = first < 0 ? names.length : first;
  return up <= (path === '' ? 0 : path.split('/').length) && !names.includes('..', up);
}

/** The components still to be walked, the next one last. */
class Pending {
  readonly #names: string[] = [];
  readonly #context: WasiContext;

  constructor(context: WasiContext) {
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#names.length === 0;
  }

  next(): string | undefined {
    return this.#names.pop();
  }

  /** Puts the components of `path` before the others, and gives whether it ended in a slash. */
  add(path: string, ending: Ending): boolean {
    checkPath(path);
    this.#context.control.charge(path.length * PATH_BYTE_UNITS);
    if (path.startsWith('/')) fail('not-permitted');
    const names = path.split('/').filter((name) => name !== '');
    for (const name of names) if (name.length > MAX_NAME_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES) fail('name-too-long');
    const slash = path.endsWith('/');
    // A slash makes a path go through its last name; only for an entry it does not.
    if (slash && ending !== 'entry') names.push('.');
    for (const name of names.reverse()) this.#names.push(name);
    return slash;
  }
}
