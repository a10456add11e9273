// What the tests of the WASI host stand on: a control that records instead of metering, a guest that calls preview 1 by hand, directories of both kinds
// with a canary outside, and one way to try an operation in both versions of WASI.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { memfs } from 'memfs';
import { afterAll } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { GloveportError } from '../../src/errors.ts';
import { type Limits, limits } from '../../src/limits.ts';
import type { GuestControl } from '../../src/metering/control.ts';
import type { Descriptor } from '../../src/wasi/component/filesystem.ts';
import { hostDirectory, type Mount, memoryDirectory, overlay, readOnly } from '../../src/wasi/filesystem/mount.ts';
import type { SynchronousFileSystem } from '../../src/wasi/filesystem/volume.ts';
import { NetworkPolicy } from '../../src/wasi/network/policy.ts';
import { WasiHost, type WasiPolicy } from '../../src/wasi/host.ts';

export class Stopped extends Error {
  readonly reason: GloveportError;

  constructor(reason: GloveportError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** A control without a meter. It sleeps for true, but as a call with 2 s to its deadline. */
export class RecordingControl implements GuestControl {
  units = 0;
  /** Fuel at which the guest is stopped. */
  budget = Infinity;
  readonly sleeps: number[] = [];

  charge(units: number): void {
    if (!Number.isFinite(units) || units < 0) throw new RangeError(`a charge of ${units}`);
    this.units += units;
    if (this.units > this.budget) this.stop(new GloveportError('FUEL_EXHAUSTED', 'the fuel is spent'));
  }

  stop(reason: GloveportError): never {
    throw new Stopped(reason);
  }

  wait(milliseconds: number, onChange?: unknown): boolean {
    if (onChange !== undefined) this.stop(new GloveportError('UNSUPPORTED_FEATURE', 'this control waits for time only'));
    this.sleeps.push(milliseconds);
    if (milliseconds > this.remainingMs()) this.stop(new GloveportError('DEADLINE_EXCEEDED', 'the deadline has passed'));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    return true;
  }

  suspends(): boolean {
    return false;
  }

  isWaiting(): boolean {
    return false;
  }

  remainingMs(): number {
    return 2_000;
  }

  isStop(error: unknown): boolean {
    return error instanceof Stopped;
  }
}

export const ALL = Cap.CONSOLE | Cap.TIME | Cap.RANDOM | Cap.FS_READ | Cap.FS_WRITE | Cap.ENV;

export interface TestHost {
  readonly host: WasiHost;
  readonly control: RecordingControl;
  stdout(): string;
  stderr(): string;
}

export function makeHost(policy: Partial<Omit<WasiPolicy, 'limits'>> & { limits?: Partial<Limits> } = {}, control = new RecordingControl()): TestHost {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const host = new WasiHost(
    {
      grants: ALL,
      args: ['guest'],
      env: {},
      stdin: new Uint8Array(),
      stdout: (chunk) => out.push(chunk),
      stderr: (chunk) => err.push(chunk),
      mounts: {},
      denyPaths: [],
      network: NetworkPolicy.none,
      ...policy,
      limits: { ...limits.default, ...policy.limits },
    },
    control,
  );
  return { host, control, stdout: () => Buffer.concat(out).toString(), stderr: () => Buffer.concat(err).toString() };
}

/** The code with which `operation` stops the guest; undefined when it does not. */
export function stopOf(operation: () => unknown): string | undefined {
  try {
    operation();
    return undefined;
  } catch (error) {
    if (error instanceof Stopped) return error.reason.code;
    throw error;
  }
}

/** What `operation` throws: for WASI errors the bare payload. */
export function thrownBy(operation: () => unknown): unknown {
  try {
    operation();
    return undefined;
  } catch (error) {
    return error;
  }
}

const made: string[] = [];

export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'gloveport-wasi-'));
  made.push(path);
  return path;
}

afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

export const CANARY = 'the canary that no guest may see';

export interface TestMount {
  readonly mount: Mount;
  /** The real directory, for a host mount; beside it lies a file `canary`. */
  readonly path: string | undefined;
}

export const MOUNT_KINDS = ['memory', 'host'] as const;
/** Those, and what is made of other parts. */
export const STORE_KINDS = [...MOUNT_KINDS, 'file system', 'overlay', 'host overlay'] as const;
export type MountKind = (typeof STORE_KINDS)[number];

/** A directory of any kind with `files` in it, which lie below in an overlay. */
export function makeMount(kind: MountKind, files: Readonly<Record<string, string>> = {}, write = true): TestMount {
  if (kind === 'memory') return { mount: orReadOnly(memoryDirectory(files), write), path: undefined };
  if (kind === 'file system') return { mount: orReadOnly(memoryDirectory(fileSystem(files)), write), path: undefined };
  if (kind === 'overlay') return { mount: orReadOnly(overlay(memoryDirectory(files)), write), path: undefined };
  if (kind === 'host overlay') return { mount: orReadOnly(overlay(makeMount('host', files, false).mount), write), path: undefined };
  const outside = temporaryDirectory();
  writeFileSync(join(outside, 'canary'), CANARY);
  const path = join(outside, 'inside');
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { mount: hostDirectory(path, { write }), path };
}

function orReadOnly(mount: Mount, write: boolean): Mount {
  return write ? mount : readOnly(mount);
}

/** An object with nothing but node:fs's synchronous methods. */
export function fileSystem(files: Readonly<Record<string, string>>): SynchronousFileSystem {
  const methods = Object.entries(memfs(files, '/').fs).filter(([name]) => name.endsWith('Sync'));
  return Object.fromEntries(methods) as unknown as SynchronousFileSystem;
}

/** Descriptors of this process, for leak checks. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The interfaces of WASI 0.2 of a guest. */
export function wasi02(host: WasiHost): ReturnType<WasiHost['component']> {
  return host.component();
}

/** The preopens of WASI 0.2. */
export function rootsOf(host: WasiHost): Descriptor[] {
  return wasi02(host)
    ['wasi:filesystem/preopens'].getDirectories()
    .map(([root]) => root);
}

/** The first of them. */
export function rootOf(host: WasiHost): Descriptor {
  const root = rootsOf(host)[0];
  if (!root) throw new Error('nothing is mounted');
  return root;
}

export const FIRST_PREOPEN = 3;
export const EVERY_RIGHT = (1n << 30n) - 1n;
export const READ_RIGHTS = 1n << 1n;
export const OpenFlag = { CREATE: 1, DIRECTORY: 2, EXCLUSIVE: 4, TRUNCATE: 8 };

/** A guest of preview 1 whose program is the test. */
export class Preview1Guest {
  readonly memory: WebAssembly.Memory;
  readonly #functions: Readonly<Record<string, (...args: never[]) => unknown>>;
  #next = 1024;

  constructor(host: WasiHost, { module = 'wasi_snapshot_preview1', memory = new WebAssembly.Memory({ initial: 4 }) } = {}) {
    this.memory = memory;
    this.#functions = host.preview1(() => this.memory)(module) ?? {};
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  call(name: string, ...args: (number | bigint)[]): number {
    const body = this.#functions[name];
    if (!body) throw new Error(`there is no ${name}`);
    return body(...(args as never[])) as number;
  }

  /** Room for `length` bytes, aligned. Starts over when the memory is used up. */
  room(length: number): number {
    if (this.#next + length > this.memory.buffer.byteLength) this.#next = 1024;
    const pointer = this.#next;
    this.#next += (length + 7) & ~7;
    return pointer;
  }

  put(content: string | Uint8Array): [pointer: number, length: number] {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const pointer = this.room(bytes.length);
    new Uint8Array(this.memory.buffer).set(bytes, pointer);
    return [pointer, bytes.length];
  }

  get(pointer: number, length: number): Buffer {
    return Buffer.from(new Uint8Array(this.memory.buffer, pointer, length));
  }

  /** A list of buffers with `contents`. */
  vectors(...contents: (string | Uint8Array)[]): [pointer: number, count: number] {
    const list = this.room(8 * contents.length);
    contents.forEach((content, index) => {
      const [pointer, length] = this.put(content);
      this.view.setUint32(list + 8 * index, pointer, true);
      this.view.setUint32(list + 8 * index + 4, length, true);
    });
    return [list, contents.length];
  }

  open(
    path: string | Uint8Array,
    options: { dir?: number; follow?: boolean; flags?: number; rights?: bigint; fdFlags?: number } = {},
  ): { errno: number; fd: number } {
    const result = this.room(4);
    const { dir = FIRST_PREOPEN, follow = true, flags = 0, rights = READ_RIGHTS, fdFlags = 0 } = options;
    const errno = this.call('path_open', dir, follow ? 1 : 0, ...this.put(path), flags, rights, EVERY_RIGHT, fdFlags, result);
    return { errno, fd: this.view.getUint32(result, true) };
  }

  write(fd: number, ...contents: (string | Uint8Array)[]): { errno: number; count: number } {
    const result = this.room(4);
    const errno = this.call('fd_write', fd, ...this.vectors(...contents), result);
    return { errno, count: this.view.getUint32(result, true) };
  }

  read(fd: number, length: number): { errno: number; text: string } {
    const result = this.room(4);
    const [list] = this.vectors(new Uint8Array(length));
    this.view.setUint32(result, 0, true);
    const errno = this.call('fd_read', fd, list, 1, result);
    return { errno, text: this.get(this.view.getUint32(list, true), this.view.getUint32(result, true)).toString() };
  }
}
