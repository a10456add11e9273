// What loading and calling a typed QuickJS plugin costs, beside jco's own transpiler with preview2-shim doing the same without limits. Loads are measured
// in fresh processes, calls in one. Not quite like for like: the glue that jco generates keeps its debug hooks here, while Gloveport takes them out.
// `npm run bench` builds and prints the table; ratios are against jco in the same run.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { $init, generate } from '@bytecodealliance/jco-transpile/component';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { compile, Sandbox } from 'gloveport';
import { guest } from '../guest-examples/build.ts';

const ROUNDS = 7;
const CALLS = 20_000;

type Milliseconds = number;
interface Loads {
  readonly first: Milliseconds;
  readonly again?: Milliseconds;
}

const imports = { 'demo:text/host': { log() {}, lookup: () => undefined } };

// One measurement in this process, which has done nothing before: bytes to the first answer.
const MEASURE: Record<string, (cache: string) => Promise<Loads>> = {
  async 'gloveport, cold'() {
    return loadWithGloveport();
  },
  async 'gloveport, disk cache'(cache) {
    return loadWithGloveport(cache);
  },
  async jco() {
    const bytes = await guest('text-tools');
    const start = performance.now();
    (await loadWithJco(bytes)).readingTime(1000, 200);
    return { first: performance.now() - start };
  },
};

async function loadWithGloveport(cacheDirectory?: string): Promise<Loads> {
  const bytes = await guest('text-tools');
  const sandbox = new Sandbox({ imports, cacheDirectory });
  const start = performance.now();
  const module = await compile(bytes, { cacheDirectory });
  await (await sandbox.load(module)).call('reading-time', 1000, 200);
  const first = performance.now() - start;
  const warm = performance.now();
  for (let round = 0; round < 20; round++) (await sandbox.load(module)).callSync('reading-time', 1000, 200);
  return { first, again: (performance.now() - warm) / 20 };
}

interface JcoGuest {
  readingTime(words: number, wordsPerMinute: number): number;
}

async function loadWithJco(bytes: Uint8Array): Promise<JcoGuest> {
  await $init;
  const options = {
    name: 'plugin',
    map: [],
    instantiation: { tag: 'sync' as const },
    noNodejsCompat: true,
    noTypescript: true,
    tlaCompat: false,
    base64Cutoff: 0,
  };
  const { files } = generate(bytes, { ...options, noNamespacedExports: false, multiMemory: false, validLiftingOptimization: false, tracing: false } as never);
  const modules = new Map<string, WebAssembly.Module>();
  let source = '';
  for (const [name, content] of files) {
    if (name.endsWith('.wasm')) modules.set(name, await WebAssembly.compile(content as BufferSource));
    else if (name.endsWith('.js')) source = new TextDecoder().decode(content);
  }
  const { instantiate } = await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`);
  const wasi = new WASIShim().getImportObject();
  const unversioned = Object.fromEntries(Object.entries(wasi).map(([name, value]) => [name.split('@', 1)[0], value]));
  return instantiate(
    (name: string) => modules.get(name),
    { ...unversioned, ...imports },
    (module: WebAssembly.Module, linked: WebAssembly.Imports) => new WebAssembly.Instance(module, linked),
  );
}

async function calls(): Promise<Record<string, number>> {
  const bytes = await guest('text-tools');
  const sandboxed = await new Sandbox({ imports, limits: { timeMs: 60_000 } }).load(bytes);
  const jco = await loadWithJco(bytes);
  const ways: Record<string, () => Promise<void> | void> = {
    'gloveport callSync': () => {
      for (let call = 0; call < CALLS; call++) sandboxed.callSync('reading-time', 1000, 200);
    },
    'gloveport call': async () => {
      for (let call = 0; call < CALLS; call++) await sandboxed.call('reading-time', 1000, 200);
    },
    jco: () => {
      for (let call = 0; call < CALLS; call++) jco.readingTime(1000, 200);
    },
  };
  const samples: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      await way();
      samples[name]?.push(((performance.now() - start) / CALLS) * 1e6);
    }
  }
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, median(values)]));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

async function inFreshProcess(name: string, cache: string): Promise<Loads> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(import.meta.url), name, cache]);
  return JSON.parse(stdout) as Loads;
}

async function main(): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), 'gloveport-bench-'));
  const rows: Record<string, Record<string, string>> = {};
  try {
    await guest('text-tools');
    await inFreshProcess('gloveport, disk cache', cache);
    const samples: Record<string, Loads[]> = Object.fromEntries(Object.keys(MEASURE).map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of Object.keys(MEASURE)) samples[name]?.push(await inFreshProcess(name, cache));
    }
    const peer = median((samples.jco as Loads[]).map(({ first }) => first));
    for (const [name, loads] of Object.entries(samples)) {
      const first = median(loads.map((load) => load.first));
      rows[`bytes to first answer: ${name}`] = { median: `${first.toFixed(1)} ms`, 'against jco': (first / peer).toFixed(2) };
    }
    const warm = median((samples['gloveport, cold'] as Loads[]).map(({ again = Number.NaN }) => again));
    rows['fresh guest of a compiled module, and a call'] = { median: `${warm.toFixed(2)} ms`, 'against jco': '' };
    const perCall = await calls();
    for (const [name, nanoseconds] of Object.entries(perCall)) {
      rows[`scalar call: ${name}`] = { median: `${nanoseconds.toFixed(0)} ns`, 'against jco': (nanoseconds / (perCall.jco as number)).toFixed(2) };
    }
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
  console.log(`Node ${process.version}, V8 ${process.versions.v8}, ${process.platform} ${process.arch}, medians of ${ROUNDS}`);
  console.table(rows);
}

const [, , name, cache] = process.argv;
if (name !== undefined && cache !== undefined) console.log(JSON.stringify(await (MEASURE[name] as (typeof MEASURE)[string])(cache)));
else await main();
