// The helpers that the edited glue calls (see `glue.ts`), bound to one guest: everything whose size a guest chooses is charged and bounded before the host
// does it, and what breaks the canonical ABI stops the guest.
import { ComponentError, GloveportError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { GuestControl } from '../metering/control.ts';
import { isStackOverflow, type Meter } from '../metering/meter.ts';
import type { ElementCosts } from './element-costs.ts';
import { isPromise, thrownPayload } from './thrown.ts';

/** Fuel units for one call of an import, on top of the meter's own price: the glue around it takes microseconds. */
const CROSSING_FUEL = 10_000;
/** Fuel units for lifting one list element and for each value that it is made of; host bytes for its place in the list. */
const ELEMENT_FUEL = 50;
const ELEMENT_BYTES = 32;
/** Elements that are lifted between two looks at the clock, see `$lift`: a charge for so many is one that {@link GuestControl.charge} looks for. */
export const ELEMENTS_AT_ONCE = 2_048;
/** Bytes that one unit of fuel copies; decoding text takes a unit for each. */
const COPIED_PER_UNIT = 16;
// Reps of resources that move between nested components stay known after the handle is gone; this many for each handle that is allowed at once.
const REPS_PER_HANDLE = 1_000;

type HandleTable = number[] & { readonly _createdReps?: ReadonlySet<number> };

/** The guards of one guest. A call into it, and each import that it calls, may make values of up to `limits.hostBytes`. */
export class Guards {
  /** The names that the glue sees; all of them start with `$` or stand for a global. */
  readonly scope: Readonly<Record<string, unknown>>;
  readonly #control: GuestControl;
  readonly #limits: Limits;
  readonly #costs: ElementCosts;
  readonly #resources = new WeakSet<object>();
  #hostBytes = 0;

  /**
   * @param meter runs the destructors of resources that are disposed of.
   * @param costs those of the program's lists.
   */
  constructor(meter: Meter, limits: Limits, costs: ElementCosts) {
    this.#control = meter.control;
    this.#limits = limits;
    this.#costs = costs;
    const decode = (view: Uint8Array, decoder: TextDecoder) => this.#decode(view, decoder);
    this.scope = {
      $elements: (length: number, size: number) => this.#elements(length, size),
      $lift: (left: number, size: number) => this.#control.charge(Math.min(left, ELEMENTS_AT_ONCE) * this.#costs(size).values * ELEMENT_FUEL),
      $slice: (memory: WebAssembly.Memory, pointer: number, length: number, size: number) => this.#slice(memory, pointer >>> 0, length >>> 0, size),
      $bytes: (length: number) => this.#take(length >>> 0, (length >>> 0) / COPIED_PER_UNIT),
      $entry: (table: HandleTable, handle: number) => this.#entry(table, handle),
      $created: (table: HandleTable) => this.#created(table),
      $crossing: () => this.#crossing(),
      $host: (operation: () => unknown) => () => this.#host(operation),
      $drop: DROP,
      $waiting: () => this.#control.isWaiting(),
      $noTask: NO_TASK,
      FinalizationRegistry: registryFor(this.#resources, meter),
      TextDecoder: class {
        readonly #decoder: TextDecoder;

        constructor(encoding?: string) {
          this.#decoder = encoding === 'utf-16' ? UTF16 : UTF8;
        }

        decode(view: Uint8Array): string {
          return decode(view, this.#decoder);
        }
      },
    };
  }

  /** Whether `value` is a resource that this guest gave out and still has. */
  isLiveResource(value: object): boolean {
    return this.#resources.has(value) && holdsHandle(value);
  }

  /** Starts a new account of host bytes: a call begins, or the values of the last one are done with. */
  reset(): void {
    this.#hostBytes = 0;
  }

  #crossing(): void {
    this.reset();
    this.#control.charge(CROSSING_FUEL);
  }

  // Methods and constructors of the host's resources come here unbound; free functions are bound already (see `host-functions.ts`).
  #host(operation: () => unknown): unknown {
    const failed = (what: string, cause?: unknown): never =>
      this.#control.stop(new GloveportError('HOST_FUNCTION_FAILED', `a host function ${what}`, {}, { cause }));
    let result: unknown;
    try {
      result = operation();
    } catch (error) {
      if (this.#control.isStop(error) || isStackOverflow(error)) throw error;
      const payload = thrownPayload(error);
      // Read once, so that the glue gets the payload that was looked at.
      if (payload !== undefined) throw new ComponentError(payload.value);
      return failed('failed', error);
    }
    if (!isPromise(result)) return result;
    return failed('returned a Promise: the guest waits for the value itself');
  }

  #elements(length: number, size: number): void {
    if (length < 0) this.#fault('a list is longer than its memory');
    this.#take(length * (ELEMENT_BYTES + this.#costs(size).hostBytes), length * ELEMENT_FUEL);
  }

  #slice(memory: WebAssembly.Memory, pointer: number, length: number, size: number): ArrayBuffer {
    const bytes = length * size;
    if (pointer % size !== 0 || pointer + bytes > memory.buffer.byteLength) this.#fault('a list is not within its memory');
    this.#take(bytes, bytes / COPIED_PER_UNIT);
    return memory.buffer.slice(pointer, pointer + bytes);
  }

  #decode(view: Uint8Array, decoder: TextDecoder): string {
    this.#take(2 * view.byteLength, view.byteLength);
    try {
      return decoder.decode(view);
    } catch {
      return this.#fault('a string is not well-formed');
    }
  }

  // A table holds a pair of numbers for each handle after the first, which is its list of free ones; a free handle's pair has the flag in its first.
  #entry(table: HandleTable, handle: number): number {
    const index = handle * 2;
    const known = handle > 0 && index < table.length && ((table[index] as number) & FREE) === 0;
    return known ? (table[index + 1] as number) : this.#fault(`handle ${handle} does not exist`);
  }

  #created(table: HandleTable): void {
    const { handles } = this.#limits;
    this.#control.charge(ELEMENT_FUEL);
    if (table.length <= 2 * handles && (table._createdReps?.size ?? 0) <= REPS_PER_HANDLE * handles) return;
    this.#control.stop(
      new GloveportError('HANDLES_EXCEEDED', `the guest holds more than ${handles} handles of one resource type; raise limits.handles if it needs more`, {
        limit: 'handles',
        maximum: handles,
      }),
    );
  }

  #take(hostBytes: number, fuel: number): void {
    this.#control.charge(Math.ceil(fuel));
    this.#hostBytes += hostBytes;
    const { hostBytes: maximum } = this.#limits;
    if (this.#hostBytes <= maximum) return;
    this.#control.stop(
      new GloveportError('MEMORY_EXCEEDED', `the values of one call take more than limits.hostBytes of ${maximum}`, {
        limit: 'hostBytes',
        value: this.#hostBytes,
        maximum,
      }),
    );
  }

  #fault(what: string): never {
    return this.#control.stop(new GloveportError('GUEST_TRAPPED', `the guest broke the canonical ABI: ${what}`, { trap: what }));
  }
}

// What imports are told of instead of tasks.
const nothing = (): void => {};
const NO_TASK = Object.freeze({ resolve: nothing, reject: nothing, exit: nothing, setErrored: nothing, id: nothing, getParentSubtask: nothing });

// Where the glue keeps the function that drops a resource.
const DROP: unique symbol = Symbol('drop');

/**
 * The glue registers every resource that it gives out, for the garbage collector to drop. That would run guest code at any time, so nothing is dropped
 * but by `Symbol.dispose`, which is a call of the guest like any other.
 */
function registryFor(resources: WeakSet<object>, meter: Meter): new () => Pick<FinalizationRegistry<unknown>, 'register' | 'unregister'> {
  return class {
    register(resource: object): void {
      resources.add(resource);
      const dispose = (): void => {
        const drop = (resource as { [DROP]?: () => void })[DROP];
        if (drop !== undefined && meter.stopped === undefined) meter.run(drop);
      };
      Object.defineProperty(resource, Symbol.dispose, { value: dispose });
    }

    unregister(): boolean {
      return false;
    }
  };
}

// A resource loses its handle when it is dropped or given away.
function holdsHandle(value: object): boolean {
  return Object.getOwnPropertySymbols(value).some((symbol) => symbol.description === 'handle' && (value as Record<symbol, unknown>)[symbol] !== undefined);
}

const FREE = 2 ** 30;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UTF16 = new TextDecoder('utf-16le', { fatal: true, ignoreBOM: true });
