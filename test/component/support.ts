// Components for tests, and guests made of them: a QuickJS component with every kind of value, built once and kept, and components written as text.
import { parse } from '@bytecodealliance/jco';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { quickjsGuest } from '../../guest-examples/build.ts';
import { compileProgram } from '../../src/component/compile.ts';
import { bindHostFunction } from '../../src/component/host-functions.ts';
import { camelCase, placeOf, withoutVersion } from '../../src/component/naming.ts';
import { findFunction, type ImportObject, type Program, type ProgramInstance } from '../../src/component/program.ts';
import { ComponentError, GloveportError } from '../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { Meter } from '../../src/metering/meter.ts';

/** The component of `kitchen/`, built with the QuickJS backend. */
export function kitchen(): Promise<Uint8Array> {
  return quickjsGuest(new URL('./kitchen/', import.meta.url));
}

/** Component text to bytes. */
export async function component(text: string): Promise<Uint8Array> {
  return parse(text);
}

/** A component of one core module whose functions are lifted as they are: `exports` are WIT types of functions by name. */
export function lifted(core: string, exports: Readonly<Record<string, string>>, definitions = ''): Promise<Uint8Array> {
  const functions = Object.entries(exports).map(
    ([name, type]) =>
      `(func (export "${name}") ${type} (canon lift (core func $i "${name}") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))`,
  );
  return component(`(component ${definitions} (core module $m ${MEMORY} ${core}) (core instance $i (instantiate $m)) ${functions.join('\n')})`);
}

// A memory of two pages whose allocator only ever moves on, from the second page.
const MEMORY = `(memory (export "memory") 2) (global $next (mut i32) (i32.const 65536))
  (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get $size))))`;

// biome-ignore lint/suspicious/noExplicitAny: whatever a test's host functions take
type Hosts = Readonly<Record<string, Readonly<Record<string, (...args: any[]) => unknown>>>>;

export interface TestGuest {
  readonly program: Program;
  readonly instance: ProgramInstance;
  readonly meter: Meter;
  call(name: string, ...args: unknown[]): unknown;
  /** The error of a call that must fail with one of ours. */
  failure(name: string, ...args: unknown[]): GloveportError;
}

/** A guest of `bytes`. Host functions are keyed by interface without version and camelCase name, WASI is the shim's. */
export async function load(bytes: Uint8Array, hosts: Hosts = {}, limits: LimitsInput = {}): Promise<TestGuest> {
  const resolved = resolveLimits(limits);
  return instantiate(await compileProgram(bytes, { limits: resolved }), hosts, limits);
}

export function instantiate(program: Program, hosts: Hosts = {}, limits: LimitsInput = {}): TestGuest {
  const resolved = resolveLimits(limits);
  const meter = new Meter(resolved);
  const instance = meter.run(() => program.instantiate(meter, provide(program, hosts, meter), resolved));
  const call = (name: string, ...args: unknown[]): unknown => {
    const target = findFunction(instance, name);
    if (target === undefined) throw new Error(`there is no ${name}`);
    const checked = target.check(args);
    return meter.run(() => target.invoke(checked));
  };
  return { program, instance, meter, call, failure: (name, ...args) => failureOf(() => call(name, ...args)) };
}

export function failureOf(work: () => unknown): GloveportError {
  try {
    work();
  } catch (error) {
    if (error instanceof GloveportError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** The payload that `work` fails with. */
export function payloadOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    if (error instanceof ComponentError) return error.payload;
    throw error;
  }
  throw new Error('it did not fail');
}

function provide({ imports }: Program, hosts: Hosts, { control }: Meter): ImportObject {
  const wasi = new WASIShim().getImportObject() as ImportObject;
  const provided: Record<string, Record<string, unknown>> = Object.create(null);
  for (const { module, name, kind, type } of imports) {
    const key = withoutVersion(module);
    if (key.startsWith('wasi:')) {
      provided[key] = { ...wasi[key] };
      continue;
    }
    const host = Object.hasOwn(hosts, key) ? hosts[key] : undefined;
    if (host === undefined) continue;
    provided[key] ??= { ...host };
    const place = placeOf(name);
    const implementation = host[camelCase(name)];
    if (kind !== 'function' || place.kind !== 'function' || type === undefined || implementation === undefined) continue;
    provided[key][module.includes(':') ? camelCase(name) : name] = bindHostFunction(name, type, implementation, control);
  }
  return provided;
}
