// What single calls of WASI cost a guest, and what waiting adds to the time that it asks for: `node bench/wasi/calls.ts`. What the rows mean: see README.md.
import { hostDirectory, memoryDirectory } from '../../src/index.ts';
import { withDirectory } from './directory.ts';
import { componentHosts, type Host, NODE_WASI, preview1Hosts, SHIM } from './guests.ts';
import { measure, print, type Row } from './measure.ts';

/** An export, its arguments behind the number of calls, and how many calls are one run. */
type Call = readonly [what: string, count: number, name: string, ...args: (number | bigint)[]];

const SIZE = 100;
const MOMENT = 1_000_000n;

await withDirectory({ large: new Uint8Array(65_536).fill(7) }, async (path, files) => {
  const mounts = { memory: memoryDirectory(files), host: hostDirectory(path, { write: true }) };
  const component = await componentHosts(mounts, path);
  const calls: Call[] = [
    ['stat-at', 2_000, 'stats'],
    [`descriptor.write of ${SIZE} bytes`, 2_000, 'writes', SIZE],
    ['monotonic-clock.now', 20_000, 'clocks'],
    ['poll of a moment that has come', 2_000, 'waits', 0n],
    ['poll of a moment 1 ms away', 100, 'waits', MOMENT],
  ];
  print('One call of WASI 0.2', await rows(component, calls, (host, name, args) => host.call(name, ...args)), [SHIM]);
  const waiting = calls.filter(([, , name]) => name !== 'writes');
  print('One call of WASI 0.2 by a guest that can be put aside', await rows(component, waiting, (host, name, args) => host.callAsync(name, ...args)), [SHIM]);

  const preview1 = await preview1Hosts(mounts, path);
  const functions: Call[] = [
    [`fd_write of ${SIZE} bytes`, 2_000, 'writes', SIZE],
    [`fd_read of ${SIZE} bytes`, 500, 'reads', SIZE],
    ['path_filestat_get', 2_000, 'stats'],
    ['clock_time_get', 20_000, 'clocks'],
  ];
  print('One call of preview 1', await rows(preview1, functions, (host, name, args) => host.call(name, ...args)), [SHIM, NODE_WASI]);
});

async function rows(hosts: readonly Host[], calls: readonly Call[], run: (host: Host, name: string, args: (number | bigint)[]) => unknown): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, count, name, ...args] of calls) {
    rows.push({ what, count, times: await measure(hosts.map((host) => ({ name: host.name, run: () => run(host, name, [count, ...args]) }))) });
  }
  return rows;
}
