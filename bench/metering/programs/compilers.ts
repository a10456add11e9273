// Compilers and other tools that work on source text.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { css, javascript, wat } from '../inputs.ts';
import { importFrom, language, packageFile, requireFrom, workFolder } from '../packages.ts';
import type { Driver, Program } from './program.ts';
import { command } from './wasi.ts';

const C = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct node { struct node *left, *right; int key; };
static struct node *insert(struct node *n, int key) {
  if (!n) { n = calloc(1, sizeof *n); n->key = key; return n; }
  if (key < n->key) n->left = insert(n->left, key); else n->right = insert(n->right, key);
  return n;
}
static long sum(struct node *n) { return n ? n->key + sum(n->left) + sum(n->right) : 0; }
int main(int argc, char **argv) {
  struct node *root = 0; char line[64];
  for (int i = 0; i < 1000; i++) root = insert(root, (i * 7919) % 1009);
  snprintf(line, sizeof line, "%ld %zu", sum(root), strlen(argv[0]));
  return puts(line) < 0 || argc > 9;
}`;

interface Esbuild {
  initialize(options: { wasmModule: WebAssembly.Module; worker: boolean }): Promise<void>;
  transform(code: string, options: object): Promise<{ code: string }>;
}

interface Swc {
  minifySync(code: string, options: object): { code: string };
}

interface LightningCss {
  transform(options: object): { code: Uint8Array };
}

interface RollupParser {
  parse(code: string, allowReturn: boolean, jsx: boolean): Uint8Array;
}

interface JcoTranspile {
  $init: Promise<void>;
  generate(component: Uint8Array, options: object): { files: [string, Uint8Array][] };
}

interface SourceMap {
  SourceMapConsumer: new (map: string) => Promise<{ eachMapping(visit: (mapping: { generatedColumn: number }) => void): void; destroy(): void }>;
}

export const compilers: readonly Program[] = [
  {
    name: 'clang (runno)',
    async prepare() {
      const folder = await workFolder('clang', { 'program.c': C }, language('clang-fs.tar.gz'));
      const includes = ['/sys/include', '/sys/lib/clang/8.0.1/include'].flatMap((path) => ['-internal-isystem', path]);
      const output = ['-o', '/program.o', '-x', 'c', '/program.c'];
      return tool('clang.wasm', ['clang', '-cc1', '-emit-obj', '-disable-free', '-isysroot', '/sys', ...includes, '-O2', ...output], folder, 'program.o');
    },
  },
  {
    name: 'wasm-ld (runno)',
    async prepare() {
      const folder = await workFolder('wasm-ld', {}, language('clang-fs.tar.gz'));
      const libraries = ['-L/sys/lib/wasm32-wasi', '/sys/lib/wasm32-wasi/crt1.o', '-lc', '-lc++', '-lc++abi'];
      return tool(
        'wasm-ld.wasm',
        ['wasm-ld', '--no-threads', '--allow-undefined', '--whole-archive', ...libraries, '-o', '/program.wasm'],
        folder,
        'program.wasm',
      );
    },
  },
  {
    name: 'esbuild',
    async prepare() {
      // Written for browsers.
      Object.assign(globalThis, { self: globalThis });
      const esbuild = requireFrom<Esbuild>('esbuild-wasm/lib/browser.js');
      const wasmModule = new WebAssembly.Module(await readFile(packageFile('esbuild-wasm', 'esbuild.wasm')));
      await esbuild.initialize({ wasmModule, worker: false });
      const source = javascript(400);
      return { run: async () => (await esbuild.transform(source, { minify: true })).code };
    },
  },
  {
    name: 'swc',
    prepare() {
      const swc = requireFrom<Swc>('@swc/wasm');
      const source = javascript(250);
      return { run: () => swc.minifySync(source, { compress: true, mangle: true, module: true }).code };
    },
  },
  {
    name: 'lightningcss',
    async prepare() {
      const { transform } = await importFrom<LightningCss>('lightningcss-wasm', 'wasm-node.mjs');
      const code = Buffer.from(css(400));
      return { run: () => transform({ filename: 'style.css', code, minify: true, targets: { chrome: 80 << 16 } }).code };
    },
  },
  {
    name: 'rollup parser',
    prepare() {
      const { parse } = requireFrom<RollupParser>('@rollup/wasm-node/dist/native.js');
      const source = javascript(600);
      return { run: () => parse(source, false, false) };
    },
  },
  {
    name: 'source-map',
    async prepare() {
      const { SourceMapConsumer } = requireFrom<SourceMap>('source-map');
      const map = await readFile(packageFile('quickjs-emscripten-core', 'dist/index.js.map'), 'utf8');
      return {
        async run() {
          const consumer = await new SourceMapConsumer(map);
          let columns = 0;
          consumer.eachMapping(({ generatedColumn }) => {
            columns += generatedColumn;
          });
          consumer.destroy();
          return columns;
        },
      };
    },
  },
  {
    name: 'wabt',
    async prepare() {
      const { default: load } = await import('wabt');
      const wabt = await load();
      const text = wat(1500);
      return {
        run() {
          const module = wabt.parseWat('program.wat', text);
          module.validate();
          const { buffer } = module.toBinary({});
          module.destroy();
          return buffer;
        },
      };
    },
  },
  {
    name: 'wasm-tools (jco)',
    async prepare() {
      const { parse, print } = await import('@bytecodealliance/jco-transpile/wasm-tools');
      const text = wat(400);
      return { run: async () => print(await parse(text)) };
    },
  },
  {
    name: 'js-component-bindgen (jco)',
    async prepare() {
      const { $init, generate } = (await import('@bytecodealliance/jco-transpile/component')) as unknown as JcoTranspile;
      await $init;
      const core = '(core module $m (func (export "f") (param i32) (result i32) (local.get 0)))(core instance $i (instantiate $m))';
      const functions = Array.from({ length: 250 }, (_, index) => `(func (export "f${index}") (param "x" u32) (result u32) (canon lift (core func $i "f")))`);
      const { parse } = await import('@bytecodealliance/jco');
      const component = await parse(`(component ${core} ${functions.join('')})`);
      const options = {
        name: 'program',
        map: [],
        instantiation: { tag: 'async' },
        noNodejsCompat: true,
        noTypescript: false,
        tlaCompat: false,
        base64Cutoff: 0,
      };
      const more = { noNamespacedExports: false, multiMemory: false, validLiftingOptimization: false, tracing: false };
      return { run: () => generate(component, { ...options, ...more }).files.map(([name, contents]) => `${name} ${Buffer.from(contents).toString('base64')}`) };
    },
  },
];

// A WASI command whose result is a file that it writes.
async function tool(file: string, args: readonly string[], folder: string, result: string): Promise<Driver> {
  const bytes = new Uint8Array(await readFile(language(file)));
  const driver = await command({ bytes, args, preopens: { '/': folder }, version: 'unstable' });
  return {
    ...driver,
    run(clock) {
      clock.start();
      const said = driver.run(clock) as Uint8Array;
      clock.stop();
      return Buffer.concat([said, readFileSync(join(folder, result))]);
    },
  };
}
