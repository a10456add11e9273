// The inputs that the rewriter is fuzzed with: the input of a seed and a number is always the same.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { programs } from '../metering/generate/program.ts';
import { lie } from './lies.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const REAL = ['@bytecodealliance/jco/lib/wasi_snapshot_preview1.reactor.wasm', '@bytecodealliance/jco-transpile/vendor/wasm-tools.core2.wasm'];

export class Inputs {
  readonly #seed: number;
  readonly #small: readonly Uint8Array[];
  readonly #large: readonly Uint8Array[];

  /** @param more modules to start from, besides generated ones and two that compilers wrote. */
  constructor(seed: number, more: readonly Uint8Array[] = []) {
    this.#seed = seed;
    const generated = fc.sample(programs(), { numRuns: 40, seed }).map(({ bytes }) => bytes);
    const real = REAL.map((path) => new Uint8Array(readFileSync(fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url)))));
    const all = [...generated, ...real, ...more];
    this.#small = all.filter(({ length }) => length <= LARGE);
    this.#large = all.filter(({ length }) => length > LARGE);
  }

  /** Input `number`. */
  at(number: number): Uint8Array<ArrayBuffer> {
    const random = new Random(Math.imul(this.#seed, 0x01000193) + number);
    const kind = random.below(20);
    if (kind === 0) return Uint8Array.from({ length: random.below(200) }, () => random.below(256));
    if (kind === 1) return Uint8Array.from([...HEADER, ...Array.from({ length: random.below(200) }, () => random.below(256))]);
    if (kind < 5) return lie(random);
    const from = kind === 5 && this.#large.length > 0 ? this.#large : this.#small;
    return mutate(random.of(from), this.#small, random);
  }
}

const LARGE = 8_192;
