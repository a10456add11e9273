// `rights` of preview 1: what may be done with a descriptor, and with what is opened through it. Which of them a descriptor has is said by what it is and how
// it was opened; from there a guest can only give rights up. They are no wall of the sandbox: what a guest may touch is decided by its grants.

/** Each flag by its name; a set of them fits a number. */
export const Right = Object.freeze({
  FD_DATASYNC: 1 << 0,
  FD_READ: 1 << 1,
  FD_SEEK: 1 << 2,
  FD_FDSTAT_SET_FLAGS: 1 << 3,
  FD_SYNC: 1 << 4,
  FD_TELL: 1 << 5,
  FD_WRITE: 1 << 6,
  FD_ADVISE: 1 << 7,
  FD_ALLOCATE: 1 << 8,
  PATH_CREATE_DIRECTORY: 1 << 9,
  PATH_CREATE_FILE: 1 << 10,
  PATH_LINK_SOURCE: 1 << 11,
  PATH_LINK_TARGET: 1 << 12,
  PATH_OPEN: 1 << 13,
  FD_READDIR: 1 << 14,
  PATH_READLINK: 1 << 15,
  PATH_RENAME_SOURCE: 1 << 16,
  PATH_RENAME_TARGET: 1 << 17,
  PATH_FILESTAT_GET: 1 << 18,
  PATH_FILESTAT_SET_SIZE: 1 << 19,
  PATH_FILESTAT_SET_TIMES: 1 << 20,
  FD_FILESTAT_GET: 1 << 21,
  FD_FILESTAT_SET_SIZE: 1 << 22,
  FD_FILESTAT_SET_TIMES: 1 << 23,
  PATH_SYMLINK: 1 << 24,
  PATH_REMOVE_DIRECTORY: 1 << 25,
  PATH_UNLINK_FILE: 1 << 26,
  POLL_FD_READWRITE: 1 << 27,
});

const READING = Right.FD_READ;
const WRITING = Right.FD_WRITE | Right.FD_DATASYNC | Right.FD_ALLOCATE | Right.FD_FILESTAT_SET_SIZE;
const POSITION = Right.FD_SEEK | Right.FD_TELL;
const ANY = Right.FD_FDSTAT_SET_FLAGS | Right.FD_SYNC | Right.FD_ADVISE | Right.FD_FILESTAT_GET | Right.FD_FILESTAT_SET_TIMES | Right.POLL_FD_READWRITE;
const DIRECTORY =
  Right.FD_READDIR |
  Right.PATH_CREATE_DIRECTORY |
  Right.PATH_CREATE_FILE |
  Right.PATH_LINK_SOURCE |
  Right.PATH_LINK_TARGET |
  Right.PATH_OPEN |
  Right.PATH_READLINK |
  Right.PATH_RENAME_SOURCE |
  Right.PATH_RENAME_TARGET |
  Right.PATH_FILESTAT_GET |
  Right.PATH_FILESTAT_SET_SIZE |
  Right.PATH_FILESTAT_SET_TIMES |
  Right.PATH_SYMLINK |
  Right.PATH_REMOVE_DIRECTORY |
  Right.PATH_UNLINK_FILE;

/** The rights of descriptors of which none were given up. C's library derives the access mode from them, and from the inheriting ones what it asks for. */
export const Rights = Object.freeze({
  file: (read: boolean, write: boolean): number => ANY | POSITION | (read ? READING : 0) | (write ? WRITING : 0),
  directory: ANY | DIRECTORY,
  inherited: ANY | POSITION | READING | WRITING | DIRECTORY,
  // C's library takes a character device without a position for a terminal, which standard streams here never are.
  input: ANY | POSITION | READING,
  output: ANY | POSITION | Right.FD_WRITE,
});

/** What a descriptor has, and what is handed on to what is opened through it. */
export interface RightsPair {
  readonly base: number;
  readonly inheriting: number;
}

/** Whether `asked` of a guest holds nothing but what is in `held`. */
export function isWithin(asked: bigint, held: number): boolean {
  return (BigInt.asUintN(64, asked) & ~BigInt(held)) === 0n;
}

/** Who may move a position may also ask for it. */
export function withImplied(rights: number): number {
  return rights & Right.FD_SEEK ? rights | Right.FD_TELL : rights;
}
