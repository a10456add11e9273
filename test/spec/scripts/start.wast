;; Start functions: after the segments, before anything else, once for each instance; what they do stays, also when they end in a trap.

(module $log
  (global $log (export "log") (mut i64) (i64.const 0))
  (memory (export "memory") 1)
  (table (export "table") 4 funcref)
  (func (export "add") (param i64) (global.set $log (i64.add (i64.mul (global.get $log) (i64.const 10)) (local.get 0))))
  (func (export "take") (result i64) (global.get $log) (global.set $log (i64.const 0)))
  (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))
(register "log" $log)

(module $counter
  (import "log" "add" (func $add (param i64)))
  (memory 1)
  (data (i32.const 7) "\05")
  (global $runs (mut i32) (i32.const 0))
  (func $start (global.set $runs (i32.add (global.get $runs) (i32.const 1))) (call $add (i64.load8_u (i32.const 7))) (i32.store8 (i32.const 7) (i32.const 9)))
  (start $start)
  (func (export "runs") (result i32) (global.get $runs))
  (func (export "byte") (result i32) (i32.load8_u (i32.const 7)))
  (func (export "again") (call $start)))
(assert_return (invoke $log "take") (i64.const 5))
(assert_return (invoke $counter "runs") (i32.const 1))
(assert_return (invoke $counter "byte") (i32.const 9))
(assert_return (invoke $counter "again"))
(assert_return (invoke $counter "runs") (i32.const 2))
(assert_return (invoke $log "take") (i64.const 9))

;; The start function is an import, or an exported function, or works through a table that a segment filled.

(module $hello
  (import "log" "add" (func $add (param i64)))
  (func (export "hello") (call $add (i64.const 3))))
(register "hello" $hello)
(module (import "hello" "hello" (func $start)) (start $start))
(assert_return (invoke $log "take") (i64.const 3))
(module (import "hello" "hello" (func $start)) (export "again" (func $start)) (start $start))
(assert_return (invoke "again"))
(assert_return (invoke $log "take") (i64.const 33))
(module
  (import "log" "add" (func $add (param i64)))
  (type $void (func))
  (table funcref (elem $a $b))
  (func $a (call $add (i64.const 1)))
  (func $b (call $add (i64.const 2)) (call_indirect (type $void) (i32.const 0)))
  (func (export "start") (call_indirect (type $void) (i32.const 1)))
  (start 3))
(assert_return (invoke $log "take") (i64.const 21))
(assert_return (invoke "start"))
(assert_return (invoke $log "take") (i64.const 21))

;; Long work, recursion, growth, exceptions that are caught, and tail calls before there is an instance.

(module
  (memory (export "memory") 1 5)
  (tag $e (param i32))
  (global $result (mut i32) (i32.const 0))
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $start (local $i i32)
    (loop $next (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3000000))))
    (drop (memory.grow (i32.const 2)))
    (memory.fill (i32.const 131072) (i32.const 0x11) (i32.const 65536))
    (global.set $result
      (block $h (result i32) (try_table (catch $e $h) (throw $e (call $fib (i32.const 15)))) (unreachable)))
    (return_call $finish))
  (func $finish (global.set $result (i32.add (global.get $result) (memory.size))))
  (start $start)
  (func (export "result") (result i32 i32) (global.get $result) (i32.load8_u (i32.const 196607))))
(assert_return (invoke "result") (i32.const 613) (i32.const 0x11))

;; A start function that fails: its module cannot be named, but what it wrote elsewhere is there, its functions included.

(assert_uninstantiable
  (module
    (import "log" "add" (func $add (param i64)))
    (import "log" "memory" (memory 1))
    (import "log" "table" (table 4 funcref))
    (data (i32.const 20) "\14")
    (elem (i32.const 2) $seventy)
    (global $n (mut i32) (i32.const 70))
    (func $seventy (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
    (func $start (call $add (i64.const 4)) (i32.store8 (i32.const 21) (i32.const 0x15)) (drop (call $seventy)) (unreachable))
    (start $start))
  "unreachable")
(assert_return (invoke $log "take") (i64.const 4))
(assert_return (invoke $log "byte" (i32.const 20)) (i32.const 20))
(assert_return (invoke $log "byte" (i32.const 21)) (i32.const 21))
(assert_return (invoke $log "call" (i32.const 2)) (i32.const 72))
(assert_return (invoke $log "call" (i32.const 2)) (i32.const 73))

;; The segments come first: when one of them fails, the start function does not run.

(assert_uninstantiable
  (module
    (import "log" "add" (func $add (param i64)))
    (memory 1)
    (data (i32.const 65536) "x")
    (func $start (call $add (i64.const 8)))
    (start $start))
  "out of bounds memory access")
(assert_return (invoke $log "take") (i64.const 0))

;; Start functions of modules that are instantiated more than once.

(module definition $twice
  (import "log" "add" (func $add (param i64)))
  (global $n (mut i64) (i64.const 0))
  (func $start (global.set $n (i64.add (global.get $n) (i64.const 6))) (call $add (global.get $n)))
  (start $start)
  (func (export "n") (result i64) (global.get $n)))
(assert_return (invoke $log "take") (i64.const 0))
(module instance $first $twice)
(module instance $second $twice)
(assert_return (invoke $log "take") (i64.const 66))
(assert_return (invoke $first "n") (i64.const 6))
(assert_return (invoke $second "n") (i64.const 6))

(assert_uninstantiable (module (func $start (call $start)) (func $other) (start $other) (data (i32.const 0) "x") (memory 0)) "out of bounds memory access")
(assert_uninstantiable (module (memory 1) (func $start (drop (i32.load (i32.const 65536)))) (start $start)) "out of bounds memory access")
(assert_invalid (module (func $f (param i32)) (start $f)) "start function")
(assert_invalid (module (func $f (result i32) (i32.const 0)) (start $f)) "start function")
(assert_invalid (module (start 1) (func)) "unknown function")
(assert_malformed (module quote "(func $a) (start $a) (start $a)") "multiple start sections")
(assert_malformed (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\08\01\00\08\01\00\0a\04\01\02\00\0b") "unexpected content after last section")
