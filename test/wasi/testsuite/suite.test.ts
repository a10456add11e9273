// The public WASI test suite, which is not part of this repository: each of its programs on a memory directory and on a host directory. Runs when
// GLOVEPORT_WASI_TESTSUITE names its folder.
import { describe, expect, test } from 'vitest';
import { knownFailures } from './known-failures.ts';
import { suitePrograms } from './programs.ts';
import { failuresOf, KINDS } from './run.ts';

const suite = process.env.GLOVEPORT_WASI_TESTSUITE;

if (suite === undefined) {
  console.info('The public WASI test suite was not given and is not run: GLOVEPORT_WASI_TESTSUITE names its folder (see test/wasi/testsuite/README.md).');
} else {
  describe('the public WASI test suite', () => {
    const programs = suitePrograms(suite);

    describe.each(KINDS)('on a %s directory', (kind) => {
      test.each(programs)('$name', async (program) => {
        const known = knownFailures.find((one) => one.program === program.name && one.kind === kind);
        const failures = await failuresOf(program, kind);
        if (known === undefined) expect(failures).toEqual([]);
        else expect(failures.join('\n')).toContain(known.report);
      });
    });

    // A runner that finds less than there is would find nothing wrong.
    test('is there, and has every program that is listed as failing', () => {
      expect(programs.length).toBeGreaterThanOrEqual(72);
      expect(knownFailures.filter(({ program }) => !programs.some(({ name }) => name === program))).toEqual([]);
    });
  });
}

test('each failure that is listed says why', () => {
  expect(knownFailures.filter(({ reason }) => reason.length < 20)).toEqual([]);
});
