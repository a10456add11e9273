// The guest's memory as preview 1 functions see it. Each access takes the memory's buffer as it is at that moment (it moves when the memory grows), reads a
// pointer as unsigned, and fails with EFAULT outside of the memory, or when there is none yet. What is reckoned from a pointer does not wrap at 4 GiB.
import type { WasiContext } from '../context.ts';
import { fail } from '../filesystem/errors.ts';
import { MAX_PATH_BYTES } from '../filesystem/paths.ts';
import { Errno, raise } from './errno.ts';

/** Buffers of one scattered read or write: POSIX's IOV_MAX. */
export const MAX_VECTORS = 1024;

/** Bytes of one scattered read or write; what is more is left to the next call. */
export const MAX_MOVED_BYTES = 16 * 1024 * 1024;

const VECTOR_BYTES = 8;
// Bytes that are moved without a look at the deadline, each such piece paid for before.
const PIECE_BYTES = 1024 * 1024;
/** Fuel for looking at one buffer. */
export const VECTOR_UNITS = 50;

export class GuestMemory {
  readonly #context: WasiContext;
  readonly #memory: () => WebAssembly.Memory | undefined;
  #view = new DataView(new ArrayBuffer(0));

  constructor(context: WasiContext, memory: () => WebAssembly.Memory | undefined) {
    this.#context = context;
    this.#memory = memory;
  }

  /** The bytes themselves, not a copy: to be used before anything can run that makes the memory grow. */
  bytes(pointer: number, length: number): Uint8Array {
    const count = length >>> 0;
    const view = this.#at(pointer, count);
    return new Uint8Array(view.buffer, unsigned(pointer), count);
  }

  u8(pointer: number): number {
    return this.#at(pointer, 1).getUint8(unsigned(pointer));
  }

  u16(pointer: number): number {
    return this.#at(pointer, 2).getUint16(unsigned(pointer), true);
  }

  u32(pointer: number): number {
    return this.#at(pointer, 4).getUint32(unsigned(pointer), true);
  }

  u64(pointer: number): bigint {
    return this.#at(pointer, 8).getBigUint64(unsigned(pointer), true);
  }

  setU32(pointer: number, value: number): void {
    this.#at(pointer, 4).setUint32(unsigned(pointer), value, true);
  }

  setU64(pointer: number, value: bigint): void {
    this.#at(pointer, 8).setBigUint64(unsigned(pointer), value, true);
  }

  /** Copies a record out that the host put together. */
  set(pointer: number, bytes: Uint8Array): void {
    this.bytes(pointer, bytes.length).set(bytes);
  }

  /** A path, or the content of a link: UTF-8 of at most {@link MAX_PATH_BYTES}. */
  path(pointer: number, length: number): string {
    const bytes = this.bytes(pointer, length);
    if (bytes.length > MAX_PATH_BYTES) fail('name-too-long');
    try {
      return UTF8.decode(bytes);
    } catch {
      return fail('illegal-byte-sequence');
    }
  }

  /**
   * Moves at most {@link MAX_MOVED_BYTES} through a list of buffers, in order and in pieces: `move` gets each piece, charges for it, and gives how many
   * bytes it moved. Ends at a piece that was not moved whole; an error after data was moved is left to the next call. Gives the sum.
   */
  vectors(list: number, count: number, move: (buffer: Uint8Array) => number): number {
    const length = count >>> 0;
    if (length > MAX_VECTORS) fail('invalid');
    this.#context.control.charge(length * VECTOR_UNITS);
    const start = unsigned(list);
    let total = 0;
    for (let index = 0; index < length; index += 1) {
      try {
        const buffer = this.bytes(this.u32(start + index * VECTOR_BYTES), this.u32(start + index * VECTOR_BYTES + 4));
        for (let from = 0; from < buffer.length; ) {
          const piece = buffer.subarray(from, from + Math.min(PIECE_BYTES, MAX_MOVED_BYTES - total));
          const moved = move(piece);
          total += moved;
          from += moved;
          if (moved < piece.length || total === MAX_MOVED_BYTES) return total;
        }
      } catch (error) {
        if (total === 0 || (typeof error !== 'string' && typeof error !== 'number')) throw error;
        return total;
      }
    }
    return total;
  }

  #at(pointer: number, size: number): DataView {
    const view = this.#current();
    if (unsigned(pointer) + size > view.byteLength) raise(Errno.FAULT);
    return view;
  }

  #current(): DataView {
    const buffer = this.#memory()?.buffer ?? raise(Errno.FAULT);
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }
}

/** A pointer as the engine hands it over, signed, or a sum that starts at one. */
export function unsigned(pointer: number): number {
  return pointer < 0 ? pointer + 2 ** 32 : pointer;
}

// A byte order mark is part of the name.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
