// Where generated code runs: what it can and cannot name, and that the edits it relies on do not pass by in silence.
import { expect, test } from 'vitest';
import { hardenGlue } from '../../src/component/glue.ts';
import { compileGlue } from '../../src/component/scope.ts';

/** What an expression is when the glue evaluates it. */
function seen(expression: string): unknown {
  return compileGlue(`return () => (${expression});`)({})(undefined as never, {}, undefined as never);
}

test.each([
  'process',
  'require',
  'module',
  'fetch',
  'Buffer',
  'Function',
  'eval',
  'queueMicrotask',
  'setInterval',
  'performance',
  'navigator',
  'SharedArrayBuffer',
  'Atomics',
  'Proxy',
])('%s is out of reach', (name) => {
  expect(name in globalThis || name === 'require' || name === 'module').toBe(true);
  expect(seen(`typeof ${name}`)).toBe('undefined');
});

test('nothing that a host adds to the global object is in reach', () => {
  Object.assign(globalThis, { addedByTheHost: 'secret' });
  try {
    expect(seen('typeof addedByTheHost')).toBe('undefined');
  } finally {
    Reflect.deleteProperty(globalThis, 'addedByTheHost');
  }
});

test('nothing of Object.prototype is taken for a global', () => {
  expect(seen('[typeof toString, typeof constructor, typeof hasOwnProperty, typeof __proto__]')).toEqual(['undefined', 'undefined', 'undefined', 'undefined']);
});

test('globalThis holds a frozen WebAssembly without compile functions, and nothing else', () => {
  expect(seen('Object.getOwnPropertyNames(globalThis)')).toEqual(['WebAssembly']);
  expect(seen('Object.isFrozen(globalThis) && Object.isFrozen(WebAssembly)')).toBe(true);
  expect(seen('[typeof WebAssembly.compile, typeof WebAssembly.instantiate, typeof WebAssembly.Memory]')).toEqual(['undefined', 'undefined', 'undefined']);
});

test('an assignment to a name that nothing declares fails and leaves no global', () => {
  expect(() => seen('(leaked = 1)')).toThrow(TypeError);
  expect('leaked' in globalThis).toBe(false);
});

test('code cannot be imported', async () => {
  await expect(seen("import('node:fs')")).rejects.toThrow();
});

test('code runs in strict mode', () => {
  expect(seen('(function () { return this; })()')).toBeUndefined();
});

test('values are of the caller’s realm', () => {
  expect(seen('[1]')).toBeInstanceOf(Array);
  expect(seen('({})')).toBeInstanceOf(Object);
});

test('source that is not JavaScript is UNSUPPORTED_FEATURE', () => {
  expect(() => compileGlue('let a; let a;')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FEATURE' }));
});

test.each([
  ['no entry point', 'const instantiate = 1;', /entry point/],
  ['an export that is not known', 'export function instantiate() {}\nexport const other = 1;', /not exported/],
  ['a slice of another form', 'export function instantiate() {}\nmemory0.buffer.slice(ptr0, end);', /copied within bounds/],
  ['a list loop of another form', 'export function instantiate() {}\nfor (let i = 0; i < len0; i++) { const at = i; }', /charged/],
  ['a table lookup of another form', 'export function instantiate() {}\nhandleTable1[(h << 1) + 1] | 0;', /borrowed exists/],
])('a transpiler’s output with %s is INTERNAL and names the edit', (_what, source, purpose) => {
  expect(() => hardenGlue(source)).toThrow(expect.objectContaining({ code: 'INTERNAL', message: expect.stringMatching(purpose) }));
});

test('text of a guest’s that looks like such a place does not count', () => {
  const source = "export function instantiate() {\nlet gen= (function* _initGenerator () {\nexports0['memory0.buffer.slice(x)'];\n})();\n}";
  expect(hardenGlue(source)).toContain("exports0['memory0.buffer.slice(x)']");
});
