;; Asks for a gigabyte before its first instruction.
(module
  (memory 16384))
