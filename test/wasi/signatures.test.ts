// The types with which programs import the functions of WASI: the real ones link, in every minor version, and lies do not.
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco';
import { describe, expect, test } from 'vitest';
import { guest } from '../../guest-examples/build.ts';
import type { ProgramImport } from '../../src/component/program.ts';
import type { FunctionType, WitType } from '../../src/component/types.ts';
import { compile, Sandbox } from '../../src/index.ts';
import { withoutVersion } from '../../src/component/naming.ts';
import { WASI_INTERFACES } from '../../src/wasi/component/signatures.ts';
import { providedFunctions } from '../../src/wasi/requirements.ts';
import { checkSignature } from '../../src/wasi/signatures.ts';
import { WASI_VERSION, wasiInterfaceNames, witOfWorld } from '../support/wasi-wit.ts';
import { wat } from '../support/wat.ts';
import { thrownBy } from './support.ts';

const imports: readonly ProgramImport[] = (await compile(await guest('text-tools'))).imports.filter(({ module }) => module.startsWith('wasi:'));
const find = (name: string): ProgramImport & { type: FunctionType } => imports.find((one) => one.name === name) as ProgramImport & { type: FunctionType };
const codeOf = (wanted: ProgramImport): unknown => (thrownBy(() => checkSignature(wanted)) as { code?: string } | undefined)?.code;

describe('the signatures of WASI 0.2', () => {
  test('are those of its WIT, all of them and no more', async () => {
    const { imports } = await compile(await wasiImporter());
    expect(imports.map((wanted) => [wanted.module, wanted.name, codeOf(wanted)])).toEqual(imports.map(({ module, name }) => [module, name, undefined]));
    const declared = imports.map(({ module, kind, name }) => `${withoutVersion(module)} ${kind} ${name}`);
    const known = [...WASI_INTERFACES].flatMap(([module, { functions, resources }]) => [
      ...[...functions.keys()].map((name) => `${module} function ${name}`),
      ...resources.map((name) => `${module} resource ${name}`),
    ]);
    expect(known.sort()).toEqual(declared.sort());
  });

  test('go with a capability, but for what guests export', () => {
    const provided = [...providedFunctions().keys()].filter((module) => module.startsWith('wasi:'));
    expect([...provided, 'wasi:http/incoming-handler'].sort()).toEqual([...WASI_INTERFACES.keys()].sort());
  });

  test.each(['0.2.0', '0.2.3', '0.2.12'])('fit what a real component imports, as version %s', (version) => {
    expect(imports.length).toBeGreaterThan(20);
    const text = JSON.stringify(imports).replaceAll(/@0\.2\.\d+/g, `@${version}`);
    for (const wanted of JSON.parse(text) as ProgramImport[]) expect([wanted.name, codeOf(wanted)]).toEqual([wanted.name, undefined]);
  });

  const write = find('[method]output-stream.write');
  const stat = find('[method]descriptor.stat');
  const [self, contents] = write.type.params;
  const changed = (wanted: ProgramImport & { type: FunctionType }, from: string, to: string): ProgramImport =>
    JSON.parse(JSON.stringify(wanted).replace(from, to)) as ProgramImport;
  const f64: WitType = { kind: 'f64' };
  test.each<[string, ProgramImport]>([
    [
      'a record for a list',
      { ...write, type: { ...write.type, params: [self as never, { name: 'c', type: { kind: 'record', fields: [{ name: 'length', type: f64 }] } }] } },
    ],
    ['a parameter less', { ...write, type: { ...write.type, params: [self as never] } }],
    ['a parameter more', { ...write, type: { ...write.type, params: [...write.type.params, contents as never] } }],
    ['no result', { ...write, type: { params: write.type.params } }],
    ['a result where there is none', { ...find('exit'), type: { ...find('exit').type, result: f64 } }],
    ['another resource', changed(write, '#output-stream', '#input-stream')],
    ['a resource of its own', changed(write, 'wasi:io/streams@0.2.12#output-stream', 'output-stream')],
    ['own for borrow', changed(write, '"borrow"', '"own"')],
    ['another element', changed(write, '"u8"', '"s8"')],
    ['another name of a field', changed(stat, 'link-count', 'links')],
    ['another type of a field', changed(stat, '"name":"size","type":{"kind":"u64"}', '"name":"size","type":{"kind":"f64"}')],
    ['a case more', changed(write, '{"name":"closed"}', '{"name":"closed"},{"name":"more"}')],
    ['a payload for a case without', changed(write, '{"name":"closed"}', '{"name":"closed","type":{"kind":"u8"}}')],
    ['an enum in another order', changed(stat, '"access","would-block"', '"would-block","access"')],
    ['a plain type for an option', changed(stat, '"kind":"option"', '"kind":"list"')],
  ])('do not fit %s', (_, wanted) => {
    expect(codeOf(wanted)).toBe('LINK_FAILED');
  });

  test('are compared before a component is instantiated, and the import is named', async () => {
    const bytes = await parse(`(component
      (import "wasi:cli/exit@0.2.0" (instance $h (export "exit-with-code" (func (param "status-code" f64)))))
      (alias export $h "exit-with-code" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $m (import "" "f" (func $f (param f64))) (func (export "go") (call $f (f64.const 1.5))))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "go") (canon lift (core func $i "go"))))`);
    await expect(new Sandbox().load(bytes)).rejects.toMatchObject({
      code: 'LINK_FAILED',
      message: expect.stringContaining('wasi:cli/exit@0.2.0 exit-with-code'),
    });
  });
});

describe('the signatures of preview 1', () => {
  const load = async (name: string, type: string): Promise<unknown> =>
    new Sandbox().load(await wat(`(module (import "wasi_snapshot_preview1" "${name}" (func ${type})) (memory (export "memory") 1))`));

  test('are known of every function that the host has', () => {
    const letters: Record<string, string> = { i: 'i32', l: 'i64' };
    const names = providedFunctions().get('wasi_snapshot_preview1') ?? [];
    const some = ['', ...combinations('il', 9)].map((text) => [...text].map((letter) => letters[letter] as 'i32' | 'i64'));
    const wanted = (name: string, params: readonly ('i32' | 'i64')[], results: readonly 'i32'[]): ProgramImport => ({
      module: 'wasi_snapshot_preview1',
      name,
      kind: 'function',
      type: { params, results },
    });
    for (const name of names) {
      const results = name === 'proc_exit' ? [] : (['i32'] as const);
      expect([name, some.filter((params) => codeOf(wanted(name, params, results)) === undefined).length]).toEqual([name, 1]);
    }
  });

  test('fit the real type and no other', async () => {
    await expect(load('fd_write', '(param i32 i32 i32 i32) (result i32)')).resolves.toBeDefined();
    await expect(load('proc_exit', '(param i32)')).resolves.toBeDefined();
    for (const [name, type] of [
      ['fd_write', '(param i32 i32 i32 f64) (result i32)'],
      ['fd_write', '(param i32 i32 i32) (result i32)'],
      ['fd_write', '(param i32 i32 i32 i32)'],
      ['fd_write', '(param i32 i32 i32 i32) (result i64)'],
      ['fd_seek', '(param i32 i32 i32 i32) (result i32)'],
      ['sched_yield', '(param i64) (result i32)'],
      ['proc_exit', '(param i32) (result i32)'],
      ['fd_close', '(param externref) (result i32)'],
    ] as const) {
      await expect(load(name, type)).rejects.toMatchObject({ code: 'LINK_FAILED', details: { name } });
    }
  });
});

// A component that imports every function of the newest WASI 0.2, unstable ones included.
async function wasiImporter(): Promise<Uint8Array> {
  const interfaces = (await wasiInterfaceNames()).filter((name) => name !== 'wasi:cli/run');
  const witSource = await witOfWorld(interfaces.map((name) => `import ${name}@${WASI_VERSION}`));
  return componentNew(await componentEmbed({ witSource, dummy: true, features: { tag: 'all' } }), []);
}

function combinations(letters: string, length: number): string[] {
  const shorter = length === 1 ? [''] : combinations(letters, length - 1);
  const all = shorter.filter((text) => text.length === length - 1).flatMap((text) => [...letters].map((letter) => text + letter));
  return length === 1 ? all : [...shorter, ...all];
}
