// Reads the type section: recursion groups of function, structure and array types with their supertypes. Whether a subtype fits its supertype is for the
// engine to say.
import { checkBudget } from './budgets.ts';
import type { DefinedType } from './module.ts';
import type { Reader } from './reader.ts';
import { readStorageType, readValueType, type StorageType, unsupported, type ValueType } from './types.ts';

const FUNCTION = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;
const SUB = 0x50;
const SUB_FINAL = 0x4f;
const REC = 0x4e;

const REFUSED: ReadonlyMap<number, string> = new Map([
  [0x5d, 'stack switching'],
  [0x65, 'shared-everything threads'],
  [0x4c, 'custom descriptors'],
  [0x4d, 'custom descriptors'],
]);

/** Reads the types of a module (WebAssembly core specification, section 5.5.4) into `types`, one for each type index. */
export function readTypeSection(reader: Reader, types: DefinedType[]): void {
  new TypeSection(reader, types).read();
}

class TypeSection {
  readonly #reader: Reader;
  readonly #types: DefinedType[];
  /** Parameters, results, fields, elements and supertypes so far. */
  #entries = 0;

  constructor(reader: Reader, types: DefinedType[]) {
    this.#reader = reader;
    this.#types = types;
  }

  read(): void {
    const reader = this.#reader;
    for (let groups = this.#count('types'); groups > 0; groups--) {
      const recursive = reader.bytes[reader.pos] === REC;
      if (recursive) reader.u8();
      const members = recursive ? this.#count('types of a recursion group') : 1;
      // Members may name each other, later ones too.
      const end = this.#types.length + members;
      while (this.#types.length < end) this.#types.push(this.#subType(end));
    }
  }

  #count(what: string): number {
    const at = this.#reader.pos;
    const count = this.#reader.count(what);
    checkBudget('types', this.#types.length + count, at);
    return count;
  }

  #subType(end: number): DefinedType {
    const reader = this.#reader;
    const at = reader.pos;
    const form = reader.u8();
    if (form !== SUB && form !== SUB_FINAL) return this.#compositeType(form, at, end, true, undefined);
    const supertype = this.#supertype();
    return this.#compositeType(reader.u8(), reader.pos - 1, end, form === SUB_FINAL, supertype);
  }

  #supertype(): number | undefined {
    const reader = this.#reader;
    const at = reader.pos;
    const count = reader.count('supertypes');
    if (count === 0) return undefined;
    if (count > 1) reader.fail('a type has more than one supertype', at);
    this.#enter(1);
    const index = reader.u32();
    if (index >= this.#types.length) reader.fail(`the supertype ${index} does not stand before its subtype`, at);
    return index;
  }

  #compositeType(form: number, at: number, end: number, final: boolean, supertype: number | undefined): DefinedType {
    switch (form) {
      case FUNCTION:
        return { kind: 'function', final, supertype, params: this.#valueTypes(end), results: this.#valueTypes(end) };
      case STRUCT:
        return { kind: 'struct', final, supertype, fields: this.#fields(end) };
      case ARRAY:
        this.#enter(1);
        return { kind: 'array', final, supertype, element: this.#field(end) };
      default: {
        const feature = REFUSED.get(form);
        if (feature !== undefined) unsupported(feature, at);
        return this.#reader.fail(`unknown form of type 0x${form.toString(16)}`, at);
      }
    }
  }

  #valueTypes(end: number): ValueType[] {
    const count = this.#reader.count('types of values');
    this.#enter(count);
    return Array.from({ length: count }, () => readValueType(this.#reader, end));
  }

  #fields(end: number): StorageType[] {
    const count = this.#reader.count('fields');
    this.#enter(count);
    return Array.from({ length: count }, () => this.#field(end));
  }

  #field(end: number): StorageType {
    const reader = this.#reader;
    const type = readStorageType(reader, end);
    if (reader.u8() > 1) reader.fail('unknown mutability of a field', reader.pos - 1);
    return type;
  }

  #enter(entries: number): void {
    this.#entries += entries;
    checkBudget('typeEntries', this.#entries, this.#reader.pos);
  }
}
