// Productions of numbers and vectors: constants, locals, globals, every operator by its types. What a NaN's bits are is the engine's choice, and may differ
// from one compilation to the next, so no bit of a NaN is ever looked at.
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import { type TypedOperator, typedOperators } from './signatures.ts';
import { isReference, NUMERIC, type ValueType } from './types.ts';

const BY_RESULT: ReadonlyMap<ValueType, readonly TypedOperator[]> = Map.groupBy(typedOperators, ({ result }) => result);

const INTEGERS = [1, -1, 2, 7, 8, 31, 32, 63, 255, 4_096, 65_535, 65_536, 0x7fff_ffff, -0x8000_0000];
const FLOATS = [1, -1, 0.5, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 31, -(2 ** 31), 2 ** 63, 1e-45, 3.4e38, 1e300];

const constant: Expression = {
  weight: 4,
  fits: (_, type) => NUMERIC.includes(type) || type === 'v128',
  write({ code }, { dice }, type) {
    const small = dice.below(2) === 0;
    if (type === 'i32') code.i32(small ? dice.below(8) : dice.of(INTEGERS));
    else if (type === 'i64') code.i64(small ? BigInt(dice.below(8)) : BigInt(dice.of(INTEGERS)) << BigInt(dice.of([0, 0, 31, 32])));
    else if (type === 'f32') code.f32(small ? dice.below(8) : dice.of(FLOATS));
    else if (type === 'f64') code.f64(small ? dice.below(8) : dice.of(FLOATS));
    else code.v128(Array.from({ length: 16 }, () => (small ? dice.below(4) : dice.below(256))));
  },
};

const localGet: Expression = {
  weight: 6,
  fits: (writer, type) => writer.readable(type).length > 0,
  write: (writer, { dice }, type) => writer.code.op('local.get', dice.of(writer.readable(type))),
};

const localTee: Expression = {
  weight: 1,
  fits: (writer, type) => writer.writable(type).length > 0,
  write(writer, node, type) {
    writer.expression(node.next(), type);
    writer.code.op('local.tee', node.dice.of(writer.writable(type)));
  },
};

const globalGet: Expression = {
  weight: 2,
  fits: (writer, type) => globalsOf(writer, type, false).length > 0,
  write: (writer, { dice }, type) => writer.code.op('global.get', dice.of(globalsOf(writer, type, false))),
};

const operator: Expression = {
  weight: 10,
  fits: (_, type) => BY_RESULT.has(type),
  write(writer, node, type) {
    applyOperator(writer, node, node.dice.of(BY_RESULT.get(type) as readonly TypedOperator[]));
  },
};

const select: Expression = {
  weight: 1,
  fits: () => true,
  write(writer, node, type) {
    writer.expressions(node, [type, type, 'i32']);
    if (!isReference(type) && node.dice.below(2) === 0) return writer.code.op('select');
    writer.code.op('select_t', 1);
    writer.valueType(type);
  },
};

const localSet: Statement = {
  weight: 5,
  fits: (writer) => writer.settable.length > 0,
  write(writer, node) {
    const local = node.dice.of(writer.settable);
    writer.expression(node.next(), writer.locals[local] as ValueType);
    writer.code.op('local.set', local);
  },
};

const globalSet: Statement = {
  weight: 3,
  fits: (writer) => writer.shape.globals.some((_, index) => writer.isWritableGlobal(index)),
  write(writer, node) {
    const { globals } = writer.shape;
    const global = node.dice.of([...globals.keys()].filter((index) => writer.isWritableGlobal(index)));
    writer.expression(node.next(), globals[global]?.type as ValueType);
    writer.code.op('global.set', global);
  },
};

const drop: Statement = {
  weight: 2,
  fits: () => true,
  write(writer, node) {
    writer.expression(node.next(), node.dice.of(writer.shape.values));
    writer.code.op('drop');
  },
};

const nop: Statement = { weight: 1, fits: () => true, write: ({ code }) => code.op('nop') };

export const numericExpressions: readonly Expression[] = [constant, localGet, globalGet, operator, localTee, select];
export const numericStatements: readonly Statement[] = [nop, drop, localSet, globalSet];

/** Replaces a NaN on top of the stack, in any lane, by one that is the same everywhere. */
export function canonicalise(writer: FunctionWriter, type: 'f32' | 'f64' | 'f32x4' | 'f64x2'): void {
  const { code } = writer;
  const vector = type.includes('x');
  const temporary = writer.temporary(vector ? 'v128' : type);
  code.op('local.tee', temporary);
  if (type === 'f32') code.f32(Number.NaN);
  else if (type === 'f64') code.f64(Number.NaN);
  else code.v128([...new Uint8Array((type === 'f32x4' ? new Float32Array(4) : new Float64Array(2)).fill(Number.NaN).buffer)]);
  code.op('local.get', temporary);
  code.op('local.get', temporary);
  code.op(`${type}.eq`);
  code.op(vector ? 'v128.bitselect' : 'select');
}

function globalsOf({ shape }: FunctionWriter, type: ValueType, mutable: boolean): number[] {
  return [...shape.globals.keys()].filter((index) => shape.globals[index]?.type === type && (!mutable || shape.globals[index]?.mutable));
}

function applyOperator(writer: FunctionWriter, node: Node, chosen: TypedOperator): void {
  const { code } = writer;
  const { dice } = node;
  // Now and then an operator may trap; if it did often, no program would get far.
  const daring = !writer.straight && dice.rarely(12);
  const { name, params, lanes } = daring ? chosen : tame(chosen);
  for (const [index, param] of params.entries()) {
    writer.expression(node.next(), param);
    const observed = /reinterpret|splat|replace_lane/.test(name) || (name.endsWith('copysign') && index === 1);
    if (observed && (param === 'f32' || param === 'f64')) canonicalise(writer, param);
  }
  if (!daring && /\.(div|rem)_/.test(name)) {
    const type = params[0] as 'i32' | 'i64';
    if (type === 'i32') code.i32(1);
    else code.i64(1n);
    code.op(`${type}.or`);
  }
  code.op(name);
  for (let lane = 0; lane < (lanes === 32 ? 16 : Math.min(lanes, 1)); lane++) code.out.u8(dice.below(lanes));
  const shape = name.slice(0, 5);
  if ((shape === 'f32x4' || shape === 'f64x2') && chosen.result === 'v128' && !/\.(eq|ne|lt|gt|le|ge)$/.test(name)) canonicalise(writer, shape);
}

// Truncations trap for most numbers; those that saturate stand in for them.
function tame(chosen: TypedOperator): TypedOperator {
  const name = chosen.name.replace(/^(i32|i64)\.trunc_f/, '$1.trunc_sat_f');
  return { ...chosen, name };
}
