// The host module `spectest`, which the official scripts import. Its functions are WebAssembly's, as a plain JavaScript function would link with every
// type; behind each stands a host function that does nothing. Memories, tables and globals are new for each script.
import type { Engine, Exports } from './engines.ts';
import { assemble } from './script.ts';

const PRINTS: Readonly<Record<string, string>> = {
  print: '',
  print_i32: 'i32',
  print_i64: 'i64',
  print_f32: 'f32',
  print_f64: 'f64',
  print_i32_f32: 'i32 f32',
  print_f64_f64: 'f64 f64',
};

const names = Object.keys(PRINTS);
const prints = await assemble(`(module
  ${names.map((name) => `(import "host" "${name}" (func $host_${name} (param ${PRINTS[name]})))`).join('\n')}
  ${names.map((name) => `(func (export "${name}") (param ${PRINTS[name]}) ${gets(name)} (call $host_${name}))`).join('\n')})`);

function gets(name: string): string {
  const count = (PRINTS[name] as string).split(' ').filter(Boolean).length;
  return Array.from({ length: count }, (_, index) => `(local.get ${index})`).join(' ');
}

/** The exports of `spectest`, its functions run by `engine`. */
export function spectest(engine: Engine): Exports {
  if ('malformed' in prints) throw new Error(prints.malformed);
  const definition = engine.compile(prints.bytes);
  const host = Object.fromEntries(names.map((name) => [name, () => undefined]));
  const functions = engine.run(() => engine.instantiate(definition, { host }));
  return {
    ...functions,
    global_i32: new WebAssembly.Global({ value: 'i32' }, 666),
    global_i64: new WebAssembly.Global({ value: 'i64' }, 666n),
    global_f32: new WebAssembly.Global({ value: 'f32' }, 666.6),
    global_f64: new WebAssembly.Global({ value: 'f64' }, 666.6),
    table: new WebAssembly.Table({ element: 'anyfunc', initial: 10, maximum: 20 }),
    table64: new WebAssembly.Table({ element: 'anyfunc', address: 'i64', initial: 10n, maximum: 20n } as unknown as WebAssembly.TableDescriptor),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
    shared_memory: new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }),
  };
}
