// The syntax of what a guest says of a request: method, scheme, authority and path. Lengths come first, so that nothing longer is looked at. Paths go over the
// wire as they are: nothing is decoded, completed or guessed, so that no two readers can take them for different things.
import { type Authority, parseAuthority } from '../network/hosts.ts';

/** Characters of a path with its query, of an authority, and of a name of a method or scheme. */
export const MAX_PATH_LENGTH = 16 * 1024;
export const MAX_AUTHORITY_LENGTH = 1024;
export const MAX_WORD_LENGTH = 64;

/** RFC 9110, 9.1. */
export function isMethod(text: string): boolean {
  return text.length <= MAX_WORD_LENGTH && /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** RFC 3986, 3.1. */
export function isScheme(text: string): boolean {
  return text.length <= MAX_WORD_LENGTH && /^[A-Za-z][A-Za-z0-9+\-.]*$/.test(text);
}

/** The origin form of RFC 9112, 3.2.1, also a query alone and the empty path, or `*`: visible ASCII without a fragment. */
export function isPathWithQuery(text: string): boolean {
  return text.length <= MAX_PATH_LENGTH && /^(?:[/?][!-"$-~]*|\*)?$/.test(text);
}

/** What `text` says, when it is an authority. Nothing can be at port 0. */
export function readAuthority(text: string): Authority | undefined {
  const authority = text.length <= MAX_AUTHORITY_LENGTH ? parseAuthority(text) : undefined;
  return authority?.port === 0 ? undefined : authority;
}
