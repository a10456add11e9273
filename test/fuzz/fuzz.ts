// Fuzzes the rewriter for as long as one likes: node test/fuzz/fuzz.ts [--seconds 60] [--seed 1] [--from 0] [--inputs n] [module.wasm …]
// What fails is made small and written to node_modules/.cache/gloveport/fuzz. The work is done by a process of its own, so that an input that hangs or
// kills it is found, too. Random programs are run by test/metering/differential.test.ts; GLOVEPORT_RUNS=100 makes that long.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { argv, env, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Inputs } from './inputs.ts';
import { minimise } from './minimise.ts';
import { check, Violation } from './oracle.ts';

/** Inputs between two signs of life. */
const BATCH = 200;
/** A batch takes far less than a second. */
const SILENCE_MS = 30_000;
const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/gloveport/fuzz', import.meta.url));

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly from: number;
  readonly inputs: number;
  readonly modules: readonly string[];
}

type Message =
  | { readonly kind: 'alive'; readonly number: number }
  | { readonly kind: 'done'; readonly answers: Readonly<Record<string, number>>; readonly failures: number };

const options = optionsOf(argv.slice(2));
if (env.GLOVEPORT_FUZZ_WORKER === undefined) watch(fork(fileURLToPath(import.meta.url), argv.slice(2), { env: { ...env, GLOVEPORT_FUZZ_WORKER: '1' } }));
else work(options);

function optionsOf(args: string[]): Options {
  const string = { type: 'string' } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { seconds: string, seed: string, from: string, inputs: string } });
  return {
    seconds: Number(values.seconds ?? 60),
    seed: Number(values.seed ?? Date.now() % 1_000_000),
    from: Number(values.from ?? 0),
    inputs: Number(values.inputs ?? Number.POSITIVE_INFINITY),
    modules: positionals,
  };
}

function watch(worker: ChildProcess): void {
  let last = options.from;
  let done = false;
  const fail = (what: string): never => {
    worker.kill('SIGKILL');
    console.error(`${what}: try --seed ${options.seed} --from ${last} --inputs ${BATCH}`);
    exit(1);
  };
  let timer = setTimeout(() => fail('no sign of life'), SILENCE_MS);
  worker.on('message', (message: Message) => {
    clearTimeout(timer);
    if (message.kind === 'alive') {
      last = message.number;
      timer = setTimeout(() => fail('an input hangs'), SILENCE_MS);
    } else {
      done = true;
      console.log(`seed ${options.seed}: ${message.failures} failures;`, message.answers);
      exit(message.failures === 0 ? 0 : 1);
    }
  });
  worker.on('exit', (code, signal) => {
    if (!done) fail(`the process ended by ${signal ?? `code ${code}`}`);
  });
}

function work({ seconds, seed, from, inputs, modules }: Options): void {
  const report = (message: Message): void => void process.send?.(message);
  const corpus = new Inputs(
    seed,
    modules.map((path) => new Uint8Array(readFileSync(path))),
  );
  const answers: Record<string, number> = {};
  const failures = new Set<string>();
  const end = performance.now() + seconds * 1_000;
  for (let number = from; number < from + inputs && performance.now() < end; number++) {
    if (number % BATCH === 0) report({ kind: 'alive', number });
    const bytes = corpus.at(number);
    const fault = faultOf(bytes);
    if (!(fault instanceof Violation)) {
      answers[fault] = (answers[fault] ?? 0) + 1;
      continue;
    }
    const kind = kindOf(fault);
    if (failures.has(kind)) continue;
    failures.add(kind);
    keep(bytes, fault, seed, number);
  }
  report({ kind: 'done', answers, failures: failures.size });
}

function keep(bytes: Uint8Array<ArrayBuffer>, fault: Violation, seed: number, number: number): void {
  const small = minimise(bytes, (candidate) => {
    const other = faultOf(candidate);
    return other instanceof Violation && kindOf(other) === kindOf(fault);
  });
  mkdirSync(FOLDER, { recursive: true });
  const path = `${FOLDER}/${seed}-${number}.wasm`;
  writeFileSync(path, small);
  console.error(`input ${number} of seed ${seed}: ${fault.message}\n  ${path}\n  ${Buffer.from(small).toString('hex')}`);
}

function faultOf(bytes: Uint8Array<ArrayBuffer>): string | Violation {
  try {
    return check(bytes);
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
}

// What it is about, whatever the numbers are.
function kindOf({ message }: Violation): string {
  return message.replace(/\d+/g, '#').slice(0, 100);
}
