// Bad input of every kind through the public surface: each gets its error from the closed list, and the host goes on.
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { compile, type Guest, hostDirectory, limits, Sandbox } from 'gloveport';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guest } from '../guest-examples/build.ts';
import { codeOf, errorOf } from './support/rejection.ts';
import { wat } from './support/wat.ts';

const host = { 'demo:text/host': { log() {}, lookup() {} } };
const sandbox = new Sandbox({ imports: host });
const adder = await wat('(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))');
const textTools = await guest('text-tools');

async function hostStillWorks(): Promise<void> {
  await using next = await sandbox.load(adder);
  expect(await next.call('add', 40, 2)).toBe(42);
}

describe('bytes', () => {
  test('a module cut off anywhere is INVALID_MODULE', async () => {
    const whole = await guest('memory-bomb');
    const cuts = Array.from(whole.keys(), (length) => whole.subarray(0, length)).filter((cut) => !WebAssembly.validate(new Uint8Array(cut)));
    expect(cuts.length).toBeGreaterThan(100);
    for (const cut of cuts) expect(await codeOf(() => sandbox.load(cut))).toBe('INVALID_MODULE');
    await hostStillWorks();
  });

  test.each([4, 9, 100, 300_000, textTools.length - 1])('a component cut off after %i bytes is INVALID_MODULE', async (length) => {
    expect(await codeOf(() => sandbox.load(textTools.subarray(0, length)))).toBe('INVALID_MODULE');
  });

  test('random bytes are INVALID_MODULE', async () => {
    const property = fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(await codeOf(() => sandbox.load(bytes))).toBe('INVALID_MODULE');
    });
    await fc.assert(property, { seed: 1, numRuns: 200 });
    await hostStillWorks();
  });

  test.each([
    ['module', [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]],
    ['component', [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]],
  ])('random bytes behind the header of a %s never get past a typed error', async (_kind, header) => {
    const property = fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const source = new Uint8Array([...header, ...bytes]);
      if (WebAssembly.validate(source)) return;
      expect((await errorOf(() => sandbox.load(source))).category).toMatch(/^(parse|validation|limit)$/);
    });
    await fc.assert(property, { seed: 2, numRuns: 200 });
    await hostStillWorks();
  });

  test('a byte changed anywhere in a module ends in a module or a typed error', async () => {
    const whole = await guest('witness');
    const property = fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (position, change) => {
      const bytes = Uint8Array.from(whole);
      bytes[position] = (bytes[position] as number) ^ change;
      if (!WebAssembly.validate(bytes)) await errorOf(() => sandbox.load(bytes));
    });
    await fc.assert(property, { seed: 3, numRuns: 200 });
    await hostStillWorks();
  });

  test('bytes beyond moduleBytes are MODULE_TOO_LARGE, up to it they are looked at', async () => {
    const exact = new Sandbox({ limits: { moduleBytes: adder.length } });
    (await exact.load(adder)).dispose();
    const short = new Sandbox({ limits: { moduleBytes: adder.length - 1 } });
    expect(await codeOf(() => short.load(adder))).toBe('MODULE_TOO_LARGE');
    expect(await codeOf(() => sandbox.load(new Uint8Array(limits.default.moduleBytes + 1)))).toBe('MODULE_TOO_LARGE');
  });

  test('a text file is INVALID_MODULE, as bytes and by its path', async () => {
    expect(await codeOf(() => sandbox.load(new TextEncoder().encode('(module)')))).toBe('INVALID_MODULE');
    expect(await codeOf(() => sandbox.load(fileURLToPath(import.meta.url)))).toBe('INVALID_MODULE');
    expect(await codeOf(() => compile(new URL(import.meta.url)))).toBe('INVALID_MODULE');
  });

  test('a path that leads nowhere is FILE_NOT_FOUND, a folder IO_FAILED', async () => {
    expect(await codeOf(() => sandbox.load('nowhere/module.wasm'))).toBe('FILE_NOT_FOUND');
    expect(await codeOf(() => sandbox.load(fileURLToPath(new URL('.', import.meta.url))))).toBe('IO_FAILED');
  });

  test.each([[undefined], [null], [7], [{}], [[0, 97, 115, 109]]])('a source that is %j is INVALID_OPTION', async (source) => {
    expect(await codeOf(() => sandbox.load(source as never))).toBe('INVALID_OPTION');
  });
});

describe('imports that nobody provides', () => {
  test('of a component are LINK_FAILED and named', async () => {
    const error = await errorOf(() => new Sandbox().load(textTools));
    expect(error.code).toBe('LINK_FAILED');
    expect(error.message).toContain('demo:text/host');
  });

  test('of a core module are LINK_FAILED and named', async () => {
    const needy = await wat('(module (import "env" "launch" (func)))');
    const error = await errorOf(() => sandbox.load(needy));
    expect(error.code).toBe('LINK_FAILED');
    expect(error.message).toContain('launch');
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('are not found on a prototype: %s', async (name) => {
    const curious = await wat(`(module (import "${name}" "${name}" (func (param i32) (result i32))))`);
    expect(await codeOf(() => sandbox.load(curious))).toBe('LINK_FAILED');
    const nested = await wat(`(module (import "env" "${name}" (func (param i32) (result i32))))`);
    expect(await codeOf(() => new Sandbox({ imports: { env: {} } }).load(nested))).toBe('LINK_FAILED');
  });
});

describe('options', () => {
  test.each<[string, unknown]>([
    ['an unknown field', { grants: ['console'] }],
    ['an own field __proto__', JSON.parse('{ "__proto__": { "grant": 1 } }')],
    ['no object', 'console'],
    ['null', null],
    ['an unknown capability', { grant: ['consle'] }],
    ['an unknown capability bit', { grant: 1024 }],
    ['a negative capability mask', { grant: -1 }],
    ['a capability mask that is NaN', { grant: Number.NaN }],
    ['a limit that is NaN', { limits: { fuel: Number.NaN } }],
    ['a limit of zero', { limits: { fuel: 0 } }],
    ['a negative limit', { limits: { memoryBytes: -1 } }],
    ['an endless limit', { limits: { timeMs: Number.POSITIVE_INFINITY } }],
    ['a limit as text', { limits: { timeMs: '5000' } }],
    ['an unknown limit', { limits: { cpuMs: 5 } }],
    ['an unknown preset', { limits: 'unlimited' }],
    ['a preset from the prototype', { limits: 'constructor' }],
    ['an unknown isolation', { isolation: 'none' }],
    ['an unknown kind of output', { stdout: 'file' }],
    ['a relative mount', { mounts: { data: hostDirectory('/') } }],
    ['a mount that is no directory', { mounts: { '/data': '/srv' } }],
    ['an environment variable that is no text', { env: { LANG: 1 } }],
    ['arguments that are no list', { args: 'tool' }],
    ['imports that are no functions', { imports: { 'demo:text/host': { log: 'log' } } }],
    ['strict as text', { strict: 'yes' }],
  ])('%s is INVALID_OPTION', async (_what, options) => {
    expect(await codeOf(() => new Sandbox(options as never))).toBe('INVALID_OPTION');
  });

  test('a limit that is undefined is the default, not none', async () => {
    const careful = new Sandbox({ limits: { fuel: undefined, memoryBytes: undefined } });
    await using memory = await careful.load(await guest('memory-bomb'));
    expect(await memory.call('grow')).toBe(limits.default.memoryBytes / 65_536);
  });

  test('a mounted directory that does not exist is FILE_NOT_FOUND', async () => {
    const mounts = () => ({ '/data': hostDirectory(fileURLToPath(new URL('nowhere', import.meta.url))) });
    expect(await codeOf(() => new Sandbox({ grant: ['console', 'fs-read'], mounts: mounts() }).load(adder))).toBe('FILE_NOT_FOUND');
  });
});

describe('calls of a core module', () => {
  test.each<[string, string, unknown[], string]>([
    ['a function that is not there', 'subtract', [1, 2], 'FUNCTION_NOT_FOUND'],
    ['a name from the prototype', 'toString', [], 'FUNCTION_NOT_FOUND'],
    ['too few arguments', 'add', [1], 'INVALID_ARGUMENT'],
    ['too many arguments', 'add', [1, 2, 3], 'INVALID_ARGUMENT'],
    ['text for a number', 'add', ['1', 2], 'INVALID_ARGUMENT'],
    ['a bigint for an i32', 'add', [1n, 2], 'INVALID_ARGUMENT'],
    ['a fraction', 'add', [1.5, 2], 'INVALID_ARGUMENT'],
    ['NaN', 'add', [Number.NaN, 2], 'INVALID_ARGUMENT'],
    ['a number over 2^32-1', 'add', [2 ** 32, 2], 'INVALID_ARGUMENT'],
    ['a number under -2^31', 'add', [-(2 ** 31) - 1, 2], 'INVALID_ARGUMENT'],
    ['undefined', 'add', [undefined, 2], 'INVALID_ARGUMENT'],
    ['an object with a valueOf', 'add', [{ valueOf: () => 1 }, 2], 'INVALID_ARGUMENT'],
  ])('with %s fail and change nothing', async (_what, name, args, code) => {
    await using instance = await sandbox.load(adder);
    expect(await codeOf(() => instance.call(name, ...args))).toBe(code);
    expect(await codeOf(() => instance.callSync(name, ...args))).toBe(code);
    expect(instance.state).toBe('ready');
    expect(await instance.call('add', -(2 ** 31), 2 ** 32 - 1)).toBe(2 ** 31 - 1);
  });
});

describe('calls of a component', () => {
  let plugin: Guest;
  beforeAll(async () => {
    plugin = await sandbox.load(textTools);
  });
  afterAll(() => plugin.dispose());

  test.each<[string, string, unknown[], string, string]>([
    ['a function that is not there', 'demo:text/api#shout', ['a'], 'FUNCTION_NOT_FOUND', 'shout'],
    ['an interface that is not there', 'demo:text/ape#measure', ['a'], 'FUNCTION_NOT_FOUND', 'demo:text/ape'],
    ['too few arguments', 'demo:text/api#measure', [], 'INVALID_ARGUMENT', 'measure'],
    ['too many arguments', 'demo:text/api#measure', ['a', 'b'], 'INVALID_ARGUMENT', 'measure'],
    ['a number for text', 'demo:text/api#measure', [5], 'INVALID_ARGUMENT', 'args[0]'],
    ['a negative unsigned number', 'reading-time', [-1, 200], 'INVALID_ARGUMENT', 'args[0]'],
    ['a number that is too large', 'reading-time', [1, 2 ** 32], 'INVALID_ARGUMENT', 'args[1]'],
    ['an enum case that is not there', 'demo:text/api#count-words', ['a', 'by-length'], 'INVALID_ARGUMENT', 'args[1]'],
    ['no list', 'demo:text/api#sort-entries', [{ length: 1 }, 'alphabetical'], 'INVALID_ARGUMENT', 'args[0]'],
    ['a record without a field', 'demo:text/api#sort-entries', [[{ word: 'a' }], 'alphabetical'], 'INVALID_ARGUMENT', 'args[0][0].count'],
    ['a wrong type deep inside', 'demo:text/api#sort-entries', [[{ word: 'a', count: '1' }], 'alphabetical'], 'INVALID_ARGUMENT', 'args[0][0].count'],
  ])('with %s fail, name the place and change nothing', async (_what, name, args, code, place) => {
    const error = await errorOf(() => plugin.call(name, ...args));
    expect(error.code).toBe(code);
    expect(error.message).toContain(place);
    expect(plugin.state).toBe('ready');
    expect(await plugin.call('reading-time', 1_000, 220)).toBe(5);
  });
});

describe('a guest that is gone', () => {
  test('answers DISPOSED when it was disposed, and disposing it again is nothing', async () => {
    const instance = await sandbox.load(adder);
    instance.dispose();
    instance.dispose();
    expect(instance.state).toBe('disposed');
    expect(await codeOf(() => instance.call('add', 1, 2))).toBe('DISPOSED');
    expect(await codeOf(() => instance.callSync('add', 1, 2))).toBe('DISPOSED');
    await hostStillWorks();
  });

  test('answers GUEST_POISONED after a trap, naming the trap', async () => {
    await using instance = await sandbox.load(await wat('(module (func (export "fall") unreachable) (func (export "live")))'));
    await instance.call('live');
    expect(await codeOf(() => instance.call('fall'))).toBe('GUEST_TRAPPED');
    expect(instance.state).toBe('poisoned');
    const later = await errorOf(() => instance.call('live'));
    expect(later.code).toBe('GUEST_POISONED');
    expect(later.message).toMatch(/unreachable|GUEST_TRAPPED/);
    await hostStillWorks();
  });

  test('answers GUEST_POISONED after a limit, naming the limit', async () => {
    await using instance = await new Sandbox({ limits: { fuel: 100_000 } }).load(await guest('spin'));
    expect(await codeOf(() => instance.call('spin'))).toBe('FUEL_EXHAUSTED');
    expect((await errorOf(() => instance.call('spin'))).message).toContain('FUEL_EXHAUSTED');
    await hostStillWorks();
  });
});
