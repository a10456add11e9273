// What a core module declares of itself, as data. `module-reader.ts` reads it from bytes.
import type { FunctionType, ValueType } from './types.ts';

/** Minimum and maximum of a table (elements) or a memory (pages of 64 KiB). */
export interface SizeLimits {
  readonly minimum: number;
  readonly maximum?: number;
}

export interface TableType extends SizeLimits {
  readonly element: ValueType;
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
  readonly start: number;
  readonly end: number;
}

/** A core module as its sections declare it. Index spaces hold imports first, as in the specification. */
export interface CoreModule {
  readonly bytes: Uint8Array;
  /** The sections without the custom ones, in order, as `[start, end)` of their contents. */
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
  /** The type index of every function, imports first. */
  readonly functionTypes: Uint32Array;
  readonly importedFunctions: number;
  /** Every table, imports first. */
  readonly tables: readonly TableType[];
  readonly importedTables: number;
  /** Every memory, imports first. */
  readonly memories: readonly SizeLimits[];
  readonly importedMemories: number;
  readonly globals: number;
  readonly tags: number;
  readonly start: number | undefined;
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
