// Clocks (wasi:clocks 0.2), and waiting for what they show: the system's, the host's own functions, or time that is made up and passes only when somebody
// waits or looks. Without TIME both clocks stand at 0 and no wait for a time waits. Times of files are no clock of this file: a guest that may write a file
// can read the time off it.
import { types } from 'node:util';
import { isPromise } from '../component/thrown.ts';
import { Cap } from '../capabilities.ts';
import { describeValue, GloveportError } from '../errors.ts';
import type { WasiContext } from './context.ts';
import { Timezone, type TimezoneDisplay, UTC } from './timezone.ts';
import type { Waitable } from './waiting.ts';

/** A time: a Date, milliseconds since 1970 as a number, or nanoseconds since 1970 as a bigint; for the monotonic clock, since whenever its host likes. */
export type Time = Date | number | bigint;

/** Which clocks a guest has; those that are left out are the system's. */
export interface ClockPolicy {
  /** The wall clock; a time that is no function starts made-up time, for both clocks. */
  readonly now?: Time | (() => Time) | undefined;
  readonly monotonic?: (() => Time) | undefined;
  /** By how much each reading moves made-up time on: milliseconds as a number, nanoseconds as a bigint. Default 0. */
  readonly step?: number | bigint | undefined;
  /** The zone of wasi:clocks/timezone, which {@link Timezone} knows. Default UTC. */
  readonly timezone?: string | undefined;
}

/** Nanoseconds between two readings of the system's monotonic clock: coarse, so that a guest cannot time the host's caches with it. */
export const MONOTONIC_RESOLUTION_NS = 10_000n;
/** Nanoseconds between two readings of the system's wall clock. */
export const WALL_RESOLUTION_NS = 1_000_000n;

/** Milliseconds after which a guest that waits for a time looks again at a clock of the host's, which moves as it likes. */
const LOOK_AGAIN_MS = 10;
/** Calls of a file system that looking up a zone takes as long as. */
const TIMEZONE_CALLS = 16;
const NS_PER_MS = 1_000_000n;
const LAST_NS = 2n ** 64n - 1n;

type ClockName = 'wall' | 'monotonic';

export class Clocks {
  readonly #context: WasiContext;
  readonly #clocks: Readonly<Record<ClockName, Clock>>;
  readonly #timezone: Timezone | undefined;

  /** @param policy checked already: see {@link nanosecondsOf}. */
  constructor(context: WasiContext, policy: ClockPolicy = {}) {
    this.#context = context;
    this.#clocks = clocksOf(context, policy);
    this.#timezone = policy.timezone === undefined ? undefined : new Timezone(policy.timezone);
  }

  /** What the monotonic clock shows, in nanoseconds; the system's since this guest's host was made. */
  monotonic(): bigint {
    return this.#read('monotonic');
  }

  /** Nanoseconds since 1970. */
  wall(): bigint {
    return this.#read('wall');
  }

  /** What the monotonic clock shows to a wait that begins, which does not count as asking for the time. */
  start(): bigint {
    return this.#granted() ? this.#clocks.monotonic.look() : 0n;
  }

  /**
   * Ready when the monotonic clock shows `instant` nanoseconds.
   * @param repeated whether a guest that was suspended makes its call again, which is no new use.
   */
  at(instant: bigint, repeated = false): Waitable {
    return this.#until('monotonic', instant, repeated);
  }

  /** Ready `duration` nanoseconds from now. */
  after(duration: bigint): Waitable {
    return this.at(this.start() + duration);
  }

  /** Ready when the wall clock shows `instant` nanoseconds since 1970. */
  atWall(instant: bigint, repeated = false): Waitable {
    return this.#until('wall', instant, repeated);
  }

  /** The zone at `seconds` since 1970. */
  zoneAt(seconds: bigint): TimezoneDisplay {
    if (!this.#use('clocks.timezone', {}) || this.#timezone === undefined) return UTC;
    this.#context.chargeCalls(TIMEZONE_CALLS);
    return this.#timezone.at(seconds);
  }

  #read(name: ClockName): bigint {
    return this.#use('clocks.now', { clock: name }) ? this.#clocks[name].read() : 0n;
  }

  #until(name: ClockName, wanted: bigint, repeated: boolean): Waitable {
    if (!repeated) this.#use('clocks.subscribe', { clock: name });
    const clock = this.#clocks[name];
    // What no clock can show would never come.
    const instant = wanted < LAST_NS ? wanted : LAST_NS;
    const remainingMs = (): number => (this.#granted() ? millisecondsUntil(instant, clock) : 0);
    const { pass } = clock;
    return pass === undefined ? { remainingMs } : { remainingMs, pass: () => pass(instant) };
  }

  #use(operation: string, detail: Readonly<Record<string, unknown>>): boolean {
    if (this.#context.observed) this.#context.report(Cap.TIME, operation, this.#granted(), detail);
    return this.#granted();
  }

  #granted(): boolean {
    return this.#context.allows(Cap.TIME);
  }
}

/** Nanoseconds of what a host gave for a time: whole, and what a clock of WASI can show; undefined for anything else. */
export function nanosecondsOf(time: unknown): bigint | undefined {
  const given = types.isDate(time) ? Date.prototype.getTime.call(time) : time;
  if (typeof given === 'number' && !Number.isFinite(given)) return undefined;
  const nanoseconds = typeof given === 'number' ? BigInt(Math.floor(given)) * NS_PER_MS + BigInt(Math.floor((given % 1) * Number(NS_PER_MS))) : given;
  return typeof nanoseconds === 'bigint' && nanoseconds >= 0n && nanoseconds <= LAST_NS ? nanoseconds : undefined;
}

interface Clock {
  /** What the guest is shown when it asks for the time. */
  read(): bigint;
  /** What it shows to a wait. */
  look(): bigint;
  /** For how many milliseconds at most a look holds good. */
  readonly lookAgainMs: number;
  /** Has it show `instant`; of made-up time only. */
  readonly pass?: (instant: bigint) => void;
}

function clocksOf(context: WasiContext, { now, monotonic, step }: ClockPolicy): Record<ClockName, Clock> {
  if (now !== undefined && typeof now !== 'function') return madeUpClocks(nanosecondsOf(now) ?? 0n, nanosecondsOf(step) ?? 0n);
  return {
    wall: now === undefined ? systemClock(() => BigInt(Date.now()) * NS_PER_MS) : hostClock(context, 'now', now),
    monotonic: monotonic === undefined ? systemClock(systemMonotonic()) : hostClock(context, 'monotonic', monotonic),
  };
}

function systemClock(read: () => bigint): Clock {
  return { read, look: read, lookAgainMs: Infinity };
}

function systemMonotonic(): () => bigint {
  const start = performance.now();
  return () => (BigInt(Math.floor((performance.now() - start) * 1e6)) / MONOTONIC_RESOLUTION_NS) * MONOTONIC_RESOLUTION_NS;
}

// A wait ends at once and time has passed, so that a program that sleeps ends as soon as it can, and with the same numbers everywhere.
function madeUpClocks(start: bigint, step: bigint): Record<ClockName, Clock> {
  let passed = 0n;
  const clock = (from: bigint): Clock => {
    const look = (): bigint => (from + passed < LAST_NS ? from + passed : LAST_NS);
    const read = (): bigint => {
      const shown = look();
      passed += step;
      return shown;
    };
    const pass = (instant: bigint): void => {
      if (instant - from > passed) passed = instant - from;
    };
    return { read, look, lookAgainMs: Infinity, pass };
  };
  return { wall: clock(start), monotonic: clock(0n) };
}

// The function is the host's code: what it throws, and what is no time, ends the guest.
function hostClock({ control }: WasiContext, name: 'now' | 'monotonic', ask: () => Time): Clock {
  const failed = (why: string, options?: { cause: unknown }): never =>
    control.stop(new GloveportError('HOST_FUNCTION_FAILED', `the function of the option clock.${name} ${why}`, { option: `clock.${name}` }, options));
  let latest = 0n;
  const read = (): bigint => {
    let time: unknown;
    try {
      time = ask();
    } catch (cause) {
      return failed('threw', { cause });
    }
    const nanoseconds = nanosecondsOf(time);
    if (nanoseconds === undefined) return failed(isPromise(time) ? 'gave a Promise: the guest does not wait' : `gave ${describeValue(time)}, which is no time`);
    // A monotonic clock never goes back, whatever its host's does.
    if (name === 'now' || nanoseconds > latest) latest = nanoseconds;
    return latest;
  };
  // A wait that is looked at on the event loop has no guest below it to unwind: it is over, and the guest is stopped when it is to go on.
  const look = (): bigint => {
    try {
      return read();
    } catch (error) {
      if (!control.isStop(error)) throw error;
      return LAST_NS;
    }
  };
  return { read, look, lookAgainMs: LOOK_AGAIN_MS };
}

function millisecondsUntil(instant: bigint, clock: Clock): number {
  const now = clock.look();
  return instant <= now ? 0 : Math.min(Number(instant - now) / Number(NS_PER_MS), clock.lookAgainMs);
}
