// Reads a component binary (component model, Binary.md) into the types of its world: what it imports and exports. Nested components are evaluated with
// the arguments they are instantiated with, as toolchains wrap every exported interface in one. Every name at any depth is checked on the way; whether
// the component is valid beyond that is for the transpiler to say.
import { readModule } from '../module-reader.ts';
import { Reader } from '../reader.ts';
import { unsupported } from '../types.ts';
import { readCanonical } from './canonicals.ts';
import { checkCoreName, checkExternName } from './names.ts';
import { at, type ComponentDefinition, type Extern, type Instance, Scope, type TypeEntry } from './scope.ts';
import type { World } from './types.ts';
import { readTypeDefinition } from './value-types.ts';
import { Work } from './work.ts';
import { describeWorld } from './world.ts';

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/** Whether `bytes` begin like a component. */
export function isComponent(bytes: Uint8Array): boolean {
  return bytes.length >= PREAMBLE.length && PREAMBLE.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads the world of a component. The work is bounded by `componentBudgets`, whatever the bytes are.
 * @throws GloveportError INVALID_MODULE with the offset, UNSUPPORTED_FEATURE for what is known but refused (async, values, component imports),
 * MODULE_TOO_LARGE over a budget.
 */
export function readComponent(bytes: Uint8Array): World {
  if (!isComponent(bytes)) new Reader(bytes).fail('this is not a component', 0);
  const evaluation = new Evaluation(bytes, new Work(), { start: PREAMBLE.length, end: bytes.length, scope: undefined });
  evaluation.run();
  return describeWorld(evaluation.imports, evaluation.exports, evaluation.work, bytes.length);
}

// One instantiation of one component. Without arguments (the outermost component, and the first look at a nested one) its imports stand for themselves.
class Evaluation {
  readonly imports = new Map<string, Extern>();
  readonly exports = new Map<string, Extern>();
  readonly work: Work;
  readonly #bytes: Uint8Array;
  readonly #component: ComponentDefinition;
  readonly #arguments: Instance | undefined;
  readonly #scope: Scope;

  constructor(bytes: Uint8Array, work: Work, component: ComponentDefinition, given?: Instance) {
    this.#bytes = bytes;
    this.work = work;
    this.#component = component;
    this.#arguments = given;
    this.#scope = new Scope(component.scope);
  }

  run(): void {
    const reader = new Reader(this.#bytes, this.#component.start, this.#component.end);
    while (!reader.done) {
      const offset = reader.pos;
      this.work.spend('definitions to evaluate', 1, offset);
      const id = reader.u8();
      const size = reader.u32();
      const start = reader.pos;
      reader.skip(size);
      if (id === 0) continue;
      const section = new Reader(this.#bytes, start, reader.pos);
      this.#section(id, section, offset);
      if (!section.done) section.fail(`section ${id} is longer than its contents`);
    }
  }

  #section(id: number, reader: Reader, offset: number): void {
    switch (id) {
      case 1:
        return this.#coreModule(reader);
      case 2:
        return this.#each(reader, 'core instances', () => checkCoreInstance(reader, this.work));
      case 4:
        return this.#nestedComponent(reader);
      case 5:
        return this.#each(reader, 'instances', () => this.#scope.instances.push(this.#instance(reader)));
      case 6:
        return this.#each(reader, 'aliases', () => readAlias(reader, this.#scope));
      case 7:
        return this.#each(reader, 'types', () => this.#scope.types.push(this.#typeDefinition(reader, this.#scope, '')));
      case 8:
        return this.#each(reader, 'canonical functions', () => readCanonical(reader, this.#scope, this.work));
      case 10:
        return this.#each(reader, 'imports', () => this.#import(reader));
      case 11:
        return this.#each(reader, 'exports', () => this.#export(reader));
      case 3:
        return unsupported('core types in a component', offset);
      case 9:
      case 12:
        return unsupported('component values', offset);
      default:
        reader.fail(`unknown section ${id}`, offset);
    }
  }

  #each(reader: Reader, what: string, one: () => void): void {
    const count = reader.count(what);
    for (let index = 0; index < count; index++) {
      this.work.spend('definitions to evaluate', 1, reader.pos);
      one();
    }
  }

  // Modules do not change from one instantiation to the next, so the first look at their component is enough.
  #coreModule(reader: Reader): void {
    const module = reader.take(reader.left);
    if (this.#arguments !== undefined) return;
    const { imports, exports } = readModule(module);
    for (const { module: from, name } of imports) {
      checkCoreName(from, module.byteOffset - this.#bytes.byteOffset);
      checkCoreName(name, module.byteOffset - this.#bytes.byteOffset);
    }
    for (const { name } of exports) checkCoreName(name, module.byteOffset - this.#bytes.byteOffset);
  }

  #nestedComponent(reader: Reader): void {
    const offset = reader.pos;
    if (!isComponent(reader.take(PREAMBLE.length))) reader.fail('this is not a component', offset);
    const component = { start: reader.pos, end: reader.end, scope: this.#scope };
    reader.skip(reader.left);
    this.#scope.components.push(component);
    if (this.#arguments === undefined) this.#evaluate(component);
  }

  #evaluate(component: ComponentDefinition, given?: Instance): Instance {
    const evaluation = new Evaluation(this.#bytes, this.work, component, given);
    this.work.nested(component.start, () => evaluation.run());
    return evaluation.exports;
  }

  #instance(reader: Reader): Instance {
    const form = reader.u8();
    if (form === 0x00) {
      const component = at(this.#scope.components, 'component', reader);
      const given = new Map<string, Extern>();
      this.#each(reader, 'arguments', () => given.set(reader.name(), readSorted(reader, this.#scope)));
      return this.#evaluate(component, given);
    }
    if (form !== 0x01) reader.fail('unknown form of an instance', reader.pos - 1);
    const exports = new Map<string, Extern>();
    this.#each(reader, 'exports', () => exports.set(readExternName(reader), readSorted(reader, this.#scope)));
    return exports;
  }

  #import(reader: Reader): void {
    const offset = reader.pos;
    const name = readExternName(reader);
    const declared = this.#externType(reader, this.#scope, name);
    const extern = this.#arguments === undefined ? declared : this.#arguments.get(name);
    if (extern?.sort !== declared.sort) return reader.fail(`the import '${name}' is not given, or not a ${declared.sort}`, offset);
    this.imports.set(name, extern);
    this.#scope.add(extern);
  }

  #export(reader: Reader): void {
    const name = readExternName(reader);
    const extern = readSorted(reader, this.#scope);
    const ascribed = reader.u8() === 0 ? undefined : this.#externType(reader, this.#scope, name);
    const exported = narrow(extern, ascribed);
    if (exported.sort === 'type' && exported.entry.sort === 'resource') exported.entry.resource.name ??= name;
    this.exports.set(name, exported);
    this.#scope.add(exported);
  }

  /** What a type of imports and exports stands for; resources that come to be here are called `name`. */
  #externType(reader: Reader, scope: Scope, name: string): Extern {
    const offset = reader.pos;
    switch (reader.u8()) {
      case 0x00:
        return unsupported('core modules as imports of a component', offset);
      case 0x01: {
        const entry = at(scope.types, 'type', reader);
        return entry.sort === 'function' ? entry : reader.fail(`the type of the function '${name}' is not a type of functions`, offset);
      }
      case 0x02:
        return unsupported('component values', offset);
      case 0x03: {
        const bound = reader.u8();
        if (bound === 0x00) return { sort: 'type', entry: at(scope.types, 'type', reader) };
        if (bound === 0x01) return { sort: 'type', entry: { sort: 'resource', resource: { name, named: true } } };
        return reader.fail('unknown bound of a type', reader.pos - 1);
      }
      case 0x04:
        return unsupported('components as imports of a component', offset);
      case 0x05: {
        const entry = at(scope.types, 'type', reader);
        return entry.sort === 'instance'
          ? { sort: 'instance', instance: entry.instantiate(name) }
          : reader.fail(`the type of '${name}' is not a type of instances`, offset);
      }
      default:
        return reader.fail('unknown type of an import or export', offset);
    }
  }

  // An instance type is read again for each instance of it, since each has resources of its own.
  #typeDefinition(reader: Reader, scope: Scope, prefix: string): TypeEntry {
    if (reader.bytes[reader.pos] !== 0x42 || reader.done) return readTypeDefinition(reader, scope, this.work);
    reader.skip(1);
    const start = reader.pos;
    const read = (from: Reader, name: string) => this.work.nested(start, () => this.#instanceType(from, new Scope(scope), name));
    read(reader, prefix);
    const { end } = reader;
    return { sort: 'instance', instantiate: (name) => read(new Reader(this.#bytes, start, end), prefix === '' ? name : `${prefix}/${name}`) };
  }

  #instanceType(reader: Reader, scope: Scope, instanceName: string): Instance {
    const exports = new Map<string, Extern>();
    this.#each(reader, 'declarations', () => {
      const offset = reader.pos;
      switch (reader.u8()) {
        case 0x00:
          return unsupported('core types in a component', offset);
        case 0x01:
          return scope.types.push(this.#typeDefinition(reader, scope, instanceName));
        case 0x02:
          return readAlias(reader, scope);
        case 0x04: {
          const name = readExternName(reader);
          const extern = this.#externType(reader, scope, `${instanceName}#${name}`);
          exports.set(name, extern);
          return scope.add(extern);
        }
        default:
          return reader.fail('unknown declaration of an instance type', offset);
      }
    });
    return exports;
  }
}

// What an ascription hides of an instance is not seen from outside; for all else both are the same.
function narrow(extern: Extern, ascribed: Extern | undefined): Extern {
  if (extern.sort !== 'instance' || ascribed?.sort !== 'instance') return extern;
  const visible = new Map<string, Extern>();
  // What is ascribed was read, and paid for, for this one export; what is narrowed may be large and used many times.
  for (const name of ascribed.instance.keys()) {
    const item = extern.instance.get(name);
    if (item !== undefined) visible.set(name, item);
  }
  return { sort: 'instance', instance: visible };
}

function readExternName(reader: Reader): string {
  const offset = reader.pos;
  const form = reader.u8();
  if (form > 2) reader.fail('unknown form of a name', offset);
  if (form === 2) unsupported('attributes of names', offset);
  return checkExternName(reader.name(), offset);
}

function readSorted(reader: Reader, scope: Scope): Extern {
  const offset = reader.pos;
  switch (reader.u8()) {
    case 0x00:
      return unsupported('core definitions as exports of a component', offset);
    case 0x01:
      return { sort: 'function', function: at(scope.functions, 'function', reader) };
    case 0x02:
      return unsupported('component values', offset);
    case 0x03:
      return { sort: 'type', entry: at(scope.types, 'type', reader) };
    case 0x04:
      return { sort: 'component', component: at(scope.components, 'component', reader) };
    case 0x05:
      return { sort: 'instance', instance: at(scope.instances, 'instance', reader) };
    default:
      return reader.fail('unknown sort', offset);
  }
}

const SORTS: ReadonlyMap<number, Extern['sort']> = new Map([
  [0x01, 'function'],
  [0x03, 'type'],
  [0x04, 'component'],
  [0x05, 'instance'],
]);

function readAlias(reader: Reader, scope: Scope): void {
  const offset = reader.pos;
  const sort = reader.u8();
  if (sort === 0x02) unsupported('component values', offset);
  if (sort === 0x00) reader.u8();
  const target = reader.u8();
  if (target === 0x01) {
    reader.u32();
    return checkCoreName(reader.name(), offset);
  }
  if (sort === 0x00) unsupported('aliases of core definitions of another component', offset);
  const wanted = SORTS.get(sort) ?? reader.fail('unknown sort', offset);
  if (target === 0x00) {
    const instance = at(scope.instances, 'instance', reader);
    const name = reader.name();
    const extern = instance.get(name);
    if (extern?.sort !== wanted) return reader.fail(`the instance exports no ${wanted} of that name`, offset);
    return scope.add(extern);
  }
  if (target !== 0x02) reader.fail('unknown target of an alias', offset);
  const outer = scope.outer(reader.u32(), reader);
  if (wanted === 'type') return scope.add({ sort: 'type', entry: at(outer.types, 'type', reader) });
  if (wanted === 'component') return scope.add({ sort: 'component', component: at(outer.components, 'component', reader) });
  return reader.fail(`a ${wanted} of an enclosing component cannot be aliased`, offset);
}

function checkCoreInstance(reader: Reader, work: Work): void {
  const form = reader.u8();
  if (form > 1) reader.fail('unknown form of a core instance', reader.pos - 1);
  if (form === 0x00) reader.u32();
  const count = reader.count('arguments or exports of a core instance');
  for (let index = 0; index < count; index++) {
    const offset = reader.pos;
    work.spend('definitions to evaluate', 1, offset);
    checkCoreName(reader.name(), offset);
    reader.u8();
    reader.u32();
  }
}
