// What the benchmarks ask of a module's bytes: how large its parts are, and the module without its custom sections.
import { SectionId } from '../../src/wasm/module.ts';
import { Reader } from '../../src/wasm/reader.ts';

const HEADER_BYTES = 8;

interface Part {
  readonly id: number;
  /** With its id and size. */
  readonly start: number;
  readonly end: number;
}

export interface Sizes {
  /** Bytes without custom sections. */
  readonly module: number;
  readonly code: number;
}

export function sizesOf(bytes: Uint8Array): Sizes {
  const parts = partsOf(bytes);
  const code = parts.find(({ id }) => id === SectionId.CODE);
  return { module: parts.reduce((sum, { start, end }) => sum + end - start, HEADER_BYTES), code: code === undefined ? 0 : code.end - code.start };
}

export function withoutCustomSections(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const kept = [bytes.subarray(0, HEADER_BYTES), ...partsOf(bytes).map(({ start, end }) => bytes.subarray(start, end))];
  return new Uint8Array(Buffer.concat(kept));
}

function partsOf(bytes: Uint8Array): Part[] {
  const reader = new Reader(bytes, HEADER_BYTES);
  const parts: Part[] = [];
  while (!reader.done) {
    const start = reader.pos;
    const id = reader.u8();
    reader.skip(reader.u32());
    if (id !== SectionId.CUSTOM) parts.push({ id, start, end: reader.pos });
  }
  return parts;
}
