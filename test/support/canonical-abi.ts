// Values of WIT as the canonical ABI passes them to a core module and gets them back (component model, CanonicalABI.md), for a guest whose program is the test.
// Values have WIT's own names: { tag, val } for cases, results too, undefined for none, a list of names for flags, a number for a handle, bigint for 64 bits.
import type { Case, Field, WitType } from '../../src/component/types.ts';

/** A guest's memory. */
export interface GuestMemory {
  /** A copy of what is there. */
  get(at: number, length: number): Uint8Array;
  /** Puts `bytes` somewhere, aligned to 8, and says where. */
  put(bytes: Uint8Array): number;
}

export type CoreType = 'i32' | 'i64';

/** The core types that a value of `type` takes as a parameter. */
export function flatten(type: WitType): readonly CoreType[] {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') return [shape.size === 8 ? 'i64' : 'i32'];
  if (shape.kind === 'list') return ['i32', 'i32'];
  if (shape.kind === 'members') return shape.members.flatMap((member) => flatten(member.type));
  const payload: CoreType[] = [];
  for (const { type } of shape.cases) {
    for (const [index, core] of (type ? flatten(type) : []).entries()) payload[index] = payload[index] === 'i64' ? 'i64' : core;
  }
  return ['i32', ...payload];
}

/** The core values of `value`, one for each of {@link flatten}. */
export function lower(type: WitType, value: unknown, memory: GuestMemory): readonly bigint[] {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') return [shape.lower(value)];
  if (shape.kind === 'list') return lowerList(shape.element, value, memory).map(BigInt);
  if (shape.kind === 'members') return shape.members.flatMap(({ name, type }) => lower(type, (value as Record<string, unknown>)[name], memory));
  const { index, payload, type: of } = caseOf(shape.cases, type, value);
  const flat = [BigInt(index), ...(of ? lower(of, payload, memory) : [])];
  return flatten(type).map((_, position) => flat[position] ?? 0n);
}

export function sizeOf(type: WitType): number {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') return shape.size;
  if (shape.kind === 'list') return 8;
  if (shape.kind === 'members') return align(placesOf(shape.members).at(-1)?.end ?? 0, alignmentOf(type));
  return align(payloadOf(shape.cases) + Math.max(0, ...shape.cases.map(({ type }) => (type ? sizeOf(type) : 0))), alignmentOf(type));
}

/** The value of `type` that stands at `at` of `bytes`, with what it points to. */
export function load(type: WitType, bytes: Uint8Array, at: number, memory: GuestMemory): unknown {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') return shape.lift(readBits(bytes, at, shape.size));
  if (shape.kind === 'list') return loadList(shape.element, Number(readBits(bytes, at, 4)), Number(readBits(bytes, at + 4, 4)), memory);
  if (shape.kind === 'members') {
    const values = placesOf(shape.members).map(({ name, type, start }) => [name, load(type, bytes, at + start, memory)] as const);
    return type.kind === 'tuple' ? values.map(([, value]) => value) : Object.fromEntries(values);
  }
  const { name, type: of } = shape.cases[Number(readBits(bytes, at, 1))] as Case;
  const payload = of && load(of, bytes, at + payloadOf(shape.cases), memory);
  if (type.kind === 'option') return payload;
  return of ? { tag: name, val: payload } : { tag: name };
}

type Shape =
  | { readonly kind: 'scalar'; readonly size: number; readonly lower: (value: unknown) => bigint; readonly lift: (bits: bigint) => unknown }
  /** Without an element: a string. */
  | { readonly kind: 'list'; readonly element: WitType | undefined }
  | { readonly kind: 'members'; readonly members: readonly Field[] }
  | { readonly kind: 'cases'; readonly cases: readonly Case[] };

function shapeOf(type: WitType): Shape {
  switch (type.kind) {
    case 'bool':
      return { kind: 'scalar', size: 1, lower: (value) => (value ? 1n : 0n), lift: (bits) => bits !== 0n };
    case 'enum':
      return { kind: 'scalar', size: 1, lower: (value) => BigInt(type.names.indexOf(value as string)), lift: (bits) => type.names[Number(bits)] };
    case 'flags':
      return {
        kind: 'scalar',
        size: 1,
        lower: (value) => BigInt((value as string[]).reduce((bits, name) => bits | (1 << type.names.indexOf(name)), 0)),
        lift: (bits) => type.names.filter((_, index) => (Number(bits) >> index) & 1),
      };
    case 'own':
    case 'borrow':
      return integer(4);
    case 'u8':
    case 'u16':
    case 'u32':
    case 'u64':
      return integer(Number(type.kind.slice(1)) / 8);
    case 's32':
      return { ...integer(4), lift: (bits) => Number(BigInt.asIntN(32, bits)) };
    case 'string':
      return { kind: 'list', element: undefined };
    case 'list':
      return type;
    case 'record':
      return { kind: 'members', members: type.fields };
    case 'tuple':
      return { kind: 'members', members: type.items.map((type, index) => ({ name: String(index), type })) };
    case 'variant':
      return { kind: 'cases', cases: type.cases };
    case 'option':
      return { kind: 'cases', cases: [{ name: 'none' }, { name: 'some', type: type.some }] };
    case 'result':
      return {
        kind: 'cases',
        cases: [
          { name: 'ok', ...(type.ok && { type: type.ok }) },
          { name: 'err', ...(type.err && { type: type.err }) },
        ],
      };
    default:
      throw new TypeError(`WASI 0.2 has no ${type.kind}`);
  }
}

function integer(size: number): Extract<Shape, { kind: 'scalar' }> {
  const lift = size === 8 ? (bits: bigint) => bits : Number;
  return { kind: 'scalar', size, lower: (value) => BigInt(value as number), lift };
}

function caseOf(cases: readonly Case[], type: WitType, value: unknown): { index: number; payload: unknown; type: WitType | undefined } {
  if (type.kind === 'option') return { index: value === undefined ? 0 : 1, payload: value, type: value === undefined ? undefined : type.some };
  const { tag, val } = value as { tag: string; val?: unknown };
  const index = cases.findIndex(({ name }) => name === tag);
  return { index, payload: val, type: cases[index]?.type };
}

function lowerList(element: WitType | undefined, value: unknown, memory: GuestMemory): [pointer: number, length: number] {
  if (element === undefined || value instanceof Uint8Array) {
    const bytes = value instanceof Uint8Array ? value : new TextEncoder().encode(value as string);
    return [memory.put(bytes), bytes.length];
  }
  const items = value as readonly unknown[];
  const size = sizeOf(element);
  const bytes = new Uint8Array(size * items.length);
  for (const [index, item] of items.entries()) store(element, item, bytes, size * index, memory);
  return [memory.put(bytes), items.length];
}

function store(type: WitType, value: unknown, bytes: Uint8Array, at: number, memory: GuestMemory): void {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') {
    writeBits(bytes, at, shape.size, shape.lower(value));
  } else if (shape.kind === 'list') {
    for (const [index, word] of lowerList(shape.element, value, memory).entries()) writeBits(bytes, at + 4 * index, 4, BigInt(word));
  } else if (shape.kind === 'members') {
    for (const { name, type, start } of placesOf(shape.members)) store(type, (value as Record<string, unknown>)[name], bytes, at + start, memory);
  } else {
    const { index, payload, type: of } = caseOf(shape.cases, type, value);
    writeBits(bytes, at, 1, BigInt(index));
    if (of) store(of, payload, bytes, at + payloadOf(shape.cases), memory);
  }
}

function loadList(element: WitType | undefined, pointer: number, length: number, memory: GuestMemory): unknown {
  if (element === undefined) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(memory.get(pointer, length));
  const size = sizeOf(element);
  const bytes = memory.get(pointer, size * length);
  return element.kind === 'u8' ? bytes : Array.from({ length }, (_, index) => load(element, bytes, size * index, memory));
}

function placesOf(members: readonly Field[]): readonly (Field & { readonly start: number; readonly end: number })[] {
  let end = 0;
  return members.map(({ name, type }) => {
    const start = align(end, alignmentOf(type));
    end = start + sizeOf(type);
    return { name, type, start, end };
  });
}

function payloadOf(cases: readonly Case[]): number {
  return align(1, Math.max(1, ...cases.map(({ type }) => (type ? alignmentOf(type) : 1))));
}

function alignmentOf(type: WitType): number {
  const shape = shapeOf(type);
  if (shape.kind === 'scalar') return shape.size;
  if (shape.kind === 'list') return 4;
  if (shape.kind === 'members') return Math.max(1, ...shape.members.map((member) => alignmentOf(member.type)));
  return payloadOf(shape.cases);
}

function align(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment;
}

function readBits(bytes: Uint8Array, at: number, size: number): bigint {
  return bytes.subarray(at, at + size).reduceRight((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function writeBits(bytes: Uint8Array, at: number, size: number, bits: bigint): void {
  for (let index = 0; index < size; index += 1) bytes[at + index] = Number((bits >> BigInt(8 * index)) & 0xffn);
}
