// The map from a rewritten module to the original: every operator of generated programs is found again, and no stored bytes make a look-up fail or hang.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { originalOffset, sourcePlace, type Trace } from '../../src/metering/trace.ts';
import { immediateAt, operatorName, readBlockType, readCastBranch, readLocals, readOperator, skipImmediate } from '../../src/wasm/code.ts';
import type { CoreModule } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { Immediate } from '../../src/wasm/operators.ts';
import { Reader } from '../../src/wasm/reader.ts';
import { wat } from '../support/wat.ts';
import { programs } from './generate/program.ts';
import { settings } from './generate/settings.ts';

/** Operators that metering writes in another way. */
const REPLACED = ['memory.grow', 'table.grow', 'return'];

describe('the trace of a rewritten module', () => {
  it('leads from every operator to one of the original, in their order, and to every one of those from one of its kind', () => {
    fc.assert(
      fc.property(programs(), ({ bytes }) => {
        expectMapped(bytes);
      }),
      settings(150),
    );
  });

  it('counts what stands in for an operator as that operator, and what follows a wait as the wait', async () => {
    const bytes = await wat(`(module (memory 1 2 shared) (func (param i32) (result i32) (local i64)
      (loop (br_if 0 (memory.grow (i32.const 1)))) (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1))) (return (i32.const 5))))`);
    const { hits } = expectMapped(bytes);
    expect(hits('memory.grow')).toContain('call');
    expect(hits('memory.atomic.wait32').filter((name) => name === 'call')).toHaveLength(2);
  });

  it('gives names and indices of functions as the original has them, and none for what was appended', async () => {
    const bytes = await wat('(module (import "a" "b" (func $far)) (func $near (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))) (memory 1) (func))');
    const { trace } = meter(bytes, { name: 'main' }).descriptor;
    const near = trace.code + 4;
    expect(sourcePlace(trace, 1, near)).toMatchObject({ function: 1, name: 'near', module: 'main' });
    expect(sourcePlace(trace, 0, near)).toBeUndefined();
    for (const index of [3, 4, 99]) expect(sourcePlace(trace, index, near)).toBeUndefined();
    for (const offset of [0, -1, Number.NaN, 2 ** 32]) expect(sourcePlace(trace, 1, offset)).toBeUndefined();
  });

  it('is safe to ask whatever bytes it was stored as', () => {
    fc.assert(
      fc.property(programs(), fc.infiniteStream(fc.nat()), ({ bytes }, dice) => {
        const { trace } = meter(bytes).descriptor;
        const roll = (below: number): number => (dice.next().value as number) % below;
        const spans = trace.spans.slice(0, roll(trace.spans.length + 1));
        for (let changes = roll(4); changes > 0 && spans.length > 0; changes--) spans[roll(spans.length)] = roll(256);
        for (const spoilt of [spans, trace.spans, new Uint8Array(1000).fill(0xff)]) {
          for (const names of [trace.names.slice(0, roll(trace.names.length + 1)), spans]) {
            const place = sourcePlace({ ...trace, spans: spoilt, names }, trace.importedFunctions + roll(8), trace.code + roll(400));
            expect(place === undefined || place.offset >= 0).toBe(true);
          }
        }
      }),
      settings(200),
    );
  });

  it('says nothing of what is no bytes any more', async () => {
    const { trace } = meter(await wat('(module (func $f (nop)))')).descriptor;
    expect(sourcePlace(trace, 0, trace.code + 2)).toMatchObject({ name: 'f' });
    expect(sourcePlace(JSON.parse(JSON.stringify(trace)) as Trace, 0, trace.code + 2)).toBeUndefined();
    expect(sourcePlace({ ...trace, names: 7 as never }, 0, trace.code + 2)).toEqual({ function: 0, offset: expect.any(Number) });
    expect(sourcePlace({ engineName: 'gloveport', importedFunctions: 0, code: 0 } as Trace, 0, 0)).toBeUndefined();
  });

  it('takes a small part of what the module takes', () => {
    fc.assert(
      fc.property(programs(), ({ bytes }) => {
        expect(meter(bytes).descriptor.trace.spans.length).toBeLessThan(bytes.length);
      }),
      settings(20),
    );
  });
});

describe('the name of a rewritten module', () => {
  it('is all that its name section has', async () => {
    const original = await wat('(module $guest (func $secret))');
    for (const [given, expected] of [
      [undefined, 'gloveport'],
      ['core-1', 'gloveport-core-1'],
    ] as const) {
      const module = new WebAssembly.Module(meter(original, given === undefined ? {} : { name: given }).bytes as BufferSource);
      const [section, ...more] = WebAssembly.Module.customSections(module, 'name');
      expect(more).toEqual([]);
      expect([...new Uint8Array(section as ArrayBuffer)]).toEqual([0, expected.length + 1, expected.length, ...new TextEncoder().encode(expected)]);
    }
  });

  it.each(['', 'a b', 'a/b', 'a:wasm-function[1]:0x1', 'ü', 'a\n', 'x'.repeat(65), 7])('is refused as %j', async (name) => {
    const bytes = await wat('(module)');
    expect(() => meter(bytes, { name: name as string })).toThrow(GloveportError);
    expect(() => meter(bytes, { name: name as string })).toThrow(/name has to be/);
  });
});

interface Operator {
  readonly at: number;
  readonly name: string;
}

function expectMapped(bytes: Uint8Array): { hits: (name: string) => string[] } {
  const rewritten = meter(bytes);
  const { trace } = rewritten.descriptor;
  const [before, after] = [readModule(bytes), readModule(rewritten.bytes)];
  const hit = new Map<string, string[]>();
  for (let index = 0; index < before.bodies.length / 2; index++) {
    const originals = new Map(operatorsOf(before, index).map(({ at, name }) => [at, name]));
    const found = new Map([...originals.keys()].map((at) => [at, new Set<string>()]));
    let last = 0;
    for (const { at, name } of operatorsOf(after, index)) {
      const original = originalOffset(trace, before.importedFunctions + index, at) as number;
      const as = originals.get(original) as string;
      expect(as, `0x${at.toString(16)} ${name} in function ${index}`).toBeDefined();
      expect(original).toBeGreaterThanOrEqual(last);
      last = original;
      found.get(original)?.add(name);
      hit.set(as, [...(hit.get(as) ?? []), name]);
    }
    for (const [at, name] of originals) if (!REPLACED.includes(name)) expect([...(found.get(at) ?? [])], `0x${at.toString(16)}`).toContain(name);
    for (const [at, name] of originals) if (REPLACED.includes(name)) expect(found.get(at)?.size, `0x${at.toString(16)}`).toBeGreaterThan(0);
  }
  return { hits: (name) => hit.get(name) ?? [] };
}

function operatorsOf(module: CoreModule, index: number): Operator[] {
  const reader = new Reader(module.bytes, module.bodies[2 * index], module.bodies[2 * index + 1]);
  readLocals(reader, module.types);
  const operators: Operator[] = [];
  while (!reader.done) {
    const at = reader.pos;
    const slot = readOperator(reader);
    skip(reader, immediateAt[slot] as number, module);
    operators.push({ at, name: operatorName(slot) });
  }
  return operators;
}

function skip(reader: Reader, immediate: number, module: CoreModule): void {
  switch (immediate) {
    case Immediate.LOCAL:
    case Immediate.LABEL:
      reader.u32();
      return;
    case Immediate.LABEL_TABLE:
      for (let labels = reader.u32() + 1; labels > 0; labels--) reader.u32();
      return;
    case Immediate.CAST_BRANCH:
      readCastBranch(reader, module.types);
      return;
    case Immediate.BLOCK_TYPE:
      readBlockType(reader, module.types);
      return;
    case Immediate.BLOCK_TYPE_AND_CATCHES:
      readBlockType(reader, module.types);
      for (let catches = reader.u32(); catches > 0; catches--) {
        if (reader.u8() < 2) reader.u32();
        reader.u32();
      }
      return;
    default:
      skipImmediate(reader, immediate, module);
  }
}
