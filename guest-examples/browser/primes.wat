;; Counts primes with a sieve in a memory that it grows for it, and tells the host the largest one.
(module
  (import "host" "largest" (func $largest (param i32)))
  (memory 1)

  (func (export "primes") (param $below i32) (result i32)
    (local $number i32) (local $multiple i32) (local $count i32) (local $last i32)
    (call $reserve (local.get $below))
    (local.set $number (i32.const 2))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $number) (local.get $below)))
        (if (i32.eqz (i32.load8_u (local.get $number)))
          (then
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (local.set $last (local.get $number))
            (local.set $multiple (i32.shl (local.get $number) (i32.const 1)))
            (block $struck
              (loop $strike
                (br_if $struck (i32.ge_u (local.get $multiple) (local.get $below)))
                (i32.store8 (local.get $multiple) (i32.const 1))
                (local.set $multiple (i32.add (local.get $multiple) (local.get $number)))
                (br $strike)))))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br $next)))
    (call $largest (local.get $last))
    (local.get $count))

  ;; One byte for each number; traps when the memory is refused.
  (func $reserve (param $bytes i32)
    (local $missing i32)
    (local.set $missing (i32.sub (i32.shr_u (i32.add (local.get $bytes) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (unreachable)))))
    (memory.fill (i32.const 0) (i32.const 0) (local.get $bytes))))
