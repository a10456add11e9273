// A core module as a program: its imports by name, its functions with their arguments checked.
import { GloveportError, printable } from '../errors.ts';
import type { Meter } from '../metering/meter.ts';
import { checkArguments } from './arguments.ts';
import type { Artifact, MeteredCore } from './artifact.ts';
import type { ExportedFunction, ImportObject, Program, ProgramInstance } from './program.ts';
import type { CoreFunctionType } from './types.ts';

type Callable = (...args: unknown[]) => unknown;

/** @param module `artifact.modules[0]`, compiled. */
export function coreProgram(artifact: Artifact, module: WebAssembly.Module): Program {
  const { kind, bytes, requires, imports, exports } = artifact;
  const { descriptor } = artifact.modules[0] as MeteredCore;
  const instantiate = (meter: Meter, provided: ImportObject): ProgramInstance => {
    for (const wanted of imports) if (wanted.kind !== 'function') throw refused(wanted);
    const own = meter.instantiate(module, descriptor, provided);
    const functions = new Map<string, ExportedFunction>();
    for (const { name, kind: exported, type } of exports) {
      if (exported === 'function') functions.set(name, exportedFunction(name, type as CoreFunctionType, own[name] as Callable, meter));
    }
    const memory = Object.hasOwn(own, 'memory') ? own.memory : undefined;
    return { functions, interfaces: Object.freeze(Object.create(null)), ...(memory instanceof WebAssembly.Memory && { memory }) };
  };
  return Object.freeze({ kind, bytes, requires, imports, exports, instantiate });
}

function exportedFunction(name: string, type: CoreFunctionType, call: Callable, meter: Meter): ExportedFunction {
  const foreign = type.results.find((result) => !/^[if](?:32|64)$/.test(result));
  return {
    name,
    type,
    check: (args) => {
      if (foreign === undefined) return checkArguments(name, type, args, () => false);
      throw new GloveportError('UNSUPPORTED_FEATURE', `${printable(name, 200)} returns a ${foreign}, which does not cross between guest and host`, {
        function: name,
        feature: foreign,
      });
    },
    invoke: (args) => call(...args),
    invokeAsync: (args) => meter.call(call, args),
  };
}

function refused({ module, name, kind }: Program['imports'][number]): GloveportError {
  const label = `${printable(module, 200)} ${printable(name, 200)}`;
  return new GloveportError('LINK_FAILED', `the module imports the ${kind} ${label}; hosts provide functions only`, { module, name, kind });
}
