// Writes into README.md what code decides: tables from the constants, the examples from files that a test runs. `--check` writes nothing and
// fails where the README says something else.
import { readFile, writeFile } from 'node:fs/promises';
import { Cap, type CapabilityName, capabilityNames, hasDangerousCapabilities } from '../src/capabilities.ts';
import { type Limits, limits } from '../src/limits.ts';

const README = new URL('../README.md', import.meta.url);

const SECTIONS: Record<string, () => string | Promise<string>> = {
  capabilities: capabilityTable,
  limits: limitTable,
  example: () => code('example.ts'),
  policy: () => code('policy.ts'),
};

const OPENS: Record<CapabilityName, string> = {
  console: 'standard input, output and error',
  time: 'clocks and timers',
  random: 'random bytes',
  'fs-read': 'reading in the mounted directories',
  'fs-write': 'changing what is in the mounted directories',
  network: 'connections to the named hosts, and listening at the named addresses',
  env: 'the named environment variables',
  process: "to come: the project's own process interfaces",
  threading: 'shared memories and atomic waits, on one thread so far',
  gpu: "to come: the project's own GPU interfaces",
};

const UNGRANTED: Record<CapabilityName, string> = {
  console: 'input is closed, output is dropped',
  time: 'clocks stand still at 0',
  random: 'an error; a component that wants secure bytes ends',
  'fs-read': 'nothing can be read; without FS_WRITE too, no directories',
  'fs-write': 'every change is refused',
  network: 'refused',
  env: 'no variables',
  process: 'refused',
  threading: 'a module that has them is not loaded',
  gpu: 'refused',
};

function capabilityTable(): string {
  const rows = Object.entries(Cap).flatMap(([flag, number]) =>
    capabilityNames(number).map((name) => [`\`${flag}\``, `${number}`, OPENS[name], UNGRANTED[name], hasDangerousCapabilities(number) ? 'yes' : '']),
  );
  return table(['flag', 'number', 'opens', 'without it', 'dangerous'], rows);
}

async function limitTable(): Promise<string> {
  const source = await readFile(new URL('../src/limits.ts', import.meta.url), 'utf8');
  const meanings = new Map(
    [...source.matchAll(/\/\*\*\s+(?:\* )?([^/]+?)\s+\*\/\n {2}readonly (\w+): number;/g)].map(([, meaning, field]) => [
      field,
      meaning?.replace(/\s+\* /g, ' '),
    ]),
  );
  const rows = (Object.keys(limits.default) as (keyof Limits)[]).map((field) => {
    const meaning = meanings.get(field);
    if (meaning === undefined) throw new Error(`limits.ts does not say what ${field} means`);
    return [`\`${field}\``, meaning, ...[limits.default, limits.restrictive, limits.permissive].map((preset) => amount(field, preset[field]))];
  });
  return table(['limit', 'meaning', 'default', 'restrictive', 'permissive'], rows);
}

async function code(file: string): Promise<string> {
  const source = await readFile(new URL(`../guest-examples/${file}`, import.meta.url), 'utf8');
  return `\`\`\`ts\n${source.slice(source.indexOf('import '))}\`\`\``;
}

function amount(field: string, value: number): string {
  if (field.endsWith('Bytes')) return value % 2 ** 20 === 0 ? `${value / 2 ** 20} MiB` : `${value / 2 ** 10} KiB`;
  return value >= 1e9 ? value.toExponential().replace('e+', 'e') : value.toLocaleString('en').replaceAll(',', ' ');
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

async function render(text: string): Promise<string> {
  let rendered = text;
  for (const [name, section] of Object.entries(SECTIONS)) {
    const marked = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`);
    if (!marked.test(rendered)) throw new Error(`README.md has no section ${name}`);
    const content = await section();
    rendered = rendered.replace(marked, (_all, open: string, close: string) => `${open}${content}\n${close}`);
  }
  return rendered;
}

const current = await readFile(README, 'utf8');
const rendered = await render(current);
if (process.argv.includes('--check')) {
  if (current !== rendered) throw new Error('README.md is not what the code says; run `npm run format`');
} else {
  await writeFile(README, rendered);
}
