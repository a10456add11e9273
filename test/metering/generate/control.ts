// Productions of structured control and branches, and of the code behind a branch, where the stack is whatever it has to be.
import { mayTailCall, writeTailCall } from './calls.ts';
import type { Expression, FunctionWriter, Node, Statement } from './function-writer.ts';
import { Node as NodeOf } from './function-writer.ts';
import { writeRetry, writeRethrow, writeThrow, writeThrowIf, writeTry } from './exceptions.ts';
import { typedOperators } from './signatures.ts';
import type { Dice, Tree } from './tree.ts';
import type { ValueType } from './types.ts';

type Types = readonly ValueType[];

const blockExpression: Expression = {
  weight: 3,
  fits: () => true,
  write: (writer, node, type) => writeBlock(writer, node, writer.types(node.dice, 2), [type]),
};

const ifExpression: Expression = { weight: 4, fits: () => true, write: (writer, node, type) => writeIf(writer, node, writer.types(node.dice, 1), [type]) };

const loopExpression: Expression = {
  weight: 2,
  fits: (writer) => writer.mayLoop,
  write: (writer, node, type) => writeLoop(writer, node, writer.types(node.dice, 2), [type]),
};

const tryExpression: Expression = {
  weight: 2,
  fits: ({ shape }) => shape.exceptions !== 'none',
  write: (writer, node, type) => writeTry(writer, node, [type]),
};

const branchIfExpression: Expression = {
  weight: 2,
  fits: (writer, type) => targetsOf(writer, [type]).length > 0,
  write(writer, node, type) {
    writer.expressions(node, [type, 'i32']);
    writer.code.op('br_if', node.dice.of(targetsOf(writer, [type])));
  },
};

const divergeExpression: Expression = { weight: 1, fits: () => true, write: (writer, node) => writeDiverge(writer, node) };

const blockStatement: Statement = {
  weight: 3,
  fits: () => true,
  write: (writer, node) => withResults(writer, node, (params, results) => writeBlock(writer, node, params, results)),
};

const ifStatement: Statement = {
  weight: 5,
  fits: () => true,
  write: (writer, node) => withResults(writer, node, (params, results) => writeIf(writer, node, params, results)),
};

const loopStatement: Statement = {
  weight: 5,
  fits: (writer) => writer.mayLoop,
  write: (writer, node) => withResults(writer, node, (params, results) => writeLoop(writer, node, params, results)),
};

const tryStatement: Statement = {
  weight: 4,
  fits: ({ shape }) => shape.exceptions !== 'none',
  write: (writer, node) => withResults(writer, node, (_, results) => writeTry(writer, node, results)),
};

const retryStatement: Statement = {
  weight: 2,
  fits: (writer) => writer.mayLoop && writer.shape.exceptions === 'standard',
  write(writer, node) {
    const counter = startCounter(writer, node);
    writer.loops++;
    writeOpenLoop(writer, node, [], [], counter, () => writeRetry(writer, node));
    writer.loops--;
  },
};

const throwIf: Statement = {
  weight: 3,
  fits: ({ shape }) => shape.exceptions !== 'none',
  write: (writer, node) => writeThrowIf(writer, node, node.dice.below(writer.shape.tags.length)),
};

const branchIf: Statement = {
  weight: 4,
  fits: (writer) => writer.targets(() => true).length > 0,
  write(writer, node) {
    const depth = node.dice.of(writer.targets(() => true));
    const { types } = writer.label(depth);
    writer.expressions(node, [...types, 'i32']);
    writer.code.op('br_if', depth);
    writer.consume(types, node.dice);
  },
};

const divergeIf: Statement = {
  weight: 4,
  fits: () => true,
  write(writer, node) {
    writer.expression(node.next(), 'i32');
    writer.block('if', [], [], () => writeDiverge(writer, node));
  },
};

const deadCode: Statement = {
  weight: 1,
  fits: () => true,
  write(writer, node) {
    writer.block('block', [], [], () => {
      writer.code.op('br', 0);
      writeDead(writer, node.rest());
    });
  },
};

// `br_table` into nested blocks, as compilers write it; a case falls through, leaves the switch, or goes on with a loop around it.
const switchStatement: Statement = {
  weight: 2,
  fits: () => true,
  write(writer, node) {
    const cases = 2 + node.dice.below(3);
    writer.block('block', [], [], () => writeCase(writer, node, cases, cases));
  },
};

export const controlExpressions: readonly Expression[] = [blockExpression, ifExpression, loopExpression, tryExpression, branchIfExpression, divergeExpression];
export const controlStatements: readonly Statement[] = [
  blockStatement,
  ifStatement,
  loopStatement,
  tryStatement,
  retryStatement,
  throwIf,
  branchIf,
  divergeIf,
  deadCode,
  switchStatement,
];

function withResults(writer: FunctionWriter, { dice }: Node, write: (params: Types, results: Types) => void): void {
  const plain = dice.below(2) === 0;
  const params = plain ? [] : writer.types(dice, 2);
  const results = plain ? [] : writer.types(dice, 3);
  write(params, results);
  writer.consume(results, dice);
}

function writeBlock(writer: FunctionWriter, node: Node, params: Types, results: Types): void {
  writer.expressions(node, params);
  writer.block('block', params, results, () => {
    writer.consume(params, node.dice);
    writer.body(node.rest(), results);
  });
}

function writeIf(writer: FunctionWriter, node: Node, params: Types, results: Types): void {
  writer.expressions(node, [...params, 'i32']);
  const kids = node.rest();
  const half = Math.ceil(kids.length / 2);
  writer.block('if', params, results, () => {
    writer.consume(params, node.dice);
    writer.body(kids.slice(0, half), results);
    if (results.length === 0 && params.length === 0 && node.dice.below(2) === 0) return;
    writer.code.op('else');
    writer.consume(params, node.dice);
    writer.body(kids.slice(half), results);
  });
}

function writeLoop(writer: FunctionWriter, node: Node, params: Types, results: Types): void {
  const counter = startCounter(writer, node);
  writer.expressions(node, params);
  writer.loops++;
  if (node.dice.below(2) === 0) writeCountedLoop(writer, node, params, results, counter);
  else {
    const endless = node.dice.below(3) > 0;
    writeOpenLoop(writer, node, params, results, counter, () => {
      writer.body(node.rest(), endless ? params : results);
      if (endless) writer.code.op('br', 0);
    });
  }
  writer.loops--;
}

// Counts down at its end, and by nothing else than that comes to its head again.
function writeCountedLoop(writer: FunctionWriter, node: Node, params: Types, results: Types, counter: number): void {
  writer.block(
    'loop',
    params,
    results,
    () => {
      writer.consume(params, node.dice);
      writer.body(node.rest(), params);
      countDown(writer, counter);
      writer.code.op('br_if', 0);
      writer.consume(params, node.dice);
      writer.body([], results);
    },
    false,
  );
}

// Counts down at its head, so that whatever stands in it may branch there: conditionally, by a table, from a handler, at the end for ever.
function writeOpenLoop(writer: FunctionWriter, node: Node, params: Types, results: Types, counter: number, write: () => void): void {
  const { code } = writer;
  writer.block('block', params, results, () => {
    writer.block('loop', params, results, () => {
      writer.consume(params, node.dice);
      countDown(writer, counter);
      code.i32(0);
      code.op('i32.lt_s');
      writer.block('if', [], [], () => {
        writer.body([], results);
        code.op('br', 2);
      });
      write();
    });
  });
}

function startCounter(writer: FunctionWriter, { dice }: Node): number {
  const counter = writer.local('i32');
  writer.code.i32(1 + dice.below(writer.loops === 0 ? 8 : 3));
  writer.code.op('local.set', counter);
  return counter;
}

function countDown({ code }: FunctionWriter, counter: number): void {
  code.op('local.get', counter);
  code.i32(1);
  code.op('i32.sub');
  code.op('local.tee', counter);
}

function writeCase(writer: FunctionWriter, node: Node, left: number, cases: number): void {
  const { code } = writer;
  if (left === 0) {
    writer.expression(node.next(), 'i32');
    if (node.dice.below(4) > 0) {
      code.i32(3);
      code.op('i32.and');
    }
    code.op('br_table', cases, ...Array.from({ length: cases }, (_, index) => index), node.dice.below(cases + 1));
    return;
  }
  writer.block('block', [], [], () => writeCase(writer, node, left - 1, cases));
  writer.statement(node.next());
  const ending = node.dice.below(3);
  const loops = writer.targets((types) => types.length === 0);
  if (ending === 1) code.op('br', cases - left);
  else if (ending === 2) code.op('br', node.dice.of(loops));
}

function targetsOf(writer: FunctionWriter, types: Types): number[] {
  const wanted = types.join();
  return writer.targets((own) => own.join() === wanted);
}

// Code that control does not come out of at its end, and some that it never comes to behind it.
function writeDiverge(writer: FunctionWriter, node: Node): void {
  const { code, shape } = writer;
  const { dice } = node;
  const ways: (() => void)[] = [
    () => writeBranch(writer, node),
    () => writeBranch(writer, node),
    () => writeReturn(writer, node),
    () => writeTable(writer, node),
  ];
  if (shape.exceptions !== 'none')
    ways.push(
      () => writeThrow(writer, node),
      () => writeRethrow(writer, node),
    );
  if (mayTailCall(writer))
    ways.push(
      () => writeTailCall(writer, node),
      () => writeTailCall(writer, node),
    );
  if (dice.rarely(6)) ways.push(() => code.op('unreachable'));
  dice.of(ways)();
  writeDead(writer, node.rest());
}

function writeBranch(writer: FunctionWriter, node: Node): void {
  const depth = node.dice.of(writer.targets(() => true));
  writer.expressions(node, writer.label(depth).types);
  writer.code.op('br', depth);
}

function writeReturn(writer: FunctionWriter, node: Node): void {
  writer.expressions(node, writer.self.results);
  writer.code.op('return');
}

function writeTable(writer: FunctionWriter, node: Node): void {
  const { types } = writer.label(node.dice.of(writer.targets(() => true)));
  const targets = targetsOf(writer, types);
  const labels = Array.from({ length: node.dice.below(4) }, () => node.dice.of(targets));
  writer.expressions(node, [...types, 'i32']);
  writer.code.op('br_table', labels.length, ...labels, node.dice.of(targets));
}

function writeDead(writer: FunctionWriter, trees: readonly Tree[]): void {
  for (const tree of trees) {
    if (tree.pick % 2 === 0) writer.statement(tree);
    else writeUnderflow(writer, new NodeOf(tree));
  }
}

// Operators that take from an empty stack what they need.
function writeUnderflow(writer: FunctionWriter, { dice }: Node): void {
  const { code, shape } = writer;
  const drops = (count: number): void => {
    for (let value = 0; value < count; value++) code.op('drop');
  };
  const ways: (() => void)[] = [
    () => {
      code.op(dice.of(typedOperators.filter(({ lanes }) => lanes === 0)).name);
      drops(1);
    },
    () => {
      code.op('select');
      drops(1);
    },
    () => drops(1),
    () => {
      const depth = dice.of(writer.targets(() => true));
      code.op('br_if', depth);
      drops(writer.label(depth).types.length);
    },
    () => {
      const index = dice.below(shape.functions.length);
      writer.call('call', index);
      drops(shape.functions[index]?.results.length as number);
    },
    () => code.op('return'),
    () => code.op('br_table', 0, dice.of(writer.targets(() => true))),
    () => writer.block('if', [], [], () => undefined),
    () => writer.block('loop', ['i32', 'i64'], [], () => drops(2)),
  ];
  if (writer.settable.length > 0) ways.push(() => code.op('local.set', dice.of(writer.settable)));
  if (shape.memories.length > 0) ways.push(...deadMemory(writer, dice, drops));
  if (shape.tables.length > 0) ways.push(...deadTable(writer, dice, drops));
  if (shape.tags.length > 0) ways.push(() => code.op('throw', dice.below(shape.tags.length)));
  dice.of(ways)();
}

function deadMemory({ code, shape }: FunctionWriter, dice: Dice, drops: (count: number) => void): (() => void)[] {
  const index = dice.below(shape.memories.length);
  return [
    () => {
      code.op('memory.grow', index);
      drops(1);
    },
    () => code.op('memory.fill', index),
    () => code.op('memory.copy', index, index),
  ];
}

function deadTable({ code, shape }: FunctionWriter, dice: Dice, drops: (count: number) => void): (() => void)[] {
  const index = dice.below(shape.tables.length);
  return [
    () => {
      code.op('table.grow', index);
      drops(1);
    },
    () => code.op('table.fill', index),
    () => code.op('table.copy', index, index),
  ];
}
