// Types of generated programs, by the names that the text format has for them ('i32', 'ref null func', 'ref 3'), and the table of the types that a module
// defines. Knows nothing of what the rewriter knows.
import type { Writer } from '../../../src/wasm/writer.ts';

/** A number type, `v128`, `ref <heap type>` or `ref null <heap type>`; as a field's type also `i8` and `i16`. */
export type ValueType = string;

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface Field {
  readonly type: ValueType;
  readonly mutable: boolean;
}

export interface Composite {
  readonly kind: 'struct' | 'array';
  /** An array has one. */
  readonly fields: readonly Field[];
  /** The index of the type that this one extends. */
  readonly parent?: number;
}

export const NUMERIC: readonly ValueType[] = ['i32', 'i64', 'f32', 'f64'];
export const FUNCREF = 'ref null func';
export const EXTERNREF = 'ref null extern';
export const EXNREF = 'ref null exn';

const SIMPLE = new Map(Object.entries({ i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b, i8: 0x78, i16: 0x77 }));
const ABSTRACT = new Map(Object.entries({ func: 0x70, extern: 0x6f, any: 0x6e, eq: 0x6d, i31: 0x6c, struct: 0x6b, array: 0x6a, exn: 0x69 }));

export function isReference(type: ValueType): boolean {
  return type.startsWith('ref ');
}

export function isNullable(type: ValueType): boolean {
  return type.startsWith('ref null ');
}

/** The type with null among its values. */
export function nullable(type: ValueType): ValueType {
  return isNullable(type) ? type : `ref null ${heapOf(type)}`;
}

/** `func`, `extern`, …, or the index of a defined type. */
export function heapOf(type: ValueType): string {
  return type.slice(isNullable(type) ? 9 : 4);
}

/** The index that a reference type names, undefined for abstract ones. */
export function definedHeap(type: ValueType): number | undefined {
  return isReference(type) && !ABSTRACT.has(heapOf(type)) ? Number(heapOf(type)) : undefined;
}

/** Whether values of the type may pass between the guest and JavaScript. */
export function isCrossable(type: ValueType): boolean {
  return NUMERIC.includes(type) || type === FUNCREF || type === EXTERNREF;
}

export function writeValueType(out: Writer, type: ValueType): void {
  const simple = SIMPLE.get(type);
  if (simple !== undefined) return out.u8(simple);
  const abstract = ABSTRACT.get(heapOf(type));
  if (abstract !== undefined && isNullable(type)) return out.u8(abstract);
  out.u8(isNullable(type) ? 0x63 : 0x64);
  writeHeapType(out, type);
}

export function writeHeapType(out: Writer, type: ValueType): void {
  const abstract = ABSTRACT.get(heapOf(type));
  if (abstract === undefined) out.s32(Number(heapOf(type)));
  else out.u8(abstract);
}

/** The type section: structs and arrays in one recursion group, function types behind it, each once. */
export class TypeTable {
  readonly composites: readonly Composite[];
  readonly #signatures: Signature[] = [];
  readonly #indices = new Map<string, number>();

  constructor(composites: readonly Composite[]) {
    this.composites = composites;
  }

  /** The index of a function type, which is added when it is new. */
  function(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.composites.length + this.#signatures.push({ params, results }) - 1;
    this.#indices.set(key, index);
    return index;
  }

  signature(index: number): Signature | undefined {
    return this.#signatures[index - this.composites.length];
  }

  write(out: Writer): void {
    out.u32((this.composites.length > 0 ? 1 : 0) + this.#signatures.length);
    if (this.composites.length > 0) {
      out.u8(0x4e);
      out.u32(this.composites.length);
      for (const composite of this.composites) writeComposite(out, composite);
    }
    for (const { params, results } of this.#signatures) {
      out.u8(0x60);
      for (const types of [params, results]) {
        out.u32(types.length);
        for (const type of types) writeValueType(out, type);
      }
    }
  }
}

function writeComposite(out: Writer, { kind, fields, parent }: Composite): void {
  out.u8(0x50);
  out.u32(parent === undefined ? 0 : 1);
  if (parent !== undefined) out.u32(parent);
  out.u8(kind === 'struct' ? 0x5f : 0x5e);
  if (kind === 'struct') out.u32(fields.length);
  for (const { type, mutable } of fields) {
    writeValueType(out, type);
    out.u8(mutable ? 1 : 0);
  }
}
