// Loops, branches, calls, recursion, frames, exceptions and calls of the host.
import { type Attack, again, STEP } from './attack.ts';

const NOTHING = '(func $nothing)';
const TEN = Array.from({ length: 10 }, (_, index) => index);

const loops: readonly Attack[] = [
  { name: 'empty loop', text: again('') },
  { name: 'loop in a loop, one round each', text: again('(loop)', { unrolled: 8 }) },
  {
    name: 'loop of two rounds in a loop',
    text: again('(local.set $x (i32.const 2)) (loop $in (br_if $in (local.tee $x (i32.sub (local.get $x) (i32.const 1)))))'),
  },
  {
    name: 'branches that cannot be predicted',
    text: again(`${STEP} (if (i32.and (local.get $x) (i32.const 64)) (then (global.set $g (local.get $x))))`, {
      fields: '(global $g (mut i32) (i32.const 0))',
    }),
  },
  {
    name: 'br_table that cannot be predicted',
    text: again(
      `${STEP} (block $out ${TEN.map((at) => `(block $b${at}`).join('')} (br_table ${TEN.map((at) => `$b${at}`).join(' ')} (i32.and (local.get $x) (i32.const 7)))
      ${TEN.map((at) => `) (global.set $g (i32.const ${at})) (br $out)`).join('')})`,
      { fields: '(global $g (mut i32) (i32.const 0))' },
    ),
  },
  { name: 'br_if chain', text: again(`(block $out ${'(br_if $out (i32.eq (local.get $n) (i32.const -7)))'.repeat(50)})`) },
  { name: 'select', text: again('(local.set $x (select (local.get $n) (i32.const 7) (local.get $x)))', { unrolled: 50 }) },
  {
    name: 'global of the module',
    text: again('(global.set $g (i32.add (global.get $g) (i32.const 1)))', { fields: '(global $g (mut i32) (i32.const 0))', unrolled: 50 }),
  },
  {
    name: 'values through a block',
    text: again(`(block (param ${'i32 '.repeat(10)}) (result ${'i32 '.repeat(10)}))`.repeat(10), {})
      .replace('(block', `${'local.get $n '.repeat(10)}(block`)
      .replace('(br_if $next', `${'(drop)'.repeat(10)}(br_if $next`),
  },
];

const calls: readonly Attack[] = [
  { name: 'call', text: again('(call $nothing)', { fields: NOTHING, unrolled: 10 }) },
  { name: 'call of a function that calls', text: again('(call $one)', { fields: `${NOTHING} (func $one (call $nothing))`, unrolled: 10 }) },
  { name: 'call_indirect', text: again('(call_indirect $t (i32.const 0))', { fields: `${NOTHING} (table $t funcref (elem $nothing))`, unrolled: 10 }) },
  {
    name: 'call_indirect that cannot be predicted',
    text: again(`${STEP} (call_indirect $t (i32.and (local.get $x) (i32.const 7)))`, {
      fields: `(global $g (mut i32) (i32.const 0)) ${TEN.map((at) => `(func $f${at} (global.set $g (i32.const ${at})))`).join('')} (table $t funcref (elem ${TEN.map((at) => `$f${at}`).join(' ')}))`,
    }),
  },
  { name: 'call_ref', text: again('(call_ref $f (ref.func $nothing))', { fields: `(type $f (func)) ${NOTHING} (elem declare func $nothing)`, unrolled: 10 }) },
  {
    name: 'return_call',
    text: '(module (func $f (export "run") (param $n i32) (if (local.get $n) (then (return_call $f (i32.sub (local.get $n) (i32.const 1)))))))',
  },
  {
    name: 'return_call of each other',
    text: `(module (func $f (export "run") (param $n i32) (if (local.get $n) (then (return_call $g (i32.sub (local.get $n) (i32.const 1))))))
      (func $g (param $n i32) (return_call $f (local.get $n))))`,
  },
  {
    name: 'return_call_indirect',
    text: `(module (type $t (func (param i32))) (table funcref (elem $f))
      (func $f (export "run") (type $t) (param $n i32) (if (local.get $n) (then (return_call_indirect (type $t) (i32.sub (local.get $n) (i32.const 1)) (i32.const 0))))))`,
  },
  {
    name: 'return_call_ref',
    text: `(module (type $t (func (param i32))) (elem declare func $f)
      (func $f (export "run") (type $t) (param $n i32) (if (local.get $n) (then (return_call_ref $t (i32.sub (local.get $n) (i32.const 1)) (ref.func $f))))))`,
  },
  {
    name: 'tree recursion',
    text: again('(call $tree (i32.const 12))', {
      fields:
        '(func $tree (param $n i32) (if (local.get $n) (then (call $tree (i32.sub (local.get $n) (i32.const 1))) (call $tree (i32.sub (local.get $n) (i32.const 1))))))',
    }),
  },
  {
    name: 'recursion of two functions',
    text: again('(drop (call $even (i32.const 500)))', {
      fields: `(func $even (param $n i32) (result i32) (if (result i32) (local.get $n) (then (call $odd (i32.sub (local.get $n) (i32.const 1)))) (else (i32.const 1))))
        (func $odd (param $n i32) (result i32) (if (result i32) (local.get $n) (then (call $even (i32.sub (local.get $n) (i32.const 1)))) (else (i32.const 0))))`,
    }),
  },
  {
    name: 'recursion 10 000 deep',
    text: again('(call $dive (i32.const 10000))', {
      fields:
        '(func $dive (param $n i32) (if (local.get $n) (then (call $dive (i32.sub (local.get $n) (i32.const 1))) (global.set $g (local.get $n))))) (global $g (mut i32) (i32.const 0))',
    }),
  },
  ...[10, 1000, 20_000].map((count) => ({
    name: `call of a function with ${count} locals`,
    text: again('(call $wide (i32.const 0))', {
      fields: `(global $g (mut i64) (i64.const 0)) ${NOTHING} (func $wide (param $p i32) (local ${'i64 '.repeat(count)})
        (if (local.get $p) (then (loop (call $wide (i32.const 0)) ${Array.from({ length: Math.min(count, 300) }, (_, at) => `(global.set $g (local.get ${at + 1}))`).join('')}))))`,
    }),
  })),
  {
    name: 'frame of 300 values that live over a call',
    text: again('(call $wide (local.get $n))', {
      fields: `(global $g (mut i64) (i64.const 0)) (func $other (global.set $g (i64.const 1))) (table $t funcref (elem $other)) (func $wide (param $p i32) (local ${'i64 '.repeat(300)})
        ${Array.from({ length: 300 }, (_, at) => `(local.set ${at + 1} (i64.add (global.get $g) (i64.const ${at})))`).join('')}
        (call_indirect $t (i32.const 0))
        ${Array.from({ length: 300 }, (_, at) => `(global.set $g (i64.xor (global.get $g) (local.get ${at + 1})))`).join('')})`,
    }),
  },
  {
    name: 'call with 100 parameters',
    text: again(`(call_indirect $t (param ${'i32 '.repeat(100)}) ${'(local.get $n)'.repeat(100)} (i32.const 0))`, {
      fields: `(func $f (param ${'i32 '.repeat(100)})) (table $t funcref (elem $f))`,
    }),
  },
  {
    name: 'call with 100 results',
    text: again(`(call_indirect $t (result ${'i32 '.repeat(100)}) (i32.const 0)) ${'(drop)'.repeat(100)}`, {
      fields: `(func $f (result ${'i32 '.repeat(100)}) ${'(i32.const 1)'.repeat(100)}) (table $t funcref (elem $f))`,
    }),
  },
];

const THROWS =
  '(tag $e) (func $throw (throw $e)) (func $deep (param $n i32) (if (local.get $n) (then (call $deep (i32.sub (local.get $n) (i32.const 1)))) (else (throw $e))))';

const exceptions: readonly Attack[] = [
  { name: 'throw and catch', text: again('(block $h (try_table (catch $e $h) (throw $e)))', { fields: THROWS }) },
  {
    name: 'throw and catch_all_ref',
    text: again('(block $h (result exnref) (try_table (catch_all_ref $h) (call $throw)) (ref.null exn)) (drop)', { fields: THROWS }),
  },
  { name: 'throw through 100 frames', text: again('(block $h (try_table (catch $e $h) (call $deep (i32.const 100))))', { fields: THROWS }) },
  {
    name: 'throw_ref',
    text: again('(block $h (try_table (catch $e $h) (throw_ref (block $i (result exnref) (try_table (catch_all_ref $i) (throw $e)) (unreachable)))))', {
      fields: THROWS,
    }),
  },
  {
    name: 'throw with 20 values',
    text: again(
      `(block $h (result ${'i64 '.repeat(20)}) (try_table (catch $v $h) ${'(i64.const 1)'.repeat(20)} (throw $v)) (unreachable)) ${'(drop)'.repeat(20)}`,
      { fields: `(tag $v (param ${'i64 '.repeat(20)}))` },
    ),
  },
  { name: 'try_table that nothing leaves', text: again('(block $h (try_table (catch $e $h)))', { fields: THROWS, unrolled: 10 }) },
  { name: 'throw and catch, old encoding', text: again('try throw $e catch $e end', { fields: THROWS }) },
  { name: 'throw through 100 frames, old encoding', text: again('try i32.const 100 call $deep catch_all end', { fields: THROWS }) },
  { name: 'rethrow, old encoding', text: again('try try throw $e catch $e rethrow 0 end catch_all end', { fields: THROWS }) },
];

const host: readonly Attack[] = [
  { name: 'call of the host', text: again('(call $pass)', { fields: '(import "host" "pass" (func $pass))' }) },
  ...['i32', 'i64', 'f64'].map((type) => ({
    name: `call of the host with 50 ${type}`,
    text: again(`(call $pass ${`(${type}.const 1)`.repeat(50)})`, { fields: `(import "host" "pass" (func $pass (param ${`${type} `.repeat(50)})))` }),
  })),
  {
    name: 'call of the host through the table',
    text: again('(call_indirect $t (i32.const 0))', { fields: '(import "host" "pass" (func $pass)) (table $t funcref (elem $pass))' }),
  },
];

export const control: readonly Attack[] = [...loops, ...calls, ...exceptions, ...host];
