// What a core module declares of itself, as data. `module-reader.ts` reads it from bytes, `module-writer.ts` writes it back.
import { type FunctionType, type StorageType, storageBytes, type ValueType } from './types.ts';

interface Declared {
  readonly final: boolean;
  /** The type index of the supertype that it declares. */
  readonly supertype: number | undefined;
}

export interface DefinedFunctionType extends FunctionType, Declared {
  readonly kind: 'function';
}

export interface StructType extends Declared {
  readonly kind: 'struct';
  readonly fields: readonly StorageType[];
}

export interface ArrayType extends Declared {
  readonly kind: 'array';
  readonly element: StorageType;
}

/** What one type index names; the members of a recursion group have an index each. */
export type DefinedType = DefinedFunctionType | StructType | ArrayType;

/** Minimum and maximum of a table (elements) or a memory (pages of 64 KiB). */
export interface SizeLimits {
  /** Numbers beyond 2^53 - 1, which only tables may declare and none can have, are given as 2^53 - 1. */
  readonly minimum: number;
  readonly maximum?: number;
  /** Whether addresses, lengths and sizes are i64 (memory64, table64). */
  readonly address64: boolean;
  /** Whether threads may share it. */
  readonly shared: boolean;
}

export type MemoryType = SizeLimits;

export interface TableType extends SizeLimits {
  readonly element: ValueType;
}

export interface GlobalType {
  readonly type: ValueType;
  readonly mutable: boolean;
}

export type ExternKind = 'function' | 'table' | 'memory' | 'global' | 'tag';

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** The type of a function. */
  readonly type?: FunctionType;
  /** The type of a table. */
  readonly table?: TableType;
  /** The type of a memory. */
  readonly memory?: MemoryType;
  /** The type of a global. */
  readonly global?: GlobalType;
}

export interface Export {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  /** The type of a function. */
  readonly type?: FunctionType;
}

export interface Section {
  readonly id: number;
  /** Where its id stands. */
  readonly at: number;
  /** Where its contents start; those of a custom section start behind its name. */
  readonly start: number;
  readonly end: number;
  /** The name of a custom section. */
  readonly name?: string;
}

/** A core module as its sections declare it. Index spaces hold imports first, as in the specification. */
export interface CoreModule {
  readonly bytes: Uint8Array;
  /** All sections, custom ones too, in the order of the bytes. */
  readonly sections: readonly Section[];
  readonly types: readonly DefinedType[];
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
  /** The type index of every function, imports first. */
  readonly functionTypes: Uint32Array;
  readonly importedFunctions: number;
  /** Every table, imports first. */
  readonly tables: readonly TableType[];
  readonly importedTables: number;
  /** Every memory, imports first. */
  readonly memories: readonly MemoryType[];
  readonly importedMemories: number;
  /** Every global, imports first. */
  readonly globals: readonly GlobalType[];
  /** The type index of every tag, imports first. */
  readonly tags: readonly number[];
  readonly start: number | undefined;
  /**
   * 1 for each function that can be called other than by its index: it is exported, started, or a reference to it is made, which code can do only where a
   * segment, an export or a global names the function too.
   */
  readonly escaping: Uint8Array;
  readonly elementSegments: number;
  /** Entries of all element segments together. */
  readonly elementEntries: number;
  /** Bytes of all data segments together. */
  readonly dataBytes: number;
  /** Data segments that code may name: those that the data count section announces. */
  readonly dataSegments: number;
  /** Bytes of the objects that the initialisers of globals, tables and element segments allocate. */
  readonly initialGcBytes: number;
  /** `bodies[2 * i]`, `bodies[2 * i + 1]`: where the body of the i-th defined function starts and ends. */
  readonly bodies: Uint32Array;
}

export const SectionId = Object.freeze({
  CUSTOM: 0,
  TYPE: 1,
  IMPORT: 2,
  FUNCTION: 3,
  TABLE: 4,
  MEMORY: 5,
  GLOBAL: 6,
  EXPORT: 7,
  START: 8,
  ELEMENT: 9,
  CODE: 10,
  DATA: 11,
  DATA_COUNT: 12,
  TAG: 13,
});

/** The order in which sections stand in a module. */
export const SECTION_ORDER: readonly number[] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

/** Whether `bytes` begin like a core module of version 1. */
export function isCoreModule(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].every((byte, index) => bytes[index] === byte);
}

/** The first custom section of that name. */
export function customSection(module: CoreModule, name: string): Section | undefined {
  return module.sections.find((section) => section.name === name);
}

// What the engine puts before the fields of a structure, and before the elements of an array.
const STRUCT_HEADER_BYTES = 16;
const ARRAY_HEADER_BYTES = 24;

/** Bytes that the engine takes for one object of `type`, at most: its fields in their order, each at a multiple of its size. */
export function structBytes(type: StructType): number {
  let bytes = STRUCT_HEADER_BYTES;
  for (const field of type.fields) {
    const size = storageBytes(field);
    const alignment = Math.min(size, 8);
    bytes = Math.ceil(bytes / alignment) * alignment + size;
  }
  return Math.ceil(bytes / 8) * 8;
}

/** Bytes that the engine takes for an array of `type` with `length` elements. */
export function arrayBytes(type: ArrayType, length: number): number {
  return ARRAY_HEADER_BYTES + Math.ceil((length * storageBytes(type.element)) / 8) * 8;
}
