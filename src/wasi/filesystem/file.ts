// An open file of a guest: the rights that it was opened with, looked at together with the live grants at every operation. Shared by preview 1 and 0.2;
// positions are the callers'.
import type { BackingFile, FileStat, FileTimes } from './backing.ts';
import { fail } from './errors.ts';
import type { MountPoint, Need, Opened } from './mount-point.ts';

/** How a guest opened a file. */
export interface FileMode {
  readonly read: boolean;
  readonly write: boolean;
  /** Whether each write waits for the store: not at all, for the data, or for everything. */
  readonly sync: 'none' | 'data' | 'all';
}

export class OpenFile implements Opened {
  readonly point: MountPoint;
  readonly mode: FileMode;
  // Of the guest, when it was opened.
  readonly #path: string;
  // Undefined once closed: the host may have given its number to another file by then.
  #backing: BackingFile | undefined;
  #holders = 1;

  /** Takes over `backing` and closes it with the last {@link release}. */
  constructor(point: MountPoint, backing: BackingFile, mode: FileMode, path: string) {
    this.point = point;
    this.mode = mode;
    this.#path = path;
    this.#backing = backing;
    point.opened(this);
  }

  /** One more holder: a stream that may outlive the descriptor. */
  retain(): this {
    this.#holders += 1;
    return this;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.close();
  }

  close(): void {
    this.point.closed(this);
    const backing = this.#backing;
    this.#backing = undefined;
    backing?.close();
  }

  get usable(): boolean {
    return (this.mode.read && this.point.grants('read')) || (this.mode.write && this.point.grants('change'));
  }

  /** Bytes read into `target` from `position`; 0 at the end. Paid for by the length of `target`, which the caller bounds. */
  read(target: Uint8Array, position: bigint): number {
    return this.#use('read', 'read', () => {
      this.#checkOpenedFor(this.mode.read);
      const start = checkedOffset(position);
      if (target.length === 0) return 0;
      this.#charge(target.length);
      return this.#store.read(target, start);
    });
  }

  /** Bytes written at `position`, which are all of them unless the store is full. */
  write(source: Uint8Array, position: bigint): number {
    return this.#use('change', 'write', () => {
      this.#checkOpenedFor(this.mode.write);
      const start = checkedOffset(position);
      if (!Number.isSafeInteger(start + source.length)) fail('file-too-large');
      this.#charge(source.length);
      const count = this.#store.write(source, start);
      if (this.mode.sync !== 'none') this.#sync(this.mode.sync === 'data');
      return count;
    });
  }

  /** The size, where appending writes: what another process of the host appends at the same moment may be overwritten. */
  end(): bigint {
    this.point.check('look');
    this.#charge();
    return BigInt(this.#store.size());
  }

  setSize(size: bigint): void {
    this.#use('change', 'set-size', () => {
      this.#checkOpenedFor(this.mode.write);
      this.#charge();
      this.#store.setSize(checkedOffset(size));
    });
  }

  stat(): FileStat {
    return this.#use('look', 'stat', () => {
      this.#charge();
      return this.point.identify(this.#store.stat());
    });
  }

  setTimes(times: FileTimes): void {
    this.#use('change', 'set-times', () => {
      this.#charge();
      this.#store.setTimes(times);
      this.point.times.remember(times, this.#store.stat());
    });
  }

  /** Without effect on a file that was opened for reading. */
  sync(dataOnly: boolean): void {
    this.#use('look', dataOnly ? 'sync-data' : 'sync', () => {
      if (this.mode.write) this.#sync(dataOnly);
    });
  }

  /** Fails where {@link read} would, before anything is read. */
  checkReadable(): void {
    if (!this.point.grants('read')) this.#use('read', 'read', () => {});
    this.#checkOpenedFor(this.mode.read);
  }

  /** Fails where {@link write} would, before anything is written. */
  checkWritable(): void {
    if (!this.point.grants('change')) this.#use('change', 'write', () => {});
    this.#checkOpenedFor(this.mode.write);
  }

  #use<Result>(need: Need, operation: string, action: () => Result): Result {
    return this.point.use(need, operation, this.#path, action);
  }

  #checkOpenedFor(right: boolean): void {
    if (!right) fail('bad-descriptor');
  }

  #sync(dataOnly: boolean): void {
    this.point.context.chargeSync();
    this.#store.sync(dataOnly);
  }

  // For one call of the store that may move `bytes`, before it is made.
  #charge(bytes = 0): void {
    this.point.context.chargeCalls(1);
    this.point.context.chargeBytes(bytes);
  }

  get #store(): BackingFile {
    return this.#backing ?? fail('bad-descriptor');
  }
}

function checkedOffset(offset: bigint): number {
  if (offset < 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) fail('invalid');
  return Number(offset);
}
