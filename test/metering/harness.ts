// Runs WAT under a meter, without the rooms above: what a guest does to the counter and the counter to a guest.
import type { GloveportError } from '../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { type CoreExports, type CoreImports, Meter } from '../../src/metering/meter.ts';
import { meter, type MeterOptions } from '../../src/metering/rewrite.ts';
import { gcWat, wat } from '../support/wat.ts';

type Imports = CoreImports | ((meter: Meter) => CoreImports);
type Callable = (...values: unknown[]) => unknown;

export interface MeteredGuest {
  readonly meter: Meter;
  /** As they are, to be called within a call. */
  readonly exports: CoreExports;
  /** One call, metered. */
  call(name: string, ...values: unknown[]): unknown;
  /** The error of a call that must fail. */
  failure(name: string, ...values: unknown[]): GloveportError;
  /** What one call burns. */
  fuel(name: string, ...values: unknown[]): number;
}

export async function load(source: string | Uint8Array, limits: LimitsInput = {}, imports: Imports = {}, options: MeterOptions = {}): Promise<MeteredGuest> {
  return start(typeof source === 'string' ? await wat(source) : source, limits, imports, options);
}

/** The same for text in today's syntax, see {@link gcWat}. */
export async function loadGc(text: string, limits: LimitsInput = {}, imports: Imports = {}): Promise<MeteredGuest> {
  return start(await gcWat(text), limits, imports, {});
}

function start(bytes: Uint8Array, limits: LimitsInput, imports: Imports, options: MeterOptions): MeteredGuest {
  if (!WebAssembly.validate(bytes as BufferSource)) throw new Error('the module is not valid');
  const metered = meter(bytes, options);
  const module = new WebAssembly.Module(metered.bytes as BufferSource);
  const guest = new Meter(resolveLimits(limits));
  const linked = typeof imports === 'function' ? imports(guest) : imports;
  const exports = guest.run(() => guest.instantiate(module, metered.descriptor, linked));
  const call = (name: string, ...values: unknown[]): unknown => guest.run(() => (exports[name] as Callable)(...values));
  return {
    meter: guest,
    exports,
    call,
    failure(name, ...values) {
      try {
        call(name, ...values);
      } catch (error) {
        return error as GloveportError;
      }
      throw new Error(`${name} did not fail`);
    },
    fuel(name, ...values) {
      const before = guest.usage.fuel;
      call(name, ...values);
      return guest.usage.fuel - before;
    },
  };
}
