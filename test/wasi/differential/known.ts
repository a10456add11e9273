// What preview2-shim 0.26 does in another way than this host, where both do it, and why. A sequence of calls ends where one of these is met: from there on the
// two have different states.
import { errorOf, LATE, okOf, type Outcome, type Step } from './operations.ts';

/** Whether it is one of these differences. */
export function isKnown(step: Step, ours: Outcome, theirs: Outcome): boolean {
  return KNOWN.some(({ operations, applies }) => operations.includes(step.name) && applies(ours, theirs, step));
}

interface Difference {
  readonly why: string;
  readonly operations: readonly Step['name'][];
  readonly applies: (ours: Outcome, theirs: Outcome, step: Step) => boolean;
}

const KNOWN: readonly Difference[] = [
  {
    why: 'errors of the host that it does not turn into error codes end its guest',
    operations: ['read', 'write', 'readStream', 'writeStream'],
    applies: (ours, theirs) => errorOf(ours) !== undefined && theirs instanceof Error,
  },
  {
    why: 'whether the descriptor is one to read or write is seen at the first use of a stream there, and when it is made here',
    operations: ['readStream', 'writeStream'],
    applies: (ours, theirs) =>
      ['bad-descriptor', 'is-directory'].includes(errorOf(ours) as string) && Array.isArray(theirs) && theirs.some((one) => errorOf(one) !== undefined),
  },
  {
    why: 'where two things are wrong, either may be reported',
    operations: ['rename', 'link', 'symlink'],
    applies: (ours, theirs) => errorOf(ours) !== undefined && errorOf(theirs) !== undefined,
  },
  {
    why: 'a slash behind the name of what is no directory is an error, but which one differs',
    operations: ['open', 'unlink', 'removeDirectory'],
    applies: (ours, _theirs, { path }) => errorOf(ours) !== undefined && path.endsWith('/'),
  },
  {
    why: 'what has to be new may not be a link, which it follows all the same',
    operations: ['open'],
    applies: (ours, _theirs, { follow, openFlags }) => errorOf(ours) === 'exist' && follow && openFlags.includes('exclusive'),
  },
  {
    why: 'a link that leads out of the directory may not be made here, and not be followed there',
    operations: ['symlink'],
    applies: (ours, theirs, { other }) => errorOf(ours) === 'not-permitted' && okOf(theirs) === undefined && other.includes('..'),
  },
  {
    why: 'whether a directory can be created by opening it depends on the kernel there, and is never so here',
    operations: ['open'],
    applies: (ours, _theirs, { openFlags }) => errorOf(ours) === 'invalid' && openFlags.includes('create') && openFlags.includes('directory'),
  },
  {
    why: 'flags are those that were asked for there, and what the descriptor can do here',
    operations: ['getFlags'],
    applies: (ours, theirs) => okOf(ours) !== undefined && okOf(theirs) !== undefined,
  },
  {
    why: 'what is not open for writing cannot be cut: ftruncate(2) has one error code for all of that',
    operations: ['setSize'],
    applies: (ours, theirs) => ['bad-descriptor', 'is-directory'].includes(errorOf(ours) as string) && errorOf(theirs) === 'invalid',
  },
  {
    why: 'the times of an open file are set to milliseconds instead of seconds',
    operations: ['timesAt'],
    applies: (ours, theirs) => Number(okOf(theirs)) === 1000 * Number(okOf(ours)) || Number(okOf(theirs)) === LATE,
  },
];
