// Runs script files or folders of them and prints what holds: `node test/spec/report.ts <path>…`.
import { readFileSync } from 'node:fs';
import { type Comparison, compareScript } from './compare.ts';
import { scriptFiles } from './files.ts';

const started = performance.now();
const total = { commands: 0, assertions: 0, plain: 0, metered: 0 };
const reasons = new Map<string, { count: number; readonly first: string }>();
const plainReasons = new Map<string, { count: number; readonly first: string }>();

for (const root of process.argv.slice(2)) {
  for (const { name, path } of scriptFiles(root)) {
    const comparison = await compareScript(readFileSync(path, 'utf8'));
    for (const field of ['commands', 'assertions', 'plain', 'metered'] as const) total[field] += comparison[field];
    count(reasons, name, comparison.differences);
    count(plainReasons, name, comparison.plainFailures);
  }
}
print('holds plain, not metered:', reasons);
print('does not hold plain (not counted):', plainReasons);
console.log(
  `${total.commands} commands, ${total.assertions} of them assertions: ${total.plain} hold plain, ${total.metered} of them metered; ${((performance.now() - started) / 1000).toFixed(1)} s`,
);

// Numbers are left out of a reason, so that the same one of many modules is one line.
function count(into: typeof reasons, name: string, findings: Comparison['differences']): void {
  for (const { line, kind, reason } of findings) {
    const root = reason
      .replace(/^(its (module|import) failed: )+/, '')
      .replace(/\d+/g, 'N')
      .slice(0, 200);
    const known = into.get(root);
    if (known === undefined) into.set(root, { count: 1, first: `${name}:${line} ${kind}` });
    else known.count++;
  }
}

function print(title: string, findings: typeof reasons): void {
  if (findings.size === 0) return;
  console.log(title);
  for (const [reason, { count, first }] of [...findings].sort(([, a], [, b]) => b.count - a.count)) console.log(`  ${count} × ${reason} (first: ${first})`);
}
