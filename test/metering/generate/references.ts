// Productions of typed references and of structures and arrays that the engine collects: where the types of a shape have none of them, none of this fits.
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import { referableOf } from './shape.ts';
import type { Composite, ValueType } from './types.ts';
import { definedHeap, EXTERNREF, FUNCREF, heapOf, isNullable, isReference, nullable, writeHeapType } from './types.ts';

const ANYREF = 'ref null any';
const EQREF = 'ref null eq';

const upcast: Expression = {
  weight: 4,
  fits: (writer, type) => subtypesOf(writer, type).length > 0,
  write: (writer, node, type) => writer.expression(node.next(), node.dice.of(subtypesOf(writer, type))),
};

const asNonNull: Expression = {
  weight: 1,
  fits: (_, type) => isNonNull(type),
  write(writer, node, type) {
    // Of two forms, one traps on null and one branches.
    const targets = writer.targets((types) => types.length === 0);
    writer.expression(node.next(), nullable(type));
    if (targets.length > 0) writer.code.op('br_on_null', node.dice.of(targets));
    else writer.code.op('ref.as_non_null');
  },
};

const create: Expression = {
  weight: 8,
  fits: (writer, type) => isNonNull(type) && compositeOf(writer, type) !== undefined,
  write(writer, node, type) {
    const heap = definedHeap(type) as number;
    const { kind, fields } = compositeOf(writer, type) as Composite;
    if (kind === 'array') return writeArray(writer, node, heap, fields[0]?.type as ValueType);
    if (node.dice.rarely(4)) return writer.code.op('struct.new_default', heap);
    writer.expressions(
      node,
      fields.map((field) => unpacked(field.type)),
    );
    writer.code.op('struct.new', heap);
  },
};

const refI31: Expression = {
  weight: 6,
  fits: (_, type) => type === 'ref i31',
  write(writer, node) {
    writer.expression(node.next(), 'i32');
    writer.code.op('ref.i31');
  },
};

const typedFunction: Expression = {
  weight: 8,
  fits: (writer, type) => isNonNull(type) && functionsOf(writer, type).length > 0,
  write: (writer, { dice }, type) => writer.code.op('ref.func', dice.of(functionsOf(writer, type))),
};

const fieldGet: Expression = {
  weight: 5,
  fits: (writer, type) => fieldsOf(writer, type, false).length > 0,
  write(writer, node, type) {
    const { heap, field, packed, kind } = node.dice.of(fieldsOf(writer, type, false));
    const name = `${kind}.get${packed ? node.dice.of(['_s', '_u']) : ''}`;
    writeObject(writer, node, heap);
    if (kind === 'array') writeIndex(writer, node);
    writer.code.op(name, heap, ...(kind === 'struct' ? [field] : []));
  },
};

const inspect: Expression = {
  weight: 4,
  fits: ({ shape }, type) => type === 'i32' && shape.features.gc,
  write(writer, node) {
    const { code } = writer;
    const { dice } = node;
    const arrays = compositesOf(writer, 'array');
    const way = dice.below(arrays.length > 0 ? 5 : 4);
    if (way === 0) {
      writer.expressions(node, [EQREF, EQREF]);
      code.op('ref.eq');
    } else if (way === 1) {
      writer.expression(node.next(), dice.rarely(8) ? 'ref null i31' : 'ref i31');
      code.op(dice.of(['i31.get_s', 'i31.get_u']));
    } else if (way < 4) {
      const type = dice.of(anyTypes(writer));
      writer.expression(node.next(), ANYREF);
      code.op(way === 2 ? 'ref.test' : 'ref.test_null');
      writeHeapType(code.out, type);
    } else {
      writeObject(writer, node, dice.of(arrays));
      code.op('array.len');
    }
  },
};

// From a supertype, which the value is hidden behind by a block.
const cast: Expression = {
  weight: 2,
  fits: (writer, type) => anyTypes(writer).includes(nullable(type)),
  write(writer, node, type) {
    const bold = node.dice.rarely(20);
    writer.block('block', [], [ANYREF], () => writer.expression(node.next(), bold ? ANYREF : type));
    writer.code.op(isNullable(type) ? 'ref.cast_null' : 'ref.cast');
    writeHeapType(writer.code.out, type);
  },
};

const convert: Expression = {
  weight: 1,
  fits: ({ shape }, type) => shape.features.gc && (type === ANYREF || type === EXTERNREF),
  write(writer, node, type) {
    writer.expression(node.next(), type === ANYREF ? EXTERNREF : ANYREF);
    writer.code.op(type === ANYREF ? 'any.convert_extern' : 'extern.convert_any');
  },
};

const fieldSet: Statement = {
  weight: 3,
  fits: (writer) => writer.shape.types.composites.some(({ fields }) => fields.some(({ mutable }) => mutable)),
  write(writer, node) {
    const { heap, field, type, kind } = node.dice.of(fieldsOf(writer, undefined, true));
    writeObject(writer, node, heap);
    if (kind === 'array') writeIndex(writer, node);
    writer.expression(node.next(), unpacked(type));
    writer.code.op(`${kind}.set`, heap, ...(kind === 'struct' ? [field] : []));
  },
};

const arrayWork: Statement = {
  weight: 3,
  fits: (writer) => compositesOf(writer, 'array').length > 0,
  write(writer, node) {
    const { code, shape } = writer;
    const { dice } = node;
    const heap = dice.of(compositesOf(writer, 'array'));
    const element = shape.types.composites[heap]?.fields[0]?.type as ValueType;
    const way = dice.below(3);
    const segment = segmentFor(writer, element, dice.below(8));
    writeObject(writer, node, heap);
    writeIndex(writer, node);
    if (way === 2 && segment !== undefined) {
      code.i32(dice.below(2));
      writeFew(writer, node);
      return code.op(element === FUNCREF ? 'array.init_elem' : 'array.init_data', heap, segment);
    }
    if (way === 1) {
      writeObject(writer, node, heap);
      writeIndex(writer, node);
    } else {
      writer.expression(node.next(), unpacked(element));
    }
    writeFew(writer, node);
    writer.sized('i32', 1, 0, false, () => (way === 1 ? code.op('array.copy', heap, heap) : code.op('array.fill', heap)));
  },
};

// A branch by what a reference is, to a label whose last type is a reference.
const branchOn: Statement = {
  weight: 3,
  fits: (writer) => branchTargets(writer).length > 0,
  write(writer, node) {
    const { code } = writer;
    const { dice } = node;
    const depth = dice.of(branchTargets(writer));
    const { types } = writer.label(depth);
    const last = types.at(-1) as ValueType;
    const others = types.slice(0, -1);
    const collected = [ANYREF, ...anyTypes(writer)].includes(nullable(last));
    // The third way passes on what is not of a type, which is known of it only that it is any reference.
    const way = collected ? dice.below(last === ANYREF ? 3 : 2) : 0;
    writer.expressions(node, [...others, way === 0 ? nullable(last) : ANYREF]);
    if (way === 0) {
      code.op('br_on_non_null', depth);
      return writer.consume(others, dice);
    }
    const target = way === 1 ? last : dice.of(anyTypes(writer));
    code.op(way === 1 ? 'br_on_cast' : 'br_on_cast_fail');
    code.out.u8(isNullable(target) ? 3 : 1);
    code.out.u32(depth);
    writeHeapType(code.out, ANYREF);
    writeHeapType(code.out, target);
    code.op('drop');
    writer.consume(others, dice);
  },
};

export const referenceExpressions: readonly Expression[] = [upcast, asNonNull, create, refI31, typedFunction, fieldGet, inspect, cast, convert];
export const referenceStatements: readonly Statement[] = [fieldSet, arrayWork, branchOn];

function isNonNull(type: ValueType): boolean {
  return isReference(type) && !isNullable(type);
}

function unpacked(type: ValueType): ValueType {
  return type === 'i8' || type === 'i16' ? 'i32' : type;
}

function compositeOf({ shape }: FunctionWriter, type: ValueType): Composite | undefined {
  return shape.types.composites[definedHeap(type) ?? -1];
}

function compositesOf({ shape }: FunctionWriter, kind: Composite['kind']): number[] {
  return [...shape.types.composites.keys()].filter((heap) => shape.types.composites[heap]?.kind === kind);
}

function functionsOf({ shape }: FunctionWriter, type: ValueType): number[] {
  const heap = heapOf(type);
  return referableOf(shape.functions).filter((index) => heap === 'func' || shape.functions[index]?.type === definedHeap(type));
}

/** The nullable types of collected values. */
function anyTypes({ shape }: FunctionWriter): ValueType[] {
  return shape.features.gc ? ['eq', 'i31', 'struct', 'array', ...shape.types.composites.keys()].map((heap) => `ref null ${heap}`) : [];
}

// Types one step below; what is not null is a step below what may be.
function subtypesOf({ shape }: FunctionWriter, type: ValueType): ValueType[] {
  if (!isReference(type)) return [];
  const heap = heapOf(type);
  const { composites } = shape.types;
  const heaps = [...composites.keys()].filter((index) => {
    const { parent, kind } = composites[index] as Composite;
    return parent === undefined ? kind === heap : String(parent) === heap;
  });
  const below = [...({ any: ['eq'], eq: ['i31', 'struct', 'array'] }[heap] ?? []), ...heaps].map((lower) => `ref null ${lower}`);
  const bottom = isNullable(type) ? below : below.map((lower) => lower.replace('null ', '')).filter((lower) => shape.passed.includes(lower));
  const sure = type.replace('null ', '');
  return isNullable(type) && shape.passed.includes(sure) ? [...bottom, sure] : bottom;
}

interface FieldOf {
  readonly heap: number;
  readonly field: number;
  readonly type: ValueType;
  readonly packed: boolean;
  readonly kind: Composite['kind'];
}

/** Fields whose values are of the type, of any where there is none. */
function fieldsOf({ shape }: FunctionWriter, wanted: ValueType | undefined, mutable: boolean): FieldOf[] {
  return shape.types.composites.flatMap(({ kind, fields }, heap) =>
    fields
      .map(({ type }, field) => ({ heap, field, type, packed: type !== unpacked(type), kind }))
      .filter(({ type, field }) => (wanted === undefined || unpacked(type) === wanted) && (!mutable || fields[field]?.mutable)),
  );
}

function writeObject(writer: FunctionWriter, node: Node, heap: number): void {
  writer.expression(node.next(), node.dice.rarely(24) ? `ref null ${heap}` : `ref ${heap}`);
}

// Arrays have two elements at least, most of them.
function writeIndex(writer: FunctionWriter, node: Node): void {
  const wild = node.dice.rarely(40);
  writer.expression(node.next(), 'i32');
  if (wild) return;
  writer.code.i32(1);
  writer.code.op('i32.and');
}

function writeFew(writer: FunctionWriter, node: Node): void {
  writer.code.i32(node.dice.rarely(20) ? 9 : node.dice.below(2));
}

function writeArray(writer: FunctionWriter, node: Node, heap: number, element: ValueType): void {
  const { code } = writer;
  const { dice } = node;
  const way = dice.below(4);
  const segment = segmentFor(writer, element, dice.below(8));
  if (way === 3 && segment !== undefined) {
    code.i32(0);
    code.i32(dice.below(3));
    return code.op(element === FUNCREF ? 'array.new_elem' : 'array.new_data', heap, segment);
  }
  if (way === 2) {
    const count = 2 + dice.below(3);
    code.count(count);
    for (let value = 0; value < count; value++) writer.expression(node.next(), unpacked(element));
    return code.op('array.new_fixed', heap, count);
  }
  if (way === 1) writer.expression(node.next(), unpacked(element));
  writer.expression(node.next(), 'i32');
  code.i32(0x1f);
  code.op('i32.and');
  code.i32(2);
  code.op('i32.or');
  // At least a unit for each element.
  writer.sized('i32', 1, 0, false, () => code.op(way === 1 ? 'array.new' : 'array.new_default', heap));
}

// A segment that arrays of the element type can be made from.
function segmentFor({ shape }: FunctionWriter, element: ValueType, number: number): number | undefined {
  const segments = element === FUNCREF ? shape.elements : isReference(element) ? [] : shape.data;
  return segments.length === 0 ? undefined : number % segments.length;
}

function branchTargets(writer: FunctionWriter): number[] {
  const { gc, functionReferences } = writer.shape.features;
  return gc && functionReferences ? writer.targets((types) => isReference(types.at(-1) ?? '')) : [];
}
