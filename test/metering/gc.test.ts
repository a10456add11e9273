// The collector's heap: every way to take some of it, at the edge of the limit and with lengths that would wrap; and exceptions, which stay as long as they
// are kept.
import { describe, expect, it } from 'vitest';
import { load, loadGc, type MeteredGuest } from './harness.ts';

const TYPES = `(type $pair (struct (field (mut i32)) (field (mut i64)))) (type $empty (struct))
  (type $bytes (array (mut i8))) (type $shorts (array (mut i16))) (type $words (array (mut i32))) (type $longs (array (mut i64)))
  (type $vectors (array (mut v128))) (type $refs (array (mut funcref)))`;
const loop = (body: string): string => `(local.set $n (i32.add (local.get $n) (i32.const 1)))
  (block $out (loop $l (br_if $out (i32.eqz (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) ${body} (br $l)))`;
const ELEMENTS = [
  ['bytes', 1],
  ['shorts', 2],
  ['words', 4],
  ['longs', 8],
  ['vectors', 16],
  ['refs', 8],
] as const;
const ARRAYS = `(module ${TYPES} (data $d "0123456789abcdef") (elem $e funcref (ref.null func) (ref.null func))
  ${ELEMENTS.map(([name]) => `(func (export "${name}") (param i32) (result i32) (array.len (array.new_default $${name} (local.get 0))))`).join('\n')}
  (func (export "array.new") (param i32) (result i32) (array.len (array.new $bytes (i32.const 1) (local.get 0))))
  (func (export "array.new_data") (param i32) (result i32) (array.len (array.new_data $bytes $d (i32.const 0) (local.get 0))))
  (func (export "array.new_elem") (param i32) (result i32) (array.len (array.new_elem $refs $e (i32.const 0) (local.get 0))))
  (func (export "array.fill") (param i32) (array.fill $bytes (array.new_default $bytes (i32.const 10)) (i32.const 0) (i32.const 1) (local.get 0)))
  (func (export "array.copy") (param i32)
    (array.copy $bytes $bytes (array.new_default $bytes (i32.const 10)) (i32.const 0) (array.new_default $bytes (i32.const 10)) (i32.const 0) (local.get 0)))
  (func (export "array.init_data") (param i32) (array.init_data $bytes $d (array.new_default $bytes (i32.const 10)) (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "array.init_elem") (param i32) (array.init_elem $refs $e (array.new_default $refs (i32.const 10)) (i32.const 0) (i32.const 0) (local.get 0)))
  (func (export "caught") (param i32) (result i32)
    (block $h (try_table (catch_all $h) (return (array.len (array.new_default $bytes (local.get 0)))))) (i32.const -7)))`;
/** Lengths without sign that an i32 shows as negative, and those that wrap when they are turned into bytes. */
const HUGE = [2 ** 29, 2 ** 30, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31) + 1, -1, 2 ** 28 + 1];
const OBJECTS = `(module ${TYPES}
  (func (export "struct.new") (param $n i32) ${loop('(drop (struct.new $pair (i32.const 1) (i64.const 2)))')})
  (func (export "struct.new_default") (param $n i32) ${loop('(drop (struct.new_default $pair))')})
  (func (export "empty") (param $n i32) ${loop('(drop (struct.new $empty))')})
  (func (export "array.new_fixed") (param $n i32) ${loop('(drop (array.new_fixed $longs 2 (i64.const 1) (i64.const 2)))')})
  (func (export "any.convert_extern") (param $n i32) (param $v externref) ${loop('(drop (any.convert_extern (local.get $v)))')})
  (func (export "extern.convert_any") (param $n i32) ${loop('(drop (extern.convert_any (ref.i31 (local.get $n))))')}))`;
const OVER = { code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes' } };

/** What may be allocated when `call` just fits, by trying. */
async function leastHeap(text: string, call: (guest: MeteredGuest) => unknown): Promise<number> {
  let [low, high] = [0, 2 ** 29];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const guest = await loadGc(text, { gcBytes: middle });
    try {
      call(guest);
      high = middle;
    } catch {
      low = middle;
    }
  }
  return high;
}

describe('objects of the collector', () => {
  it.each([
    ['struct.new', 32],
    ['struct.new_default', 32],
    ['empty', 16],
    ['array.new_fixed', 40],
    ['any.convert_extern', 16],
    ['extern.convert_any', 16],
  ])('made by %s count %i bytes each, up to the limit and in all calls together', async (name, bytes) => {
    const guest = await loadGc(OBJECTS, { gcBytes: 5_000 * bytes });
    guest.call(name, 3_000, 1.5);
    guest.call(name, 2_000, 1.5);
    expect(guest.failure(name, 1, 1.5)).toMatchObject(OVER);
    expect(guest.failure(name, 0, 1.5).code).toBe('GUEST_POISONED');
  });

  it.each(ELEMENTS)('count their elements: arrays of %s take %i bytes for each', async (name, size) => {
    const bytes = 24 + 10_000 * size;
    expect((await loadGc(ARRAYS, { gcBytes: bytes })).call(name, 10_000)).toBe(10_000);
    expect((await loadGc(ARRAYS, { gcBytes: bytes - 1 })).failure(name, 10_000)).toMatchObject({ ...OVER, details: { value: bytes, maximum: bytes - 1 } });
  });

  it.each(ELEMENTS)('are refused before the engine makes them: arrays of %s of any length', async (name) => {
    for (const length of HUGE) {
      const guest = await loadGc(ARRAYS, { gcBytes: 2 ** 28 });
      expect(guest.failure(name, length), String(length)).toMatchObject(OVER);
      expect(guest.meter.usage.fuel).toBeGreaterThan(2 ** 27);
      expect((await loadGc(ARRAYS, { fuel: 1_000_000 })).failure(name, length).code).toBe('FUEL_EXHAUSTED');
    }
  });

  it.each(['array.new', 'array.new_data', 'array.new_elem', 'caught'])('are refused likewise when made by %s', async (name) => {
    for (const length of HUGE) expect((await loadGc(ARRAYS)).failure(name, length)).toMatchObject(OVER);
    const guest = await loadGc(ARRAYS);
    expect(guest.call(name, 2)).toBe(2);
    expect(guest.fuel(name, 2)).toBeGreaterThan(24);
  });

  it.each(['array.fill', 'array.copy', 'array.init_data', 'array.init_elem'])('are charged for by %s, whatever its length', async (name) => {
    for (const length of HUGE) {
      expect((await loadGc(ARRAYS)).failure(name, length).code).toBe('GUEST_TRAPPED');
      const poor = await loadGc(ARRAYS, { fuel: 1_000_000 });
      expect(poor.failure(name, length).code).toBe('FUEL_EXHAUSTED');
    }
    const guest = await loadGc(ARRAYS);
    expect(guest.fuel(name, 2) - guest.fuel(name, 0)).toBe(8);
  });
});

describe('initialisers', () => {
  it.each([
    ['a global', '(global (ref $bytes) (array.new_default $bytes (i32.const 1000)))', 24 + 1_000],
    ['a global that is computed', '(global (ref $bytes) (array.new $bytes (i32.const 1) (i32.add (i32.const 500) (i32.const 500))))', 24 + 1_000],
    ['several globals', '(global (ref $pair) (struct.new_default $pair)) (global (ref $pair) (struct.new_default $pair))', 64],
    ['fixed arrays', '(global (ref $longs) (array.new_fixed $longs 2 (i64.const 1) (i64.const 2)))', 40],
    ['an element segment', '(elem (ref $pair) (item (struct.new_default $pair)) (item (struct.new_default $pair)))', 64],
    ['a table', '(table 2 (ref $pair) (struct.new_default $pair))', 32],
  ])('count: %s', async (_what, definition, bytes) => {
    const text = `(module ${TYPES} ${definition} (func (export "more") (drop (struct.new_default $empty))))`;
    const guest = await loadGc(text, { gcBytes: bytes });
    expect(guest.failure('more')).toMatchObject(OVER);
    await expect(loadGc(text, { gcBytes: bytes - 1 })).rejects.toMatchObject({ ...OVER, details: { value: bytes } });
  });

  it('that ask for more than there can be are refused before they run', async () => {
    for (const length of [2 ** 27, 2 ** 29, 2 ** 31 - 1, -1, -(2 ** 31)]) {
      const text = `(module ${TYPES} (global (ref $longs) (array.new_default $longs (i32.const ${length}))))`;
      await expect(loadGc(text), String(length)).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED' });
    }
  });

  it('whose length cannot be known are refused', async () => {
    const text = `(module ${TYPES} (import "env" "n" (global $n i32)) (global (ref $bytes) (array.new_default $bytes (global.get $n))))`;
    const n = new WebAssembly.Global({ value: 'i32' }, 2 ** 30);
    await expect(loadGc(text, {}, { env: { n } })).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  });
});

describe('exceptions', () => {
  const KEPT = `(module (tag $e (param i32 i64)) (tag $plain)
    (func $throw (throw $e (i32.const 1) (i64.const 2)))
    (func (export "kept") (param $n i32)
      ${loop('(block $h (result exnref) (try_table (catch_all_ref $h) (throw $plain)) (unreachable)) (drop)')})
    (func (export "values") (param $n i32)
      ${loop('(block $h (result i32 i64 exnref) (try_table (catch_ref $e $h) (call $throw)) (unreachable)) (drop) (drop) (drop)')}))`;
  const DROPPED = `(module (tag $e)
    (func (export "go") (param $n i32) ${loop('(block $h (try_table (catch $e $h) (throw $e)))')}))`;

  it('that can be kept count, with their values', async () => {
    const one = await leastHeap(KEPT, (guest) => guest.call('kept', 100));
    expect(one).toBe(100 * 96);
    expect(await leastHeap(KEPT, (guest) => guest.call('values', 100))).toBe(100 * (96 + 16 + 32));
    const guest = await loadGc(KEPT, { gcBytes: one });
    expect(guest.failure('kept', 1_000_000)).toMatchObject(OVER);
  });

  it('that nobody can keep do not', async () => {
    const guest = await load(DROPPED, { gcBytes: 1 });
    guest.call('go', 10_000);
    expect(guest.meter.stopped).toBeUndefined();
  });
});
