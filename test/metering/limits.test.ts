// Memory, tables and stack, each just under and just over its limit.
import { describe, expect, it } from 'vitest';
import { load } from './harness.ts';

const PAGE = 65_536;
const GROW = `(module (memory (export "memory") 1)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "touch") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "pages") (result i32) (memory.size)))`;

describe('the memory limit', () => {
  it('grants growth up to the limit and refuses one page more, as the specification has a refusal', async () => {
    const guest = await load(GROW, { memoryBytes: 10 * PAGE });
    expect(guest.call('grow', 9)).toBe(1);
    expect(guest.call('grow', 1)).toBe(-1);
    expect(guest.call('pages')).toBe(10);
    expect(guest.meter.usage).toMatchObject({ memoryBytes: 10 * PAGE, peakMemoryBytes: 10 * PAGE });
  });

  it('names the limit when a guest runs into a wall that a refusal left', async () => {
    const text = '(module (memory 1) (func (export "go") (drop (memory.grow (i32.const 100))) (drop (i32.load (i32.const 900000)))))';
    const guest = await load(text, { memoryBytes: 10 * PAGE });
    expect(guest.failure('go')).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'memoryBytes', value: 101 * PAGE, maximum: 10 * PAGE } });
  });

  it('calls the same wall a trap when nothing was refused', async () => {
    const guest = await load(GROW);
    expect(guest.failure('touch', 900_000).code).toBe('GUEST_TRAPPED');
  });

  it('counts all memories of a guest together', async () => {
    const text = `(module (memory $a 2) (memory $b 3)
      (func (export "a") (param i32) (result i32) (memory.grow $a (local.get 0)))
      (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0))))`;
    const guest = await load(text, { memoryBytes: 7 * PAGE });
    expect(guest.call('a', 1)).toBe(2);
    expect(guest.call('b', 2)).toBe(-1);
    expect(guest.call('b', 1)).toBe(3);
    expect(guest.call('a', 1)).toBe(-1);
  });

  it('holds for what a module starts with', async () => {
    await load('(module (memory 10))', { memoryBytes: 10 * PAGE });
    await expect(load('(module (memory 11))', { memoryBytes: 10 * PAGE })).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED' });
  });

  it('does not lose count by requests that wrap 32 bits', async () => {
    const guest = await load(GROW, { memoryBytes: 10 * PAGE });
    for (const delta of [-1, 65_535, 0x7fff_ffff, -65_536]) expect(guest.call('grow', delta)).toBe(-1);
    expect(guest.call('grow', 9)).toBe(1);
  });

  it("respects the module's own maximum", async () => {
    const guest = await load('(module (memory 1 2) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))');
    expect(guest.call('grow', 2)).toBe(-1);
    expect(guest.call('grow', 1)).toBe(1);
  });
});

describe('the table limit', () => {
  const TABLE = '(module (table 10 funcref) (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))';

  it('grants growth up to the limit and refuses one element more', async () => {
    const guest = await load(TABLE, { tableElements: 100 });
    expect(guest.call('grow', 91)).toBe(-1);
    expect(guest.call('grow', 90)).toBe(10);
    expect(guest.call('grow', 1)).toBe(-1);
  });

  it('holds for what a module starts with, before the engine allocates it', async () => {
    await load('(module (table 100 externref))', { tableElements: 100 });
    await expect(load('(module (table 101 externref))', { tableElements: 100 })).rejects.toMatchObject({
      code: 'MEMORY_EXCEEDED',
      details: { limit: 'tableElements' },
    });
    await expect(load('(module (table 10000000 funcref))')).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED' });
  });
});

describe('the stack limits', () => {
  const RECURSE = '(module (func $f (export "go") (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))))';

  it('lets functions that call nest as deep as the limit and stops one deeper', async () => {
    const guest = await load(RECURSE, { callDepth: 50 });
    guest.call('go', 50);
    guest.call('go', 50);
    expect(guest.failure('go', 51)).toMatchObject({ code: 'STACK_EXCEEDED', details: { limit: 'callDepth' } });
  });

  it('counts the bytes of frames: 32 and 8 for each parameter and local', async () => {
    const guest = await load(RECURSE, { stackBytes: 50 * 40 });
    guest.call('go', 50);
    expect(guest.failure('go', 51).code).toBe('STACK_EXCEEDED');
  });

  it('takes frames off again however a function is left', async () => {
    const text = `(module
      (func $helper (param i32) (result i32) (local.get 0))
      (func $return (param i32) (result i32) (if (local.get 0) (then (return (call $helper (i32.const 1))))) (call $helper (i32.const 2)))
      (func $branch (param i32) (result i32) (block (br 1 (call $helper (i32.const 3)))) (unreachable))
      (func $conditional (param i32) (result i32) (call $helper (i32.const 4)) (br_if 0 (local.get 0)) (drop) (i32.const 5))
      (func $table (param i32) (result i32) (block (result i32) (br_table 0 1 (call $helper (i32.const 6)) (local.get 0))))
      (func $pair (param i32) (result i32 i32) (if (local.get 0) (then (return (i32.const 1) (call $helper (i32.const 2))))) (i32.const 3) (call $helper (i32.const 4)))
      (func $tail (param i32) (result i32) (return_call $return (local.get 0)))
      (func (export "go") (param $n i32) (result i32) (local $sum i32)
        (loop $l
          (local.set $sum (i32.add (local.get $sum) (i32.add (i32.add (i32.add (call $return (i32.const 1)) (call $return (i32.const 0))) (i32.add (call $branch (i32.const 0)) (call $conditional (i32.const 1))))
            (i32.add (i32.add (call $conditional (i32.const 0)) (call $table (i32.const 0))) (i32.add (call $table (i32.const 1)) (call $tail (i32.const 1)))))))
          (call $pair (i32.const 1)) (drop) (drop) (call $pair (i32.const 0)) (drop) (drop)
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $l (local.get $n)))
        (local.get $sum)))`;
    const guest = await load(text, { callDepth: 4 });
    expect(guest.call('go', 1000)).toBe(1000 * (1 + 2 + 3 + 4 + 5 + 6 + 6 + 1));
  });

  it('takes the frames off that an exception unwinds', async () => {
    const text = `(module (tag $e)
      (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (throw $e))))
      (func (export "block") (param $n i32)
        (loop $l (block $h (try_table (catch $e $h) (call $deep (i32.const 20))))
          (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n))))
      (func (export "loop") (param $n i32)
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (block $out (loop $l (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $out (i32.eqz (local.get $n)))
          (try_table (catch_all $l) (call $deep (i32.const 20))))))
      (func $inner (try_table (catch_all 0) (call $deep (i32.const 20))))
      (func (export "function") (param $n i32)
        (loop $l (call $inner) (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))))`;
    const guest = await load(text, { callDepth: 25 });
    for (const name of ['block', 'loop', 'function']) guest.call(name, 100);
  });

  it('does the same for the older encoding of exceptions', async () => {
    const text = `(module (tag $e)
      (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (throw $e))))
      (func (export "go") (param $n i32) (result i32) (local $caught i32)
        (loop $l
          (try (do (call $deep (i32.const 20))) (catch $e (local.set $caught (i32.add (local.get $caught) (i32.const 1)))))
          (try (do (try (do (call $deep (i32.const 20))) (delegate 0))) (catch_all (local.set $caught (i32.add (local.get $caught) (i32.const 1)))))
          (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $l (local.get $n)))
        (local.get $caught)))`;
    const guest = await load(text, { callDepth: 25 });
    expect(guest.call('go', 100)).toBe(200);
  });

  it("maps the engine's own overflow to the same code", async () => {
    const locals = Array.from({ length: 2000 }, () => 'i64').join(' ');
    const text = `(module (func $f (export "go") (result i64) (local ${locals}) (local.set 0 (call $f)) (local.get 0)))`;
    const guest = await load(text, { callDepth: 1_000_000, stackBytes: 2_000_000_000 });
    expect(guest.failure('go').code).toBe('STACK_EXCEEDED');
  });
});
