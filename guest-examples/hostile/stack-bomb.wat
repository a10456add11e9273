;; Recursion without an end. The addition after the call keeps it from being a tail call.
(module
  (func $dive (export "dive") (param $depth i64) (result i64)
    (i64.add
      (i64.const 1)
      (call $dive (i64.add (local.get $depth) (i64.const 1))))))
