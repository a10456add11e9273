// Runs WAT under a meter, without the rooms above: what a guest does to the counter and the counter to a guest.
import type { GloveportError } from '../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { type CoreImports, Meter } from '../../src/metering/meter.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { wat } from '../support/wat.ts';

type Callable = (...values: unknown[]) => unknown;

export interface MeteredGuest {
  readonly meter: Meter;
  /** One call, metered. */
  call(name: string, ...values: unknown[]): unknown;
  /** The error of a call that must fail. */
  failure(name: string, ...values: unknown[]): GloveportError;
  /** What one call burns. */
  fuel(name: string, ...values: unknown[]): number;
}

export async function load(text: string, limits: LimitsInput = {}, imports: CoreImports | ((meter: Meter) => CoreImports) = {}): Promise<MeteredGuest> {
  const bytes = await wat(text);
  if (!WebAssembly.validate(bytes as BufferSource)) throw new Error('the text is not valid');
  const metered = meter(bytes);
  const module = new WebAssembly.Module(metered.bytes as BufferSource);
  const guest = new Meter(resolveLimits(limits));
  const linked = typeof imports === 'function' ? imports(guest) : imports;
  const exports = guest.run(() => guest.instantiate(module, metered.descriptor, linked));
  const call = (name: string, ...values: unknown[]): unknown => guest.run(() => (exports[name] as Callable)(...values));
  return {
    meter: guest,
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
