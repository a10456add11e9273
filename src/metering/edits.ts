// The edits of all bodies of a module, in the order of their offsets: what scanning decided to put where, and what writing splices in. Parallel arrays,
// since a large module has millions of them.

/** What an edit puts into the code, before or instead of the bytes that it cuts. */
export const Edit = Object.freeze({
  /** Nothing: a place that turned out not to need anything; of a charge that another one took in, `link` is that. */
  NONE: 0,
  /** Deducts `value` units; `cut` counts those of other regions among them. */
  CHARGE: 1,
  /** Deducts `value` units and asks the host for more when none are left. */
  CHECK: 2,
  /** The head of a loop: a check each time round; `link` is the edit before the loop's operator. */
  LOOP: 3,
  /** Before an innermost loop, whose operator takes `value` bytes: a loop around it that asks the host, so that the inner one need not call anything. */
  SPLIT: 4,
  /** Behind the end of a loop; `link` as above. */
  LOOP_END: 5,
  /** Instead of a label, `value`, that leads out of the loop of `link`: one deeper when that loop was split. */
  LABEL: 6,
  /** A call, which is cut, of function `value`, or of one that is not known (-1); `link` is the edit that charges for it, if it can be reached. */
  CALL: 7,
  /** Where control comes from a handler. */
  HANDLER: 8,
  /** Instead of `return`: a branch to the wrapping block, `value` labels out. */
  RETURN: 9,
  /** Before a tail call of function `value`, or of one that is not known. */
  TAIL_CALL: 10,
  /** The end of the body. */
  FINISH: 11,
  /** Calls the helper `value`, which takes the length on top of the stack, charges for it and gives it back. */
  BULK: 12,
  /** Instead of `memory.grow` or `table.grow`: the helper that grows number `value`. */
  GROW_MEMORY: 13,
  GROW_TABLE: 14,
  /** Before an exception is thrown. */
  THROW: 15,
  /** Where a function that enters late counts its frame, and takes it off again. */
  ENTER: 16,
  LEAVE: 17,
  /** Before an operator that allocates an object of `value` bytes. */
  ALLOCATE: 18,
  /** Before an operator that allocates an array with elements of 2^`value` bytes, whose length is on top of the stack. */
  NEW_ARRAY: 19,
  /** Instead of a wait, which it copies: the time it may take is on top of the stack. */
  WAIT: 20,
});

export const NO_EDIT = -1;

export class Edits {
  at = new Int32Array(1024);
  /** Bytes that are replaced. */
  cut = new Uint8Array(1024);
  kind = new Uint8Array(1024);
  value = new Int32Array(1024);
  link = new Int32Array(1024);
  length = 0;

  /** Appends an edit and returns its number. */
  add(kind: number, at: number, cut: number, value: number, link: number): number {
    if (this.length === this.at.length) this.#grow();
    const index = this.length++;
    this.at[index] = at;
    this.cut[index] = cut;
    this.kind[index] = kind;
    this.value[index] = value;
    this.link[index] = link;
    return index;
  }

  /** The edit that charges for the call at `edit`; none where no way leads to it. */
  regionOf(edit: number): number {
    const region = this.link[edit] as number;
    return region !== NO_EDIT && this.kind[region] === Edit.NONE ? (this.link[region] as number) : region;
  }

  #grow(): void {
    const capacity = this.length * 2;
    this.at = grown(this.at, new Int32Array(capacity));
    this.cut = grown(this.cut, new Uint8Array(capacity));
    this.kind = grown(this.kind, new Uint8Array(capacity));
    this.value = grown(this.value, new Int32Array(capacity));
    this.link = grown(this.link, new Int32Array(capacity));
  }
}

function grown<Numbers extends Int32Array | Uint8Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
