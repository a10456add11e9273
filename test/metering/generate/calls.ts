// Productions of calls: direct, through a table, in tail position, to the host. What a program may call is decided by its kind, so that it ends.
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import type { FunctionShape } from './shape.ts';
import { FUNCREF, type Signature, type ValueType } from './types.ts';

interface Callee {
  readonly index: number;
  readonly shape: FunctionShape;
}

const call: Expression = {
  weight: 7,
  fits: (writer, type) => calleesOf(writer, giving(type)).length > 0,
  write(writer, node, type) {
    const callee = node.dice.of(calleesOf(writer, giving(type)));
    writeCall(writer, node, callee);
    writer.keep(callee.shape.results, callee.shape.results.indexOf(type));
  },
};

const callStatement: Statement = {
  weight: 6,
  fits: (writer) => calleesOf(writer, () => true).length > 0,
  write(writer, node) {
    const callee = node.dice.of(calleesOf(writer, () => true));
    writeCall(writer, node, callee);
    writer.consume(callee.shape.results, node.dice);
  },
};

// Small functions called from a loop that does little else.
const leafLoop: Statement = {
  weight: 3,
  fits: (writer) => writer.mayLoop && calleesOf(writer, isLeaf).length > 0,
  write(writer, node) {
    const counter = writer.local('i32');
    const { code } = writer;
    code.i32(1 + node.dice.below(6));
    code.op('local.set', counter);
    writer.loops++;
    writer.block(
      'loop',
      [],
      [],
      () => {
        for (let calls = node.dice.below(3); calls >= 0; calls--) {
          const callee = node.dice.of(calleesOf(writer, isLeaf));
          writeCall(writer, node, callee);
          writer.consume(callee.shape.results, node.dice);
        }
        code.op('local.get', counter);
        code.i32(1);
        code.op('i32.sub');
        code.op('local.tee', counter);
        code.op('br_if', 0);
      },
      false,
    );
    writer.loops--;
  },
};

export const callExpressions: readonly Expression[] = [call];
export const callStatements: readonly Statement[] = [callStatement, leafLoop];

/** Whether a tail call can stand here. */
export function mayTailCall(writer: FunctionWriter): boolean {
  return calleesOf(writer, sameResults(writer)).length > 0;
}

/** A tail call; what follows is unreachable. */
export function writeTailCall(writer: FunctionWriter, node: Node): void {
  writeCall(writer, node, node.dice.of(calleesOf(writer, sameResults(writer))), 'return_');
}

function calleesOf({ shape, self, mayCall }: FunctionWriter, accepts: (callee: FunctionShape) => boolean): Callee[] {
  if (!mayCall) return [];
  const callees = shape.functions.map((callee, index) => ({ index, shape: callee }));
  return callees.filter((callee) => accepts(callee.shape) && (self.kind === 'guarded' || callee.shape.kind === 'leaf'));
}

function giving(type: ValueType): (callee: FunctionShape) => boolean {
  return ({ results }) => results.includes(type);
}

function isLeaf({ kind }: FunctionShape): boolean {
  return kind === 'leaf';
}

function sameResults({ self }: FunctionWriter): (callee: Signature) => boolean {
  const results = self.results.join();
  return (callee) => callee.results.join() === results;
}

function writeCall(writer: FunctionWriter, node: Node, { index, shape }: Callee, prefix: '' | 'return_' = ''): void {
  const { code, self } = writer;
  const { dice } = node;
  const way = dice.below(5);
  for (const [position, param] of shape.params.entries()) {
    if (position > 0 || !shape.counted) {
      writer.expression(node.next(), param);
    } else if (self.counted) {
      code.op('local.get', 0);
      code.i32(1);
      code.op('i32.sub');
    } else {
      code.i32(dice.below(6));
    }
  }
  // A table may hold another function by the time: who must not call that calls directly.
  const slot = way === 3 && self.kind === 'guarded' ? slotOf(writer, index) : undefined;
  if (way === 4 && writer.shape.passed.includes(`ref ${shape.type}`) && self.kind === 'guarded') {
    writer.expression(node.next(), dice.rarely(20) ? `ref null ${shape.type}` : `ref ${shape.type}`);
    return writer.call(`${prefix}call_ref`, shape.type);
  }
  if (slot === undefined) return writer.call(`${prefix}call`, index);
  if (slot.address === 'i32') code.i32(slot.slot);
  else code.i64(BigInt(slot.slot));
  writer.call(`${prefix}call_indirect`, shape.type, slot.table);
}

// Where a table held the function at first. It may hold another by now, of another type even: then the call traps.
function slotOf({ shape }: FunctionWriter, index: number): { readonly table: number; readonly slot: number; readonly address: 'i32' | 'i64' } | undefined {
  for (const [table, { element, initial, address }] of shape.tables.entries()) {
    const slot = element === FUNCREF ? initial.indexOf(index) : -1;
    if (slot >= 0) return { table, slot, address };
  }
  return undefined;
}
