// `errno` of wasi_snapshot_preview1, and how its functions fail: an operation throws an error code of wasi:filesystem, which has a number here, or a
// number of its own through `raise`.
import type { ErrorCode } from '../filesystem/errors.ts';

/** The numbers that wasi:filesystem has no code for. */
export const Errno = Object.freeze({ SUCCESS: 0, FAULT: 21, NOTSOCK: 57, NOTCAPABLE: 76 });

const NUMBER_OF: Readonly<Record<ErrorCode, number>> = {
  access: 2,
  'would-block': 6,
  already: 7,
  'bad-descriptor': 8,
  busy: 10,
  deadlock: 16,
  quota: 19,
  exist: 20,
  'file-too-large': 22,
  'illegal-byte-sequence': 25,
  'in-progress': 26,
  interrupted: 27,
  invalid: 28,
  io: 29,
  'is-directory': 31,
  loop: 32,
  'too-many-links': 34,
  'message-size': 35,
  'name-too-long': 37,
  'no-device': 43,
  'no-entry': 44,
  'no-lock': 46,
  'insufficient-memory': 48,
  'insufficient-space': 51,
  'not-directory': 54,
  'not-empty': 55,
  'not-recoverable': 56,
  unsupported: 58,
  'no-tty': 59,
  'no-such-device': 60,
  overflow: 61,
  'not-permitted': 63,
  pipe: 64,
  'read-only': 69,
  'invalid-seek': 70,
  'text-file-busy': 74,
  'cross-device': 75,
};

export function raise(errno: number): never {
  throw errno;
}

/** Runs `operation` and gives its errno. What is no error of WASI passes: the trap that stops a guest, or a bug of the host. */
export function errnoOf(operation: () => void): number {
  try {
    operation();
    return Errno.SUCCESS;
  } catch (error) {
    if (typeof error === 'number') return error;
    if (typeof error === 'string' && Object.hasOwn(NUMBER_OF, error)) return NUMBER_OF[error as ErrorCode];
    throw error;
  }
}
