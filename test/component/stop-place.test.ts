// Where a guest stopped, through compiling and its cache: of core modules, of components with several, compiled here or stored by somebody else.
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readArtifact, writeArtifact } from '../../src/component/cache.ts';
import { compileProgram } from '../../src/component/compile.ts';
import { componentProgram } from '../../src/component/component-program.ts';
import { limits } from '../../src/limits.ts';
import { wat } from '../support/wat.ts';
import { component, instantiate, load } from './support.ts';

const TWO_MODULES = `(component
  (core module $library (func $low (export "low") (param i32) (nop) unreachable))
  (core module $main (import "library" "low" (func $low (param i32)))
    (func $through (export "through") (call $low (i32.const 1)))
    (func $own (export "own") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xffff)) (drop (memory.grow (i32.const 0))) (loop (br 0)))
    (memory 2))
  (core instance $l (instantiate $library))
  (core instance $m (instantiate $main (with "library" (instance $l))))
  (func (export "through") (canon lift (core func $m "through")))
  (func (export "own") (canon lift (core func $m "own"))))`;

/** Where `code`, which stands there once, stands in the core module that is the `index`-th of a component. */
function offsetIn(bytes: Uint8Array, index: number, ...code: number[]): number {
  const all = Buffer.from(bytes);
  let start = -1;
  for (let module = 0; module <= index; module++) start = all.indexOf(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), start + 1);
  const at = all.indexOf(Uint8Array.from(code), start);
  expect(at).toBeGreaterThan(start);
  return at - start;
}

describe('a component of two core modules', () => {
  test('says in which of them it trapped, and where', async () => {
    const bytes = await component(TWO_MODULES);
    const error = (await load(bytes)).failure('through');
    expect(error).toMatchObject({
      code: 'GUEST_TRAPPED',
      details: { source: { module: 'core1', function: 0, name: 'low', offset: offsetIn(bytes, 0, 0x01, 0x00, 0x0b) + 1 } },
    });
    expect(error.message).toMatch(/ \(in function 0 "low" of core1 at offset 0x[0-9a-f]+\)$/);
  });

  test('says in which of them it was stopped', async () => {
    const bytes = await component(TWO_MODULES);
    const error = (await load(bytes, {}, { fuel: 1_000_000 })).failure('own');
    expect(error).toMatchObject({
      code: 'FUEL_EXHAUSTED',
      details: { source: { module: 'core2', function: 2, name: 'own', offset: offsetIn(bytes, 1, 0x03, 0x40) } },
    });
  });

  test('says where it called the host function that failed', async () => {
    const bytes = await component(`(component
      (import "demo:host/api" (instance $host (export "fail" (func))))
      (core func $lowered (canon lower (func $host "fail")))
      (core module $main (import "" "fail" (func $fail)) (func $calls (export "go") (nop) (call $fail)))
      (core instance $m (instantiate $main (with "" (instance (export "fail" (func $lowered))))))
      (func (export "go") (canon lift (core func $m "go"))))`);
    const cause = new Error('no');
    const fail = (): never => {
      throw cause;
    };
    const error = (await load(bytes, { 'demo:host/api': { fail } })).failure('go');
    expect(error).toMatchObject({
      code: 'HOST_FUNCTION_FAILED',
      cause,
      details: { source: { function: 1, name: 'calls', offset: offsetIn(bytes, 0, 0x10, 0x00) } },
    });
  });
});

describe('from the cache', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gloveport-places-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('a program says the same as when it was compiled', async () => {
    // Another number in each test, so that no program is found in memory.
    const bytes = await component(TWO_MODULES.replace('0xffff', String(Math.floor(Math.random() * 0xffff))));
    const compiled = await compileProgram(bytes, { limits: limits.default, cacheDirectory: directory });
    const first = instantiate(compiled).failure('through');
    const [file] = (await readdir(directory)) as [string];
    const artifact = await readArtifact(directory, file.replace('.program', ''));
    const modules = await Promise.all(artifact?.modules.map((module) => WebAssembly.compile(module.bytes)) ?? []);
    const again = instantiate(componentProgram(artifact as NonNullable<typeof artifact>, modules)).failure('through');
    expect(first.details.source).toBeDefined();
    expect(again.details).toEqual(first.details);
    expect(again.message).toBe(first.message);
  });

  test('a program whose trace was spoilt says less, and stops as well', async () => {
    const bytes = await wat('(module (func $f (export "go") unreachable))');
    await compileProgram(bytes, { limits: limits.default, cacheDirectory: directory });
    const [file] = (await readdir(directory)) as [string];
    const key = file.replace('.program', '');
    const artifact = (await readArtifact(directory, key)) as NonNullable<Awaited<ReturnType<typeof readArtifact>>>;
    const trace = { ...artifact.modules[0]?.descriptor.trace, spans: new Uint8Array([0xff, 0xff]), names: 7 };
    await writeArtifact(directory, key, {
      ...artifact,
      modules: artifact.modules.map((module) => ({ ...module, descriptor: { ...module.descriptor, trace } })),
    } as never);
    const another = join(directory, 'moved');
    await mkdir(another);
    await copyFile(join(directory, file), join(another, file));
    const guest = instantiate(await compileProgram(bytes, { limits: limits.default, cacheDirectory: another }));
    expect(guest.failure('go').details).toEqual({ trap: 'unreachable' });
  });
});
