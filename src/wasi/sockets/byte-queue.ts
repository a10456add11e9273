// Bytes on their way to a guest, in one piece of memory: however small the parts are that they come in, they take no more room than they are long.

export class ByteQueue {
  readonly #capacity: number;
  #bytes = NOTHING;
  #start = 0;
  #end = 0;

  /** @param capacity how many bytes its user is going to keep in it; taken up at once, when the first arrive. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes a copy of `bytes`. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(this.length + bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Gives out at most `limit` bytes. */
  take(limit: number): Uint8Array {
    const taken = this.#bytes.slice(this.#start, Math.min(this.#start + limit, this.#end));
    this.#start += taken.length;
    return taken;
  }

  clear(): void {
    this.#bytes = NOTHING;
    this.#start = 0;
    this.#end = 0;
  }

  // Moves what is there to the front.
  #makeRoom(needed: number): void {
    const target = needed > this.#bytes.length ? new Uint8Array(Math.max(needed, this.#capacity)) : this.#bytes;
    target.set(this.#bytes.subarray(this.#start, this.#end));
    this.#end = this.length;
    this.#start = 0;
    this.#bytes = target;
  }
}

const NOTHING = new Uint8Array();
