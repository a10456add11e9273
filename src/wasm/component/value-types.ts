// Reads the type definitions of a component (Binary.md, "Type Definitions"): types of values, functions, resources. Instance types are scopes of their
// own and left to `reader.ts`. What belongs to asynchronous components is refused by name.
import type { Reader } from '../reader.ts';
import { unsupported } from '../types.ts';
import { checkLabel } from './names.ts';
import { at, type DraftFunction, type DraftType, type Resource, type Scope, type SizedFunction, type SizedType, type TypeEntry } from './scope.ts';
import type { Field, PrimitiveKind } from './types.ts';
import { checkComponentBudget, type Work } from './work.ts';

const PRIMITIVES: ReadonlyMap<number, PrimitiveKind> = new Map([
  [0x7f, 'bool'],
  [0x7e, 's8'],
  [0x7d, 'u8'],
  [0x7c, 's16'],
  [0x7b, 'u16'],
  [0x7a, 's32'],
  [0x79, 'u32'],
  [0x78, 's64'],
  [0x77, 'u64'],
  [0x76, 'f32'],
  [0x75, 'f64'],
  [0x74, 'char'],
  [0x73, 'string'],
]);

const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x67, 'lists of fixed length'],
  [0x66, 'streams'],
  [0x65, 'futures'],
  [0x64, 'error contexts'],
  [0x63, 'maps'],
  [0x43, 'async functions'],
  [0x41, 'component types'],
  [0x3e, 'resources with an async destructor'],
]);

/** Reads one definition of the type section, instance types (0x42) excepted. */
export function readTypeDefinition(reader: Reader, scope: Scope, work: Work): TypeEntry {
  const offset = reader.pos;
  const opcode = reader.u8();
  if (opcode === 0x40) return { sort: 'function', function: new TypeReader(reader, scope, work).function(offset) };
  if (opcode === 0x3f) {
    if (reader.u8() !== 0x7f) reader.fail('a resource is represented by an i32', reader.pos - 1);
    if (reader.u8() !== 0) reader.u32();
    return { sort: 'resource', resource: { named: false } };
  }
  return { sort: 'value', value: new TypeReader(reader, scope, work).defined(opcode, offset) };
}

class TypeReader {
  readonly #reader: Reader;
  readonly #scope: Scope;
  readonly #work: Work;
  #parts = 1;
  #levels = 1;

  constructor(reader: Reader, scope: Scope, work: Work) {
    this.#reader = reader;
    this.#scope = scope;
    this.#work = work;
  }

  function(offset: number): SizedFunction {
    const type = this.#function();
    checkComponentBudget('parts of one type', this.#parts, offset);
    return { type, parts: this.#parts };
  }

  defined(opcode: number, offset: number): SizedType {
    const type = this.#defined(opcode, offset);
    checkComponentBudget('parts of one type', this.#parts, offset);
    checkComponentBudget('levels of one type', this.#levels, offset);
    return { type, parts: this.#parts, levels: this.#levels };
  }

  #function(): DraftFunction {
    const params = this.#each('parameters', () => this.#field());
    const form = this.#reader.u8();
    if (form === 0x00) return { params, result: this.#value() };
    if (form !== 0x01 || this.#reader.u8() !== 0) this.#reader.fail('unknown form of a result list', this.#reader.pos - 1);
    return { params };
  }

  #defined(opcode: number, offset: number): DraftType {
    const primitive = PRIMITIVES.get(opcode);
    if (primitive !== undefined) return { kind: primitive };
    switch (opcode) {
      case 0x72:
        return { kind: 'record', fields: this.#some('fields', () => this.#field()) };
      case 0x71:
        return { kind: 'variant', cases: this.#some('cases', () => this.#case()) };
      case 0x70:
        return { kind: 'list', element: this.#value() };
      case 0x6f:
        return { kind: 'tuple', items: this.#some('items', () => this.#value()) };
      case 0x6e:
        return { kind: 'flags', names: this.#some('flags', () => this.#label()) };
      case 0x6d:
        return { kind: 'enum', names: this.#some('cases', () => this.#label()) };
      case 0x6b:
        return { kind: 'option', some: this.#value() };
      case 0x6a: {
        const ok = this.#optional();
        const err = this.#optional();
        return { kind: 'result', ...(ok && { ok }), ...(err && { err }) };
      }
      case 0x69:
        return { kind: 'own', resource: this.#resource() };
      case 0x68:
        return { kind: 'borrow', resource: this.#resource() };
    }
    const refused = REFUSED.get(opcode);
    if (refused !== undefined) unsupported(refused, offset);
    return this.#reader.fail(`unknown type 0x${opcode.toString(16)}`, offset);
  }

  #field(): Field<Resource> {
    return { name: this.#label(), type: this.#value() };
  }

  #case(): { name: string; type?: DraftType } {
    const name = this.#label();
    const type = this.#optional();
    if (this.#reader.u8() !== 0) this.#reader.fail('a case refines no other', this.#reader.pos - 1);
    return type === undefined ? { name } : { name, type };
  }

  #optional(): DraftType | undefined {
    const form = this.#reader.u8();
    if (form > 1) this.#reader.fail('a type is there (1) or not (0)', this.#reader.pos - 1);
    return form === 1 ? this.#value() : undefined;
  }

  // A type of values is a primitive (a negative number) or the index of a defined one.
  #value(): DraftType {
    const offset = this.#reader.pos;
    const code = this.#reader.s33();
    if (code < 0) {
      this.#count(1, 1, offset);
      const opcode = code + 0x80;
      const primitive = PRIMITIVES.get(opcode);
      if (primitive !== undefined) return { kind: primitive };
      if (REFUSED.has(opcode)) unsupported(REFUSED.get(opcode) as string, offset);
      return this.#reader.fail(`unknown type of values ${code}`, offset);
    }
    const entry = this.#scope.types[code];
    if (entry?.sort !== 'value') return this.#reader.fail(`type ${code} is not a type of values`, offset);
    this.#count(entry.value.parts, entry.value.levels, offset);
    return entry.value.type;
  }

  #count(parts: number, levels: number, offset: number): void {
    this.#parts += parts;
    this.#levels = Math.max(this.#levels, levels + 1);
    this.#work.spend('definitions to evaluate', 1, offset);
  }

  #resource(): Resource {
    const entry = at(this.#scope.types, 'type', this.#reader);
    return entry.sort === 'resource' ? entry.resource : this.#reader.fail('a handle is of a resource type');
  }

  #label(): string {
    const offset = this.#reader.pos;
    this.#count(1, 0, offset);
    return checkLabel(this.#reader.name(), offset);
  }

  #some<Item>(what: string, read: () => Item): Item[] {
    const offset = this.#reader.pos;
    const items = this.#each(what, read);
    return items.length > 0 ? items : this.#reader.fail(`no ${what}`, offset);
  }

  #each<Item>(what: string, read: () => Item): Item[] {
    const count = this.#reader.count(what);
    const items: Item[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }
}
