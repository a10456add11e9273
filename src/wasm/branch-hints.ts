// What a module says of which way its conditional branches mostly go. Only a hint to the engine's compiler: a section that is malformed counts as absent.
import { checkBudget } from './budgets.ts';
import { type CoreModule, customSection } from './module.ts';
import { Reader } from './reader.ts';

export const BRANCH_HINTS = 'metadata.code.branch_hint';

export interface BranchHint {
  /** Where the branch stands, in bytes from the start of the function's body. */
  readonly offset: number;
  readonly taken: boolean;
}

/** The hints of a module (branch hinting proposal, section "metadata.code.branch_hint"). */
export class BranchHints {
  readonly #module: CoreModule;
  /** Where the hints of a function stand. */
  readonly #offsets: ReadonlyMap<number, number>;

  constructor(module: CoreModule) {
    this.#module = module;
    this.#offsets = find(module);
  }

  /** The hints of function `index` (imports count), in the order of their offsets. */
  of(index: number): readonly BranchHint[] {
    const offset = this.#offsets.get(index);
    if (offset === undefined) return [];
    const reader = new Reader(this.#module.bytes, offset);
    return Array.from({ length: reader.u32() }, () => readHint(reader));
  }
}

function find(module: CoreModule): Map<number, number> {
  const found = new Map<number, number>();
  const section = customSection(module, BRANCH_HINTS);
  if (section === undefined) return found;
  const reader = new Reader(module.bytes, section.start, section.end);
  try {
    checkSection(module, reader, found);
  } catch {
    found.clear();
  }
  return found;
}

// Throws when anything is not as it has to be.
function checkSection(module: CoreModule, reader: Reader, found: Map<number, number>): void {
  let last = -1;
  let all = 0;
  for (let functions = reader.count('functions with hints'); functions > 0; functions--) {
    const index = reader.u32();
    const body = index - module.importedFunctions;
    if (index <= last || body < 0 || index >= module.functionTypes.length) reader.fail('hints for a function that does not exist or had them');
    last = index;
    found.set(index, reader.pos);
    const size = (module.bodies[2 * body + 1] as number) - (module.bodies[2 * body] as number);
    all += checkHints(reader, size);
    checkBudget('branch hints', all, reader.pos);
  }
  if (!reader.done) reader.fail('a section of hints is longer than its contents');
}

// Gives how many there are.
function checkHints(reader: Reader, size: number): number {
  const count = reader.count('hints');
  let last = -1;
  for (let left = count; left > 0; left--) {
    const { offset } = readHint(reader);
    if (offset <= last || offset >= size) reader.fail('hints are out of order or beyond the function');
    last = offset;
  }
  return count;
}

function readHint(reader: Reader): BranchHint {
  const offset = reader.u32();
  if (reader.u32() !== 1) reader.fail('a hint has one byte');
  const byte = reader.u8();
  if (byte > 1) reader.fail('unknown hint');
  return { offset, taken: byte === 1 };
}
