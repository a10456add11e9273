// Changes modules at random, on two levels: sections and function bodies, whose lengths are put right again so that the change is not found at once; and
// bytes, whatever they are. The result may be valid, and often is not.
import { Writer } from '../../src/wasm/writer.ts';
import type { Random } from './random.ts';

interface Section {
  readonly id: number;
  readonly contents: Uint8Array;
}

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const CODE = 10;
/** More than a budget, less than nothing, and the edges of 7, 14, 28, 31 and 32 bits. */
const NUMBERS = [0, 1, 2, 127, 128, 16_383, 16_384, 50_000, 1_000_000, 0x0fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
// Bytes that mean something: types, limits, opcodes with and without immediates, prefixes.
const MEANINGFUL = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x18, 0x19, 0x1a, 0x1f, 0x20, 0x40];
const TYPES = [0x60, 0x5f, 0x5e, 0x50, 0x4f, 0x4e, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x78, 0x77, 0x70, 0x6f, 0x6e, 0x69, 0x64, 0x63];
const PREFIXES = [0xfb, 0xfc, 0xfd, 0xfe];

/** One to a few changes of `bytes`, which may take pieces of `others`. */
export function mutate(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array<ArrayBuffer> {
  let result = bytes;
  for (let changes = random.once(3) ? 2 + random.below(3) : 1; changes > 0; changes--) {
    const sections = random.once(4) ? undefined : sectionsOf(result);
    result = sections === undefined ? changeBytes(result, others, random) : changeSections(sections, others, random);
  }
  return new Uint8Array(result);
}

/** The sections of a module, undefined when they are not well formed. */
export function sectionsOf(bytes: Uint8Array): Section[] | undefined {
  const sections: Section[] = [];
  let at = HEADER.length;
  while (at < bytes.length) {
    const id = bytes[at] as number;
    const [size, start] = leb(bytes, at + 1);
    if (start + size > bytes.length) return undefined;
    sections.push({ id, contents: bytes.subarray(start, start + size) });
    at = start + size;
  }
  return sections;
}

function changeSections(sections: Section[], others: readonly Uint8Array[], random: Random): Uint8Array {
  const changed = [...sections];
  const at = random.below(changed.length);
  const section = changed[at];
  if (section === undefined) return write(changed);
  const { id, contents } = section;
  switch (random.below(9)) {
    case 0:
      changed.splice(at, 1);
      break;
    case 1:
      changed.splice(random.below(changed.length + 1), 0, section);
      break;
    case 2: {
      // The same section of another module.
      const foreign = sectionsOf(random.of(others))?.find((other) => other.id === id);
      if (foreign !== undefined) changed[at] = foreign;
      break;
    }
    case 3: {
      // A declared count that is not the real one.
      const [, start] = leb(contents, 0);
      changed[at] = { id, contents: joined(number(random), contents.subarray(start)) };
      break;
    }
    case 4:
      changed[at] = { id, contents: changeBytes(contents, others, random) };
      break;
    default: {
      const code = changed.findIndex((one) => one.id === CODE);
      if (code >= 0) changed[code] = { id: CODE, contents: changeBodies((changed[code] as Section).contents, others, random) };
    }
  }
  return write(changed);
}

function changeBodies(contents: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  const [count, start] = leb(contents, 0);
  const bodies: Uint8Array[] = [];
  let at = start;
  while (at < contents.length && bodies.length < count) {
    const [size, body] = leb(contents, at);
    if (body + size > contents.length) return changeBytes(contents, others, random);
    bodies.push(contents.subarray(body, body + size));
    at = body + size;
  }
  const index = random.below(bodies.length);
  const body = bodies[index];
  if (body === undefined) return changeBytes(contents, others, random);
  bodies[index] = random.once(8) ? random.of(bodies) : random.below(3) > 0 ? changeOperators(body, random) : changeBytes(body, others, random);
  const writer = new Writer();
  writer.u32(bodies.length);
  for (const one of bodies) {
    writer.u32(one.length);
    writer.append(one);
  }
  return writer.view();
}

// One of a row of opcodes with the same types for another, a number for another, a label for another: often what was valid stays so.
const ROWS: readonly (readonly [first: number, last: number])[] = [
  [0x46, 0x4f],
  [0x51, 0x5a],
  [0x6a, 0x78],
  [0x7c, 0x8a],
  [0x92, 0x98],
  [0xa0, 0xa6],
];
const WITH_NUMBER = [0x0c, 0x0d, 0x20, 0x21, 0x22, 0x23, 0x24, 0x41, 0x42];

function changeOperators(body: Uint8Array, random: Random): Uint8Array {
  const changed = body.slice();
  for (let tries = 0; tries < 40; tries++) {
    const at = random.below(changed.length);
    const byte = changed[at] as number;
    const row = ROWS.find(([first, last]) => byte >= first && byte <= last);
    if (row !== undefined) {
      changed[at] = row[0] + random.below(row[1] - row[0] + 1);
      return changed;
    }
    if (WITH_NUMBER.includes(byte) && at + 1 < changed.length && (changed[at + 1] as number) < 0x40) {
      changed[at + 1] = random.below(4);
      return changed;
    }
  }
  return changed;
}

function changeBytes(bytes: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + 1 + random.below(random.once(4) ? 64 : 4));
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(until);
  switch (random.below(9)) {
    case 0: {
      const flipped = bytes.slice();
      if (at < flipped.length) flipped[at] = (flipped[at] as number) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return joined(before, after);
    case 2:
      return joined(
        before,
        Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256)),
        bytes.subarray(at),
      );
    case 3:
      return joined(before, Uint8Array.of(random.of([MEANINGFUL, TYPES, PREFIXES][random.below(3)] as number[])), after);
    case 4:
      return joined(before, number(random), after);
    case 5: {
      // A piece of itself once more, up to many times.
      const piece = bytes.subarray(at, until);
      return joined(before, ...Array.from({ length: random.once(8) ? 200 : 1 + random.below(4) }, () => piece), bytes.subarray(at));
    }
    case 6: {
      const other = random.of(others);
      const from = random.below(other.length);
      return joined(before, other.subarray(from, from + random.below(64)), after);
    }
    case 7:
      return before.slice();
    default: {
      const [value, end] = leb(bytes, at);
      return joined(before, overlong(value, 1 + random.below(6)), bytes.subarray(end));
    }
  }
}

function write(sections: readonly Section[]): Uint8Array {
  const writer = new Writer();
  writer.append(HEADER);
  for (const { id, contents } of sections) {
    writer.u8(id);
    writer.u32(contents.length);
    writer.append(contents);
  }
  return writer.view();
}

function number(random: Random): Uint8Array {
  return overlong(random.once(4) ? random.next() : random.of(NUMBERS), random.once(6) ? 5 : 1);
}

/** A LEB128 number in at least so many bytes. */
export function overlong(value: number, least: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length < least; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push((bytes.pop() as number) & 0x7f);
  return Uint8Array.from(bytes);
}

// Lenient: what runs over the end ends there.
function leb(bytes: Uint8Array, start: number): [value: number, end: number] {
  let value = 0;
  let at = start;
  for (let scale = 1; at < bytes.length; scale *= 128) {
    const byte = bytes[at++] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80 || scale > 2 ** 32) break;
  }
  return [value, at];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
