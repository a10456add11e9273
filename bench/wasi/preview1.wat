;; The same for preview 1: a core module that reads and writes files, in buffers of any size, as C's library does. The first preopen is the directory.
(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))

  (memory (export "memory") 64)
  (data (i32.const 16) "large")
  (data (i32.const 32) "made")

  ;; For jco's adapter, which keeps its state here.
  (global $heap (mut i32) (i32.const 0x10000))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.sub (i32.add (global.get $heap) (local.get 2)) (i32.const 1)) (i32.sub (i32.const 0) (local.get 2))))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "_initialize"))

  (func $ok (param $errno i32) (if (local.get $errno) (then (unreachable))))

  (func $opened (param $name i32) (param $length i32) (param $flags i32) (param $rights i64) (result i32)
    (call $ok (call $open (i32.const 3) (i32.const 1) (local.get $name) (local.get $length) (local.get $flags) (local.get $rights) (i64.const 0) (i32.const 0)
      (i32.const 1024)))
    (i32.load (i32.const 1024)))

  ;; One buffer at 2 MiB.
  (func $buffer (param $size i32)
    (i32.store (i32.const 512) (i32.const 0x200000))
    (i32.store (i32.const 516) (local.get $size)))

  (func (export "read-all") (param $chunk i32) (result i64)
    (local $file i32) (local $total i64)
    (local.set $file (call $opened (i32.const 16) (i32.const 5) (i32.const 0) (i64.const 0x200006)))
    (call $buffer (local.get $chunk))
    (loop $more
      (call $ok (call $read (local.get $file) (i32.const 512) (i32.const 1) (i32.const 1024)))
      (local.set $total (i64.add (local.get $total) (i64.extend_i32_u (i32.load (i32.const 1024)))))
      (br_if $more (i32.load (i32.const 1024))))
    (call $ok (call $close (local.get $file)))
    (local.get $total))

  (func (export "writes") (param $count i32) (param $size i32)
    (local $file i32)
    (local.set $file (call $opened (i32.const 32) (i32.const 4) (i32.const 1) (i64.const 0x200066)))
    (call $buffer (local.get $size))
    (loop $more
      (call $ok (call $write (local.get $file) (i32.const 512) (i32.const 1) (i32.const 1024)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))
    (call $ok (call $close (local.get $file))))

  ;; Reads the same bytes again and again.
  (func (export "reads") (param $count i32) (param $size i32)
    (local $file i32)
    (local.set $file (call $opened (i32.const 16) (i32.const 5) (i32.const 0) (i64.const 0x200006)))
    (call $buffer (local.get $size))
    (loop $more
      (call $ok (call $read (local.get $file) (i32.const 512) (i32.const 1) (i32.const 1024)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))
    (call $ok (call $close (local.get $file))))

  (func (export "stats") (param $count i32)
    (loop $more
      (call $ok (call $stat (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 1024)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count))))

  (func (export "clocks") (param $count i32)
    (loop $more
      (call $ok (call $now (i32.const 1) (i64.const 1) (i32.const 1024)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))))
