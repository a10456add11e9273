// The way back from a rewritten module to the original: where each copied span of code came from, and what functions were called. Written with the bodies,
// read when a guest has stopped. It may have been stored in between: whatever bytes it has, looking something up ends, and gives what they say or nothing.
import { functionName } from '../wasm/function-names.ts';
import { Reader } from '../wasm/reader.ts';
import { Writer } from '../wasm/writer.ts';

/** What has to be kept of the original to say where a guest stopped; plain data. */
export interface Trace {
  /** What the engine calls the rewritten module in stack traces. */
  readonly engineName: string;
  /** What the caller of `meter` calls it. */
  readonly module?: string;
  readonly importedFunctions: number;
  /** Where the first body stands in the rewritten module. */
  readonly code: number;
  /** What a {@link TraceWriter} has written. */
  readonly spans: Uint8Array;
  /** The function names of the original's name section, as they stand there. */
  readonly names: Uint8Array;
}

/** A place in a module as its author knows it. */
export interface SourcePlace {
  /** The index of a function; imports count. */
  readonly function: number;
  /** Its name in the module's name section, not escaped. */
  readonly name?: string;
  /** Bytes from the start of the module. */
  readonly offset: number;
  /** The name that was given to the module. */
  readonly module?: string;
}

/** Writes the spans that were copied, body by body, as differences. */
export class TraceWriter {
  readonly #out: Writer;
  readonly #spans = new Writer(1 << 12);
  #body = 0;
  /** What was inserted and skipped before the span at hand, and how long that is. */
  #inserted = 0;
  #skipped = 0;
  #length = 0;
  /** Where the span at hand ends. */
  #original = 0;
  #rewritten = 0;
  /** Whether what was inserted before the span at hand belongs to the span before, and what is inserted next to the span at hand. */
  #before = false;
  #next = false;

  constructor(capacity: number) {
    this.#out = new Writer(capacity);
  }

  /** Begins a body, which stands at `original` in the original module. */
  begin(original: number): void {
    this.#spans.clear();
    this.#body = original;
    this.#original = original;
    this.#rewritten = 0;
    this.#inserted = 0;
    this.#skipped = 0;
    this.#length = 0;
    this.#before = false;
    this.#next = false;
  }

  /** `[from, to)` of the original is copied to `rewritten` in the new body. */
  span(from: number, to: number, rewritten: number): void {
    // An empty one says something only where it ends what stands in for bytes that were skipped.
    if (from === to && from === this.#original) return;
    const inserted = rewritten - this.#rewritten;
    const skipped = from - this.#original;
    // A span that goes on where the last one ended is one with it.
    if (inserted > 0 || skipped > 0) {
      if (this.#length > 0 || this.#skipped > 0) this.#flush();
      this.#inserted = inserted;
      this.#skipped = skipped;
      this.#length = 0;
      this.#before = this.#next;
      this.#next = false;
    }
    this.#length += to - from;
    this.#original = to;
    this.#rewritten = rewritten + to - from;
  }

  /** What is inserted next counts as the operator that the last span holds, not as the one to come. */
  stay(): void {
    this.#next = true;
  }

  /** Ends a body, which stands at `rewritten` behind the start of the first one in the new module. */
  end(rewritten: number): void {
    this.#flush();
    this.#out.u32(rewritten);
    this.#out.u32(this.#body);
    this.#out.u32(this.#spans.length);
    this.#out.append(this.#spans.view());
  }

  /** What was written; a view. */
  view(): Uint8Array {
    return this.#out.view();
  }

  #flush(): void {
    this.#spans.u32(this.#inserted * Tag.INSERTED + (this.#before ? Tag.BEFORE : 0) + (this.#skipped > 0 ? Tag.SKIPPED : 0));
    if (this.#skipped > 0) this.#spans.u32(this.#skipped);
    this.#spans.u32(this.#length);
  }
}

/** What a span begins with: flags, and the bytes inserted before it in multiples of the last. */
const Tag = Object.freeze({ SKIPPED: 1, BEFORE: 2, INSERTED: 4 });

/**
 * The offset in the original module of what stands at `offset` in the rewritten one, in the function `index` (imports count); undefined where the trace does
 * not know it. Code that metering inserted counts as the operator that it stands before, or that it replaces.
 */
export function originalOffset(trace: Trace, index: number, offset: number): number | undefined {
  if (!isBytes(trace.spans)) return undefined;
  try {
    return find(new Reader(trace.spans), index - trace.importedFunctions, offset - trace.code);
  } catch {
    return undefined;
  }
}

/** A place in the rewritten module as one in the original; undefined in a function that the original does not have, or where the trace does not know it. */
export function sourcePlace(trace: Trace, index: number, offset: number): SourcePlace | undefined {
  const original = originalOffset(trace, index, offset);
  if (original === undefined) return undefined;
  const name = isBytes(trace.names) ? functionName(trace.names, index) : undefined;
  return { function: index, ...(name !== undefined && { name }), offset: original, ...(trace.module !== undefined && { module: trace.module }) };
}

// What was stored as JSON in between is no array of bytes any more.
function isBytes(value: unknown): boolean {
  return value instanceof Uint8Array;
}

function find(reader: Reader, index: number, offset: number): number | undefined {
  if (!(index >= 0)) return undefined;
  for (let skipped = 0; skipped < index; skipped++) {
    reader.u32();
    reader.u32();
    reader.skip(reader.u32());
  }
  const within = offset - reader.u32();
  if (!(within >= 0)) return undefined;
  let original = reader.u32();
  const length = reader.u32();
  const spans = new Reader(reader.take(length));
  let rewritten = 0;
  let last = original;
  while (!spans.done) {
    const tag = spans.u32();
    rewritten += Math.floor(tag / Tag.INSERTED);
    if (within < rewritten) return (tag & Tag.BEFORE) === 0 ? original : last;
    if ((tag & Tag.SKIPPED) !== 0) original += spans.u32();
    last = original;
    const copied = spans.u32();
    if (within < rewritten + copied) return original + within - rewritten;
    rewritten += copied;
    original += copied;
  }
  return undefined;
}
