// The other guest of `race.test.ts`, in a thread of its own: makes a link that stays inside where it is made, and takes it away again.
import { workerData } from 'node:worker_threads';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import { hostDirectory } from '../../src/wasi/filesystem/mount.ts';
import { NetworkPolicy } from '../../src/wasi/network/policy.ts';
import { WasiHost } from '../../src/wasi/host.ts';

const { path, signal } = workerData as { path: string; signal: Int32Array };
const host = new WasiHost(
  {
    grants: Cap.FS_READ | Cap.FS_WRITE,
    args: [],
    env: {},
    stdin: new Uint8Array(),
    stdout: () => {},
    stderr: () => {},
    mounts: { '/data': hostDirectory(path, { write: true }) },
    denyPaths: [],
    network: NetworkPolicy.none,
    limits: limits.default,
  },
  {
    charge: () => {},
    stop: (reason) => {
      throw reason;
    },
    wait: () => true,
    suspends: () => false,
    isWaiting: () => false,
    remainingMs: () => Infinity,
    isStop: () => false,
  },
);
const root = host.component()['wasi:filesystem/preopens'].getDirectories()[0]?.[0] as Descriptor;

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (typeof error !== 'string') throw error;
  }
}

Atomics.store(signal, 1, 1);
Atomics.notify(signal, 1);
while (Atomics.load(signal, 0) === 0) {
  attempt(() => root.createDirectoryAt('a/deep'));
  attempt(() => root.symlinkAt('../../file', 'a/deep/link'));
  attempt(() => root.unlinkFileAt('a/deep/link'));
}
host.dispose();
