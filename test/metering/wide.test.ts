// Several memories and tables, those of the host's, and those of 64 bits: each at the edge of its limit, with numbers that would wrap narrower counters.
import { describe, expect, it } from 'vitest';
import type { CoreImports } from '../../src/metering/meter.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { wat } from '../support/wat.ts';
import { load, loadGc } from './harness.ts';

const PAGE = 65_536;
const MEMORY = `(module (memory i64 1) (memory $narrow 1)
  (func (export "grow") (param i64) (result i64) (memory.grow 0 (local.get 0)))
  (func (export "narrow") (param i32) (result i32) (memory.grow $narrow (local.get 0)))
  (func (export "size") (result i64) (memory.size 0))
  (func (export "for-ever") (param i64) (loop $l (drop (memory.grow 0 (local.get 0))) (br $l))))`;
const TABLE = `(module (table i64 1 funcref) (table $narrow 1 externref)
  (func (export "grow") (param i64) (result i64) (table.grow 0 (ref.null func) (local.get 0)))
  (func (export "narrow") (param i32) (result i32) (table.grow $narrow (ref.null extern) (local.get 0)))
  (func (export "size") (result i64) (table.size 0))
  (func (export "for-ever") (param i64) (loop $l (drop (table.grow 0 (ref.null func) (local.get 0))) (br $l))))`;
/** Growth that no memory or table can have; the lower halves of most of them are small. */
const HUGE = [2n ** 32n, 2n ** 32n + 1n, 2n ** 31n, 2n ** 48n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 63n) + 1n, -1n, -(2n ** 32n)];

describe.each([
  ['memory', MEMORY, 'memoryBytes', PAGE],
  ['table', TABLE, 'tableElements', 1],
] as const)('a %s of 64 bits', (_what, text, limit, unit) => {
  it('grows up to the limit, together with the others', async () => {
    const guest = await loadGc(text, { [limit]: 10 * unit });
    expect(guest.call('grow', 0n)).toBe(1n);
    expect(guest.call('grow', 9n)).toBe(-1n);
    expect(guest.call('grow', 5n)).toBe(1n);
    expect(guest.call('narrow', 4)).toBe(-1);
    expect(guest.call('narrow', 3)).toBe(1);
    expect(guest.call('grow', 1n)).toBe(-1n);
    expect(guest.call('grow', 0n)).toBe(6n);
  });

  it('does not grow by what wraps, and its limit is the same afterwards', async () => {
    const guest = await loadGc(text, { [limit]: 10 * unit });
    for (const delta of HUGE) expect(guest.call('grow', delta), String(delta)).toBe(-1n);
    expect(guest.call('size')).toBe(1n);
    expect(guest.call('grow', 8n)).toBe(1n);
    expect(guest.meter.stopped).toBeUndefined();
  });

  it('costs fuel when it does not grow', async () => {
    for (const delta of [0n, ...HUGE]) {
      const guest = await loadGc(text, { [limit]: 10 * unit, fuel: 500_000 });
      expect(guest.fuel('grow', delta)).toBeGreaterThanOrEqual(1_000);
      expect(guest.failure('for-ever', delta).code).toBe('FUEL_EXHAUSTED');
    }
  });
});

describe('what starts too large', () => {
  it('is refused before the engine allocates it, also by the sum of all', async () => {
    for (const [text, limit, maximum] of [
      ['(module (memory i64 1) (memory 9))', 'memoryBytes', 10 * PAGE],
      ['(module (table i64 4 funcref) (table 6 externref))', 'tableElements', 10],
    ] as const) {
      await loadGc(text, { [limit]: maximum });
      await expect(loadGc(text, { [limit]: maximum - 1 })).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit } });
    }
    for (const text of ['(module (memory i64 0x40000))', '(module (table i64 10000000 funcref))', '(module (memory 60000) (memory 60000))']) {
      await expect(loadGc(text)).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED' });
    }
  });
});

describe('lengths of 64 bits', () => {
  const BULK = `(module (memory i64 1) (memory $other i64 1) (data $d "0123456789") (table $t i64 10 funcref) (elem $e func $f $f) (func $f)
    (func (export "memory.fill") (param i64) (memory.fill 0 (i64.const 0) (i32.const 1) (local.get 0)))
    (func (export "memory.copy") (param i64) (memory.copy 0 $other (i64.const 0) (i64.const 0) (local.get 0)))
    (func (export "table.fill") (param i64) (table.fill $t (i64.const 0) (ref.null func) (local.get 0)))
    (func (export "table.copy") (param i64) (table.copy $t $t (i64.const 0) (i64.const 0) (local.get 0)))
    (func (export "memory.init") (param i32) (memory.init 0 $d (i64.const 0) (i32.const 0) (local.get 0)))
    (func (export "table.init") (param i32) (table.init $t $e (i64.const 0) (i32.const 0) (local.get 0))))`;
  const WIDE = [2n ** 31n, 2n ** 31n + 5n, 2n ** 32n, 2n ** 32n + 5n, 2n ** 63n - 1n, -(2n ** 63n), -1n];

  it.each(['memory.fill', 'memory.copy', 'table.fill', 'table.copy'])('of %s are charged in full or trap, and never give fuel back', async (name) => {
    for (const length of WIDE) {
      const rich = await loadGc(BULK);
      expect(rich.failure(name, length), String(length)).toMatchObject({ code: 'GUEST_TRAPPED', message: expect.stringContaining('out of bounds') });
      expect(rich.meter.usage.fuel).toBeGreaterThan(0);
      const poor = await loadGc(BULK, { fuel: 1_000_000 });
      expect(poor.failure(name, length).code).toBe('FUEL_EXHAUSTED');
      expect(poor.meter.usage.fuel).toBeGreaterThan(1_000_000);
    }
  });

  it('cost what the same lengths of 32 bits cost', async () => {
    const guest = await loadGc(BULK);
    const fill = guest.fuel('memory.fill', 0n);
    expect(guest.fuel('memory.fill', 65_536n) - fill).toBe(16_384);
    const table = guest.fuel('table.fill', 0n);
    expect(guest.fuel('table.fill', 10n) - table).toBe(2_560);
    expect(guest.fuel('table.init', 2) - guest.fuel('table.init', 0)).toBe(512);
    for (const name of ['memory.init', 'table.init']) expect((await loadGc(BULK)).failure(name, -1).code).toBe('GUEST_TRAPPED');
  });
});

describe('memories and tables that the host passes', () => {
  const IMPORTED = `(module (memory $m (import "env" "memory") 1) (table $t (import "env" "table") 1 funcref) (memory $own 1)
    (func (export "memory") (param i32) (result i32) (memory.grow $m (local.get 0)))
    (func (export "own") (param i32) (result i32) (memory.grow $own (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0))))`;
  const given = (pages = 2, elements = 3): CoreImports => ({
    env: { memory: new WebAssembly.Memory({ initial: pages }), table: new WebAssembly.Table({ initial: elements, element: 'anyfunc' }) },
  });

  it('count with those of the guest, and what the guest lets them grow by', async () => {
    const guest = await loadGc(IMPORTED, { memoryBytes: 6 * PAGE, tableElements: 5 }, given());
    expect(guest.meter.usage.memoryBytes).toBe(3 * PAGE);
    expect(guest.call('memory', 4)).toBe(-1);
    expect(guest.call('memory', 2)).toBe(2);
    expect(guest.call('own', 2)).toBe(-1);
    expect(guest.call('own', 1)).toBe(1);
    expect(guest.call('table', 3)).toBe(-1);
    expect(guest.call('table', 2)).toBe(3);
    expect(guest.meter.usage.memoryBytes).toBe(6 * PAGE);
  });

  it('are refused when they are too large already', async () => {
    const limits = { memoryBytes: 3 * PAGE, tableElements: 3 };
    await loadGc(IMPORTED, limits, given());
    await expect(loadGc(IMPORTED, limits, given(3))).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'memoryBytes' } });
    await expect(loadGc(IMPORTED, limits, given(2, 4))).rejects.toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'tableElements' } });
  });

  it('are looked at again when the host lets them grow', async () => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const guest = await loadGc(IMPORTED, { memoryBytes: 6 * PAGE }, { env: { ...given().env, memory } });
    memory.grow(3);
    expect(guest.call('memory', 1)).toBe(-1);
    expect(guest.meter.usage.memoryBytes).toBe(6 * PAGE);
  });

  it('count when they are of 64 bits', async () => {
    const text = `(module (memory $m (import "env" "memory") i64 1) (table $t (import "env" "table") i64 1 funcref)
      (func (export "memory") (param i64) (result i64) (memory.grow $m (local.get 0)))
      (func (export "table") (param i64) (result i64) (table.grow $t (ref.null func) (local.get 0))))`;
    const host = await loadGc('(module (memory (export "memory") i64 2) (table (export "table") i64 3 funcref))');
    expect(host.meter.usage.memoryBytes).toBe(2 * PAGE);
    const bytes = { initial: 2n, address: 'i64' } as unknown as WebAssembly.MemoryDescriptor;
    const elements = { initial: 3n, address: 'i64', element: 'anyfunc' } as unknown as WebAssembly.TableDescriptor;
    const env = { memory: new WebAssembly.Memory(bytes), table: new WebAssembly.Table(elements) };
    const guest = await loadGc(text, { memoryBytes: 4 * PAGE, tableElements: 4 }, { env });
    expect(guest.call('memory', 3n)).toBe(-1n);
    expect(guest.call('memory', 2n)).toBe(2n);
    expect(guest.call('table', 2n)).toBe(-1n);
    expect(guest.call('table', 1n)).toBe(3n);
  });

  it('count once, however often they are passed, also from one module of a guest to another', async () => {
    const first = meter(await wat('(module (memory (export "a") 4) (table (export "t") 3 funcref))'));
    const text = '(module (memory (import "env" "a") 1) (memory (import "env" "b") 1) (table (import "env" "t") 1 funcref) (func (export "go")))';
    const guest = await load(text, { memoryBytes: 4 * PAGE, tableElements: 3 }, (made) => {
      const exports = made.run(() => made.instantiate(new WebAssembly.Module(first.bytes as BufferSource), first.descriptor, {}));
      return { env: { ...exports, b: exports.a } };
    });
    expect(guest.meter.usage.memoryBytes).toBe(4 * PAGE);
    guest.call('go');
  });

  it('are told from globals, whose value may be null', async () => {
    const guest = await loadGc(
      '(module (import "env" "g" (global $g externref)) (func (export "go") (result externref) (global.get $g)))',
      {},
      { env: { g: null } },
    );
    expect(guest.call('go')).toBeNull();
  });

  it('do not link when they are something else', async () => {
    const table = new WebAssembly.Table({ initial: 1, element: 'anyfunc' });
    for (const memory of [{}, table, { buffer: { byteLength: 0 } }, 1]) {
      await expect(loadGc(IMPORTED, {}, { env: { memory, table } })).rejects.toMatchObject({ code: 'LINK_FAILED' });
    }
  });
});
