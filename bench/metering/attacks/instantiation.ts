// What a module has the host do before its first export is called.
import type { Attack } from './attack.ts';

const attack = (name: string, fields: string): Attack => ({ name, text: `(module ${fields})`, instantiation: true });
const FUNCTIONS = 20_000;

export const instantiation: readonly Attack[] = [
  attack('empty module', ''),
  attack(
    'start function',
    '(start $s) (func $s (local $n i32) (loop $next (br_if $next (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 20000000)))))',
  ),
  attack('memory of 256 MiB', '(memory 4096)'),
  attack('table of 1 000 000', '(table 1000000 funcref)'),
  attack('table of 1 000 000 externref', '(table 1000000 externref)'),
  attack('data segment of 4 MiB', `(memory 64) (data (i32.const 0) "${'x'.repeat(4 * 2 ** 20)}")`),
  attack(`element segment of ${FUNCTIONS} functions`, `(table ${FUNCTIONS} funcref) (elem (i32.const 0) func ${'$f '.repeat(FUNCTIONS)}) (func $f)`),
  attack(`${FUNCTIONS} exported functions`, Array.from({ length: FUNCTIONS }, (_, index) => `(func (export "${index}"))`).join('')),
  attack(`${FUNCTIONS} globals`, '(global i64 (i64.const 1))'.repeat(FUNCTIONS)),
  attack('global of an array of 16 MiB', '(type $a (array i8)) (global (ref $a) (array.new_default $a (i32.const 16777216)))'),
];
