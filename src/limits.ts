// How much a guest may use: the presets, whose numbers are fixed, and the one function that resolves what a caller gave.
import { checkFields, describeValue, GloveportError } from './errors.ts';

/** Limits of one guest. Every field is a finite positive integer; there is no value for 'unlimited'. */
export interface Limits {
  /** Bytes of all linear memories of one guest together. Checked at load and at every `memory.grow`, which then returns -1. */
  readonly memoryBytes: number;
  /** Milliseconds of wall clock for one call, host calls and waiting included. Checked at every quantum of fuel and around host calls. */
  readonly timeMs: number;
  /** Bytes of guest stack, counted by parameters and locals of the functions that `callDepth` counts; V8's own, smaller or larger stack may end first. */
  readonly stackBytes: number;
  /** Nested calls of functions through which a guest can recurse, where they call on; between two of them code nests only as deep as it is written. */
  readonly callDepth: number;
  /** Fuel units of one call; about one per simple instruction. Load and start function count as one call. */
  readonly fuel: number;
  /** Elements of all tables of one guest together. Checked at load and at every `table.grow`, which then returns -1. */
  readonly tableElements: number;
  /** Bytes that one guest allocates on the engine's collected heap (objects, kept exceptions, strings) over its whole life, freed or not. */
  readonly gcBytes: number;
  /** WASI handles (descriptors, streams, pollables) that one guest holds at once, and of a component the handles of each type of resource. */
  readonly handles: number;
  /** Bytes that one guest writes to stdout and stderr together, over its whole life. */
  readonly outputBytes: number;
  /** Bytes that the host holds for one guest outside its memory: files of memory directories it wrote, buffers, and the values of one call. */
  readonly hostBytes: number;
  /** Bytes of the module or component itself. */
  readonly moduleBytes: number;
}

const MiB = 1024 * 1024;

const DEFAULT: Limits = {
  memoryBytes: 64 * MiB,
  timeMs: 5_000,
  stackBytes: MiB,
  callDepth: 1_000,
  fuel: 10e9,
  tableElements: 100_000,
  gcBytes: 256 * MiB,
  handles: 1_000,
  outputBytes: 16 * MiB,
  hostBytes: 64 * MiB,
  moduleBytes: 64 * MiB,
};

const RESTRICTIVE: Limits = {
  memoryBytes: 16 * MiB,
  timeMs: 1_000,
  stackBytes: 256 * 1024,
  callDepth: 500,
  fuel: 1e9,
  tableElements: 20_000,
  gcBytes: 32 * MiB,
  handles: 100,
  outputBytes: MiB,
  hostBytes: 16 * MiB,
  moduleBytes: 16 * MiB,
};

const PERMISSIVE: Limits = {
  memoryBytes: 256 * MiB,
  timeMs: 60_000,
  stackBytes: 4 * MiB,
  callDepth: 5_000,
  fuel: 1e12,
  tableElements: 1_000_000,
  gcBytes: 512 * MiB,
  handles: 10_000,
  outputBytes: 256 * MiB,
  hostBytes: 256 * MiB,
  moduleBytes: 256 * MiB,
};

/** The presets, frozen. Their numbers are part of the contract. */
export const limits = Object.freeze({
  default: Object.freeze(DEFAULT),
  restrictive: Object.freeze(RESTRICTIVE),
  permissive: Object.freeze(PERMISSIVE),
});

export type LimitsPreset = keyof typeof limits;
/** A preset's name, or some of the fields; missing and `undefined` fields are the default preset's (in `Sandbox.restrictive`, the restrictive one's). */
export type LimitsInput = LimitsPreset | { readonly [Field in keyof Limits]?: number | undefined };

// What the engine can do at all: 65 536 pages of 64 KiB, 10 million table elements, and counters that are 31 bits wide on the guest's side.
const CEILING: Partial<Record<keyof Limits, number>> = {
  memoryBytes: 2 ** 32,
  tableElements: 10_000_000,
  gcBytes: 2 ** 29,
  stackBytes: 2 ** 31 - 1,
  callDepth: 2 ** 31 - 1,
};

/**
 * The limits that hold for `input`. Absence never means 'unlimited': a missing or `undefined` field is that of the preset `base`.
 * @throws GloveportError INVALID_OPTION for an unknown field or preset, NaN, an infinite, fractional, zero or negative number.
 */
export function resolveLimits(input: LimitsInput | undefined, base: LimitsPreset = 'default'): Limits {
  if (input === undefined) return limits[base];
  if (typeof input === 'string') {
    if (!Object.hasOwn(limits, input)) {
      throw new GloveportError('INVALID_OPTION', `unknown limits preset ${describeValue(input)}; known are: ${Object.keys(limits).join(', ')}`, {
        option: 'limits',
      });
    }
    return limits[input];
  }
  checkFields('limits', input, Object.keys(DEFAULT));
  const resolved: Record<keyof Limits, number> = { ...limits[base] };
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined) continue;
    const ceiling = CEILING[field as keyof Limits] ?? Number.MAX_SAFE_INTEGER;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > ceiling) {
      throw new GloveportError('INVALID_OPTION', `limits.${field} is a whole number from 1 to ${ceiling}, not ${describeValue(value)}`, {
        option: `limits.${field}`,
        value: typeof value === 'number' ? value : undefined,
      });
    }
    resolved[field as keyof Limits] = value;
  }
  return Object.freeze(resolved);
}
