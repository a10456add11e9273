// One program as one variant, in a thread of its own: JavaScript that comes with a program keeps state of its own, so that two variants cannot share a thread.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { findProgram } from './corpus.ts';
import type { Clock, Driver } from './programs/program.ts';
import type { Sizes } from './sections.ts';
import { Engine, type Variant } from './variants.ts';

export interface Order {
  readonly rounds: number;
}

export interface Sample {
  /** Of one round, on the average. */
  readonly milliseconds: number;
  readonly fuel: number;
  /** Of what the last round gave. */
  readonly digest: string;
  /** How the modules that were compiled so far grew. */
  readonly growth: Sizes;
}

export type Answer = { readonly ready: true } | Sample | { readonly failed: string };

const { program, variant } = workerData as { readonly program: string; readonly variant: Variant };
const engine = new Engine(variant);

function answer(what: Answer): void {
  parentPort?.postMessage(what);
}

async function rounds(driver: Driver, { rounds: count }: Order): Promise<Answer> {
  let total = 0;
  let fuel = 0;
  let result: unknown;
  for (let round = 0; round < count; round++) {
    if (driver.setup !== undefined) {
      engine.renew();
      await driver.setup();
    }
    const watch = new Watch();
    watch.start();
    result = engine.run(() => driver.run(watch));
    if (result instanceof Promise) result = await result;
    watch.end();
    total += watch.milliseconds;
    fuel += watch.fuel;
  }
  return { milliseconds: total / count, fuel: fuel / count, digest: digest(result), growth: engine.growth };
}

class Watch implements Clock {
  milliseconds = 0;
  fuel = 0;
  #stopped = false;

  start(): void {
    this.#stopped = false;
    this.fuel = engine.fuel;
    this.milliseconds = performance.now();
  }

  stop(): void {
    this.milliseconds = performance.now() - this.milliseconds;
    this.fuel = engine.fuel - this.fuel;
    this.#stopped = true;
  }

  /** Stops it, unless the program has. */
  end(): void {
    if (!this.#stopped) this.stop();
  }
}

function digest(result: unknown): string {
  const data = typeof result === 'string' || ArrayBuffer.isView(result) ? (result as string | Uint8Array) : (JSON.stringify(result) ?? '');
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}

async function answered(work: () => Promise<Answer>): Promise<void> {
  try {
    answer(await work());
  } catch (error) {
    answer({ failed: error instanceof Error ? error.message : String(error) });
  }
}

engine.install();
await answered(async () => {
  const driver = await (await findProgram(program)).prepare();
  parentPort?.on('message', (order: Order) => void answered(() => rounds(driver, order)));
  return { ready: true };
});
