// Branch hints: read as they are given, and all absent as soon as one is malformed.
import { parse } from '@bytecodealliance/jco';
import { describe, expect, it } from 'vitest';
import { type BranchHint, BranchHints } from '../../src/wasm/branch-hints.ts';
import { budgets } from '../../src/wasm/budgets.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { leb, longSection, moduleOf, name, section, typeSection } from './binary.ts';
import { FEATURES } from './features.ts';

const FUNCTIONS = [typeSection([0x60, 0, 0]), section(2, 1, ...name('m'), ...name('n'), 0, 0), section(3, 2, 0, 0)];
const CODE = section(10, 2, 6, 0, 1, 1, 1, 1, 0x0b, 3, 0, 1, 0x0b);

/** The hints of functions 0, 1 and 2 of a module whose section of hints has these contents; function 0 is imported. */
function hintsOf(...contents: number[]): (readonly BranchHint[])[] {
  const hints = new BranchHints(readModule(moduleOf(...FUNCTIONS, section(0, ...name('metadata.code.branch_hint'), ...contents), CODE)));
  return [0, 1, 2].map((index) => hints.of(index));
}

describe('branch hints', () => {
  it('are given by function and offset', () => {
    expect(hintsOf(2, 1, 2, 1, 1, 0, 5, 1, 1, 2, 1, 2, 1, 1)).toEqual([
      [],
      [
        { offset: 1, taken: false },
        { offset: 5, taken: true },
      ],
      [{ offset: 2, taken: true }],
    ]);
  });

  it('are at the branches that another assembler puts them at', async () => {
    const module = readModule(await parse(FEATURES['branch hints'] as string));
    const hints = new BranchHints(module).of(0);
    expect(hints.map(({ offset, taken }) => [module.bytes[(module.bodies[0] as number) + offset], taken])).toEqual([
      [0x04, false],
      [0x0d, true],
    ]);
  });

  it('are none without their section, and with an empty one', () => {
    expect(new BranchHints(readModule(moduleOf(...FUNCTIONS, CODE))).of(1)).toEqual([]);
    expect(hintsOf(0)).toEqual([[], [], []]);
  });

  it('are absent where there are more than their budget', () => {
    const most = budgets['branch hints'];
    const bodyBytes = most + 2;
    const module = (count: number): BranchHints => {
      const hints = Array.from({ length: count }, (_, offset) => [...leb(offset), 1, 0]).flat();
      const contents = name('metadata.code.branch_hint').concat([1, 1], leb(count), hints);
      const code = [2, ...leb(bodyBytes)].concat(new Array(bodyBytes - 1).fill(1), [0x0b, 2, 0, 0x0b]);
      return new BranchHints(readModule(moduleOf(...FUNCTIONS, longSection(0, contents), longSection(10, code))));
    };
    expect(module(most).of(1)).toHaveLength(most);
    expect(module(most + 1).of(1)).toEqual([]);
  });

  const MALFORMED: Record<string, number[]> = {
    'nothing at all': [],
    'more functions than bytes': [0xff, 0xff, 0xff, 0xff, 0x0f],
    'more hints than bytes': [1, 1, 0xff, 0xff, 0x7f],
    'a function that is imported': [1, 0, 1, 1, 1, 0],
    'a function that does not exist': [1, 3, 1, 1, 1, 0],
    'functions out of order': [2, 2, 1, 1, 1, 0, 1, 1, 1, 1, 0],
    'a function twice': [2, 1, 1, 1, 1, 0, 1, 1, 2, 1, 0],
    'offsets out of order': [1, 1, 2, 3, 1, 0, 2, 1, 0],
    'an offset beyond its function': [1, 1, 1, 6, 1, 0],
    'a hint of two bytes': [1, 1, 1, 1, 2, 0, 0],
    'a hint that is neither': [1, 1, 1, 1, 1, 2],
    'something behind': [1, 1, 1, 1, 1, 0, 0],
    'a hint that is good before one that is not': [2, 1, 1, 1, 1, 0, 2, 1, 1, 1, 3],
  };
  for (const [title, contents] of Object.entries(MALFORMED)) {
    it(`are absent where the section has ${title}`, () => {
      expect(hintsOf(...contents)).toEqual([[], [], []]);
    });
  }
});
