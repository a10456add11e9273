// A guest that does to WASI what the test says: a real component, whose one core module imports every function of WASI 0.2 and calls the one with a given
// number, with the core values that it is given. So a test can do through all of the generated code what a program would, and also what none should.
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
import type { WitType } from '../../src/component/types.ts';
import { WASI_INTERFACES } from '../../src/wasi/component/signatures.ts';
import type { Signature } from '../../src/wasi/component/signatures/reader.ts';
import { type CoreType, flatten, type GuestMemory, load, lower, sizeOf } from '../support/canonical-abi.ts';
import { WASI_VERSION, witOfWorld } from '../support/wasi-wit.ts';
import { wat } from '../support/wat.ts';

/** The component. It imports `modules`, interfaces of WASI without version. */
export async function callerComponent(modules: readonly string[]): Promise<Uint8Array> {
  const exports = [
    'export reset: func()',
    'export put: func(bytes: list<u8>) -> u32',
    'export get: func(at: u32, length: u32) -> list<u8>',
    'export call: func(number: u32, values: list<u64>) -> u64',
  ];
  const witSource = await witOfWorld([...modules.map((module) => `import ${module}@${WASI_VERSION}`), ...exports]);
  const binary = await wat(coreModule(functionsOf(modules)));
  return componentNew(await componentEmbed({ witSource, binary, features: { tag: 'all' } }), []);
}

/** Calls an export of the component. */
export type Invoke = (name: 'reset' | 'put' | 'get' | 'call', ...args: unknown[]) => unknown;

/** A running one. Values are those of `canonical-abi.ts`. */
export class Caller {
  readonly #functions: readonly ImportedFunction[];
  readonly #invoke: Invoke;
  readonly #memory: GuestMemory;

  constructor(modules: readonly string[], invoke: Invoke) {
    this.#functions = functionsOf(modules);
    this.#invoke = invoke;
    this.#memory = { get: (at, length) => invoke('get', at, length) as Uint8Array, put: (bytes) => invoke('put', bytes) as number };
  }

  /** What the function `name` of `module` gives for `values`, in WIT's names: `[method]pollable.ready`, `[resource-drop]pollable`. */
  call(module: string, name: string, ...values: unknown[]): unknown {
    const number = this.#functions.findIndex((one) => one.module === module && one.name === name);
    const { params, result, pointer } = this.#functions[number] as ImportedFunction;
    this.#invoke('reset');
    const flat = params.flatMap((type, index) => lower(type, values[index], this.#memory));
    const size = result === undefined ? 0 : sizeOf(result);
    const at = pointer ? this.#memory.put(new Uint8Array(size)) : 0;
    const single = this.#invoke('call', number, new BigUint64Array(pointer ? [...flat, BigInt(at)] : flat)) as bigint;
    if (result === undefined) return undefined;
    return load(result, pointer ? this.#memory.get(at, size) : new Uint8Array(new BigUint64Array([single]).buffer), 0, this.#memory);
  }
}

interface ImportedFunction extends Signature {
  readonly module: string;
  readonly name: string;
  /** Whether the result is stored where a last parameter points. */
  readonly pointer: boolean;
}

function functionsOf(modules: readonly string[]): readonly ImportedFunction[] {
  return modules.flatMap((module) => {
    const { functions = new Map<string, Signature>(), resources = [] } = WASI_INTERFACES.get(module) ?? {};
    const drops = resources.map((name): [string, Signature] => [
      `[resource-drop]${name}`,
      { params: [{ kind: 'own', resource: `${module}#${name}` }], result: undefined },
    ]);
    return [...functions, ...drops].map(([name, signature]) => ({ module, name, ...signature, pointer: coreTypes(signature.result).length > 1 }));
  });
}

function coreTypes(type: WitType | undefined): readonly CoreType[] {
  return type === undefined ? [] : flatten(type);
}

function coreModule(functions: readonly ImportedFunction[]): string {
  const imports = functions.map((one, index) => {
    const params = [...one.params.flatMap(flatten), ...(one.pointer ? ['i32'] : [])].join(' ');
    const result = one.pointer ? '' : coreTypes(one.result).join(' ');
    return `(import "${one.module}@${WASI_VERSION}" "${one.name}" (func $f${index} (param ${params}) (result ${result})))`;
  });
  const stubs = functions.map((one, index) => {
    const params = [...one.params.flatMap(flatten), ...(one.pointer ? (['i32'] as const) : [])];
    const values = params.map((core, position) => {
      const value = `(i64.load offset=${8 * position} (local.get 0))`;
      return core === 'i32' ? `(i32.wrap_i64 ${value})` : value;
    });
    const call = `(call $f${index} ${values.join(' ')})`;
    const [single] = one.pointer ? [] : coreTypes(one.result);
    const body = single === 'i32' ? `(i64.extend_i32_u ${call})` : single === 'i64' ? call : `${call} (i64.const 0)`;
    return `(func $s${index} (param i32) (result i64) ${body})`;
  });
  return `(module
    (type $stub (func (param i32) (result i64)))
    ${imports.join('\n')}
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const 16))
    (table funcref (elem ${functions.map((_, index) => `$s${index}`).join(' ')}))
    ${stubs.join('\n')}
    (func (export "cabi_realloc") (param $old i32) (param $held i32) (param $alignment i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $heap))
      (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
      (loop $grow
        (if (i32.gt_u (global.get $heap) (i32.shl (memory.size) (i32.const 16)))
          (then (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $grow))))
      (memory.copy (local.get $at) (local.get $old) (local.get $held))
      (local.get $at))
    (func (export "reset") (global.set $heap (i32.const 16)))
    (func (export "put") (param $at i32) (param $length i32) (result i32) (local.get $at))
    (func (export "get") (param $at i32) (param $length i32) (result i32)
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (i32.const 0))
    (func (export "call") (param $number i32) (param $values i32) (param $count i32) (result i64)
      (call_indirect (type $stub) (local.get $values) (local.get $number))))`;
}
