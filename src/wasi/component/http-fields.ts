// The resource `fields` of wasi:http/types 0.2, which headers and trailers are: a handle on a list of fields, through which it can be changed or not.
import type { WasiContext } from '../context.ts';
import { FieldList, type HeaderError } from '../http/fields.ts';
import { Resource } from './resource.ts';

export class Fields extends Resource {
  readonly #context: WasiContext;
  readonly #list: FieldList;
  readonly #mutable: boolean;

  /** Takes over a hold of `list`. */
  constructor(context: WasiContext, list: FieldList, mutable: boolean) {
    super(context, () => list.release());
    this.#context = context;
    this.#list = list;
    this.#mutable = mutable;
  }

  /** What a message is made of: its fields, which are no resource any more. */
  static take(fields: Fields): FieldList {
    const list = fields.#list.retain();
    fields.close();
    return list;
  }

  static ofEntries(context: WasiContext, entries: readonly (readonly [string, Uint8Array])[]): Fields {
    const list = new FieldList(context);
    for (const [name, value] of entries) list.append(name, value);
    return new Fields(context, list, true);
  }

  get(name: string): Uint8Array[] {
    return this.#list.get(name);
  }

  has(name: string): boolean {
    return this.#list.has(name);
  }

  set(name: string, values: readonly Uint8Array[]): void {
    this.#changeable().set(name, values);
  }

  delete(name: string): void {
    this.#changeable().delete(name);
  }

  append(name: string, value: Uint8Array): void {
    this.#changeable().append(name, value);
  }

  entries(): [name: string, value: Uint8Array][] {
    return this.#list.entries();
  }

  clone(): Fields {
    this.#context.checkHandles();
    return new Fields(this.#context, this.#list.copy(), true);
  }

  #changeable(): FieldList {
    if (!this.#mutable) throw { tag: 'immutable' } satisfies HeaderError;
    return this.#list;
  }
}
