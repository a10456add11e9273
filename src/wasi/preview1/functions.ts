// wasi_snapshot_preview1 for one core module, over the same files, clocks and streams as WASI 0.2, without an adapter.
import { Cap } from '../../capabilities.ts';
import type { Clocks } from '../clocks.ts';
import type { Console, OutputSink } from '../console.ts';
import type { WasiContext } from '../context.ts';
import type { MountPoint } from '../filesystem/mount.ts';
import type { Random } from '../random.ts';
import { DescriptorTable } from './descriptors.ts';
import { Errno, errnoOf } from './errno.ts';
import { fileFunctions } from './files.ts';
import { GuestMemory } from './memory.ts';
import { pathFunctions } from './paths.ts';
import { processFunctions } from './process.ts';

/** Functions of preview 1 that exist and answer ENOSYS: no library of the languages at hand needs them. */
export const unimplemented: readonly string[] = Object.freeze(['fd_fdstat_set_rights', 'proc_raise']);

/** One guest's parts, out of which {@link preview1Functions} makes the functions. */
export interface Preview1Environment {
  readonly context: WasiContext;
  readonly console: Console;
  readonly clocks: Clocks;
  readonly random: Random;
  readonly points: readonly MountPoint[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
}

/** The functions by name, without a prototype, each giving an errno. Until `memory` gives one, every pointer is EFAULT. */
export function preview1Functions(
  environment: Preview1Environment,
  memory: () => WebAssembly.Memory | undefined,
): Readonly<Record<string, (...args: never[]) => unknown>> {
  const { context, points, env } = environment;
  const table = new DescriptorTable(context, points);
  const guestMemory = new GuestMemory(context, memory);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const bodies: Record<string, (...args: never[]) => void> = {
    ...fileFunctions({ ...environment, table, memory: guestMemory }),
    ...pathFunctions(guestMemory, table),
    ...processFunctions({ ...environment, table, memory: guestMemory, variables: () => (context.allows(Cap.ENV) ? variables : []) }),
  };
  const functions: Record<string, (...args: never[]) => unknown> = Object.create(null);
  for (const [name, body] of Object.entries(bodies)) functions[name] = (...args: never[]) => errnoOf(() => body(...args));
  for (const name of unimplemented) functions[name] = () => Errno.NOSYS;
  return Object.freeze(functions);
}
