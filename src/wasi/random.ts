// Random numbers (wasi:random 0.2). Without RANDOM the secure kind fails, and the insecure kind is a fixed sequence: SplitMix64 from seed 0, its numbers
// as little-endian bytes, the same for every guest; `insecure-seed` is then (0, 0).
import { randomFillSync } from 'node:crypto';
import { Cap } from '../capabilities.ts';
import { limitExceeded } from '../errors.ts';
import type { WasiContext } from './context.ts';

/** Bytes of one wasi:random call; the interface has no error for more, so that more stops the guest. */
export const MAX_RANDOM_BYTES = 1024 * 1024;
const SLICE_BYTES = 65_536;

export class Random {
  readonly #context: WasiContext;
  #state = 0n;

  constructor(context: WasiContext) {
    this.#context = context;
  }

  get granted(): boolean {
    return this.#context.allows(Cap.RANDOM);
  }

  /** Fills `target` from the system's source, in slices that are paid for before they are made. The caller has checked {@link granted}. */
  fill(target: Uint8Array): void {
    for (let start = 0; start < target.length; start += SLICE_BYTES) {
      const slice = target.subarray(start, start + SLICE_BYTES);
      this.#context.chargeCalls(1);
      this.#context.chargeBytes(slice.length);
      randomFillSync(slice);
    }
  }

  /** `length` random bytes for wasi:random/random. Stops the guest when RANDOM is not granted or `length` is over {@link MAX_RANDOM_BYTES}. */
  secureBytes(length: bigint): Uint8Array {
    if (!this.granted) this.#context.deny('wasi:random/random', 'RANDOM');
    const bytes = this.#allocate(length);
    this.fill(bytes);
    return bytes;
  }

  /** `length` bytes that may be predictable; bounded like {@link secureBytes}. */
  insecureBytes(length: bigint): Uint8Array {
    const bytes = this.#allocate(length);
    if (this.granted) {
      this.fill(bytes);
      return bytes;
    }
    this.#context.chargeBytes(bytes.length * 8);
    for (let start = 0; start < bytes.length; start += 8) {
      const number = this.#next();
      for (let index = start; index < Math.min(start + 8, bytes.length); index += 1) bytes[index] = Number((number >> BigInt(8 * (index - start))) & 0xffn);
    }
    return bytes;
  }

  insecureSeed(): [bigint, bigint] {
    return this.granted ? [wordOf(this.insecureBytes(8n)), wordOf(this.insecureBytes(8n))] : [0n, 0n];
  }

  #allocate(length: bigint): Uint8Array<ArrayBuffer> {
    if (!(length >= 0n && length <= MAX_RANDOM_BYTES)) {
      const message = `the guest asked for ${length} random bytes at once; one call gives at most ${MAX_RANDOM_BYTES}`;
      this.#context.control.stop(limitExceeded('MEMORY_EXCEEDED', message, 'random bytes of one call', MAX_RANDOM_BYTES));
    }
    return new Uint8Array(Number(length));
  }

  #next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let mixed = this.#state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  }
}

/** The first eight bytes as one little-endian number. */
export function wordOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}
