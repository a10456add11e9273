// How fast modules are rewritten, in one thread: again and again in one process, and once in a fresh one; beside the rewriters that npm has.
// `node bench/metering/speed.ts [--quick]`
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { meter } from '../../src/metering/rewrite.ts';
import { installPackages, language, packageFile, requireFrom, workFolder } from './packages.ts';
import { sizesOf, withoutCustomSections } from './sections.ts';
import { median } from './statistics.ts';

const WARM_ROUNDS = 8;
const FRESH_PROCESSES = 5;

interface Peer {
  meterWASM(bytes: Uint8Array, options: object): Uint8Array;
}

export interface Speed {
  readonly name: string;
  readonly megabytes: number;
  /** Megabytes of the module in a second. */
  readonly warm: number;
  readonly first: number;
  /** Bytes after, against before. */
  readonly code: number;
  readonly module: number;
}

export async function measureSpeed(name: string, file: string): Promise<Speed> {
  const bytes = withoutCustomSections(await readFile(file));
  const stripped = join(await workFolder('speed', {}), `${name}.wasm`);
  await writeFile(stripped, bytes);
  const times: number[] = [];
  for (let round = 0; round < WARM_ROUNDS; round++) times.push(timed(() => meter(bytes)));
  const firsts: number[] = [];
  for (let round = 0; round < FRESH_PROCESSES; round++) firsts.push(await firstUse(stripped));
  const before = sizesOf(bytes);
  const after = sizesOf(meter(bytes).bytes);
  const megabytes = bytes.length / 1e6;
  return {
    name,
    megabytes,
    warm: (megabytes / Math.min(...times)) * 1e3,
    first: (megabytes / median(firsts)) * 1e3,
    code: after.code / before.code,
    module: after.module / before.module,
  };
}

function timed(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

async function firstUse(file: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('first-use.ts', import.meta.url)), file]);
  return Number(stdout);
}

export async function main(args: readonly string[]): Promise<void> {
  const { quick } = parseArgs({ args: [...args], options: { quick: { type: 'boolean', default: false } } }).values;
  await installPackages();
  const files: readonly (readonly [name: string, file: string])[] = [
    ['php', language('php-cgi-8.2.0.wasm')],
    ['esbuild', packageFile('esbuild-wasm', 'esbuild.wasm')],
    ['swc', packageFile('@swc/wasm', 'wasm_bg.wasm')],
    ['sqlite', language('sqlite.wasm')],
  ];
  console.log(row('rewriting', 'MB', 'warm MB/s', 'first MB/s', 'code', 'module'));
  for (const [name, file] of files) {
    const { megabytes, warm, first, code, module } = await measureSpeed(name, file);
    console.log(row(name, megabytes.toFixed(1), warm.toFixed(1), first.toFixed(1), code.toFixed(3), module.toFixed(3)));
  }
  if (!quick) await peers(language('sqlite.wasm'));
}

// On a module that they accept.
async function peers(file: string): Promise<void> {
  const bytes = Buffer.from(withoutCustomSections(await readFile(file)));
  for (const name of ['wasm-metering', '@permaweb/wasm-metering']) {
    let metered: Uint8Array = bytes;
    const milliseconds = timed(() => {
      metered = requireFrom<Peer>(name).meterWASM(bytes, {});
    });
    const [before, after] = [sizesOf(bytes), sizesOf(metered)];
    const speed = bytes.length / 1e3 / milliseconds;
    console.log(row(`sqlite by ${name}`, '', '', speed.toFixed(2), (after.code / before.code).toFixed(3), (after.module / before.module).toFixed(3)));
  }
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(36) + cells.map((cell) => cell.padStart(12)).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
