// Calls of wasi:filesystem and of its streams, each as an operation whose outcome can be compared between two hosts, and the random steps that say which.
import fc from 'fast-check';
import type { Caller } from '../caller.ts';

/** What a call came to: a result's tag and what is to be compared of its value. */
export type Outcome = unknown;

/** One call or a few that belong together, on one side. */
type Operation = (files: Files, step: Step) => Outcome;

export interface Step {
  readonly name: keyof typeof OPERATIONS;
  readonly path: string;
  readonly other: string;
  readonly follow: boolean;
  readonly openFlags: readonly string[];
  readonly flags: readonly string[];
  readonly pick: number;
  readonly at: number;
  readonly length: number;
}

const TYPES = 'wasi:filesystem/types';
const STREAMS = 'wasi:io/streams';

/** A directory of one side, and the descriptors that are open in it. */
export class Files {
  readonly caller: Caller;
  readonly root: number;
  readonly open: number[] = [];

  private constructor(caller: Caller, root: number) {
    this.caller = caller;
    this.root = root;
  }

  /** Makes the directory `name`, with some content, in the first preopen. */
  static enter(caller: Caller, name: string): Files {
    const [[preopen] = []] = caller.call('wasi:filesystem/preopens', 'get-directories') as [number, string][];
    const at = (method: string, ...values: unknown[]): unknown => caller.call(TYPES, `[method]descriptor.${method}`, preopen, ...values);
    at('create-directory-at', name);
    const files = new Files(caller, okOf(at('open-at', [], name, ['directory'], ['read'])) as number);
    caller.call(TYPES, '[resource-drop]descriptor', preopen);
    files.at('create-directory-at', 'b');
    for (const [path, contents] of Object.entries({ a: 'a file', 'b/a': 'below', 'b/c': '' })) {
      const file = okOf(files.at('open-at', [], path, ['create'], ['read', 'write']));
      caller.call(TYPES, '[method]descriptor.write', file, Buffer.from(contents), 0n);
      caller.call(TYPES, '[resource-drop]descriptor', file);
    }
    return files;
  }

  /** Lets go of all descriptors. */
  leave(): void {
    for (const descriptor of [...this.open, this.root]) this.caller.call(TYPES, '[resource-drop]descriptor', descriptor);
  }

  at(name: string, ...values: unknown[]): Outcome {
    return this.caller.call(TYPES, `[method]descriptor.${name}`, this.root, ...values);
  }

  on(pick: number, name: string, ...values: unknown[]): Outcome {
    const descriptor = this.open[pick % this.open.length];
    return descriptor === undefined ? 'nothing is open' : this.caller.call(TYPES, `[method]descriptor.${name}`, descriptor, ...values);
  }
}

const follows = (follow: boolean): string[] => (follow ? ['symlink-follow'] : []);

export const OPERATIONS = {
  open(files, { path, follow, openFlags, flags }) {
    // With a slash behind its name, preview2-shim creates or cuts the file that it then refuses.
    const result = files.at('open-at', follows(follow), path, path.endsWith('/') ? [] : openFlags, flags);
    const descriptor = okOf(result);
    if (descriptor !== undefined) files.open.push(descriptor as number);
    return descriptor === undefined ? result : 'opened';
  },
  close(files, { pick }) {
    if (files.open.length === 0) return undefined;
    const [descriptor] = files.open.splice(pick % files.open.length, 1);
    return files.caller.call(TYPES, '[resource-drop]descriptor', descriptor);
  },
  stat: (files, { pick }) => statOutcome(files.on(pick, 'stat')),
  statAt: (files, { path, follow }) => statOutcome(files.at('stat-at', follows(follow), path)),
  getType: (files, { pick }) => files.on(pick, 'get-type'),
  getFlags: (files, { pick }) => files.on(pick, 'get-flags'),
  read: (files, { pick, at, length }) => map(files.on(pick, 'read', BigInt(length), BigInt(at)), (value) => text((value as [Uint8Array])[0])),
  write: (files, { pick, at, other, length }) => files.on(pick, 'write', bytesOf(other, length), BigInt(at)),
  setSize: (files, { pick, length }) => files.on(pick, 'set-size', BigInt(length)),
  sync: (files, { pick }) => files.on(pick, 'sync'),
  syncData: (files, { pick }) => files.on(pick, 'sync-data'),
  setTimes: (files, { pick, at, length }) => files.on(pick, 'set-times', timestamp(at), timestamp(length)),
  setTimesAt: (files, { path, follow, at, length }) => files.at('set-times-at', follows(follow), path, timestamp(at), timestamp(length)),
  timesAt: (files, { path, follow }) =>
    map(files.at('stat-at', follows(follow), path), (value) => {
      const { seconds } = (value as { 'data-modification-timestamp': { seconds: bigint } })['data-modification-timestamp'];
      return Math.min(Number(seconds), LATE);
    }),
  list: (files, { path }) => list(files, path),
  createDirectory: (files, { path }) => files.at('create-directory-at', path),
  removeDirectory: (files, { path }) => files.at('remove-directory-at', path),
  unlink: (files, { path }) => files.at('unlink-file-at', path),
  rename: (files, { path, other }) => files.at('rename-at', path, files.root, other),
  link: (files, { path, follow, other }) => files.at('link-at', follows(follow), path, files.root, other),
  // A slash at the end of what a link leads to is not seen by preview2-shim.
  symlink: (files, { path, other }) => files.at('symlink-at', other.replace(/\/$/, ''), path),
  readlink: (files, { path }) => files.at('readlink-at', path),
  readStream: (files, { pick, at, length }) =>
    withStream(files, 'input', files.on(pick, 'read-via-stream', BigInt(at)), (stream) => {
      const chunks: string[] = [];
      for (;;) {
        const result = stream('blocking-read', BigInt(length + 1));
        const bytes = okOf(result) as Uint8Array | undefined;
        if (bytes === undefined) return [chunks.join(''), result];
        chunks.push(text(bytes));
      }
    }),
  writeStream: (files, { pick, at, other, length }) => {
    const opened = at % 3 === 0 ? files.on(pick, 'append-via-stream') : files.on(pick, 'write-via-stream', BigInt(at));
    return withStream(files, 'output', opened, (stream) => {
      const pollable = stream('subscribe');
      files.caller.call('wasi:io/poll', 'poll', [pollable]);
      const permit = okOf(stream('check-write')) as bigint;
      const written = stream('write', bytesOf(other, length));
      const flushed = stream('blocking-flush');
      const again = stream('blocking-write-and-flush', bytesOf(other, length));
      const zeroes = stream('blocking-write-zeroes-and-flush', BigInt(at));
      files.caller.call('wasi:io/poll', '[resource-drop]pollable', pollable);
      return [permit >= 1024n, written, flushed, again, zeroes];
    });
  },
} satisfies Record<string, Operation>;

/** Calls a method of a stream. */
type OnStream = (method: string, ...values: unknown[]) => Outcome;

/** What `use` makes of the stream that `opened` has given, which is dropped afterwards; or the error that it was. */
function withStream(files: Files, direction: 'input' | 'output', opened: Outcome, use: (call: OnStream, stream: unknown) => Outcome): Outcome {
  const stream = okOf(opened);
  if (stream === undefined) return opened;
  const call: OnStream = (method, ...values) => reason(files, files.caller.call(STREAMS, `[method]${direction}-stream.${method}`, stream, ...values));
  try {
    return use(call, stream);
  } finally {
    files.caller.call(STREAMS, `[resource-drop]${direction}-stream`, stream);
  }
}

/** A stream's result, with the error code of an error that it failed with. */
function reason(files: Files, result: Outcome): Outcome {
  const failure = errorOf(result) as { tag?: string; val?: unknown } | undefined;
  if (failure?.tag !== 'last-operation-failed') return result;
  const code = files.caller.call(TYPES, 'filesystem-error-code', failure.val);
  files.caller.call('wasi:io/error', '[resource-drop]error', failure.val);
  return { tag: 'err', val: code };
}

/** Seconds that no operation sets: it is the time of the test. */
export const LATE = 1_000_000;

/** The value of an `ok`, if it has one. */
export function okOf(result: Outcome): unknown {
  const { tag, val } = (result ?? {}) as { tag?: string; val?: unknown };
  return tag === 'ok' ? val : undefined;
}

function map(result: Outcome, change: (value: unknown) => unknown): Outcome {
  const value = okOf(result);
  return value === undefined ? result : { tag: 'ok', val: change(value) };
}

function statOutcome(result: Outcome): Outcome {
  return map(result, (value) => {
    const stat = value as Record<string, unknown>;
    return stat.type === 'directory' ? stat.type : [stat.type, stat['link-count'], stat.size];
  });
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function bytesOf(word: string, length: number): Uint8Array {
  return Buffer.from(word.repeat(Math.ceil(length / word.length)).slice(0, length));
}

function timestamp(second: number): unknown {
  return { tag: 'timestamp', val: { seconds: BigInt(second), nanoseconds: 0 } };
}

function list(files: Files, path: string): Outcome {
  const opened = files.at('open-at', ['symlink-follow'], path, ['directory'], ['read']);
  const directory = okOf(opened);
  if (directory === undefined) return opened;
  const result = files.caller.call(TYPES, '[method]descriptor.read-directory', directory);
  const stream = okOf(result);
  const entries: string[] = [];
  if (stream !== undefined) {
    for (;;) {
      const entry = okOf(files.caller.call(TYPES, '[method]directory-entry-stream.read-directory-entry', stream)) as { name: string; type: string } | undefined;
      if (entry === undefined) break;
      entries.push(`${entry.name} ${entry.type}`);
    }
    files.caller.call(TYPES, '[resource-drop]directory-entry-stream', stream);
  }
  files.caller.call(TYPES, '[resource-drop]descriptor', directory);
  return stream === undefined ? result : entries.sort();
}

/** The error of an `err`. */
export function errorOf(result: Outcome): unknown {
  const { tag, val } = (result ?? {}) as { tag?: string; val?: unknown };
  return tag === 'err' ? val : undefined;
}

/** Everything below `path`: names, types, contents, links. */
export function tree(files: Files, path: string): unknown {
  return (list(files, path) as string[]).map((entry) => {
    const [name, type] = entry.split(' ');
    const below = `${path}/${name}`;
    if (type === 'directory') return [entry, tree(files, below)];
    if (type === 'symbolic-link') return [entry, files.at('readlink-at', below)];
    const file = okOf(files.at('open-at', [], below, [], ['read']));
    const contents = files.caller.call(TYPES, '[method]descriptor.read', file, 100_000n, 0n);
    files.caller.call(TYPES, '[resource-drop]descriptor', file);
    return [entry, map(contents, (value) => text((value as [Uint8Array])[0]))];
  });
}

// Few names, so that operations meet; sometimes a slash at the end, or a way out. No `.` and `..` on the way: preview2-shim takes them out of a path before it
// looks at what they stand behind, and an empty path for the directory itself.
const plain = fc.constantFrom('a', 'b', 'c', 'a/a', 'a/b', 'b/a', 'b/c', 'a/b/c');
const path = fc.oneof(
  { arbitrary: plain, weight: 14 },
  { arbitrary: plain.map((name) => `${name}/`), weight: 1 },
  { arbitrary: fc.constantFrom('..', '../a', '/a'), weight: 1 },
);
export const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom(...(Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[]), 'open', 'open', 'open', 'open', 'write'),
  path,
  other: path.filter((word) => word !== ''),
  follow: fc.boolean(),
  openFlags: fc.subarray(['create', 'directory', 'exclusive', 'truncate']),
  flags: fc.subarray(['read', 'write']),
  pick: fc.nat(7),
  at: fc.nat(300),
  length: fc.nat(300),
});
