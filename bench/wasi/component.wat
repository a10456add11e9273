;; A real guest for the benchmarks: a component's core module that does one thing of WASI many times, in the way that what languages compile to does it.
;; `guests.ts` makes the component. Below 4096 is a place for results, at 4096 the heap of what the host gives, at 2 MiB the bytes to write.
(module
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.stat-at" (func $stat (param i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.write" (func $write (param i32 i32 i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-via-stream" (func $readStream (param i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.write-via-stream" (func $writeStream (param i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor" (func $dropDescriptor (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $blockingRead (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $blockingWrite (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]input-stream" (func $dropInput (param i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $dropOutput (param i32)))
  (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $dropPollable (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))

  (memory (export "memory") 64)
  (global $heap (mut i32) (i32.const 4096))
  (global $root (mut i32) (i32.const -1))
  (data (i32.const 16) "large")
  (data (i32.const 32) "made")

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8))))

  ;; The result at 1024 has to be `ok`; gives its payload.
  (func $ok (result i32)
    (if (i32.load8_u (i32.const 1024)) (then (unreachable)))
    (i32.load (i32.const 1028)))

  (func $preopen (result i32)
    (if (i32.eq (global.get $root) (i32.const -1))
      (then
        (call $directories (i32.const 1024))
        (global.set $root (i32.load (i32.load (i32.const 1024))))))
    (global.get $root))

  (func $opened (param $name i32) (param $length i32) (param $create i32) (param $flags i32) (result i32)
    (call $open (call $preopen) (i32.const 1) (local.get $name) (local.get $length) (local.get $create) (local.get $flags) (i32.const 1024))
    (call $ok))

  ;; Reads `large` to its end; gives the number of bytes.
  (func (export "read-all") (param $chunk i64) (result i64)
    (local $file i32) (local $stream i32) (local $total i64)
    (local.set $file (call $opened (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 1)))
    (call $readStream (local.get $file) (i64.const 0) (i32.const 1024))
    (local.set $stream (call $ok))
    (loop $more
      (global.set $heap (i32.const 4096))
      (call $blockingRead (local.get $stream) (local.get $chunk) (i32.const 1024))
      (if (i32.eqz (i32.load8_u (i32.const 1024)))
        (then
          (local.set $total (i64.add (local.get $total) (i64.extend_i32_u (i32.load (i32.const 1032)))))
          (br $more))))
    (call $dropInput (local.get $stream))
    (call $dropDescriptor (local.get $file))
    (local.get $total))

  ;; Writes `total` bytes to `made`, `chunk` at a time.
  (func (export "write-all") (param $chunk i32) (param $total i64)
    (local $file i32) (local $stream i32)
    (local.set $file (call $opened (i32.const 32) (i32.const 4) (i32.const 9) (i32.const 3)))
    (call $writeStream (local.get $file) (i64.const 0) (i32.const 1024))
    (local.set $stream (call $ok))
    (loop $more
      (call $blockingWrite (local.get $stream) (i32.const 0x200000) (local.get $chunk) (i32.const 1024))
      (drop (call $ok))
      (local.set $total (i64.sub (local.get $total) (i64.extend_i32_u (local.get $chunk))))
      (br_if $more (i64.gt_s (local.get $total) (i64.const 0))))
    (call $dropOutput (local.get $stream))
    (call $dropDescriptor (local.get $file)))

  (func (export "stats") (param $count i32)
    (loop $more
      (call $stat (call $preopen) (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 1024))
      (drop (call $ok))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count))))

  (func (export "writes") (param $count i32) (param $size i32)
    (local $file i32)
    (local.set $file (call $opened (i32.const 32) (i32.const 4) (i32.const 1) (i32.const 3)))
    (loop $more
      (call $write (local.get $file) (i32.const 0x200000) (local.get $size) (i64.const 0) (i32.const 1024))
      (drop (call $ok))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))
    (call $dropDescriptor (local.get $file)))

  (func (export "clocks") (param $count i32)
    (loop $more
      (drop (call $now))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count))))

  ;; Waits for a moment `nanoseconds` away, again and again.
  (func (export "waits") (param $count i32) (param $nanoseconds i64)
    (loop $more
      (global.set $heap (i32.const 4096))
      (i32.store (i32.const 512) (call $after (local.get $nanoseconds)))
      (call $poll (i32.const 512) (i32.const 1) (i32.const 1024))
      (call $dropPollable (i32.load (i32.const 512)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $more (local.get $count)))))
