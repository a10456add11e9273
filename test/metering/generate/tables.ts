// Productions of references that every module may use, and of tables.
import { prices } from '../../../src/metering/prices.ts';
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import { referableOf, type TableShape } from './shape.ts';
import { FUNCREF, isNullable, isReference, type ValueType } from './types.ts';

const refNull: Expression = {
  weight: 2,
  fits: (_, type) => isReference(type) && isNullable(type),
  write: (writer, _, type) => writer.zero(type),
};

const refFunc: Expression = {
  weight: 6,
  fits: (_, type) => type === FUNCREF,
  write: ({ code, shape }, { dice }) => code.op('ref.func', dice.of(referableOf(shape.functions))),
};

const isNull: Expression = {
  weight: 2,
  fits: (_, type) => type === 'i32',
  write(writer, node) {
    writer.expression(node.next(), node.dice.of(writer.shape.values.filter((type) => isReference(type))));
    writer.code.op('ref.is_null');
  },
};

const get: Expression = {
  weight: 4,
  fits: (writer, type) => tablesOf(writer, type).length > 0,
  write(writer, node, type) {
    const table = node.dice.of(tablesOf(writer, type));
    writeIndex(writer, node, writer.shape.tables[table] as TableShape);
    writer.code.op('table.get', table);
  },
};

const size: Expression = {
  weight: 1,
  fits: ({ shape }, type) => shape.tables.some(({ address }) => address === type),
  write: (writer, { dice }, type) => writer.code.op('table.size', dice.of(withAddress(writer, type))),
};

const grow: Expression = {
  weight: 1,
  fits: ({ shape, straight }, type) => !straight && shape.tables.some(({ address }) => address === type),
  write(writer, node, type) {
    const table = node.dice.of(withAddress(writer, type));
    writer.expression(node.next(), writer.shape.tables[table]?.element as ValueType);
    if (node.dice.rarely(4)) writer.expression(node.next(), type);
    else writeConstant(writer, type, node.dice.below(4));
    writer.sized(type as 'i32' | 'i64', prices.element, 0, true, () => writer.code.op('table.grow', table));
  },
};

const set: Statement = {
  weight: 2,
  fits: ({ shape }) => shape.tables.length > 0,
  write(writer, node) {
    const [index, table] = anyTable(writer, node);
    writeIndex(writer, node, table);
    writer.expression(node.next(), table.element);
    writer.code.op('table.set', index);
  },
};

const fill: Statement = {
  weight: 1,
  fits: ({ shape, straight }) => !straight && shape.tables.length > 0,
  write(writer, node) {
    const [index, table] = anyTable(writer, node);
    writeIndex(writer, node, table);
    writer.expression(node.next(), table.element);
    writeLength(writer, node, table.address);
    perElement(writer, table.address, () => writer.code.op('table.fill', index));
  },
};

const copy: Statement = {
  weight: 1,
  fits: ({ shape, straight }) => !straight && shape.tables.length > 0,
  write(writer, node) {
    const [to, target] = anyTable(writer, node);
    const from = node.dice.of([...writer.shape.tables.keys()].filter((index) => writer.shape.tables[index]?.element === target.element));
    const source = writer.shape.tables[from] as TableShape;
    const length = target.address === 'i64' && source.address === 'i64' ? 'i64' : 'i32';
    writeIndex(writer, node, target);
    writeIndex(writer, node, source);
    writeLength(writer, node, length);
    perElement(writer, length, () => writer.code.op('table.copy', to, from));
  },
};

const init: Statement = {
  weight: 1,
  fits: (writer) => !writer.straight && writer.shape.elements.length > 0 && tablesOf(writer, FUNCREF).length > 0,
  write(writer, node) {
    const index = node.dice.of(tablesOf(writer, FUNCREF));
    const segment = node.dice.below(writer.shape.elements.length);
    if (node.dice.rarely(6)) return writer.code.op('elem.drop', segment);
    writeIndex(writer, node, writer.shape.tables[index] as TableShape);
    writer.code.i32(node.dice.below(4));
    writer.code.i32(node.dice.below(3));
    perElement(writer, 'i32', () => writer.code.op('table.init', segment, index));
  },
};

export const tableExpressions: readonly Expression[] = [refNull, refFunc, isNull, get, size, grow];
export const tableStatements: readonly Statement[] = [set, fill, copy, init];

function tablesOf({ shape }: FunctionWriter, element: ValueType): number[] {
  return [...shape.tables.keys()].filter((index) => shape.tables[index]?.element === element);
}

function withAddress({ shape }: FunctionWriter, type: ValueType): number[] {
  return [...shape.tables.keys()].filter((index) => shape.tables[index]?.address === type);
}

function anyTable({ shape }: FunctionWriter, { dice }: Node): [index: number, table: TableShape] {
  const index = dice.below(shape.tables.length);
  return [index, shape.tables[index] as TableShape];
}

// Within the table's first slots, as a rule.
function writeIndex(writer: FunctionWriter, node: Node, { address, minimum }: TableShape): void {
  const wild = !writer.straight && node.dice.rarely(80);
  writer.expression(node.next(), address);
  if (wild) return;
  writeConstant(writer, address, minimum >= 4 ? 3 : 1);
  writer.code.op(`${address}.and`);
}

function writeLength(writer: FunctionWriter, node: Node, type: 'i32' | 'i64'): void {
  if (node.dice.rarely(20)) return writer.expression(node.next(), type);
  writer.expression(node.next(), type);
  writeConstant(writer, type, 1);
  writer.code.op(`${type}.and`);
}

function writeConstant({ code }: FunctionWriter, type: ValueType, value: number): void {
  if (type === 'i32') code.i32(value);
  else code.i64(BigInt(value));
}

function perElement(writer: FunctionWriter, type: 'i32' | 'i64', write: () => void): void {
  writer.sized(type, 2 ** prices.bulkTableShift, 0, false, write);
}
