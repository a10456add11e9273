// What a generated program is made from: a tree of numbers. Whoever compiles it gives every tree a meaning, so any tree is a program and any smaller
// tree a smaller one; that is what makes shrinking work. What the numbers mean is for the compiler to say.
import fc from 'fast-check';

export interface Tree {
  /** Chooses what is built here; 0 is the simplest thing. */
  readonly pick: number;
  /** Its details: see {@link Dice}. */
  readonly value: number;
  readonly kids: readonly Tree[];
}

/** The numbers of a node, dealt out one by one; all zero once they have run out, or when there is no node. */
export class Dice {
  #value: number;

  constructor(tree: Tree | undefined) {
    this.#value = tree?.value ?? 0;
  }

  /** A number in [0, sides). */
  below(sides: number): number {
    const face = this.#value % sides;
    this.#value = Math.floor(this.#value / sides);
    return face;
  }

  /** One in `sides`. */
  rarely(sides: number): boolean {
    return this.below(sides) === sides - 1;
  }

  /** @throws RangeError when there is nothing to choose from. */
  of<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new RangeError('nothing to choose from');
    return items[this.below(items.length)] as Item;
  }
}

/** How wide trees grow at each level below the root: the least and the most kids. */
export type Widths = readonly (readonly [least: number, most: number])[];

/** Random trees: `parts` gives the widths below each kid of the root, the last of them for all further kids, of which there are `[least, most]`. */
export function trees(parts: readonly Widths[], [least, most]: readonly [number, number]): fc.Arbitrary<Tree> {
  return new TreeArbitrary(parts, least, most);
}

const PICKS = 2 ** 31 - 1;
const VALUES = 2 ** 53;

class TreeArbitrary extends fc.Arbitrary<Tree> {
  readonly #parts: readonly Widths[];
  readonly #least: number;
  readonly #most: number;

  constructor(parts: readonly Widths[], least: number, most: number) {
    super();
    this.#parts = parts;
    this.#least = least;
    this.#most = most;
  }

  override generate(random: fc.Random): fc.Value<Tree> {
    const count = this.#parts.length - 1 + random.nextInt(this.#least, this.#most);
    const kids = Array.from({ length: count }, (_, index) => grow(random, this.#parts[Math.min(index, this.#parts.length - 1)] as Widths, 0));
    return new fc.Value({ pick: 0, value: 0, kids }, undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is Tree {
    return typeof value === 'object' && value !== null && 'kids' in value;
  }

  override shrink(tree: Tree): fc.Stream<fc.Value<Tree>> {
    return new fc.Stream(smaller(tree, 0)).map((candidate) => new fc.Value(candidate, undefined));
  }
}

function grow(random: fc.Random, widths: Widths, level: number): Tree {
  const [least, most] = widths[level] ?? [0, 0];
  const count = most === 0 ? 0 : random.nextInt(least, most);
  const kids = Array.from({ length: count }, () => grow(random, widths, level + 1));
  return { pick: random.nextInt(0, PICKS), value: Math.floor(random.nextDouble() * VALUES), kids };
}

// Smaller trees, those that take most away first: without some kids, a kid instead of its parent (not where kids have fixed parts to play), smaller
// kids, smaller numbers.
function* smaller(tree: Tree, level: number): IterableIterator<Tree> {
  const { kids } = tree;
  for (let chunk = kids.length; chunk > 0; chunk >>= 1) {
    for (let at = 0; at + chunk <= kids.length; at += chunk) yield { ...tree, kids: [...kids.slice(0, at), ...kids.slice(at + chunk)] };
  }
  if (level > 1) yield* kids;
  for (const [index, kid] of kids.entries()) {
    for (const candidate of smaller(kid, level + 1)) yield { ...tree, kids: kids.with(index, candidate) };
  }
  if (tree.pick !== 0) yield { ...tree, pick: 0 };
  if (tree.value !== 0) yield { ...tree, value: 0 };
  if (tree.value > 1) yield { ...tree, value: Math.floor(tree.value / 2) };
}
