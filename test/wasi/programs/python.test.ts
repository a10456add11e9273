// Python 3.11 with its standard library, on mounts of every kind: what its scripts print is what Python prints anywhere, and what they leave is there.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Cap, type Module, type Mount, memoryDirectory } from '../../../src/index.ts';
import { type Files, filesOf } from '../files.ts';
import { MOUNT_KINDS, makeHost, makeMount, STORE_KINDS } from '../support.ts';
import { directoryOf, run, runtime, script, unpacked } from './programs.ts';

const LIBRARY = await unpacked('python-3.11.3.tar.gz');
const python: Module = await runtime('python-3.11.3.wasm');

const libraries = { memory: directoryOf('memory', LIBRARY), host: directoryOf('host', LIBRARY) };

interface Options {
  readonly args?: string[];
  readonly work?: Mount;
  readonly library?: Mount;
  readonly stdin?: string;
  readonly grant?: number;
}

async function start(source: string, { args = [], work = makeMount('memory').mount, library = libraries.memory, ...options }: Options = {}) {
  const mounts = { '/': library, '/work': work };
  const env = { PYTHONHASHSEED: '0', PYTHONDONTWRITEBYTECODE: '1' };
  return run(python, { args: ['python', '-c', source, ...args], mounts, env, ...options });
}

describe.each(MOUNT_KINDS)('Python with its library in a %s directory', (kind) => {
  const library = libraries[kind];

  test('computes as anywhere', async () => {
    expect(await start(await script('python/data.py'), { library })).toEqual({ exitCode: 0, stdout: await script('python/data.txt'), stderr: '' });
  });

  test('passes the tests of its own library for tests', async () => {
    // Those that need nothing that the archive leaves out.
    const modules = ['functiontestcase', 'setups', 'skipping', 'suite'].map((name) => `unittest.test.test_${name}`);
    const { exitCode, stderr } = await start('import sys, unittest; unittest.main(module=None, argv=["python", *sys.argv[1:]])', { args: modules, library });
    expect({ exitCode, tail: stderr.trim().split('\n').slice(-3) }).toEqual({
      exitCode: 0,
      tail: [expect.stringMatching(/^Ran 78 tests in /), '', expect.stringMatching(/^OK/)],
    });
  });
});

describe.each(STORE_KINDS)('Python on a mount that is a %s', (kind) => {
  test('works on many files', async () => {
    const { mount: work } = makeMount(kind);
    expect(await start(await script('python/files.py'), { args: ['/work'], work })).toEqual({
      exitCode: 0,
      stdout: await script('python/files.txt'),
      stderr: '',
    });
    const files = lookInto(work);
    expect(files.list('.')).toEqual(['copied', 'copy.txt', 'dangling', 'large.txt', 'link', 'many', 'many.zip', 'table.csv', 'twin.bin']);
    expect(files.list('many')).toEqual(Array.from('0123456789', (digit) => `d${digit}`));
    expect(files.read('many/d9/f199.txt')).toBe('x'.repeat(199));
    expect(files.stat('large.txt').size).toBe(1_388_890);
    expect(files.readLink('link')).toBe('many/d1');
  });

  test('keeps a database in a file', async () => {
    const { mount: work } = makeMount(kind);
    const { stdout, stderr } = await start(await script('python/database.py'), { args: ['/work'], work });
    const lines = stdout.split('\n');
    expect({ stderr, lines: lines.slice(0, 3) }).toEqual({ stderr: '', lines: ["(5000, 500000, 'name 999')", "[(2322,)] ('ok',)", 'True (2500,)'] });
    const [, size] = /^\['test.db'\] (\d+)$/.exec(lines[3] ?? '') ?? [];
    expect(lookInto(work).stat('test.db').size).toBe(Number(size));
    expect(lookInto(work).read('test.db').slice(0, 15)).toBe('SQLite format 3');
  });
});

describe('Python', () => {
  test('reads what it is given and writes what it should, to the byte', async () => {
    const numbers = Array.from({ length: 100_000 }, (_, index) => `${index * 7919}\n`).join('');
    const source = 'import sys\nfor line in sys.stdin:\n  print(int(line) * 3)\nprint("done", file=sys.stderr)';
    const { stdout, stderr } = await start(source, { stdin: numbers });
    const expected = Array.from({ length: 100_000 }, (_, index) => `${index * 7919 * 3}\n`).join('');
    expect({ length: stdout.length, digest: digest(stdout), stderr }).toEqual({ length: expected.length, digest: digest(expected), stderr: 'done\n' });
  });

  test('ends as it says', async () => {
    expect(await start('raise SystemExit(7)')).toMatchObject({ exitCode: 7 });
    const { exitCode, stderr } = await start('1 / 0');
    expect({ exitCode, last: stderr.trim().split('\n').at(-1) }).toEqual({ exitCode: 1, last: 'ZeroDivisionError: division by zero' });
  });

  test('cannot change anything without the right to', async () => {
    const source =
      'import os\nfor work in (lambda: open("/work/new", "w"), lambda: os.unlink("/work/there"), lambda: os.mkdir("/work/d")):\n' +
      '  try: work()\n  except OSError as error: print(error.strerror)\nprint(open("/work/there").read())';
    const work = memoryDirectory({ there: 'as it was' });
    const { stdout } = await start(source, { work, grant: Cap.CONSOLE | Cap.RANDOM | Cap.FS_READ });
    expect(stdout).toBe('Read-only file system\nRead-only file system\nRead-only file system\nas it was\n');
    expect(lookInto(work).list('.')).toEqual(['there']);
  });
});

function lookInto(mount: Mount): Files {
  return filesOf(makeHost({ mounts: { '/': mount } }).host, '0.2');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
