// Runs a generated program, plain or metered, and writes down as text all that can be seen of it: results, traps, the calls of the host with what memory
// held at each, and what memories, globals and tables hold in the end. Two runs agree when their texts do.
import { crc32 } from 'node:zlib';
import { GloveportError } from '../../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../../src/limits.ts';
import { Meter } from '../../../src/metering/meter.ts';
import { meter, type MeteredModule, type MeterOptions } from '../../../src/metering/rewrite.ts';
import { trap } from '../../../src/metering/trap.ts';
import type { Counters } from './code.ts';
import { isReadable, type Program } from './program.ts';
import { AGAIN, type FunctionShape } from './shape.ts';
import { EXTERNREF, FUNCREF, type ValueType } from './types.ts';

export interface Run {
  /** The load, then each call, up to the first that did not end well. */
  readonly outcomes: readonly string[];
  readonly hostCalls: readonly string[];
  /** Memories, globals and tables at the end, if the program was loaded. */
  readonly state: readonly string[];
}

export interface MeteredRun extends Run {
  /** What the load and each call burnt. */
  readonly fuel: readonly number[];
  /** The whole fuel burnt, read at every call of the host and between calls. */
  readonly readings: readonly number[];
}

export interface CountedRun extends Run {
  /** Units of the operators executed by the load and by each call. */
  readonly executed: readonly number[];
  /** The number of functions, hosts aside, that were active at once. */
  readonly deepest: number;
}

/** Enough for every generated program; what they may use is bounded otherwise. */
export const AMPLE = {
  fuel: 1e12,
  timeMs: 600_000,
  memoryBytes: 2 ** 32,
  tableElements: 10_000_000,
  callDepth: 100_000,
  stackBytes: 2 ** 31 - 1,
  gcBytes: 2 ** 29,
};

/** How many guarded functions a call enters at most, and so about how deep its calls nest. */
export const STEPS = 40;
/** Host calls that are written down with what memory held. */
const SNAPSHOTS = 20;

type Exports = Readonly<Record<string, unknown>>;
type Callable = (...values: unknown[]) => unknown;

export function runPlain(program: Program, rounds = 1): Run {
  return new World(program, rounds).run((imports) => new WebAssembly.Instance(new WebAssembly.Module(program.bytes), imports).exports);
}

export function runCounted(program: Program, rounds = 1): CountedRun {
  const executed: number[] = [];
  let counters: Record<keyof Counters, WebAssembly.Global> | undefined;
  let before = 0n;
  const read = (): void => {
    const now = (counters?.executed.value ?? 0n) as bigint;
    executed.push(Number(now - before));
    before = now;
  };
  const world = new World(
    program,
    rounds,
    () => undefined,
    () => {
      if (counters !== undefined) counters.depth.value = 0;
    },
  );
  const run = world.run((imports) => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(program.counted), imports);
    counters = exports as Record<keyof Counters, WebAssembly.Global>;
    return exports;
  }, read);
  return { ...run, executed, deepest: counters?.deepest.value ?? 0 };
}

/** A program with its meter built in, ready to be run several times. */
export class MeteredProgram {
  readonly metered: MeteredModule;
  readonly #program: Program;
  readonly #module: WebAssembly.Module;

  constructor(program: Program, options: MeterOptions = {}) {
    this.#program = program;
    this.metered = meter(program.bytes, options);
    this.#module = new WebAssembly.Module(this.metered.bytes as BufferSource);
  }

  /**
   * @param rounds how often each function is called in one call of the meter's.
   * @param look what is done at every call of the host and between calls.
   */
  run(limits: LimitsInput = AMPLE, rounds = 1, look: (guest: Meter) => void = () => undefined): MeteredRun {
    const guest = new Meter(resolveLimits(limits));
    const fuel: number[] = [];
    const readings: number[] = [0];
    const read = (): void => {
      readings.push(guest.usage.fuel);
      look(guest);
    };
    const world = new World(this.#program, rounds, read);
    const run = world.run(
      (imports) => guest.instantiate(this.#module, this.metered.descriptor, imports as Record<string, Record<string, unknown>>),
      () => {
        fuel.push(guest.usage.fuel - fuel.reduce((sum, burnt) => sum + burnt, 0));
        read();
      },
      (work) => guest.run(work),
    );
    return { ...run, fuel, readings };
  }
}

/** The host of one run. */
class World {
  readonly #program: Program;
  readonly #rounds: number;
  readonly #onHostCall: () => void;
  readonly #onCall: () => void;
  readonly #hostCalls: string[] = [];
  readonly #imported: Record<string, unknown> = {};
  #exports: Exports | undefined;
  #depth = 0;

  constructor(program: Program, rounds: number, onHostCall: () => void = () => undefined, onCall: () => void = () => undefined) {
    this.#program = program;
    this.#rounds = rounds;
    this.#onHostCall = onHostCall;
    this.#onCall = onCall;
  }

  run(load: (imports: WebAssembly.Imports) => Exports, after: () => void = () => undefined, call: (work: () => string) => string = (work) => work()): Run {
    const outcomes: string[] = [];
    const attempt = (work: () => string): boolean => {
      try {
        outcomes.push(call(work));
        after();
        return true;
      } catch (error) {
        outcomes.push(this.#failure(error));
        after();
        return false;
      }
    };
    const imports = { host: this.#imports() } as WebAssembly.Imports;
    const loaded = attempt(() => {
      this.#exports = load(imports);
      return 'loaded';
    });
    if (loaded) this.#program.calls.every((one) => attempt(() => this.#call(one.function, one.args)));
    return { outcomes, hostCalls: this.#hostCalls, state: this.#state() };
  }

  #call(index: number, args: readonly unknown[]): string {
    const { shape } = this.#program;
    const name = `f${index}`;
    let result: unknown;
    for (let round = 0; round < this.#rounds; round++) {
      const steps = this.#lookUp(`g${shape.steps}`) as WebAssembly.Global;
      steps.value = STEPS;
      this.#onCall();
      const exported = this.#lookUp(name) as Callable;
      result = exported(...args);
    }
    return `${name}(${args.map(render).join(', ')}) = ${render(result)}`;
  }

  #imports(): Record<string, unknown> {
    const { functions, tables, memories, globals } = this.#program.shape;
    for (const [index, shape] of functions.entries()) if (shape.kind === 'host') this.#imported[`f${index}`] = this.#hostFunction(index, shape);
    for (const [index, table] of tables.entries()) {
      if (!table.imported) continue;
      const [initial, maximum] = sizes(table);
      const element = table.element === FUNCREF ? 'anyfunc' : 'externref';
      this.#imported[`t${index}`] = new WebAssembly.Table({ element, initial, maximum, address: table.address } as WebAssembly.TableDescriptor);
    }
    for (const [index, memory] of memories.entries()) {
      if (!memory.imported) continue;
      const [initial, maximum] = sizes(memory);
      this.#imported[`m${index}`] = new WebAssembly.Memory({
        initial,
        maximum,
        address: memory.address,
        shared: memory.shared,
      } as WebAssembly.MemoryDescriptor);
    }
    for (const [index, { imported, type, mutable }] of globals.entries()) {
      const value = type === FUNCREF ? 'anyfunc' : type === EXTERNREF ? 'externref' : type;
      if (imported) this.#imported[`g${index}`] = new WebAssembly.Global({ value: value as 'i32', mutable }, defaultOf(type) as number);
    }
    return { ...this.#imported };
  }

  #hostFunction(index: number, { results }: FunctionShape): Callable {
    return (...args) => {
      const call = `f${index}(${args.map(render).join(', ')})`;
      this.#hostCalls.push(this.#hostCalls.length < SNAPSHOTS ? `${call} ${this.#memories().join()}` : call);
      this.#onHostCall();
      if (index === AGAIN) return this.#again();
      const seed = crc32(call);
      const values = results.map((type, position) => this.#resultOf(type, seed + position));
      return values.length > 1 ? values : values[0];
    };
  }

  // Calls the guest from within a call of the guest's. What it throws is a trap here: a metered guest never sees an exception of its host.
  #again(): number {
    const { callback, shape } = this.#program;
    if (this.#exports === undefined || callback === undefined || this.#depth > 2) return -1;
    this.#depth++;
    try {
      const exported = this.#lookUp(`f${callback}`) as Callable;
      exported(...(shape.functions[callback]?.params ?? []).map(defaultOf));
      return 1;
    } catch (error) {
      if (error instanceof WebAssembly.Exception) trap();
      throw error;
    } finally {
      this.#depth--;
    }
  }

  #resultOf(type: ValueType, seed: number): unknown {
    switch (type) {
      case 'i32':
        return seed % 5 === 0 ? seed | 0 : seed % 7;
      case 'i64':
        return BigInt(seed % 5 === 0 ? seed * 65_537 : seed % 7);
      case FUNCREF: {
        const functions = Object.values(this.#exports ?? {}).filter((value) => typeof value === 'function');
        return functions[seed % (functions.length + 1)] ?? null;
      }
      case EXTERNREF:
        return [null, 'from the host', seed][seed % 3];
      default:
        return seed % 5 === 0 ? Number.NaN : seed / 3;
    }
  }

  #failure(error: unknown): string {
    // A guest that a limit refused memory, and that traps later, fails for the limit's sake; plain, for the trap's.
    const trapped = error instanceof GloveportError && (error.code === 'GUEST_TRAPPED' || error.code === 'MEMORY_EXCEEDED');
    if (trapped && error.cause !== undefined) return this.#failure(error.cause);
    if (error instanceof GloveportError) return error.code;
    if (error instanceof WebAssembly.Exception) return this.#exception(error);
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  }

  #exception(exception: WebAssembly.Exception): string {
    for (const [index, params] of this.#program.shape.tags.entries()) {
      const tag = this.#exports?.[`e${index}`] as WebAssembly.Tag | undefined;
      if (tag === undefined || !exception.is(tag)) continue;
      return `exception e${index}(${params.map((type, at) => (isReadable(type) ? render(exception.getArg(tag, at)) : type)).join(', ')})`;
    }
    return 'exception';
  }

  #memories(): string[] {
    const { memories } = this.#program.shape;
    return memories.map((_, index) => {
      const memory = this.#lookUp(`m${index}`) as WebAssembly.Memory | undefined;
      return memory === undefined ? '-' : `m${index}: ${memory.buffer.byteLength} ${crc32(new Uint8Array(memory.buffer))}`;
    });
  }

  #state(): string[] {
    const { globals, tables } = this.#program.shape;
    const state = this.#memories();
    for (const [index, { type }] of globals.entries()) {
      const global = this.#lookUp(`g${index}`) as WebAssembly.Global | undefined;
      if (isReadable(type) && global !== undefined) state.push(`g${index}: ${render(global.value)}`);
    }
    for (const [index, { element, address }] of tables.entries()) {
      const table = this.#lookUp(`t${index}`) as WebAssembly.Table | undefined;
      if (!isReadable(element) || table === undefined) continue;
      const at = (slot: number): number => (address === 'i64' ? BigInt(slot) : slot) as number;
      const elements = Array.from({ length: Number(table.length) }, (_, slot) => render(table.get(at(slot))));
      state.push(`t${index}: ${elements.join(', ')}`);
    }
    return state;
  }

  #lookUp(name: string): unknown {
    return this.#exports?.[name] ?? this.#imported[name];
  }
}

function sizes({ address, minimum, maximum }: { readonly address: 'i32' | 'i64'; readonly minimum: number; readonly maximum: number }): [number, number] {
  return (address === 'i64' ? [BigInt(minimum), BigInt(maximum)] : [minimum, maximum]) as [number, number];
}

function defaultOf(type: ValueType): unknown {
  if (type === 'i64') return 3n;
  return type === FUNCREF || type === EXTERNREF ? null : 3;
}

// Exported functions are named by their index, which metering does not change.
function render(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${value.name}`;
  if (Array.isArray(value)) return `[${value.map(render).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return Object.is(value, -0) ? '-0' : JSON.stringify(value) === 'null' ? String(value) : (JSON.stringify(value) ?? 'undefined');
}
