// Core modules as programs, and bytes that are no program at all.
import { describe, expect, test } from 'vitest';
import { compileProgram } from '../../src/component/compile.ts';
import { limits } from '../../src/limits.ts';
import { Meter } from '../../src/metering/meter.ts';
import { wat } from '../support/wat.ts';
import { failureOf, load } from './support.ts';

const echo = `(module
  (memory (export "memory") 1)
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "two") (param i32) (result i32 i32) (local.get 0) (local.get 0))
  (func (export "ref") (param externref))
  (func (export "then") (result i32) (i32.const 3))
  (func (export "__proto__") (result i32) (i32.const 4)))`;

describe('functions', () => {
  test.each([
    ['i32', -(2 ** 31), -(2 ** 31)],
    ['i32', 2 ** 32 - 1, -1],
    ['i64', 2n ** 64n - 1n, -1n],
    ['f64', 0.1, 0.1],
    ['two', 7, [7, 7]],
  ] as [string, unknown, unknown][])('of type %s take and give numbers', async (name, value, result) => {
    expect((await load(await wat(echo))).call(name, value)).toEqual(result);
  });

  test.each([
    ['i32', 2 ** 32],
    ['i32', -(2 ** 31) - 1],
    ['i32', 0.5],
    ['i32', NaN],
    ['i32', '1'],
    ['i32', true],
    ['i64', 2n ** 64n],
    ['f64', undefined],
    ['ref', {}],
  ] as [string, unknown][])('of type %s refuse what does not fit', async (name, value) => {
    expect((await load(await wat(echo))).failure(name, value)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'args[0]' } });
  });

  test.each(['then', '__proto__'])('may be called %s', async (name) => {
    expect((await load(await wat(echo))).call(name)).toBe(name === 'then' ? 3 : 4);
  });

  test('are found only by their exact name', async () => {
    const guest = await load(await wat('(module (func (export "get-value")) (func (export "a@1#b")))'));
    expect([...guest.instance.functions.keys()]).toEqual(['get-value', 'a@1#b']);
    expect(() => guest.call('getValue')).toThrow('there is no getValue');
    expect(() => guest.call('a#b')).toThrow('there is no a#b');
  });
});

test('what is imported and exported is listed with its types', async () => {
  const bytes = await wat(
    '(module (import "env" "f" (func (param i32) (result i64))) (import "env" "m" (memory 1)) (func (export "g") (param f32)) (global (export "h") i32 (i32.const 0)))',
  );
  const { kind, bytes: size, imports, exports } = await compileProgram(bytes, { limits: limits.default });
  expect({ kind, size }).toEqual({ kind: 'core', size: bytes.length });
  expect(imports).toEqual([
    { module: 'env', name: 'f', kind: 'function', type: { params: ['i32'], results: ['i64'] } },
    { module: 'env', name: 'm', kind: 'memory' },
  ]);
  expect(exports).toEqual([
    { name: 'g', kind: 'function', type: { params: ['f32'], results: [] } },
    { name: 'h', kind: 'global' },
  ]);
});

test('host functions get what the guest gives, and their result is checked', async () => {
  const bytes = await wat(
    '(module (import "env" "twice" (func $f (param i32) (result i32))) (func (export "go") (param i32) (result i32) (call $f (local.get 0))))',
  );
  expect((await load(bytes, { env: { twice: (n: number) => 2 * n } })).call('go', 4)).toBe(8);
  expect((await load(bytes, { env: { twice: () => 'two' } })).failure('go', 4).code).toBe('HOST_FUNCTION_FAILED');
  expect((await load(bytes, { env: { twice: async () => 2 } })).failure('go', 4).code).toBe('HOST_FUNCTION_FAILED');
});

test.each([
  ['constructor', 'constructor'],
  ['env', 'toString'],
  ['env', 'missing'],
  ['__proto__', 'toString'],
])('the import %s %s is LINK_FAILED unless it is really provided', async (module, name) => {
  const bytes = await wat(`(module (import "${module}" "${name}" (func (param i32))))`);
  const program = await compileProgram(bytes, { limits: limits.default });
  const meter = new Meter(limits.default);
  expect(failureOf(() => meter.run(() => program.instantiate(meter, { env: {} })))).toMatchObject({ code: 'LINK_FAILED' });
});

test.each(['(memory 1)', '(table 1 funcref)', '(global i32)'])('an import of a %s is LINK_FAILED', async (type) => {
  await expect(load(await wat(`(module (import "env" "it" ${type}))`), { env: {} })).rejects.toMatchObject({ code: 'LINK_FAILED' });
});

describe('bytes that are no program', () => {
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);

  test.each([
    ['nothing', new Uint8Array(), 'there are no bytes'],
    ['text', text('hello world\n'), 'a text file'],
    ['WebAssembly text', text('(module)'), 'WebAssembly text'],
    ['an executable', text('\x7fELF\x02\x01'), 'an ELF executable'],
    ['markup', text('<!doctype html>'), 'a markup file'],
    ['an archive', text('PK\x03\x04'), 'a zip archive'],
    ['another version', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), 'another version'],
    ['noise', Uint8Array.of(0xde, 0xad, 0xbe, 0xef), 'unknown bytes'],
  ])('%s is INVALID_MODULE and said to be that', async (_what, bytes, said) => {
    await expect(compileProgram(bytes, { limits: limits.default })).rejects.toMatchObject({ code: 'INVALID_MODULE', message: expect.stringContaining(said) });
  });

  test('a module that the engine refuses is INVALID_MODULE with what the engine says', async () => {
    const bytes = await wat('(module (func (result i32)))');
    await expect(compileProgram(bytes, { limits: limits.default })).rejects.toMatchObject({
      code: 'INVALID_MODULE',
      message: expect.stringMatching(/expected 1 elements? on the stack/),
    });
  });

  test('one byte over limits.moduleBytes is MODULE_TOO_LARGE, exactly the limit passes', async () => {
    const bytes = await wat('(module (func (export "f")))');
    const at = (moduleBytes: number) => compileProgram(bytes, { limits: { ...limits.default, moduleBytes } });
    expect((await at(bytes.length)).bytes).toBe(bytes.length);
    await expect(at(bytes.length - 1)).rejects.toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'moduleBytes' } });
  });
});
