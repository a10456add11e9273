// The rewriter on any bytes: what is valid stays valid and means the same, what is not known is refused by name, nothing is believed that is not there.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { type Budget, budgets, checkBudget } from '../../src/wasm/budgets.ts';
import { wat } from '../support/wat.ts';
import { load } from './harness.ts';

const PROGRAM = `(module
  (type $binary (func (param i32 i32) (result i32)))
  (import "host" "log" (func $log (param i32)))
  (memory (export "memory") 1 4) (table $t 3 funcref) (elem (i32.const 0) $add $mul)
  (global $g (mut i64) (i64.const 5)) (tag $e (param i32))
  (data (i32.const 16) "hello") (data $passive "passive")
  (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
  (func $mul (type $binary) (i32.mul (local.get 0) (local.get 1)))
  (func $divmod (param i32 i32) (result i32 i32) (i32.div_u (local.get 0) (local.get 1)) (i32.rem_u (local.get 0) (local.get 1)))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "run") (param $n i32) (result i32) (local $i i32) (local $s i32) (local $v v128)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $s (call_indirect $t (type $binary) (local.get $s) (local.get $i) (i32.and (local.get $i) (i32.const 1))))
      (memory.fill (i32.const 100) (local.get $i) (i32.const 50))
      (memory.copy (i32.const 200) (i32.const 100) (i32.const 50))
      (local.set $s (i32.xor (local.get $s) (i32.load8_u (i32.const 210))))
      (call $divmod (local.get $s) (i32.const 7)) (i32.add) (local.set $s)
      (block $caught (result i32) (try_table (catch $e $caught) (if (i32.rem_u (local.get $i) (i32.const 3)) (then (throw $e (local.get $i))))) (i32.const 1))
      (local.set $s (i32.add (local.get $s)))
      (local.set $v (i32x4.add (i32x4.splat (local.get $s)) (local.get $v)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (call $log (local.get $s))
    (i32.add (i32.add (local.get $s) (call $fib (i32.const 10))) (i32x4.extract_lane 0 (local.get $v)))))`;

describe('meter', () => {
  let program: Uint8Array;
  beforeAll(async () => {
    program = await wat(PROGRAM);
  });

  it('keeps results, memory and the calls of the host as they were', async () => {
    const plain: number[] = [];
    const metered: number[] = [];
    const { instance } = await WebAssembly.instantiate(program as BufferSource, { host: { log: (value: number) => plain.push(value) } });
    const exports = instance.exports as { run: (n: number) => number; memory: WebAssembly.Memory };
    const guest = await load(PROGRAM, {}, { host: { log: (value: number) => metered.push(value) } });
    for (const n of [0, 1, 2, 7, 100, 12_345]) expect(guest.call('run', n)).toBe(exports.run(n));
    expect(metered).toEqual(plain);
  });

  it('gives the same bytes for the same module', () => {
    expect(meter(program).bytes).toEqual(meter(program).bytes);
  });

  it('adds no name that the module has, even when it tries to have ours', async () => {
    const bytes = await wat('(module (func (export "gloveport/0/counter")) (func (export "gloveport/1/stack")))');
    const { descriptor, bytes: metered } = meter(bytes);
    expect(descriptor.counter).toBe('gloveport/2/counter');
    expect(WebAssembly.validate(metered as BufferSource)).toBe(true);
  });

  it('drops custom sections, and names only the module, as it is told', async () => {
    const name = new TextEncoder().encode('\u001b]0;forged\u0007');
    const section = [0, name.length + 5, 4, 0x6e, 0x61, 0x6d, 0x65, ...name];
    const { bytes } = meter(new Uint8Array([...program, ...section]));
    const names = WebAssembly.Module.customSections(new WebAssembly.Module(bytes as BufferSource), 'name');
    expect(names.map((contents) => new TextDecoder().decode(contents))).toEqual(['\0\n\x09gloveport']);
  });

  it('accepts empty modules and empty sections', async () => {
    for (const bytes of [await wat('(module)'), new Uint8Array([...(await wat('(module)')), 3, 1, 0, 10, 1, 0])]) {
      expect(WebAssembly.validate(meter(bytes).bytes as BufferSource)).toBe(true);
    }
  });

  it('refuses at every length that cuts the module', () => {
    for (let length = 0; length < program.length; length += 7) {
      const cut = program.slice(0, length);
      if (WebAssembly.validate(cut as BufferSource)) continue;
      expect(() => meter(cut), `cut to ${length}`).toThrow(GloveportError);
    }
  });

  it('answers changed bytes with a typed error or with a module that is valid if the changed one is', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: program.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = program.slice();
        for (const [at, value] of changes) bytes[at] = value;
        const valid = WebAssembly.validate(bytes as BufferSource);
        let metered: Uint8Array;
        try {
          metered = meter(bytes).bytes;
        } catch (error) {
          expect(error).toBeInstanceOf(GloveportError);
          const { code } = error as GloveportError;
          expect(valid ? ['UNSUPPORTED_FEATURE', 'MODULE_TOO_LARGE'] : ['UNSUPPORTED_FEATURE', 'MODULE_TOO_LARGE', 'INVALID_MODULE']).toContain(code);
          return;
        }
        if (valid) expect(WebAssembly.validate(metered as BufferSource)).toBe(true);
      }),
      { numRuns: 3_000, seed: 20_261_120 },
    );
  });

  it('answers random bytes behind a header with a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (tail) => {
        const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...tail]);
        try {
          meter(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(GloveportError);
        }
      }),
      { numRuns: 3_000, seed: 20_261_120 },
    );
  });
});

describe('what meter refuses', () => {
  const body = (...code: number[]): Uint8Array =>
    new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b]);

  it('names features that are not metered, and unknown opcodes, with their offset', () => {
    const refused = (feature: string, offset: number): unknown =>
      expect.objectContaining({ code: 'UNSUPPORTED_FEATURE', details: { feature: expect.stringContaining(feature), offset } });
    expect(() => meter(body(0xe0, 0))).toThrow(refused('stack switching (cont.new)', 23));
    expect(() => meter(body(0xfc, 0x13))).toThrow(refused('wide arithmetic (i64.add128)', 23));
    expect(() => meter(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 4, 1, 8, 1, 0]))).toThrow(refused('custom page sizes', 11));
    expect(() => meter(body(0x27))).toThrow(expect.objectContaining({ code: 'INVALID_MODULE', details: { offset: 23 } }));
  });

  // The engine reads these types over two bytes. Who reads one, takes the other for an operator, and a loop behind it for its immediate.
  it('refuses block types, selects and nulls that hide code from the scanner', () => {
    const hidden = [0x63, 0x20, 0x03, 0x40, 0x0c, 0, 0x0b];
    for (const operator of [0x02, 0x03, 0x04, 0x06]) expect(() => meter(body(operator, ...hidden))).toThrow(/type 32 does not exist/);
    expect(() => meter(body(0x1f, ...hidden))).toThrow(/type 32 does not exist/);
    expect(() => meter(body(0x1c, 1, ...hidden))).toThrow(/type 32 does not exist/);
    expect(() => meter(body(0xd0, 0xee, 0x7f, 0x1a))).toThrow(/neither an abstract one nor an index/);
    expect(() => meter(body(0xd0, 0x65, 0x6e, 0x1a))).toThrow(/shared-everything threads/);
    expect(() => meter(body(0x02, 0xff, 0x7f, 0x0b))).toThrow(GloveportError);
  });

  // An index one beyond the guest's own would reach what is appended.
  const BEYOND: Record<string, number[]> = {
    'a global': [0x23, 0, 0x1a],
    'a function': [0x10, 1],
    'a reference of a function': [0xd2, 1, 0x1a],
    'a table': [0x41, 0, 0x25, 0, 0x1a],
    'a table of an indirect call': [0x41, 0, 0x11, 0, 0],
    'a type': [0x41, 0, 0x11, 1, 0],
    'a block type': [0x02, 1, 0x0b],
    'a local': [0x20, 0, 0x1a],
    'a memory': [0x3f, 0, 0x1a],
    'a label': [0x0c, 1],
    'a tag': [0x08, 0],
  };
  for (const [name, code] of Object.entries(BEYOND)) {
    it(`refuses ${name} that does not exist`, () => {
      const bytes = new Uint8Array([
        0,
        0x61,
        0x73,
        0x6d,
        1,
        0,
        0,
        0,
        1,
        4,
        1,
        0x60,
        0,
        0,
        3,
        2,
        1,
        0,
        10,
        code.length + 4,
        1,
        code.length + 2,
        0,
        ...code,
        0x0b,
      ]);
      expect(() => meter(bytes)).toThrow(expect.objectContaining({ code: 'INVALID_MODULE', message: expect.stringContaining('does not exist') }));
    });
  }

  it('does not believe counts that the bytes cannot hold', () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const id of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13]) {
      const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, id, 5, ...huge]);
      expect(() => meter(bytes), `section ${id}`).toThrow(GloveportError);
    }
  });

  it('refuses repeated and unordered sections, and numbers that are longer than they may be', () => {
    const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    expect(() => meter(new Uint8Array([...header, 1, 1, 0, 1, 1, 0]))).toThrow(/repeated or out of order/);
    expect(() => meter(new Uint8Array([...header, 3, 1, 0, 1, 1, 0]))).toThrow(/repeated or out of order/);
    expect(() => meter(new Uint8Array([...header, 1, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0]))).toThrow(/over-long/);
  });
});

describe('static budgets', () => {
  it('accept as many locals as the budget has and refuse one more', async () => {
    const withLocals = (count: number): Promise<Uint8Array> => wat(`(module (func (local ${'i32 '.repeat(count)})))`);
    const metered = meter(await withLocals(49_990)).bytes;
    expect(WebAssembly.validate(metered as BufferSource)).toBe(true);
    const over = await withLocals(49_991);
    expect(() => meter(over)).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: expect.objectContaining({ limit: 'locals of one function' }) }),
    );
  });

  it('refuse a small module whose functions declare too many locals together', () => {
    const functions = 200;
    const body = [5, 1, 0xc0, 0xb8, 0x02, 0x7f, 0x0b]; // 40 000 locals each
    body[0] = body.length - 1;
    const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
    const types = [1, 4, 1, 0x60, 0, 0];
    const declared = [...leb(functions), ...Array.from({ length: functions }, () => 0)];
    const code = [...leb(functions), ...Array.from({ length: functions }, () => body).flat()];
    const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...types, 3, ...leb(declared.length), ...declared, 10, ...leb(code.length), ...code]);
    expect(() => meter(bytes)).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: expect.objectContaining({ limit: 'locals of all functions' }) }),
    );
  });

  it('bound what the compiler copies: locals by loops, values by calls', async () => {
    const loops = (count: number): Promise<Uint8Array> => wat(`(module (func (local ${'i32 '.repeat(1_000)}) ${'(loop)'.repeat(count)}))`);
    expect(WebAssembly.validate(meter(await loops(1_900)).bytes as BufferSource)).toBe(true);
    const over = await loops(2_100);
    expect(() => meter(over)).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: expect.objectContaining({ limit: 'control work of one function' }) }),
    );
    const values = 'i32 '.repeat(500);
    const calls = (count: number): Promise<Uint8Array> =>
      wat(`(module (func $f (param ${values}) (result ${values}) (unreachable)) (func (unreachable) ${'(call $f)'.repeat(count)} (unreachable)))`);
    expect(WebAssembly.validate(meter(await calls(980)).bytes as BufferSource)).toBe(true);
    const many = await calls(1_010);
    expect(() => meter(many)).toThrow(expect.objectContaining({ code: 'MODULE_TOO_LARGE' }));
  });

  it.each(Object.entries(budgets) as [Budget, number][])('accept %s up to %d and no more', (budget, maximum) => {
    checkBudget(budget, maximum, 0);
    expect(() => checkBudget(budget, maximum + 1, 7)).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: { limit: budget, value: maximum + 1, maximum, offset: 7 } }),
    );
  });

  it('count the labels of br_table', () => {
    const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
    const labels = (count: number): Uint8Array => {
      const body = [...[0, 0x41, 0, 0x0e], ...leb(count - 1)];
      const code = [1, ...leb(body.length + count + 1), ...body];
      const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, ...leb(code.length + count + 1), ...code];
      const bytes = new Uint8Array(head.length + count + 1);
      bytes.set(head);
      bytes[bytes.length - 1] = 0x0b;
      return bytes;
    };
    meter(labels(2_000_000));
    expect(() => meter(labels(2_000_001))).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: expect.objectContaining({ limit: 'br_table labels' }) }),
    );
  });

  it('accept as many nested blocks as the budget has and refuse one more', () => {
    const nested = (depth: number): Uint8Array => {
      const body = [0, ...Array.from({ length: depth }, () => [0x02, 0x40]).flat(), ...Array.from({ length: depth + 1 }, () => 0x0b)];
      const leb = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]);
      const code = [1, ...leb(body.length), ...body];
      return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, ...leb(code.length), ...code]);
    };
    meter(nested(19_999));
    expect(() => meter(nested(20_000))).toThrow(
      expect.objectContaining({ code: 'MODULE_TOO_LARGE', details: expect.objectContaining({ limit: 'nested blocks' }) }),
    );
  });
});
