// Run time metered against unmetered, and against the baseline that counts every basic block, over real programs.
// `node bench/metering/overhead.ts [--quick] [part of a name]…`
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { programs } from './corpus.ts';
import type { Program } from './programs/program.ts';
import { atLeastOne, geometricMean, median } from './statistics.ts';
import type { Sizes } from './sections.ts';
import type { Answer, Order, Sample } from './thread.ts';
import { VARIANTS, type Variant } from './variants.ts';

interface Effort {
  /** Milliseconds for each variant of each program: of each pass before what is measured, and while it is. */
  readonly warmUp: number;
  readonly measured: number;
  readonly samples: readonly [least: number, most: number];
}

const FULL: Effort = { warmUp: 400, measured: 2000, samples: [7, 60] };
const QUICK: Effort = { warmUp: 150, measured: 500, samples: [4, 20] };
const OTHER_RESULT = 'another result than the plain program';
/** A sample lasts at least so long: short programs are repeated. */
const SAMPLE_MS = 10;
const MOST_ROUNDS = 20;
const MOST_PASSES = 10;
const REST_MS = 40;
const LONGEST_REST_MS = 20_000;

export interface Overhead {
  readonly name: string;
  /** The best sample of each variant. */
  readonly best: Readonly<Partial<Record<Variant, Sample>>>;
  /** The plain program's median sample against its best: how restless the machine was. */
  readonly spread: number;
  /** Why there is none, by variant. */
  readonly failed: Readonly<Partial<Record<Variant, string>>>;
}

/** One program as one variant in its thread. */
class Runner {
  readonly #worker: Worker;

  constructor(program: string, variant: Variant) {
    this.#worker = new Worker(new URL('thread.ts', import.meta.url), { workerData: { program, variant }, execArgv: ['--disable-warning=ExperimentalWarning'] });
  }

  /** @throws Error with what failed in the thread. */
  async ready(): Promise<void> {
    await this.#answer();
  }

  async sample(rounds: number): Promise<Sample> {
    this.#worker.postMessage({ rounds } satisfies Order);
    return (await this.#answer()) as Sample;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  async #answer(): Promise<Exclude<Answer, { readonly failed: string }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#worker.once('message', resolve).once('error', reject);
    const answer = await promise;
    this.#worker.off('error', reject);
    if ('failed' in answer) throw new Error(answer.failed);
    return answer;
  }
}

export async function measureOverhead(program: Program, quick: boolean): Promise<Overhead> {
  const effort = quick ? QUICK : FULL;
  const failed: Partial<Record<Variant, string>> = {};
  const runners = new Map<Variant, { readonly runner: Runner; readonly rounds: number; readonly samples: Sample[] }>();
  for (const variant of VARIANTS) {
    const runner = new Runner(program.name, variant);
    try {
      await runner.ready();
      runners.set(variant, { runner, rounds: await warmUp(runner, effort), samples: [] });
    } catch (error) {
      failed[variant] = (error as Error).message;
      await runner.end();
      if (variant === 'plain') break;
    }
  }
  const [least, most] = effort.samples;
  const end = performance.now() + effort.measured * runners.size;
  for (let sample = 0; sample < most && (sample < least || performance.now() < end); sample++) {
    for (const { runner, rounds, samples } of runners.values()) samples.push(await runner.sample(rounds));
  }
  const best: Partial<Record<Variant, Sample>> = {};
  let spread = Number.NaN;
  for (const [variant, { runner, samples }] of runners) {
    best[variant] = samples.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
    if (variant === 'plain') spread = median(samples.map(({ milliseconds }) => milliseconds)) / best[variant].milliseconds;
    await runner.end();
  }
  for (const variant of VARIANTS) {
    const sample = best[variant];
    if (sample !== undefined && sample.digest !== best.plain?.digest) failed[variant] = OTHER_RESULT;
  }
  return { name: program.name, best, spread, failed };
}

// Runs it until the engine's optimising compiler has done what it will: large functions take it seconds. Returns how many rounds make a sample.
async function warmUp(runner: Runner, { warmUp: enough }: Effort): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let pass = 0, calm = false; pass < MOST_PASSES && !calm; pass++) {
    calm = true;
    const end = performance.now() + enough;
    do {
      const { milliseconds } = await runner.sample(1);
      if (milliseconds < 0.97 * fastest) calm = false;
      fastest = Math.min(fastest, milliseconds);
    } while (performance.now() < end);
    if (await compilersRest()) calm = false;
  }
  return Math.min(MOST_ROUNDS, Math.max(1, Math.ceil(SAMPLE_MS / fastest)));
}

/** Waits, with all programs at rest, until the process takes no more time of the processor. False when it took none to begin with. */
async function compilersRest(): Promise<boolean> {
  for (let window = 0; ; window++) {
    const before = process.cpuUsage();
    await setTimeout(REST_MS);
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 < REST_MS / 5 || window * REST_MS > LONGEST_REST_MS) return window > 0;
  }
}

export interface Summary {
  readonly programs: number;
  readonly mean: number;
  readonly meanAtLeastOne: number;
  readonly worst: string;
  readonly perBlock: number;
  readonly growth: Sizes;
}

/** Over the programs that ran in all variants; nothing when none did. */
export function summarise(overheads: readonly Overhead[]): Summary | undefined {
  const measured = overheads.flatMap(({ name, best: { plain, metered, perBlock } }) =>
    plain && metered && perBlock
      ? [{ name, growth: metered.growth, ratio: metered.milliseconds / plain.milliseconds, perBlock: perBlock.milliseconds / plain.milliseconds }]
      : [],
  );
  if (measured.length === 0) return undefined;
  const worst = measured.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  return {
    programs: measured.length,
    mean: geometricMean(measured.map(({ ratio }) => ratio)),
    meanAtLeastOne: geometricMean(measured.map(({ ratio }) => atLeastOne(ratio))),
    worst: `${worst.ratio.toFixed(3)} (${worst.name})`,
    perBlock: geometricMean(measured.map(({ perBlock }) => atLeastOne(perBlock))),
    growth: {
      code: geometricMean(measured.map(({ growth }) => growth.code)),
      module: geometricMean(measured.map(({ growth }) => growth.module)),
    },
  };
}

export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { quick: { type: 'boolean', default: false } } });
  const chosen = (await programs()).filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
  const overheads: Overhead[] = [];
  console.log(row('program', 'plain ms', 'metered ms', 'ratio', 'per block', 'ns/unit', 'code', 'spread'));
  for (const program of chosen) {
    const overhead = await measureOverhead(program, values.quick);
    overheads.push(overhead);
    console.log(line(overhead));
  }
  if (overheads.some(({ failed }) => Object.values(failed).includes(OTHER_RESULT))) process.exitCode = 1;
  const summary = summarise(overheads);
  if (summary === undefined) return;
  console.log(`
${summary.programs} programs, geometric means
run time, metered / plain                         ${summary.mean.toFixed(3)}
the same, ratios under 1 counted as 1             ${summary.meanAtLeastOne.toFixed(3)}
worst of them                                     ${summary.worst}
run time, counter per block / plain, counted so   ${summary.perBlock.toFixed(3)}
code, after / before                              ${summary.growth.code.toFixed(3)}
module without custom sections, after / before    ${summary.growth.module.toFixed(3)}`);
}

function line({ name, best: { plain, metered, perBlock }, spread, failed }: Overhead): string {
  const ratio = (sample: Sample | undefined): string => (sample && plain ? (sample.milliseconds / plain.milliseconds).toFixed(3) : '-');
  const text = row(
    name,
    plain?.milliseconds.toFixed(2) ?? '-',
    metered?.milliseconds.toFixed(2) ?? '-',
    ratio(metered),
    ratio(perBlock),
    metered ? ((metered.milliseconds / metered.fuel) * 1e6).toFixed(3) : '-',
    metered?.growth.code.toFixed(3) ?? '-',
    spread.toFixed(2),
  );
  return [text, ...Object.entries(failed).map(([variant, reason]) => `  ${variant}: ${reason}`)].join('\n');
}

function row(name: string, ...cells: string[]): string {
  return name.padEnd(36) + cells.map((cell) => cell.padStart(11)).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
