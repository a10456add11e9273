// A growing buffer that writes what `Reader` reads, always in the shortest encoding.

const UTF8 = new TextEncoder();

/** Writes the values of the binary format (WebAssembly core specification, section 5.2). */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.max(16, capacity));
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, as a view; the next write may replace the buffer behind it. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the buffer. */
  clear(): void {
    this.#length = 0;
  }

  u8(byte: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  u32(value: number): void {
    while (value > 0x7f) {
      this.u8((value & 0x7f) | 0x80);
      value >>>= 7;
    }
    this.u8(value);
  }

  /** A signed 32-bit number; also right for the 33-bit block types as long as they fit 32 bits. */
  s32(value: number): void {
    for (;;) {
      const byte = value & 0x7f;
      value >>= 7;
      if ((value === 0 && (byte & 0x40) === 0) || (value === -1 && (byte & 0x40) !== 0)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  s64(value: bigint): void {
    for (;;) {
      const byte = Number(value & 0x7fn);
      value >>= 7n;
      if ((value === 0n && (byte & 0x40) === 0) || (value === -1n && (byte & 0x40) !== 0)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  name(text: string): void {
    const bytes = UTF8.encode(text);
    this.u32(bytes.length);
    this.append(bytes);
  }

  append(bytes: ArrayLike<number>): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** `source[from, to)`: without a view in between, since the rewriter copies millions of short spans. */
  span(source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.#length + length > this.#bytes.length) this.#reserve(length);
    if (length > 32) {
      this.#bytes.set(source.subarray(from, to), this.#length);
    } else {
      for (let at = from, out = this.#length; at < to; ) this.#bytes[out++] = source[at++] as number;
    }
    this.#length += length;
  }

  /** The bytes that `write` writes, behind their length: the form of sections, bodies and names. */
  sized(write: (writer: Writer) => void): void {
    const inner = new Writer();
    write(inner);
    this.u32(inner.length);
    this.append(inner.view());
  }

  #reserve(extra: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + extra));
    grown.set(this.view());
    this.#bytes = grown;
  }
}
