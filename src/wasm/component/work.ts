// The budget of reading one component. Nested components are evaluated once per instantiation and types are shared, so a few hundred bytes can stand for
// exponentially many definitions; every step is counted here, and what is over is refused.
import { GloveportError } from '../../errors.ts';

/** The largest numbers of each thing in one component, nested components included. */
export const componentBudgets = Object.freeze({
  /** Definitions, names and parts of types that are read, those of a nested component once per instantiation. */
  'definitions to evaluate': 1_000_000,
  /** Parts that one type has when written out in full. */
  'parts of one type': 10_000,
  /** Parts of the types of all functions that cross between core code and the component model; the generated glue grows with them. */
  'parts of all function types': 50_000,
  'levels of one type': 50,
  /** Functions and resources of the world's interfaces, and the parts of these functions' types; an instance counts for each name that it has. */
  'parts of the world': 100_000,
  /** Components inside components and instance types inside instance types, by definition or by instantiation. */
  'levels of nesting': 50,
});

export type ComponentBudget = keyof typeof componentBudgets;

/** The budgets of what adds up over the whole component. */
export type SpentBudget = 'definitions to evaluate' | 'parts of all function types' | 'parts of the world';

export class Work {
  readonly #spent: Record<SpentBudget, number> = {
    'definitions to evaluate': 0,
    'parts of all function types': 0,
    'parts of the world': 0,
  };

  #level = 0;

  /** Runs `read` one level further down. */
  nested<Result>(offset: number, read: () => Result): Result {
    this.#level++;
    checkComponentBudget('levels of nesting', this.#level, offset);
    const result = read();
    this.#level--;
    return result;
  }

  /** Counts `amount` more of what adds up over the whole component. */
  spend(budget: SpentBudget, amount: number, offset: number): void {
    this.#spent[budget] += amount;
    checkComponentBudget(budget, this.#spent[budget], offset);
  }
}

/** @throws GloveportError MODULE_TOO_LARGE when `count` is over the budget; exactly the budget passes. */
export function checkComponentBudget(budget: ComponentBudget, count: number, offset: number): void {
  const maximum = componentBudgets[budget];
  if (count <= maximum) return;
  throw new GloveportError('MODULE_TOO_LARGE', `the component has more than ${maximum} ${budget} (at offset ${offset})`, { limit: budget, maximum, offset });
}
