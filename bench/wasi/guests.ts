// The guests of the benchmarks, each on every host that can run it, behind one way to call them.
import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import { Cap, limits, type Mount, Sandbox } from '../../src/index.ts';
import { onPreview2Shim } from '../../test/support/preview2-shim.ts';
import { WASI_VERSION, witOfWorld } from '../../test/support/wasi-wit.ts';
import { wat } from '../../test/support/wat.ts';

/** A guest on one host. */
export interface Host {
  readonly name: string;
  /** Calls an export and returns at once: the guest is on this thread. */
  call(name: string, ...args: (number | bigint)[]): unknown;
  /** The same where the guest may be put aside while it waits. */
  callAsync(name: string, ...args: (number | bigint)[]): Promise<unknown>;
}

export const GLOVEPORT = 'gloveport';
export const SHIM = 'preview2-shim';
export const NODE_WASI = 'node:wasi';

/** The component on Gloveport and on preview2-shim, each with a directory. */
export async function componentHosts(mounts: Readonly<Record<string, Mount>>, path: string): Promise<Host[]> {
  const component = await build('component.wat', [
    ...['filesystem/preopens', 'filesystem/types', 'io/streams', 'io/poll', 'clocks/monotonic-clock'].map((name) => `import wasi:${name}@${WASI_VERSION}`),
    'export read-all: func(chunk: u64) -> u64',
    'export write-all: func(chunk: u32, total: u64)',
    'export stats: func(count: u32)',
    'export writes: func(count: u32, size: u32)',
    'export clocks: func(count: u32)',
    'export waits: func(count: u32, nanoseconds: u64)',
  ]);
  const ours = Object.entries(mounts).map(([name, mount]) => onGloveport(`${GLOVEPORT}, ${name}`, component, mount));
  return [...(await Promise.all(ours)), await onShim(component, path)];
}

/** The core module on Gloveport and on Node's WASI; on preview2-shim as the component that jco's adapter makes of it. */
export async function preview1Hosts(mounts: Readonly<Record<string, Mount>>, path: string): Promise<Host[]> {
  const module = await wat(await text('preview1.wat'));
  const adapter = await readFile(new URL('../../node_modules/@bytecodealliance/jco/lib/wasi_snapshot_preview1.reactor.wasm', import.meta.url));
  const component = await build(
    'preview1.wat',
    [
      'export read-all: func(chunk: u32) -> u64',
      ...['writes', 'reads'].map((name) => `export ${name}: func(count: u32, size: u32)`),
      ...['stats', 'clocks'].map((name) => `export ${name}: func(count: u32)`),
    ],
    [['wasi_snapshot_preview1', adapter]],
  );
  const ours = Object.entries(mounts).map(([name, mount]) => onGloveport(`${GLOVEPORT}, ${name}`, module, mount));
  return [...(await Promise.all(ours)), await onShim(component, path), await onNodeWasi(module, path)];
}

async function build(file: string, items: readonly string[], adapters: [string, Uint8Array][] = []): Promise<Uint8Array> {
  const binary = await wat(await text(file));
  return componentNew(await componentEmbed({ witSource: await witOfWorld(items), binary }), adapters);
}

function text(file: string): Promise<string> {
  return readFile(new URL(file, import.meta.url), 'utf8');
}

async function onGloveport(name: string, bytes: Uint8Array, mount: Mount): Promise<Host> {
  const grant = Cap.TIME | Cap.FS_READ | Cap.FS_WRITE;
  const enough = { ...limits.permissive, fuel: 2 ** 52, timeMs: 600_000, hostBytes: 2 ** 30 };
  const guest = await new Sandbox({ grant, mounts: { '/data': mount }, limits: enough }).load(bytes);
  return {
    name,
    call: (called, ...args) => guest.callSync(called, ...args),
    callAsync: (called, ...args) => guest.call(called, ...args),
  };
}

async function onShim(component: Uint8Array, path: string): Promise<Host> {
  const exports = (await onPreview2Shim(component, { preopens: { '/data': path } })) as Record<string, (...args: unknown[]) => unknown>;
  const call: Host['call'] = (called, ...args) => exports[called.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]?.(...args);
  return { name: SHIM, call, callAsync: async (called, ...args) => call(called, ...args) };
}

async function onNodeWasi(bytes: Uint8Array, path: string): Promise<Host> {
  const { WASI } = await import('node:wasi');
  const wasi = new WASI({ version: 'preview1', preopens: { '/data': path } });
  const { instance } = await WebAssembly.instantiate(new Uint8Array(bytes), wasi.getImportObject() as WebAssembly.Imports);
  wasi.initialize(instance);
  const call: Host['call'] = (called, ...args) => (instance.exports[called] as (...args: (number | bigint)[]) => unknown)(...args);
  return { name: NODE_WASI, call, callAsync: async (called, ...args) => call(called, ...args) };
}
