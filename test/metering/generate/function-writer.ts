// Writes one generated function. It knows what a tree can become by lists of productions, which say where they fit; here is what they share: locals,
// labels, default values, and how the numbers and kids of a node are dealt out.
import type { Code } from './code.ts';
import type { FunctionShape, Shape } from './shape.ts';
import { Dice, type Tree } from './tree.ts';
import { definedHeap, heapOf, isNullable, isReference, nullable, type ValueType, writeHeapType, writeValueType } from './types.ts';

/** A node of the tree while code is written from it. */
export class Node {
  readonly dice: Dice;
  readonly #kids: readonly Tree[];
  #next = 0;

  constructor(tree: Tree | undefined) {
    this.dice = new Dice(tree);
    this.#kids = tree?.kids ?? [];
  }

  next(): Tree | undefined {
    return this.#kids[this.#next++];
  }

  rest(): readonly Tree[] {
    const rest = this.#kids.slice(this.#next);
    this.#next = this.#kids.length;
    return rest;
  }
}

/** One way to leave a value of a type on the stack. */
export interface Expression {
  readonly weight: number;
  fits(writer: FunctionWriter, type: ValueType): boolean;
  write(writer: FunctionWriter, node: Node, type: ValueType): void;
}

/** One way to leave the stack as it was. */
export interface Statement {
  readonly weight: number;
  fits(writer: FunctionWriter): boolean;
  write(writer: FunctionWriter, node: Node): void;
}

export interface Repertoire {
  readonly expressions: readonly Expression[];
  readonly statements: readonly Statement[];
  /** Whether its code always runs from the first operator to the last: nothing in it branches or traps. */
  readonly straight?: boolean;
}

export interface Label {
  /** What a branch to it takes. */
  readonly types: readonly ValueType[];
  /** Whether any branch may lead here. */
  readonly open: boolean;
  /** Whether the code at hand stands in a handler of this `try`. */
  catching: boolean;
}

const LOOP_DEPTH = 3;

export class FunctionWriter {
  readonly shape: Shape;
  readonly self: FunctionShape;
  readonly code: Code;
  readonly labels: Label[] = [];
  readonly locals: ValueType[];
  /** Loops around the code at hand. */
  loops = 0;
  /** Locals from here on are the writer's own: no random code writes them. */
  readonly #own: number;
  readonly #temporaries = new Map<string, number>();
  readonly #repertoire: Repertoire;

  constructor(shape: Shape, self: FunctionShape, code: Code, repertoire: Repertoire) {
    this.shape = shape;
    this.self = self;
    this.code = code;
    this.#repertoire = repertoire;
    this.locals = [...self.params, ...shape.values.filter((_, index) => index % 3 === self.type % 3)];
    this.#own = this.locals.length;
    // Straight functions of one type have the same locals, so that they differ by what they do alone.
    if (this.straight) for (const type of ['f32', 'f64', 'v128']) this.temporary(type);
  }

  get straight(): boolean {
    return this.#repertoire.straight === true;
  }

  get mayLoop(): boolean {
    return this.loops < (this.self.kind === 'guarded' ? LOOP_DEPTH : 1);
  }

  get mayCall(): boolean {
    return this.self.kind !== 'leaf';
  }

  /** Writes the whole body; call once. */
  write(): void {
    const { body, results, kind } = this.self;
    this.labels.push({ types: results, open: true, catching: false });
    this.#enter();
    if (kind === 'guarded' && !this.straight) this.#guard();
    this.body(body, results);
    this.labels.pop();
    this.code.op('end');
  }

  /** Statements, the last of them expressions for `results`. */
  body(trees: readonly Tree[], results: readonly ValueType[]): void {
    const statements = Math.max(0, trees.length - results.length);
    for (const tree of trees.slice(0, statements)) this.statement(tree);
    for (const [index, type] of results.entries()) this.expression(trees[statements + index], type);
  }

  statement(tree: Tree | undefined): void {
    if (tree === undefined) return;
    choose(
      this.#repertoire.statements.filter((one) => one.fits(this)),
      tree.pick,
    )?.write(this, new Node(tree));
  }

  expression(tree: Tree | undefined, type: ValueType): void {
    const expressions = tree === undefined ? [] : this.#repertoire.expressions.filter((one) => one.fits(this, type));
    const chosen = choose(expressions, tree?.pick ?? 0);
    if (chosen === undefined) this.zero(type);
    else chosen.write(this, new Node(tree), type);
  }

  expressions(node: Node, types: readonly ValueType[]): void {
    for (const type of types) this.expression(node.next(), type);
  }

  /** The simplest value of a type. */
  zero(type: ValueType): void {
    const { code, shape } = this;
    switch (type) {
      case 'i32':
        return code.i32(0);
      case 'i64':
        return code.i64(0n);
      case 'f32':
        return code.f32(0);
      case 'f64':
        return code.f64(0);
      case 'v128':
        return code.v128(new Array(16).fill(0));
    }
    if (isNullable(type)) {
      code.op('ref.null');
      return writeHeapType(code.out, type);
    }
    if (heapOf(type) === 'i31') {
      code.i32(0);
      return code.op('ref.i31');
    }
    if (heapOf(type) === 'func') return code.op('ref.func', 0);
    const heap = definedHeap(type);
    const composite = heap === undefined ? undefined : shape.types.composites[heap];
    const target = shape.functions.findIndex((one) => one.type === heap && one.referable);
    if (composite?.kind === 'struct') code.op('struct.new_default', heap as number);
    else if (composite !== undefined) {
      code.i32(2);
      code.op('array.new_default', heap as number);
    } else if (target >= 0) code.op('ref.func', target);
    else throw new RangeError(`no value of type ${type} is at hand`);
  }

  /** Takes values of `types` from the stack: into locals, where the dice say so. */
  consume(types: readonly ValueType[], dice: Dice): void {
    for (const type of types.toReversed()) {
      const locals = this.writable(isReference(type) ? nullable(type) : type);
      if (locals.length > 0 && dice.below(2) === 1) this.code.op('local.set', dice.of(locals));
      else this.code.op('drop');
    }
  }

  /** Of the values of `types` on the stack, leaves the one at `index`. */
  keep(types: readonly ValueType[], index: number): void {
    const above = types.length - 1 - index;
    for (let value = 0; value < above; value++) this.code.op('drop');
    if (index === 0) return;
    const type = types[index] as ValueType;
    const temporary = this.temporary(type);
    this.code.op('local.set', temporary);
    for (let value = 0; value < index; value++) this.code.op('drop');
    this.code.op('local.get', temporary);
    if (isReference(type) && !isNullable(type)) this.code.op('ref.as_non_null');
  }

  /** Locals that hold the type, the writer's own aside. */
  readable(type: ValueType): number[] {
    return [...this.locals.keys()].filter((local) => local < this.#own && this.locals[local] === type);
  }

  /** A counted function's first parameter is not written, so that it bounds the recursion. */
  writable(type: ValueType): number[] {
    return this.readable(type).filter((local) => local > 0 || !this.self.counted);
  }

  /** Locals that random code may write. */
  get settable(): number[] {
    return [...this.locals.keys()].filter((local) => local < this.#own && (local > 0 || !this.self.counted));
  }

  isWritableGlobal(index: number): boolean {
    return index !== this.shape.steps && this.shape.globals[index]?.mutable === true;
  }

  /** A new local of the writer's own. */
  local(type: ValueType): number {
    return this.locals.push(type) - 1;
  }

  /** A local that holds a value over a few operators of the writer's own; one for each purpose. */
  temporary(type: ValueType, purpose = 'value'): number {
    const defaultable = isReference(type) ? nullable(type) : type;
    const key = `${purpose} ${defaultable}`;
    const known = this.#temporaries.get(key);
    if (known !== undefined) return known;
    const local = this.local(defaultable);
    this.#temporaries.set(key, local);
    return local;
  }

  /**
   * An operator whose work depends on the number on top of the stack: once it is done, `units` for each 2^`shift` of it are counted, or none when it
   * answers -1.
   */
  sized(type: 'i32' | 'i64', units: number, shift: number, refusable: boolean, write: () => void): void {
    const { code } = this;
    if (code.counters === undefined) return write();
    const size = this.temporary('i64', 'size');
    const given = this.temporary(type, 'given');
    code.uncounted('local.tee', given);
    code.uncounted('local.get', given);
    if (type === 'i32') code.uncounted('i64.extend_i32_u');
    code.uncounted('local.set', size);
    write();
    if (refusable) code.uncounted('local.tee', given);
    code.countOf(() => {
      const constant = (of: 'i32' | 'i64', value: number): void => {
        code.uncounted(`${of}.const`);
        code.out.s32(value);
      };
      code.uncounted('local.get', size);
      constant('i64', units);
      code.uncounted('i64.mul');
      constant('i64', shift);
      code.uncounted('i64.shr_u');
      if (!refusable) return;
      constant('i64', 0);
      code.uncounted('local.get', given);
      constant(type, -1);
      code.uncounted(`${type}.ne`);
      code.uncounted('select');
    });
  }

  /** A call, in any of its forms. */
  call(name: string, ...indices: number[]): void {
    const { code } = this;
    if (code.counters !== undefined) {
      code.uncounted('local.get', this.temporary('i32', 'depth'));
      if (name.startsWith('return_')) {
        code.uncounted('i32.const', 1);
        code.uncounted('i32.sub');
      }
      code.uncounted('global.set', code.counters.depth);
    }
    code.op(name, ...indices);
  }

  /** Labels that a branch may lead to, as depths, the innermost first. */
  targets(accepts: (types: readonly ValueType[]) => boolean): number[] {
    const depths = [...this.labels.keys()].map((depth) => ({ depth, label: this.labels[this.labels.length - 1 - depth] as Label }));
    return depths.filter(({ label }) => label.open && accepts(label.types)).map(({ depth }) => depth);
  }

  label(depth: number): Label {
    return this.labels[this.labels.length - 1 - depth] as Label;
  }

  /** A structured operator up to its `end`; its label takes `types`, the results unless it is a loop. */
  block(name: 'block' | 'loop' | 'if' | 'try', params: readonly ValueType[], results: readonly ValueType[], write: (label: Label) => void, open = true): void {
    this.code.op(name);
    this.blockType(params, results);
    const label: Label = { types: name === 'loop' ? params : results, open, catching: false };
    this.labels.push(label);
    write(label);
    this.labels.pop();
    this.code.op('end');
  }

  blockType(params: readonly ValueType[], results: readonly ValueType[]): void {
    const [only] = results;
    if (params.length === 0 && only === undefined) this.code.out.u8(0x40);
    else if (params.length === 0 && results.length === 1) writeValueType(this.code.out, only as ValueType);
    else this.code.out.s32(this.shape.types.function(params, results));
  }

  valueType(type: ValueType): void {
    writeValueType(this.code.out, type);
  }

  /** `most` types at most, those that a block may pass. */
  types(dice: Dice, most: number): ValueType[] {
    return Array.from({ length: dice.below(most + 1) }, () => dice.of(this.shape.passed));
  }

  // Notes its own depth, one more than its caller's.
  #enter(): void {
    const { code } = this;
    if (code.counters === undefined) return;
    const depth = this.temporary('i32', 'depth');
    code.uncounted('global.get', code.counters.depth);
    code.uncounted('i32.const', 1);
    code.uncounted('i32.add');
    code.uncounted('local.tee', depth);
    code.uncounted('global.get', code.counters.deepest);
    code.uncounted('local.get', depth);
    code.uncounted('global.get', code.counters.deepest);
    code.uncounted('i32.gt_u');
    code.uncounted('select');
    code.uncounted('global.set', code.counters.deepest);
  }

  /** Leaves the function with default values, or by an exception, when the program has no steps left, or its argument says that it is deep enough. */
  #guard(): void {
    const { code, shape, self } = this;
    code.op('global.get', shape.steps);
    code.i32(1);
    code.op('i32.sub');
    code.op('global.set', shape.steps);
    code.op('global.get', shape.steps);
    code.i32(0);
    code.op('i32.lt_s');
    if (self.counted) {
      code.op('local.get', 0);
      code.i32(0);
      code.op('i32.le_s');
      code.op('i32.or');
    }
    this.block('if', [], [], () => {
      const [tag] = self.throws ? shape.tags : [];
      for (const type of tag ?? self.results) this.zero(type);
      if (tag === undefined) code.op('return');
      else code.op('throw', 0);
    });
  }
}

function choose<Production extends { readonly weight: number }>(productions: readonly Production[], pick: number): Production | undefined {
  const whole = productions.reduce((sum, { weight }) => sum + weight, 0);
  let at = whole === 0 ? 0 : pick % whole;
  return productions.find(({ weight }) => {
    at -= weight;
    return at < 0;
  });
}
