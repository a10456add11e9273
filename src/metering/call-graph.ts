// Decides for each function, from who calls whom, what its entry has to do: whether its callers pay for it, whether it asks for fuel, and whether it counts
// for depth and bytes of stack.
import type { CoreModule } from '../wasm/module.ts';
import { Edit, NO_EDIT } from './edits.ts';
import { ESCAPING_UNITS, LEAF_UNITS, PREPAID_UNITS, prices } from './prices.ts';
import { type ScannedCode, Trait } from './scanned.ts';

/** One entry for each defined function. */
export interface FunctionPlans {
  /** Units that callers pay for the whole function, which then charges nothing itself; 0 where it charges for itself. */
  readonly prepaid: Uint8Array;
  /** Whether it asks for fuel at its entry; counted functions ask where they begin to count besides. */
  readonly checked: Uint8Array;
  /**
   * Whether its frames count for depth and bytes of stack. Every way of recursing goes through such a function: it closes a circle of direct calls, or calls
   * what is only known when it runs. Counting those rather than all that can be called so is what keeps the price low.
   */
  readonly counted: Uint8Array;
}

const NO_CALL = -1;
const Visit = Object.freeze({ NEW: 0, OPEN: 1, DONE: 2 });

/** Looks at all calls of a module once, depth first, with a stack of its own. */
export function planFunctions(module: CoreModule, code: ScannedCode): FunctionPlans {
  return new CallGraph(module, code).plan();
}

class CallGraph {
  readonly #code: ScannedCode;
  readonly #imported: number;
  readonly #escaping: Uint8Array;
  readonly #prepaid: Uint8Array;
  readonly #checked: Uint8Array;
  readonly #counted: Uint8Array;
  /** Units of a function and of all that it calls, up to those that ask for fuel themselves. */
  readonly #tree: Float64Array;
  readonly #visit: Uint8Array;
  /** The next edit of a function to look at. */
  readonly #cursor: Int32Array;

  constructor(module: CoreModule, code: ScannedCode) {
    const count = code.traits.length;
    this.#code = code;
    this.#imported = module.importedFunctions;
    this.#escaping = module.escaping;
    this.#prepaid = new Uint8Array(count);
    this.#checked = new Uint8Array(count);
    this.#counted = new Uint8Array(count);
    this.#tree = new Float64Array(count);
    this.#visit = new Uint8Array(count);
    this.#cursor = code.firstEdit.slice(0, count);
  }

  plan(): FunctionPlans {
    const path: number[] = [];
    for (let root = 0; root < this.#visit.length; root++) {
      if (this.#visit[root] === Visit.NEW) path.push(root);
      while (path.length > 0) {
        const function_ = path[path.length - 1] as number;
        this.#visit[function_] = Visit.OPEN;
        const callee = this.#nextCallee(function_);
        if (callee === NO_CALL) {
          this.#decide(function_);
          this.#visit[function_] = Visit.DONE;
          path.pop();
        } else if (this.#visit[callee] === Visit.NEW) {
          path.push(callee);
        } else if (this.#visit[callee] === Visit.OPEN) {
          // It is being looked at: this call closes a circle.
          this.#counted[callee] = 1;
        }
      }
    }
    this.#payAhead();
    return { prepaid: this.#prepaid, checked: this.#checked, counted: this.#counted };
  }

  // What a prepaid function costs is charged with the region that calls it; what counting costs, with the entry.
  #payAhead(): void {
    const { edits } = this.#code;
    const { kind, value, length } = edits;
    for (let function_ = 0; function_ < this.#counted.length; function_++) {
      const entry = this.#code.firstEdit[function_] as number;
      if (this.#counted[function_]) value[entry] = (value[entry] as number) + prices.countedEntry - prices.entry;
    }
    for (let edit = 0; edit < length; edit++) {
      if ((kind[edit] !== Edit.CALL && kind[edit] !== Edit.TAIL_CALL) || (value[edit] as number) < 0) continue;
      const region = edits.regionOf(edit);
      if (region !== NO_EDIT) value[region] = (value[region] as number) + (this.#prepaid[(value[edit] as number) - this.#imported] as number);
    }
  }

  #nextCallee(function_: number): number {
    const { kind, value } = this.#code.edits;
    const end = this.#code.firstEdit[function_ + 1] as number;
    for (let edit = this.#cursor[function_] as number; edit < end; edit++) {
      if ((kind[edit] === Edit.CALL || kind[edit] === Edit.TAIL_CALL) && (value[edit] as number) >= 0) {
        this.#cursor[function_] = edit + 1;
        return (value[edit] as number) - this.#imported;
      }
    }
    return NO_CALL;
  }

  // All that it calls is decided, save for those that it closes a circle with, which are counted.
  #decide(function_: number): void {
    const traits = this.#code.traits[function_] as number;
    const escaping = this.#escaping[this.#imported + function_] !== 0;
    let tree = this.#code.units[function_] as number;
    let prepaid = !escaping && this.#counted[function_] === 0 && (traits & (Trait.LOOPS | Trait.CALLS_UNKNOWN | Trait.DYNAMIC)) === 0;
    const { kind, value, link } = this.#code.edits;
    const end = this.#code.firstEdit[function_ + 1] as number;
    for (let edit = this.#code.firstEdit[function_] as number; edit < end; edit++) {
      if ((kind[edit] !== Edit.CALL && kind[edit] !== Edit.TAIL_CALL) || link[edit] === NO_EDIT) continue;
      if ((value[edit] as number) < 0) {
        tree += ESCAPING_UNITS;
        continue;
      }
      const callee = (value[edit] as number) - this.#imported;
      prepaid &&= this.#prepaid[callee] !== 0;
      // What it closes a circle with may look only where it calls on.
      tree += this.#visit[callee] === Visit.OPEN ? LEAF_UNITS : (this.#tree[callee] as number);
    }
    if (traits & Trait.CALLS_UNKNOWN) this.#counted[function_] = 1;
    if (prepaid && tree <= PREPAID_UNITS) this.#prepaid[function_] = tree;
    this.#check(function_, tree, escaping ? ESCAPING_UNITS : LEAF_UNITS);
  }

  // A counted function asks for fuel where it begins to count: what may run before that, or without coming to it, is its own code only.
  #check(function_: number, tree: number, most: number): void {
    const counted = this.#counted[function_] !== 0;
    const late = counted && ((this.#code.traits[function_] as number) & Trait.ENTERS_LATE) !== 0;
    const unchecked = late ? (this.#code.units[function_] as number) : tree;
    const checked = (counted && !late) || unchecked > most;
    this.#checked[function_] = checked ? 1 : 0;
    this.#tree[function_] = checked ? 0 : unchecked;
  }
}
