// The one door to jco: component bytes in, core modules and glue source out. The transpiler runs on a thread of its own, where an input that takes it long
// does not hold up the host, and where all that it holds goes with the thread when an input makes it trap.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { GloveportError, printable } from '../errors.ts';

/** What the transpiler makes of a component. */
export interface Transpiled {
  readonly source: string;
  /** Core modules by the names that the source asks for; those that adapt calls between nested components are the transpiler's own. */
  readonly modules: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

type Files = readonly (readonly [name: string, contents: Uint8Array<ArrayBuffer>])[];
type Reply = { readonly files: Files } | { readonly message: string; readonly trapped: boolean };

/** Milliseconds for one component; a large one takes a second. */
const TIMEOUT_MS = 60_000;
const MAX_HEAP_MB = 1_024;
/** Bytes of glue that are still compiled; a QuickJS plugin with all of its WASI imports has less than a tenth of it. */
const MAX_SOURCE_BYTES = 8 * 1024 * 1024;
const entry = pathToFileURL(createRequire(import.meta.url).resolve('@bytecodealliance/jco-transpile/component'));
const decoder = new TextDecoder();

/** The transpiler's version, part of the cache's key. */
export const TRANSPILER_VERSION: string = JSON.parse(readFileSync(new URL('../package.json', entry), 'utf8')).version;

let worker: Worker | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Validates and transpiles a component whose names were checked before (see `readComponent`). One at a time.
 * @throws GloveportError INVALID_MODULE with the validator's message, UNSUPPORTED_FEATURE when the transpiler gives up, MODULE_TOO_LARGE when it takes
 * longer than a minute, a gigabyte of heap, or makes too much.
 */
export async function transpile(bytes: Uint8Array): Promise<Transpiled> {
  const turn = last.then(() => request(bytes));
  last = turn.catch(() => undefined);
  const reply = await turn;
  if ('message' in reply) throw refusal(reply);
  const source = reply.files.find(([name]) => name === 'component.js');
  if (source === undefined) throw new GloveportError('INTERNAL', 'the transpiler made no source');
  if (source[1].byteLength > MAX_SOURCE_BYTES) {
    throw new GloveportError(
      'MODULE_TOO_LARGE',
      `the component's functions and their types become ${source[1].byteLength} bytes of glue; at most ${MAX_SOURCE_BYTES} are accepted`,
      {
        limit: 'glue',
        value: source[1].byteLength,
        maximum: MAX_SOURCE_BYTES,
      },
    );
  }
  const modules = reply.files.filter(([name]) => name.endsWith('.wasm')).map(([name, contents]) => ({ name, bytes: contents }));
  return { source: decoder.decode(source[1]), modules };
}

function refusal({ message, trapped }: Extract<Reply, { message: string }>): GloveportError {
  if (!trapped) return new GloveportError('INVALID_MODULE', `the component is not valid: ${printable(message, 500)}`);
  return new GloveportError('UNSUPPORTED_FEATURE', 'the component has something that the transpiler cannot handle', { feature: 'unknown' });
}

async function request(bytes: Uint8Array): Promise<Reply> {
  worker ??= start();
  const current = worker;
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const tooMuch = (what: string) =>
    reject(new GloveportError('MODULE_TOO_LARGE', `transpiling the component took more than ${what}`, { limit: 'transpiling' }));
  const failed = (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY') tooMuch(`${MAX_HEAP_MB} MiB`);
    else reject(new GloveportError('INTERNAL', 'the transpiler cannot be loaded', {}, { cause }));
  };
  const timer = setTimeout(() => tooMuch(`${TIMEOUT_MS / 1_000} seconds`), TIMEOUT_MS);
  current.once('message', resolve);
  current.once('error', failed);
  current.ref();
  current.postMessage({ bytes, options: OPTIONS });
  try {
    const reply = await promise;
    if ('trapped' in reply && reply.trapped) discard(current);
    return reply;
  } catch (error) {
    discard(current);
    throw error;
  } finally {
    clearTimeout(timer);
    current.off('message', resolve);
    current.off('error', failed);
    current.unref();
  }
}

function discard(used: Worker): void {
  worker = undefined;
  void used.terminate();
}

// What the transpiler prints when it traps is for its authors; nobody reads these streams. An error outside of a request has nobody to be told to.
function start(): Worker {
  const thread = new Worker(THREAD, {
    eval: true,
    workerData: entry.href,
    env: {},
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  thread.on('error', () => undefined);
  thread.unref();
  return thread;
}

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const loaded = import(workerData).then(async ({ $init, generate }) => {
  await $init;
  return generate;
});
parentPort.on('message', async ({ bytes, options }) => {
  const generate = await loaded;
  let reply;
  try {
    reply = { files: generate(bytes, options).files };
  } catch (error) {
    reply = { message: error instanceof Error ? error.message : String(error), trapped: error instanceof WebAssembly.RuntimeError };
  }
  parentPort.postMessage(reply);
});
`;

const OPTIONS: import('@bytecodealliance/jco-transpile/component').GenerateOptions = {
  name: 'component',
  map: [],
  instantiation: { tag: 'sync' },
  noTypescript: true,
  noNodejsCompat: true,
  tlaCompat: false,
  base64Cutoff: 0,
  multiMemory: false,
  validLiftingOptimization: false,
  tracing: false,
  noNamespacedExports: false,
  strict: true,
  noComponentErrorWrapping: false,
  bindgenEnableWasmExnref: false,
  flagsAsBigint: false,
  variantsInlineCases: false,
  useNamespaceObjects: false,
  enumValuesScreamingSnakeCase: false,
  asmjs: false,
};
