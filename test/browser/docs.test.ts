// docs/metering.md against the code: the numbers and names that it states are those that hold. That its example runs is seen to by the package smoke test.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  ARRAY_BYTES,
  ESCAPING_UNITS,
  EXCEPTION_BYTES,
  EXCEPTION_VALUE_BYTES,
  frame,
  LARGE_REGION_UNITS,
  LEAF_UNITS,
  MERGED_UNITS,
  OVERDRAFT_UNITS,
  PREPAID_UNITS,
  prices,
  RESUMED_UNITS,
  SMALL_UNITS,
  STRING_BYTES,
  UNCHECKED_UNITS,
} from '../../src/metering/prices.ts';
import { structBytes } from '../../src/wasm/module.ts';
import { operators } from '../../src/wasm/operators.ts';

const text = await readFile(new URL('../../docs/metering.md', import.meta.url), 'utf8');
const rows = [...text.matchAll(/^\| (.+) \|$/gm)].map(([, cells]) => (cells as string).split(' | '));

describe('docs/metering.md', () => {
  it('states the prices of operators as they are', () => {
    const priceOf = new Map([...operators.values()].map(({ name, price }) => [name, price]));
    const stated = rows.flatMap(([names, units]) =>
      /^(`[\w.]+`(, )?)+$/.test(names as string) && /^\d+$/.test(units as string) ? namesIn(names as string).map((name) => [name, Number(units)]) : [],
    );
    expect(stated.length).toBeGreaterThan(40);
    expect(stated).toEqual(stated.map(([name]) => [name, priceOf.get(name as string)]));
  });

  it('states the other prices as they are', () => {
    const stated = rows.filter(([, units, name]) => /^\d+$/.test(units as string) && name?.startsWith('`'));
    const flat = Object.entries(prices).filter(([name]) => !name.endsWith('Shift'));
    expect(stated.map(([, units, name]) => [namesIn(name as string)[0], Number(units)]).sort()).toEqual(flat.sort());
    const { bulkMemoryShift, bulkTableShift, bulkArrayShift, localsShift } = prices;
    says(
      `one unit for each ${2 ** bulkMemoryShift} bytes of memory and ${2 ** bulkTableShift} for each element of a table, ${2 ** bulkArrayShift} for each element of an`,
    );
    says(`one for each ${2 ** localsShift} of its locals`);
  });

  it('states what frames and objects count for as it is', () => {
    says(`${frame.fixedBytes} bytes for a frame and ${frame.slotBytes} for each parameter and local, ${2 * frame.slotBytes} for a vector`);
    says(`An object counts with ${structBytes({ kind: 'struct', fields: [], final: true, supertype: undefined })} bytes and its fields`);
    says(`an array with ${ARRAY_BYTES} and its elements, a string with ${STRING_BYTES} and two for each code unit`);
    const { i32, f32, reference, i64, f64, v128 } = EXCEPTION_VALUE_BYTES;
    says(`an exception with ${EXCEPTION_BYTES} and ${i32} for each value, ${i64} for one of 64 bits and ${v128} for a vector`);
    expect([f32, reference, f64]).toEqual([i32, i32, i64]);
  });

  it('states what is charged and checked where as it is', () => {
    says(`while it costs no more than ${RESUMED_UNITS} units`);
    says(`regions of up to ${SMALL_UNITS} units, which are charged with what stands before the block; a region takes in at most ${MERGED_UNITS} units so`);
    says(`Small functions, up to ${PREPAID_UNITS} units`);
    says(`more than ${LEAF_UNITS} units with all that they call (${ESCAPING_UNITS} where`);
    says(`a region of more than ${LARGE_REGION_UNITS} units, and wherever more than ${spaced(UNCHECKED_UNITS)} may`);
    says(`about ${spaced(1000 * Math.round((UNCHECKED_UNITS + LARGE_REGION_UNITS + 2 * LEAF_UNITS) / 1000))} units over`);
    says(`up to ${spaced(OVERDRAFT_UNITS)} units that may have been owed`);
  });

  it('names every feature whose operators are refused, and none whose operators are metered', () => {
    const listed = /\*\*Features\*\*: (.+?) are refused/s.exec(text)?.[1]?.split(/,\s|\sand\s/) ?? [];
    const refused = new Set([...operators.values()].filter(({ price }) => price === undefined).map(({ feature }) => feature));
    const metered = new Set([...operators.values()].filter(({ price }) => price !== undefined).map(({ feature }) => feature));
    expect([...refused].filter((feature) => !listed.includes(feature))).toEqual([]);
    expect(listed.filter((feature) => metered.has(feature))).toEqual([]);
  });
});

// Wherever its lines are broken.
function says(words: string): void {
  expect(text.replace(/\s+/g, ' ')).toContain(words);
}

function spaced(units: number): string {
  return units.toLocaleString('en').replaceAll(',', ' ');
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
}
