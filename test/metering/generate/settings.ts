// How many random programs and inputs the tests try, and which: by environment variables, so that a failure can be had again and a night be made use of.
// GLOVEPORT_SEED gives the seed that a failure reports, GLOVEPORT_PATH its path, GLOVEPORT_RUNS a factor for the number of runs.
import { env } from 'node:process';

/** Making a counterexample small may take for ever when each try is long. */
const MOST_MS = 60_000;

/** The settings of a property that is tried `runs` times as a rule. */
export function settings(runs: number): { readonly seed: number; readonly numRuns: number; readonly interruptAfterTimeLimit: number; readonly path?: string } {
  const { GLOVEPORT_SEED = '20261120', GLOVEPORT_RUNS = '1', GLOVEPORT_PATH } = env;
  const numRuns = Math.max(1, Math.round(runs * Number(GLOVEPORT_RUNS)));
  const interruptAfterTimeLimit = MOST_MS * Math.max(1, Number(GLOVEPORT_RUNS));
  return { seed: Number(GLOVEPORT_SEED), numRuns, interruptAfterTimeLimit, ...(GLOVEPORT_PATH === undefined ? {} : { path: GLOVEPORT_PATH }) };
}
