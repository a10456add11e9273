// The capability mapper: grants in, import object out. What a program imports comes from the caller's host functions or from this guest's own WASI host;
// every other import is refused by name before anything is instantiated.
import { bindHostFunction } from '../component/host-functions.ts';
import { camelCase, pascalCase, placeOf, withoutVersion } from '../component/naming.ts';
import type { ImportObject, Program, ProgramImport } from '../component/program.ts';
import { GloveportError, printable } from '../errors.ts';
import type { GuestControl } from '../metering/control.ts';
import { isStackOverflow } from '../metering/meter.ts';
import { isStringBuiltin } from '../metering/string-builtins.ts';
import type { EngineMemory } from '../wasm/engine.ts';
import type { WasiHost } from './host.ts';
import { impliedCapabilities, requiredCapabilities } from './requirements.ts';
import { checkSignature } from './signatures.ts';

// biome-ignore lint/suspicious/noExplicitAny: a host function's own parameter types are the caller's business
export type HostFunction = (...args: any[]) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: so are those of a resource's constructor
export type HostResource = abstract new (...args: any[]) => object;
/** What a host gives for one interface or import module: functions, and classes for its resources. */
export type HostInterface = Readonly<Record<string, HostFunction | HostResource>>;
/** Host functions by interface or import module; a function at the top level is one that a world imports directly. */
export type HostFunctions = Readonly<Record<string, HostFunction | HostInterface>>;

/**
 * The object that `program` is instantiated with: for each import the caller's host function of that name, else what WASI has for it, else an error. A host
 * function takes the place of WASI's own. What WASI gives to an ungranted import denies it from inside (see `WasiHost`).
 * @param memory the memory of a core module, once it is there.
 * @throws GloveportError LINK_FAILED naming every import that nothing provides, or one of WASI whose type is not the real one.
 */
export function mapImports(
  program: Program,
  wasi: WasiHost,
  hosts: HostFunctions,
  memory: () => EngineMemory | undefined,
  control: GuestControl,
): ImportObject {
  const mapped: Record<string, Record<string, unknown>> = Object.create(null);
  const missing: string[] = [];
  const provide = program.kind === 'component' ? componentProvider(wasi, hosts, control) : coreProvider(wasi.preview1(memory), hosts, control);
  for (const wanted of program.imports) {
    const provided = provide(wanted);
    if (provided === undefined) {
      missing.push(wanted.module === '' ? wanted.name : `${wanted.module} ${wanted.name}`);
    } else {
      mapped[provided.key] ??= Object.create(null) as Record<string, unknown>;
      Object.assign(mapped[provided.key] as object, provided.members);
    }
  }
  if (missing.length > 0) throw linkFailed(missing);
  return mapped;
}

/** The capabilities that `imports` imply, as far as WASI stands for them and the caller's `hosts` do not take its place. */
export function requiredBy(imports: readonly ProgramImport[], hosts: HostFunctions = Object.create(null)): number {
  const left = imports.filter(({ module, name }) => {
    const host = hostInterface(hosts, module);
    return host === undefined || !Object.hasOwn(host, memberOf(module, name));
  });
  return left.reduce((mask, { module, name }) => mask | impliedCapabilities(module, name), 0);
}

interface Provided {
  /** Where the program looks for it: the interface without its version, or the import module. */
  readonly key: string;
  readonly members: Readonly<Record<string, unknown>>;
}
type Provider = (wanted: ProgramImport) => Provided | undefined;

function componentProvider(wasi: WasiHost, hosts: HostFunctions, control: GuestControl): Provider {
  const interfaces: Readonly<Record<string, object>> = wasi.component();
  return (wanted) => {
    const key = wanted.module === '' ? wanted.name : withoutVersion(wanted.module);
    if (wanted.module === '') {
      const implementation = hosts[wanted.name] ?? hosts[camelCase(wanted.name)];
      return typeof implementation === 'function' ? { key, members: { default: bind(wanted.name, wanted, implementation, control) } } : undefined;
    }
    const host = hostInterface(hosts, wanted.module);
    const own = host && fromHostInterface(key, host, wanted, control);
    if (own !== undefined) return own;
    const members = interfaces[key] as Readonly<Record<string, unknown>> | undefined;
    const known = requiredCapabilities(wanted.module, wanted.kind === 'resource' ? `[resource-drop]${wanted.name}` : wanted.name) !== undefined;
    if (!known || members === undefined) return undefined;
    checkSignature(wanted);
    const member = wanted.kind === 'resource' ? pascalCase(wanted.name) : memberOf(wanted.module, wanted.name);
    return { key, members: { [member]: members[member] } };
  };
}

function hostInterface(hosts: HostFunctions, module: string): HostInterface | undefined {
  const host = hosts[module] ?? hosts[withoutVersion(module)];
  return typeof host === 'object' ? host : undefined;
}

/** The name that a host has for an import: a core module's own, or WIT's in JavaScript's spelling. */
function memberOf(module: string, name: string): string {
  if (!module.includes(':')) return name;
  const place = placeOf(name);
  return place.kind === 'function' ? place.property : place.resource;
}

// Resources come as classes, whose methods the component's glue calls by itself; free functions are bound one by one.
function fromHostInterface(key: string, host: HostInterface, wanted: ProgramImport, control: GuestControl): Provided | undefined {
  if (wanted.kind === 'resource') return fromHost(key, host, pascalCase(wanted.name));
  const place = placeOf(wanted.name);
  if (place.kind !== 'function') return fromHost(key, host, place.resource);
  const implementation = host[place.property];
  if (implementation === undefined) return undefined;
  return { key, members: { [place.property]: bind(`${wanted.module}#${wanted.name}`, wanted, implementation, control) } };
}

function fromHost(key: string, host: HostInterface, name: string): Provided | undefined {
  return host[name] === undefined ? undefined : { key, members: { [name]: host[name] } };
}

function coreProvider(preview1: ReturnType<WasiHost['preview1']>, hosts: HostFunctions, control: GuestControl): Provider {
  return (wanted) => {
    const host = hosts[wanted.module];
    const implementation = typeof host === 'object' ? host[wanted.name] : undefined;
    if (implementation !== undefined && wanted.kind === 'function') {
      return { key: wanted.module, members: own(wanted.name, bind(`${wanted.module} ${wanted.name}`, wanted, implementation, control)) };
    }
    // The meter brings those by itself.
    if (wanted.kind === 'function' && isStringBuiltin(wanted.module, wanted.name)) return { key: wanted.module, members: {} };
    const provided = wanted.kind === 'function' ? preview1(wanted.module)?.[wanted.name] : undefined;
    if (provided === undefined) return undefined;
    checkSignature(wanted);
    return { key: wanted.module, members: own(wanted.name, faultless(provided as HostFunction, control)) };
  };
}

// What WASI's own functions throw, apart from stops and the end of the stack, is a fault of ours and not the guest's.
function faultless(implementation: HostFunction, control: GuestControl): HostFunction {
  return (...values) => {
    try {
      return implementation(...values);
    } catch (error) {
      if (control.isStop(error) || isStackOverflow(error)) throw error;
      return control.stop(new GloveportError('INTERNAL', 'a function of WASI failed; please report it', {}, { cause: error }));
    }
  };
}

function bind(label: string, wanted: ProgramImport, implementation: HostFunction | HostResource, control: GuestControl): unknown {
  if (wanted.type === undefined) throw new GloveportError('INTERNAL', `the import ${printable(label)} has no function type`);
  return bindHostFunction(label, wanted.type, implementation as HostFunction, control);
}

// The name is the module's choice, `__proto__` included.
function own(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return Object.defineProperty(Object.create(null), name, { value, enumerable: true });
}

function linkFailed(missing: readonly string[]): GloveportError {
  const names = missing.map((name) => printable(name, 200));
  const shown = names.slice(0, 10).join(', ');
  return new GloveportError(
    'LINK_FAILED',
    `nothing provides the module's imports: ${shown}${names.length > 10 ? ` and ${names.length - 10} more` : ''}; give host functions for them in the option 'imports'`,
    { missing: names },
  );
}
