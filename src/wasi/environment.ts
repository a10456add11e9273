// What the host chose for the guest's command line: arguments and working directory for all, variables with ENV. Nothing of it is the process's own.
import { Cap } from '../capabilities.ts';
import type { WasiContext } from './context.ts';

/** A command line; nothing in it has a NUL. */
export interface CommandLine {
  /** The program's name first. */
  readonly args: readonly string[];
  /** Names are without '='. */
  readonly env: Readonly<Record<string, string>>;
  /** An absolute guest path. */
  readonly cwd?: string | undefined;
}

export class Environment {
  readonly #context: WasiContext;
  readonly #args: readonly string[];
  readonly #variables: readonly [name: string, value: string][];
  readonly #cwd: string | undefined;

  constructor(context: WasiContext, { args, env, cwd }: CommandLine) {
    this.#context = context;
    this.#args = args;
    this.#variables = Object.entries(env);
    this.#cwd = cwd;
  }

  arguments(): string[] {
    return this.#given(this.#args, (text) => text.length);
  }

  /** None without ENV. */
  variables(): [name: string, value: string][] {
    const context = this.#context;
    if (context.observed) context.report(Cap.ENV, 'environment.get', context.allows(Cap.ENV), { names: this.#granted().map(([name]) => name) });
    return this.#given(this.#granted(), ([name, value]) => name.length + value.length);
  }

  workingDirectory(): string | undefined {
    return this.#cwd;
  }

  #granted(): readonly [name: string, value: string][] {
    return this.#context.allows(Cap.ENV) ? this.#variables : [];
  }

  // A copy that is paid for: the guest may ask any number of times for as much as the host put there.
  #given<Entry>(entries: readonly Entry[], length: (entry: Entry) => number): Entry[] {
    this.#context.chargeEntries(entries.length);
    this.#context.chargeBytes(entries.reduce((sum, entry) => sum + length(entry), 0));
    return [...entries];
  }
}
