// What an attack on the prices is: a module that does one thing as often as it can.

export interface Attack {
  readonly name: string;
  /**
   * A module whose export `run` takes how often to go round (i32). A `prepare` that it exports is called before, and not measured. It may import
   * `host.pass`, with any type, and `host.memory`, which is shared.
   */
  readonly text: string;
  /** What is measured is instantiating it, its start function included; it has no `run`. */
  readonly instantiation?: boolean;
  /** How often it can go round at most before it needs a new instance; without it, one instance does for all. */
  readonly once?: number;
}

/** A module with `fields`, whose `run` does `body` again and again, `unrolled` times in a row. Local `$x` is an i32, others are declared in `locals`. */
export function again(body: string, { fields = '', locals = '', unrolled = 1 }: { fields?: string; locals?: string; unrolled?: number } = {}): string {
  return `(module ${fields}
    (func (export "run") (param $n i32) (local $x i32) ${locals}
      (loop $next
        ${`${body}\n`.repeat(unrolled)}
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))`;
}

/** `$x`, moved on by a pseudo-random step (xorshift). */
export const STEP = `
  (local.set $x (i32.or (local.get $x) (i32.const 1)))
  (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
  (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 17))))
  (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 5))))`;
