;; Takes all the memory that it can get and makes it real by touching it.
(module
  (memory 1)

  ;; Grows page by page until that is refused; returns the pages it has then.
  (func (export "grow") (result i32)
    (loop $more
      (br_if $more
        (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.size))

  ;; Writes to every page, so that the machine has to back it.
  (func (export "touch")
    (local $page i32)
    (loop $next
      (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
      (local.set $page (i32.add (local.get $page) (i32.const 1)))
      (br_if $next
        (i32.lt_u (local.get $page) (memory.size)))))

  ;; Writes to the first byte that it does not own.
  (func (export "beyond")
    (i32.store8 (i32.shl (memory.size) (i32.const 16)) (i32.const 1))))
