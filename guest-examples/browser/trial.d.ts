/** What became of the guests, as the page shows it. */
export interface Trial {
  readonly count: number;
  readonly largest: number;
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly hostCalls: number;
  readonly stopped: string;
  readonly stoppedFuel: number;
  readonly again: string;
}

export function trial(primes: Uint8Array | ArrayBuffer, spin: Uint8Array | ArrayBuffer): Promise<Trial>;
