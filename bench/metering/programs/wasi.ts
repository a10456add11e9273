// Runs WASI commands for the benchmark: Node's own WASI, but with the output kept, clock and random numbers always the same, and the exit as an exception.
import type { WASIOptions } from 'node:wasi';
import type { Driver } from './program.ts';
import { Exit } from '../variants.ts';

const NOT_SUPPORTED = 58;

export interface Command {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly args?: readonly string[];
  /** Old versions of libc take an empty environment for a failure. */
  readonly env?: Readonly<Record<string, string>>;
  readonly preopens?: Readonly<Record<string, string>>;
  readonly version?: WASIOptions['version'];
  /** Functions of other modules that it imports. */
  readonly imports?: WebAssembly.Imports;
}

/** A command that runs from its start to its exit in each round, and says what it wrote. */
export async function command({ bytes, args = [], env = { LANG: 'C' }, preopens = {}, version = 'preview1', imports = {} }: Command): Promise<Driver> {
  // Not before it is used: Node warns of it.
  const { WASI } = await import('node:wasi');
  const module = new WebAssembly.Module(bytes);
  // Extensions such as WasmEdge's sockets, which the programs import and do not use.
  const missing = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => NOT_SUPPORTED]));
  let instance: WebAssembly.Instance;
  let output: Buffer[] = [];
  let exited: number | undefined;
  const proc_exit = (code: number): never => {
    exited = code;
    throw new Exit(`exit ${code}`);
  };
  return {
    setup() {
      output = [];
      exited = undefined;
      const wasi = new WASI({ version, args: [...args], env: { ...env }, preopens: { ...preopens } });
      const memory = (): DataView => new DataView((instance.exports.memory as WebAssembly.Memory).buffer);
      const host = wasi.wasiImport as Record<string, WasiFunction>;
      const own = {
        proc_exit,
        fd_write: writer(memory, output, host.fd_write as WasiFunction),
        clock_time_get: clockTimeGet(memory),
        random_get: randomGet(memory),
        ...(version === 'unstable' ? unstable(memory, host) : {}),
      };
      const namespace = version === 'unstable' ? 'wasi_unstable' : 'wasi_snapshot_preview1';
      instance = new WebAssembly.Instance(module, { ...imports, [namespace]: { ...missing, ...host, ...own } });
      wasi.finalizeBindings(instance);
    },
    run() {
      try {
        (instance.exports._start as () => void)();
      } catch (error) {
        if (exited === undefined) throw error;
      }
      return Buffer.concat([...output, Buffer.from(`exit ${exited ?? 0}\n`)]);
    },
  };
}

type WasiFunction = (...values: number[]) => number;

function writer(memory: () => DataView, output: Buffer[], otherwise: WasiFunction): (fd: number, vectors: number, count: number, written: number) => number {
  return (fd, vectors, count, written) => {
    if (fd !== 1 && fd !== 2) return otherwise(fd, vectors, count, written);
    const view = memory();
    let total = 0;
    for (let at = vectors >>> 0; at < (vectors >>> 0) + 8 * count; at += 8) {
      const length = view.getUint32(at + 4, true);
      output.push(Buffer.from(new Uint8Array(view.buffer, view.getUint32(at, true), length)));
      total += length;
    }
    view.setUint32(written >>> 0, total, true);
    return 0;
  };
}

// What WASI's first version has otherwise, and Node does not: the numbers of `whence`, and a `filestat` whose fields behind the type stand eight bytes lower.
function unstable(memory: () => DataView, host: Readonly<Record<string, WasiFunction>>): Record<string, WasiFunction> {
  const narrow =
    (name: string): WasiFunction =>
    (...values) => {
      const at = (values.at(-1) as number) >>> 0;
      const behind = memory().getBigUint64(at + 56, true);
      const status = (host[name] as WasiFunction)(...values);
      const view = memory();
      view.setUint32(at + 20, view.getUint32(at + 24, true), true);
      new Uint8Array(view.buffer).copyWithin(at + 24, at + 32, at + 64);
      view.setBigUint64(at + 56, behind, true);
      return status;
    };
  return {
    fd_seek: (fd, offset, whence, at) => (host.fd_seek as WasiFunction)(fd as number, offset as number, [1, 2, 0][whence as number] as number, at as number),
    fd_filestat_get: narrow('fd_filestat_get'),
    path_filestat_get: narrow('path_filestat_get'),
  };
}

/** Each look at the clock finds it a millisecond later. */
function clockTimeGet(memory: () => DataView): (clock: number, precision: bigint, time: number) => number {
  let now = 1_700_000_000_000_000_000n;
  return (_, __, time) => {
    now += 1_000_000n;
    memory().setBigUint64(time >>> 0, now, true);
    return 0;
  };
}

// Xorshift.
function randomGet(memory: () => DataView): (at: number, length: number) => number {
  let state = 0x2545f491;
  return (at, length) => {
    const bytes = new Uint8Array(memory().buffer, at >>> 0, length >>> 0);
    for (let index = 0; index < bytes.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[index] = state;
    }
    return 0;
  };
}
