// Productions of loads, stores, atomic accesses, growth and bulk work of memories.
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import { canonicalise } from './numeric.ts';
import type { MemoryShape } from './shape.ts';
import { type MemoryOperator, memoryOperators } from './signatures.ts';
import type { ValueType } from './types.ts';
import { prices } from '../../../src/metering/prices.ts';

const WITH_RESULT: ReadonlyMap<ValueType | undefined, readonly MemoryOperator[]> = Map.groupBy(memoryOperators, ({ result }) => result);

const access: Expression = {
  weight: 4,
  fits: ({ shape }, type) => shape.memories.length > 0 && WITH_RESULT.has(type),
  write: (writer, node, type) => writeAccess(writer, node, node.dice.of(accesses(writer, type))),
};

const size: Expression = {
  weight: 1,
  fits: ({ shape }, type) => shape.memories.some(({ address }) => address === type),
  write: (writer, { dice }, type) => writer.code.op('memory.size', dice.of(withAddress(writer, type))),
};

const grow: Expression = {
  weight: 1,
  fits: ({ shape, straight }, type) => !straight && shape.memories.some(({ address }) => address === type),
  write(writer, node, type) {
    const memory = node.dice.of(withAddress(writer, type));
    writeDelta(writer, node, type);
    writer.sized(type as 'i32' | 'i64', prices.page, 0, true, () => writer.code.op('memory.grow', memory));
  },
};

const store: Statement = {
  weight: 6,
  fits: ({ shape }) => shape.memories.length > 0,
  write: (writer, node) => writeAccess(writer, node, node.dice.of(accesses(writer, undefined))),
};

const fill: Statement = {
  weight: 1,
  fits: ({ shape }) => shape.memories.length > 0,
  write(writer, node) {
    const [index, memory] = anyMemory(writer, node);
    writeAddress(writer, node, memory, 1);
    writer.expression(node.next(), 'i32');
    writeLength(writer, node, memory.address);
    perByte(writer, memory.address, () => writer.code.op('memory.fill', index));
  },
};

const copy: Statement = {
  weight: 1,
  fits: ({ shape }) => shape.memories.length > 0,
  write(writer, node) {
    const [to, target] = anyMemory(writer, node);
    const [from, source] = anyMemory(writer, node);
    const length = target.address === 'i64' && source.address === 'i64' ? 'i64' : 'i32';
    writeAddress(writer, node, target, 1);
    writeAddress(writer, node, source, 1);
    writeLength(writer, node, length);
    perByte(writer, length, () => writer.code.op('memory.copy', to, from));
  },
};

const init: Statement = {
  weight: 1,
  fits: ({ shape, straight }) => !straight && shape.memories.length > 0 && shape.data.length > 0,
  write(writer, node) {
    const [index, memory] = anyMemory(writer, node);
    const segment = node.dice.below(writer.shape.data.length);
    const bytes = writer.shape.data[segment]?.length as number;
    if (node.dice.rarely(6)) return writer.code.op('data.drop', segment);
    writeAddress(writer, node, memory, 1);
    writer.code.i32(node.dice.below(bytes + 1) >> 1);
    writer.code.i32(node.dice.rarely(8) ? bytes : bytes >> 1);
    perByte(writer, 'i32', () => writer.code.op('memory.init', segment, index));
  },
};

const fence: Statement = {
  weight: 1,
  fits: ({ shape }) => shape.features.threads,
  write({ code }) {
    code.op('atomic.fence');
    code.out.u8(0);
  },
};

export const memoryExpressions: readonly Expression[] = [access, size, grow];
export const memoryStatements: readonly Statement[] = [store, fill, copy, init, fence];

function accesses({ shape }: FunctionWriter, result: ValueType | undefined): MemoryOperator[] {
  return (WITH_RESULT.get(result) ?? []).filter(({ atomic }) => shape.features.threads || !atomic);
}

function withAddress({ shape }: FunctionWriter, type: ValueType): number[] {
  return [...shape.memories.keys()].filter((index) => shape.memories[index]?.address === type);
}

function anyMemory({ shape }: FunctionWriter, { dice }: Node): [index: number, memory: MemoryShape] {
  const index = dice.below(shape.memories.length);
  return [index, shape.memories[index] as MemoryShape];
}

function writeAccess(writer: FunctionWriter, node: Node, { name, params, size: bytes, lanes, atomic }: MemoryOperator): void {
  const { code } = writer;
  const [index, memory] = anyMemory(writer, node);
  const offset = !writer.straight && node.dice.rarely(60) ? 0x1_0000 : node.dice.of([0, 8, 16, ...(atomic ? [] : [1, 4_095])]);
  writeAddress(writer, node, memory, atomic ? bytes : 1);
  for (const param of params) {
    writer.expression(node.next(), param);
    if (param === 'f32' || param === 'f64') canonicalise(writer, param);
  }
  const natural = Math.log2(bytes);
  code.op(name);
  code.out.u8((atomic ? natural : node.dice.below(natural + 1)) | (index === 0 ? 0 : 0x40));
  if (index !== 0) code.out.u32(index);
  code.out.u32(offset);
  if (lanes > 0) code.out.u8(node.dice.below(lanes));
}

// Within the first page, as a rule.
function writeAddress(writer: FunctionWriter, node: Node, { address }: MemoryShape, alignment: number): void {
  const { code } = writer;
  const wild = !writer.straight && node.dice.rarely(100);
  writer.expression(node.next(), address);
  if (wild) return;
  const mask = 0x7fff & -alignment;
  if (address === 'i32') code.i32(mask);
  else code.i64(BigInt(mask));
  code.op(`${address}.and`);
}

function writeLength(writer: FunctionWriter, node: Node, type: 'i32' | 'i64'): void {
  const { code } = writer;
  const wild = !writer.straight && node.dice.rarely(100);
  const mask = node.dice.of([0x3f, 0xfff]);
  writer.expression(node.next(), type);
  if (wild) return;
  if (type === 'i32') code.i32(mask);
  else code.i64(BigInt(mask));
  code.op(`${type}.and`);
}

function writeDelta(writer: FunctionWriter, node: Node, type: ValueType): void {
  if (node.dice.rarely(3)) return writer.expression(node.next(), type);
  const delta = node.dice.below(3);
  if (type === 'i32') writer.code.i32(delta);
  else writer.code.i64(BigInt(delta));
}

function perByte(writer: FunctionWriter, type: 'i32' | 'i64', write: () => void): void {
  writer.sized(type, 1, prices.bulkMemoryShift, false, write);
}
