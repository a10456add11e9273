// Paths as text: what may be one, and what can be said of it without looking at any file.
import { fail } from './errors.ts';

/** Bytes of a path or of a link's content. */
export const MAX_PATH_BYTES = 4096;
/** Bytes of one name. */
export const MAX_NAME_BYTES = 255;

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
  return up <= depthOf(path) && !names.includes('..', up);
}

/** The path of `name` in the directory `path`; both are within a mount, whose root is ''. */
export function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function depthOf(path: string): number {
  return path === '' ? 0 : path.split('/').length;
}
