// The two ways of running a script's modules: as they are, and rewritten under one Meter with limits that no script reaches.
import type { Limits } from '../../src/limits.ts';
import { type CoreImports, Meter } from '../../src/metering/meter.ts';
import { type MeterDescriptor, meter } from '../../src/metering/rewrite.ts';

/** A module that was compiled; what else an engine has to know of it is its own. */
export interface Definition {
  readonly module: WebAssembly.Module;
  readonly descriptor?: MeterDescriptor;
}

export type Exports = Readonly<Record<string, unknown>>;

export interface Engine {
  readonly name: 'plain' | 'metered';
  /** @throws whatever refuses the module. */
  compile(bytes: Uint8Array): Definition;
  /** Instantiates and runs the start function. @throws whatever the link or the start function fails with. */
  instantiate(definition: Definition, imports: CoreImports): Exports;
  /** Runs `work`, which calls guests. What it throws passes as it is, with the guests usable afterwards. */
  run<Result>(work: () => Result): Result;
}

export function plainEngine(): Engine {
  return {
    name: 'plain',
    compile: (bytes) => ({ module: new WebAssembly.Module(bytes as BufferSource) }),
    instantiate: ({ module }, imports) => new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports,
    run: (work) => work(),
  };
}

/** All of a script's modules are one guest, so that what they import from each other is the guest's own. */
export function meteredEngine(): Engine {
  const guest = new Meter(LIMITS);
  return {
    name: 'metered',
    compile(bytes) {
      const valid = WebAssembly.validate(bytes as BufferSource);
      // Invalid bytes too: whatever the rewriter makes of them, it does not crash.
      const { bytes: rewritten, descriptor } = meter(bytes);
      if (!valid) throw new WebAssembly.CompileError('the original is not valid');
      return { module: new WebAssembly.Module(rewritten as BufferSource), descriptor };
    },
    instantiate: ({ module, descriptor }, imports) => guest.instantiate(module, descriptor as MeterDescriptor, imports),
    // A trap ends a guest for good, but a script goes on behind it: what is thrown is kept from the Meter. What the Meter itself stops stays stopped.
    run<Result>(work: () => Result): Result {
      const outcome = guest.run(() => {
        try {
          return { result: work() };
        } catch (error) {
          return { error };
        }
      });
      if ('error' in outcome) throw outcome.error;
      return outcome.result;
    },
  };
}

// The stack ends where the engine's own does: a limit of ours would stop the guest for good, and the script with it. The depth is more than that by some
// traps and overflows, whose frames stay counted, but less than what our scripts do in a row: a frame that stays counted there is found.
const LIMITS: Limits = {
  memoryBytes: 2 ** 50,
  timeMs: 600_000,
  stackBytes: 2 ** 31,
  callDepth: 150_000,
  fuel: 2 ** 50,
  tableElements: 2 ** 40,
  gcBytes: 2 ** 40,
  handles: 1,
  outputBytes: 1,
  hostBytes: 1,
  moduleBytes: 2 ** 30,
};
