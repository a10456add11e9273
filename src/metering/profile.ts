// The host's side of a fuel profile: attributes what the host charges, and reads what the guest's code has added up. Every unit of a guest's fuel belongs to
// exactly one function, to the host's own work, or to what a trap forfeited.
import { printable } from '../errors.ts';
import type { EngineMemory } from '../wasm/engine.ts';
import { functionNames } from '../wasm/function-names.ts';
import type { ProfileDescriptor } from './attribution.ts';
import type { Trace } from './trace.ts';
import { marker } from './trap.ts';

/** Fuel burnt by each function since the guest was loaded, calls of others not included. */
export interface Profile {
  /** Units of all entries together: the guest's `usage.fuel`. */
  readonly total: number;
  /** Those that burnt any, the most first. */
  readonly functions: readonly ProfileEntry[];
}

export interface ProfileEntry {
  /** The name that its module was metered under: of a component, `core1` and so on. */
  readonly module?: string;
  /** The index of the function in its module; absent for what no function burnt. */
  readonly function?: number;
  /**
   * What the module's name section calls it: the guest's own words, escaped and cut. `(host)` is work of the host's outside of any function of the guest's,
   * such as taking values over; `(forfeited)` what a call that ended in a trap of the engine's was charged beyond what it burnt.
   */
  readonly name?: string;
  /** Fuel units. */
  readonly fuel: number;
}

interface ProfiledInstance {
  readonly profile: ProfileDescriptor;
  readonly trace: Trace;
  /** The number of its first function among those of all instances. */
  readonly base: number;
  /** Of this memory, or of this copy of it. */
  units: EngineMemory | BigInt64Array;
}

/** Stands for the host where the number of a function is expected. */
const HOST = -1;
const NAME_CHARACTERS = 200;

export class FuelProfile {
  readonly #instances: ProfiledInstance[] = [];
  #functions = 0;
  /** The function that has last said that it is about to leave its module; what it calls may be the host. */
  readonly #marked = new WebAssembly.Global({ value: 'f64', mutable: true }, HOST);
  /** The function that waits for the host. */
  #caller = HOST;
  /** What the host has charged, by the number of a function. */
  readonly #charged = new Map<number, number>();
  #forfeited = 0;
  #frozen = false;

  /** @param before units that were burnt before there was a profile, all of them by the host. */
  constructor(before: number) {
    this.charge(before);
  }

  /** Takes in an instance with its memory; gives the function for its slot, by which its code says who is about to leave it. */
  adopt(profile: ProfileDescriptor, trace: Trace, memory: EngineMemory): (index: number) => void {
    const base = this.#functions;
    this.#functions += profile.functions;
    this.#instances.push({ profile, trace, base, units: memory });
    this.enter();
    return marker(this.#marked, base);
  }

  /** The host enters the guest: nobody waits for it. */
  enter(): void {
    this.#marked.value = HOST;
  }

  /** Attributes what `work` charges to the function of the guest's that it is done for. */
  attribute<Result>(work: () => Result): Result {
    const outer = this.#caller;
    this.#caller = this.#marked.value as number;
    this.#marked.value = HOST;
    try {
      return work();
    } finally {
      this.#caller = outer;
    }
  }

  /** The host has charged `units`. */
  charge(units: number): void {
    this.#add(this.#caller, units);
  }

  /** A builtin has charged `units`: it was called by the function that was the last to leave its module. */
  chargeMarked(units: number): void {
    this.#add(this.#marked.value as number, units);
  }

  /** The host function that runs is going to be called again, by whom it was called. */
  again(): void {
    this.#marked.value = this.#caller;
  }

  /** The guest has been stopped: what its code still does on the way to its end is not burnt. */
  freeze(): void {
    if (this.#frozen) return;
    this.#frozen = true;
    for (const instance of this.#instances) instance.units = unitsOf(instance).slice();
  }

  /** A call ended in a trap of the engine's, for which the guest is charged up to `fuel` units in all. */
  forfeit(fuel: number): void {
    this.freeze();
    this.#forfeited = fuel - this.read().total;
  }

  read(): Profile {
    const modules = new Map<ProfileDescriptor, { readonly trace: Trace; readonly fuel: Float64Array }>();
    for (const instance of this.#instances) {
      const { profile, trace, base } = instance;
      let merged = modules.get(profile);
      if (merged === undefined) {
        merged = { trace, fuel: new Float64Array(profile.functions) };
        modules.set(profile, merged);
      }
      for (const [index, units] of unitsOf(instance).entries()) {
        if (units !== 0n) merged.fuel[index] = (merged.fuel[index] as number) + Number(units);
      }
      for (const [number, units] of this.#charged) {
        const index = number - base;
        if (index >= 0 && index < profile.functions) merged.fuel[index] = (merged.fuel[index] as number) + units;
      }
    }
    const entries: ProfileEntry[] = [];
    for (const [profile, { trace, fuel }] of modules) {
      share(fuel, profile);
      addEntries(entries, fuel, trace);
    }
    entries.push({ name: '(host)', fuel: this.#charged.get(HOST) ?? 0 });
    settle(entries, this.#forfeited);
    // Stable: those that burnt the same stay in the order of modules and indices.
    const functions = entries.filter(({ fuel }) => fuel > 0).sort((one, other) => other.fuel - one.fuel);
    return { total: functions.reduce((sum, { fuel }) => sum + fuel, 0), functions };
  }

  #add(number: number, units: number): void {
    this.#charged.set(number, (this.#charged.get(number) ?? 0) + units);
  }
}

function unitsOf({ units, profile }: ProfiledInstance): BigInt64Array {
  return units instanceof BigInt64Array ? units : new BigInt64Array(units.buffer, 0, profile.functions);
}

// What was charged for whole calls of prepaid functions, to those that they call in turn.
function share(fuel: Float64Array, { shares }: ProfileDescriptor): void {
  const calls = shares.map(({ function: index, units }) => (fuel[index] as number) / units);
  for (const { function: index } of shares) fuel[index] = 0;
  for (const [entry, { of }] of shares.entries()) {
    for (const [index, units] of of) fuel[index] = (fuel[index] as number) + (calls[entry] as number) * units;
  }
}

function addEntries(entries: ProfileEntry[], fuel: Float64Array, { module, importedFunctions, names }: Trace): void {
  const burning = new Set<number>();
  for (const [index, units] of fuel.entries()) if (units > 0) burning.add(importedFunctions + index);
  const nameOf = functionNames(names, burning);
  for (const index of burning) {
    const name = nameOf.get(index);
    entries.push({
      ...(module === undefined ? {} : { module }),
      function: index,
      ...(name === undefined ? {} : { name: printable(name, NAME_CHARACTERS) }),
      fuel: fuel[index - importedFunctions] as number,
    });
  }
}

// A trap shortly before the end of a quantum may leave a few units uncharged: the guest was not charged what those who burnt the most say that they burnt.
function settle(entries: ProfileEntry[], forfeited: number): void {
  if (forfeited > 0) entries.push({ name: '(forfeited)', fuel: forfeited });
  let owed = Math.max(0, -forfeited);
  while (owed > 0) {
    const most = entries.reduce((at, { fuel }, index) => (fuel > (entries[at] as ProfileEntry).fuel ? index : at), 0);
    const entry = entries[most] as ProfileEntry;
    const taken = Math.min(owed, entry.fuel);
    entries[most] = { ...entry, fuel: entry.fuel - taken };
    owed -= taken;
  }
}
