// The order of the rooms, as docs and reviews rely on it: a room imports only from rooms below it, nothing goes in circles, jco stays behind its
// one door, and the rooms that run in any engine touch no Node API. Also what no tracked file may hold: paths and hosts of the machine it was made on.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOMS = ['base', 'wasm', 'metering', 'component', 'wasi', 'sandbox', 'bridge', 'plugin', 'cli', 'index'];
const BASE = new Set(['errors.ts', 'capabilities.ts', 'limits.ts']);
const ENGINE_NEUTRAL = new Set(['base', 'wasm', 'metering']);

const root = fileURLToPath(new URL('..', import.meta.url));
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const sources = new Map(tracked.filter((path) => path.startsWith('src/')).map((path) => [path.slice('src/'.length), readFileSync(`${root}${path}`, 'utf8')]));

describe('the rooms of src/', () => {
  test('keep their order, their doors and no circles', () => {
    expect(sources.size).toBeGreaterThan(3);
    expect(violations(sources)).toEqual([]);
  });

  test.each([
    ['an import upwards', 'wasm/reader.ts', "import { Meter } from '../metering/meter.ts';", 'wasm/reader.ts: wasm may not import metering/meter.ts'],
    ['a type import upwards', 'errors.ts', "import type { Guest } from './sandbox/guest.ts';", 'errors.ts: base may not import sandbox/guest.ts'],
    ['a dynamic import upwards', 'wasi/cli.ts', "await import('../cli/main.ts');", 'wasi/cli.ts: wasi may not import cli/main.ts'],
    ['an export from upwards', 'metering/index.ts', "export * from '../wasi/io.ts';", 'metering/index.ts: metering may not import wasi/io.ts'],
    ['an import across several lines', 'limits.ts', "import {\n  a,\n} from './cli/a.ts';", 'limits.ts: base may not import cli/a.ts'],
    [
      'jco outside its door',
      'sandbox/load.ts',
      "import { transpile } from '@bytecodealliance/jco-transpile';",
      'sandbox/load.ts: only component/ may import jco',
    ],
    [
      'Node in an engine-neutral room',
      'metering/meter.ts',
      "import { hrtime } from 'node:process';",
      'metering/meter.ts: metering may not import node:process',
    ],
    ['an unknown room', 'shortcuts/all.ts', '', 'shortcuts/all.ts: shortcuts is not a room'],
  ])('%s is noticed', (_what, path, text, complaint) => {
    expect(violations(new Map([[path, text]]))).toEqual([complaint]);
  });

  test('a circle is noticed, and what only looks like an import is not', () => {
    const circle = new Map([
      ['wasi/a.ts', "import { b } from './b.ts';"],
      ['wasi/b.ts', "import { c } from './c.ts';"],
      ['wasi/c.ts', "import { a } from './a.ts';\n// import { x } from '../cli/x.ts';"],
    ]);
    expect(violations(circle)).toEqual(['circle: wasi/a.ts > wasi/b.ts > wasi/c.ts > wasi/a.ts']);
  });
});

describe('tracked files', () => {
  test('name no path of a machine and no registry host', () => {
    const guilty = tracked.filter((path) => namesMachine(readFileSync(`${root}${path}`, 'latin1')));
    expect(guilty).toEqual([]);
  });

  test('would be caught doing so', () => {
    expect(namesMachine(`see ${['', 'home', 'someone', 'project'].join('/')}`)).toBe(true);
    expect(namesMachine(`"resolved": "${['https:', '', 'packages.example.com', 'x'].join('/')}"`)).toBe(true);
    expect(namesMachine('/home and /data/secret are fine, and so is https://example.com/')).toBe(false);
  });
});

/** What is wrong with the imports of `files` (path below src/ to text), one line each. */
function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, text] of files) {
    const room = roomOf(path);
    if (!ROOMS.includes(room)) {
      found.push(`${path}: ${room} is not a room`);
      continue;
    }
    const local: string[] = [];
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) {
        const target = posix.join(posix.dirname(path), specifier);
        local.push(target);
        if (ROOMS.indexOf(roomOf(target)) > ROOMS.indexOf(room)) found.push(`${path}: ${room} may not import ${target}`);
      } else if (specifier.startsWith('@bytecodealliance/jco')) {
        if (room !== 'component') found.push(`${path}: only component/ may import jco`);
      } else if (specifier.startsWith('node:') && ENGINE_NEUTRAL.has(room)) {
        found.push(`${path}: ${room} may not import ${specifier}`);
      }
    }
    graph.set(path, local);
  }
  return [...found, ...circles(graph)];
}

function roomOf(path: string): string {
  if (BASE.has(path)) return 'base';
  return path.includes('/') ? (path.split('/')[0] as string) : posix.basename(path, '.ts');
}

/** The specifiers of static and dynamic imports and of re-exports; comments are no code. */
function importsOf(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  return [...code.matchAll(/^\s*(?:import|export)\b[^;'"]*?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)].map((match) => (match[1] ?? match[2]) as string);
}

function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push(`circle: ${[...trail.slice(trail.indexOf(path)), path].join(' > ')}`);
    } else if (!done.has(path)) {
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function namesMachine(text: string): boolean {
  return /\/(?:home|Users|root|work|tmp)\/[\w.-]+\/[\w.-]+|"resolved": "https?:|registry\.[\w-]+\.\w+/.test(text);
}
