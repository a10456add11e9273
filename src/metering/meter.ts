// The host's side of the counter: one Meter for each guest. It hands out fuel by the quantum, watches deadline, memory, tables and stack, stands between
// the guest and every host function, and says what stopped a guest. What stops once stays stopped.
import { GloveportError, isGuestValue, isInstance, messageOf, poisonedBy, printable } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { EngineModule } from '../wasm/engine.ts';
import type { GuestControl } from './control.ts';
import { Growth, GrowthKind, Reason, Slot } from './helpers.ts';
import { anyResult, type HostSignature, resultConversion } from './host-values.ts';
import { OVERDRAFT_UNITS, prices } from './prices.ts';
import { FuelProfile, type Profile } from './profile.ts';
import type { MeterDescriptor } from './rewrite.ts';
import { instantiateStringBuiltins, isStringBuiltin, type StringBuiltins } from './string-builtins.ts';
import { stackHere, stackOf, StopPlaces } from './stop-place.ts';
import { CAN_SUSPEND, hasRoomForCall, type RepeatableImport, RepeatableImports, Suspender, type Wait } from './suspension.ts';
import { connectSlots, trap } from './trap.ts';

/** The limits that a meter keeps by itself. */
export type MeterLimits = Pick<Limits, 'fuel' | 'timeMs' | 'memoryBytes' | 'tableElements' | 'stackBytes' | 'callDepth' | 'gcBytes'>;

/** What a guest has used since it was loaded. */
export interface Usage {
  /**
   * Fuel units burnt, in all calls together; the same for the same module, arguments and imports on every machine. A call that ends in a trap of the
   * engine's is charged up to a quantum (a million units) more than it burnt.
   */
  readonly fuel: number;
  /** Bytes of all linear memories now, those that the host passed as imports too. */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** Milliseconds of wall clock spent in calls. */
  readonly wallMs: number;
  /** Calls from the guest to host functions, WASI included; the engine's builtins are none. */
  readonly hostCalls: number;
}

/** What a call threw. */
interface Failure {
  readonly error: unknown;
}

type HostFunction = (...values: unknown[]) => unknown;
/** What a core module imports: module name, then name. */
export type CoreImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** Functions, memories, tables, globals and tags by name, without a prototype. */
export type CoreExports = Readonly<Record<string, unknown>>;

/** Units of host work, charged at once, from which on the deadline is looked at. */
const LONG_CHARGE = 100_000;
/** Fuel units that a guest holds at a time, about a tenth of a millisecond of work: the deadline is looked at once for each. */
const QUANTUM = 1_000_000;
// Low enough to be negative after any charge that a check precedes, high enough never to wrap below -2^31 by what may be charged between two checks.
const STOPPED = -(2 ** 29);
const PAGE_BYTES = 65_536;
/** Bytes of the collector's heap that a module is granted at a time. */
const HEAP_GRANT = 65_536;

/**
 * Meters the core modules of one guest. {@link run} makes a call of it: everything the guest does must happen inside. Not re-entrant.
 */
export class Meter {
  readonly control: GuestControl;
  readonly #limits: MeterLimits;
  readonly #counters: WebAssembly.Global<'i32'>[] = [];
  readonly #heaps: WebAssembly.Global<'i32'>[] = [];
  /** Bytes of the collector's heap that were allocated or are granted. */
  #heap = 0;
  readonly #memories = new Set<WebAssembly.Memory>();
  readonly #tables = new Set<WebAssembly.Table>();
  readonly #guestFunctions = new WeakSet<object>();
  readonly #slots: readonly HostFunction[];
  #strings: StringBuiltins | undefined;
  readonly #places = new StopPlaces();
  /** Units of the running call's budget that no counter holds. */
  #free = 0;
  /** Units that the counters hold when no call is running. */
  #held = 0;
  #running = false;
  #startedAt = 0;
  #reason: GloveportError | undefined;
  #refused: GloveportError | undefined;
  #fuel = 0;
  #wallMs = 0;
  #hostCalls = 0;
  /** Once a module with a profile is there. */
  #profile: FuelProfile | undefined;
  /** Whether one without is. */
  #unprofiled = false;
  readonly #suspender: Suspender | undefined;
  /** Whether the guest runs on a stack that can be put aside. */
  #suspendable = false;
  /** Host functions that run, each called by the guest inside of the one before. */
  #hostDepth = 0;
  /** Units charged so far by host functions that the guest called directly, and for calling them. */
  #hostUnits = 0;
  /** Bytes of the memories when they were let go of. */
  #released: number | undefined;

  /** @param suspends whether guests that wait are to be suspended, in calls by {@link runAsync} and {@link call}, where the engine can. */
  constructor(limits: MeterLimits, suspends = false) {
    this.#limits = limits;
    if (suspends && CAN_SUSPEND) this.#suspender = new Suspender(() => this.#isOver());
    this.#slots = connectSlots(
      (reason) => this.#slowPath(reason),
      (kind, delta) => this.#grow(kind, delta >>> 0),
      (nanoseconds) => this.#wait(nanoseconds),
    );
    this.control = {
      charge: (units) => this.#charge(units),
      stop: (reason) => this.#stop(reason),
      wait: (milliseconds, onChange) => this.#waitFor(milliseconds, onChange),
      suspends: () => this.#suspends() !== undefined,
      isWaiting: () => this.#asked,
      remainingMs: () => (this.#running ? Math.max(0, this.#remainingMs()) : Number.POSITIVE_INFINITY),
      isStop: (error) => this.#reason !== undefined && isInstance(error, WebAssembly.RuntimeError),
    };
  }

  /** What stopped the guest for good, if anything did. */
  get stopped(): GloveportError | undefined {
    return this.#reason;
  }

  get running(): boolean {
    return this.#running;
  }

  get usage(): Usage {
    const memoryBytes = this.#memoryBytes();
    return {
      fuel: this.#fuel + (this.#running ? this.#used() : 0),
      memoryBytes,
      peakMemoryBytes: memoryBytes,
      wallMs: this.#wallMs + (this.#running ? performance.now() - this.#startedAt : 0),
      hostCalls: this.#hostCalls,
    };
  }

  /**
   * Fuel by function since the guest was loaded: exact, and the same on every machine. Can be had at any time, during a call and after a stop too.
   * @throws GloveportError INVALID_STATE unless all modules were metered for it.
   */
  profile(): Profile {
    if (this.#unprofiled) {
      throw new GloveportError('INVALID_STATE', 'fuel is not added up by function; load the guest, or meter its modules, with { profile: true }');
    }
    return (this.#profile ?? new FuelProfile(this.usage.fuel)).read();
  }

  /**
   * One call of the guest, with the whole of the limits' fuel and time. A ComponentError is the guest's own value and leaves it usable; a trap, a stop and
   * anything else stop it for good.
   * @throws GloveportError with the code of what happened, GUEST_POISONED when it was stopped before.
   */
  run<Result>(work: () => Result): Result {
    this.#enter();
    let failure: Failure | undefined;
    let result: Result | undefined;
    try {
      result = work();
    } catch (error) {
      failure = { error };
    }
    this.#leave(failure);
    return result as Result;
  }

  /** The same for work in which the guest may be suspended, see {@link call}. The guest is running until the promise is settled. */
  async runAsync<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#suspender !== undefined && !hasRoomForCall()) {
      throw new GloveportError('QUEUE_FULL', 'too many calls of guests are under way in this process; wait for some of them to end', {});
    }
    this.#enter();
    let failure: Failure | undefined;
    let result: Result | undefined;
    try {
      result = await work();
    } catch (error) {
      failure = { error };
    }
    this.#leave(failure);
    return result as Result;
  }

  /**
   * Calls a function that a module of the guest's exports, inside {@link runAsync}: a host function that waits then suspends the guest, as long as nothing of
   * the host is between the two. Without JSPI, and for meters that do not suspend, it is a plain call.
   */
  async call(guest: HostFunction, values: readonly unknown[]): Promise<unknown> {
    if (this.#suspender === undefined) return guest(...values);
    this.#suspendable = true;
    try {
      return await this.#suspender.call(guest, values);
    } finally {
      this.#suspendable = false;
    }
  }

  /** Stops the guest for good from outside, or from a host function: it ends at its next check. Does nothing when it has stopped already. */
  abort(reason: GloveportError): void {
    this.#halt(reason);
    this.wake();
  }

  /** Has a guest that is suspended look again at what it waits for. */
  wake(): void {
    this.#suspender?.wake();
  }

  /** Lets go of the guest's memories and tables; {@link usage} stays. Called after {@link abort}, at the end of a call that is still running. */
  release(): void {
    this.#released ??= this.#memoryBytes();
    if (this.#running) return;
    this.#memories.clear();
    this.#tables.clear();
    this.#counters.length = 0;
    this.#heaps.length = 0;
  }

  /**
   * Instantiates a rewritten module with only the imports that it declares, host functions guarded, and runs its start function.
   * @param module compiled without builtins of the engine's, which would not be metered: imports of `wasm:js-string` are provided here, metered, unless
   * `imports` has them. Imported string constants are not.
   * @param imports looked up by own property. Memories and tables count like the guest's own.
   * @returns the module's own exports, as an object without prototype.
   * @throws GloveportError LINK_FAILED for an import that is missing or of the wrong kind, MEMORY_EXCEEDED when its memories or tables start over the limit,
   * UNSUPPORTED_FEATURE when it imports builtins that the engine does not have.
   */
  instantiate(module: EngineModule, descriptor: MeterDescriptor, imports: CoreImports): CoreExports {
    if (descriptor.profile === undefined) this.#unprofiled = true;
    else this.#profile ??= new FuelProfile(this.usage.fuel);
    const linked = this.#link(module, descriptor, imports);
    this.#checkInitialSizes(descriptor);
    if (!this.#spend(descriptor.instantiationUnits)) throw this.#reason;
    let instance: WebAssembly.Instance;
    try {
      instance = new WebAssembly.Instance(module, linked);
    } catch (error) {
      throw instantiationError(error);
    }
    return this.#adopt(instance.exports, descriptor);
  }

  #checkInitialSizes(descriptor: MeterDescriptor): void {
    const bytes = descriptor.memories.reduce((sum, { minimum }) => sum + minimum * PAGE_BYTES, this.#memoryBytes());
    if (bytes > this.#limits.memoryBytes) throw exceeded('memoryBytes', bytes, this.#limits.memoryBytes);
    const elements = descriptor.tables.reduce((sum, { minimum }) => sum + minimum, this.#tableElements());
    const heap = this.#heap + descriptor.initialHeapBytes;
    if (heap > this.#limits.gcBytes) throw exceeded('gcBytes', heap, this.#limits.gcBytes);
    this.#heap = heap;
    if (elements > this.#limits.tableElements) throw exceeded('tableElements', elements, this.#limits.tableElements);
  }

  #link(module: EngineModule, { functionImports }: MeterDescriptor, imports: CoreImports): WebAssembly.Imports {
    let functions = 0;
    const linked: Record<string, Record<string, WebAssembly.ImportValue>> = Object.create(null);
    const repeatable = new RepeatableImports();
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      const signature = kind === 'function' ? functionImports[functions++] : undefined;
      const provided = Object.hasOwn(imports, from) ? imports[from] : undefined;
      let value = provided !== undefined && Object.hasOwn(provided, name) ? provided[name] : undefined;
      if (value === undefined && kind === 'function' && isStringBuiltin(from, name)) value = this.#stringBuiltin(name);
      if (value === undefined || !isOfKind(kind, value)) {
        throw new GloveportError('LINK_FAILED', `nothing provides the import ${printable(from, 200)} ${printable(name, 200)} (${kind})`, {
          module: from,
          name,
          kind,
        });
      }
      linked[from] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>;
      if (signature !== undefined && this.#isHostFunction(value)) {
        const host = this.#guardAs(value, signature, from, name);
        linked[from][name] = host;
        if (this.#suspender !== undefined) repeatable.add(from, { members: linked[from], name, signature, host });
      } else {
        linked[from][name] = value as WebAssembly.ImportValue;
      }
      // What is another instance's of the same guest is in the set already.
      if (kind === 'memory') this.#memories.add(value as WebAssembly.Memory);
      if (kind === 'table') this.#tables.add(value as WebAssembly.Table);
    }
    this.#makeRepeating(repeatable.all());
    return linked;
  }

  #makeRepeating(repeatable: readonly RepeatableImport[]): void {
    if (this.#suspender === undefined || repeatable.length === 0) return;
    const repeating = this.#suspender.repeat(repeatable);
    for (const [index, { members, name }] of repeatable.entries()) {
      const repeat = repeating[index] as HostFunction;
      members[name] = repeat;
      this.#guestFunctions.add(repeat);
    }
  }

  #stringBuiltin(name: string): HostFunction | undefined {
    if (this.#strings === undefined) {
      const profile = this.#profile;
      const charged = profile && ((units: number) => profile.chargeMarked(units));
      this.#strings = instantiateStringBuiltins(this.#slots[Slot.SLOW_PATH] as HostFunction, this.#slots[Slot.GROW] as HostFunction, charged);
      const { functions, counter, heap } = this.#strings;
      for (const builtin of functions.values()) this.#guestFunctions.add(builtin);
      this.#addCounters(counter, heap);
    }
    return this.#strings.functions.get(name);
  }

  #addCounters(counter: WebAssembly.Global<'i32'>, heap: WebAssembly.Global<'i32'>): void {
    counter.value = this.#reason === undefined ? 0 : STOPPED;
    this.#counters.push(counter);
    this.#heaps.push(heap);
  }

  #isHostFunction(value: unknown): value is HostFunction {
    return typeof value === 'function' && !this.#guestFunctions.has(value);
  }

  #adopt(exports: WebAssembly.Exports, descriptor: MeterDescriptor): CoreExports {
    const { callDepth, stackBytes } = this.#limits;
    this.#addCounters(exports[descriptor.counter] as WebAssembly.Global<'i32'>, exports[descriptor.heap] as WebAssembly.Global<'i32'>);
    (exports[descriptor.stack] as WebAssembly.Global<'i64'>).value = (BigInt(callDepth) << 32n) | BigInt(stackBytes);
    const slots = exports[descriptor.slots] as WebAssembly.Table;
    for (let slot = 0; slot < Slot.COUNT; slot++) slots.set(slot, this.#slots[slot]);
    const { profile } = descriptor;
    if (profile !== undefined) slots.set(Slot.MARK, this.#profile?.adopt(profile, descriptor.trace, exports[profile.memory] as WebAssembly.Memory));
    for (const { name } of descriptor.memories) this.#memories.add(exports[name] as WebAssembly.Memory);
    for (const { name } of descriptor.tables) this.#tables.add(exports[name] as WebAssembly.Table);

    const injected = new Set([descriptor.counter, descriptor.stack, descriptor.heap, descriptor.slots, descriptor.start, profile?.memory]);
    for (const { name } of [...descriptor.memories, ...descriptor.tables]) injected.add(name);
    const own: Record<string, unknown> = Object.create(null);
    for (const [name, value] of Object.entries(exports)) {
      if (injected.has(name)) continue;
      own[name] = value;
      if (typeof value === 'function') this.#guestFunctions.add(value);
    }
    this.#places.add(descriptor.trace);
    if (descriptor.start !== undefined) (exports[descriptor.start] as HostFunction)();
    return own;
  }

  #guardAs(host: HostFunction, { results, opaque }: HostSignature, from: string, name: string): HostFunction {
    if (opaque) {
      const message = `the import ${printable(from, 200)} ${printable(name, 200)} has vectors or exceptions in its type, which no function of the host takes or gives`;
      throw new GloveportError('LINK_FAILED', message, { module: from, name, kind: 'function' });
    }
    return this.#guard(host, resultConversion(results), anyResult(results));
  }

  // Every JavaScript function that a guest calls goes through this: what it throws must not reach the guest, which could catch it, but ends in a trap.
  #guard(host: HostFunction, convert: (result: unknown) => unknown, any: unknown): HostFunction {
    const guarded: HostFunction = (...values) => {
      const before = this.#hostUnits;
      let result: unknown;
      this.#hostDepth++;
      try {
        this.#hostCalls++;
        this.#charge(prices.hostCall + values.length * prices.hostValue);
        const given = host(...values);
        result = this.#asked ? any : convert(given);
      } catch (error) {
        // It may come from the guest, which the host function has called.
        if (this.#reason === undefined && isTrap(error)) this.#forfeit();
        this.#halt(this.#reason ?? this.#explain(error), `${stackOf(error)}\n${stackHere()}`);
      } finally {
        this.#hostDepth--;
      }
      if (this.#hostDepth === 0 && this.#asked) this.#takeBack(before);
      if (this.#remainingMs() < 0) this.#halt(this.#deadline());
      if (this.#reason !== undefined) trap();
      return result;
    };
    const profile = this.#profile;
    return profile === undefined ? guarded : (...values) => profile.attribute(() => guarded(...values));
  }

  // A host function will be called again, as if this time had not been: how often is a matter of time, and fuel is not.
  #takeBack(before: number): void {
    const units = this.#hostUnits - before;
    this.#hostCalls--;
    this.#hostUnits = before;
    this.#suspender?.grant();
    if (this.#reason !== undefined) return;
    this.#free += units;
    this.#profile?.charge(-units);
    this.#profile?.again();
  }

  #enter(): void {
    if (this.#running) throw new GloveportError('INVALID_STATE', 'the guest is running: calls do not overlap, and a host function cannot call its guest back');
    if (this.#reason !== undefined) throw poisonedBy(this.#reason);
    this.#begin();
  }

  #leave(failure: Failure | undefined): void {
    if (failure !== undefined && this.#reason === undefined && !isGuestValue(failure.error)) this.#forfeit();
    this.#end();
    if (failure !== undefined) {
      if (this.#reason === undefined && isGuestValue(failure.error)) throw failure.error;
      this.#halt(this.#reason ?? this.#explain(failure.error), stackOf(failure.error));
    }
    if (this.#reason !== undefined) throw this.#reason;
  }

  #begin(): void {
    this.#refused = undefined;
    this.#profile?.enter();
    this.#running = true;
    this.#startedAt = performance.now();
    this.#free = this.#limits.fuel - this.#held;
    if (this.#free < 0) this.#collect();
  }

  #end(): void {
    const used = this.#used();
    if (used > this.#limits.fuel) this.#halt(this.#exhausted(), '');
    else if (this.#remainingMs() < 0) this.#halt(this.#deadline(), '');
    this.#wallMs += performance.now() - this.#startedAt;
    this.#fuel += used;
    this.#held = 0;
    for (const counter of this.#counters) {
      const left = counter.value;
      // More than was ever handed out means that it went round, which nothing that was planned right can bring about.
      if (left > QUANTUM) this.#halt(new GloveportError('INTERNAL', 'the counter of fuel overflowed; please report it'), '');
      else if (left >= 0) this.#held += left;
      else if (this.#reason === undefined) counter.value = 0;
    }
    this.#running = false;
    if (this.#released !== undefined) this.release();
  }

  // Where an engine's trap ended the call, the counters do not say how far it came, as functions with loops keep theirs in locals: all that they held counts as
  // burnt, and all that may have been owed.
  #forfeit(): void {
    for (const counter of this.#counters) if (counter.value > 0) counter.value = 0;
    this.#free -= Math.min(OVERDRAFT_UNITS, Math.max(0, this.#free));
    this.#profile?.forfeit(this.usage.fuel);
  }

  /** Units that the running call has burnt. */
  #used(): number {
    const held = this.#reason === undefined ? this.#counters.reduce((sum, counter) => sum + counter.value, 0) : 0;
    return this.#limits.fuel - this.#free - held;
  }

  // Takes back what the counters hold; overdrafts count against the budget.
  #collect(): void {
    for (const counter of this.#counters) {
      this.#free += counter.value;
      counter.value = 0;
    }
  }

  #charge(units: number): void {
    // What the guest does on behalf of a host function that called it is never given back.
    if (this.#hostDepth === 1) this.#hostUnits += units;
    if (!this.#spend(units)) trap();
  }

  // Whether the outermost host function, which runs, has asked to be called again.
  get #asked(): boolean {
    return this.#hostDepth <= 1 && this.#suspender?.asked === true;
  }

  /** False when the guest has to stop, now or already. */
  #spend(units: number): boolean {
    // A number of the guest's that somebody believed must not mint fuel.
    if (!(units >= 0 && units < Number.POSITIVE_INFINITY)) {
      this.#halt(new GloveportError('INTERNAL', `${units} units of fuel cannot be charged; please report it`));
    }
    if (this.#reason !== undefined) return false;
    if (units > this.#free) this.#collect();
    this.#free -= units;
    this.#profile?.charge(units);
    if (this.#free < 0) this.#halt(this.#exhausted());
    else if (units > LONG_CHARGE && this.#remainingMs() < 0) this.#halt(this.#deadline());
    return this.#reason === undefined;
  }

  // Answers the guest's question for the next quantum: 0 to go on, 1 to stop.
  #slowPath(reason: number): number {
    if (this.#reason !== undefined || !this.#running) return 1;
    if (reason === Reason.STACK_SPENT) {
      this.#halt(stackExceeded(this.#limits));
      return 1;
    }
    if (reason === Reason.WAITED) {
      if (this.#remainingMs() < 0) this.#halt(this.#deadline());
      return this.#reason === undefined ? 0 : 1;
    }
    for (const counter of this.#counters) {
      if (counter.value >= 0) continue;
      this.#free += counter.value;
      counter.value = 0;
      if (this.#free < 0) this.#collect();
      const quantum = Math.min(QUANTUM, Math.max(0, this.#free));
      this.#free -= quantum;
      counter.value = quantum;
    }
    if (this.#free < 0) this.#halt(this.#exhausted());
    else if (this.#remainingMs() < 0) this.#halt(this.#deadline());
    return this.#reason === undefined ? 0 : 1;
  }

  #grow(kind: number, delta: number): number {
    if (kind === GrowthKind.HEAP) return this.#allocate(delta) ? Growth.GRANTED : Growth.STOP;
    const memory = kind === GrowthKind.MEMORY;
    const now = memory ? this.#memoryBytes() : this.#tableElements();
    const wanted = now + delta * (memory ? PAGE_BYTES : 1);
    const limit = memory ? 'memoryBytes' : 'tableElements';
    const granted = wanted <= this.#limits[limit];
    if (!granted) this.#refused ??= exceeded(limit, wanted, this.#limits[limit]);
    const request = prices.growth + prices.grown * (memory ? this.#memories.size : this.#tables.size);
    const units = granted ? request + delta * (memory ? prices.page : prices.element) : request;
    const paid = this.#profile === undefined ? this.#spend(units) : this.#profile.attribute(() => this.#spend(units));
    if (!paid) return Growth.STOP;
    return granted ? Growth.GRANTED : Growth.REFUSED;
  }

  // Some module of the guest's owes `bytes` of the collector's heap: it is granted them, and some more to go on with.
  #allocate(bytes: number): boolean {
    const { gcBytes } = this.#limits;
    if (this.#reason !== undefined) return false;
    if (bytes > gcBytes - this.#heap) {
      this.#halt(exceeded('gcBytes', this.#heap + bytes, gcBytes));
      return false;
    }
    for (const heap of this.#heaps) if (heap.value < 0) heap.value = this.#takeHeap(-heap.value);
    return true;
  }

  // Counts what is owed and what is granted ahead; gives the latter.
  #takeHeap(owed: number): number {
    this.#heap += owed;
    const ahead = Math.min(HEAP_GRANT, this.#limits.gcBytes - this.#heap);
    this.#heap += ahead;
    return ahead;
  }

  #wait(nanoseconds: bigint): bigint {
    const most = BigInt(Math.floor(Math.max(0, this.#running ? this.#remainingMs() + 1 : 0) * 1e6));
    return nanoseconds < 0n || nanoseconds > most ? most : nanoseconds;
  }

  #stop(reason: GloveportError): never {
    this.#halt(reason);
    trap();
  }

  // The guest's frames are in `stack`; as long as its call runs, they are those that are there now.
  #halt(reason: GloveportError, stack?: string): void {
    if (this.#reason !== undefined) return;
    if (this.#running) this.#collect();
    this.#reason = this.#places.locate(reason, stack ?? (this.#running ? stackHere() : ''));
    this.#profile?.freeze();
    for (const counter of this.#counters) counter.value = STOPPED;
  }

  // What the host function that runs can have the guest suspended by.
  #suspends(): Suspender | undefined {
    return this.#suspendable && this.#hostDepth === 1 ? this.#suspender : undefined;
  }

  #waitFor(milliseconds: number, onChange: Wait['onChange']): boolean {
    const suspender = this.#suspends();
    if (suspender !== undefined) {
      const remaining = Math.max(0, this.#remainingMs());
      // A little after the deadline, at the deadline.
      suspender.ask({ milliseconds: Math.min(milliseconds, remaining + 1), onChange });
      return false;
    }
    if (onChange !== undefined) this.#stop(unwaitable());
    const remaining = this.#remainingMs();
    const wait = Math.min(milliseconds, Math.max(0, remaining));
    if (wait > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
    if (milliseconds > remaining) this.#stop(this.#deadline());
    return true;
  }

  // At the end of a wait.
  #isOver(): boolean {
    if (this.#remainingMs() < 0) this.#halt(this.#deadline());
    return this.#reason !== undefined;
  }

  #remainingMs(): number {
    return this.#limits.timeMs - (performance.now() - this.#startedAt);
  }

  #explain(error: unknown): GloveportError {
    if (isInstance(error, GloveportError)) return error;
    const message = messageOf(error);
    if (isStackOverflow(error)) return stackExceeded(this.#limits, error);
    if (this.#refused !== undefined) {
      return new GloveportError('MEMORY_EXCEEDED', `${this.#refused.message}; the guest then trapped: ${message}`, this.#refused.details, { cause: error });
    }
    return new GloveportError('GUEST_TRAPPED', `the guest trapped: ${message}`, { trap: message }, { cause: error });
  }

  #exhausted(): GloveportError {
    const { fuel } = this.#limits;
    return new GloveportError('FUEL_EXHAUSTED', `the call used up its ${fuel} units of fuel; raise limits.fuel if the guest needs more`, {
      limit: 'fuel',
      maximum: fuel,
    });
  }

  #deadline(): GloveportError {
    const { timeMs } = this.#limits;
    return new GloveportError('DEADLINE_EXCEEDED', `the call took longer than ${timeMs} ms; raise limits.timeMs if the guest needs more`, {
      limit: 'timeMs',
      maximum: timeMs,
    });
  }

  #memoryBytes(): number {
    if (this.#released !== undefined) return this.#released;
    let bytes = 0;
    for (const memory of this.#memories) bytes += memory.buffer.byteLength;
    return bytes;
  }

  #tableElements(): number {
    let elements = 0;
    for (const table of this.#tables) elements += Number(table.length);
    return elements;
  }
}

function isOfKind(kind: string, value: unknown): boolean {
  switch (kind) {
    case 'function':
      return typeof value === 'function';
    case 'memory':
      return isInstance(value, WebAssembly.Memory);
    case 'table':
      return isInstance(value, WebAssembly.Table);
    default:
      // The engine tells globals and tags; a global may also be given as its value.
      return typeof value !== 'function';
  }
}

function instantiationError(error: unknown): unknown {
  if (error instanceof WebAssembly.LinkError) return new GloveportError('LINK_FAILED', `the module does not link: ${printable(error.message)}`);
  if (error instanceof RangeError && !isStackOverflow(error)) {
    return new GloveportError('MEMORY_EXCEEDED', `the engine has no memory for the guest: ${printable(error.message)}`, { limit: 'engine' }, { cause: error });
  }
  return error;
}

function exceeded(limit: 'memoryBytes' | 'tableElements' | 'gcBytes', value: number, maximum: number): GloveportError {
  const what = {
    memoryBytes: `memories would take ${value} bytes`,
    tableElements: `tables would take ${value} elements`,
    gcBytes: `objects would have taken ${value} bytes`,
  }[limit];
  return new GloveportError('MEMORY_EXCEEDED', `the guest's ${what}, over limits.${limit} of ${maximum}`, { limit, value, maximum });
}

function stackExceeded(limits: MeterLimits, cause?: unknown): GloveportError {
  return new GloveportError(
    'STACK_EXCEEDED',
    `the guest's calls nest deeper than limits.callDepth of ${limits.callDepth}, or their frames take more than limits.stackBytes of ${limits.stackBytes}, or the engine's own stack`,
    { limit: cause === undefined ? 'callDepth' : 'engine', callDepth: limits.callDepth, stackBytes: limits.stackBytes },
    { cause },
  );
}

function unwaitable(): GloveportError {
  return new GloveportError(
    'UNSUPPORTED_FEATURE',
    'the guest waits for something that the event loop has to bring, on a thread that it blocks; use call() on an engine with JSPI (WebAssembly.Suspending)',
    { feature: 'waiting' },
  );
}

function isTrap(error: unknown): boolean {
  return isInstance(error, WebAssembly.RuntimeError) || isStackOverflow(error);
}

/** Whether `error` is the engine's own stack overflow: a RangeError like those of typed arrays, told apart by its message only. */
export function isStackOverflow(error: unknown): boolean {
  return isInstance(error, RangeError) && /call stack/i.test(messageOf(error));
}
