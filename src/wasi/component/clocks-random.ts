// wasi:clocks and wasi:random 0.2.
import type { Clocks } from '../clocks.ts';
import { MONOTONIC_RESOLUTION_NS, WALL_RESOLUTION_NS } from '../clocks.ts';
import type { WasiContext } from '../context.ts';
import { type Random, wordOf } from '../random.ts';
import type { Waitable } from '../waiting.ts';
import { Pollable } from './io.ts';
import { interfaceOf } from './resource.ts';

const NS_PER_SECOND = 1_000_000_000n;

/** `datetime` of wasi:clocks/wall-clock. */
export interface Datetime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export function datetimeOf(nanoseconds: bigint): Datetime {
  return { seconds: nanoseconds / NS_PER_SECOND, nanoseconds: Number(nanoseconds % NS_PER_SECOND) };
}

export function nanosecondsOf(datetime: Datetime): bigint {
  return datetime.seconds * NS_PER_SECOND + BigInt(datetime.nanoseconds);
}

/** The interfaces of wasi:clocks. */
export function clockInterfaces(context: WasiContext, clocks: Clocks) {
  const pollable = (waitable: Waitable) => new Pollable(context, waitable);
  return {
    'wasi:clocks/monotonic-clock': interfaceOf({
      now: () => clocks.monotonic(),
      resolution: () => MONOTONIC_RESOLUTION_NS,
      subscribeInstant: (when: bigint) => pollable(clocks.at(when)),
      subscribeDuration: (when: bigint) => pollable(clocks.after(when)),
    }),
    'wasi:clocks/wall-clock': interfaceOf({
      now: () => datetimeOf(clocks.wall()),
      resolution: () => datetimeOf(WALL_RESOLUTION_NS),
    }),
    'wasi:clocks/timezone': interfaceOf({
      display: (when: Datetime) => clocks.zoneAt(when.seconds),
      utcOffset: (when: Datetime) => clocks.zoneAt(when.seconds).utcOffset,
    }),
  };
}

/** The interfaces of wasi:random. */
export function randomInterfaces(random: Random) {
  return {
    'wasi:random/random': interfaceOf({
      getRandomBytes: (length: bigint) => random.secureBytes(length),
      getRandomU64: () => wordOf(random.secureBytes(8n)),
    }),
    'wasi:random/insecure': interfaceOf({
      getInsecureRandomBytes: (length: bigint) => random.insecureBytes(length),
      getInsecureRandomU64: () => wordOf(random.insecureBytes(8n)),
    }),
    'wasi:random/insecure-seed': interfaceOf({ insecureSeed: () => random.insecureSeed() }),
  };
}
