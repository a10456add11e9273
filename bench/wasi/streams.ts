// 64 MiB through streams, as a guest reads and writes them: `node bench/wasi/streams.ts`. What the rows mean: see README.md.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { hostDirectory, memoryDirectory } from '../../src/index.ts';
import { withDirectory } from './directory.ts';
import { componentHosts, NODE_WASI, preview1Hosts, SHIM } from './guests.ts';
import { measure, print, type Row, type Subject } from './measure.ts';

const SIZE = 64 * 1024 * 1024;
const READS = [4_096, 65_536, 1_048_576];
// `blocking-write-and-flush` takes no more at once.
const WRITE = 4_096;
const NODE_FS = 'node:fs';

await withDirectory({ large: new Uint8Array(SIZE).fill(7) }, async (path, files) => {
  const mounts = { memory: memoryDirectory(files), host: hostDirectory(path, { write: true }) };
  const nodeRead = (chunk: number): Subject => ({ name: NODE_FS, run: () => checked(readAll(join(path, 'large'), chunk)) });

  const component = await componentHosts(mounts, path);
  const rows: Row[] = [];
  for (const chunk of READS) {
    const read = component.map(({ name, call }) => ({ name, run: () => checked(call('read-all', BigInt(chunk))) }));
    rows.push({ what: `read by ${chunk}`, count: 1, times: await measure([...read, nodeRead(chunk)]) });
  }
  const suspendable = component.map(({ name, callAsync }) => ({ name, run: async () => checked(await callAsync('read-all', 65_536n)) }));
  rows.push({ what: 'read by 65536, can be put aside', count: 1, times: await measure([...suspendable, nodeRead(65_536)]) });
  const write = component.map(({ name, call }) => ({ name, run: () => call('write-all', WRITE, BigInt(SIZE)) }));
  rows.push({ what: `write by ${WRITE}`, count: 1, times: await measure([...write, { name: NODE_FS, run: () => writeAll(join(path, 'made'), WRITE) }], 3) });
  print('64 MiB through streams of WASI 0.2', rows, [SHIM], NODE_FS);

  const preview1 = await preview1Hosts(mounts, path);
  const readings: Row[] = [];
  for (const chunk of READS) {
    const read = preview1.map(({ name, call }) => ({ name, run: () => checked(call('read-all', chunk)) }));
    readings.push({ what: `read by ${chunk}`, count: 1, times: await measure([...read, nodeRead(chunk)]) });
  }
  print('64 MiB through fd_read of preview 1', readings, [SHIM, NODE_WASI], NODE_FS);
});

function checked(read: unknown): void {
  if (Number(read) !== SIZE) throw new Error(`${read} bytes were read instead of ${SIZE}`);
}

function readAll(path: string, chunk: number): number {
  const file = fs.openSync(path, 'r');
  const buffer = new Uint8Array(chunk);
  let total = 0;
  for (let count = -1; count !== 0; total += count) count = fs.readSync(file, buffer, 0, chunk, null);
  fs.closeSync(file);
  return total;
}

function writeAll(path: string, chunk: number): void {
  const file = fs.openSync(path, 'w');
  const buffer = new Uint8Array(chunk);
  for (let left = SIZE; left > 0; left -= chunk) fs.writeSync(file, buffer);
  fs.closeSync(file);
}
