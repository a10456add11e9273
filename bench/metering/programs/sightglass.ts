// The prebuilt programs of a checkout of bytecodealliance/sightglass, which the environment variable SIGHTGLASS names. Only the time between their calls
// of `bench.start` and `bench.end` counts.
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock, Driver, Program } from './program.ts';
import { command } from './wasi.ts';

/** Components, programs that do nothing once compiled, one that asks for a neural network of the host, and one that takes a quarter of a minute. */
const LEFT_OUT = /^(cm-online-stats|kotlin-richards|noop|shootout-nestedloop|image-classification-benchmark|shootout-seqhash)$/;
/** Of libsodium's more than 70 tests, those that compute for a while, one for each kind of work. */
const LIBSODIUM = /^libsodium-(aead_chacha20poly1305|box_easy2|core_ed25519|generichash|kx|pwhash_argon2i|pwhash_scrypt|scalarmult|sign|stream)$/;

export function sightglassPrograms(checkout: string | undefined): Program[] {
  if (checkout === undefined) return [];
  const folder = join(checkout, 'benchmarks');
  return globSync('**/*.wasm', { cwd: folder })
    .toSorted()
    .map((path) => ({ name: nameOf(path), path: join(folder, path) }))
    .filter(({ name }) => !LEFT_OUT.test(name) && (!name.startsWith('libsodium') || LIBSODIUM.test(name)))
    .map(({ name, path }) => ({ name: `sightglass/${name}`, prepare: () => prepare(path) }));
}

function nameOf(path: string): string {
  const file = basename(path, '.wasm');
  return file === 'benchmark' ? basename(dirname(path)) : file;
}

async function prepare(path: string): Promise<Driver> {
  let clock: Clock | undefined;
  const bench = { start: () => clock?.start(), end: () => clock?.stop() };
  const driver = await command({ bytes: readFileSync(path), args: [nameOf(path)], preopens: { '.': dirname(path) }, imports: { bench } });
  return {
    ...driver,
    run(given) {
      clock = given;
      return driver.run(given);
    },
  };
}
