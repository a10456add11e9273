// The scanner of code: it takes as many bytes for each operator as the engine does, and every index that it meets exists.
import { parse } from '@bytecodealliance/jco';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { readLocals } from '../../src/wasm/code.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { Reader } from '../../src/wasm/reader.ts';
import { failureOf, leb, moduleOf, operatorsOf, section, typeSection, withCode } from './binary.ts';
import { FEATURES } from './features.ts';

const MEMORY = section(5, 1, 0, 1);
const END = 0x0b;
const valid = (bytes: Uint8Array): boolean => WebAssembly.validate(bytes as BufferSource);

describe('the immediates of an operator', () => {
  // Code that the engine accepts, as [name, bytes] of each operator.
  const ACCEPTED: Record<string, readonly (readonly [name: string, ...bytes: number[]])[]> = {
    'an opcode behind a prefix, over more bytes': [
      ['i32.const', 0x41, 0],
      ['i32.const', 0x41, 0],
      ['i32.const', 0x41, 0],
      ['memory.fill', 0xfc, 0x8b, 0x80, 0x80, 0x80, 0x00, 0x00],
    ],
    'an alignment over two bytes and an offset over five': [
      ['i32.const', 0x41, 0],
      ['i32.load', 0x28, 0x82, 0x00, 0x80, 0x80, 0x80, 0x80, 0x00],
      ['drop', 0x1a],
    ],
    'an offset as long as one of 64 bits': [
      ['i32.const', 0x41, 0],
      ['i32.load', 0x28, 0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
      ['drop', 0x1a],
    ],
    'a memory beside the alignment': [
      ['i32.const', 0x41, 0],
      ['i32.load', 0x28, 0x42, 0x80, 0x00, 0x7f],
      ['drop', 0x1a],
    ],
    'the longest constants': [
      ['i64.const', 0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      ['drop', 0x1a],
      ['i32.const', 0x41, 0x80, 0x80, 0x80, 0x80, 0x78],
      ['drop', 0x1a],
    ],
    'a block whose type is an index over five bytes': [
      ['block', 0x02, 0x80, 0x80, 0x80, 0x80, 0x00],
      ['end', END],
    ],
    'blocks whose types are references over several bytes': [
      ['block', 0x02, 0x63, 0x80, 0x00],
      ['ref.null', 0xd0, 0x80, 0x80, 0x00],
      ['end', END],
      ['drop', 0x1a],
      ['block', 0x02, 0x63, 0x6e],
      ['ref.null', 0xd0, 0x71],
      ['end', END],
      ['drop', 0x1a],
    ],
    'a choice of references': [
      ['ref.null', 0xd0, 0x00],
      ['ref.null', 0xd0, 0x73],
      ['i32.const', 0x41, 0],
      ['select_t', 0x1c, 0x01, 0x63, 0x00],
      ['drop', 0x1a],
    ],
    'a fence': [['atomic.fence', 0xfe, 0x03, 0x00]],
    'a cast with its flags and types': [
      ['block', 0x02, 0x6e],
      ['ref.null', 0xd0, 0x6e],
      ['br_on_cast', 0xfb, 0x18, 0x03, 0x00, 0x6e, 0x6c],
      ['br_on_cast_fail', 0xfb, 0x19, 0x03, 0x80, 0x00, 0x6e, 0x6e],
      ['end', END],
      ['drop', 0x1a],
    ],
  };
  for (const [title, code] of Object.entries(ACCEPTED)) {
    it(`are read to their end: ${title}`, () => {
      const bytes = withCode(
        code.flatMap(([, ...bytes]) => bytes),
        MEMORY,
      );
      expect(valid(bytes)).toBe(true);
      expect(operatorsOf(readModule(bytes))).toEqual([...code.map(([name, ...bytes]) => ({ name, bytes })), { name: 'end', bytes: [END] }]);
    });
  }

  const MALFORMED: Record<string, readonly [offset: number, ...code: number[]]> = {
    'an opcode over six bytes': [0, 0xfc, 0x8b, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00],
    'an offset over eleven bytes': [0, 0x28, 0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    'an offset of 65 bits': [0, 0x28, 0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
    'an alignment that nothing has': [29, 0x28, 0x05, 0x00],
    'flags that nothing has': [29, 0x28, 0x82, 0x01, 0x00],
    'flags of all bits': [29, 0x28, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00],
    'an alignment beside a memory that nothing has': [29, 0x28, 0x45, 0x00, 0x00],
    'a constant of 33 bits': [0, 0x41, 0xff, 0xff, 0xff, 0xff, 0x0f],
    'a constant of 65 bits': [0, 0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    'a block type that is negative': [29, 0x02, 0xff, 0x7f, END],
    // The engine takes this for the empty block type, over two bytes.
    'an empty block type over two bytes': [29, 0x02, 0xc0, 0x7f, END],
    'a block type of 34 bits': [0, 0x02, 0x80, 0x80, 0x80, 0x80, 0x20, END],
    'a fence that orders otherwise': [30, 0xfe, 0x03, 0x01],
    'a cast of unknown flags': [30, 0xfb, 0x18, 0x04, 0x00, 0x6e, 0x6e],
    'more types of a choice than bytes': [29, 0x1c, 0xff, 0x01, 0x7f],
  };
  for (const [title, [offset, ...code]] of Object.entries(MALFORMED)) {
    it(`are not ${title}`, () => {
      const error = failureOf(() => operatorsOf(readModule(withCode(code, MEMORY))));
      expect(error.code).toBe('INVALID_MODULE');
      if (offset > 0) expect(error.details.offset).toBe(offset);
    });
  }

  it('are refused where they are of shared-everything threads', () => {
    const error = failureOf(() => operatorsOf(readModule(withCode([0xfe, 0x10, 0x22, 0x00, 0x00], MEMORY))));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature: 'shared-everything threads', offset: 30 } });
  });
});

describe('an index in code', () => {
  // One of everything, so that index 1 does not exist.
  const surroundings = [section(4, 1, 0x70, 0, 1), MEMORY, section(13, 1, 0, 0), section(6, 1, 0x7f, 1, 0x41, 0, END), section(9, 1, 1, 0, 0), section(12, 1)];
  const around = (...code: number[]): Uint8Array => {
    const body = [0, ...code, END];
    return moduleOf(
      typeSection([0x60, 0, 0], [0x5f, 1, 0x7f, 1], [0x5e, 0x7f, 1]),
      section(3, 1, 0),
      ...surroundings,
      section(10, 1, ...leb(body.length), ...body),
      section(11, 1, 1, 0),
    );
  };
  const [FUNCTION, STRUCT, ARRAY, NO_TYPE] = [0, 1, 2, 3];

  // [what, opcode and immediates with indices that exist, the same with one that does not].
  const INDICES: readonly [what: string, exists: number[], beyond: number[]][] = [
    ['a global', [0x23, 0], [0x23, 1]],
    ['a function', [0xd2, 0], [0xd2, 1]],
    ['a called function', [0x10, 0], [0x10, 1]],
    ['a table', [0x25, 0], [0x25, 1]],
    ['a table that is filled', [0xfc, 0x11, 0], [0xfc, 0x11, 1]],
    ['a memory', [0x3f, 0], [0x3f, 1]],
    ['a memory beside an alignment', [0x28, 0x42, 0, 0], [0x28, 0x42, 1, 0]],
    ['a memory beside a lane', [0xfd, 0x54, 0x40, 0, 0, 0], [0xfd, 0x54, 0x40, 1, 0, 0]],
    ['a memory of atomic access', [0xfe, 0x10, 0x42, 0, 0], [0xfe, 0x10, 0x42, 1, 0]],
    ['a memory that is copied to', [0xfc, 0x0a, 0, 0], [0xfc, 0x0a, 1, 0]],
    ['a memory that is copied from', [0xfc, 0x0a, 0, 0], [0xfc, 0x0a, 0, 1]],
    ['a table that is copied to', [0xfc, 0x0e, 0, 0], [0xfc, 0x0e, 1, 0]],
    ['a table that is copied from', [0xfc, 0x0e, 0, 0], [0xfc, 0x0e, 0, 1]],
    ['a tag', [0x08, 0], [0x08, 1]],
    ['a data segment', [0xfc, 0x09, 0], [0xfc, 0x09, 1]],
    ['a data segment that is copied', [0xfc, 0x08, 0, 0], [0xfc, 0x08, 1, 0]],
    ['a memory that data is copied to', [0xfc, 0x08, 0, 0], [0xfc, 0x08, 0, 1]],
    ['an element segment', [0xfc, 0x0d, 0], [0xfc, 0x0d, 1]],
    ['an element segment that is copied', [0xfc, 0x0c, 0, 0], [0xfc, 0x0c, 1, 0]],
    ['a table that elements are copied to', [0xfc, 0x0c, 0, 0], [0xfc, 0x0c, 0, 1]],
    ['a type of functions', [0x11, FUNCTION, 0], [0x11, STRUCT, 0]],
    ['a table of an indirect call', [0x11, FUNCTION, 0], [0x11, FUNCTION, 1]],
    ['a type of a called reference', [0x14, FUNCTION], [0x14, ARRAY]],
    ['a type of a block', [0x02, FUNCTION, END], [0x02, STRUCT, END]],
    ['a type of a loop', [0x03, FUNCTION, END], [0x03, NO_TYPE, END]],
    ['a heap type', [0xd0, STRUCT], [0xd0, NO_TYPE]],
    ['a heap type of a cast', [0xfb, 0x16, ARRAY], [0xfb, 0x16, NO_TYPE]],
    ['a heap type that a branch casts from', [0xfb, 0x18, 0, 0, ARRAY, ARRAY], [0xfb, 0x18, 0, 0, NO_TYPE, ARRAY]],
    ['a heap type that a branch casts to', [0xfb, 0x18, 0, 0, ARRAY, ARRAY], [0xfb, 0x18, 0, 0, ARRAY, NO_TYPE]],
    ['a type of a choice', [0x1c, 1, 0x63, STRUCT], [0x1c, 1, 0x63, NO_TYPE]],
    ['a type of structures', [0xfb, 0x00, STRUCT], [0xfb, 0x00, ARRAY]],
    ['a structure of a field', [0xfb, 0x02, STRUCT, 0], [0xfb, 0x02, FUNCTION, 0]],
    ['a field', [0xfb, 0x05, STRUCT, 0], [0xfb, 0x05, STRUCT, 1]],
    ['a type of arrays', [0xfb, 0x06, ARRAY], [0xfb, 0x06, STRUCT]],
    ['a type of arrays of given elements', [0xfb, 0x08, ARRAY, 9], [0xfb, 0x08, NO_TYPE, 9]],
    ['data of an array', [0xfb, 0x09, ARRAY, 0], [0xfb, 0x09, ARRAY, 1]],
    ['elements of an array', [0xfb, 0x0a, ARRAY, 0], [0xfb, 0x0a, ARRAY, 1]],
    ['an array that is copied to', [0xfb, 0x11, ARRAY, ARRAY], [0xfb, 0x11, STRUCT, ARRAY]],
    ['an array that is copied from', [0xfb, 0x11, ARRAY, ARRAY], [0xfb, 0x11, ARRAY, FUNCTION]],
  ];
  for (const [what, exists, beyond] of INDICES) {
    it(`of ${what} is read where it exists and refused where not`, () => {
      expect(operatorsOf(readModule(around(...exists)))[0]?.bytes).toEqual(exists.at(-1) === END ? exists.slice(0, -1) : exists);
      const error = failureOf(() => operatorsOf(readModule(around(...beyond))));
      expect(error).toMatchObject({ code: 'INVALID_MODULE', message: expect.stringMatching(/does not exist|is not a type of/) });
      expect(valid(around(...beyond))).toBe(false);
    });
  }

  it('of data needs the section that counts it, as in the engine', () => {
    const bytes = moduleOf(typeSection([0x60, 0, 0]), section(3, 1, 0), section(10, 1, 5, 0, 0xfc, 0x09, 0, END), section(11, 1, 1, 0));
    expect(failureOf(() => operatorsOf(readModule(bytes))).message).toMatch(/data segment 0 does not exist/);
    expect(valid(bytes)).toBe(false);
  });
});

describe('locals', () => {
  const types = readModule(moduleOf(typeSection([0x5f, 0]))).types;

  it('are counted by what they take', () => {
    const reader = new Reader(new Uint8Array([5, 2, 0x7f, 3, 0x7b, 4, 0x70, 5, 0x63, 0x80, 0x00, 6, 0x64, 0x6d, 0x00]));
    expect(readLocals(reader, types)).toEqual({ count: 20, vectors: 3, references: 15 });
    expect(reader.left).toBe(1);
  });

  it('have types that exist', () => {
    expect(failureOf(() => readLocals(new Reader(new Uint8Array([1, 1, 0x63, 1])), types)).code).toBe('INVALID_MODULE');
    expect(failureOf(() => readLocals(new Reader(new Uint8Array([1, 1, 0x78])), types)).code).toBe('INVALID_MODULE');
    expect(failureOf(() => readLocals(new Reader(new Uint8Array([0xff, 1, 1, 0x7f])), types)).code).toBe('INVALID_MODULE');
  });
});

describe('the scanner and the engine', () => {
  const modules = new Map<string, Uint8Array>();
  beforeAll(async () => {
    for (const [feature, text] of Object.entries(FEATURES)) modules.set(feature, await parse(text));
  });

  for (const feature of Object.keys(FEATURES)) {
    it(`agree on what ${feature} is`, () => {
      const bytes = modules.get(feature) as Uint8Array;
      expect(valid(bytes)).toBe(true);
      const operators = operatorsOf(readModule(bytes));
      expect(operators.flatMap(({ bytes }) => bytes).length).toBeGreaterThan(0);
    });

    // A byte that the engine reads otherwise than the scanner makes code that only one of them sees.
    it(`agree on every module that differs from ${feature} by a few bytes`, () => {
      const original = modules.get(feature) as Uint8Array;
      const change = fc.tuple(fc.integer({ min: 8, max: original.length - 1 }), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...TELLING)));
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
          const bytes = original.slice();
          for (const [at, value] of changes) bytes[at] = value;
          const read = outcomeOf(() => operatorsOf(readModule(bytes)));
          if (valid(bytes)) expect(['read', 'UNSUPPORTED_FEATURE', 'MODULE_TOO_LARGE']).toContain(read);
          const metered = outcomeOf(() => meter(bytes).bytes);
          if (valid(bytes) && metered === 'read') expect(valid(meter(bytes).bytes)).toBe(true);
        }),
        { numRuns: 500, seed: 20_261_120 },
      );
    });
  }
});

// Bytes that begin types, prefixes and longer numbers.
const TELLING = [
  0x00, 0x40, 0x4e, 0x4f, 0x50, 0x5e, 0x5f, 0x60, 0x62, 0x63, 0x64, 0x65, 0x69, 0x6a, 0x6e, 0x70, 0x71, 0x74, 0x78, 0x80, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
];

function outcomeOf(work: () => unknown): string {
  try {
    work();
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(GloveportError);
    return (error as GloveportError).code;
  }
}
