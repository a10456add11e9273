// Preview 1 was published twice: as wasi_unstable (snapshot 0) and as wasi_snapshot_preview1. What differs is written down here, so that the functions are
// the same: the size of a link count, the numbers of whence, one more field of a clock's subscription, and one function that came later.
import type { FileStat } from '../filesystem/backing.ts';
import { FILE_TYPE } from './records.ts';

export interface Layout {
  /** Functions that do not exist. */
  readonly without: readonly string[];
  /** `filestat` as bytes. */
  filestat(stat: FileStat): Uint8Array;
  /** `whence` by its number. */
  readonly whence: readonly ('set' | 'current' | 'end')[];
  /** Bytes of a `subscription`. */
  readonly subscriptionBytes: number;
  /** Where in a subscription a clock's id stands; its timeout follows after 8 bytes, its flags after 24. */
  readonly clockOffset: number;
}

const UNSTABLE: Layout = {
  without: ['sock_accept'],
  filestat(stat) {
    const view = filestatView(56, stat, 24);
    view.setUint32(20, stat.links > MAX_U32 ? Number(MAX_U32) : Number(stat.links), true);
    return new Uint8Array(view.buffer);
  },
  whence: ['current', 'end', 'set'],
  subscriptionBytes: 56,
  clockOffset: 24,
};

const PREVIEW1: Layout = {
  without: [],
  filestat(stat) {
    const view = filestatView(64, stat, 32);
    view.setBigUint64(24, stat.links, true);
    return new Uint8Array(view.buffer);
  },
  whence: ['set', 'current', 'end'],
  subscriptionBytes: 48,
  clockOffset: 16,
};

/** The layouts by the name that a module imports them under. */
export const LAYOUTS: ReadonlyMap<string, Layout> = new Map([
  ['wasi_unstable', UNSTABLE],
  ['wasi_snapshot_preview1', PREVIEW1],
]);

const MAX_U32 = 2n ** 32n - 1n;

// All but the link count; `rest` is where the size and the times stand.
function filestatView(bytes: number, stat: FileStat, rest: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(bytes));
  view.setBigUint64(0, stat.device, true);
  view.setBigUint64(8, stat.inode, true);
  view.setUint8(16, FILE_TYPE[stat.type]);
  view.setBigUint64(rest, stat.size, true);
  view.setBigUint64(rest + 8, stat.accessed, true);
  view.setBigUint64(rest + 16, stat.modified, true);
  view.setBigUint64(rest + 24, stat.changed, true);
  return view;
}
