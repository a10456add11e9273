// Builds the guests that the tour and the tests run: JavaScript components with jco's QuickJS backend, WebAssembly text with wabt, C with clang. Results are kept
// by the hash of sources and tools, so a guest is built once and any change builds it anew. `npm run guests` builds all.
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { wat } from '../test/support/wat.ts';

interface Recipe {
  /** File or folder below guest-examples/. */
  readonly source: string;
  /** The tool with its version: a guest built with another one is another guest. */
  readonly tool: string;
  readonly build: (source: URL) => Promise<Uint8Array>;
}

const { devDependencies, overrides } = manifest;
const QUICKJS = `jco ${devDependencies['@bytecodealliance/jco']}, componentize-qjs ${overrides['componentize-qjs']}`;
const STARLING = `jco ${devDependencies['@bytecodealliance/jco']}, StarlingMonkey`;
const WASM_TOOLS = `jco ${devDependencies['@bytecodealliance/jco']}`;
const WABT = `wabt ${devDependencies.wabt}`;

const RECIPES = {
  'text-tools': { source: 'text-tools/', tool: QUICKJS, build: quickjsComponent },
  'hello-http': { source: 'hello-http/hello-http.wat', tool: WASM_TOOLS, build: textComponent },
  witness: { source: 'witness/witness.wat', tool: WABT, build: textModule },
  spin: { source: 'hostile/spin.wat', tool: WABT, build: textModule },
  'stack-bomb': { source: 'hostile/stack-bomb.wat', tool: WABT, build: textModule },
  'memory-bomb': { source: 'hostile/memory-bomb.wat', tool: WABT, build: textModule },
  'memory-hog': { source: 'hostile/memory-hog.wat', tool: WABT, build: textModule },
} satisfies Record<string, Recipe>;

export type GuestName = keyof typeof RECIPES;
export const guestNames = Object.keys(RECIPES) as GuestName[];

/** The bytes of a guest, built first where no cached build fits its sources. Processes that build the same guest at once do not disturb each other. */
export async function guest(name: GuestName): Promise<Uint8Array> {
  const { source, tool, build }: Recipe = RECIPES[name];
  return kept(name, new URL(source, import.meta.url), tool, build);
}

/** A JavaScript component out of `folder`, kept like the guests: `name.js` and the world `name` in `wit/`, where `name` is the folder's own. */
export function quickjsGuest(folder: URL): Promise<Uint8Array> {
  return kept(nameOf(folder), folder, QUICKJS, quickjsComponent);
}

/** A preview 1 command out of one file of C, kept like the guests. */
export async function cGuest(file: URL): Promise<Uint8Array> {
  const { stdout: version } = await run('clang', ['--version']);
  return kept(file.pathname.split('/').at(-1) as string, file, version, cCommand);
}

/** Whether {@link cGuest} can be had: clang with lld and wasi-libc, which are packages of Debian's. */
export async function canBuildC(): Promise<boolean> {
  return run('clang', [...C_OPTIONS, '-fsyntax-only', '-include', 'wasi/api.h', '-x', 'c', '/dev/null']).then(
    () => true,
    () => false,
  );
}

/**
 * The same with the StarlingMonkey backend, which knows wasi:http.
 * @param serves with `fetch` events; else the world's `wasi:http/incoming-handler` is an export like others.
 */
export function starlingGuest(folder: URL, serves: 'events' | 'exports'): Promise<Uint8Array> {
  return kept(nameOf(folder), folder, STARLING, (source) => starlingComponent(source, serves === 'events' ? [] : ['--disable', 'fetch-event']));
}

async function kept(name: string, from: URL, tool: string, build: Recipe['build']): Promise<Uint8Array> {
  const built = new URL(`${name}-${await fingerprint(from, tool)}.wasm`, CACHE);
  const cached = await readFile(built).catch(() => undefined);
  if (cached) return cached;

  const bytes = await build(from);
  await mkdir(CACHE, { recursive: true });
  const draft = new URL(`${name}-${randomUUID()}.draft`, CACHE);
  await writeFile(draft, bytes);
  await rename(draft, built);
  return bytes;
}

const run = promisify(execFile);
const CACHE = new URL('../node_modules/.cache/gloveport/guests/', import.meta.url);
const JCO = new URL('../node_modules/@bytecodealliance/jco/dist/jco.js', import.meta.url);
const WASI_WIT = new URL('../node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12/', import.meta.url);
const OPEN_FILES = new URL('./open-files.ts', import.meta.url);

async function fingerprint(source: URL, tool: string): Promise<string> {
  const hash = createHash('sha256').update(tool);
  for (const file of await filesOf(source)) {
    const content = await readFile(file);
    hash.update(`\n${file.href.slice(source.href.length)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

async function filesOf(source: URL): Promise<URL[]> {
  if (!source.href.endsWith('/')) return [source];
  const entries = await readdir(source, { withFileTypes: true });
  const nested = entries.map((entry) => filesOf(new URL(entry.isDirectory() ? `${entry.name}/` : entry.name, source)));
  return (await Promise.all(nested)).flat().sort((a, b) => (a.href < b.href ? -1 : 1));
}

async function quickjsComponent(folder: URL): Promise<Uint8Array> {
  return componentize(folder, 'wit', ['--backend', 'qjs', '--backend-qjs-disable-async']);
}

// The interfaces of WASI that such a world names are the tool's own copies, in the version that the engine was built with.
async function starlingComponent(folder: URL, options: readonly string[]): Promise<Uint8Array> {
  const wit = await mkdtemp(join(tmpdir(), `${nameOf(folder)}-wit-`));
  try {
    await cp(new URL('wit/', folder), wit, { recursive: true });
    for (const name of ['wasi-cli', 'wasi-clocks', 'wasi-filesystem', 'wasi-http', 'wasi-io', 'wasi-random']) {
      const text = await readFile(new URL(`${name}/package.wit`, WASI_WIT), 'utf8');
      await mkdir(join(wit, 'deps', name), { recursive: true });
      await writeFile(join(wit, 'deps', name, 'package.wit'), text.replaceAll('@0.2.12', '@0.2.10').replace(/^ *include wasi:sockets.*$/m, ''));
    }
    return await componentize(folder, wit, options);
  } finally {
    await rm(wit, { force: true, recursive: true });
  }
}

// The tool runs in the source's folder: its module loader sees nothing above it.
async function componentize(folder: URL, wit: string, options: readonly string[]): Promise<Uint8Array> {
  const name = nameOf(folder);
  const output = fileURLToPath(new URL(`${name}-${randomUUID()}.component`, CACHE));
  await mkdir(CACHE, { recursive: true });
  const parameters = ['componentize', `${name}.js`, '--wit', wit, '--world-name', name, ...options, '--out', output];
  try {
    await run(process.execPath, ['--import', OPEN_FILES.href, fileURLToPath(JCO), ...parameters], { cwd: fileURLToPath(folder) });
    return await readFile(output);
  } finally {
    await rm(output, { force: true });
  }
}

function nameOf(folder: URL): string {
  return folder.pathname.split('/').at(-2) as string;
}

const C_OPTIONS = ['--target=wasm32-wasi', '-O2', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE'];

async function cCommand(file: URL): Promise<Uint8Array> {
  const output = fileURLToPath(new URL(`${randomUUID()}.command`, CACHE));
  await mkdir(CACHE, { recursive: true });
  try {
    await run('clang', [...C_OPTIONS, '-o', output, fileURLToPath(file)]);
    return await readFile(output);
  } finally {
    await rm(output, { force: true });
  }
}

// Components have a text format of their own, which comes with jco.
async function textComponent(file: URL): Promise<Uint8Array> {
  const { parse } = await import('@bytecodealliance/jco');
  return new Uint8Array(await parse(await readFile(file, 'utf8')));
}

async function textModule(file: URL): Promise<Uint8Array> {
  return wat(await readFile(file, 'utf8'));
}

if (import.meta.main) {
  for (const name of guestNames) console.log(`${name}: ${(await guest(name)).length} bytes`);
}
