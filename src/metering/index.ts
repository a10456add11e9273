// The entry point `gloveport/metering`: the rewriter and its meter on their own, for any JavaScript engine that has WebAssembly. Nothing that it imports
// knows Node. It adds what strangers to the meter need: modules are validated, limits resolved, and every call of an exported function is a metered one.
import { checkFields, describeValue, GloveportError, isInstance, messageOf } from '../errors.ts';
import { limits as everyLimit, type LimitsPreset, resolveLimits } from '../limits.ts';
import type { EngineModule } from '../wasm/engine.ts';
import type { GuestControl } from './control.ts';
import { type CoreExports, type CoreImports, Meter as GuestMeter, type MeterLimits, type Usage } from './meter.ts';
import type { Profile } from './profile.ts';
import { meter as rewrite, type MeterDescriptor, type MeterOptions } from './rewrite.ts';

export { type ErrorCategory, type ErrorCode, type ErrorDetails, errorCategories, GloveportError } from '../errors.ts';
export type { LimitsPreset } from '../limits.ts';
export type { GuestControl } from './control.ts';
export type { CoreExports, CoreImports, MeterLimits, Usage } from './meter.ts';
export type { Profile, ProfileEntry } from './profile.ts';
export { type MeterDescriptor, type MeterOptions, REWRITER_VERSION } from './rewrite.ts';
export type { SourcePlace } from './trace.ts';

/** A core module with its meter built in. Belongs to one {@link REWRITER_VERSION}: what is kept of it has to be kept under that. */
export interface MeteredModule {
  /** In a buffer of their own: may be compiled, stored or transferred. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /**
   * What {@link Meter.instantiate} has to know of them: plain data with some bytes in it, as `structuredClone` and databases take it. After a way through JSON,
   * which has no bytes, errors do not say any more where a guest stopped, and profiles give no names; all else is the same.
   */
  readonly descriptor: MeterDescriptor;
  /** Whether it declares or imports a memory that threads share, or waits for other threads. */
  readonly threads: boolean;
  /** Whether its code can keep an exception as a value: modules that are linked with it have to be metered with `countExceptions`, or theirs go uncounted. */
  readonly keepsExceptions: boolean;
}

/**
 * Builds a meter into a core module: a pure function, the same bytes in give the same bytes out in every engine. Any bytes are safe to pass; they are copied.
 * @throws GloveportError INVALID_MODULE for what is no valid core module, UNSUPPORTED_FEATURE for a feature that is not metered, MODULE_TOO_LARGE over one of
 * the static budgets, each with the offset in `details` where there is one; INVALID_OPTION when `bytes` are no bytes, or `options` not what they should be.
 */
export function meter(bytes: Uint8Array | ArrayBuffer, options: MeterOptions = {}): MeteredModule {
  const original = copyOf(bytes);
  checkFields('options', options, ['name', 'profile', 'countExceptions']);
  for (const option of ['profile', 'countExceptions'] as const) {
    const value: unknown = options[option];
    if (value === undefined || typeof value === 'boolean') continue;
    throw new GloveportError('INVALID_OPTION', `${option} has to be a boolean, not ${describeValue(value)}`, { option });
  }
  // First, as it is cheap and holds the budgets that the engine needs. What is not valid might become so by what was appended, and reach it.
  const metered = rewrite(original, options);
  if (!WebAssembly.validate(original)) throw new GloveportError('INVALID_MODULE', `the module is not valid: ${whyInvalid(original)}`);
  const { descriptor, threads, keepsExceptions } = metered;
  return { bytes: new Uint8Array(metered.bytes), descriptor, threads, keepsExceptions };
}

/** A preset's name, or some of the fields; missing and `undefined` fields are the default preset's. */
export type MeterLimitsInput = LimitsPreset | { readonly [Field in keyof MeterLimits]?: number | undefined };

/** The presets, frozen. */
export const limits: Readonly<Record<LimitsPreset, MeterLimits>> = Object.freeze({
  default: relevant(everyLimit.default),
  restrictive: relevant(everyLimit.restrictive),
  permissive: relevant(everyLimit.permissive),
});
const FIELDS = Object.keys(limits.default);

/**
 * The meter of one guest, which is one instance of a rewritten module, or several that belong together: it grants fuel, watches limits and says what was
 * used. What stops the guest once stops it for good. Calls block the thread that they are made on, until they return or a limit ends them.
 */
export class Meter {
  /** What holds for this guest, missing fields filled in. */
  readonly limits: MeterLimits;
  readonly #meter: GuestMeter;
  /** The guest's own functions by the metered ones that stand for them; its memories, tables, globals and tags, which stand for themselves. */
  readonly #own = new WeakMap<WeakKey, unknown>();

  /**
   * @param limits `fuel` and `timeMs` are those of each call, all others the guest's, for all instances together. Default: the default preset.
   * @throws GloveportError INVALID_OPTION for an unknown field or preset, NaN, an infinite, fractional, zero or negative number.
   */
  constructor(limits?: MeterLimitsInput) {
    if (typeof limits === 'object') checkFields('limits', limits, FIELDS);
    const resolved = resolveLimits(limits);
    this.limits = relevant(resolved);
    this.#meter = new GuestMeter(resolved);
  }

  /** For host functions: what they may do to the guest that called them, such as charging fuel for their work. */
  get control(): GuestControl {
    return this.#meter.control;
  }

  /** What the guest has used so far, of a running call too. */
  get usage(): Usage {
    return this.#meter.usage;
  }

  /**
   * Where the fuel went, function by function: its entries add up to `usage.fuel`, and are the same on every machine. Of a running call too, and after a stop.
   * @throws GloveportError INVALID_STATE unless all modules of the guest were metered with `{ profile: true }`.
   */
  profile(): Profile {
    return this.#meter.profile();
  }

  /** What stopped the guest for good, if anything did. */
  get stopped(): GloveportError | undefined {
    return this.#meter.stopped;
  }

  /**
   * Instantiates a module that {@link meter} has rewritten, and runs its start function; both together are one call under the limits.
   * @param module compiled from the rewritten bytes, without the option `builtins`: the engine's own are not metered. Imports of `wasm:js-string` are provided
   * here, metered; string constants are not.
   * @param imports by module and name, looked up by own enumerable property: functions, memories, tables, globals and tags, the host's or another instance's
   * of the same guest. The host's memories and tables count like the guest's own, shared memories are taken as they are. Default: none.
   * @returns the module's exports, as a frozen object without prototype. Each function is a metered call with the whole of fuel and time, and throws a
   * GloveportError with the code of what stopped it: FUEL_EXHAUSTED, DEADLINE_EXCEEDED, MEMORY_EXCEEDED, STACK_EXCEEDED, GUEST_TRAPPED, GUEST_POISONED
   * when something had before, INVALID_STATE from within a host function. Where the guest stopped is in `details.source`, a {@link SourcePlace}, in engines
   * whose stack traces say it (V8's). A function called `then` is left out: it would take over every promise that the object comes through. The type
   * parameter is believed, not checked.
   * @throws GloveportError LINK_FAILED for an import that is missing or of the wrong kind, MEMORY_EXCEEDED when memories, tables or objects start over the
   * limit, UNSUPPORTED_FEATURE when it imports strings that the engine does not offer, and what an exported function throws; INVALID_OPTION when `imports` is no
   * object of objects.
   */
  instantiate<Exports extends object = CoreExports>(module: EngineModule, descriptor: MeterDescriptor, imports: CoreImports = {}): Exports {
    const linked = this.#link(imports);
    return this.#wrap(this.#meter.run(() => this.#meter.instantiate(module, descriptor, linked))) as Exports;
  }

  /** Stops the guest for good: its running call, and every later one, fails. `reason` becomes the error's cause. Does nothing when it has stopped already. */
  abort(reason?: unknown): void {
    const text = reason === undefined ? '' : `: ${messageOf(reason)}`;
    this.#meter.abort(new GloveportError('ABORTED', `the guest was aborted${text}`, {}, { cause: reason }));
  }

  // Names are the guest's choice, so objects are without prototype here.
  #wrap(own: CoreExports): CoreExports {
    const exports: Record<string, unknown> = Object.create(null);
    const known = new Map<unknown, unknown>();
    for (const [name, value] of Object.entries(own)) {
      if (name === 'then' && typeof value === 'function') continue;
      const given = known.get(value) ?? (typeof value === 'function' ? (...args: unknown[]) => this.#meter.run(() => value(...args)) : value);
      known.set(value, given);
      this.#own.set(given as WeakKey, value);
      exports[name] = given;
    }
    return Object.freeze(exports);
  }

  // Between instances of one guest, functions are called as they are: the call that is running is metered.
  #link(imports: CoreImports): CoreImports {
    const linked: Record<string, Record<string, unknown>> = Object.create(null);
    for (const [from, provided] of entriesOf('imports', imports)) {
      const members: Record<string, unknown> = Object.create(null);
      for (const [name, value] of entriesOf(`imports.${from}`, provided)) members[name] = this.#own.get(value as WeakKey) ?? value;
      linked[from] = members;
    }
    return linked;
  }
}

function relevant(from: MeterLimits): MeterLimits {
  const { fuel, timeMs, memoryBytes, tableElements, gcBytes, callDepth, stackBytes } = from;
  return Object.freeze({ fuel, timeMs, memoryBytes, tableElements, gcBytes, callDepth, stackBytes });
}

// A page may not compile a large module without waiting, or none at all: the engine's reason is then out of reach.
function whyInvalid(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
  } catch (error) {
    if (isInstance(error, WebAssembly.CompileError)) return messageOf(error).replace(/^WebAssembly\.Module\(\): /, '');
  }
  return 'the engine does not say why here';
}

function entriesOf(what: string, value: unknown): [name: string, value: unknown][] {
  if (typeof value === 'object' && value !== null) return Object.entries(value);
  throw new GloveportError('INVALID_OPTION', `${what} has to be an object, not ${describeValue(value)}`, { option: what });
}

function copyOf(bytes: Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (bytes instanceof Uint8Array && !isDetached(bytes.buffer)) return new Uint8Array(bytes);
  if (bytes instanceof ArrayBuffer && !isDetached(bytes)) return new Uint8Array(bytes.slice(0));
  throw new GloveportError('INVALID_OPTION', `a module is given as bytes that were not transferred elsewhere, not ${describeValue(bytes)}`, {
    option: 'bytes',
  });
}

function isDetached(buffer: ArrayBufferLike): boolean {
  return buffer instanceof ArrayBuffer && buffer.detached;
}
