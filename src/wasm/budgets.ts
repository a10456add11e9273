// Static bounds on what a module may declare. The engine takes gigabytes or the whole process down for a few declared kilobytes (locals, tables, nesting,
// br_table, types), and its compiler cannot be cancelled, so all of this is refused before the engine sees the bytes.
import { GloveportError } from '../errors.ts';

/** The largest numbers of each thing that a core module may have. Real compilers' largest output (LLVM itself, Ruby, PHP) stays well below each. */
export const budgets = Object.freeze({
  // The engine keeps a table of all structures of types that the process has ever seen, and ends the process when it is full.
  types: 20_000,
  typeEntries: 1_000_000,
  imports: 100_000,
  functions: 200_000,
  tables: 100,
  memories: 20,
  globals: 200_000,
  tags: 10_000,
  exports: 50_000,
  'element segments': 100_000,
  'element entries': 1_000_000,
  'data segments': 100_000,
  'custom sections': 10_000,
  // Values that a constant expression holds at one time.
  'operands of an initialiser': 100_000,
  // A module with more is read as one without.
  'branch hints': 1_000_000,
  'bytes of names': 32 * 1024 * 1024,
  'bytes of one name': 100_000,
  // Parameters too. Metering needs one for itself, and the engine takes 50 000.
  'locals of one function': 49_990,
  'locals of all functions': 5_000_000,
  'bytes of one function': 7_654_321,
  'nested blocks': 20_000,
  'br_table labels': 2_000_000,
  // Copies that the engine's compilers make: of all locals at each loop and `if`, of all values that a block, branch or call passes on.
  'control work of one function': 4_000_000,
  'control work of all functions': 40_000_000,
});

export type Budget = keyof typeof budgets;

/** @throws GloveportError MODULE_TOO_LARGE when `count` is over the budget; a module with exactly the budget passes. */
export function checkBudget(budget: Budget, count: number, offset: number): void {
  if (count > budgets[budget]) {
    throw new GloveportError(
      'MODULE_TOO_LARGE',
      `the module is too large: ${budget}, ${count} (at offset ${offset}); at most ${budgets[budget]} are accepted`,
      {
        limit: budget,
        value: count,
        maximum: budgets[budget],
        offset,
      },
    );
  }
}
