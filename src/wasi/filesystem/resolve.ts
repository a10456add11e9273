// From a guest's path to a place: an open directory and one name in it. Walks from a descriptor's directory through directories that are opened one in
// the other, resolves links itself and never leaves where it began: '..' above it, absolute paths and absolute links are 'not-permitted'. Denied
// paths are checked at each step, on names that no link can disguise.
import type { BackingDirectory, FileStat } from './backing.ts';
import type { Denial } from './denied.ts';
import { fail } from './errors.ts';
import type { MountPoint } from './mount-point.ts';
import { below, checkPath, MAX_NAME_BYTES } from './paths.ts';

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

/** An open directory in its mount. */
export interface Spot {
  readonly directory: BackingDirectory;
  /** Within the mount. */
  readonly path: string;
  readonly denial: Denial;
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
  /** What is denied below that. */
  readonly denial: Denial;
  /** Whether the path ended in a slash, so that only a directory can be meant. */
  readonly slash: boolean;
}

/** Walks `path` from `origin` and uses the place; everything that was opened on the way is closed after. */
export function resolve<Result>(point: MountPoint, origin: Spot, path: string, ending: Ending, use: (place: Place) => Result): Result {
  const levels: Spot[] = [];
  // The components still to be walked, the next one last.
  const pending: string[] = [];
  let links = 0;
  try {
    let slash = prepend(pending, point, path, ending);
    for (;;) {
      descend(point, levels, origin, pending);
      const here = levels.at(-1) ?? origin;
      const name = pending.pop();
      if (name === undefined) return use({ ...here, name, stat: undefined, slash });
      if (name === '.') continue;
      if (name === '..') {
        if (levels.length === 0) fail('not-permitted');
        levels.pop()?.directory.close();
        continue;
      }
      const isLast = pending.length === 0;
      if (!isLast && levels.length === MAX_DESCENT) fail('name-too-long');
      const denial = point.step(here.denial, name) ?? fail('not-permitted');
      point.context.chargeCalls(STEP_CALLS);
      const stat = here.directory.lookup(name);
      if (stat?.type !== 'symbolic-link' || (isLast && ending !== 'follow')) {
        if (!isLast) fail(stat ? 'not-directory' : 'no-entry');
        return use({ directory: here.directory, name, stat, path: below(here.path, name), denial, slash });
      }
      if (!point.follow || ++links > MAX_LINKS) fail('loop');
      point.context.chargeCalls(LINK_CALLS);
      slash = prepend(pending, point, here.directory.readLink(name), ending) || slash;
    }
  } finally {
    for (const level of levels) level.directory.close();
  }
}

// Goes down through the next names as long as they are directories and not denied; the last name is for the caller.
function descend(point: MountPoint, levels: Spot[], origin: Spot, pending: string[]): void {
  const here = levels.at(-1) ?? origin;
  const names: string[] = [];
  const spots: Omit<Spot, 'directory'>[] = [];
  let last: Omit<Spot, 'directory'> = here;
  while (names.length < Math.min(pending.length - 1, MAX_DESCENT - levels.length)) {
    const name = pending[pending.length - 1 - names.length] as string;
    const denial = name === '.' || name === '..' ? undefined : point.step(last.denial, name);
    if (denial === undefined) break;
    last = { path: below(last.path, name), denial };
    names.push(name);
    spots.push(last);
  }
  if (names.length === 0) return;
  point.context.chargeCalls(STEP_CALLS * names.length);
  const opened = here.directory.descend(names);
  levels.push(...opened.map((directory, index) => ({ directory, ...(spots[index] as Omit<Spot, 'directory'>) })));
  pending.length -= opened.length;
}

// Puts the components of `path` before the others, and gives whether it ended in a slash.
function prepend(pending: string[], point: MountPoint, path: string, ending: Ending): boolean {
  checkPath(path);
  point.context.control.charge(path.length * PATH_BYTE_UNITS);
  if (path.startsWith('/')) fail('not-permitted');
  const names = path.split('/').filter((name) => name !== '');
  for (const name of names) if (name.length > MAX_NAME_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES) fail('name-too-long');
  const slash = path.endsWith('/');
  // A slash makes a path go through its last name; only for an entry it does not.
  if (slash && ending !== 'entry') names.push('.');
  for (const name of names.reverse()) pending.push(name);
  return slash;
}
