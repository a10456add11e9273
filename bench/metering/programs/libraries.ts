// Libraries: compression, hashing, pictures, layout, physics, text.
import { readFile } from 'node:fs/promises';
import { numbers, picture, svg, words } from '../inputs.ts';
import { importFrom, packageFile, requireFrom } from '../packages.ts';
import type { Program } from './program.ts';

interface HashWasm {
  argon2id(options: object): Promise<string>;
  bcrypt(options: object): Promise<string>;
  createSHA3(bits: number): Promise<{ init(): void; update(data: Uint8Array): void; digest(): string }>;
}

interface AsSha256 {
  digest(data: Uint8Array): Uint8Array;
}

interface Brotli {
  compress(data: Uint8Array, options: { quality: number }): Uint8Array;
  decompress(data: Uint8Array): Uint8Array;
}

interface Webp {
  init(module: WebAssembly.Module): Promise<void>;
  default(image: { data: Uint8ClampedArray; width: number; height: number }): Promise<ArrayBuffer>;
}

interface Resvg {
  initWasm(bytes: Uint8Array): Promise<void>;
  Resvg: new (svg: string) => { render(): { pixels: Uint8Array; free(): void }; free(): void };
}

interface GraphvizModule {
  Graphviz: { load(): Promise<{ layout(dot: string, format: string, engine: string): string }> };
}

interface Simplifier {
  MeshoptSimplifier: {
    ready: Promise<void>;
    simplify(indices: Uint32Array, positions: Float32Array, stride: number, target: number, error: number): [Uint32Array, number];
  };
}

interface Rapier {
  default: {
    init(): Promise<void>;
    World: new (gravity: object) => RapierWorld;
    RigidBodyDesc: { dynamic(): { setTranslation(x: number, y: number, z: number): object }; fixed(): object };
    ColliderDesc: { cuboid(x: number, y: number, z: number): object };
  };
}

interface RapierWorld {
  createRigidBody(description: object): { translation(): { x: number; y: number; z: number } };
  createCollider(description: object, body: object): void;
  step(): void;
  free(): void;
}

interface Yoga {
  loadYoga(): Promise<{ Node: { create(): YogaNode }; FLEX_DIRECTION_ROW: number; DIRECTION_LTR: number }>;
}

interface YogaNode {
  setFlexGrow(grow: number): void;
  setFlexDirection(direction: number): void;
  setPadding(edge: number, padding: number): void;
  insertChild(child: YogaNode, index: number): void;
  calculateLayout(width: number, height: number, direction: number): void;
  getComputedWidth(): number;
  freeRecursive(): void;
}

interface Oniguruma {
  loadWASM(bytes: Uint8Array): Promise<void>;
  OnigScanner: new (patterns: string[]) => { findNextMatchSync(text: object, at: number): { index: number; captureIndices: { end: number }[] } | null };
  OnigString: new (text: string) => { dispose(): void };
}

interface Tiktoken {
  Tiktoken: new (ranks: string, special: object, pattern: string) => { encode(text: string): Uint32Array };
}

export const libraries: readonly Program[] = [
  {
    name: 'argon2id (hash-wasm)',
    prepare() {
      const { argon2id } = requireFrom<HashWasm>('hash-wasm');
      const options = { password: 'open sesame', salt: 'sixteen bytes...', iterations: 3, parallelism: 1, memorySize: 8192, hashLength: 32 };
      return { run: () => argon2id(options) };
    },
  },
  {
    name: 'bcrypt (hash-wasm)',
    prepare() {
      const { bcrypt } = requireFrom<HashWasm>('hash-wasm');
      return { run: () => bcrypt({ password: 'open sesame', salt: 'sixteen bytes...', costFactor: 8, outputType: 'encoded' }) };
    },
  },
  {
    name: 'SHA-3 (hash-wasm)',
    async prepare() {
      const hash = await requireFrom<HashWasm>('hash-wasm').createSHA3(256);
      const data = Buffer.from(words(500_000));
      return {
        run() {
          hash.init();
          hash.update(data);
          return hash.digest();
        },
      };
    },
  },
  {
    name: 'SHA-256 (AssemblyScript)',
    async prepare() {
      const { digest } = await importFrom<AsSha256>('@chainsafe/as-sha256', 'lib/index.js');
      const data = Buffer.from(words(1_000_000));
      return { run: () => digest(data) };
    },
  },
  {
    name: 'brotli',
    prepare() {
      const brotli = requireFrom<Brotli>('brotli-wasm');
      const data = Buffer.from(words(50_000));
      return { run: () => brotli.decompress(brotli.compress(data, { quality: 9 })) };
    },
  },
  {
    name: 'WebP',
    async prepare() {
      const webp = await importFrom<Webp>('@jsquash/webp', 'encode.js');
      await webp.init(new WebAssembly.Module(await readFile(packageFile('@jsquash/webp', 'codec/enc/webp_enc_simd.wasm'))));
      const image = { data: picture(640, 480), width: 640, height: 480 };
      return { run: async () => new Uint8Array(await webp.default(image)) };
    },
  },
  {
    name: 'resvg',
    async prepare() {
      const { initWasm, Resvg } = requireFrom<Resvg>('@resvg/resvg-wasm');
      await initWasm(await readFile(packageFile('@resvg/resvg-wasm', 'index_bg.wasm')));
      const text = svg(200);
      return {
        run() {
          const drawing = new Resvg(text);
          const image = drawing.render();
          const pixels = image.pixels.slice();
          image.free();
          drawing.free();
          return pixels;
        },
      };
    },
  },
  {
    name: 'graphviz',
    async prepare() {
      const { Graphviz } = await importFrom<GraphvizModule>('@hpcc-js/wasm-graphviz', 'dist/index.js');
      const graphviz = await Graphviz.load();
      const next = numbers();
      const edges = Array.from({ length: 120 }, (_, index) => `n${index % 60} -> n${Math.floor(next() * 60)};`);
      return { run: () => graphviz.layout(`digraph { ${edges.join(' ')} }`, 'svg', 'dot') };
    },
  },
  {
    name: 'meshoptimizer',
    async prepare() {
      const { MeshoptSimplifier: simplifier } = await importFrom<Simplifier>('meshoptimizer', 'meshopt_simplifier.js');
      await simplifier.ready;
      const { indices, positions } = landscape(200);
      return { run: () => simplifier.simplify(indices, positions, 3, Math.floor(indices.length / 30) * 3, 0.01)[0] };
    },
  },
  {
    name: 'rapier',
    async prepare() {
      const { default: rapier } = await importFrom<Rapier>('@dimforge/rapier3d-compat', 'dist/rapier.mjs');
      await rapier.init();
      return { run: () => fallingBoxes(rapier, 150, 60) };
    },
  },
  {
    name: 'yoga',
    async prepare() {
      const yoga = await (await importFrom<Yoga>('yoga-layout', 'dist/src/load.js')).loadYoga();
      const tree = (depth: number): YogaNode => {
        const node = yoga.Node.create();
        node.setFlexGrow(1 + (depth % 3));
        node.setPadding(0, depth);
        if (depth % 2) node.setFlexDirection(yoga.FLEX_DIRECTION_ROW);
        for (let child = 0; depth > 0 && child < 4; child++) node.insertChild(tree(depth - 1), child);
        return node;
      };
      return {
        run() {
          const root = tree(5);
          const widths = [500, 640, 800, 1024].map((width) => {
            root.calculateLayout(width, 600, yoga.DIRECTION_LTR);
            return root.getComputedWidth();
          });
          root.freeRecursive();
          return widths;
        },
      };
    },
  },
  {
    name: 'oniguruma',
    async prepare() {
      const { loadWASM, OnigScanner, OnigString } = requireFrom<Oniguruma>('vscode-oniguruma');
      await loadWASM(await readFile(packageFile('vscode-oniguruma', 'release/onig.wasm')));
      const scanner = new OnigScanner(['\\b(?:stone|river)\\b(?=\\s)', '(?i)[a-z]+ing\\b', '(?<!t)er\\.', '\\b(\\w)\\w*\\1\\b']);
      const text = words(30_000);
      return {
        run() {
          const subject = new OnigString(text);
          const found: number[] = [];
          for (let at = 0, match = scanner.findNextMatchSync(subject, at); match !== null; match = scanner.findNextMatchSync(subject, at)) {
            found.push(match.index);
            at = Math.max(at + 1, match.captureIndices[0]?.end ?? 0);
          }
          subject.dispose();
          return found;
        },
      };
    },
  },
  {
    name: 'tiktoken',
    prepare() {
      const { Tiktoken } = requireFrom<Tiktoken>('tiktoken/lite');
      const { bpe_ranks, special_tokens, pat_str } = requireFrom<{ bpe_ranks: string; special_tokens: object; pat_str: string }>(
        'tiktoken/encoders/cl100k_base',
      );
      const encoder = new Tiktoken(bpe_ranks, special_tokens, pat_str);
      const text = words(20_000);
      return { run: () => encoder.encode(text) };
    },
  },
];

/** A grid of hills. */
function landscape(side: number): { readonly indices: Uint32Array; readonly positions: Float32Array } {
  const positions = new Float32Array(side * side * 3);
  const indices: number[] = [];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = y * side + x;
      positions.set([x, y, 5 * Math.sin(x / 9) * Math.cos(y / 7)], at * 3);
      if (x > 0 && y > 0) indices.push(at, at - 1, at - side, at - 1, at - side - 1, at - side);
    }
  }
  return { indices: new Uint32Array(indices), positions };
}

function fallingBoxes({ World, RigidBodyDesc, ColliderDesc }: Rapier['default'], boxes: number, steps: number): number[] {
  const world = new World({ x: 0, y: -9.81, z: 0 });
  world.createCollider(ColliderDesc.cuboid(50, 1, 50), world.createRigidBody(RigidBodyDesc.fixed()));
  const bodies = Array.from({ length: boxes }, (_, index) => {
    const body = world.createRigidBody(RigidBodyDesc.dynamic().setTranslation(index % 5, 3 + index / 5, Math.floor(index / 3) % 5));
    world.createCollider(ColliderDesc.cuboid(0.5, 0.5, 0.5), body);
    return body;
  });
  for (let step = 0; step < steps; step++) world.step();
  const heights = bodies.map((body) => body.translation().y);
  world.free();
  return heights;
}
