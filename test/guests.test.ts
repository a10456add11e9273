// The guests themselves: they build, their builds are kept, and none lies around unused.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { guest, guestNames } from '../guest-examples/build.ts';
import { greet } from '../guest-examples/example.ts';
import { runOver } from '../guest-examples/policy.ts';
import { ruby } from '../guest-examples/programs.ts';

const cache = new URL('../node_modules/.cache/gloveport/guests/', import.meta.url);

describe('every guest', () => {
  test.each(guestNames)('%s builds into a module or a component', async (name) => {
    const bytes = await guest(name);
    expect([...bytes.subarray(0, 4)]).toEqual([0, 0x61, 0x73, 0x6d]);
  });

  test.each(guestNames)('%s is run by the tour or a test', async (name) => {
    const files = ['../guest-examples/tour.ts', './bad-input.test.ts', './seed.test.ts'].map((path) => readFile(new URL(path, import.meta.url), 'utf8'));
    expect((await Promise.all(files)).join()).toMatch(new RegExp(`(guest|build)\\('${name}'\\)`));
  });

  test('is built once: the second time it is read, and two who want it at once do not disturb each other', async () => {
    const [first, second] = await Promise.all([guest('text-tools'), guest('text-tools')]);
    expect(Buffer.compare(first, second)).toBe(0);
    const kept = async () => (await readdir(cache)).filter((file) => file.startsWith('text-tools-'));
    const times = async () => Promise.all((await kept()).map(async (file) => (await stat(new URL(file, cache))).mtimeMs));
    const before = await times();
    await guest('text-tools');
    expect(before).not.toEqual([]);
    expect(await times()).toEqual(before);
  });
});

test("the README's policy holds: what is denied is not read, and said", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gloveport-policy-'));
  mkdirSync(join(directory, 'sub'));
  writeFileSync(join(directory, 'plan.txt'), 'water the plants');
  writeFileSync(join(directory, 'sub', 'secret.key'), 'the secret');
  const script = `
    puts File.read('/files/plan.txt')
    File.write('/tmp/note', 'mine')
    puts File.read('/tmp/note')
    ['/files/sub/secret.key', '/files/../plan.txt'].each { |path| begin; puts File.read(path); rescue SystemCallError; puts 'no'; end }
    begin; File.write('/files/plan.txt', 'gone'); rescue SystemCallError; puts 'no'; end`;
  const result = await runOver(fileURLToPath(ruby), directory, ['ruby', '--disable-gems', '-e', script]);
  expect(result).toMatchObject({ exitCode: 0, stdout: 'water the plants\nmine\nno\nno\nno\n' });
  expect(result.refused.join()).toMatch(/filesystem\.open \{"path":"\/files\/sub\/secret\.key"/);
  expect(readFileSync(join(directory, 'plan.txt'), 'utf8')).toBe('water the plants');
  rmSync(directory, { recursive: true });
});

test("the README's example does what it shows", async () => {
  expect(await greet(await guest('text-tools'), 'Ada')).toBe('Hello, Ada!');
});
