// Components that break the canonical ABI on purpose, written as text: what they claim of lists, strings and handles is never believed, costs them fuel
// and host bytes, and ends in a typed error.
import { beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../src/component/compile.ts';
import type { Program } from '../../src/component/program.ts';
import { limits } from '../../src/limits.ts';
import { component, instantiate, lifted, load, type TestGuest } from './support.ts';

const MEMORY_BYTES = 131_072;

describe('what a guest claims of its memory', () => {
  // Each function returns a pointer and a length as it is told; `fill` writes `count` such pairs first and claims `length` of them.
  const core = `
    (func (export "pair") (param i32 i32) (result i32) (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0))
    (func $fill (export "fill") (param $length i32) (param $at i32) (param $inner i32) (param $count i32) (result i32) (local $next i32)
      (local.set $next (i32.const 1024))
      (loop $again
        (i32.store (local.get $next) (local.get $at)) (i32.store offset=4 (local.get $next) (local.get $inner))
        (local.set $next (i32.add (local.get $next) (i32.const 8)))
        (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
      (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (local.get $length)) (i32.const 0))
    (data (i32.const 512) "\\ff\\fe\\ed\\a0\\80") (data (i32.const 520) "\\00\\d8\\61\\00") (data (i32.const 600) "\\02")`;
  const pair = '(param "at" u32) (param "length" u32)';
  const fill = '(param "length" u32) (param "at" u32) (param "inner" u32) (param "count" u32)';
  let program: Program;
  const fresh = (overrides = {}): TestGuest => instantiate(program, {}, overrides);

  beforeAll(async () => {
    const lift = (name: string, type: string, core: string, options = ''): string =>
      `(func (export "${name}") ${type} (canon lift (core func $i "${core}") (memory (core memory $i "memory")) ${options}))`;
    const bytes = await component(`(component
      (core module $m (memory (export "memory") 2) ${core})
      (core instance $i (instantiate $m))
      ${lift('bytes', `${pair} (result (list u8))`, 'pair')}
      ${lift('doubles', `${pair} (result (list f64))`, 'pair')}
      ${lift('text', `${pair} (result string)`, 'pair')}
      ${lift('text16', `${pair} (result string)`, 'pair', 'string-encoding=utf16')}
      ${lift('bools', `${pair} (result (list bool))`, 'pair')}
      ${lift('chars', `${pair} (result (list char))`, 'pair')}
      ${lift('lists', `${fill} (result (list (list bool)))`, 'fill')}
      ${lift('texts', `${fill} (result (list string))`, 'fill')})`);
    program = await compileProgram(bytes, { limits: limits.default });
  });

  test('is given when it is true, up to the last byte', () => {
    const guest = fresh();
    expect(guest.call('bytes', 0, MEMORY_BYTES)).toHaveLength(MEMORY_BYTES);
    expect(guest.call('bytes', MEMORY_BYTES, 0)).toHaveLength(0);
    expect(guest.call('doubles', MEMORY_BYTES - 8, 1)).toEqual(Float64Array.of(0));
    expect(guest.call('text', MEMORY_BYTES - 1, 1)).toBe('\0');
    expect(guest.call('bools', MEMORY_BYTES - 1, 1)).toEqual([false]);
  });

  test.each([
    ['bytes', MEMORY_BYTES - 3, 4],
    ['bytes', MEMORY_BYTES + 1, 0],
    ['bytes', 2 ** 32 - 1, 2],
    ['bytes', 0, 2 ** 32 - 1],
    ['doubles', 0, 2 ** 29 + 1],
    ['doubles', 4, 1],
    ['text', MEMORY_BYTES, 1],
    ['text', 2 ** 32 - 1, 2],
    ['text', 0, 2 ** 31],
    ['text16', 1, 1],
    ['text16', 0, 2 ** 31],
    ['bools', MEMORY_BYTES, 1],
    ['bools', 600, 1],
    ['chars', 512, 1],
  ])('is a trap when it is not: %s at %i of %i', (name, at, length) => {
    expect(fresh().failure(name, at, length).code).toBe('GUEST_TRAPPED');
  });

  test.each([
    ['text', 512, 2],
    ['text', 514, 3],
    ['text16', 520, 2],
  ])('is a trap when a string is not well-formed: %s at %i of %i', (name, at, length) => {
    expect(fresh().failure(name, at, length)).toMatchObject({ code: 'GUEST_TRAPPED', details: { trap: 'a string is not well-formed' } });
  });

  test('of 2^28 elements is paid for before it is looked at', () => {
    const guest = fresh();
    expect(guest.failure('bools', 0, 2 ** 28)).toMatchObject({ code: 'FUEL_EXHAUSTED' });
  });

  test('of more elements than limits.hostBytes allows is refused before it is looked at', () => {
    const guest = fresh({ fuel: 1e12, hostBytes: 1_000_000 });
    expect(guest.failure('bools', 0, 2 ** 28)).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'hostBytes' } });
  });

  test('of lists that all lie at one place counts as often as it is claimed', () => {
    const [rows, row] = [500, 500];
    const guest = fresh();
    const result = guest.call('lists', rows, MEMORY_BYTES - row, row, rows) as unknown[][];
    expect(result.map((inner) => inner.length)).toEqual(Array.from({ length: rows }, () => row));
    expect(guest.meter.usage.fuel).toBeGreaterThan(rows * row * 10);
    expect(fresh({ hostBytes: 1_000_000 }).failure('lists', rows, MEMORY_BYTES - row, row, rows).code).toBe('MEMORY_EXCEEDED');
    expect(fresh({ fuel: 1_000_000 }).failure('lists', rows, MEMORY_BYTES - row, row, rows).code).toBe('FUEL_EXHAUSTED');
  });

  test('of strings that all lie at one place counts as often as it is claimed', () => {
    expect(fresh({ hostBytes: 10_000_000 }).failure('texts', 1_000, 70_000, 60_000, 1_000)).toMatchObject({ code: 'MEMORY_EXCEEDED' });
    expect(fresh({ hostBytes: 10_000_000 }).call('texts', 10, 70_000, 60_000, 10)).toHaveLength(10);
  });

  test('starts a new account with each call', () => {
    const guest = fresh({ hostBytes: MEMORY_BYTES + 1_000 });
    for (let call = 0; call < 10; call++) expect(guest.call('bytes', 0, MEMORY_BYTES)).toHaveLength(MEMORY_BYTES);
  });
});

describe('lists of elements that are small in the guest and large in the host', () => {
  // A byte for each of 900 flags types of eight, or of 900 variants.
  const WIDE = 900;
  const listing = (inner: string, type: string, pages = 1): Promise<Uint8Array> =>
    component(`(component
      (import "host:test/t" (instance $c (type $f0 ${inner}) (export "f" (type $f (eq $f0))))) (alias export $c "f" (type $f))
      (type $t ${type})
      (core module $m (memory (export "memory") ${pages})
        (func (export "go") (param i32) (result i32) (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (local.get 0)) (i32.const 0)))
      (core instance $i (instantiate $m))
      (func (export "go") (param "n" u32) (result (list $t)) (canon lift (core func $i "go") (memory (core memory $i "memory")))))`);
  const flags = `(flags ${Array.from({ length: 8 }, (_, index) => `"f${index}"`).join(' ')})`;
  const wide = `(tuple ${'$f '.repeat(WIDE)})`;

  test.each([
    ['flags', flags, wide, 320],
    ['variants', '(variant (case "a") (case "b"))', wide, 128],
    ['records around records', '(record (field "a" (tuple (tuple (tuple (tuple u8))))))', wide, 6 * 64],
  ])('are charged for what they become: %s', async (_what, inner, type, bytesEach) => {
    const program = await compileProgram(await listing(inner, type), { limits: limits.default });
    const hostBytes = 10 * WIDE * bytesEach;
    expect(instantiate(program, {}, { hostBytes: 2 * hostBytes }).call('go', 10)).toHaveLength(10);
    expect(instantiate(program, {}, { hostBytes: hostBytes - 1 }).failure('go', 10)).toMatchObject({ code: 'MEMORY_EXCEEDED' });
    const guest = instantiate(program);
    const before = guest.meter.usage.fuel;
    guest.call('go', 10);
    expect(guest.meter.usage.fuel - before).toBeGreaterThan(10 * WIDE * 50);
    expect(instantiate(program, {}, { fuel: 10 * WIDE * 50 }).failure('go', 10)).toMatchObject({ code: 'FUEL_EXHAUSTED' });
  });

  test('are charged in slices, each of them before it is lifted', async () => {
    const program = await compileProgram(await listing('(enum "a" "b")', '(tuple $f $f $f $f)'), { limits: limits.default });
    const charges: number[] = [];
    const guest = instantiate(program);
    const { charge } = guest.meter.control;
    Object.assign(guest.meter.control, {
      charge(units: number) {
        charges.push(units);
        charge(units);
      },
    });
    expect(guest.call('go', 5_000)).toHaveLength(5_000);
    const slices = charges.filter((units) => units > 100_000);
    expect(slices).toEqual([5_000 * 50, 2_048 * 250, 2_048 * 250, 904 * 250]);
  });

  test('of ordinary size are far from any limit', async () => {
    const record = '(record (field "x" f64) (field "y" f64) (field "label" (option u32)) (field "on" bool))';
    const program = await compileProgram(await listing(record, '(tuple $f)', 40), { limits: limits.default });
    expect(instantiate(program, {}, { hostBytes: limits.default.hostBytes / 2 }).call('go', 50_000)).toHaveLength(50_000);
  });
});

describe('the values that a guest passes to its host', () => {
  test('are checked, charged, and counted anew for each call', async () => {
    const bytes = await component(`(component
      (import "host:test/sink" (instance $sink (export "take" (func (param "bytes" (list u8))))))
      (alias export $sink "take" (func $take))
      (core module $memory (memory (export "memory") 2))
      (core instance $memory (instantiate $memory))
      (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
      (core module $m (import "" "take" (func $take (param i32 i32)))
        (func (export "take") (param i32 i32 i32) (loop $again (call $take (local.get 0) (local.get 1))
          (br_if $again (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))))
      (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
      (func (export "take") (param "at" u32) (param "length" u32) (param "times" u32) (canon lift (core func $i "take"))))`);
    const program = await compileProgram(bytes, { limits: limits.default });
    const taken: number[] = [];
    const hosts = { 'host:test/sink': { take: (given: Uint8Array) => void taken.push(given.length) } };
    instantiate(program, hosts, { hostBytes: MEMORY_BYTES }).call('take', 0, MEMORY_BYTES, 3);
    expect(taken).toEqual([MEMORY_BYTES, MEMORY_BYTES, MEMORY_BYTES]);
    expect(instantiate(program, hosts).failure('take', MEMORY_BYTES - 1, 2, 1).code).toBe('GUEST_TRAPPED');
    expect(instantiate(program, hosts).failure('take', 2 ** 31, 1, 1).code).toBe('GUEST_TRAPPED');
    expect(instantiate(program, hosts, { fuel: 1_000_000 }).failure('take', 0, 0, 1_000_000).code).toBe('FUEL_EXHAUSTED');
    expect(taken.length).toBeLessThan(200);
  });
});

test.each([
  ['result', '(result u8 (error u8))'],
  ['variant', '(variant (case "ok" u8) (case "err" u8))'],
])('an ok value that is a %s with an err is passed on as the ok value', async (_what, type) => {
  const bytes = await component(`(component
    (import "host:test/t" (instance $h (type $t0 ${type}) (export "t" (type $t (eq $t0))) (export "get" (func (result (result $t))))))
    (alias export $h "get" (func $get))
    (core module $memory (memory (export "memory") 1)) (core instance $memory (instantiate $memory))
    (core func $get (canon lower (func $get) (memory (core memory $memory "memory"))))
    (core module $m (import "" "get" (func $get (param i32))) (import "" "memory" (memory 1))
      (func (export "go") (result i32) (call $get (i32.const 8)) (i32.load (i32.const 8))))
    (core instance $i (instantiate $m (with "" (instance (export "get" (func $get)) (export "memory" (memory $memory "memory"))))))
    (func (export "go") (result u32) (canon lift (core func $i "go"))))`);
  const get = (value: unknown) => ({ 'host:test/t': { get: () => value } });
  // Discriminant of the outer result, of the inner value, payload.
  expect((await load(bytes, get({ tag: 'err', val: 7 }))).call('go')).toBe(0x07_01_00);
  expect((await load(bytes, get({ tag: 'ok', val: 9 }))).call('go')).toBe(0x09_00_00);
});

describe('handles', () => {
  class Thing {
    readonly #size = 7;
    size(): number {
      return this.#size;
    }
  }
  let program: Program;
  const fresh = (overrides = {}): TestGuest => instantiate(program, { 'host:test/things': { Thing } as never }, overrides);

  beforeAll(async () => {
    const lift = (name: string, type: string): string => `(func (export "${name}") ${type} (canon lift (core func $i "${name}")))`;
    const again = '(br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))';
    const bytes = await component(`(component
      (import "host:test/things" (instance $things
        (export "thing" (type $thing (sub resource)))
        (export "[constructor]thing" (func (result (own $thing))))
        (export "[method]thing.size" (func (param "self" (borrow $thing)) (result u32)))))
      (alias export $things "thing" (type $thing))
      (alias export $things "[constructor]thing" (func $make))
      (alias export $things "[method]thing.size" (func $size))
      (core func $make (canon lower (func $make)))
      (core func $size (canon lower (func $size)))
      (core func $drop (canon resource.drop $thing))
      (type $own (resource (rep i32)))
      (core func $new (canon resource.new $own))
      (core func $rep (canon resource.rep $own))
      (core func $drop-own (canon resource.drop $own))
      (core module $m
        (import "" "make" (func $make (result i32))) (import "" "size" (func $size (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
        (import "" "new" (func $new (param i32) (result i32))) (import "" "rep" (func $rep (param i32) (result i32))) (import "" "drop-own" (func $drop-own (param i32)))
        (func (export "make") (result i32) (call $size (call $make)))
        (func (export "size") (param i32) (result i32) (call $size (local.get 0)))
        (func (export "drop") (param i32) (call $drop (local.get 0)))
        (func (export "rep") (param i32) (result i32) (call $rep (local.get 0)))
        (func (export "drop-own") (param i32) (call $drop-own (local.get 0)))
        (func (export "use-dropped") (result i32) (local i32) (local.set 0 (call $make)) (call $drop (local.get 0)) (call $size (local.get 0)))
        (func (export "drop-twice") (local i32) (local.set 0 (call $make)) (call $drop (local.get 0)) (call $drop (local.get 0)))
        (func (export "keep") (param i32) (loop $again (drop (call $make)) ${again}))
        (func (export "keep-own") (param i32) (loop $again (drop (call $new (local.get 0))) ${again}))
        (func (export "churn") (param i32) (loop $again (call $drop-own (call $new (local.get 0))) (call $drop (call $make)) ${again})))
      (core instance $i (instantiate $m (with "" (instance
        (export "make" (func $make)) (export "size" (func $size)) (export "drop" (func $drop))
        (export "new" (func $new)) (export "rep" (func $rep)) (export "drop-own" (func $drop-own))))))
      ${lift('make', '(result u32)')} ${lift('size', '(param "handle" u32) (result u32)')} ${lift('drop', '(param "handle" u32)')}
      ${lift('rep', '(param "handle" u32) (result u32)')} ${lift('drop-own', '(param "handle" u32)')}
      ${lift('use-dropped', '(result u32)')} ${lift('drop-twice', '')}
      ${lift('keep', '(param "count" u32)')} ${lift('keep-own', '(param "count" u32)')} ${lift('churn', '(param "count" u32)')})`);
    program = await compileProgram(bytes, { limits: limits.default });
  });

  test('that exist reach their resource', () => {
    expect(fresh().call('make')).toBe(7);
  });

  test.each(['size', 'drop', 'rep', 'drop-own'])('that were made up are a trap in %s', (name) => {
    for (const handle of [0, 1, 2, 77, 1_000_000, 2 ** 30, 2 ** 30 + 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1]) {
      expect(fresh().failure(name, handle)).toMatchObject({ code: 'GUEST_TRAPPED', details: { trap: expect.stringContaining('does not exist') } });
    }
  });

  test.each(['use-dropped', 'drop-twice'])('that were dropped are a trap in %s', (name) => {
    expect(fresh().failure(name)).toMatchObject({ code: 'GUEST_TRAPPED', details: { trap: expect.stringContaining('does not exist') } });
  });

  test.each(['keep', 'keep-own'])('are limited in %s, and exactly the limit passes', (name) => {
    expect(fresh({ handles: 50 }).call(name, 50)).toBeUndefined();
    expect(fresh({ handles: 50 }).failure(name, 51)).toMatchObject({ code: 'HANDLES_EXCEEDED', details: { maximum: 50 } });
  });

  test('that are dropped again are used again', () => {
    expect(fresh({ handles: 2 }).call('churn', 10_000)).toBeUndefined();
  });
});

describe('allocators', () => {
  const take = { take: '(param "text" string)' };
  test.each([
    ['returns what is beyond the memory', '(i32.const 131072)'],
    ['returns what wraps around', '(i32.const -1)'],
    ['traps', '(unreachable)'],
  ])('one that %s ends in a trap', async (_what, result) => {
    const bytes = await component(`(component (core module $m (memory (export "memory") 2)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) ${result}) (func (export "take") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "take") ${take.take} (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))`);
    expect((await load(bytes)).failure('take', 'text').code).toBe('GUEST_TRAPPED');
  });

  test('one that never ends is stopped by fuel', async () => {
    const bytes = await component(`(component (core module $m (memory (export "memory") 2)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (loop $again (br $again)) (unreachable)) (func (export "take") (param i32 i32)))
      (core instance $i (instantiate $m))
      (func (export "take") ${take.take} (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))`);
    expect((await load(bytes, {}, { fuel: 1_000_000 })).failure('take', 'text').code).toBe('FUEL_EXHAUSTED');
  });

  test('one that grows the memory is no trouble', async () => {
    const core = '(func (export "size") (param i32 i32) (result i32) (drop (memory.grow (i32.const 1))) (local.get 1))';
    expect((await load(await lifted(core, { size: '(param "text" string) (result u32)' }))).call('size', 'text')).toBe(4);
  });
});

test('discriminants that do not exist are a trap', async () => {
  const core = '(func (export "color") (param i32) (result i32) (local.get 0)) (func (export "flag") (param i32) (result i32) (local.get 0))';
  const definitions =
    '(import "host:test/colors" (instance $c (type $c0 (enum "red" "green")) (export "color" (type (eq $c0))))) (alias export $c "color" (type $color))';
  const bytes = await lifted(core, { color: '(param "n" u32) (result $color)', flag: '(param "n" u32) (result bool)' }, definitions);
  const guest = await load(bytes);
  expect(guest.call('color', 1)).toBe('green');
  expect(guest.call('flag', 1)).toBe(true);
  expect(guest.failure('color', 2).code).toBe('GUEST_TRAPPED');
});

test('whole 64-bit numbers cross in full', async () => {
  const bytes = await lifted('(func (export "echo") (param i64) (result i64) (local.get 0))', { echo: '(param "n" u64) (result u64)' });
  const guest = await load(bytes);
  for (const value of [0n, 2n ** 63n, 2n ** 64n - 1n]) expect(guest.call('echo', value)).toBe(value);
});
