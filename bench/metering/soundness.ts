// Cost soundness: for every way to loop, recurse, grow or move much at once, how long a unit of fuel lasts there, against plain arithmetic. Where the factor is
// high, a guest gets more of the processor than it pays for. `node bench/metering/soundness.ts [part of a name]…`
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco';
import { GloveportError } from '../../src/errors.ts';
import { Meter } from '../../src/metering/meter.ts';
import { type MeteredModule, meter } from '../../src/metering/rewrite.ts';
import type { Attack } from './attacks/attack.ts';
import { control } from './attacks/control.ts';
import { data } from './attacks/data.ts';
import { instantiation } from './attacks/instantiation.ts';
import { arithmetic, PLAIN } from './attacks/numbers.ts';
import { AMPLE_LIMITS } from './variants.ts';

/** The factor that must not be passed. */
export const MOST = 20;
const SAMPLE_MS = 15;
const SAMPLES = 5;
const MOST_ROUNDS = 2 ** 30;
/** Less memory than the engine would give, so that growth beyond it is the meter's to refuse. */
const LIMITS = { ...AMPLE_LIMITS, memoryBytes: 2 ** 31 };

export interface Cost {
  readonly name: string;
  /** Nanoseconds for a unit of fuel, at the best of some samples. */
  readonly nanoseconds?: number;
  /** Nanoseconds for a round. */
  readonly round?: number;
  readonly refused?: string;
}

interface Sample {
  readonly milliseconds: number;
  readonly units: number;
}

type Exports = Readonly<Record<string, (rounds: number) => number | undefined>>;

/** An instance of an attack. */
class Guest {
  readonly #meter = new Meter(LIMITS);
  readonly #exports: Exports;
  /** What instantiating it took. */
  readonly instantiation: Sample;

  constructor(module: WebAssembly.Module, descriptor: MeteredModule['descriptor']) {
    const host = { pass: () => undefined, memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) };
    const start = performance.now();
    this.#exports = this.#meter.run(() => this.#meter.instantiate(module, descriptor, { host })) as Exports;
    this.instantiation = { milliseconds: performance.now() - start, units: this.#meter.usage.fuel };
    if (this.#exports.prepare !== undefined) this.#meter.run(() => this.#exports.prepare?.(0));
  }

  run(rounds: number): Sample {
    const before = this.#meter.usage.fuel;
    const start = performance.now();
    this.#meter.run(() => this.#exports.run?.(rounds));
    const milliseconds = performance.now() - start;
    return { milliseconds, units: this.#meter.usage.fuel - before };
  }
}

export async function measure({ name, text, instantiation, once = instantiation ? 1 : undefined }: Attack): Promise<Cost> {
  const bytes = await parse(text);
  if (!WebAssembly.validate(bytes as BufferSource)) throw new Error(`${name}: not valid`);
  let metered: MeteredModule;
  try {
    metered = meter(bytes);
  } catch (error) {
    if (error instanceof GloveportError) return { name, refused: error.message };
    throw error;
  }
  const module = new WebAssembly.Module(metered.bytes as BufferSource);
  const fresh = (): Guest => new Guest(module, metered.descriptor);
  const guest = once === undefined ? fresh() : undefined;
  const sample = (rounds: number): Sample => (instantiation ? fresh().instantiation : (guest ?? fresh()).run(rounds));
  let rounds = once ?? 64;
  // Doubles the work until it can be measured; meanwhile the engine optimises it.
  while (sample(rounds).milliseconds < SAMPLE_MS && once === undefined && rounds < MOST_ROUNDS) rounds *= 2;
  let best = { milliseconds: Number.POSITIVE_INFINITY, units: 1 };
  for (let taken = sample(rounds), count = 0; count < SAMPLES; taken = sample(rounds), count++) {
    if (taken.milliseconds < best.milliseconds) best = taken;
  }
  return { name, nanoseconds: (best.milliseconds * 1e6) / best.units, round: (best.milliseconds * 1e6) / rounds };
}

export async function main(parts: readonly string[]): Promise<void> {
  const unit = (await measure(PLAIN)).nanoseconds as number;
  console.log(`${PLAIN.name}: ${unit.toFixed(3)} ns for a unit\n`);
  console.log(row('attack', 'ns a round', 'ns a unit', 'factor'));
  const over: string[] = [];
  let worst = 0;
  for (const attack of [...control, ...data, ...instantiation, ...arithmetic]) {
    if (parts.length > 0 && !parts.some((part) => attack.name.includes(part))) continue;
    const { nanoseconds, round, refused } = await measure(attack);
    if (nanoseconds === undefined || round === undefined) {
      console.log(row(attack.name, '', '', `refused: ${refused}`));
      continue;
    }
    const factor = nanoseconds / unit;
    if (Number.isFinite(factor)) worst = Math.max(worst, factor);
    if (factor > MOST) over.push(attack.name);
    console.log(
      row(
        attack.name,
        round.toFixed(1),
        Number.isFinite(factor) ? nanoseconds.toFixed(3) : 'free',
        `${Number.isFinite(factor) ? factor.toFixed(1) : ''}${factor > MOST ? ' !' : ''}`,
      ),
    );
  }
  console.log(`\nworst factor ${worst.toFixed(1)}; ${over.length} over ${MOST}: ${over.join(', ') || 'none'}`);
  await fixedCosts();
}

// What a call of a tiny export costs, in and out.
async function fixedCosts(): Promise<void> {
  const bytes = await parse('(module (func (export "run") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))');
  const metered = meter(bytes);
  const guest = new Meter(LIMITS);
  const exports = guest.run(() => guest.instantiate(new WebAssembly.Module(metered.bytes as BufferSource), metered.descriptor, {})) as Exports;
  const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource)).exports as Exports;
  const direct = nanosecondsEach((value) => plain.run?.(value));
  const metering = nanosecondsEach((value) => guest.run(() => exports.run?.(value)));
  console.log(`\na call of a tiny export: ${direct.toFixed(1)} ns plain, ${metering.toFixed(1)} ns through Meter.run`);
}

function nanosecondsEach(work: (value: number) => number | undefined): number {
  const calls = 1_000_000;
  let best = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = performance.now();
    let value = 0;
    for (let call = 0; call < calls; call++) value = work(value) as number;
    best = Math.min(best, performance.now() - start);
  }
  return (best * 1e6) / calls;
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(44) + cells.map((cell) => cell.padStart(12)).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
