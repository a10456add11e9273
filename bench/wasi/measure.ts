// How the benchmarks measure: all hosts in turns, so that a busy machine disturbs them alike, and of each the median of several rounds.
import { GLOVEPORT } from './guests.ts';
import { median } from '../metering/statistics.ts';

const ROUNDS = 9;
const WARM_UP = 3;

/** One host, or the way of doing it without a guest. */
export interface Subject {
  readonly name: string;
  readonly run: () => unknown;
}

/** Milliseconds of one run of each, by name. */
export async function measure(subjects: readonly Subject[], rounds = ROUNDS): Promise<Readonly<Record<string, number>>> {
  const times = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < WARM_UP + rounds; round += 1) {
    for (const { name, run } of subjects) {
      const start = performance.now();
      await run();
      if (round >= WARM_UP) times.get(name)?.push(performance.now() - start);
    }
  }
  return Object.fromEntries([...times].map(([name, values]) => [name, median(values)]));
}

export interface Row {
  readonly what: string;
  readonly times: Readonly<Record<string, number>>;
  /** Units in one run, by which times are divided. */
  readonly count: number;
}

/**
 * Prints microseconds for each unit and ratios: how many times as long each of `others` takes as Gloveport, and how many times as long Gloveport takes as
 * `floor`, what is done without a guest.
 */
export function print(title: string, rows: readonly Row[], others: readonly string[], floor?: string): void {
  const table = rows.map(({ what, times, count }) => {
    const of = (name: string): number => (times[name] ?? Number.NaN) / count;
    const names = Object.keys(times);
    const ours = names.filter((name) => name.startsWith(GLOVEPORT));
    const cells = names.map((name) => [`${name} µs`, significant(1000 * of(name))]);
    const against = ours.flatMap((name) => others.map((other) => [`${other} ÷ ${kindOf(name)}`, significant(of(other) / of(name))]));
    const above = floor === undefined ? [] : ours.map((name) => [`${kindOf(name)} ÷ ${floor}`, significant(of(name) / of(floor))]);
    return [what, Object.fromEntries([...cells, ...against, ...above])];
  });
  console.log(`\n${title}`);
  console.table(Object.fromEntries(table));
}

function kindOf(name: string): string {
  return name.slice(GLOVEPORT.length + 2);
}

function significant(value: number): number {
  return Number(value.toPrecision(3));
}
