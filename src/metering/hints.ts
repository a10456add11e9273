// Writes the branch hints of a rewritten module (branch hinting proposal, section 'metadata.code.branch_hint'): the module's own, moved along with their
// branches, and for each inserted branch that it is hardly ever taken, so that the engine keeps what it leads to out of the way.
import { Writer } from '../wasm/writer.ts';

/** The hints of one body, in the order of their offsets. */
export class BodyHints {
  readonly offsets: number[] = [];
  readonly taken: number[] = [];

  clear(): void {
    this.offsets.length = 0;
    this.taken.length = 0;
  }

  add(offset: number, taken: boolean): void {
    this.offsets.push(offset);
    this.taken.push(taken ? 1 : 0);
  }
}

export class HintWriter {
  readonly #out = new Writer(1 << 12);
  #count = 0;

  /** Functions that have hints. */
  get count(): number {
    return this.#count;
  }

  /** Adds the hints of the function `index`, which is behind those that were added before. */
  add(index: number, { offsets, taken }: BodyHints): void {
    if (offsets.length === 0) return;
    this.#count++;
    this.#out.u32(index);
    this.#out.u32(offsets.length);
    for (let hint = 0; hint < offsets.length; hint++) {
      this.#out.u32(offsets[hint] as number);
      this.#out.u8(1);
      this.#out.u8(taken[hint] as number);
    }
  }

  contents(): Uint8Array {
    const head = new Writer(this.#out.length + 8);
    head.u32(this.#count);
    head.append(this.#out.view());
    return head.view();
  }
}
