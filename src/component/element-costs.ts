// What one element of a list costs the host when it is lifted, from its type: a few bytes of the guest's may stand for hundreds of objects. The glue only
// knows how many bytes an element has (Canonical ABI, "Element Size"), so the dearest type of that size counts.
import type { Program } from './program.ts';
import { type FunctionType, isWitFunction, type WitType } from './types.ts';

export interface ElementCost {
  /** Bytes of the host's memory, an upper bound; what strings and inner lists hold is charged where they are lifted. */
  readonly hostBytes: number;
  /** Values that are made. */
  readonly values: number;
}

/** The cost of an element that takes `size` bytes in the guest's memory. */
export type ElementCosts = (size: number) => ElementCost;

/** The costs of the lists in the types of a component's functions. Of sizes that none of them has, it is that of the dearest element there is. */
export function elementCosts({ imports, exports }: Pick<Program, 'imports' | 'exports'>): ElementCosts {
  const bySize = new Map<number, ElementCost>();
  const measure = new Measure((element) => bySize.set(element.size, dearer(bySize.get(element.size), element)));
  for (const { type } of [...imports, ...exports]) if (type !== undefined && isWitFunction(type)) measure.function(type);
  const dearest = [...bySize.values()].reduce(dearer, NOTHING);
  return (size) => bySize.get(size) ?? dearest;
}

interface Measured extends ElementCost {
  /** Bytes and alignment in the guest's memory. */
  readonly size: number;
  readonly align: number;
}

const NOTHING: ElementCost = { hostBytes: 0, values: 1 };

// Generous sizes of what the engine makes, in bytes: an object or array with its backing store, one slot of it, a number or short string in a box, a typed
// array with its buffer, a resource with its symbols and its finalizer.
const OBJECT = 64;
const SLOT = 32;
const BOX = 32;
const TYPED_ARRAY = 512;
const RESOURCE = 1_024;

const PRIMITIVE_SIZES = { bool: 1, u8: 1, s8: 1, u16: 2, s16: 2, u32: 4, s32: 4, f32: 4, char: 4, u64: 8, s64: 8, f64: 8 } as const;

class Measure {
  readonly #found: (element: Measured) => void;
  // Types are shared; without this, one that doubles with each level would take exponential time.
  readonly #known = new Map<WitType, Measured>();

  /** @param found is told of the element type of each list. */
  constructor(found: (element: Measured) => void) {
    this.#found = found;
  }

  function({ params, result }: FunctionType): void {
    for (const { type } of params) this.#of(type);
    if (result !== undefined) this.#of(result);
  }

  #of(type: WitType): Measured {
    let known = this.#known.get(type);
    if (known === undefined) {
      known = this.#measure(type);
      this.#known.set(type, known);
    }
    return known;
  }

  #measure(type: WitType): Measured {
    switch (type.kind) {
      case 'string':
        return { size: 8, align: 4, hostBytes: BOX, values: 1 };
      case 'list':
        this.#found(this.#of(type.element));
        return { size: 8, align: 4, hostBytes: TYPED_ARRAY, values: 4 };
      case 'record':
        return product(type.fields.map((field) => this.#of(field.type)));
      case 'tuple':
        return product(type.items.map((item) => this.#of(item)));
      case 'variant':
        return this.#sum(type.cases.map((one) => one.type));
      case 'option':
        return this.#sum([undefined, type.some]);
      case 'result':
        return this.#sum([type.ok, type.err]);
      case 'enum':
        return { ...unsigned(discriminantSize(type.names.length)), hostBytes: 0, values: 1 };
      case 'flags':
        return { ...flagsSize(type.names.length), hostBytes: OBJECT + SLOT * type.names.length, values: 1 + type.names.length };
      case 'own':
      case 'borrow':
        return { size: 4, align: 4, hostBytes: RESOURCE, values: 10 };
      default:
        return { ...unsigned(PRIMITIVE_SIZES[type.kind]), hostBytes: type.kind === 'bool' ? 0 : BOX, values: 1 };
    }
  }

  #sum(types: readonly (WitType | undefined)[]): Measured {
    const payloads = types.flatMap((type) => (type === undefined ? [] : [this.#of(type)]));
    const discriminant = discriminantSize(types.length);
    const align = most(payloads, (payload) => payload.align, discriminant);
    const size = alignTo(
      alignTo(
        discriminant,
        most(payloads, (payload) => payload.align, 1),
      ) + most(payloads, (payload) => payload.size, 0),
      align,
    );
    const hostBytes = OBJECT + 2 * SLOT + most(payloads, (payload) => payload.hostBytes, 0);
    return { size, align, hostBytes, values: 1 + most(payloads, (payload) => payload.values, 0) };
  }
}

function product(parts: readonly Measured[]): Measured {
  let [size, hostBytes, values] = [0, OBJECT + SLOT * parts.length, 1];
  for (const part of parts) {
    size = alignTo(size, part.align) + part.size;
    hostBytes += part.hostBytes;
    values += part.values;
  }
  const align = most(parts, (part) => part.align, 1);
  return { size: alignTo(size, align), align, hostBytes, values };
}

function most(parts: readonly Measured[], of: (part: Measured) => number, least: number): number {
  return parts.reduce((maximum, part) => Math.max(maximum, of(part)), least);
}

function alignTo(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

function discriminantSize(cases: number): number {
  return cases <= 2 ** 8 ? 1 : cases <= 2 ** 16 ? 2 : 4;
}

function unsigned(size: number): { readonly size: number; readonly align: number } {
  return { size, align: size };
}

function flagsSize(names: number): { readonly size: number; readonly align: number } {
  if (names <= 16) return unsigned(names <= 8 ? 1 : 2);
  return { size: 4 * Math.ceil(names / 32), align: 4 };
}

function dearer(one: ElementCost | undefined, other: ElementCost): ElementCost {
  return { hostBytes: Math.max(one?.hostBytes ?? 0, other.hostBytes), values: Math.max(one?.values ?? 0, other.values) };
}
