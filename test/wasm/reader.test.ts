// The numbers of the binary format: what the writer writes is read back, and nothing that is longer than it may be.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reader } from '../../src/wasm/reader.ts';
import { Writer } from '../../src/wasm/writer.ts';
import { failureOf } from './binary.ts';

const SEEDED = { numRuns: 2_000, seed: 20_261_120 };
const readerOf = (...bytes: number[]): Reader => new Reader(new Uint8Array(bytes));

function written(write: (out: Writer) => void): Reader {
  const out = new Writer();
  write(out);
  return new Reader(out.view());
}

describe('a number', () => {
  it('of 32 bits is read as it was written', () => {
    const edges = [0, 0x7f, 0x80, 0x3fff, 0x4000, 2 ** 21, 2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    const check = (value: number): void => {
      expect(written((out) => out.u32(value)).u32()).toBe(value);
    };
    edges.forEach(check);
    fc.assert(fc.property(fc.nat({ max: 0xffff_ffff }), check), SEEDED);
  });

  it('of 32 bits with a sign is read as it was written, also as one of 33', () => {
    const edges = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, -8193, 2 ** 27, -(2 ** 27) - 1, 2 ** 31 - 1, -(2 ** 31)];
    const check = (value: number): void => {
      expect(written((out) => out.s32(value)).s32()).toBe(value);
      expect(written((out) => out.s32(value)).s33()).toBe(value);
    };
    edges.forEach(check);
    fc.assert(fc.property(fc.integer(), check), SEEDED);
  });

  it('of 64 bits is read as it was written, and stepped over', () => {
    const check = (value: bigint): void => {
      const reader = written((out) => out.s64(value));
      expect(reader.s64()).toBe(value);
      reader.pos = 0;
      reader.skipS64();
      expect(reader.done).toBe(true);
    };
    [0n, -1n, 63n, 64n, -64n, -65n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)].forEach(check);
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), check), SEEDED);
  });

  it('may be padded to as many bytes as its bits take', () => {
    expect(readerOf(0x83, 0x80, 0x80, 0x80, 0x00).u32()).toBe(3);
    expect(readerOf(0x83, 0x80, 0x80, 0x80, 0x00).s32()).toBe(3);
    expect(readerOf(0xfd, 0xff, 0xff, 0xff, 0x7f).s32()).toBe(-3);
    expect(readerOf(0xfd, 0xff, 0xff, 0xff, 0x7f).s33()).toBe(-3);
    expect(readerOf(0x80, 0x80, 0x80, 0x80, 0x0f).s33()).toBe(0xf000_0000);
    expect(readerOf(0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u64()).toBe(3n);
    expect(readerOf(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01).u64()).toBe(2n ** 64n - 1n);
  });

  const ones = (count: number): number[] => new Array(count).fill(0x80);
  const MALFORMED: readonly [kind: 'u32' | 's32' | 's33' | 'u64' | 's64', bytes: number[]][] = [
    ['u32', [...ones(5), 0x00]],
    ['u32', [...ones(4), 0x10]],
    ['s32', [...ones(5), 0x00]],
    ['s32', [...ones(4), 0x08]],
    ['s32', [...ones(4), 0x70]],
    ['s33', [...ones(5), 0x00]],
    ['s33', [...ones(4), 0x10]],
    ['s33', [...ones(4), 0x60]],
    ['u64', [...ones(10), 0x00]],
    ['u64', [...ones(9), 0x02]],
    ['s64', [...ones(10), 0x00]],
    ['s64', [...ones(9), 0x01]],
    ['s64', [...ones(9), 0x7e]],
  ];
  for (const [kind, bytes] of MALFORMED) {
    it(`of ${kind} is refused as ${bytes.map((byte) => byte.toString(16)).join(' ')}, and when it is cut`, () => {
      expect(failureOf(() => readerOf(...bytes)[kind]()).message).toMatch(/over-long/);
      expect(failureOf(() => readerOf(...bytes.slice(0, 3))[kind]()).message).toMatch(/unexpected end/);
      if (kind === 'u64') expect(failureOf(() => readerOf(...bytes).skipU64()).message).toMatch(/over-long/);
      if (kind === 's64') expect(failureOf(() => readerOf(...bytes).skipS64()).message).toMatch(/over-long/);
    });
  }

  it('that counts is no more than the bytes behind it', () => {
    expect(readerOf(2, 0, 0).count('things')).toBe(2);
    expect(failureOf(() => readerOf(3, 0, 0).count('things')).message).toMatch(/3 things are declared, but only 2 bytes are left/);
  });
});
