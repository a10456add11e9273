;; A preview 1 command that says what it can see of its host: two clocks, eight random bytes, the environment. One line each, `name value`,
;; or `name refused <errno>`.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))

  ;; 0: one iovec and the count written; 16: results; 64: digits, written from 96 downwards; 4096: environment pointers; 8192: its text.
  (memory (export "memory") 2)
  (data (i32.const 128) "realtime ")
  (data (i32.const 144) "monotonic ")
  (data (i32.const 160) "random ")
  (data (i32.const 176) "variables ")
  (data (i32.const 192) "refused ")
  (data (i32.const 208) "\n")
  (data (i32.const 224) "0123456789abcdef")

  (func (export "_start")
    (call $print_clock (i32.const 128) (i32.const 9) (i32.const 0))
    (call $print_clock (i32.const 144) (i32.const 10) (i32.const 1))
    (call $print_random)
    (call $print_environment))

  (func $print_clock (param $label i32) (param $length i32) (param $clock i32)
    (local $errno i32)
    (call $print (local.get $label) (local.get $length))
    (local.set $errno (call $clock_time_get (local.get $clock) (i64.const 1) (i32.const 16)))
    (if (local.get $errno)
      (then (call $print_refused (local.get $errno)))
      (else (call $print_number (i64.load (i32.const 16)) (i64.const 10) (i32.const 1))))
    (call $print_newline))

  (func $print_random
    (local $errno i32)
    (call $print (i32.const 160) (i32.const 7))
    (local.set $errno (call $random_get (i32.const 16) (i32.const 8)))
    (if (local.get $errno)
      (then (call $print_refused (local.get $errno)))
      (else (call $print_number (i64.load (i32.const 16)) (i64.const 16) (i32.const 16))))
    (call $print_newline))

  (func $print_environment
    (local $errno i32) (local $index i32) (local $text i32)
    (call $print (i32.const 176) (i32.const 10))
    (local.set $errno (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (if (i32.eqz (local.get $errno))
      (then
        (local.set $errno (call $environ_get (i32.const 4096) (i32.const 8192)))))
    (if (local.get $errno)
      (then
        (call $print_refused (local.get $errno))
        (call $print_newline)
        (return)))
    (call $print_number (i64.load32_u (i32.const 16)) (i64.const 10) (i32.const 1))
    (call $print_newline)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $index) (i32.load (i32.const 16))))
        (local.set $text (i32.load (i32.add (i32.const 4096) (i32.shl (local.get $index) (i32.const 2)))))
        (call $print (local.get $text) (call $length_of (local.get $text)))
        (call $print_newline)
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next))))

  (func $print_refused (param $errno i32)
    (call $print (i32.const 192) (i32.const 8))
    (call $print_number (i64.extend_i32_u (local.get $errno)) (i64.const 10) (i32.const 1)))

  (func $print_newline
    (call $print (i32.const 208) (i32.const 1)))

  ;; `value` in `base`, padded with zeros to `digits`.
  (func $print_number (param $value i64) (param $base i64) (param $digits i32)
    (local $at i32)
    (local.set $at (i32.const 96))
    (loop $next
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8
        (local.get $at)
        (i32.load8_u offset=224 (i32.wrap_i64 (i64.rem_u (local.get $value) (local.get $base)))))
      (local.set $value (i64.div_u (local.get $value) (local.get $base)))
      (local.set $digits (i32.sub (local.get $digits) (i32.const 1)))
      (br_if $next
        (i32.or
          (i64.ne (local.get $value) (i64.const 0))
          (i32.gt_s (local.get $digits) (i32.const 0)))))
    (call $print (local.get $at) (i32.sub (i32.const 96) (local.get $at))))

  (func $print (param $text i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $text))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $length_of (param $text i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $text))
    (block $found
      (loop $next
        (br_if $found (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $end) (local.get $text))))
