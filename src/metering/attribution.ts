// The guest's side of a fuel profile. A module with a profile has one more memory, which no code of the guest's can name, with the units of each defined
// function; whatever deducts units from the counter adds them there too. What the host charges is attributed by the host: see `profile.ts`.
import type { CoreModule } from '../wasm/module.ts';
import type { Writer } from '../wasm/writer.ts';
import type { FunctionPlans } from './call-graph.ts';
import { Edit, NO_EDIT } from './edits.ts';
import { Op } from './opcodes.ts';
import type { ScannedCode } from './scanned.ts';

/** What the host has to know of a module's profile; plain data. Functions are counted without the imported ones. */
export interface ProfileDescriptor {
  /** The name of the appended export: a memory with an i64 for each function. */
  readonly memory: string;
  readonly functions: number;
  /** Functions that are paid for by their callers and call others in turn: what of their units is their own, and what is whose. */
  readonly shares: readonly PrepaidShares[];
}

export interface PrepaidShares {
  readonly function: number;
  /** Units of one call. */
  readonly units: number;
  /** Where they belong; the function itself is one of them. */
  readonly of: readonly (readonly [index: number, units: number])[];
}

/** Says which function each unit is charged for, as bodies are written. */
export class Attribution {
  readonly #code: ScannedCode;
  readonly #plans: FunctionPlans;
  readonly #imported: number;
  readonly #memory: number;
  #function = 0;
  /** Units for prepaid functions that are in a region's charge, by region and function. */
  readonly #prepaid = new Map<number, Map<number, number>>();

  /** @param memory the index of the appended one. */
  constructor(module: CoreModule, code: ScannedCode, plans: FunctionPlans, memory: number) {
    this.#code = code;
    this.#plans = plans;
    this.#imported = module.importedFunctions;
    this.#memory = memory;
  }

  /** The function whose body is being written. */
  get function(): number {
    return this.#function;
  }

  /** Begins the body of the defined function `index`. */
  begin(index: number): void {
    this.#function = index;
    this.#prepaid.clear();
    for (const [region, callee] of prepaidCalls(index, this.#code, this.#plans, this.#imported)) {
      let units = this.#prepaid.get(region);
      if (units === undefined) {
        units = new Map();
        this.#prepaid.set(region, units);
      }
      add(units, callee, this.#plans.prepaid[callee] as number);
    }
  }

  /** Adds what the region of `edit` is charged. */
  write(edit: number, out: Writer): void {
    let own = this.#code.edits.value[edit] as number;
    for (const [callee, units] of this.#prepaid.get(edit) ?? []) {
      own -= units;
      this.#add(callee, units, out);
    }
    if (own > 0) this.#add(this.#function, own, out);
  }

  #add(index: number, units: number, out: Writer): void {
    const constant = (): void => {
      out.u8(Op.I64_CONST);
      out.s64(BigInt(units));
    };
    addUnits(out, this.#memory, index * SLOT_BYTES, () => out.append([Op.I32_CONST, 0]), constant);
  }
}

/** The bytes of a function's place in the memory. */
export const SLOT_BYTES = 8;

/** Adds the i64 that `units` leaves on the stack to the one that stands `offset` bytes behind the address that `address` leaves there. */
export function addUnits(out: Writer, memory: number, offset: number, address: () => void, units: () => void): void {
  const access = (operator: number): void => {
    out.append([operator, ALIGNED | EXPLICIT_MEMORY]);
    out.u32(memory);
    out.u32(offset);
  };
  address();
  address();
  access(Op.I64_LOAD);
  units();
  out.u8(Op.I64_ADD);
  access(Op.I64_STORE);
}

// The flags of a memory argument: the binary logarithm of the alignment, and that the index of a memory follows.
const ALIGNED = 3;
const EXPLICIT_MEMORY = 0x40;

/** @param memory the name of its export. */
export function describeProfile(code: ScannedCode, plans: FunctionPlans, imported: number, memory: string): ProfileDescriptor {
  return { memory, functions: code.traits.length, shares: prepaidShares(code, plans, imported) };
}

function prepaidShares(code: ScannedCode, plans: FunctionPlans, imported: number): PrepaidShares[] {
  const known = new Map<number, ReadonlyMap<number, number>>();
  // No deeper than units are paid for ahead: each call costs some, and none leads back.
  const sharesOf = (index: number): ReadonlyMap<number, number> => {
    const made = known.get(index);
    if (made !== undefined) return made;
    const shares = new Map([[index, code.units[index] as number]]);
    known.set(index, shares);
    for (const [, callee] of prepaidCalls(index, code, plans, imported)) for (const [other, units] of sharesOf(callee)) add(shares, other, units);
    return shares;
  };
  const nested: PrepaidShares[] = [];
  for (const [index, units] of plans.prepaid.entries()) {
    if (units === 0) continue;
    const of = [...sharesOf(index)];
    if (of.length > 1) nested.push({ function: index, units, of });
  }
  return nested;
}

// The calls of the function `index` that are paid for with its own regions.
function* prepaidCalls(index: number, code: ScannedCode, plans: FunctionPlans, imported: number): Generator<[region: number, callee: number]> {
  const { edits } = code;
  const { kind, value } = edits;
  const end = code.firstEdit[index + 1] as number;
  for (let edit = code.firstEdit[index] as number; edit < end; edit++) {
    if ((kind[edit] !== Edit.CALL && kind[edit] !== Edit.TAIL_CALL) || (value[edit] as number) < 0) continue;
    const callee = (value[edit] as number) - imported;
    const region = edits.regionOf(edit);
    if (region !== NO_EDIT && plans.prepaid[callee] !== 0) yield [region, callee];
  }
}

function add(units: Map<number, number>, index: number, more: number): void {
  units.set(index, (units.get(index) ?? 0) + more);
}
