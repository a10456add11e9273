// Small modules that declare more than they hold: a count, a length, a size of anything that has one, in front of little or nothing; and small modules that
// really are a lot of work.
import { Writer } from '../../src/wasm/writer.ts';
import { overlong } from './mutate.ts';
import type { Random } from './random.ts';

type Section = readonly [id: number, contents: readonly number[]];

const SECTIONS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const COUNTS = [1_000, 65_536, 1_000_001, 0x7fff_ffff, 0xffff_ffff];
const TYPE: Section = [1, [1, 0x60, 0, 0]];

/** A module that is not what it says. */
export function lie(random: Random): Uint8Array<ArrayBuffer> {
  const count = random.once(3) ? random.next() : random.of(COUNTS);
  const declared = [...overlong(count, 1)];
  const filler = Array.from({ length: random.below(200) }, () => random.of([0, 1, 0x0b, 0x60, 0x7f, 0x80, random.below(256)]));
  switch (random.below(8)) {
    case 0:
      return module([random.of(SECTIONS), [...declared, ...filler]]);
    case 1:
      return module(TYPE, [random.of(SECTIONS), [1, ...declared, ...filler]]);
    case 2:
      // A type with as many parameters, fields or members.
      return module([1, [1, random.of([0x60, 0x5f, 0x4e, 0x50, 0x5e]), ...declared, ...filler]]);
    case 3:
      return body(
        random.of([
          [1, ...declared, 0x7f],
          [...declared, ...filler],
          [2, ...declared, 0x7f, ...declared, 0x7b],
        ]),
        [0x0b],
      );
    case 4:
      return body([0], [...random.of([[0x41, 0, 0x0e], [0x1c], [0x1f, 0x40], [0xfb, 8, 0], [0x10]]), ...declared, ...filler, 0x0b]);
    case 5:
      // A name or a segment of that length.
      return module(TYPE, [random.of([0, 2, 7, 11]), [1, ...declared, ...filler]]);
    case 6:
      return repeated(random, random.once(20) ? 50_000 + random.below(50_000) : 1 + random.below(3_000));
    default:
      return raw(random, declared, filler);
  }
}

// One function whose code is one short piece, many times over.
function repeated(random: Random, times: number): Uint8Array<ArrayBuffer> {
  const opening = random.of([
    [0x02, 0x40],
    [0x03, 0x40],
    [0x41, 0, 0x04, 0x40],
    [0x06, 0x40],
    [0x1f, 0x40, 0],
    [0x1f, 0x40, 1, 2, 0],
    [0x41, 0, 0x0e, 1, 0, 0],
  ]);
  const flat = random.of([
    [0x03, 0x40, 0x0b],
    [0x10, 0],
    [0x41, 0, 0x0d, 0],
    [0x00],
    [0x0f],
    [0x01],
    [0x41, 0, 0x1a],
    [0xd2, 0, 0x1a],
    [0x41, 0, 0x04, 0x40, 0x05, 0x0b],
  ]);
  const code = random.once(2)
    ? [...Array.from({ length: times }, () => opening).flat(), ...Array.from({ length: times }, () => 0x0b)]
    : Array.from({ length: times }, () => flat).flat();
  return body(random.once(2) ? [0] : [1, ...overlong(random.below(50_000), 1), 0x7f], [...code, 0x0b]);
}

// A section whose length is the lie.
function raw(random: Random, length: readonly number[], contents: readonly number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, random.of([0, ...SECTIONS]), ...length, ...contents]);
}

function body(locals: readonly number[], code: readonly number[]): Uint8Array<ArrayBuffer> {
  const size = overlong(locals.length + code.length, 1);
  return module(TYPE, [3, [1, 0]], [10, [1, ...size, ...locals, ...code]]);
}

function module(...sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  for (const [id, contents] of sections) {
    writer.u8(id);
    writer.u32(contents.length);
    writer.append(contents);
  }
  return new Uint8Array(writer.view());
}
