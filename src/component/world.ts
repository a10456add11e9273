// What programs import and export, as lists; and which worlds are refused, since the glue could not tell their imports apart.
import { GloveportError } from '../errors.ts';
import { parseInterfaceName } from '../wasm/component/names.ts';
import type { World, WorldItem } from '../wasm/component/types.ts';
import type { CoreModule } from '../wasm/module.ts';
import type { ProgramExport, ProgramImport } from './program.ts';

export function coreImports({ imports }: CoreModule): ProgramImport[] {
  return imports.map(({ module, name, kind, type }) => ({ module, name, kind, ...(type && { type }) }));
}

export function coreExports({ exports }: CoreModule): ProgramExport[] {
  return exports.map(({ name, kind, type }) => ({ name, kind, ...(type && { type }) }));
}

/** @throws GloveportError UNSUPPORTED_FEATURE for WASI 0.3 and for two incompatible versions of one interface, which would share their host functions. */
export function componentImports({ imports }: World): ProgramImport[] {
  refuseVersions(imports);
  const list = imports.flatMap((item) => members(item).map(({ name, ...rest }) => ({ module: item.kind === 'interface' ? item.name : '', name, ...rest })));
  for (const { name } of list) refuseGlueName(name);
  return list;
}

export function componentExports({ exports }: World): ProgramExport[] {
  return exports.flatMap((item) => members(item).map(({ name, ...rest }) => ({ name: item.kind === 'interface' ? `${item.name}#${name}` : name, ...rest })));
}

function members(item: WorldItem): ProgramExport[] {
  switch (item.kind) {
    case 'function':
      return [{ name: item.name, kind: 'function', type: item.type }];
    case 'resource':
      return [{ name: item.name, kind: 'resource' }];
    case 'interface':
      return [
        ...item.resources.map((name): ProgramExport => ({ name, kind: 'resource' })),
        ...item.functions.map(({ name, type }): ProgramExport => ({ name, kind: 'function', type })),
      ];
  }
}

function refuseVersions(imports: readonly WorldItem[]): void {
  const seen = new Map<string, string>();
  for (const item of imports) {
    const name = parseInterfaceName(item.name);
    if (name?.version === undefined) continue;
    const { base, version } = name;
    const track = compatibilityTrack(version);
    if (base.startsWith('wasi:')) {
      if (track !== '0.2') refuse(`${item.name}: only WASI 0.2 is there`, `WASI ${version}`);
      continue;
    }
    const other = seen.get(base);
    if (other !== undefined && compatibilityTrack(other) !== track)
      refuse(`${base} in the incompatible versions ${other} and ${version}`, 'two versions of one interface');
    seen.set(base, version);
  }
}

// The glue declares these inside the very functions that call imports, and would call its own instead.
const GLUE_NAMES = new Set(['create-task', 'host-provided', 'parent-task', 'results', 'ret', 'started', 'subtask', 'task']);

function refuseGlueName(name: string): void {
  if (GLUE_NAMES.has(name)) refuse(`a function called '${name}', a name that the transpiler uses itself`, `imports called ${name}`);
}

// Versions are compatible when they agree up to their first part that is not zero; a pre-release only with itself.
function compatibilityTrack(version: string): string {
  if (version.includes('-')) return version;
  const parts = version.split('+')[0]?.split('.') as string[];
  const significant = parts.findIndex((part) => part !== '0');
  return parts.slice(0, significant < 0 ? parts.length : significant + 1).join('.');
}

function refuse(what: string, feature: string): never {
  throw new GloveportError('UNSUPPORTED_FEATURE', `the component imports ${what}`, { feature });
}
