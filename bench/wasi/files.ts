// What file operations cost a guest, beside preview2-shim on the same directory and node:fs itself: write, stat and sequential reading, as the glue of a
// component calls them. `node bench/wasi/files.ts` prints a table in which each row was measured in turns with its neighbours.
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import type { GuestControl } from '../../src/metering/control.ts';
import { hostDirectory, type Mount, memoryDirectory } from '../../src/wasi/filesystem/mount.ts';
import { NetworkPolicy } from '../../src/wasi/network/policy.ts';
import { WasiHost } from '../../src/wasi/host.ts';

// The parts of wasi:filesystem and wasi:io that are measured, as both hosts have them.
interface Stream {
  [Symbol.dispose](): void;
}
interface Descriptor {
  statAt(flags: { symlinkFollow?: boolean }, path: string): unknown;
  openAt(flags: { symlinkFollow?: boolean }, path: string, open: { create?: boolean }, mode: { read?: boolean; write?: boolean }): Descriptor;
  write(bytes: Uint8Array, offset: bigint): bigint;
  readViaStream(offset: bigint): Stream & { blockingRead(length: bigint): Uint8Array };
  writeViaStream(offset: bigint): Stream & { blockingWriteAndFlush(contents: Uint8Array): void };
  [Symbol.dispose](): void;
}
type Preopens = { getDirectories(): [Descriptor, string][] };

/** One way to do the same things; undefined where it has no such thing. */
interface Subject {
  readonly stat: (path: string) => unknown;
  readonly write: (bytes: Uint8Array) => unknown;
  readonly writeStream: ((bytes: Uint8Array) => unknown) | undefined;
  readonly create: (name: string, bytes: Uint8Array) => unknown;
  /** Bytes read in all. */
  readonly readAll: (chunk: number) => number;
}

const SIZE = 64 * 1024 * 1024;
const BYTES = new Uint8Array(100).fill(7);
const ROUNDS = 24;
const WARM_UP = 4;
const DEEP = 'a/b/c/file';

const unlimited: GuestControl = {
  charge() {},
  stop: (reason) => {
    throw reason;
  },
  wait: () => true,
  suspends: () => false,
  isWaiting: () => false,
  remainingMs: () => Infinity,
  isStop: () => false,
};

function ours(mount: Mount): Descriptor {
  const policy = { args: [], env: {}, stdin: new Uint8Array(), stdout: () => {}, stderr: () => {}, denyPaths: [], network: NetworkPolicy.none };
  const host = new WasiHost(
    { ...policy, grants: Cap.FS_READ | Cap.FS_WRITE, mounts: { '/data': mount }, limits: { ...limits.default, hostBytes: 1e9 } },
    unlimited,
  );
  return rootOf(host.component()['wasi:filesystem/preopens']);
}

function shim(path: string): Descriptor {
  const imports = new WASIShim({ sandbox: { preopens: { '/data': path } } }).getImportObject() as unknown as Record<string, Preopens>;
  const name = Object.keys(imports).find((key) => key.startsWith('wasi:filesystem/preopens')) as string;
  return rootOf(imports[name] as Preopens);
}

function rootOf(preopens: Preopens): Descriptor {
  return (preopens.getDirectories()[0] as [Descriptor, string])[0];
}

function wasiSubject(root: Descriptor): Subject {
  const follow = { symlinkFollow: true };
  const file = root.openAt(follow, 'written', { create: true }, { write: true });
  const stream = file.writeViaStream(0n);
  return {
    stat: (path) => root.statAt(follow, path),
    write: (bytes) => file.write(bytes, 0n),
    writeStream: (bytes) => stream.blockingWriteAndFlush(bytes),
    create(name, bytes) {
      const made = root.openAt(follow, name, { create: true }, { write: true });
      made.write(bytes, 0n);
      made[Symbol.dispose]();
    },
    readAll(chunk) {
      const big = root.openAt(follow, 'big', {}, { read: true });
      const input = big.readViaStream(0n);
      let total = 0;
      while (total < SIZE) total += input.blockingRead(BigInt(chunk)).length;
      input[Symbol.dispose]();
      big[Symbol.dispose]();
      return total;
    },
  };
}

function nodeSubject(path: string): Subject {
  const fd = fs.openSync(join(path, 'written-by-node'), 'w');
  return {
    stat: (name) => fs.statSync(join(path, name), { bigint: true }),
    write: (bytes) => fs.writeSync(fd, bytes, 0, bytes.length, 0),
    writeStream: undefined,
    create(name, bytes) {
      const made = fs.openSync(join(path, name), fs.constants.O_CREAT | fs.constants.O_WRONLY);
      fs.writeSync(made, bytes, 0, bytes.length, 0);
      fs.closeSync(made);
    },
    readAll(chunk) {
      const big = fs.openSync(join(path, 'big'), 'r');
      let total = 0;
      // Each time into new room, as fs.ReadStream does: what a stream has given out is not its own any more.
      while (total < SIZE) total += fs.readSync(big, Buffer.allocUnsafeSlow(chunk), 0, chunk, null);
      fs.closeSync(big);
      return total;
    },
  };
}

type Run = (subject: Subject) => (() => unknown) | undefined;

/** Microseconds of one `run`, for each subject the lower quartile of many rounds taken in turns: what else the machine does only adds. */
function measure<Name extends string>(subjects: Record<Name, Subject>, count: number, run: Run): Record<Name, number> {
  const bodies = Object.entries<Subject>(subjects).map(([name, subject]) => ({ name, body: run(subject), times: [] as number[] }));
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const { body, times } of bodies) {
      const start = performance.now();
      for (let index = 0; body && index < count; index += 1) body();
      if (round >= 0) times.push(body ? ((performance.now() - start) * 1000) / count : Number.NaN);
    }
  }
  return Object.fromEntries(bodies.map(({ name, times }) => [name, times.toSorted((a, b) => a - b)[ROUNDS >> 2]])) as Record<Name, number>;
}

function shown(microseconds: number): string {
  if (Number.isNaN(microseconds)) return '';
  return microseconds < 1_000 ? `${microseconds.toPrecision(3)} µs` : `${(microseconds / 1_000).toPrecision(3)} ms`;
}

const path = fs.mkdtempSync(join(tmpdir(), 'gloveport-bench-'));
try {
  fs.mkdirSync(join(path, 'a/b/c'), { recursive: true });
  for (const name of ['file', DEEP]) fs.writeFileSync(join(path, name), BYTES);
  const big = new Uint8Array(SIZE);
  fs.writeFileSync(join(path, 'big'), big);
  const subjects = {
    memory: wasiSubject(ours(memoryDirectory({ file: BYTES, [DEEP]: BYTES, big }))),
    host: wasiSubject(ours(hostDirectory(path, { write: true }))),
    'preview2-shim': wasiSubject(shim(path)),
    'node:fs': nodeSubject(path),
  };
  // With the most that each may take: microseconds in memory and on the host, or times what node:fs takes.
  const rows: { what: string; count: number; run: Run; memory?: number; host?: number; node?: number }[] = [
    { what: 'write 100 bytes', count: 500, run: (subject) => () => subject.write(BYTES), memory: 3, host: 10 },
    { what: 'write 100 bytes to a stream', count: 500, run: ({ writeStream }) => writeStream && (() => writeStream(BYTES)), memory: 3, host: 10 },
    { what: 'open, write 100 bytes, close', count: 200, run: (subject) => () => subject.create('made', BYTES) },
    { what: 'stat at depth 1', count: 500, run: (subject) => () => subject.stat('file'), memory: 2, host: 15 },
    { what: 'stat at depth 4', count: 500, run: (subject) => () => subject.stat(DEEP), memory: 2, host: 15 },
    { what: 'read 64 MiB by 64 KiB', count: 1, run: (subject) => () => subject.readAll(65_536), node: 2 },
    { what: 'read 64 MiB by 1 MiB', count: 1, run: (subject) => () => subject.readAll(1_048_576), node: 2 },
  ];
  const table = rows.map(({ what, count, run, memory = Infinity, host = Infinity, node = Infinity }) => {
    const times = measure(subjects, count, run);
    const ratio = (one: number, other: number): string => (Number.isNaN(one / other) ? '' : (one / other).toPrecision(3));
    const isReached = times.memory <= memory && times.host <= host && !(times.host > node * times['node:fs']) && !(times.memory > node * times['node:fs']);
    return {
      what,
      ...Object.fromEntries(Object.entries(times).map(([name, time]) => [name, shown(time)])),
      'shim / memory': ratio(times['preview2-shim'], times.memory),
      'shim / host': ratio(times['preview2-shim'], times.host),
      'host / node:fs': ratio(times.host, times['node:fs']),
      'within goal': Math.min(memory, node) === Infinity ? '' : isReached ? 'yes' : 'NO',
    };
  });
  console.table(Object.fromEntries(table.map(({ what, ...cells }) => [what, cells])));
} finally {
  fs.rmSync(path, { recursive: true });
}
// preview2-shim's worker would keep the process.
process.exit();
