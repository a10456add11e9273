// The table of operators against two independent sources: names and numbers as the proposals give them, and what another assembler writes for each name.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { meter } from '../../src/metering/rewrite.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { Immediate, type Operator, operators } from '../../src/wasm/operators.ts';
import { failureOf, operatorsOf, withCode } from './binary.ts';

const accepted = [...operators.values()].filter(({ price }) => price !== undefined);
const refused = [...operators.values()].filter(({ price }) => price === undefined);

// A few of each proposal: the first and the last, and those with neighbours that are easily mixed up.
const SPOT_CHECKS: Record<string, readonly [code: number, name: string][]> = {
  '': [
    [0x00, 'unreachable'],
    [0x0f, 'return'],
    [0x11, 'call_indirect'],
    [0x28, 'i32.load'],
    [0x3e, 'i64.store32'],
    [0x40, 'memory.grow'],
    [0x6a, 'i32.add'],
    [0xbf, 'f64.reinterpret_i64'],
  ],
  'sign extension': [
    [0xc0, 'i32.extend8_s'],
    [0xc4, 'i64.extend32_s'],
  ],
  'saturating conversions': [
    [0xfc_0000, 'i32.trunc_sat_f32_s'],
    [0xfc_0007, 'i64.trunc_sat_f64_u'],
  ],
  'bulk memory': [
    [0xfc_0008, 'memory.init'],
    [0xfc_000b, 'memory.fill'],
    [0xfc_000e, 'table.copy'],
  ],
  'reference types': [
    [0x1c, 'select_t'],
    [0xd0, 'ref.null'],
    [0xd2, 'ref.func'],
    [0xfc_000f, 'table.grow'],
    [0xfc_0011, 'table.fill'],
  ],
  simd: [
    [0xfd_0000, 'v128.load'],
    [0xfd_000d, 'i8x16.shuffle'],
    [0xfd_0054, 'v128.load8_lane'],
    [0xfd_00ff, 'f64x2.convert_low_i32x4_u'],
  ],
  'relaxed simd': [
    [0xfd_0100, 'i8x16.relaxed_swizzle'],
    [0xfd_0113, 'i32x4.relaxed_dot_i8x16_i7x16_add_s'],
  ],
  threads: [
    [0xfe_0000, 'memory.atomic.notify'],
    [0xfe_0003, 'atomic.fence'],
    [0xfe_0010, 'i32.atomic.load'],
    [0xfe_001d, 'i64.atomic.store32'],
    [0xfe_001e, 'i32.atomic.rmw.add'],
    [0xfe_002b, 'i64.atomic.rmw32.sub_u'],
    [0xfe_0041, 'i32.atomic.rmw.xchg'],
    [0xfe_004e, 'i64.atomic.rmw32.cmpxchg_u'],
  ],
  'tail calls': [
    [0x12, 'return_call'],
    [0x13, 'return_call_indirect'],
  ],
  exceptions: [
    [0x08, 'throw'],
    [0x0a, 'throw_ref'],
    [0x1f, 'try_table'],
  ],
  'legacy exceptions': [
    [0x06, 'try'],
    [0x07, 'catch'],
    [0x09, 'rethrow'],
    [0x18, 'delegate'],
    [0x19, 'catch_all'],
  ],
  'typed function references': [
    [0x14, 'call_ref'],
    [0x15, 'return_call_ref'],
    [0xd4, 'ref.as_non_null'],
    [0xd5, 'br_on_null'],
    [0xd6, 'br_on_non_null'],
  ],
  gc: [
    [0xd3, 'ref.eq'],
    [0xfb_0000, 'struct.new'],
    [0xfb_0005, 'struct.set'],
    [0xfb_0006, 'array.new'],
    [0xfb_000f, 'array.len'],
    [0xfb_0013, 'array.init_elem'],
    [0xfb_0014, 'ref.test'],
    [0xfb_0017, 'ref.cast_null'],
    [0xfb_0018, 'br_on_cast'],
    [0xfb_0019, 'br_on_cast_fail'],
    [0xfb_001a, 'any.convert_extern'],
    [0xfb_001e, 'i31.get_u'],
  ],
  'stack switching': [
    [0xe0, 'cont.new'],
    [0xe6, 'switch'],
  ],
  'wide arithmetic': [[0xfc_0013, 'i64.add128']],
  'memory control': [[0xfc_0012, 'memory.discard']],
  'half precision': [[0xfd_0120, 'f16x8.splat']],
  stringref: [
    [0xfb_0080, 'string.new_utf8'],
    [0xfb_00b8, 'string.new_utf8_array_try'],
  ],
  'custom descriptors': [[0xfb_0026, 'br_on_cast_desc_eq_fail']],
  'shared-everything threads': [
    [0xfe_0004, 'pause'],
    [0xfe_0072, 'ref.i31_shared'],
  ],
};

describe('the table of operators', () => {
  for (const [feature, checks] of Object.entries(SPOT_CHECKS)) {
    it(`has ${feature || 'the first version of WebAssembly'} as specified`, () => {
      expect(checks.map(([code]) => operators.get(code))).toEqual(checks.map(([code, name]) => expect.objectContaining({ code, name, feature })));
    });
  }

  it('has no feature that is not looked at here', () => {
    expect([...new Set([...operators.values()].map(({ feature }) => feature))].sort()).toEqual(Object.keys(SPOT_CHECKS).sort());
  });

  it('has every name once, and as many as there are', () => {
    expect(new Set([...operators.values()].map(({ name }) => name)).size).toBe(operators.size);
    expect([accepted.length, refused.length]).toEqual([571, 135]);
  });

  it('has a price that fits a byte for each operator that is accepted', () => {
    for (const { name, price } of accepted) expect.soft(Number.isInteger(price) && (price as number) >= 0 && (price as number) < 256, name).toBe(true);
  });

  it('writes every name as another assembler does, immediates and all', async () => {
    const lines = accepted.map(asText).join('\n');
    const module = readModule(
      await parse(`(module
        (type $f (func)) (type $s (struct (field (mut i8)))) (type $a (array (mut i32))) (type $r (array (mut funcref)))
        (memory $m 1) (memory $n 1) (table $t 1 funcref) (table $u 1 funcref) (global $g (mut i32) (i32.const 0)) (tag $e)
        (elem $elem func) (data $data "") (func $callee)
        (func (local $l i32)\n${lines}))`),
    );
    const structure = new Set(['end', 'else', 'drop', 'catch', 'catch_all', 'delegate', 'try', 'if']);
    const listed = operatorsOf(module).map(({ name }) => name);
    expect(listed.filter((name) => !structure.has(name))).toEqual(accepted.map(({ name }) => name).filter((name) => !structure.has(name)));
    expect(new Set(listed)).toEqual(new Set(accepted.map(({ name }) => name)));
  });
});

describe('operators that are refused', () => {
  for (const { code, name, feature } of refused) {
    it(`name ${feature} and ${name} with their offset`, () => {
      const opcode = code > 0xff ? [code >>> 16, (code & 0x7f) | 0x80, (code & 0xffff) >>> 7] : [code];
      const error = failureOf(() => meter(withCode([0x01, ...opcode, 0, 0, 0, 0])));
      expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature: `${feature} (${name})`, offset: 24 } });
    });
  }

  it('are invalid where nothing at all has that opcode', () => {
    const known = (code: number): boolean => operators.has(code);
    const prefixed = [0xfb, 0xfc, 0xfd, 0xfe].flatMap((prefix) => Array.from({ length: 600 }, (_, number) => (prefix << 16) | number));
    const plain = Array.from({ length: 256 }, (_, code) => code).filter((code) => code < 0xfb || code > 0xfe);
    for (const code of [...plain, ...prefixed].filter((code) => !known(code))) {
      const opcode = code > 0xff ? [code >>> 16, (code & 0x7f) | 0x80, (code & 0xffff) >>> 7] : [code];
      const error = failureOf(() => meter(withCode([0x01, ...opcode, 0, 0, 0, 0])));
      expect
        .soft(error, opcode.join(' '))
        .toMatchObject({ code: 'INVALID_MODULE', details: { offset: 24 }, message: expect.stringContaining('unknown operator') });
    }
  });
});

// The operator in the text format, with immediates that exist.
function asText({ name, immediate }: Operator): string {
  switch (name) {
    case 'if':
      return 'if else end';
    case 'try':
      return 'try catch $e catch_all end try delegate 0';
    case 'else':
    case 'end':
    case 'catch':
    case 'catch_all':
    case 'delegate':
    case 'drop':
      return 'drop';
    case 'block':
    case 'loop':
      return `${name} end`;
    case 'try_table':
      return 'try_table (catch $e 0) (catch_ref $e 0) (catch_all 0) (catch_all_ref 0) end';
    case 'select_t':
      return 'select (result (ref null $s))';
    case 'br_table':
      return 'br_table 0 0 0';
    case 'v128.const':
      return 'v128.const i64x2 -1 1';
    case 'i8x16.shuffle':
      return 'i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15';
    case 'array.new_elem':
    case 'array.init_elem':
      return `${name} $r $elem`;
    case 'ref.test':
    case 'ref.cast':
      return `${name} (ref $s)`;
    case 'ref.test_null':
    case 'ref.cast_null':
      return `${name.replace('_null', '')} (ref null any)`;
    default:
      return `${name} ${IMMEDIATES[immediate] ?? ''}`;
  }
}

const IMMEDIATES: Record<number, string> = {
  [Immediate.I32]: '-2147483648',
  [Immediate.I64]: '-9223372036854775808',
  [Immediate.F32]: '1.5',
  [Immediate.F64]: 'nan',
  [Immediate.LANE]: '1',
  [Immediate.LOCAL]: '$l',
  [Immediate.GLOBAL]: '$g',
  [Immediate.FUNCTION]: '$callee',
  [Immediate.TABLE]: '$u',
  [Immediate.MEMORY]: '$n',
  [Immediate.TAG]: '$e',
  [Immediate.DATA]: '$data',
  [Immediate.ELEMENT]: '$elem',
  [Immediate.MEMORY_ARGUMENT]: '$n offset=300',
  [Immediate.MEMORY_ARGUMENT_AND_LANE]: '$n offset=4294967295 1',
  [Immediate.DATA_AND_MEMORY]: '$n $data',
  [Immediate.ELEMENT_AND_TABLE]: '$u $elem',
  [Immediate.TWO_MEMORIES]: '$n $m',
  [Immediate.TWO_TABLES]: '$u $t',
  [Immediate.TYPE_AND_TABLE]: '$u (type $f)',
  [Immediate.FUNCTION_TYPE]: '$f',
  [Immediate.STRUCT_TYPE]: '$s',
  [Immediate.STRUCT_TYPE_AND_FIELD]: '$s 0',
  [Immediate.ARRAY_TYPE]: '$a',
  [Immediate.ARRAY_TYPE_AND_COUNT]: '$a 300',
  [Immediate.ARRAY_TYPE_AND_DATA]: '$a $data',
  [Immediate.TWO_ARRAY_TYPES]: '$a $a',
  [Immediate.HEAP_TYPE]: '$s',
  [Immediate.LABEL]: '0',
  [Immediate.CAST_BRANCH]: '0 anyref (ref $s)',
};
