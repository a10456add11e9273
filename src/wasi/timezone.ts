// What wasi:clocks/timezone (0.2, unstable) says of the zone that the host chose, from the engine's own tables.

/** `timezone-display` of wasi:clocks/timezone. */
export interface TimezoneDisplay {
  /** Seconds east of UTC. */
  readonly utcOffset: number;
  readonly name: string;
  readonly inDaylightSavingTime: boolean;
}

export const UTC: TimezoneDisplay = Object.freeze({ utcOffset: 0, name: 'UTC', inDaylightSavingTime: false });

/** Whether `zone` names a zone that the engine knows. An offset such as `+01:00`, which some engines take as well, is no name. */
export function isTimezone(zone: unknown): zone is string {
  try {
    return typeof zone === 'string' && !/^[+-]/.test(zone) && new Timezone(zone) !== undefined;
  } catch {
    return false;
  }
}

// The last millisecond that a Date can hold, in a September.
const LAST_MS = 8.64e15;

export class Timezone {
  readonly #offset: Intl.DateTimeFormat;
  readonly #name: Intl.DateTimeFormat;

  /** @param zone a name of the IANA database, such as `Europe/Berlin`. Throws a RangeError for one that the engine does not know. */
  constructor(zone: string) {
    this.#offset = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    this.#name = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'short' });
  }

  /** What holds `seconds` after 1970. */
  at(seconds: bigint): TimezoneDisplay {
    const date = new Date(Math.min(Number(seconds) * 1000, LAST_MS));
    const utcOffset = this.#offsetAt(date);
    // Where clocks are changed they are ahead in summer, which is January or July.
    const standard = Math.min(...[0, 6].map((month) => this.#offsetAt(new Date(Date.UTC(date.getUTCFullYear(), month)))));
    return { utcOffset, name: zoneName(this.#name, date), inDaylightSavingTime: utcOffset > standard };
  }

  #offsetAt(date: Date): number {
    const [, sign = '+', hours = 0, minutes = 0, seconds = 0] = OFFSET.exec(zoneName(this.#offset, date)) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  }
}

/** `GMT`, `GMT+02:00`, and before there were zones also `GMT+00:53:28`. */
const OFFSET = /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

function zoneName(format: Intl.DateTimeFormat, date: Date): string {
  return format.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? UTC.name;
}
