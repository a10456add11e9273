// CPython's own tests of its library, which no package brings: GLOVEPORT_PYTHON_TESTS names the folder `Lib` of a CPython 3.11, whose `test` is then run here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Module, type Mount, memoryDirectory } from '../../../src/index.ts';
import { MOUNT_KINDS } from '../support.ts';
import { directoryOf, run, runtime, unpacked } from './programs.ts';

const FOLDER = process.env.GLOVEPORT_PYTHON_TESTS;

const JSON_PARTS = 'decode default dump encode_basestring_ascii enum fail float indent pass1 scanstring separators speedups unicode';
/** Not among them is test_json.test_recursion, which overflows the small stack that this build of Python gave itself, on every host. */
const MODULES = [
  ...JSON_PARTS.split(' ').map((part) => `test_json.test_${part}`),
  ...'collections csv datetime filecmp fileinput genericpath glob gzip re struct tempfile textwrap zlib'.split(' ').map((name) => `test_${name}`),
];

/** These fail on every host, since the tests are of later releases of 3.11 than the program. */
const LATER = ['test_atomic_group', 'test_bug_gh106052', 'test_look_behind_overflow', 'test_disallow_instantiation'];

if (FOLDER === undefined) {
  console.info("Python's own tests were not given and are not run: GLOVEPORT_PYTHON_TESTS names a folder that has them.");
} else {
  const { python, library, tests } = await prepare(FOLDER);

  describe.each(MOUNT_KINDS)('on a %s directory', (kind) => {
    test.each(MODULES)('Python passes its own %s', async (module) => {
      const mounts = { '/': library, '/tests': tests, '/tmp': directoryOf(kind) };
      const args = ['python', '-m', 'unittest', `test.${module}`];
      const { stderr } = await run(python, { args, mounts, env: { PYTHONPATH: '/tests', PYTHONDONTWRITEBYTECODE: '1', TMPDIR: '/tmp' } });
      expect(failuresOf(stderr).filter((name) => !LATER.includes(name))).toEqual([]);
    });
  });
}

test('a report of failures is read, and one that is cut off is no success', () => {
  const report = 'F.E\n=====\nFAIL: test_one (test.A.test_one)\nTraceback\n=====\nERROR: test_two (test.B.test_two) (x=1)\n\nRan 3 tests in 0.1s\n\nFAILED\n';
  expect(failuresOf(report)).toEqual(['test_one', 'test_two']);
  expect(failuresOf('...\nRan 3 tests in 0.1s\n\nOK\n')).toEqual([]);
  expect(() => failuresOf('...')).toThrow('...');
});

/** The tests that failed, by the report of Python's unittest. */
function failuresOf(report: string): string[] {
  if (!/^Ran \d+ tests? in/m.test(report)) throw new Error(`the tests did not come to their end: ${report.slice(-1_000)}`);
  return [...report.matchAll(/^(?:FAIL|ERROR): (\w+)/gm)].map(([, name]) => name as string);
}

interface Prepared {
  readonly python: Module;
  readonly library: Mount;
  readonly tests: Mount;
}

async function prepare(folder: string): Promise<Prepared> {
  const wanted = /^(?:test_json|support|__init__\.py|re_tests\.py|datetimetester\.py|(?:test_\w+)\.py)(?:\/|$)/;
  const files = readdirSync(join(folder, 'test'), { recursive: true, encoding: 'utf8' }).filter((path) => wanted.test(path) && path.endsWith('.py'));
  return {
    python: await runtime('python-3.11.3.wasm'),
    library: memoryDirectory(await unpacked('python-3.11.3.tar.gz')),
    tests: memoryDirectory(Object.fromEntries(files.map((path) => [`test/${path}`, readFileSync(join(folder, 'test', path))]))),
  };
}
