// What every program looks like to the rooms above, whether it is a core module or a component, and whatever makes it run.
import type { Limits } from '../limits.ts';
import type { Meter } from '../metering/meter.ts';
import type { EngineMemory } from '../wasm/engine.ts';
import { camelCase, placeOf, withoutVersion } from './naming.ts';
import { type CoreFunctionType, type FunctionType, isWitFunction } from './types.ts';

/** One thing that a program needs from its host. */
export interface ProgramImport {
  /** The interface with its version (`demo:plug/host@0.1.0`) or the core module name; empty for what a component's world imports directly. */
  readonly module: string;
  /** The WIT name (`get-value`, `[method]descriptor.read`) or the core field name. */
  readonly name: string;
  readonly kind: 'function' | 'resource' | 'memory' | 'table' | 'global' | 'tag';
  /** For functions. */
  readonly type?: FunctionType | CoreFunctionType;
}

/** One thing that a program offers. */
export interface ProgramExport {
  /** `process`, `demo:plug/api@0.1.0#greet`, or the core export name. */
  readonly name: string;
  readonly kind: ProgramImport['kind'];
  /** For functions. */
  readonly type?: FunctionType | CoreFunctionType;
}

/** What a program is instantiated with: by interface without its version, or by core module name; what a world imports directly is its `default`. */
export type ImportObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A compiled program. Holds no state of any guest: it may be instantiated any number of times. */
export interface Program {
  readonly kind: 'core' | 'component';
  /** Bytes of the program as it was given. */
  readonly bytes: number;
  /** The capabilities without which it cannot run at all: what its code does by itself, its imports aside. */
  readonly requires: number;
  readonly imports: readonly ProgramImport[];
  readonly exports: readonly ProgramExport[];
  /**
   * Makes a guest and runs its start functions: inside {@link Meter.run}, as it runs guest code.
   * @param limits of the guest; `hostBytes` and `handles` matter here.
   * @throws GloveportError LINK_FAILED naming the import that is missing, and whatever the meter throws.
   */
  instantiate(meter: Meter, imports: ImportObject, limits?: Limits): ProgramInstance;
}

/** A function that a guest exports. */
export interface ExportedFunction {
  /** As in {@link ProgramExport}. */
  readonly name: string;
  readonly type: FunctionType | CoreFunctionType;
  /**
   * Copies of `args` that are safe to pass to {@link invoke}; takes no step inside the guest. A method's first argument is its resource.
   * @throws GloveportError INVALID_ARGUMENT with the path of the value that does not fit, in message and `details.path`.
   */
  check(args: readonly unknown[]): unknown[];
  /**
   * Calls the guest, inside {@link Meter.run}.
   * @throws ComponentError with the payload when a WIT `result` is an error.
   */
  invoke(args: unknown[]): unknown;
  /** The same inside {@link Meter.runAsync}: where the engine can, the guest is suspended while it waits. */
  invokeAsync(args: unknown[]): Promise<unknown>;
}

/** One running guest's functions and objects. */
export interface ProgramInstance {
  /** By the names of {@link Program.exports}; see {@link findFunction}. */
  readonly functions: ReadonlyMap<string, ExportedFunction>;
  /**
   * Functions and resource classes of each exported interface in JavaScript's spelling, as objects without prototype; under '' those of the world itself.
   * Neither their arguments nor their time is checked: what is handed on has to be wrapped; only `Symbol.dispose` of a resource is a metered call of its own.
   * Empty for core modules.
   */
  readonly interfaces: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** A core module's exported `memory`. */
  readonly memory?: EngineMemory;
}

/**
 * The function that `name` stands for: as exported, or with the version of its interface left out, or in camelCase, or both
 * (`demo:plug/api#getValue` for `demo:plug/api@0.1.0#get-value`).
 */
export function findFunction({ functions }: ProgramInstance, name: string): ExportedFunction | undefined {
  const exact = functions.get(name);
  if (exact !== undefined) return exact;
  for (const [exported, candidate] of functions) if (isWitFunction(candidate.type) && answersTo(exported, name)) return candidate;
  return undefined;
}

function answersTo(exported: string, name: string): boolean {
  const [owner, member] = splitName(exported);
  const [wantedOwner, wantedMember] = splitName(name);
  if (wantedOwner !== owner && wantedOwner !== withoutVersion(owner)) return false;
  return wantedMember === member || (placeOf(member).kind === 'function' && wantedMember === camelCase(member));
}

/** An exported name's interface (empty for the world itself) and the function's own name. */
export function splitName(name: string): [owner: string, member: string] {
  const separator = name.indexOf('#');
  return separator < 0 ? ['', name] : [name.slice(0, separator), name.slice(separator + 1)];
}
