// An open file of a guest: the rights that it was opened with, looked at together with the live grants at every operation. Shared by preview 1 and 0.2;
// positions are the callers'.
import type { BackingFile, FileStat, FileTimes } from './backing.ts';
import { fail } from './errors.ts';
import type { MountPoint } from './mount.ts';

/** How a guest opened a file. */
export interface FileMode {
  readonly read: boolean;
  readonly write: boolean;
  /** Whether each write waits for the store: not at all, for the data, or for everything. */
  readonly sync: 'none' | 'data' | 'all';
}

export class OpenFile {
  readonly point: MountPoint;
  readonly mode: FileMode;
  // Undefined once closed: the host may have given its number to another file by then.
  #backing: BackingFile | undefined;
  #holders = 1;

  /** Takes over `backing` and closes it with the last {@link release}. */
  constructor(point: MountPoint, backing: BackingFile, mode: FileMode) {
    this.point = point;
    this.mode = mode;
    this.#backing = backing;
  }

  /** One more holder: a stream that may outlive the descriptor. */
  retain(): this {
    this.#holders += 1;
    return this;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#backing?.close();
    this.#backing = undefined;
  }

  /** Bytes read into `target` from `position`; 0 at the end. */
  read(target: Uint8Array, position: bigint): number {
    this.checkReadable();
    const start = checkedOffset(position);
    if (target.length === 0) return 0;
    const count = this.#store.read(target, start);
    this.point.context.chargeBytes(count);
    return count;
  }

  /** Bytes written at `position`, which are all of them unless the store is full. */
  write(source: Uint8Array, position: bigint): number {
    this.checkWritable();
    const start = checkedOffset(position);
    if (!Number.isSafeInteger(start + source.length)) fail('file-too-large');
    this.point.context.chargeBytes(source.length);
    const count = this.#store.write(source, start);
    if (this.mode.sync !== 'none') this.#store.sync(this.mode.sync === 'data');
    return count;
  }

  /** The size, where appending writes: what another process of the host appends at the same moment may be overwritten. */
  end(): bigint {
    this.point.checkUse();
    return BigInt(this.#store.size());
  }

  setSize(size: bigint): void {
    this.checkWritable();
    this.#store.setSize(checkedOffset(size));
  }

  stat(): FileStat {
    this.point.checkUse();
    return this.point.identify(this.#store.stat());
  }

  setTimes(times: FileTimes): void {
    this.point.checkWrite();
    this.#store.setTimes(times);
  }

  /** Without effect on a file that was opened for reading. */
  sync(dataOnly: boolean): void {
    this.point.checkUse();
    if (this.mode.write) this.#store.sync(dataOnly);
  }

  checkReadable(): void {
    this.point.checkRead();
    if (!this.mode.read) fail('bad-descriptor');
  }

  checkWritable(): void {
    this.point.checkWrite();
    if (!this.mode.write) fail('bad-descriptor');
  }

  get #store(): BackingFile {
    return this.#backing ?? fail('bad-descriptor');
  }
}

function checkedOffset(offset: bigint): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) fail('invalid');
  return Number(offset);
}
