// Preview 1 for one core module, under both of its names, over the same files, clocks and streams as WASI 0.2, without an adapter.
import type { Clocks } from '../clocks.ts';
import type { Console } from '../console.ts';
import type { WasiContext } from '../context.ts';
import type { Environment } from '../environment.ts';
import type { MountPoint } from '../filesystem/mount-point.ts';
import type { Random } from '../random.ts';
import type { EngineMemory } from '../../wasm/engine.ts';
import { DescriptorTable } from './descriptors.ts';
import { errnoOf } from './errno.ts';
import { fileFunctions } from './files.ts';
import { LAYOUTS } from './layouts.ts';
import { GuestMemory } from './memory.ts';
import { pathFunctions } from './paths.ts';
import { processFunctions } from './process.ts';

/** One guest's parts, out of which {@link preview1Functions} makes the functions. */
export interface Preview1Environment {
  readonly context: WasiContext;
  readonly console: Console;
  readonly environment: Environment;
  readonly clocks: Clocks;
  readonly random: Random;
  readonly points: readonly MountPoint[];
}

/** Functions by name, without a prototype, each giving an errno. */
export type Preview1Functions = Readonly<Record<string, (...args: never[]) => unknown>>;

/**
 * What a module that imports preview 1 gets: asked for the name of an import module, gives its functions, or undefined when preview 1 has no such name. Both
 * names work on the same descriptors. Until `memory` gives one, every pointer is EFAULT.
 */
export function preview1Functions(environment: Preview1Environment, memory: () => EngineMemory | undefined): (module: string) => Preview1Functions | undefined {
  const { context, points } = environment;
  const table = new DescriptorTable(context, points);
  const guestMemory = new GuestMemory(context, memory);
  const made = new Map<string, Preview1Functions>();
  return (module) => {
    const known = made.get(module);
    const layout = LAYOUTS.get(module);
    if (known !== undefined || layout === undefined) return known;
    const parts = { ...environment, layout, table, memory: guestMemory };
    const bodies: Record<string, (...args: never[]) => void> = {
      ...fileFunctions(parts),
      ...pathFunctions(layout, guestMemory, table),
      ...processFunctions(parts),
    };
    const functions: Record<string, (...args: never[]) => unknown> = Object.create(null);
    for (const [name, body] of Object.entries(bodies)) {
      if (!layout.without.includes(name)) functions[name] = (...args: never[]) => errnoOf(() => body(...args));
    }
    made.set(module, Object.freeze(functions));
    return functions;
  };
}
