// Worlds of other shapes than a toolchain's usual: what worlds import directly, names that JavaScript gives a meaning, versions, and what the transpiler
// cannot handle.
import { describe, expect, test } from 'vitest';
import { compileProgram } from '../../src/component/compile.ts';
import { transpile } from '../../src/component/transpile.ts';
import { limits } from '../../src/limits.ts';
import { Meter } from '../../src/metering/meter.ts';
import { Sandbox } from '../../src/sandbox/sandbox.ts';
import { component, instantiate, lifted, load } from './support.ts';

const compile = async (text: string) => compileProgram(await component(text), { limits: limits.default });

/** A component that imports one function from each of the interfaces. */
function importing(...names: string[]): string {
  return `(component ${names.map((name) => `(import "${name}" (instance (export "f" (func))))`).join(' ')})`;
}

describe('imports', () => {
  test('of the world itself are functions, interfaces and resources', async () => {
    const program = await compile(`(component
      (import "get-now" (func $now (result u32)))
      (import "host" (instance $host (export "get" (func (result u32)))))
      (import "thing" (type $thing (sub resource)))
      (import "[constructor]thing" (func $make (result (own $thing))))
      (import "[method]thing.size" (func $size (param "self" (borrow $thing)) (result u32)))
      (alias export $host "get" (func $get))
      (core func $now (canon lower (func $now))) (core func $get (canon lower (func $get)))
      (core func $make (canon lower (func $make))) (core func $size (canon lower (func $size)))
      (core module $m (import "" "now" (func $now (result i32))) (import "" "get" (func $get (result i32)))
        (import "" "make" (func $make (result i32))) (import "" "size" (func $size (param i32) (result i32)))
        (func (export "sum") (result i32) (i32.add (i32.add (call $now) (call $get)) (call $size (call $make)))))
      (core instance $i (instantiate $m (with "" (instance (export "now" (func $now)) (export "get" (func $get)) (export "make" (func $make)) (export "size" (func $size))))))
      (func (export "sum") (result u32) (canon lift (core func $i "sum"))))`);
    expect(program.imports.map(({ module, name, kind }) => [module, name, kind])).toEqual([
      ['', 'get-now', 'function'],
      ['host', 'get', 'function'],
      ['', 'thing', 'resource'],
      ['', '[constructor]thing', 'function'],
      ['', '[method]thing.size', 'function'],
    ]);
    class Thing {
      size(): number {
        return 300;
      }
    }
    const meter = new Meter(limits.default);
    const provided = { 'get-now': { default: () => 1 }, host: { get: () => 20 }, thing: { default: Thing } };
    const { functions } = meter.run(() => program.instantiate(meter, provided, limits.default));
    expect(meter.run(() => functions.get('sum')?.invoke([]))).toBe(321);
    const missing = new Meter(limits.default);
    expect(() => missing.run(() => program.instantiate(missing, { ...provided, 'get-now': {} }))).toThrow(expect.objectContaining({ code: 'LINK_FAILED' }));
  });

  test.each([
    ['a:b/c@1.0.0', 'a:b/c@2.0.0'],
    ['a:b/c@0.1.0', 'a:b/c@0.2.0'],
    ['a:b/c@0.0.1', 'a:b/c@0.0.2'],
    ['a:b/c@1.0.0-rc.1', 'a:b/c@1.0.0'],
  ])('of %s and %s together are UNSUPPORTED_FEATURE', async (one, other) => {
    await expect(compile(importing(one, other))).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });

  test('of compatible versions are accepted together', async () => {
    expect((await compile(importing('a:b/c@1.2.0', 'a:b/c@1.3.1', 'wasi:io/poll@0.2.0', 'wasi:io/poll@0.2.6'))).imports).toHaveLength(4);
  });

  test.each(['wasi:clocks/wall-clock@0.3.0', 'wasi:clocks/wall-clock@0.2.0-rc-2023-11-10', 'wasi:clocks/wall-clock@1.0.0'])(
    'of %s are UNSUPPORTED_FEATURE',
    async (name) => {
      await expect(compile(importing(name))).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    },
  );

  test.each(['task', 'ret', 'results'])('called %s are UNSUPPORTED_FEATURE, as the glue would call something else', async (name) => {
    await expect(compile(`(component (import "a:b/c" (instance (export "${name}" (func)))))`)).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });

  // The import, lowered and called.
  const calling = (
    name: string,
  ): string => `(component (import "a:b/c" (instance $i (export "${name}" (func)))) (core func $f (canon lower (func $i "${name}")))
    (core module $m (import "h" "f" (func $f)) (func (export "go") (call $f))) (core instance $h (export "f" (func $f)))
    (core instance $n (instantiate $m (with "h" (instance $h)))) (func (export "go") (canon lift (core func $n "go"))))`;

  test.each(['trampoline0', 'exports0'])('called %s are refused where the glue has that name itself', async (name) => {
    await expect(compile(calling(name))).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature: `imports called ${name}` } });
  });

  test.each(['sha256', 'base64', 'md5', 'trampoline77'])('called %s are called', async (name) => {
    let calls = 0;
    const guest = await load(await component(calling(name)), { 'a:b/c': { [name]: () => void calls++ } });
    guest.call('go');
    expect(calls).toBe(1);
  });

  test('with numbers in their names stand between others', async () => {
    const names = ['hash', 'sha256', 'verify'];
    const all = (one: (name: string) => string): string => names.map(one).join(' ');
    const text = `(component (import "a:b/c" (instance $i ${all((name) => `(export "${name}" (func))`)})) ${all((name) => `(core func $${name} (canon lower (func $i "${name}")))`)}
      (core module $m ${all((name) => `(import "" "${name}" (func $${name}))`)} (func (export "go") (call $sha256) (call $verify)))
      (core instance $m (instantiate $m (with "" (instance ${all((name) => `(export "${name}" (func $${name}))`)})))) (func (export "go") (canon lift (core func $m "go"))))`;
    const calls: string[] = [];
    const guest = await load(await component(text), { 'a:b/c': Object.fromEntries(names.map((name) => [name, () => void calls.push(name)])) });
    guest.call('go');
    expect(calls).toEqual(['sha256', 'verify']);
  });
});

describe('exports', () => {
  test('with names that JavaScript gives a meaning are functions like others', async () => {
    const names = [
      'then',
      'constructor',
      'prototype',
      'to-string',
      'delete',
      'await',
      'name',
      'length',
      'eval',
      'undefined',
      'default',
      'uint8-array',
      'map',
      'global-this',
    ];
    const core = names.map((name, index) => `(func (export "${name}") (result i32) (i32.const ${index}))`).join('\n');
    const guest = await load(await lifted(core, Object.fromEntries(names.map((name) => [name, '(result u32)']))));
    for (const [index, name] of names.entries()) expect(guest.call(name)).toBe(index);
  });

  const exporting = (name: string): Promise<Uint8Array> =>
    lifted(`(func (export "${name}") (param i32) (result i32) (local.get 0))`, { [name]: '(param "x" u32) (result u32)' });

  test.each(['to-uint32', 'create-new-current-task', 'module0'])('called %s are refused where the glue would call them', async (name) => {
    await expect(load(await exporting(name))).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      details: { feature: expect.stringMatching(/^exports called/) },
    });
  });

  test.each(['gen', 'resolve', 'rep', 'task', 'instantiate', 'trampoline0'])('called %s, which the glue around them does not use, are called', async (name) => {
    expect((await load(await exporting(name))).call(name, 7)).toBe(7);
  });

  // A resource of the component's own with a method.
  const withMethod = (member: string): string => `(component
    (type $r (resource (rep i32))) (core func $new (canon resource.new $r))
    (core module $m (import "" "new" (func $new (param i32) (result i32))) (func (export "make") (result i32) (call $new (i32.const 1)))
      (func (export "five") (param i32) (result i32) (i32.const 5)))
    (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
    (func $make (result (own $r)) (canon lift (core func $i "make")))
    (func $five (param "self" (borrow $r)) (result u32) (canon lift (core func $i "five")))
    (component $wrapper (import "r" (type $r (sub resource))) (import "make" (func $make (result (own $r))))
      (import "five" (func $five (param "self" (borrow $r)) (result u32)))
      (export $mine "mine" (type $r)) (export "make" (func $make) (func (result (own $mine))))
      (export "[method]mine.${member}" (func $five) (func (param "self" (borrow $mine)) (result u32))))
    (instance $e (instantiate $wrapper (with "r" (type $r)) (with "make" (func $make)) (with "five" (func $five)))) (export "a:b/c" (instance $e)))`;

  test.each(['constructor', 'then', 'value-of'])('of a method called %s are called like others', async (member) => {
    const guest = await new Sandbox().load(await component(withMethod(member)));
    expect(await guest.call(`a:b/c#[method]mine.${member}`, await guest.call('a:b/c#make'))).toBe(5);
    guest.dispose();
  });

  test('of a resource that nothing makes or takes are a class', async () => {
    const guest = await load(await component('(component (type $r (resource (rep i32))) (instance $e (export "r" (type $r))) (export "a:b/c" (instance $e)))'));
    expect(guest.program.exports).toEqual([{ name: 'a:b/c#r', kind: 'resource' }]);
  });

  test('of owned resources come back when they are given away and returned', async () => {
    const guest = await load(
      await component(`(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "make") (result i32) (call $new (i32.const 7))) (func (export "pass") (param i32) (result i32) (local.get 0)) (func (export "rep") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func $make (result (own $r)) (canon lift (core func $i "make")))
        (func $pass (param "r" (own $r)) (result (own $r)) (canon lift (core func $i "pass")))
        (func $rep (param "r" (borrow $r)) (result u32) (canon lift (core func $i "rep")))
        (instance $e (export "r" (type $r)) (export "make" (func $make)) (export "pass" (func $pass)) (export "rep" (func $rep)))
        (export "a:b/c" (instance $e)))`),
    );
    const first = guest.call('a:b/c#make');
    expect(guest.call('a:b/c#rep', first)).toBe(7);
    const second = guest.call('a:b/c#pass', first);
    expect(guest.failure('a:b/c#rep', first).code).toBe('INVALID_ARGUMENT');
    expect(guest.call('a:b/c#rep', second)).toBe(7);
  });
});

describe('the transpiler', () => {
  // Strings that cross between two encodings inside a component are what it does not implement.
  const trapping = `(component
    (component $a (core module $m (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)) (func (export "take") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "take") (param "s" string) (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")) string-encoding=latin1+utf16)))
    (instance $a (instantiate $a))
    (component $b (import "take" (func $take (param "s" string)))
      (core module $memory (memory (export "memory") 1)) (core instance $memory (instantiate $memory))
      (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
      (core module $m (import "" "take" (func $take (param i32 i32))) (func (export "go") (call $take (i32.const 0) (i32.const 1))))
      (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
      (func (export "go") (canon lift (core func $i "go"))))
    (instance $b (instantiate $b (with "take" (func $a "take"))))
    (export "go" (func $b "go")))`;

  test('is replaced when an input makes it trap', async () => {
    await expect(transpile(await component(trapping))).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    const again = await transpile(await component('(component)'));
    expect(again.source).toContain('function instantiate');
  });

  test('says what is not valid about a component', async () => {
    const bytes = await component('(component (core module $m) (core instance $i (instantiate $m)))');
    bytes[bytes.indexOf(2, 8) + 3] = 9;
    await expect(compileProgram(bytes, { limits: limits.default })).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_MODULE|UNSUPPORTED_FEATURE/),
    });
  });

  test('makes no more glue than is worth compiling', async () => {
    const types = Array.from({ length: 12 }, (_, index) => (index === 0 ? '(type $t0 (list u8))' : `(type $t${index} (list $t${index - 1}))`)).join(' ');
    const functions = Array.from(
      { length: 1_800 },
      (_, index) => `(func (export "f${index}") (result $t11) (canon lift (core func $i "f") (memory (core memory $i "memory"))))`,
    ).join(' ');
    const text = `(component ${types} (core module $m (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0))) (core instance $i (instantiate $m)) ${functions})`;
    await expect(compile(text)).rejects.toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'glue' } });
  });
});

test('a program holds nothing of its guests', async () => {
  const core =
    '(global $count (mut i32) (i32.const 0)) (func (export "next") (result i32) (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))';
  const program = await compileProgram(await lifted(core, { next: '(result u32)' }), { limits: limits.default });
  const [one, other] = [instantiate(program), instantiate(program)];
  expect([one.call('next'), one.call('next'), other.call('next')]).toEqual([1, 2, 1]);
});
