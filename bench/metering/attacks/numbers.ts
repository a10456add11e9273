// Arithmetic: the yardstick, what takes the processor long, and vectors.
import { type Attack, again } from './attack.ts';

const UNROLLED = 50;

/** What one unit is worth: a mix of simple operations, each of which waits for the one before. */
export const PLAIN: Attack = {
  name: 'plain arithmetic',
  text: again(
    `(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
     (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 7))))
     (local.set $x (i32.sub (i32.rotl (local.get $x) (i32.const 5)) (local.get $n)))
     (if (i32.eqz (local.get $x)) (then (return)))`,
    { unrolled: 10 },
  ),
};

// The result of each goes into the next; at the end it is looked at, lest the engine leave it all out.
function chain(type: string, start: string, step: string): string {
  return `(module (global $sink (mut ${type}) (${start})) (func (export "run") (param $n i32) (local $v ${type})
    (local.set $v (${start}))
    (loop $next
      ${`(local.set $v ${step})`.repeat(UNROLLED)}
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (global.set $sink (local.get $v))))`;
}

const V = '(local.get $v)';

const scalars: readonly Attack[] = [
  ...['i32', 'i64'].flatMap((type) =>
    ['div_s', 'div_u', 'rem_s', 'rem_u'].map((operator) => ({
      name: `${type}.${operator}`,
      text: chain(type, `${type}.const 0x7ffffff1`, `(${type}.or (${type}.${operator} (${type}.const 0x7fffabcd) ${V}) (${type}.const 3))`),
    })),
  ),
  ...['i32', 'i64'].flatMap((type) =>
    ['mul', 'clz', 'ctz', 'popcnt'].map((operator) => ({
      name: `${type}.${operator}`,
      text: chain(type, `${type}.const 3`, `(${type}.${operator} ${V}${operator === 'mul' ? ` ${V}` : ''})`),
    })),
  ),
  ...['f32', 'f64'].flatMap((type) => [
    ...['sqrt', 'ceil', 'floor', 'trunc', 'nearest', 'abs'].map((operator) => ({
      name: `${type}.${operator}`,
      text: chain(type, `${type}.const 1.5`, `(${type}.${operator} ${V})`),
    })),
    ...['add', 'mul', 'div', 'min', 'max', 'copysign'].map((operator) => ({
      name: `${type}.${operator}`,
      text: chain(type, `${type}.const 1.000001`, `(${type}.${operator} (${type}.const 1.1) ${V})`),
    })),
  ]),
  { name: 'f64.mul of the smallest numbers', text: chain('f64', 'f64.const 0x1p-1060', `(f64.mul (f64.const 0.9999999) ${V})`) },
  { name: 'f32.div of the smallest numbers', text: chain('f32', 'f32.const 0x1p-140', `(f32.div ${V} (f32.const 1.0000001))`) },
  ...['i32', 'i64'].flatMap((type) =>
    ['trunc_f64_s', 'trunc_f64_u', 'trunc_sat_f64_s', 'trunc_sat_f64_u'].map((operator) => ({
      name: `${type}.${operator} and back`,
      text: chain('f64', 'f64.const 12.5', `(f64.convert_${type}_u (${type}.${operator} ${V}))`),
    })),
  ),
  { name: 'f32.convert_i64_u and back', text: chain('i64', 'i64.const -9', '(i64.trunc_sat_f32_u (f32.convert_i64_u (local.get $v)))') },
  { name: 'f32.demote_f64 and back', text: chain('f64', 'f64.const 1.5', '(f64.promote_f32 (f32.demote_f64 (local.get $v)))') },
  { name: 'i64.reinterpret_f64 and back', text: chain('f64', 'f64.const 1.5', '(f64.reinterpret_i64 (i64.reinterpret_f64 (local.get $v)))') },
];

const UNARY =
  'i8x16.popcnt i8x16.abs i64x2.abs f32x4.sqrt f64x2.sqrt f64x2.nearest f32x4.ceil i16x8.extadd_pairwise_i8x16_s i64x2.extend_high_i32x4_s i32x4.trunc_sat_f32x4_u i32x4.trunc_sat_f64x2_u_zero f32x4.convert_i32x4_u f64x2.convert_low_i32x4_u f32x4.demote_f64x2_zero i32x4.relaxed_trunc_f32x4_u';
const BINARY =
  'i8x16.swizzle i8x16.relaxed_swizzle i64x2.mul i32x4.mul i32x4.dot_i16x8_s i16x8.q15mulr_sat_s i64x2.extmul_low_i32x4_s i8x16.narrow_i16x8_s i8x16.avgr_u f32x4.div f64x2.div f64x2.min f64x2.max f64x2.pmin i64x2.gt_s i8x16.ne i64x2.eq i8x16.add_sat_u i16x8.relaxed_dot_i8x16_i7x16_s';
const SHIFTS = 'i8x16.shl i8x16.shr_s i8x16.shr_u i64x2.shr_s';
const START = 'v128.const i32x4 0x3f912345 0x3ff54321 0x40123456 0x3fedcba9';

const vectors: readonly Attack[] = [
  ...UNARY.split(' ').map((operator) => ({ name: operator, text: chain('v128', START, `(${operator} ${V})`) })),
  ...BINARY.split(' ').map((operator) => ({ name: operator, text: chain('v128', START, `(${operator} ${V} (${START}))`) })),
  ...SHIFTS.split(' ').map((operator) => ({ name: operator, text: chain('v128', START, `(${operator} ${V} (local.get $n))`) })),
  { name: 'i8x16.shuffle', text: chain('v128', START, `(i8x16.shuffle 0 17 5 19 3 21 7 30 2 2 9 16 31 12 1 8 ${V} (${START}))`) },
  { name: 'v128.bitselect', text: chain('v128', START, `(v128.bitselect ${V} (${START}) (v128.not ${V}))`) },
  { name: 'f64x2.relaxed_madd', text: chain('v128', START, `(f64x2.relaxed_madd ${V} (${START}) ${V})`) },
  { name: 'i8x16.bitmask and splat', text: chain('v128', START, `(i8x16.splat (i8x16.bitmask ${V}))`) },
  { name: 'i64x2.all_true and splat', text: chain('v128', START, `(i32x4.splat (i64x2.all_true ${V}))`) },
  { name: 'v128.any_true and replace_lane', text: chain('v128', START, `(i16x8.replace_lane 3 ${V} (v128.any_true ${V}))`) },
  { name: 'v128.load8_lane', text: chain('v128', START, `(v128.load8_lane 5 (i32.const 16) ${V})`).replace('(module', '(module (memory 1)') },
];

export const arithmetic: readonly Attack[] = [...scalars, ...vectors];
