// What a program of the benchmark is: something that prepares itself in a thread of its own and then does the same work again and again.

/** Programs in which only a part is of interest say so themselves; for all others it is all of {@link Driver.run}. */
export interface Clock {
  start(): void;
  stop(): void;
}

export interface Driver {
  /** Makes a fresh guest for the next round, not measured. Without it all rounds are done by the same guest. */
  setup?(): void | Promise<void>;
  /** One round. What it returns is compared between the variants: text, bytes or what JSON can hold. */
  run(clock: Clock): unknown;
}

export interface Program {
  readonly name: string;
  /** Called in a thread whose `WebAssembly` is that of the variant. */
  prepare(): Driver | Promise<Driver>;
}
