// One mount at one path for one guest: its rights at this moment, its denied paths, and the account that is given of every use. What is open below it is
// closed with the grants that it needs.
import { Cap } from '../../capabilities.ts';
import { GloveportError } from '../../errors.ts';
import { type Closable, closeQuietly, type WasiContext } from '../context.ts';
import type { BackingDirectory, FileStat } from './backing.ts';
import { type Denial, DeniedPaths } from './denied.ts';
import { fail } from './errors.ts';
import { ExactTimes } from './exact-times.ts';
import { guestPath, type Mount } from './mount.ts';
import { placeFiles } from './placed-files.ts';

/** What a use asks for: FS_READ, either right, or FS_WRITE on a mount that may be changed. */
export type Need = 'read' | 'look' | 'change';

/** Something open below a mount, to be closed whoever still holds it. */
export interface Opened extends Closable {
  /** Whether the grants of this moment are good for anything that it was opened for. */
  readonly usable: boolean;
}

/**
 * Opens what a guest sees of `mounts`, each a preopen, in their order: what is denied as a whole is not there, and without FS_READ and FS_WRITE nothing is.
 * @throws GloveportError INVALID_OPTION for a path that is not absolute and plain, is used twice, or lies below a single file; FILE_NOT_FOUND or IO_FAILED
 * for a host directory that is gone.
 */
export function openMounts(context: WasiContext, mounts: Readonly<Record<string, Mount>>, denyPaths: readonly string[]): MountPoint[] {
  const denied = new DeniedPaths(denyPaths);
  const all = Object.entries(mounts).map(([path, mount]) => ({ path: guestPath(path, 'mounts'), mount }));
  if (new Set(all.map(({ path }) => path)).size < all.length) {
    throw new GloveportError('INVALID_OPTION', 'two mounts have the same path', { option: 'mounts' });
  }
  const directories = placeFiles(all);
  if (!context.allows(Cap.FS_READ | Cap.FS_WRITE)) return [];
  const shared: Shared = { denied, moves: 0 };
  const seen = directories.flatMap(({ path, mount }) => {
    const denial = denied.at(path);
    return denial === undefined ? [] : [{ path, mount, denial }];
  });
  context.meter(new Set(seen.flatMap(({ mount }) => mount.stores)));
  try {
    return seen.map(({ path, mount, denial }, number) => {
      const point = new MountPoint(context, path, mount, denial, number, shared);
      context.keep(point);
      return point;
    });
  } catch (error) {
    context.closeAll();
    throw error;
  }
}

/** What all mounts of a guest have in common, since one may show what is below another. */
interface Shared {
  readonly denied: DeniedPaths;
  moves: number;
}

export class MountPoint implements Closable {
  readonly path: string;
  readonly context: WasiContext;
  /** Whether symbolic links are followed in here. */
  readonly follow: boolean;
  /** Where its root stands in the denied paths. */
  readonly denial: Denial;
  readonly times = new ExactTimes();
  readonly #shared: Shared;
  // Undefined once closed: the host may have given its number to another directory by then.
  #root: BackingDirectory | undefined;
  readonly #number: bigint;
  readonly #writable: boolean;
  readonly #open = new Set<Opened>();
  readonly #forgetRevocations: () => void;

  /** Takes a path that {@link guestPath} made, and a number that no other mount of the guest has. Opens the directory. */
  constructor(context: WasiContext, path: string, mount: Mount, denial: Denial, number: number, shared: Shared) {
    this.path = path;
    this.context = context;
    this.follow = mount.follow;
    this.denial = denial;
    this.#shared = shared;
    this.#number = BigInt(number);
    this.#writable = mount.writable;
    this.#root = mount.open(context);
    this.#forgetRevocations = context.onRevoke(FILES, () => {
      for (const opened of [...this.#open]) if (!opened.usable) closeQuietly(opened);
      if (!context.allows(FILES)) this.#closeRoot();
    });
  }

  close(): void {
    this.context.letGo(this);
    this.#forgetRevocations();
    for (const opened of [...this.#open]) closeQuietly(opened);
    this.#closeRoot();
  }

  #closeRoot(): void {
    const root = this.#root;
    this.#root = undefined;
    root?.close();
  }

  get root(): BackingDirectory {
    return this.#root ?? fail('bad-descriptor');
  }

  /** Has `opened` closed with what it needs, until {@link closed}. */
  opened(opened: Opened): void {
    this.#open.add(opened);
  }

  closed(opened: Opened): void {
    this.#open.delete(opened);
  }

  /** Whether a guest may do what has this `need`, at this moment. */
  grants(need: Need): boolean {
    if (need === 'change') return this.#writable && this.context.allows(Cap.FS_WRITE);
    return this.context.allows(need === 'read' ? Cap.FS_READ : FILES);
  }

  /** Whether a guest may change what is in here, at this moment. */
  get writable(): boolean {
    return this.grants('change');
  }

  /** Fails unless there is what `need` says, at this moment. */
  check(need: Need): void {
    if (!this.grants(need)) fail(need === 'change' && this.context.allows(FILES) ? 'read-only' : 'not-permitted');
  }

  /** Fails unless content, names and links may be read. */
  checkRead(): void {
    this.check('read');
  }

  /** Does `action` if it may be done, and gives the observer an account of it. `operation` is WASI's own word, `path` absolute in the guest's tree. */
  use<Result>(need: Need, operation: string, path: string, action: () => Result, detail?: Readonly<Record<string, unknown>>): Result {
    if (!this.context.observed) {
      this.check(need);
      return action();
    }
    const isWrite = need === 'change' || (need === 'look' && !this.context.allows(Cap.FS_READ));
    const report = (allowed: boolean): void => {
      this.context.report(isWrite ? Cap.FS_WRITE : Cap.FS_READ, `filesystem.${operation}`, allowed, { path, ...detail });
    };
    let result: Result;
    try {
      this.check(need);
      result = action();
    } catch (error) {
      if (typeof error === 'string') report(error !== 'not-permitted' && error !== 'read-only');
      throw error;
    }
    report(true);
    return result;
  }

  /** How often the guest moved a directory, in whichever mount: what was opened before need not be where it was. */
  get moves(): number {
    return this.#shared.moves;
  }

  moved(): void {
    this.#shared.moves += 1;
  }

  /** `stat` as the guest sees it: with a device number that tells apart objects of different mounts, and times as it set them. */
  identify(stat: FileStat): FileStat {
    return { ...this.times.restore(stat), device: BigInt.asUintN(64, (this.#number << 48n) + stat.device) };
  }

  /** Where `name` in a directory stands in the denied paths; undefined when it is denied. */
  step(denial: Denial, name: string): Denial | undefined {
    if (denial.length > 0) this.context.chargeEntries(denial.length);
    return this.#shared.denied.step(denial, name);
  }

  /** `path`, relative to the root of the mount, as the guest has it. */
  pathOf(path: string): string {
    return path === '' ? this.path : this.path === '/' ? `/${path}` : `${this.path}/${path}`;
  }
}

const FILES = Cap.FS_READ | Cap.FS_WRITE;
