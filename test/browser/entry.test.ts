// The entry point `gloveport/metering` by itself: what it promises to strangers beyond what the meter does, and that it needs nothing of Node.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as entry from 'gloveport/metering';
import { GloveportError, limits, Meter, type MeterLimitsInput, meter } from 'gloveport/metering';
import { describe, expect, it } from 'vitest';
import { codeOf, errorOf } from '../support/rejection.ts';
import { gcWat, wat } from '../support/wat.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Exports {
  readonly [name: string]: (...values: unknown[]) => unknown;
}

async function start(text: string, limits?: MeterLimitsInput, imports?: entry.CoreImports): Promise<{ guest: Meter; exports: Exports }> {
  const guest = new Meter(limits);
  return { guest, exports: await instantiate(guest, text, imports) };
}

async function instantiate(guest: Meter, text: string, imports?: entry.CoreImports): Promise<Exports> {
  const { bytes, descriptor } = meter(await wat(text));
  return guest.instantiate<Exports>(await WebAssembly.compile(bytes), descriptor, imports);
}

const COUNT = `(func (export "count") (param $n i32) (result i32) (local $i i32)
  (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (local.get $n)))) (local.get $i))`;

describe('the entry point', () => {
  it('exports what its documentation names, and nothing else', () => {
    expect(Object.keys(entry).sort()).toEqual(['GloveportError', 'Meter', 'REWRITER_VERSION', 'errorCategories', 'limits', 'meter']);
  });

  it('reaches no module of Node and no package', async () => {
    const graph = await graphOf('metering/index.ts', (path) => readFile(join(ROOT, 'src', path), 'utf8'));
    expect([...graph.keys()]).toContain('wasm/reader.ts');
    expect([...graph].filter(([, outside]) => outside.length > 0)).toEqual([]);
  });

  it.each([
    ["import { readFile } from 'node:fs';", 'node:fs'],
    ["import fs from 'fs';", 'fs'],
    ["export * from 'memfs';", 'memfs'],
    ["import {\n  a,\n} from 'memfs';", 'memfs'],
    ["import 'memfs';", 'memfs'],
    ["const os = await import('node:os');", 'node:os'],
  ])('would be caught reaching further: %s', async (text, outside) => {
    const files: Record<string, string> = { 'metering/index.ts': "import type { A } from '../wasm/a.ts';", 'wasm/a.ts': text };
    expect(await graphOf('metering/index.ts', async (path) => files[path] as string)).toEqual(
      new Map([
        ['metering/index.ts', []],
        ['wasm/a.ts', [outside]],
      ]),
    );
  });

  it('compiles where only the language and the browser are known, so it names no global of Node', async () => {
    expect(await compiled("export * from '$entry';")).toBe('');
    const foreign = ['process', 'Buffer', 'setImmediate', 'require', 'global', '__dirname'];
    const complaints = await compiled(`export * from '$entry'; console.log(${foreign.join()});`);
    expect([...complaints.matchAll(/name '(\w+)'/g)].map(([, name]) => name)).toEqual(foreign);
  });
});

describe('meter()', () => {
  it('takes a module as a view or as a buffer, and gives bytes in a buffer of their own', async () => {
    const original = await wat(`(module ${COUNT})`);
    const padded = new Uint8Array(original.length + 20);
    padded.set(original, 10);
    const metered = meter(padded.subarray(10, 10 + original.length));
    expect(metered.bytes.buffer.byteLength).toBe(metered.bytes.length);
    expect(meter(new Uint8Array(original).buffer)).toEqual(metered);
    expect(structuredClone(metered.descriptor)).toEqual(metered.descriptor);
  });

  it('refuses an invalid module that would be valid with what is appended', async () => {
    // One global and one table too few: what is appended would stand there.
    for (const text of ['(module (global i32 (i32.const 0)) (export "mine" (global 1)))', '(module (table 1 funcref) (export "mine" (table 1)))']) {
      const original = await wat(text);
      expect(WebAssembly.validate(original as BufferSource)).toBe(false);
      expect(await codeOf(() => meter(original))).toBe('INVALID_MODULE');
    }
    const mistyped = await wat('(module (func (result i32) (i64.const 1)))');
    expect((await errorOf(() => meter(mistyped))).message).toMatch(/expected i32, got i64/);
  });

  it('refuses what are no bytes of a module', async () => {
    const transferred = new Uint8Array(8);
    structuredClone(transferred, { transfer: [transferred.buffer] });
    for (const no of [undefined, null, 'module', [0, 0x61, 0x73, 0x6d], new Uint16Array(8), transferred, transferred.buffer]) {
      expect(await codeOf(() => meter(no as Uint8Array))).toBe('INVALID_OPTION');
    }
    for (const no of [new Uint8Array(), new Uint8Array(1000), new TextEncoder().encode('(module)')]) {
      expect(await codeOf(() => meter(no))).toBe('INVALID_MODULE');
    }
  });

  it('says whether a module has to do with threads, and whether it can keep exceptions', async () => {
    expect(meter(await wat('(module (memory 1) (tag $t) (func (throw $t)))'))).toMatchObject({ threads: false, keepsExceptions: false });
    expect(meter(await wat('(module (memory 1 1 shared))'))).toMatchObject({ threads: true, keepsExceptions: false });
    const keeps = '(module (func (export "go") (block $h (result exnref) (try_table (catch_all_ref $h)) (return)) (drop)))';
    expect(meter(await gcWat(keeps))).toMatchObject({ threads: false, keepsExceptions: true });
  });

  it('counts what exceptions take in a module that throws them for another to keep, when it is told to', async () => {
    const original = await wat('(module (tag $t) (func (export "throw") (throw $t)))');
    const taken = async (options: entry.MeterOptions) => {
      const { bytes, descriptor } = meter(original, options);
      const exports = new Meter({ gcBytes: 1 }).instantiate<Exports>(await WebAssembly.compile(bytes), descriptor);
      return await codeOf(() => exports.throw?.());
    };
    expect(await taken({})).toBe('GUEST_TRAPPED');
    expect(await taken({ countExceptions: true })).toBe('MEMORY_EXCEEDED');
  });

  it('refuses options that it does not know or that are not what they should be', async () => {
    const original = await wat('(module)');
    for (const options of [{ profil: true }, { profile: 'yes' }, { countExceptions: 1 }, { name: 'a plugin' }, { name: '' }, { name: 5 }, null, 'plugin']) {
      expect(await codeOf(() => meter(original, options as entry.MeterOptions))).toBe('INVALID_OPTION');
    }
  });

  it('takes bytes that other threads can reach, and looks at a copy of them', async () => {
    const original = await wat(`(module ${COUNT})`);
    const shared = new Uint8Array(new SharedArrayBuffer(original.length));
    shared.set(original);
    expect(meter(shared)).toEqual(meter(original));
  });
});

describe('Meter', () => {
  it('makes each call of an exported function a metered one', async () => {
    const { guest, exports } = await start(`(module ${COUNT} (func (export "spin") (loop (br 0))))`, { fuel: 10_000 });
    expect(exports.count?.(100)).toBe(100);
    const once = guest.usage.fuel;
    expect(exports.count?.(100)).toBe(100);
    expect(guest.usage.fuel).toBe(2 * once);
    expect(guest.stopped).toBeUndefined();
    expect(await codeOf(() => exports.spin?.())).toBe('FUEL_EXHAUSTED');
    expect(await codeOf(() => exports.count?.(1))).toBe('GUEST_POISONED');
    expect(guest.stopped?.code).toBe('FUEL_EXHAUSTED');
  });

  it('fills in the missing limits with those of the default preset', async () => {
    expect(new Meter().limits).toEqual(limits.default);
    expect(new Meter('restrictive').limits).toEqual(limits.restrictive);
    expect(new Meter({ fuel: 5, timeMs: undefined }).limits).toEqual({ ...limits.default, fuel: 5 });
    expect(new Meter({ ...limits.permissive, callDepth: 7 }).limits).toEqual({ ...limits.permissive, callDepth: 7 });
    expect(Object.isFrozen(limits) && Object.isFrozen(limits.default) && Object.isFrozen(new Meter().limits)).toBe(true);
  });

  it('refuses limits that make no sense or that it does not keep', async () => {
    const refused = [
      { fuel: 0 },
      { fuel: -1 },
      { timeMs: Number.NaN },
      { timeMs: Infinity },
      { callDepth: 1.5 },
      { fule: 1 },
      { outputBytes: 1 },
      'none',
      null,
      5,
      [],
    ];
    for (const input of refused) expect(await codeOf(() => new Meter(input as MeterLimitsInput))).toBe('INVALID_OPTION');
  });

  it('runs the start function under the limits', async () => {
    expect(await codeOf(() => start('(module (func $s (loop (br 0))) (start $s))', { fuel: 1_000 }))).toBe('FUEL_EXHAUSTED');
  });

  it('gives out exports that names of the guest cannot turn against the host', async () => {
    const names = ['then', '__proto__', 'constructor', 'toString', 'toJSON'];
    const { exports } = await start(`(module (func $f ${names.map((name) => `(export "${name}")`).join(' ')} (result i32) (i32.const 7)))`);
    expect(Object.getPrototypeOf(exports)).toBe(null);
    expect(Object.isFrozen(exports)).toBe(true);
    expect(Object.keys(exports).sort()).toEqual(['__proto__', 'constructor', 'toJSON', 'toString']);
    expect(exports.constructor?.()).toBe(7);
    expect(await exports).toBe(exports);
  });

  it('calls between instances of one guest without a host in between', async () => {
    const guest = new Meter({ fuel: 20_000 });
    const library = await instantiate(guest, `(module (memory (export "memory") 1) ${COUNT})`);
    const program = await instantiate(
      guest,
      `(module (import "library" "count" (func $count (param i32) (result i32))) (import "library" "memory" (memory 1))
        (func (export "go") (result i32) (i32.store (i32.const 0) (call $count (i32.const 5))) (i32.load (i32.const 0))) (func (export "same") (call $s)) (func $s))`,
      { library },
    );
    expect(program.go?.()).toBe(5);
    expect(guest.usage).toMatchObject({ hostCalls: 0, memoryBytes: 65_536 });
  });

  it('counts the memories of all instances against one limit', async () => {
    const guest = new Meter({ memoryBytes: 3 * 65_536 });
    const text = '(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))';
    const one = await instantiate(guest, text);
    const two = await instantiate(guest, text);
    expect(one.grow?.(1)).toBe(1);
    expect(two.grow?.(1)).toBe(-1);
    expect(await codeOf(() => instantiate(guest, '(module (memory 1))'))).toBe('MEMORY_EXCEEDED');
  });

  it('counts memories and tables of the host as the own ones of the guest', async () => {
    const text = `(module (import "host" "memory" (memory 1)) (import "host" "table" (table $t 2 externref))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "lengthen") (param i32) (result i32) (table.grow $t (ref.null extern) (local.get 0))))`;
    const host = { memory: new WebAssembly.Memory({ initial: 1 }), table: new WebAssembly.Table({ element: 'externref', initial: 2 }) };
    const { guest, exports } = await start(text, { memoryBytes: 2 * 65_536, tableElements: 5 }, { host });
    expect(guest.usage.memoryBytes).toBe(65_536);
    expect([exports.grow?.(2), exports.grow?.(1), exports.grow?.(1)]).toEqual([-1, 1, -1]);
    expect([exports.lengthen?.(4), exports.lengthen?.(3), exports.lengthen?.(1)]).toEqual([-1, 2, -1]);
    expect(await codeOf(() => start(text, { memoryBytes: 65_536 }, { host }))).toBe('MEMORY_EXCEEDED');
    expect(await codeOf(() => start(text, { tableElements: 4 }, { host }))).toBe('MEMORY_EXCEEDED');
  });

  it('takes globals, tags and shared memories of the host', async () => {
    const host = {
      count: new WebAssembly.Global({ value: 'i32', mutable: true }, 4),
      tag: new WebAssembly.Tag({ parameters: [] }),
      memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }),
    };
    const text = `(module (import "host" "count" (global $c (mut i32))) (import "host" "tag" (tag)) (import "host" "memory" (memory 1 1 shared))
      (func (export "go") (global.set $c (i32.atomic.rmw.add (i32.const 0) (i32.const 5)))))`;
    new Uint8Array(host.memory.buffer)[0] = 7;
    (await start(text, {}, { host })).exports.go?.();
    expect(host.count.value).toBe(7);
    expect(new Uint8Array(host.memory.buffer)[0]).toBe(12);
  });

  it('counts what a guest takes of the heap that the engine collects', async () => {
    const text = '(module (type $bytes (array i8)) (func (export "take") (param i32) (drop (array.new_default $bytes (local.get 0)))))';
    const { bytes, descriptor } = meter(await gcWat(text));
    const guest = new Meter({ gcBytes: 100_000 });
    const { take } = guest.instantiate<Exports>(await WebAssembly.compile(bytes), descriptor);
    take?.(60_000);
    expect(await errorOf(() => take?.(60_000))).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes', maximum: 100_000 } });
  });

  it('says where a guest stopped, by the name that its module was given', async () => {
    const text = '(module (func $inner unreachable) (func (export "go") (call $inner)))';
    const { bytes, descriptor } = meter(await wat(text), { name: 'plugin' });
    const stop = async (kept: entry.MeterDescriptor) => {
      const exports = new Meter().instantiate<Exports>(await WebAssembly.compile(bytes), kept);
      return (await errorOf(() => exports.go?.())).details.source;
    };
    expect(await stop(descriptor)).toEqual({ module: 'plugin', function: 0, name: 'inner', offset: expect.any(Number) });
    expect(await stop(structuredClone(descriptor))).toEqual(await stop(descriptor));
    expect(await stop(JSON.parse(JSON.stringify(descriptor)))).toBeUndefined();
  });

  it('adds up fuel by function where the modules were metered for it, and says so where they were not', async () => {
    const original = await wat(`(module ${COUNT})`);
    const { bytes, descriptor } = meter(original, { name: 'counter', profile: true });
    const guest = new Meter();
    guest.instantiate<Exports>(await WebAssembly.compile(bytes), descriptor).count?.(100);
    expect(guest.profile()).toEqual({ total: guest.usage.fuel, functions: [{ module: 'counter', function: 0, fuel: guest.usage.fuel }] });
    const { guest: other } = await start(`(module ${COUNT})`);
    expect(await codeOf(() => other.profile())).toBe('INVALID_STATE');
  });

  it('gives one function for one function, however often it is exported', async () => {
    const { exports } = await start('(module (func $f (export "a") (export "b")) (func (export "c")))');
    expect(exports.a).toBe(exports.b);
    expect(exports.a).not.toBe(exports.c);
  });

  it('refuses to let a host function call the guest that called it', async () => {
    const held: { exports?: Exports } = {};
    const text = '(module (import "host" "again" (func $again)) (func (export "go") (call $again)))';
    const { exports } = await start(text, {}, { host: { again: () => held.exports?.go?.() } });
    held.exports = exports;
    expect(await codeOf(() => exports.go?.())).toBe('INVALID_STATE');
  });

  it('lets a host function charge for its work', async () => {
    const text = '(module (import "host" "work" (func $work (param i32))) (func (export "go") (param i32) (call $work (local.get 0))))';
    const guest = new Meter({ fuel: 10_000 });
    const exports = await instantiate(guest, text, { host: { work: (units: number) => guest.control.charge(units) } });
    exports.go?.(5_000);
    expect(guest.usage.fuel).toBeGreaterThan(5_000);
    expect(guest.usage.hostCalls).toBe(1);
    expect(await codeOf(() => exports.go?.(10_000))).toBe('FUEL_EXHAUSTED');
  });

  it('ends a guest that was aborted with the reason for it', async () => {
    const { guest, exports } = await start(`(module ${COUNT})`);
    guest.abort('the user closed the tab');
    expect(guest.stopped).toMatchObject({ code: 'ABORTED', cause: 'the user closed the tab' });
    expect(await codeOf(() => exports.count?.(1))).toBe('GUEST_POISONED');
  });

  it('refuses imports that are missing or no objects, and looks at no inherited ones', async () => {
    const text = '(module (import "host" "toString" (func)))';
    for (const imports of [undefined, {}, { host: {} }, Object.create({ host: { toString() {} } })]) {
      expect(await codeOf(() => start(text, {}, imports))).toBe('LINK_FAILED');
    }
    for (const imports of [null, 5, { host: null }, { host: () => 0 }]) {
      expect(await codeOf(() => start(text, {}, imports as unknown as entry.CoreImports))).toBe('INVALID_OPTION');
    }
  });

  it('throws its own kind of error', async () => {
    const { exports } = await start('(module (func (export "trap") unreachable))');
    expect(() => exports.trap?.()).toThrow(GloveportError);
  });
});

/** Every module that `first` leads to (paths below src/), each with what it imports that is no file of src/. */
async function graphOf(first: string, read: (path: string) => Promise<string>): Promise<Map<string, string[]>> {
  const graph = new Map<string, string[]>();
  const waiting = [first];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (graph.has(path)) continue;
    const specifiers = specifiersOf(await read(path));
    graph.set(
      path,
      specifiers.filter((specifier) => !specifier.startsWith('.')),
    );
    for (const specifier of specifiers) if (specifier.startsWith('.')) waiting.push(posix.join(posix.dirname(path), specifier));
  }
  return graph;
}

function specifiersOf(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const found = code.matchAll(/^\s*(?:import\s*|(?:import|export)\b[^;'"=]*\bfrom\s*)['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm);
  return [...found].map(([, fixed, dynamic]) => (fixed ?? dynamic) as string);
}

/** What the compiler says of a module, `$entry` in it being the entry point's source, when it knows the language and the browser but no Node. */
async function compiled(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gloveport-entry-'));
  try {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'main.ts'), text.replace('$entry', join(ROOT, 'src/metering/index.ts')));
    const options = ['--noEmit', '--strict', '--allowImportingTsExtensions', '--module', 'nodenext', '--target', 'es2024', '--lib', 'es2024,dom'];
    return await new Promise((resolve) => {
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
      execFile(process.execPath, [compiler, ...options, 'main.ts'], { cwd: folder }, (error, stdout) => resolve(error === null ? '' : stdout || error.message));
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
