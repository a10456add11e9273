// The component reader: types as the source has them, names held to what generated code can carry, and work bounded whatever the bytes are.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { readComponent } from '../../src/wasm/component/reader.ts';
import type { WitFunctionType, WitType, World, WorldItem } from '../../src/wasm/component/types.ts';
import { component, failureOf, kitchen } from '../component/support.ts';

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

function section(id: number, ...contents: number[]): number[] {
  return [id, ...leb(contents.length), ...contents];
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...leb(bytes.length), ...bytes];
}

const read = (...sections: number[][]): World => readComponent(Uint8Array.from([...PREAMBLE, ...sections.flat()]));

function interfaceOf(items: readonly WorldItem[], wanted: string): Extract<WorldItem, { kind: 'interface' }> {
  const found = items.find((item) => item.name === wanted);
  if (found?.kind !== 'interface') throw new Error(`there is no interface ${wanted}`);
  return found;
}

describe('the world of a QuickJS component', () => {
  let world: World;
  let source: string;

  beforeAll(async () => {
    world = readComponent(await kitchen());
    source = await readFile(new URL('../component/kitchen/wit/world.wit', import.meta.url), 'utf8');
  });

  // Named types are written by name in the source; the reader resolves them, so both are compared with the names written out.
  test.each([
    ['imports', 'host'],
    ['exports', 'api'],
  ] as const)('has the types of its source: %s, interface %s', (side, name) => {
    const { functions } = interfaceOf(world[side], `demo:kitchen/${name}@0.1.0`);
    expect(functions.map((found) => signature(found.name, found.type)).sort()).toEqual(declared(source, name));
  });

  test('has its functions and its WASI imports', () => {
    expect(world.exports.filter(({ kind }) => kind === 'function').map(({ name }) => name)).toEqual(['init', 'process', 'then', 'constructor', 'spin']);
    expect(world.imports.map(({ name }) => name)).toContain('wasi:io/streams@0.2.12');
  });

  test('names resources by where they are defined', () => {
    expect(interfaceOf(world.imports, 'demo:kitchen/host@0.1.0').resources).toEqual(['box']);
    expect(interfaceOf(world.exports, 'demo:kitchen/api@0.1.0').resources).toEqual(['counter']);
    expect(interfaceOf(world.imports, 'wasi:filesystem/preopens@0.2.12').resources).toEqual([]);
    const directories = interfaceOf(world.imports, 'wasi:filesystem/preopens@0.2.12').functions[0]?.type.result;
    expect(directories).toMatchObject({ element: { items: [{ kind: 'own', resource: 'wasi:filesystem/types@0.2.12#descriptor' }, { kind: 'string' }] } });
  });

  test('cut off at every 97th byte ends in INVALID_MODULE, or in what comes before the cut', async () => {
    const bytes = await kitchen();
    for (let length = 8; length < bytes.length; length += 97) {
      const cut = bytes.subarray(0, length);
      try {
        readComponent(cut);
      } catch (error) {
        if (!(error instanceof GloveportError && error.code === 'INVALID_MODULE')) throw error;
      }
    }
  });
});

describe('names', () => {
  const exported = (label: string): number[][] => [
    section(7, 1, 0x40, 0, 1, 0),
    section(10, 1, 0, ...name('a:b/c'), 1, 0),
    section(11, 1, 0, ...name(label), 1, 0, 0),
  ];

  test.each(['f', 'get-value', 'get-HTTP2', 'a:b/c', 'a:b/c@1.2.3-rc.1'])('%s is accepted', (label) => {
    expect(read(...exported(label)).exports[0]?.name).toBe(label);
  });

  test.each([
    "a'b",
    'a"b',
    'a`b',
    'a\\b',
    'a\nb',
    'a\u2028b',
    '\x24{a}',
    'a b',
    '',
    '-a',
    'a-',
    '__proto__',
    'a.b',
    'url=<https://a>',
    'x'.repeat(1_001),
    '[async]f',
  ])('%j is refused as an export', (label) => {
    expect(failureOf(() => read(...exported(label))).code).toBe('UNSUPPORTED_FEATURE');
  });

  test('have words of up to 128 characters', () => {
    const [longest, over] = ['x'.repeat(128), 'x'.repeat(129)];
    for (const label of [longest, `a:b/${longest}`]) expect(read(...exported(label)).exports[0]?.name).toBe(label);
    for (const label of [over, `a:b/${over}`, `[method]a.${over}`]) expect(failureOf(() => read(...exported(label))).code).toBe('UNSUPPORTED_FEATURE');
    expect(read(section(7, 1, 0x6d, 1, ...name(longest)))).toEqual({ imports: [], exports: [] });
    expect(failureOf(() => read(section(7, 1, 0x6d, 1, ...name(over)))).code).toBe('UNSUPPORTED_FEATURE');
  });

  test.each(["a'b", 'a_b', '', '__proto__', 'a\0'])('%j is refused as a label of a type', (label) => {
    expect(failureOf(() => read(section(7, 1, 0x6d, 1, ...name(label)))).code).toBe('INVALID_MODULE');
  });

  const aliased = (label: string): number[][] => [section(6, 1, 0x00, 0x00, 0x01, 0, ...name(label))];
  const core = (label: string): number[] => [
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, 1, 0x60, 0, 0),
    ...section(2, 1, ...name(''), ...name(label), 0, 0),
  ];

  test.each(["it's", '"', '`', '\\', '\x24{x}', 'a\rb', '\u2029', '*/', '__proto__', 'x'.repeat(1_001)])('%j is refused anywhere in core code', (label) => {
    expect(failureOf(() => read(...aliased(label))).code).toBe('UNSUPPORTED_FEATURE');
    expect(failureOf(() => read(section(1, ...core(label)))).code).toBe('UNSUPPORTED_FEATURE');
    expect(failureOf(() => read(section(2, 1, 1, 1, ...name(label), 0, 0))).code).toBe('UNSUPPORTED_FEATURE');
    expect(failureOf(() => read(section(4, ...PREAMBLE, ...section(1, ...core(label))))).code).toBe('UNSUPPORTED_FEATURE');
  });

  test.each(['$stack', '#a', '[method]a.b', 'a:b/c@1.0.0#d', 'wit-dylib.wasm:table_base', '$', 'ü'])('%j is accepted in core code', (label) => {
    expect(read(...aliased(label), section(1, ...core(label)))).toEqual({ imports: [], exports: [] });
  });
});

describe('what is known but refused is named', () => {
  test.each([
    ['async functions', section(7, 1, 0x43, 0, 1, 0)],
    ['streams', section(7, 1, 0x66, 0)],
    ['futures', section(7, 1, 0x65, 0)],
    ['error contexts', section(7, 1, 0x70, 0x64)],
    ['maps', section(7, 1, 0x63, 0x73, 0x7d)],
    ['lists of fixed length', section(7, 1, 0x67, 0x7d, 4)],
    ['component types', section(7, 1, 0x41, 0)],
    ['core types in a component', section(3, 1, 0x60, 0, 0)],
    ['component values', section(12, 0)],
    ['async functions', section(8, 1, 0x05)],
    ['streams', section(8, 1, 0x0e, 0)],
    ['futures', section(8, 1, 0x15, 0)],
    ['threads', section(8, 1, 0x26)],
    ['strings in latin1+utf16', [...section(7, 1, 0x40, 0, 1, 0), ...section(8, 1, 0, 0, 0, 1, 2, 0)]],
    ['async functions', [...section(7, 1, 0x40, 0, 1, 0), ...section(8, 1, 0, 0, 0, 1, 6, 0)]],
    ['core modules as imports of a component', section(10, 1, 0, ...name('m'), 0, 0x11, 0)],
  ])('%s', (feature, bytes) => {
    expect(failureOf(() => read(bytes))).toMatchObject({ code: 'UNSUPPORTED_FEATURE', details: { feature } });
  });
});

describe('bombs', () => {
  // Each level instantiates the one below it twice.
  function doubling(levels: number): number[] {
    if (levels === 0) return [...PREAMBLE];
    return [...PREAMBLE, ...section(4, ...doubling(levels - 1)), ...section(5, 2, 0, 0, 0, 0, 0, 0)];
  }

  test('of components that instantiate each other twice are MODULE_TOO_LARGE', () => {
    expect(read(section(4, ...doubling(3)))).toEqual({ imports: [], exports: [] });
    expect(failureOf(() => read(section(4, ...doubling(18)))).code).toBe('MODULE_TOO_LARGE');
  });

  test('of components inside components are MODULE_TOO_LARGE', () => {
    let bytes = [...PREAMBLE];
    for (let depth = 0; depth < 1_000; depth++) bytes = [...PREAMBLE, ...section(4, ...bytes)];
    expect(failureOf(() => readComponent(Uint8Array.from(bytes))).code).toBe('MODULE_TOO_LARGE');
  });

  test('of types that double with each definition are MODULE_TOO_LARGE', () => {
    const definitions = Array.from({ length: 40 }, (_, index) => (index === 0 ? [0x6f, 1, 0x7f] : [0x6f, 2, index - 1, index - 1]));
    expect(failureOf(() => read(section(7, 40, ...definitions.flat()))).code).toBe('MODULE_TOO_LARGE');
  });

  test('of nested lists are MODULE_TOO_LARGE', () => {
    const definitions = Array.from({ length: 60 }, (_, index) => [0x70, index === 0 ? 0x7f : index - 1]);
    expect(failureOf(() => read(section(7, 60, ...definitions.flat()))).code).toBe('MODULE_TOO_LARGE');
    expect(read(section(7, 40, ...definitions.slice(0, 40).flat()))).toEqual({ imports: [], exports: [] });
  });

  test('of components that instantiate the one before are MODULE_TOO_LARGE', () => {
    // Each component takes the one before from the scope around it.
    const links = Array.from({ length: 2_000 }, (_, index) =>
      index === 0 ? section(4, ...PREAMBLE) : section(4, ...PREAMBLE, ...section(6, 1, 4, 2, 1, ...leb(index - 1)), ...section(5, 1, 0, 0, 0)),
    );
    expect(read(...links.slice(0, 10))).toEqual({ imports: [], exports: [] });
    expect(failureOf(() => read(...links)).code).toBe('MODULE_TOO_LARGE');
  });

  test('of instance types that hold an instance of the one before are MODULE_TOO_LARGE', () => {
    const links = Array.from({ length: 2_000 }, (_, index) =>
      section(7, 1, ...(index === 0 ? [0x42, 0] : [0x42, 2, 0x02, 3, 2, 1, ...leb(index - 1), 0x04, 0, ...name('a'), 5, 0])),
    );
    expect(read(...links.slice(0, 10))).toEqual({ imports: [], exports: [] });
    expect(failureOf(() => read(...links)).code).toBe('MODULE_TOO_LARGE');
  });

  test('of instance types inside instance types are MODULE_TOO_LARGE', () => {
    let type = [0x42, 0];
    for (let depth = 0; depth < 100; depth++) type = [0x42, 1, 0x01, ...type];
    expect(failureOf(() => read(section(7, 1, ...type))).code).toBe('MODULE_TOO_LARGE');
  });

  // An instance of `members` functions with `parts` parameters each, exported under `names` names, narrowed or not.
  const shared = (members: number, names: number, parts = 0): number[][] => {
    const params = Array.from({ length: parts }, (_, index) => [...name(`p${index}`), 0x7d]).flat();
    const declared = Array.from({ length: members }, (_, index) => [0x04, 0, ...name(`f${index}`), 1, 0]).flat();
    return [
      section(7, 1, 0x42, ...leb(members + 1), 0x01, 0x40, ...leb(parts), ...params, 1, 0, ...declared),
      section(10, 1, 0, ...name('x'), 5, 0),
      section(11, ...leb(names), ...Array.from({ length: names }, (_, index) => [0, ...name(`e${index}`), 5, 0, 0]).flat()),
    ];
  };

  test('of one instance that is exported under many names are MODULE_TOO_LARGE', () => {
    // Two for each function, the import included, whose type has one part.
    expect(read(...shared(1_000, 49)).exports).toHaveLength(49);
    expect(failureOf(() => read(...shared(1_000, 50)))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'parts of the world', maximum: 100_000 } });
    expect(failureOf(() => read(...shared(2_000, 2_000))).code).toBe('MODULE_TOO_LARGE');
  });

  test('of functions with many parameters are MODULE_TOO_LARGE, and their types are shared', () => {
    const [only] = read(...shared(2, 1, 4_999)).exports as [Extract<WorldItem, { kind: 'interface' }>];
    expect(only.functions[0]?.type).toBe(only.functions[1]?.type);
    expect(only.functions[0]?.type.params).toHaveLength(4_999);
    expect(failureOf(() => read(...shared(2, 1, 5_000)))).toMatchObject({ code: 'MODULE_TOO_LARGE', details: { limit: 'parts of one type' } });
    expect(failureOf(() => read(...shared(10, 1, 4_999)))).toMatchObject({ details: { limit: 'parts of the world' } });
  });

  test('of one instance that is narrowed for many names are as cheap as what they are narrowed to', () => {
    const [types, imports] = shared(10_000, 0) as [number[], number[], number[]];
    const names = Array.from({ length: 10_000 }, (_, index) => [0, ...name(`e${index}`), 5, 0, 1, 5, 1]).flat();
    const world = read(types, section(7, 1, 0x42, 0), imports, section(11, ...leb(10_000), ...names));
    expect(world.exports).toHaveLength(10_000);
    expect(world.exports[0]).toMatchObject({ functions: [], resources: [] });
  });

  test.each([2, 4, 5, 6, 7, 8, 10, 11])('of a count of 2^32-1 in section %i are INVALID_MODULE', (id) => {
    expect(failureOf(() => read(section(id, 0xff, 0xff, 0xff, 0xff, 0x0f))).code).toBe('INVALID_MODULE');
  });
});

test('random sections end in a world or a typed error', () => {
  const sections = fc.array(fc.tuple(fc.integer({ min: 0, max: 13 }), fc.uint8Array({ maxLength: 40 })), { maxLength: 6 });
  const property = fc.property(sections, (parts) => {
    try {
      read(...parts.map(([id, contents]) => section(id, ...contents)));
    } catch (error) {
      if (!(error instanceof GloveportError) || error.code === 'INTERNAL') throw error;
    }
  });
  fc.assert(property, { seed: 3, numRuns: 5_000 });
});

test('a component’s resource that another component wraps keeps its one name', async () => {
  const world = readComponent(
    await component(`(component
      (core module $m (func (export "make") (result i32) (i32.const 1)))
      (core instance $i (instantiate $m))
      (type $counter (resource (rep i32)))
      (func $make (result (own $counter)) (canon lift (core func $i "make")))
      (component $wrapper
        (import "import-type-counter" (type $c (sub resource)))
        (import "import-make" (func $make (result (own $c))))
        (export $exported "counter" (type $c))
        (export "make" (func $make) (func (result (own $exported)))))
      (instance $api (instantiate $wrapper (with "import-type-counter" (type $counter)) (with "import-make" (func $make))))
      (export "demo:a/api@1.0.0" (instance $api)))`),
  );
  expect(world.exports).toEqual([
    {
      kind: 'interface',
      name: 'demo:a/api@1.0.0',
      resources: ['counter'],
      functions: [{ name: 'make', type: { params: [], result: { kind: 'own', resource: 'demo:a/api@1.0.0#counter' } } }],
    },
  ]);
});

// The kitchen's own named types, as WIT writes them without names.
const NAMED: Readonly<Record<string, string>> = {
  point: 'record{x:f64,y:f64,label:option<string>}',
  shape: 'variant{circle(f64),rect(tuple<f64,f64>),none}',
  color: 'enum{red,dark-green}',
  perms: 'flags{can-read,write}',
};
const ALL = `record{b:bool,a-u8:u8,a-s8:s8,a-u16:u16,a-s16:s16,a-u32:u32,a-s32:s32,a-u64:u64,a-s64:s64,a-f32:f32,a-f64:f64,a-char:char,a-string:string,color:${NAMED.color},perms:${NAMED.perms},shape:${NAMED.shape}}`;

/** The function lines of one interface in the source, methods with their `self`, in the form of {@link signature}. */
function declared(source: string, wanted: string): string[] {
  const body = new RegExp(`interface ${wanted} \\{\\n(.*?)\\n\\}`, 's').exec(source)?.[1] as string;
  const found: string[] = [];
  const outside = body.replace(/resource ([a-z-]+) \{(.*?)\}/gs, (_all, resource: string, members: string) => {
    const handle = (kind: string): string => `${kind}<${resource}>`;
    for (const [, params] of members.matchAll(/constructor\(([^)]*)\)/g)) found.push(`[constructor]${resource}: (${params}) -> ${handle('own')}`);
    for (const [, name, isStatic, params, result] of members.matchAll(/([a-z-]+): (static )?func\(([^)]*)\)(?: -> ([^;]+))?;/g)) {
      const self = isStatic === undefined ? `self: ${handle('borrow')}` : '';
      found.push(`[${isStatic === undefined ? 'method' : 'static'}]${resource}.${name}: (${self}${params}) -> ${result ?? ''}`);
    }
    return '';
  });
  for (const [, name, params, result] of outside.matchAll(/^\s*([a-z0-9-]+): func\(([^)]*)\)(?: -> ([^;]+))?;/gm))
    found.push(`${name}: (${params}) -> ${result ?? ''}`);
  return found.map((line) => resolveNames(line).replace(/\s/g, '')).sort();
}

function resolveNames(line: string): string {
  const [head, ...rest] = line.split(': (');
  const types = rest
    .join(': (')
    .replace(/(?<=[:<,>] ?|^)(?:\b)(point|shape|color|perms)\b/g, (name) => NAMED[name] as string)
    .replace(/: all\b|> all\b/g, (match) => match.replace('all', ALL))
    .replace(/(?<=[:<,>] ?)(box|counter)(?=[,)>]|$)/g, 'own<$1>')
    .replace(/(borrow|own)<own<(\w+)>>/g, '$1<$2>')
    .replace(/result<_,/g, 'result<,');
  return `${head}: (${types}`;
}

function signature(name: string, { params, result }: WitFunctionType): string {
  const list = params.map(({ name: param, type }) => `${param}:${render(type)}`).join(',');
  return `${name}:(${list})->${result === undefined ? '' : render(result)}`;
}

function render(type: WitType): string {
  switch (type.kind) {
    case 'record':
      return `record{${type.fields.map(({ name: field, type: inner }) => `${field}:${render(inner)}`).join(',')}}`;
    case 'variant':
      return `variant{${type.cases.map(({ name: label, type: inner }) => (inner === undefined ? label : `${label}(${render(inner)})`)).join(',')}}`;
    case 'list':
      return `list<${render(type.element)}>`;
    case 'tuple':
      return `tuple<${type.items.map(render).join(',')}>`;
    case 'flags':
    case 'enum':
      return `${type.kind}{${type.names.join(',')}}`;
    case 'option':
      return `option<${render(type.some)}>`;
    case 'result':
      if (type.ok === undefined && type.err === undefined) return 'result';
      return `result<${type.ok === undefined ? '' : render(type.ok)}${type.err === undefined ? '' : `,${render(type.err)}`}>`;
    case 'own':
    case 'borrow':
      return `${type.kind}<${type.resource.split('#')[1]}>`;
    default:
      return type.kind;
  }
}
