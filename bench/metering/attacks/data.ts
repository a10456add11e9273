// Memories, tables, atomics and what the garbage collector manages.
import { type Attack, again, STEP } from './attack.ts';

const SIZES: readonly (readonly [name: string, bytes: number])[] = [
  ['0', 0],
  ['1', 1],
  ['64', 64],
  ['4 KiB', 4096],
  ['1 MiB', 2 ** 20],
];
const PAGES = 512;
const MEMORY = `(memory ${PAGES})`;
const HALF = (PAGES / 2) * 65_536;

// Fills 32 MiB with one cycle through all lines of 64 bytes, in an order that no processor foresees (a linear congruence of full period).
const CHASE = `${MEMORY} (func (export "prepare") (local $at i32)
  (loop $next
    (i32.store (local.get $at) (i32.shl (i32.and (i32.const 0x7ffff)
      (i32.add (i32.mul (i32.shr_u (local.get $at) (i32.const 6)) (i32.const 1664525)) (i32.const 1013904223))) (i32.const 6)))
    (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (i32.const 0x2000000)))))`;

const access: readonly Attack[] = [
  {
    name: 'load in order',
    text: again('(local.set $x (i32.add (local.get $x) (i32.load (i32.and (local.get $n) (i32.const 0xfffc)))))', { fields: MEMORY, unrolled: 10 }),
  },
  { name: 'store in order', text: again('(i32.store (i32.and (local.get $n) (i32.const 0xfffc)) (local.get $n))', { fields: MEMORY, unrolled: 10 }) },
  { name: 'pointer chase over 32 MiB', text: again('(local.set $x (i32.load (local.get $x)))', { fields: CHASE, unrolled: 10 }) },
  {
    name: 'load at random in 32 MiB',
    text: again(`${STEP} (local.set $x (i32.xor (local.get $x) (i32.load (i32.and (local.get $x) (i32.const 0x1fffffc)))))`, { fields: CHASE }),
  },
  {
    name: 'store with strides of a page and a line',
    text: again('(i32.store (local.tee $x (i32.and (i32.add (local.get $x) (i32.const 4160)) (i32.const 0x1fffffc))) (local.get $n))', {
      fields: CHASE,
      unrolled: 10,
    }),
  },
  {
    name: 'load over the edge of lines',
    text: again('(local.set $x (i32.and (i32.wrap_i64 (i64.load offset=61 (local.get $x))) (i32.const 0x1ffffc0)))', { fields: CHASE, unrolled: 10 }),
  },
  {
    name: 'first touch of declared memory',
    text: again('(i32.store8 (local.tee $x (i32.add (local.get $x) (i32.const 4096))) (i32.const 1))', { fields: '(memory 4096)' }),
    once: 65_000,
  },
  {
    name: 'first touch of grown memory',
    text: again('(i32.store8 (local.tee $x (i32.add (local.get $x) (i32.const 4096))) (i32.const 1))', { fields: '(memory 0)' }).replace(
      '(loop',
      '(drop (memory.grow (i32.const 4096))) (loop',
    ),
    once: 65_000,
  },
  { name: 'memory.size', text: again('(local.set $x (i32.add (local.get $x) (memory.size)))', { fields: MEMORY, unrolled: 10 }) },
  { name: 'memory.grow by 0', text: again('(drop (memory.grow (i32.const 0)))', { fields: MEMORY }) },
  { name: 'memory.grow by 1', text: again('(drop (memory.grow (i32.const 1)))', { fields: '(memory 0)' }), once: 10_000 },
  {
    name: 'memory.grow by 1 and touch',
    text: again('(i32.store8 (i32.shl (memory.grow (i32.const 1)) (i32.const 16)) (i32.const 1))', { fields: '(memory 0)' }),
    once: 10_000,
  },
  { name: 'memory.grow that fails', text: again('(drop (memory.grow (i32.const 65536)))', { fields: MEMORY }) },
  {
    name: 'memory64 load',
    text: again('(local.set $y (i64.load (i64.and (local.get $y) (i64.const 0xfff8))))', {
      fields: '(memory i64 512)',
      locals: '(local $y i64)',
      unrolled: 10,
    }),
  },
  { name: 'memory64 fill of 4 KiB', text: again('(memory.fill (i64.const 0) (i32.const 0) (i64.const 4096))', { fields: '(memory i64 512)' }) },
  {
    name: 'memory.copy between memories, 4 KiB',
    text: again('(memory.copy $a $b (i32.const 0) (i32.const 0) (i32.const 4096))', { fields: '(memory $a 16) (memory $b 16)' }),
  },
];

const bulkMemory: readonly Attack[] = SIZES.flatMap(([name, bytes]) => [
  { name: `memory.fill of ${name}`, text: again(`(memory.fill (i32.const 0) (i32.const 1) (i32.const ${bytes}))`, { fields: MEMORY }) },
  { name: `memory.copy of ${name}`, text: again(`(memory.copy (i32.const 0) (i32.const ${HALF}) (i32.const ${bytes}))`, { fields: MEMORY }) },
  {
    name: `memory.init of ${name}`,
    text: again(`(memory.init $d (i32.const 0) (i32.const 0) (i32.const ${bytes}))`, { fields: `${MEMORY} (data $d "${'x'.repeat(bytes)}")` }),
  },
]);

const firstTouch: readonly Attack[] = [
  {
    name: 'memory.fill of 1 MiB, first touch',
    text: again('(memory.fill (local.get $x) (i32.const 1) (i32.const 1048576)) (local.set $x (i32.add (local.get $x) (i32.const 1048576)))', {
      fields: '(memory 8192)',
    }),
    once: 511,
  },
  {
    name: 'memory.copy of 1 MiB, first touch',
    text: again(`(memory.copy (local.get $x) (i32.const 0x1ff00000) (i32.const 1048576)) (local.set $x (i32.add (local.get $x) (i32.const 1048576)))`, {
      fields: '(memory 8192)',
    }),
    once: 510,
  },
];

const tables: readonly Attack[] = [
  { name: 'table.get', text: again('(drop (table.get $t (i32.const 0)))', { fields: '(func $f) (table $t funcref (elem $f))', unrolled: 10 }) },
  {
    name: 'table.set of a function',
    text: again('(table.set $t (i32.const 0) (ref.func $f))', { fields: '(func $f) (table $t funcref (elem $f))', unrolled: 10 }),
  },
  {
    name: 'table.set of null',
    text: again('(table.set $t (i32.const 0) (ref.null func))', { fields: '(func $f) (table $t funcref (elem $f))', unrolled: 10 }),
  },
  { name: 'table.size', text: again('(local.set $x (i32.add (local.get $x) (table.size $t)))', { fields: '(table $t 10 funcref)', unrolled: 10 }) },
  { name: 'table.grow by 0', text: again('(drop (table.grow $t (ref.null func) (i32.const 0)))', { fields: '(table $t 10 funcref)' }) },
  { name: 'table.grow by 1', text: again('(drop (table.grow $t (ref.null func) (i32.const 1)))', { fields: '(table $t 0 funcref)' }), once: 50_000 },
  {
    name: 'table.grow by 1 of a table of 900 000',
    text: again('(drop (table.grow $t (ref.null func) (i32.const 1)))', { fields: '(table $t 900000 funcref)' }),
    once: 50_000,
  },
  { name: 'table.grow that fails', text: again('(drop (table.grow $t (ref.null func) (i32.const 1)))', { fields: '(table $t 1 1 funcref)' }) },
  ...[0, 1, 1000].flatMap((count) => [
    {
      name: `table.fill of ${count}`,
      text: again(`(table.fill $t (i32.const 0) (ref.func $f) (i32.const ${count}))`, { fields: '(func $f) (elem declare func $f) (table $t 2000 funcref)' }),
    },
    {
      name: `table.copy of ${count}`,
      text: again(`(table.copy $t $t (i32.const 0) (i32.const 1000) (i32.const ${count}))`, {
        fields: '(func $f) (elem declare func $f) (table $t 2000 funcref (ref.func $f))',
      }),
    },
    {
      name: `table.init of ${count}`,
      text: again(`(table.init $t $e (i32.const 0) (i32.const 0) (i32.const ${count}))`, {
        fields: `(func $f) (table $t 2000 funcref) (elem $e func ${'$f '.repeat(1000)})`,
      }),
    },
  ]),
  {
    name: 'table.fill of 1000 externref',
    text: again('(table.fill $t (i32.const 0) (ref.null extern) (i32.const 1000))', { fields: '(table $t 2000 externref)' }),
  },
  { name: 'elem.drop', text: again('(elem.drop $e)', { fields: '(func $f) (elem $e func $f)' }) },
  { name: 'data.drop', text: again('(data.drop $d)', { fields: '(memory 1) (data $d "x")' }) },
];

const SHARED = '(import "host" "memory" (memory 1 1 shared))';

const atomics: readonly Attack[] = [
  { name: 'atomic load', text: again('(local.set $x (i32.add (local.get $x) (i32.atomic.load (i32.const 0))))', { fields: SHARED, unrolled: 10 }) },
  { name: 'atomic store', text: again('(i32.atomic.store (i32.const 0) (local.get $n))', { fields: SHARED, unrolled: 10 }) },
  { name: 'atomic.rmw.add', text: again('(drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))', { fields: SHARED, unrolled: 10 }) },
  { name: 'atomic.rmw.cmpxchg', text: again('(drop (i64.atomic.rmw.cmpxchg (i32.const 0) (i64.const 0) (i64.const 1)))', { fields: SHARED, unrolled: 10 }) },
  { name: 'atomic.fence', text: again('(atomic.fence)', { fields: SHARED, unrolled: 10 }) },
  { name: 'atomic.notify', text: again('(drop (memory.atomic.notify (i32.const 0) (i32.const 1)))', { fields: SHARED }) },
  { name: 'atomic.wait32 for another value', text: again('(drop (memory.atomic.wait32 (i32.const 0) (i32.const 99) (i64.const 0)))', { fields: SHARED }) },
  { name: 'atomic.wait32 with timeout 0', text: again('(drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const 0)))', { fields: SHARED }) },
];

const TYPES =
  '(type $s (struct (field (mut i32)) (field (mut i64)))) (type $a (array (mut i64))) (type $b (array (mut i8))) (global $s (mut (ref null $s)) (ref.null $s)) (global $a (mut (ref null $a)) (ref.null $a)) (global $b (mut (ref null $b)) (ref.null $b))';
const DEPTH = 60;
const SUBTYPES = `(type $t0 (sub (struct))) ${Array.from({ length: DEPTH }, (_, at) => `(type $t${at + 1} (sub $t${at} (struct ${'(field i32)'.repeat(at + 1)})))`).join('')}
  (global $leaf (mut anyref) (ref.null any)) (func (export "prepare") (global.set $leaf (struct.new_default $t${DEPTH})))`;

const gc: readonly Attack[] = [
  { name: 'struct.new', text: again('(global.set $s (struct.new $s (local.get $n) (i64.const 1)))', { fields: TYPES, unrolled: 10 }) },
  {
    name: 'struct.new of 1000 fields',
    text: again('(global.set $w (struct.new_default $w))', {
      fields: `(type $w (struct ${'(field i64)'.repeat(1000)})) (global $w (mut (ref null $w)) (ref.null $w))`,
    }),
  },
  {
    name: 'struct.get and struct.set',
    text: again('(struct.set $s 0 (global.get $s) (i32.add (i32.const 1) (struct.get $s 0 (global.get $s))))', {
      fields: `${TYPES} (func (export "prepare") (global.set $s (struct.new_default $s)))`,
      unrolled: 10,
    }),
  },
  ...[1, 64, 4096, 1_000_000].map((count) => ({
    name: `array.new_default of ${count} bytes`,
    text: again(`(global.set $b (array.new_default $b (i32.const ${count})))`, { fields: TYPES }),
  })),
  { name: 'array.new of 4096 i64', text: again('(global.set $a (array.new $a (i64.const 1) (i32.const 4096)))', { fields: TYPES }) },
  { name: 'array.new_fixed of 100 i64', text: again(`(global.set $a (array.new_fixed $a 100 ${'(i64.const 1)'.repeat(100)}))`, { fields: TYPES }) },
  {
    name: 'array.new_data of 64',
    text: again('(global.set $b (array.new_data $b $d (i32.const 0) (i32.const 64)))', { fields: `${TYPES} (data $d "${'x'.repeat(64)}")` }),
  },
  ...[1, 1000, 1_000_000].flatMap((count) => [
    {
      name: `array.fill of ${count} i64`,
      text: again(`(array.fill $a (global.get $a) (i32.const 0) (i64.const 1) (i32.const ${count}))`, {
        fields: `${TYPES} (func (export "prepare") (global.set $a (array.new_default $a (i32.const 2000000))))`,
      }),
    },
    {
      name: `array.copy of ${count} i64`,
      text: again(`(array.copy $a $a (global.get $a) (i32.const 0) (global.get $a) (i32.const 1000000) (i32.const ${count}))`, {
        fields: `${TYPES} (func (export "prepare") (global.set $a (array.new_default $a (i32.const 2000000))))`,
      }),
    },
  ]),
  {
    name: 'array.get with an index at random',
    text: again(`${STEP} (local.set $x (i32.xor (local.get $x) (i32.wrap_i64 (array.get $a (global.get $a) (i32.and (local.get $x) (i32.const 0xfffff))))))`, {
      fields: `${TYPES} (func (export "prepare") (global.set $a (array.new_default $a (i32.const 2000000))))`,
    }),
  },
  { name: `ref.cast to a type ${DEPTH} deep`, text: again(`(drop (ref.cast (ref $t${DEPTH}) (global.get $leaf)))`, { fields: SUBTYPES, unrolled: 10 }) },
  {
    name: 'ref.cast chain',
    text: again(Array.from({ length: DEPTH }, (_, at) => `(drop (ref.cast (ref $t${at + 1}) (global.get $leaf)))`).join(''), { fields: SUBTYPES }),
  },
  {
    name: 'ref.test that fails',
    text: again(`(local.set $x (ref.test (ref $t${DEPTH}) (global.get $small)))`, {
      fields: `${SUBTYPES} (global $small (mut anyref) (struct.new_default $t0))`,
      unrolled: 10,
    }),
  },
  {
    name: 'br_on_cast',
    text: again(`(drop (block $b (result anyref) (br_on_cast $b anyref (ref $t${DEPTH}) (global.get $leaf))))`, { fields: SUBTYPES, unrolled: 10 }),
  },
  { name: 'i31', text: again('(local.set $x (i31.get_s (ref.i31 (i32.add (local.get $x) (i32.const 1)))))', { unrolled: 10 }) },
  {
    name: 'any.convert_extern',
    text: again('(global.set $e (extern.convert_any (any.convert_extern (global.get $e))))', {
      fields: '(global $e (mut externref) (ref.null extern))',
      unrolled: 10,
    }),
  },
  {
    name: 'linked list that stays alive',
    text: again('(global.set $l (struct.new $l (global.get $l)))', {
      fields: '(type $l (struct (field (ref null $l)))) (global $l (mut (ref null $l)) (ref.null $l))',
    }),
    once: 300_000,
  },
];

export const data: readonly Attack[] = [...access, ...bulkMemory, ...firstTouch, ...tables, ...atomics, ...gc];
