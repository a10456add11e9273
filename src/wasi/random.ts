// Random numbers (wasi:random 0.2). With a seed, every kind is one sequence of the guest's own, the same on every machine. Without RANDOM the secure kind
// fails, and the insecure kind is a fixed sequence: SplitMix64 from seed 0, its numbers as little-endian bytes; `insecure-seed` is then (0, 0).
import { type Cipheriv, createCipheriv, createHash, randomFillSync } from 'node:crypto';
import { Cap } from '../capabilities.ts';
import { limitExceeded } from '../errors.ts';
import type { WasiContext } from './context.ts';

/** Bytes of one wasi:random call; the interface has no error for more, so that more stops the guest. */
export const MAX_RANDOM_BYTES = 1024 * 1024;
const SLICE_BYTES = 65_536;
// Making one byte takes as long as moving this many.
const MADE_AS_MOVED = 8;
const ZEROES = new Uint8Array(SLICE_BYTES);

export class Random {
  readonly #context: WasiContext;
  readonly #source: (slice: Uint8Array) => void;
  #state = 0n;
  #seed: readonly [bigint, bigint] | undefined;

  /** @param seed makes the numbers the key stream of AES-256 in counter mode: key SHA-256 of the seed in UTF-8, counter from 0. Default: the system's source. */
  constructor(context: WasiContext, seed?: string) {
    this.#context = context;
    this.#source = seed === undefined ? (slice) => void randomFillSync(slice) : keyStream(seed);
  }

  /** Fills `target` with secure numbers, in slices that are paid for before they are made. False when RANDOM is not granted. */
  fillSecure(target: Uint8Array): boolean {
    const granted = this.#use('secure', target.length);
    if (granted) this.#fill(target);
    return granted;
  }

  /** `length` random bytes for wasi:random/random. Stops the guest when RANDOM is not granted or `length` is over {@link MAX_RANDOM_BYTES}. */
  secureBytes(length: bigint): Uint8Array {
    const bytes = this.#allocate(length);
    if (!this.fillSecure(bytes)) this.#context.deny('wasi:random/random', 'RANDOM');
    return bytes;
  }

  /** `length` bytes that may be predictable; bounded like {@link secureBytes}. */
  insecureBytes(length: bigint): Uint8Array {
    const bytes = this.#allocate(length);
    if (this.#use('insecure', bytes.length)) this.#fill(bytes);
    else this.#fillPredictably(bytes);
    return bytes;
  }

  /** The same at each call: WASI means it as a value that a program has from its start. */
  insecureSeed(): [bigint, bigint] {
    if (!this.#use('insecure', 16)) return [0n, 0n];
    if (this.#seed === undefined) {
      const bytes = new Uint8Array(16);
      this.#fill(bytes);
      this.#seed = [wordOf(bytes), wordOf(bytes.subarray(8))];
    }
    return [...this.#seed];
  }

  #use(kind: 'secure' | 'insecure', bytes: number): boolean {
    const { observed } = this.#context;
    if (observed) this.#context.report(Cap.RANDOM, 'random.bytes', this.#context.allows(Cap.RANDOM), { kind, bytes });
    return this.#context.allows(Cap.RANDOM);
  }

  #allocate(length: bigint): Uint8Array<ArrayBuffer> {
    if (!(length >= 0n && length <= MAX_RANDOM_BYTES)) {
      const message = `the guest asked for ${length} random bytes at once; one call gives at most ${MAX_RANDOM_BYTES}`;
      this.#context.control.stop(limitExceeded('MEMORY_EXCEEDED', message, 'random bytes of one call', MAX_RANDOM_BYTES));
    }
    return new Uint8Array(Number(length));
  }

  #fill(target: Uint8Array): void {
    for (let start = 0; start < target.length; start += SLICE_BYTES) {
      const slice = target.subarray(start, start + SLICE_BYTES);
      this.#context.chargeCalls(1);
      this.#context.chargeBytes(slice.length * MADE_AS_MOVED);
      this.#source(slice);
    }
  }

  #fillPredictably(target: Uint8Array): void {
    this.#context.chargeCalls(1);
    this.#context.chargeBytes(target.length * MADE_AS_MOVED);
    const bytes = new Uint8Array(Math.ceil(target.length / 8) * 8);
    const words = new DataView(bytes.buffer);
    // Engines compute with 64 bits as long as nothing outside of the loop sees a number.
    let state = this.#state;
    for (let at = 0; at < bytes.length; at += 8) {
      state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
      let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
      mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
      words.setBigUint64(at, mixed ^ (mixed >> 31n), true);
    }
    this.#state = state;
    target.set(bytes.subarray(0, target.length));
  }
}

/** The first eight bytes as one little-endian number. */
export function wordOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
}

function keyStream(seed: string): (slice: Uint8Array) => void {
  let cipher: Cipheriv | undefined;
  return (slice) => {
    cipher ??= createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), new Uint8Array(16));
    slice.set(cipher.update(ZEROES.subarray(0, slice.length)));
  };
}
