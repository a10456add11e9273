;; Burns the processor for ever, without a call, an allocation or a host function in between.
(module
  (func (export "spin")
    (loop $again
      (br $again))))
