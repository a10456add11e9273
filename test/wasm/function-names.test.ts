// Names of functions: those that the section gives, and nothing worse than none when it is hostile.
import { parse } from '@bytecodealliance/jco';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { budgets } from '../../src/wasm/budgets.ts';
import { functionName, functionNameBytes } from '../../src/wasm/function-names.ts';
import type { CoreModule } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { leb, longSection, moduleOf, name, section, typeSection } from './binary.ts';

function lookUp(module: CoreModule): { get(index: number): string | undefined } {
  const bytes = functionNameBytes(module, 2 ** 24);
  return { get: (index) => functionName(bytes, index) };
}

const COUNT = 6;
const FUNCTIONS = [typeSection([0x60, 0, 0]), section(2, COUNT, ...new Array(COUNT).fill([...name('m'), ...name('n'), 0, 0]).flat())];

/** The names of all functions of a module whose name section has these contents. */
function namesOf(...contents: number[]): (string | undefined)[] {
  const names = lookUp(readModule(moduleOf(...FUNCTIONS, longSection(0, name('name').concat(contents)))));
  return Array.from({ length: COUNT }, (_, index) => names.get(index));
}

const subsection = (id: number, ...contents: number[]): number[] => [id, ...leb(contents.length), ...contents];
const entry = (index: number, text: string): number[] => [...leb(index), ...name(text)];
const NONE = new Array(COUNT).fill(undefined);

describe('names of functions', () => {
  it('are found by index, imports counted', async () => {
    const names = lookUp(readModule(await parse('(module $m (import "m" "n" (func $imported)) (func) (func $"größe" (local $l i32)) (func $last))')));
    expect([0, 1, 2, 3, 4, -1].map((index) => names.get(index))).toEqual(['imported', undefined, 'größe', 'last', undefined, undefined]);
  });

  it('are none where there is no section, or none of functions', () => {
    expect(lookUp(readModule(moduleOf(...FUNCTIONS))).get(0)).toBeUndefined();
    expect(namesOf()).toEqual(NONE);
    expect(namesOf(...subsection(0, ...name('module')), ...subsection(2))).toEqual(NONE);
  });

  it('are found behind and in front of other subsections', () => {
    const functions = subsection(1, 2, ...entry(0, 'a'), ...entry(4, ''));
    expect(namesOf(...subsection(0, ...name('module')), ...functions, ...subsection(2, 9, 9))).toEqual(['a', undefined, undefined, undefined, '', undefined]);
  });

  it('may hold anything that is UTF-8, unescaped', () => {
    expect(namesOf(...subsection(1, 1, ...entry(0, '\u001b]0;x\u0007\n__proto__')))[0]).toBe('\u001b]0;x\u0007\n__proto__');
  });

  const HOSTILE: Record<string, readonly [contents: number[], names: (string | undefined)[]]> = {
    'more entries than there are': [subsection(1, 0xff, 0xff, 0xff, 0xff, 0x0f, ...entry(0, 'a')), ['a']],
    'a name longer than the section': [subsection(1, 2, ...entry(0, 'a'), 1, 0xff, 0xff, 0x03, 0x61), ['a']],
    'a name that runs into the next subsection': [[...subsection(1, 1, 0, 3, 0x61), ...subsection(2, 0x61, 0x61)], []],
    'indices out of order': [subsection(1, 3, ...entry(1, 'b'), ...entry(0, 'a'), ...entry(2, 'c')), [undefined, 'b']],
    'an index twice': [subsection(1, 2, ...entry(0, 'a'), ...entry(0, 'b')), ['a']],
    'an index beyond the functions': [subsection(1, 2, ...entry(COUNT, 'x'), ...entry(COUNT + 1, 'y')), []],
    'a name that is not UTF-8': [subsection(1, 2, 0, 1, 0xff, ...entry(1, 'b')), [undefined, 'b']],
    'an over-long number': [subsection(1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 0x61), []],
    'a subsection longer than the section': [[1, 0x7f, 1, ...entry(0, 'a')], []],
    'subsections out of order': [[...subsection(2), ...subsection(1, 1, ...entry(0, 'a'))], []],
    'two subsections of functions': [[...subsection(1, 1, ...entry(0, 'a')), ...subsection(1, 1, ...entry(0, 'b'))], ['a']],
    'a subsection without a size': [[1], []],
  };
  for (const [title, [contents, names]] of Object.entries(HOSTILE)) {
    it(`survive ${title}`, () => {
      expect(namesOf(...contents)).toEqual(Object.assign([...NONE], names));
    });
  }

  it('are no longer than the budget of a name', () => {
    const long = (length: number): string | undefined => {
      const functions = [1, 0, ...leb(length)].concat(new Array(length).fill(0x61));
      const contents = [1, ...leb(functions.length)].concat(functions);
      return lookUp(readModule(moduleOf(...FUNCTIONS, longSection(0, name('name').concat(contents))))).get(0);
    };
    expect(long(budgets['bytes of one name'])).toHaveLength(budgets['bytes of one name']);
    expect(long(budgets['bytes of one name'] + 1)).toBeUndefined();
  });

  it('never fail, whatever the section holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (contents) => {
        for (const text of namesOf(1, ...contents)) expect(['string', 'undefined']).toContain(typeof text);
      }),
      { numRuns: 1_000, seed: 20_261_120 },
    );
  });
});
