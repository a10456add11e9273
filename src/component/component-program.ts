// A component as a program: transpiled glue around metered core modules, instantiated synchronously and for one guest at a time.
import { GloveportError } from '../errors.ts';
import { type Limits, limits as presets } from '../limits.ts';
import type { CoreImports, Meter } from '../metering/meter.ts';
import type { MeterDescriptor } from '../metering/rewrite.ts';
import { checkArguments } from './arguments.ts';
import type { Artifact } from './artifact.ts';
import { elementCosts } from './element-costs.ts';
import { Guards } from './guards.ts';
import { pascalCase, placeOf, withoutVersion } from './naming.ts';
import { type ExportedFunction, type ImportObject, type Program, type ProgramInstance, splitName } from './program.ts';
import { compileGlue } from './scope.ts';
import type { FunctionType } from './types.ts';
import type { ResourceCheck } from './values.ts';

type Callable = (...args: unknown[]) => unknown;
type Class = { readonly prototype: object; new (...args: unknown[]): object };
type Members = Readonly<Record<string, unknown>>;
type Interfaces = Readonly<Record<string, Members>>;

/** @param modules those of `artifact`, compiled, in its order. */
export function componentProgram(artifact: Artifact, modules: readonly WebAssembly.Module[]): Program {
  const { kind, bytes, requires, imports, exports } = artifact;
  const glue = compileGlue(artifact.glue as string);
  const costs = elementCosts(artifact);
  const byName = new Map(artifact.modules.map(({ name }, index) => [name, modules[index] as WebAssembly.Module]));
  const descriptors = new Map(artifact.modules.map(({ descriptor }, index) => [modules[index] as WebAssembly.Module, descriptor]));

  const instantiate = (meter: Meter, provided: ImportObject, limits: Limits = presets.default): ProgramInstance => {
    const guards = new Guards(meter, limits, costs);
    const given = selectImports(imports, provided);
    const instantiateCore = (module: WebAssembly.Module, core: CoreImports = {}) => ({
      exports: meter.instantiate(module, descriptors.get(module) as MeterDescriptor, core),
    });
    const transpiled = glue(guards.scope)((name) => byName.get(name) as WebAssembly.Module, given, instantiateCore);
    const interfaces = selectExports(exports, transpiled, guards);
    return { functions: bindFunctions(exports, interfaces, resourceCheck(interfaces, given, guards), guards, meter), interfaces };
  };
  return Object.freeze({ kind, bytes, requires, imports, exports, instantiate });
}

// Only what the component declares, by own property, so that no name of the guest's finds anything else.
function selectImports(imports: Program['imports'], provided: ImportObject): Interfaces {
  const given: Record<string, Record<string, unknown>> = Object.create(null);
  for (const { module, name, kind } of imports) {
    // What a world imports directly is the `default` of its own name, or of its resource's.
    const [key, member] = module === '' ? [name.replace(/^\[[a-z]+\]|\..*$/g, ''), 'default'] : [withoutVersion(module), memberName(name, kind)];
    const members = Object.hasOwn(provided, key) ? provided[key] : undefined;
    if (members === undefined || !Object.hasOwn(members, member)) {
      throw new GloveportError('LINK_FAILED', `nothing provides the import ${module === '' ? name : `${module} ${name}`}`, { module, name, kind });
    }
    given[key] ??= Object.create(null) as Record<string, unknown>;
    given[key][member] = members[member];
  }
  return given;
}

function selectExports(exports: Program['exports'], transpiled: Members, guards: Guards): Interfaces {
  const interfaces: Record<string, Record<string, unknown>> = Object.create(null);
  for (const { name, kind } of exports) {
    const [owner, member] = splitName(name);
    const from = owner === '' ? transpiled : (transpiled[owner] as Members | undefined);
    interfaces[owner] ??= Object.create(null) as Record<string, unknown>;
    const property = memberName(member, kind);
    interfaces[owner][property] = from?.[property] ?? (kind === 'resource' ? unexported(guards) : undefined);
  }
  for (const members of Object.values(interfaces)) Object.freeze(members);
  return Object.freeze(interfaces);
}

// The glue does not export the class of a resource that has no functions of its own; its resources are known by having been given out.
function unexported(guards: Guards): Class {
  return class {
    static [Symbol.hasInstance](value: unknown): boolean {
      return typeof value === 'object' && value !== null && guards.isLiveResource(value);
    }

    constructor() {
      throw new TypeError('this resource has no constructor');
    }
  };
}

// Methods, static functions and constructors come with the class of their resource.
function memberName(name: string, kind: string): string {
  if (kind === 'resource') return pascalCase(name);
  const place = placeOf(name);
  return place.kind === 'function' ? place.property : place.resource;
}

function bindFunctions(
  exports: Program['exports'],
  interfaces: Interfaces,
  isResource: ResourceCheck,
  guards: Guards,
  meter: Meter,
): Map<string, ExportedFunction> {
  const functions = new Map<string, ExportedFunction>();
  for (const { name, kind, type } of exports) {
    if (kind !== 'function') continue;
    const [owner, member] = splitName(name);
    const call = callableAt(interfaces[owner] as Members, member);
    const isConstructor = placeOf(member).kind === 'constructor';
    functions.set(name, {
      name,
      type: type as FunctionType,
      check: (args) => checkArguments(name, type as FunctionType, args, isResource),
      invoke: (args) => {
        guards.reset();
        return isConstructor ? call(...args) : runToEnd(call(...args) as Steps);
      },
      invokeAsync: async (args) => {
        guards.reset();
        return isConstructor ? call(...args) : runSuspending(call(...args) as Steps, meter);
      },
    });
  }
  return functions;
}

/** An exported function of the glue's under way: it yields the function of the core module that is to be called, with its values. */
type Steps = Generator<readonly [core: Callable, values: readonly unknown[]], unknown, unknown>;

function runToEnd(steps: Steps): unknown {
  let step = steps.next();
  while (!step.done) {
    const [core, values] = step.value;
    let result: unknown;
    try {
      result = core(...values);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(result);
  }
  return step.value;
}

async function runSuspending(steps: Steps, meter: Meter): Promise<unknown> {
  let step = steps.next();
  while (!step.done) {
    const [core, values] = step.value;
    let result: unknown;
    try {
      result = await meter.call(core, values);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(result);
  }
  return step.value;
}

function callableAt(members: Members, name: string): Callable {
  const place = placeOf(name);
  if (place.kind === 'function') return members[place.property] as Callable;
  const owner = members[place.resource] as Class;
  if (place.kind === 'constructor') return (...args) => new owner(...args);
  if (place.kind === 'static') return (owner as unknown as Record<string, Callable>)[place.property] as Callable;
  const method = (owner.prototype as Record<string, Callable>)[place.property] as Callable;
  return (self, ...args) => Reflect.apply(method, self, args);
}

// A resource is of the class that stands for its type; one of the guest's own also has to be alive.
function resourceCheck(exported: Interfaces, imported: Interfaces, guards: Guards): ResourceCheck {
  return (resource, value) => {
    const [owner, name] = resource.includes('#') ? splitName(resource) : ['', resource];
    const own = exported[owner]?.[pascalCase(name)];
    if (typeof own === 'function') return value instanceof own && guards.isLiveResource(value);
    const host = owner === '' ? imported[name]?.default : imported[withoutVersion(owner)]?.[pascalCase(name)];
    return typeof host === 'function' && value instanceof host;
  };
}
