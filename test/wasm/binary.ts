// Core modules put together byte by byte, and taken apart into operators: what the tests of the reader and the writer share.
import { expect } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { immediateAt, operatorName, readBlockType, readCastBranch, readIndex, readLocals, readOperator, skipImmediate } from '../../src/wasm/code.ts';
import type { CoreModule } from '../../src/wasm/module.ts';
import { Immediate } from '../../src/wasm/operators.ts';
import { Reader } from '../../src/wasm/reader.ts';

export const HEADER: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

export function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(Math.floor(value / 128))];
}

export function section(id: number, ...contents: number[]): number[] {
  return longSection(id, contents);
}

/** A section whose contents are too many to be arguments. */
export function longSection(id: number, contents: number[]): number[] {
  return [id, ...leb(contents.length)].concat(contents);
}

export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...leb(bytes.length), ...bytes];
}

export function moduleOf(...sections: readonly (readonly number[])[]): Uint8Array {
  return new Uint8Array([...HEADER, ...sections.flat()]);
}

/** A type section with the types that `types` are the bytes of. */
export function typeSection(...types: readonly number[][]): number[] {
  return longSection(1, leb(types.length).concat(types.flat()));
}

/** One function of type 0, `[] → []`, with `code` and no locals, in a module that has `sections` between the functions and the code. */
export function withCode(code: readonly number[], ...sections: readonly number[][]): Uint8Array {
  const body = [0, ...code, 0x0b];
  return moduleOf(typeSection([0x60, 0, 0]), section(3, 1, 0), ...sections, section(10, 1, ...leb(body.length), ...body));
}

export interface Listed {
  readonly name: string;
  readonly bytes: readonly number[];
}

/** Every operator of every body with its bytes; fails where a body does not end with an operator. */
export function operatorsOf(module: CoreModule): Listed[] {
  const list: Listed[] = [];
  for (let body = 0; body < module.bodies.length; body += 2) {
    const reader = new Reader(module.bytes, module.bodies[body] as number, module.bodies[body + 1]);
    readLocals(reader, module.types);
    while (!reader.done) {
      const at = reader.pos;
      const slot = readOperator(reader);
      readImmediate(reader, immediateAt[slot] as number, module);
      list.push({ name: operatorName(slot), bytes: [...module.bytes.subarray(at, reader.pos)] });
    }
  }
  return list;
}

function readImmediate(reader: Reader, immediate: number, module: CoreModule): void {
  switch (immediate) {
    case Immediate.LOCAL:
    case Immediate.LABEL:
      reader.u32();
      return;
    case Immediate.LABEL_TABLE:
      for (let labels = reader.count('labels') + 1; labels > 0; labels--) reader.u32();
      return;
    case Immediate.CAST_BRANCH:
      readCastBranch(reader, module.types);
      return;
    case Immediate.BLOCK_TYPE:
      readBlockType(reader, module.types);
      return;
    case Immediate.BLOCK_TYPE_AND_CATCHES:
      readBlockType(reader, module.types);
      for (let catches = reader.count('catches'); catches > 0; catches--) {
        if (reader.u8() < 2) readIndex(reader, 'tag', module.tags.length);
        reader.u32();
      }
      return;
    default:
      skipImmediate(reader, immediate, module);
  }
}

/** The typed error that `work` throws; fails when it throws nothing or anything else. */
export function failureOf(work: () => unknown): GloveportError {
  try {
    work();
  } catch (error) {
    if (error instanceof GloveportError) return error;
    throw error;
  }
  return expect.unreachable('nothing was thrown');
}
