// A small module for each feature of WebAssembly 3.0 and of what the engine has beyond it, in today's text format.

export const FEATURES: Readonly<Record<string, string>> = {
  'multiple values': `(module (type $swap (func (param i32 i64) (result i64 i32)))
    (func (type $swap) (local.get 1) (local.get 0))
    (func (export "f") (param i32) (result i32) (local.get 0) (i64.const 1) (block (type $swap) (call 0)) (drop) (drop) (i32.const 1)
      (loop (param i32) (result i32) (br_if 0 (i32.const 0)) (if (param i32) (result i32) (i32.const 1) (then) (else (drop) (i32.const 2))))))`,
  'reference types': `(module (table $t 1 2 externref) (table $f 1 funcref) (elem declare func $g) (func $g)
    (func (param externref) (table.set $t (i32.const 0) (local.get 0)) (drop (table.grow $t (ref.null extern) (i32.const 1)))
      (table.fill $t (i32.const 0) (table.get $t (i32.const 0)) (table.size $t)) (drop (ref.is_null (ref.func $g)))
      (drop (select (result funcref) (ref.null func) (ref.func $g) (i32.const 1)))))`,
  'bulk memory': `(module (memory 1) (table $t 4 funcref) (data $d "abc") (elem $e func $f $f) (data (i32.const 1) "x")
    (func $f (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d) (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)) (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 2)) (elem.drop $e)
      (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 2))))`,
  simd: `(module (memory 1) (func (param v128) (result v128) (local v128) (local.set 1 (v128.load offset=16 align=8 (i32.const 0)))
      (v128.store8_lane offset=1 3 (i32.const 0) (local.get 0))
      (i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31 (local.get 0) (i32x4.add (v128.const i32x4 1 2 3 4) (i16x8.replace_lane 7 (local.get 1) (i32.const 5))))))`,
  'relaxed simd': `(module (func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (i8x16.relaxed_swizzle (local.get 1) (local.get 2)) (local.get 2))))`,
  threads: `(module (memory 1 2 shared) (func (param i32) (result i64) (atomic.fence) (i32.atomic.store8 offset=3 (local.get 0) (i32.const 1))
      (drop (i32.atomic.rmw16.cmpxchg_u (local.get 0) (i32.const 1) (i32.const 2))) (drop (memory.atomic.notify (local.get 0) (i32.const 1)))
      (drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 0))) (i64.atomic.rmw.add (local.get 0) (i64.const 1))))`,
  'tail calls': `(module (type $f (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $g)
    (func $g (type $f) (if (i32.eqz (local.get 0)) (then (return (i32.const 0)))) (return_call $g (i32.sub (local.get 0) (i32.const 1))))
    (func (type $f) (return_call_indirect (type $f) (local.get 0) (i32.const 0))))`,
  exceptions: `(module (tag $e (param i32 i64)) (tag $f) (func (result i32)
      (block $caught (result i32 i64) (block $ref (result i32 i64 exnref) (block $any (block $anyref (result exnref)
        (try_table (result i32) (catch $e $caught) (catch_ref $e $ref) (catch_all $any) (catch_all_ref $anyref) (throw $f)) (return)) (throw_ref))
        (return (i32.const 1))) (drop)) (drop)))`,
  'legacy exceptions': `(module (tag $e (param i32)) (func (result i32)
      try $l (result i32) try (result i32) i32.const 1 throw $e catch $e i32.const 1 i32.add catch_all rethrow 0 end delegate 0)
    (func try try unreachable delegate 0 catch_all end))`,
  'several memories': `(module (memory $a 1) (memory $b 1 2) (data (memory $b) (i32.const 3) "x") (func (result i32)
      (memory.copy $b $a (i32.const 0) (i32.const 0) (i32.const 1)) (memory.fill $b (i32.const 0) (i32.const 0) (memory.size $b))
      (i32.store8 $b offset=2 (i32.const 0) (i32.const 1)) (drop (memory.grow $b (i32.const 1))) (i32.load16_u $b offset=300 align=1 (i32.const 0))))`,
  memory64: `(module (memory $m i64 1 0x10000) (data (i64.const 1) "x") (func (param i64) (result i64)
      (memory.fill (local.get 0) (i32.const 0) (i64.const 1)) (drop (i32.load offset=0x1_0000_0000 (local.get 0)))
      (i64.add (memory.grow (i64.const 1)) (memory.size))))`,
  table64: `(module (table $t i64 1 0xffff_ffff_ffff funcref) (elem (table $t) (i64.const 0) func $f) (type $v (func))
    (func $f (table.set $t (i64.const 0) (ref.null func)) (call_indirect $t (type $v) (i64.const 0)) (drop (table.grow $t (ref.null func) (i64.const 1)))))`,
  'typed function references': `(module (type $f (func (param i32) (result i32))) (elem declare func $g) (table 2 (ref $f) (ref.func $g)) (global $r (ref null $f) (ref.func $g))
    (func $g (type $f) (local (ref $f)) (local.set 1 (ref.func $g))
      (block $null (block $non (result (ref $f)) (br_on_null $null (global.get $r)) (br_on_non_null $non) (ref.func $g)) (local.set 1))
      (drop (call_ref $f (i32.const 1) (ref.as_non_null (global.get $r)))) (return_call_ref $f (local.get 0) (local.get 1))))`,
  'garbage-collected objects': `(module
    (rec (type $node (sub (struct (field $v (mut i8)) (field $next (mut (ref null $node)))))) (type $nodes (array (mut (ref null $node)))))
    (type $leaf (sub final $node (struct (field (mut i8)) (field (mut (ref null $node))) (field i64)))) (type $bytes (array (mut i8)))
    (data $d "abcdef") (elem $e (ref null $node) (struct.new_default $node)) (global $g (ref $bytes) (array.new_fixed $bytes 2 (i32.const 1) (i32.const 2)))
    (table 1 anyref (ref.i31 (i32.const 3)))
    (func (param anyref) (result i32) (local $n (ref null $node)) (local $a (ref $bytes))
      (local.set $n (struct.new $leaf (i32.const 1) (local.get $n) (i64.const 2))) (struct.set $node $v (local.get $n) (struct.get_u $node $v (local.get $n)))
      (drop (struct.get $node $next (local.get $n))) (drop (struct.get_s $node $v (struct.new_default $leaf)))
      (local.set $a (array.new $bytes (i32.const 7) (i32.const 8))) (drop (array.new_default $nodes (i32.const 1)))
      (drop (array.new_data $bytes $d (i32.const 0) (i32.const 3))) (drop (array.new_elem $nodes $e (i32.const 0) (i32.const 1)))
      (array.set $bytes (local.get $a) (i32.const 0) (array.get_s $bytes (local.get $a) (i32.const 1))) (drop (array.get_u $bytes (local.get $a) (array.len (local.get $a))))
      (array.fill $bytes (local.get $a) (i32.const 0) (i32.const 1) (i32.const 2)) (array.copy $bytes $bytes (local.get $a) (i32.const 0) (global.get $g) (i32.const 0) (i32.const 1))
      (array.init_data $bytes $d (local.get $a) (i32.const 0) (i32.const 0) (i32.const 1))
      (drop (array.get $nodes (array.new_fixed $nodes 1 (local.get $n)) (i32.const 0)))
      (block $cast (result anyref) (br_on_cast $cast anyref (ref $leaf) (local.get 0)) (br_on_cast_fail $cast anyref (ref null $node)) (drop) (ref.null any))
      (drop (ref.cast (ref null struct))) (drop (ref.test (ref i31) (local.get 0))) (drop (ref.cast (ref null none) (any.convert_extern (extern.convert_any (ref.null any)))))
      (i32.add (ref.eq (local.get $n) (local.get $a)) (i32.add (i31.get_s (ref.i31 (i32.const 1))) (i31.get_u (ref.i31 (i32.const 2)))))))`,
  'extended constants': `(module (global $a i32 (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3)))) (global i64 (i64.sub (i64.const 1) (i64.mul (i64.const 2) (i64.add (i64.const 0) (i64.const 3)))))
    (memory 1) (data (i32.sub (global.get $a) (i32.const 1)) "x") (func (drop (global.get $a))))`,
  'branch hints': `(module (func (param i32) (@metadata.code.branch_hint "\\00") (if (local.get 0) (then (block (@metadata.code.branch_hint "\\01") (br_if 0 (local.get 0)))))))`,
};
