// Sizes of elements as the Canonical ABI has them, as the glue asks for costs by them.
import { expect, test } from 'vitest';
import { elementCosts } from '../../src/component/element-costs.ts';
import type { WitType } from '../../src/component/types.ts';

const u8: WitType = { kind: 'u8' };
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`);

test.each<[WitType, number]>([
  [{ kind: 'bool' }, 1],
  [{ kind: 'char' }, 4],
  [{ kind: 'f64' }, 8],
  [{ kind: 'string' }, 8],
  [{ kind: 'list', element: u8 }, 8],
  [{ kind: 'own', resource: 'r' }, 4],
  [{ kind: 'enum', names: names(256) }, 1],
  [{ kind: 'enum', names: names(257) }, 2],
  [{ kind: 'flags', names: names(8) }, 1],
  [{ kind: 'flags', names: names(9) }, 2],
  [{ kind: 'flags', names: names(17) }, 4],
  [{ kind: 'option', some: { kind: 'u64' } }, 16],
  [{ kind: 'option', some: { kind: 'string' } }, 12],
  [{ kind: 'result' }, 1],
  [{ kind: 'result', ok: u8, err: { kind: 'u16' } }, 4],
  [{ kind: 'tuple', items: [u8, { kind: 'u32' }, u8] }, 12],
  [
    {
      kind: 'record',
      fields: [
        { name: 'a', type: { kind: 'u16' } },
        { name: 'b', type: u8 },
      ],
    },
    4,
  ],
  [
    {
      kind: 'variant',
      cases: [
        { name: 'a', type: { kind: 'f64' } },
        { name: 'b', type: { kind: 'list', element: u8 } },
      ],
    },
    16,
  ],
])('%j', (type, size) => {
  // Marked by a list of another element, dearer than all, that the wrong size would give.
  const dear: WitType = { kind: 'tuple', items: Array.from({ length: 100 }, () => ({ kind: 'own', resource: 'r' })) };
  const function_ = {
    params: [
      { name: 'a', type: { kind: 'list', element: type } },
      { name: 'b', type: { kind: 'list', element: dear } },
    ],
  } as const;
  const costs = elementCosts({ imports: [], exports: [{ name: 'f', kind: 'function', type: function_ }] });
  expect(costs(size).values).toBeLessThan(300);
  expect(costs(400).values).toBe(1_001);
  expect(costs(401)).toEqual(costs(400));
});
