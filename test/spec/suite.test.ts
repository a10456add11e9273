// Every script of the specification's kind, run on the engine alone and metered: what holds plain holds metered. The scripts of this folder always run;
// the official suite, which is not part of this repository, runs when GLOVEPORT_SPEC_SUITE names its folder.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Comparison, compareScript, type Finding } from './compare.ts';
import { type ScriptFile, scriptFiles } from './files.ts';
import { type KnownDifference, ownDifferences, suiteDifferences } from './known-differences.ts';

const compare = ({ path }: ScriptFile): Promise<Comparison> => compareScript(readFileSync(path, 'utf8'));

describe('our own scripts', () => {
  const own = scriptFiles(fileURLToPath(new URL('./scripts/', import.meta.url)));

  it.each(own)('$name holds plain, and as much of it metered', async (file) => {
    const comparison = await compare(file);
    expect(comparison.plainFailures).toEqual([]);
    expect(unexplained(file, comparison.differences, ownDifferences)).toEqual([]);
    expect(comparison.assertions).toBeGreaterThanOrEqual(20);
  });

  it('list no difference of a script that is not there', () => {
    expect(withoutScript(own, ownDifferences)).toEqual([]);
  });
});

const suite = process.env.GLOVEPORT_SPEC_SUITE;

if (suite === undefined) {
  console.info('The official specification suite was not given and is not run: GLOVEPORT_SPEC_SUITE names its folder (see test/spec/README.md).');
} else {
  describe('the official suite', () => {
    const official = scriptFiles(suite);
    const total = { commands: 0, assertions: 0, plain: 0, metered: 0 };

    it.each(official)('$name: what holds plain holds metered', async (file) => {
      const comparison = await compare(file);
      for (const field of ['commands', 'assertions', 'plain', 'metered'] as const) total[field] += comparison[field];
      expect(unexplained(file, comparison.differences, suiteDifferences)).toEqual([]);
    });

    // A runner that reads or runs less than there is would find nothing wrong.
    it('holds plain in all but a few of its assertions', () => {
      console.info(`${total.commands} commands, ${total.assertions} assertions: ${total.plain} hold plain, ${total.metered} of them metered`);
      expect(total.commands).toBeGreaterThan(65_000);
      expect(total.plain).toBeGreaterThan(0.999 * total.assertions);
      expect(withoutScript(official, suiteDifferences)).toEqual([]);
    });
  });
}

// The differences that the list does not explain, and the explanations of nothing.
function unexplained(file: ScriptFile, differences: readonly Finding[], known: readonly KnownDifference[]): readonly string[] {
  const listed = known.filter(({ script }) => script === file.name);
  const unlisted = differences.filter(({ reason }) => !listed.some(({ report }) => reason.includes(report)));
  const gone = listed.filter(({ report }) => !differences.some(({ reason }) => reason.includes(report)));
  return [
    ...unlisted.map(({ line, kind, reason }) => `line ${line}, ${kind}: ${reason}`),
    ...gone.map(({ report }) => `listed, but it no longer occurs: ${report}`),
  ];
}

function withoutScript(files: readonly ScriptFile[], known: readonly KnownDifference[]): readonly KnownDifference[] {
  return known.filter(({ script }) => !files.some(({ name }) => name === script));
}
