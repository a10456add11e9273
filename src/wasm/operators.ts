// The one table of operators that are metered: opcode, name, immediates, price and feature. The scanner, the prices of metering and the tests derive from
// it. Operators of features that are known but not metered stand in `refused-operators.ts`; an opcode in neither does not exist.
import { REFUSED } from './refused-operators.ts';

/** How an operator's immediates are encoded (WebAssembly core specification, section 5.4). */
export const Immediate = Object.freeze({
  NONE: 0,
  /** A LEB128 number that says nothing to us. */
  I32: 1,
  I64: 2,
  F32: 3,
  F64: 4,
  BYTES_16: 5,
  LANE: 6,
  ZERO_BYTE: 7,
  LOCAL: 8,
  GLOBAL: 9,
  FUNCTION: 10,
  TABLE: 11,
  MEMORY: 12,
  TAG: 13,
  DATA: 14,
  ELEMENT: 15,
  MEMORY_ARGUMENT: 16,
  MEMORY_ARGUMENT_AND_LANE: 17,
  DATA_AND_MEMORY: 18,
  ELEMENT_AND_TABLE: 19,
  /** Destination, then source. */
  TWO_MEMORIES: 20,
  TWO_TABLES: 21,
  TYPE_AND_TABLE: 22,
  /** The index of a function type. */
  FUNCTION_TYPE: 23,
  STRUCT_TYPE: 24,
  STRUCT_TYPE_AND_FIELD: 25,
  ARRAY_TYPE: 26,
  ARRAY_TYPE_AND_COUNT: 27,
  ARRAY_TYPE_AND_DATA: 28,
  ARRAY_TYPE_AND_ELEMENT: 29,
  TWO_ARRAY_TYPES: 30,
  HEAP_TYPE: 31,
  VALUE_TYPES: 32,
  LABEL: 33,
  LABEL_TABLE: 34,
  /** Flags, a label, the heap types from and to. */
  CAST_BRANCH: 35,
  BLOCK_TYPE: 36,
  BLOCK_TYPE_AND_CATCHES: 37,
  /** The operator is refused. */
  UNKNOWN: 38,
});
export type Immediate = (typeof Immediate)[keyof typeof Immediate];

export interface Operator {
  /** The opcode; for those behind a prefix byte, `prefix << 16 | number`. */
  readonly code: number;
  readonly name: string;
  readonly immediate: Immediate;
  /**
   * Fuel units (half a nanosecond each) that it costs whatever its operands are; what grows with them is charged beside it. `undefined` where the operator is
   * not metered and therefore refused.
   */
  readonly price: number | undefined;
  /** The proposal that brought it, where that is not the first version of WebAssembly. */
  readonly feature: string;
}

type Row = readonly [first: number, names: string, immediate: Immediate, price: number, feature?: string];

const { NONE, BLOCK_TYPE, LABEL, FUNCTION, LOCAL, GLOBAL, TABLE, MEMORY_ARGUMENT, MEMORY, TAG, ARRAY_TYPE, HEAP_TYPE } = Immediate;
const MVP = '';

// Each row names operators of consecutive opcodes, from `first` on. A simple operator costs 1; one that emits no machine code of its own costs 0.
const ROWS: readonly Row[] = [
  [0x00, 'unreachable', NONE, 1],
  [0x01, 'nop', NONE, 0],
  [0x02, 'block loop', BLOCK_TYPE, 0],
  [0x04, 'if', BLOCK_TYPE, 1],
  [0x05, 'else', NONE, 0],
  [0x06, 'try', BLOCK_TYPE, 0, 'legacy exceptions'],
  [0x07, 'catch', TAG, 10, 'legacy exceptions'],
  [0x08, 'throw', TAG, 180, 'exceptions'],
  [0x09, 'rethrow', LABEL, 180, 'legacy exceptions'],
  [0x0a, 'throw_ref', NONE, 180, 'exceptions'],
  [0x0b, 'end', NONE, 0],
  [0x0c, 'br br_if', LABEL, 1],
  [0x0e, 'br_table', Immediate.LABEL_TABLE, 3],
  [0x0f, 'return', NONE, 1],
  [0x10, 'call', FUNCTION, 4],
  [0x11, 'call_indirect', Immediate.TYPE_AND_TABLE, 8],
  [0x12, 'return_call', FUNCTION, 4, 'tail calls'],
  [0x13, 'return_call_indirect', Immediate.TYPE_AND_TABLE, 8, 'tail calls'],
  [0x14, 'call_ref', Immediate.FUNCTION_TYPE, 8, 'typed function references'],
  [0x15, 'return_call_ref', Immediate.FUNCTION_TYPE, 8, 'typed function references'],
  [0x18, 'delegate', LABEL, 0, 'legacy exceptions'],
  [0x19, 'catch_all', NONE, 10, 'legacy exceptions'],
  [0x1a, 'drop', NONE, 0],
  [0x1b, 'select', NONE, 1],
  [0x1c, 'select_t', Immediate.VALUE_TYPES, 1, 'reference types'],
  [0x1f, 'try_table', Immediate.BLOCK_TYPE_AND_CATCHES, 0, 'exceptions'],
  [0x20, 'local.get local.set local.tee', LOCAL, 1],
  [0x23, 'global.get global.set', GLOBAL, 1],
  [0x25, 'table.get', TABLE, 4, 'reference types'],
  [0x26, 'table.set', TABLE, 250, 'reference types'],
  [0x28, 'i32.load i64.load f32.load f64.load i32.load8_s i32.load8_u i32.load16_s i32.load16_u', MEMORY_ARGUMENT, 1],
  [0x30, 'i64.load8_s i64.load8_u i64.load16_s i64.load16_u i64.load32_s i64.load32_u', MEMORY_ARGUMENT, 1],
  [0x36, 'i32.store i64.store f32.store f64.store i32.store8 i32.store16 i64.store8 i64.store16 i64.store32', MEMORY_ARGUMENT, 1],
  [0x3f, 'memory.size', MEMORY, 1],
  [0x40, 'memory.grow', MEMORY, 10],
  [0x41, 'i32.const', Immediate.I32, 1],
  [0x42, 'i64.const', Immediate.I64, 1],
  [0x43, 'f32.const', Immediate.F32, 1],
  [0x44, 'f64.const', Immediate.F64, 1],
  [0x45, 'i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u', NONE, 1],
  [0x50, 'i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u', NONE, 1],
  [0x5b, 'f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge', NONE, 1],
  [0x67, 'i32.clz i32.ctz i32.popcnt i32.add i32.sub', NONE, 1],
  [0x6c, 'i32.mul', NONE, 2],
  [0x6d, 'i32.div_s i32.div_u i32.rem_s i32.rem_u', NONE, 6],
  [0x71, 'i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr i64.clz i64.ctz i64.popcnt i64.add i64.sub', NONE, 1],
  [0x7e, 'i64.mul', NONE, 2],
  [0x7f, 'i64.div_s i64.div_u i64.rem_s i64.rem_u', NONE, 8],
  [0x83, 'i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr', NONE, 1],
  [0x8b, 'f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest', NONE, 2],
  [0x91, 'f32.sqrt', NONE, 12],
  [0x92, 'f32.add f32.sub f32.mul', NONE, 2],
  [0x95, 'f32.div', NONE, 6],
  [0x96, 'f32.min f32.max f32.copysign', NONE, 4],
  [0x99, 'f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest', NONE, 2],
  [0x9f, 'f64.sqrt', NONE, 12],
  [0xa0, 'f64.add f64.sub f64.mul', NONE, 2],
  [0xa3, 'f64.div', NONE, 8],
  [0xa4, 'f64.min f64.max f64.copysign', NONE, 4],
  [0xa7, 'i32.wrap_i64', NONE, 1],
  [0xa8, 'i32.trunc_f32_s i32.trunc_f32_u i32.trunc_f64_s i32.trunc_f64_u', NONE, 4],
  [0xac, 'i64.extend_i32_s i64.extend_i32_u', NONE, 1],
  [0xae, 'i64.trunc_f32_s i64.trunc_f32_u i64.trunc_f64_s i64.trunc_f64_u', NONE, 4],
  [0xb2, 'f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64', NONE, 4],
  [0xb7, 'f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32', NONE, 4],
  [0xbc, 'i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64', NONE, 1],
  [0xc0, 'i32.extend8_s i32.extend16_s i64.extend8_s i64.extend16_s i64.extend32_s', NONE, 1, 'sign extension'],
  [0xd0, 'ref.null', HEAP_TYPE, 1, 'reference types'],
  [0xd1, 'ref.is_null', NONE, 1, 'reference types'],
  [0xd2, 'ref.func', FUNCTION, 4, 'reference types'],
  [0xd3, 'ref.eq', NONE, 1, 'gc'],
  [0xd4, 'ref.as_non_null', NONE, 1, 'typed function references'],
  [0xd5, 'br_on_null br_on_non_null', LABEL, 2, 'typed function references'],

  [0xfb_0000, 'struct.new struct.new_default', Immediate.STRUCT_TYPE, 10, 'gc'],
  [0xfb_0002, 'struct.get struct.get_s struct.get_u', Immediate.STRUCT_TYPE_AND_FIELD, 2, 'gc'],
  [0xfb_0005, 'struct.set', Immediate.STRUCT_TYPE_AND_FIELD, 4, 'gc'],
  [0xfb_0006, 'array.new array.new_default', ARRAY_TYPE, 10, 'gc'],
  [0xfb_0008, 'array.new_fixed', Immediate.ARRAY_TYPE_AND_COUNT, 10, 'gc'],
  [0xfb_0009, 'array.new_data', Immediate.ARRAY_TYPE_AND_DATA, 80, 'gc'],
  [0xfb_000a, 'array.new_elem', Immediate.ARRAY_TYPE_AND_ELEMENT, 80, 'gc'],
  [0xfb_000b, 'array.get array.get_s array.get_u', ARRAY_TYPE, 2, 'gc'],
  [0xfb_000e, 'array.set', ARRAY_TYPE, 4, 'gc'],
  [0xfb_000f, 'array.len', NONE, 2, 'gc'],
  [0xfb_0010, 'array.fill', ARRAY_TYPE, 20, 'gc'],
  [0xfb_0011, 'array.copy', Immediate.TWO_ARRAY_TYPES, 20, 'gc'],
  [0xfb_0012, 'array.init_data', Immediate.ARRAY_TYPE_AND_DATA, 80, 'gc'],
  [0xfb_0013, 'array.init_elem', Immediate.ARRAY_TYPE_AND_ELEMENT, 80, 'gc'],
  [0xfb_0014, 'ref.test ref.test_null ref.cast ref.cast_null', HEAP_TYPE, 3, 'gc'],
  [0xfb_0018, 'br_on_cast br_on_cast_fail', Immediate.CAST_BRANCH, 4, 'gc'],
  [0xfb_001a, 'any.convert_extern extern.convert_any', NONE, 8, 'gc'],
  [0xfb_001c, 'ref.i31 i31.get_s i31.get_u', NONE, 1, 'gc'],

  [0xfc_0000, 'i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u', NONE, 4, 'saturating conversions'],
  [0xfc_0004, 'i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u', NONE, 4, 'saturating conversions'],
  [0xfc_0008, 'memory.init', Immediate.DATA_AND_MEMORY, 60, 'bulk memory'],
  [0xfc_0009, 'data.drop', Immediate.DATA, 20, 'bulk memory'],
  [0xfc_000a, 'memory.copy', Immediate.TWO_MEMORIES, 20, 'bulk memory'],
  [0xfc_000b, 'memory.fill', MEMORY, 20, 'bulk memory'],
  [0xfc_000c, 'table.init', Immediate.ELEMENT_AND_TABLE, 80, 'bulk memory'],
  [0xfc_000d, 'elem.drop', Immediate.ELEMENT, 20, 'bulk memory'],
  [0xfc_000e, 'table.copy', Immediate.TWO_TABLES, 40, 'bulk memory'],
  [0xfc_000f, 'table.grow', TABLE, 10, 'reference types'],
  [0xfc_0010, 'table.size', TABLE, 1, 'reference types'],
  [0xfc_0011, 'table.fill', TABLE, 40, 'reference types'],

  [0xfd_0000, 'v128.load v128.load8x8_s v128.load8x8_u v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u', MEMORY_ARGUMENT, 2, 'simd'],
  [0xfd_0007, 'v128.load8_splat v128.load16_splat v128.load32_splat v128.load64_splat v128.store', MEMORY_ARGUMENT, 2, 'simd'],
  [0xfd_000c, 'v128.const i8x16.shuffle', Immediate.BYTES_16, 2, 'simd'],
  [0xfd_000e, 'i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat', NONE, 2, 'simd'],
  [
    0xfd_0015,
    'i8x16.extract_lane_s i8x16.extract_lane_u i8x16.replace_lane i16x8.extract_lane_s i16x8.extract_lane_u i16x8.replace_lane i32x4.extract_lane',
    Immediate.LANE,
    2,
    'simd',
  ],
  [
    0xfd_001c,
    'i32x4.replace_lane i64x2.extract_lane i64x2.replace_lane f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane f64x2.replace_lane',
    Immediate.LANE,
    2,
    'simd',
  ],
  [0xfd_0023, 'i8x16.eq i8x16.ne i8x16.lt_s i8x16.lt_u i8x16.gt_s i8x16.gt_u i8x16.le_s i8x16.le_u i8x16.ge_s i8x16.ge_u', NONE, 2, 'simd'],
  [0xfd_002d, 'i16x8.eq i16x8.ne i16x8.lt_s i16x8.lt_u i16x8.gt_s i16x8.gt_u i16x8.le_s i16x8.le_u i16x8.ge_s i16x8.ge_u', NONE, 2, 'simd'],
  [0xfd_0037, 'i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s i32x4.gt_u i32x4.le_s i32x4.le_u i32x4.ge_s i32x4.ge_u', NONE, 2, 'simd'],
  [0xfd_0041, 'f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge', NONE, 2, 'simd'],
  [0xfd_0047, 'f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge', NONE, 2, 'simd'],
  [0xfd_004d, 'v128.not v128.and v128.andnot v128.or v128.xor v128.bitselect v128.any_true', NONE, 2, 'simd'],
  [0xfd_0054, 'v128.load8_lane v128.load16_lane v128.load32_lane v128.load64_lane', Immediate.MEMORY_ARGUMENT_AND_LANE, 3, 'simd'],
  [0xfd_0058, 'v128.store8_lane v128.store16_lane v128.store32_lane v128.store64_lane', Immediate.MEMORY_ARGUMENT_AND_LANE, 3, 'simd'],
  [0xfd_005c, 'v128.load32_zero v128.load64_zero', MEMORY_ARGUMENT, 2, 'simd'],
  [0xfd_005e, 'f32x4.demote_f64x2_zero f64x2.promote_low_f32x4', NONE, 4, 'simd'],
  [0xfd_0060, 'i8x16.abs i8x16.neg i8x16.popcnt i8x16.all_true i8x16.bitmask i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u', NONE, 4, 'simd'],
  [0xfd_0067, 'f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest', NONE, 4, 'simd'],
  [0xfd_006b, 'i8x16.shl i8x16.shr_s i8x16.shr_u i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u', NONE, 4, 'simd'],
  [0xfd_0074, 'f64x2.ceil f64x2.floor', NONE, 4, 'simd'],
  [0xfd_0076, 'i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u', NONE, 4, 'simd'],
  [0xfd_007a, 'f64x2.trunc i8x16.avgr_u', NONE, 4, 'simd'],
  [0xfd_007c, 'i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u', NONE, 4, 'simd'],
  [0xfd_0080, 'i16x8.abs i16x8.neg i16x8.q15mulr_sat_s i16x8.all_true i16x8.bitmask i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u', NONE, 4, 'simd'],
  [0xfd_0087, 'i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u', NONE, 4, 'simd'],
  [0xfd_008b, 'i16x8.shl i16x8.shr_s i16x8.shr_u i16x8.add i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u', NONE, 4, 'simd'],
  [0xfd_0094, 'f64x2.nearest i16x8.mul i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u', NONE, 4, 'simd'],
  [
    0xfd_009b,
    'i16x8.avgr_u i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u i32x4.abs i32x4.neg',
    NONE,
    4,
    'simd',
  ],
  [0xfd_00a3, 'i32x4.all_true i32x4.bitmask', NONE, 4, 'simd'],
  [
    0xfd_00a7,
    'i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add',
    NONE,
    4,
    'simd',
  ],
  [0xfd_00b1, 'i32x4.sub', NONE, 4, 'simd'],
  [0xfd_00b5, 'i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s', NONE, 4, 'simd'],
  [0xfd_00bc, 'i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u i64x2.abs i64x2.neg', NONE, 4, 'simd'],
  [0xfd_00c3, 'i64x2.all_true i64x2.bitmask', NONE, 4, 'simd'],
  [
    0xfd_00c7,
    'i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u i64x2.shl i64x2.shr_s i64x2.shr_u i64x2.add',
    NONE,
    4,
    'simd',
  ],
  [0xfd_00d1, 'i64x2.sub', NONE, 4, 'simd'],
  [0xfd_00d5, 'i64x2.mul i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s', NONE, 4, 'simd'],
  [0xfd_00dc, 'i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u f32x4.abs f32x4.neg', NONE, 4, 'simd'],
  [0xfd_00e3, 'f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax f64x2.abs f64x2.neg', NONE, 12, 'simd'],
  [0xfd_00ef, 'f64x2.sqrt f64x2.add f64x2.sub f64x2.mul f64x2.div f64x2.min f64x2.max f64x2.pmin f64x2.pmax', NONE, 12, 'simd'],
  [0xfd_00f8, 'i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u', NONE, 4, 'simd'],
  [0xfd_00fc, 'i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u', NONE, 4, 'simd'],
  [0xfd_0100, 'i8x16.relaxed_swizzle i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u i32x4.relaxed_trunc_f64x2_s_zero', NONE, 6, 'relaxed simd'],
  [0xfd_0104, 'i32x4.relaxed_trunc_f64x2_u_zero f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd', NONE, 6, 'relaxed simd'],
  [0xfd_0109, 'i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect', NONE, 6, 'relaxed simd'],
  [0xfd_010d, 'f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max', NONE, 6, 'relaxed simd'],
  [0xfd_0111, 'i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s i32x4.relaxed_dot_i8x16_i7x16_add_s', NONE, 6, 'relaxed simd'],

  [0xfe_0000, 'memory.atomic.notify', MEMORY_ARGUMENT, 40, 'threads'],
  [0xfe_0001, 'memory.atomic.wait32 memory.atomic.wait64', MEMORY_ARGUMENT, 120, 'threads'],
  [0xfe_0003, 'atomic.fence', Immediate.ZERO_BYTE, 40, 'threads'],
  [0xfe_0010, 'i32.atomic.load i64.atomic.load', MEMORY_ARGUMENT, 2, 'threads'],
  [0xfe_0012, 'i32.atomic.load8_u i32.atomic.load16_u i64.atomic.load8_u i64.atomic.load16_u i64.atomic.load32_u', MEMORY_ARGUMENT, 2, 'threads'],
  [0xfe_0017, 'i32.atomic.store i64.atomic.store', MEMORY_ARGUMENT, 10, 'threads'],
  [0xfe_0019, 'i32.atomic.store8 i32.atomic.store16 i64.atomic.store8 i64.atomic.store16 i64.atomic.store32', MEMORY_ARGUMENT, 10, 'threads'],
  ...['add', 'sub', 'and', 'or', 'xor', 'xchg', 'cmpxchg'].map((name, index) => atomicRow(0xfe_001e + 7 * index, name)),
];

/** Every operator by its code. */
export const operators: ReadonlyMap<number, Operator> = new Map([
  ...ROWS.flatMap(([first, names, immediate, price, feature = MVP]) => named(first, names, immediate, price, feature)),
  ...REFUSED.flatMap(([first, names, feature]) => named(first, names, Immediate.UNKNOWN, undefined, feature)),
]);

function named(first: number, names: string, immediate: Immediate, price: number | undefined, feature: string): [number, Operator][] {
  return names.split(' ').map((name, index) => [first + index, { code: first + index, name, immediate, price, feature }]);
}

// The seven widths of an atomic operator that reads, changes and writes.
function atomicRow(first: number, name: string): Row {
  const wide = ['i32.atomic.rmw', 'i64.atomic.rmw'].map((width) => `${width}.${name}`);
  const narrow = ['i32.atomic.rmw8', 'i32.atomic.rmw16', 'i64.atomic.rmw8', 'i64.atomic.rmw16', 'i64.atomic.rmw32'].map((width) => `${width}.${name}_u`);
  return [first, [...wide, ...narrow].join(' '), MEMORY_ARGUMENT, 10, 'threads'];
}
