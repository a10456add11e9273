// A cursor over untrusted bytes, strict about the binary format: no over-long or overflowing LEB128, no name that is not UTF-8, no step beyond the end.
// What the bytes mean is for its users.
import { GloveportError } from '../errors.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the values of the binary format (WebAssembly core specification, section 5.2) from `bytes[start, end)`. Every method throws GloveportError
 * INVALID_MODULE with the offset when the bytes are malformed or run out.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  pos: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
  }

  get done(): boolean {
    return this.pos >= this.end;
  }

  get left(): number {
    return this.end - this.pos;
  }

  fail(message: string, offset: number = this.pos): never {
    throw new GloveportError('INVALID_MODULE', `${message} (at offset ${offset})`, { offset });
  }

  u8(): number {
    if (this.pos >= this.end) this.fail('unexpected end');
    return this.bytes[this.pos++] as number;
  }

  u32(): number {
    const byte = this.u8();
    return byte < 0x80 ? byte : this.#longU32(byte & 0x7f);
  }

  /** A count of items that take at least one byte each: more than the bytes that are left is malformed, so nothing is ever allocated for it. */
  count(what: string): number {
    const at = this.pos;
    const count = this.u32();
    if (count > this.left) this.fail(`${count} ${what} are declared, but only ${this.left} bytes are left`, at);
    return count;
  }

  u64(): bigint {
    return BigInt.asUintN(64, this.#wide(false));
  }

  s32(): number {
    const byte = this.u8();
    return byte < 0x80 ? (byte << 25) >> 25 : this.#longS32(byte & 0x7f);
  }

  s33(): number {
    let result = 0;
    let scale = 1;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      if (shift === 28) this.#checkLast(byte, 5);
      result += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? result - scale : result;
    }
  }

  s64(): bigint {
    return BigInt.asIntN(64, this.#wide(true));
  }

  /** Steps over a signed number of 64 bits. */
  skipS64(): void {
    if (this.u8() >= 0x80) this.#skipLong(true);
  }

  /** Steps over an unsigned number of 64 bits. */
  skipU64(): void {
    if (this.u8() >= 0x80) this.#skipLong(false);
  }

  name(): string {
    const at = this.pos;
    const length = this.u32();
    if (length > this.left) this.fail(`a name of ${length} bytes runs over the end`, at);
    const bytes = this.take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      return this.fail('a name is not UTF-8', at);
    }
  }

  /** A view (not a copy) of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.left) this.fail(`${length} bytes are needed, but only ${this.left} are left`);
    this.pos += length;
    return this.bytes.subarray(this.pos - length, this.pos);
  }

  skip(length: number): void {
    if (length > this.left) this.fail(`${length} bytes are needed, but only ${this.left} are left`);
    this.pos += length;
  }

  // The rest of numbers whose first byte was read. Nearly all have one or two bytes: the loops stay out of the methods above, so that those are inlined.
  #longU32(result: number): number {
    for (let shift = 7; ; shift += 7) {
      const byte = this.u8();
      if (shift === 28 && byte > 0x0f) this.fail('an unsigned LEB128 number is over-long or over 32 bits', this.pos - 1);
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return result >>> 0;
    }
  }

  #longS32(result: number): number {
    for (let shift = 7; ; shift += 7) {
      const byte = this.u8();
      if (shift === 28) this.#checkLast(byte, 4);
      result |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift === 28 ? result : (result << (25 - shift)) >> (25 - shift);
    }
  }

  #skipLong(signed: boolean): void {
    for (let length = 2; ; length++) {
      const byte = this.u8();
      if (length === 10) {
        if (signed) this.#checkLast(byte, 1);
        else if (byte > 1) this.fail('an unsigned LEB128 number is over-long or over 64 bits', this.pos - 1);
      }
      if (byte < 0x80) return;
    }
  }

  #wide(signed: boolean): bigint {
    let result = 0n;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      if (shift === 63) {
        if (signed) this.#checkLast(byte, 1);
        else if (byte > 1) this.fail('an unsigned LEB128 number is over-long or over 64 bits', this.pos - 1);
      }
      result |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return signed && byte & 0x40 ? result - (1n << BigInt(shift + 7)) : result;
    }
  }

  // The last byte of a signed number holds `significant` bits; the others, up to the continuation bit, must repeat the sign.
  #checkLast(byte: number, significant: number): void {
    const sign = -1 << (significant - 1);
    const rest = byte & sign & 0x7f;
    if (byte >= 0x80 || (rest !== 0 && rest !== (sign & 0x7f))) this.fail('a signed LEB128 number is over-long or out of range', this.pos - 1);
  }
}
