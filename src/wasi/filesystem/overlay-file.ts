// Open files of an overlay: of the upper store, and of the lower one until they are copied up.
import { closeQuietly } from '../context.ts';
import type { BackingFile, FileStat, FileTimes } from './backing.ts';
import type { LocatedFile, OverlayState } from './overlay-state.ts';

/** A file of the upper store. `device` tells its objects from those of the lower one. */
export class UpperFile implements BackingFile {
  protected readonly device: bigint;
  protected inner: BackingFile;

  /** Takes over `inner`. */
  constructor(device: bigint, inner: BackingFile) {
    this.device = device;
    this.inner = inner;
  }

  stat(): FileStat {
    return { ...this.inner.stat(), device: this.device };
  }

  size(): number {
    return this.inner.size();
  }

  read(target: Uint8Array, position: number): number {
    return this.inner.read(target, position);
  }

  write(source: Uint8Array, position: number): number {
    return this.inner.write(source, position);
  }

  setSize(size: number): void {
    this.inner.setSize(size);
  }

  setTimes(times: FileTimes): void {
    this.inner.setTimes(times);
  }

  sync(): void {}

  close(): void {
    this.inner.close();
  }
}

/** A file that was opened for reading below, and goes on above once it is copied up. */
export class LowerFile extends UpperFile implements LocatedFile {
  path: string | undefined;
  readonly #state: OverlayState;
  readonly #copyUp: (path: string) => void;
  #isLower = true;
  // Set when it has lost its name: nobody else can ask for them.
  #ownTimes: FileTimes | undefined;

  /** Takes over `inner`. */
  constructor(state: OverlayState, device: bigint, path: string, inner: BackingFile, copyUp: (path: string) => void) {
    super(device, inner);
    this.path = path;
    this.#state = state;
    this.#copyUp = copyUp;
    state.files.add(this);
  }

  switchTo(open: () => BackingFile): void {
    const lower = this.inner;
    this.inner = open();
    this.#isLower = false;
    this.#state.files.delete(this);
    closeQuietly(lower);
  }

  override stat(): FileStat {
    return this.#isLower ? { ...this.inner.stat(), ...this.#ownTimes } : super.stat();
  }

  override setTimes(times: FileTimes): void {
    if (this.#isLower && this.path !== undefined) this.#copyUp(this.path);
    if (this.#isLower) this.#ownTimes = { accessed: times.accessed, modified: times.modified };
    else super.setTimes(times);
  }

  override close(): void {
    this.#state.files.delete(this);
    super.close();
  }
}
