// The ways in which a program is run: as it is, metered, and with the baseline's counters. Each puts itself in the place of the engine's `WebAssembly`, so
// that a program's own JavaScript loads its module the same way in all of them.
import { resolveLimits } from '../../src/limits.ts';
import { type CoreImports, Meter } from '../../src/metering/meter.ts';
import { type MeterDescriptor, meter } from '../../src/metering/rewrite.ts';
import { trap } from '../../src/metering/trap.ts';
import { meterPerBlock } from './per-block.ts';
import { type Sizes, sizesOf } from './sections.ts';

export const VARIANTS = ['plain', 'metered', 'perBlock'] as const;
export type Variant = (typeof VARIANTS)[number];

/** How a WASI program ends by itself: thrown by `proc_exit`. */
export class Exit extends Error {}

type Callable = (...values: unknown[]) => unknown;
type Exports = Record<string, unknown>;

interface Guest {
  readonly running: boolean;
  /** Fuel burnt since it was made. */
  readonly fuel: number;
  run<Result>(work: () => Result): Result | undefined;
  instantiate(module: WebAssembly.Module, descriptor: MeterDescriptor | undefined, imports: CoreImports): Exports;
}

/** More than any program of the benchmark uses. */
export const AMPLE_LIMITS = {
  ...resolveLimits({
    fuel: 2 ** 52,
    timeMs: 3_600_000,
    memoryBytes: 2 ** 32,
    tableElements: 10_000_000,
    callDepth: 2 ** 31 - 1,
    stackBytes: 2 ** 31 - 1,
  }),
  // More than a sandbox takes: what is measured allocates for as long as it is measured.
  gcBytes: 2 ** 50,
};

class MeteredGuest implements Guest {
  readonly #meter = new Meter(AMPLE_LIMITS);

  get running(): boolean {
    return this.#meter.running;
  }

  get fuel(): number {
    return this.#meter.usage.fuel;
  }

  run<Result>(work: () => Result): Result | undefined {
    let result: Result | undefined;
    try {
      this.#meter.run(() => {
        result = work();
      });
    } catch (error) {
      if (!((error as Error).cause instanceof Exit)) throw error;
    }
    return result;
  }

  instantiate(module: WebAssembly.Module, descriptor: MeterDescriptor | undefined, imports: CoreImports): Exports {
    const instantiate = (): Exports => this.#meter.instantiate(module, descriptor as MeterDescriptor, imports);
    return this.running ? instantiate() : this.#meter.run(instantiate);
  }
}

class UnmeteredGuest implements Guest {
  readonly fuel = 0;
  running = false;

  run<Result>(work: () => Result): Result {
    this.running = true;
    try {
      return work();
    } finally {
      this.running = false;
    }
  }

  instantiate(module: WebAssembly.Module, _: MeterDescriptor | undefined, imports: CoreImports): Exports {
    return new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports;
  }
}

/** What stands in for `WebAssembly` in this thread, as one variant. */
export class Engine {
  readonly #variant: Variant;
  readonly #native = globalThis.WebAssembly;
  readonly #descriptors = new WeakMap<WebAssembly.Module, MeterDescriptor>();
  /** The functions behind what {@link #enter} made of them. */
  readonly #exported = new WeakMap<object, unknown>();
  readonly #entered = new WeakMap<object, Callable>();
  #before: Sizes = { module: 0, code: 0 };
  #after: Sizes = { module: 0, code: 0 };
  #guest: Guest;
  /** Whether it is the meter itself that uses the engine. */
  #inside = true;

  constructor(variant: Variant) {
    this.#variant = variant;
    this.#guest = this.#newGuest();
    makeTrap();
    this.#inside = false;
  }

  get fuel(): number {
    return this.#guest.fuel;
  }

  /** Bytes after rewriting against before, over all modules that were compiled so far. */
  get growth(): Sizes {
    return { module: this.#after.module / this.#before.module, code: this.#after.code / this.#before.code };
  }

  /** What is instantiated from now on belongs to a new guest. */
  renew(): void {
    this.#natively(() => {
      this.#guest = this.#newGuest();
    });
  }

  run<Result>(work: () => Result): Result | undefined {
    return this.#guest.run(work);
  }

  /** Replaces `WebAssembly` in this thread, for good. */
  install(): void {
    const native = this.#native;
    const instantiate = async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports): Promise<unknown> => {
      if (source instanceof native.Module) return this.#instance(source, imports);
      const module = await this.#compile(source);
      return { module, instance: this.#instance(module, imports) };
    };
    const namespace = Object.create(native, {
      Module: { value: new Proxy(native.Module, { construct: (_, [source]) => this.#module(source) }) },
      Instance: { value: new Proxy(native.Instance, { construct: (_, [module, imports]) => this.#instance(module, imports) }) },
      compile: { value: (source: BufferSource) => this.#compile(source) },
      instantiate: { value: instantiate },
      // Programs fall back to the bytes.
      compileStreaming: { value: undefined },
      instantiateStreaming: { value: undefined },
    });
    this.#enterThroughTables();
    Object.defineProperty(globalThis, 'WebAssembly', { value: namespace, configurable: true, writable: true });
  }

  #newGuest(): Guest {
    return this.#variant === 'metered' ? new MeteredGuest() : new UnmeteredGuest();
  }

  #natively<Result>(work: () => Result): Result {
    const before = this.#inside;
    this.#inside = true;
    try {
      return work();
    } finally {
      this.#inside = before;
    }
  }

  #rewrite(source: BufferSource): { readonly bytes: BufferSource; readonly descriptor?: MeterDescriptor } {
    if (this.#variant === 'plain') return { bytes: source };
    const before = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
    const rewritten = this.#variant === 'perBlock' ? { bytes: meterPerBlock(before) } : meter(before);
    this.#before = sum(this.#before, sizesOf(before));
    this.#after = sum(this.#after, sizesOf(rewritten.bytes));
    return { ...rewritten, bytes: rewritten.bytes as BufferSource };
  }

  #module(source: BufferSource): WebAssembly.Module {
    if (this.#inside) return new this.#native.Module(source);
    const { bytes, descriptor } = this.#rewrite(source);
    return this.#known(new this.#native.Module(bytes), descriptor);
  }

  async #compile(source: BufferSource): Promise<WebAssembly.Module> {
    const { bytes, descriptor } = this.#rewrite(source);
    return this.#known(await this.#native.compile(bytes), descriptor);
  }

  #known(module: WebAssembly.Module, descriptor: MeterDescriptor | undefined): WebAssembly.Module {
    if (descriptor !== undefined) this.#descriptors.set(module, descriptor);
    return module;
  }

  #instance(module: WebAssembly.Module, imports: WebAssembly.Imports = {}): WebAssembly.Instance {
    if (this.#inside) return new this.#native.Instance(module, imports);
    const linked: Record<string, Record<string, unknown>> = {};
    for (const { module: from, name } of this.#native.Module.imports(module)) {
      const value = imports[from]?.[name];
      linked[from] ??= {};
      linked[from][name] = this.#exported.get(value as object) ?? value;
    }
    const exports = this.#natively(() => this.#guest.instantiate(module, this.#descriptors.get(module), linked));
    const entered = Object.fromEntries(
      Object.entries(exports).map(([name, value]) => [name, typeof value === 'function' ? this.#enter(value as Callable) : value]),
    );
    return Object.create(this.#native.Instance.prototype, { exports: { value: entered, enumerable: true } });
  }

  // Functions also come out of tables and go into them.
  #enterThroughTables(): void {
    const { prototype } = this.#native.Table;
    const { get, set } = prototype;
    const engine = this;
    prototype.get = function (index) {
      const value: unknown = get.call(this, index);
      return typeof value === 'function' && !engine.#inside ? engine.#enter(value as Callable) : value;
    };
    prototype.set = function (index, value) {
      set.call(this, index, engine.#exported.get(value) ?? value);
    };
  }

  // A function of the guest as the program's JavaScript calls it: a call of the guest, unless it is within one. The same in all variants, so that its cost is.
  #enter(exported: Callable): Callable {
    const known = this.#entered.get(exported);
    if (known !== undefined) return known;
    const guest = this.#guest;
    const enter: Callable = (...values) => (guest.running ? exported(...values) : guest.run(() => exported(...values)));
    this.#exported.set(enter, exported);
    this.#entered.set(exported, enter);
    return enter;
  }
}

function sum(a: Sizes, b: Sizes): Sizes {
  return { module: a.module + b.module, code: a.code + b.code };
}

// The meter makes its trap on first use; that must not go through the stand-in.
function makeTrap(): void {
  try {
    trap();
  } catch {}
}
