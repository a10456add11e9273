// One script on both engines, side by side: what holds plain has to hold metered, with the same traps.
import { type Engine, meteredEngine, plainEngine } from './engines.ts';
import { execute } from './execute.ts';
import { type Command, readScript } from './script.ts';

export interface Finding {
  readonly line: number;
  readonly kind: Command['kind'];
  readonly reason: string;
}

export interface Comparison {
  /** Commands of the script (assertions, modules, calls), how many of them are assertions, and of these, how many hold plain, and metered too. */
  readonly commands: number;
  readonly assertions: number;
  readonly plain: number;
  readonly metered: number;
  /** Commands that the engine alone does not fulfil. */
  readonly plainFailures: readonly Finding[];
  /** Commands, modules and calls included, that hold plain and not metered. */
  readonly differences: readonly Finding[];
}

export async function compareScript(text: string, engine: () => Engine = meteredEngine): Promise<Comparison> {
  const commands = await readScript(text);
  const plain = execute(commands, plainEngine());
  const metered = execute(commands, engine());
  const counts = { assertions: 0, plain: 0, metered: 0 };
  const plainFailures: Finding[] = [];
  const differences: Finding[] = [];
  for (const [index, { kind, line }] of commands.entries()) {
    const reference = plain[index];
    const outcome = metered[index];
    if (reference === undefined || outcome === undefined) throw new Error('a command without an outcome');
    const same = outcome.passed && outcome.detail === reference.detail;
    if (!reference.passed) plainFailures.push({ line, kind, reason: reference.detail });
    else if (!same) differences.push({ line, kind, reason: outcome.passed ? `'${outcome.detail}' instead of '${reference.detail}'` : outcome.detail });
    if (!kind.startsWith('assert_')) continue;
    counts.assertions++;
    if (reference.passed) counts.plain++;
    if (reference.passed && same) counts.metered++;
  }
  return { commands: commands.length, ...counts, plainFailures, differences };
}
