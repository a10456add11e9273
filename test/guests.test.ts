// The guests themselves: they build, their builds are kept, and none lies around unused.
import { readdir, readFile, stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { guest, guestNames } from '../guest-examples/build.ts';
import { greet } from '../guest-examples/example.ts';

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

test("the README's example does what it shows", async () => {
  expect(await greet(await guest('text-tools'), 'Ada')).toBe('Hello, Ada!');
});
