// Productions of exceptions, in the encoding that the module has: handlers within the function and without, for one tag and for all, that throw on.
import type { FunctionWriter, Node } from './function-writer.ts';
import type { FunctionShape } from './shape.ts';
import { EXNREF, type ValueType } from './types.ts';

const CATCH_ALL = 2;
const CATCH_ALL_REF = 3;

/** A body under handlers, which leave `results` like the body does. */
export function writeTry(writer: FunctionWriter, node: Node, results: readonly ValueType[]): void {
  if (writer.shape.exceptions === 'legacy') writeLegacyTry(writer, node, results);
  else writeTryTable(writer, node, results);
}

/** `throw`; what follows is unreachable. */
export function writeThrow(writer: FunctionWriter, node: Node): void {
  const tag = node.dice.below(writer.shape.tags.length);
  writer.expressions(node, writer.shape.tags[tag] as readonly ValueType[]);
  writer.code.op('throw', tag);
}

/** Throws a caught exception again, or a new one where none is at hand; what follows is unreachable. */
export function writeRethrow(writer: FunctionWriter, node: Node): void {
  const { shape, labels, code } = writer;
  // Of the exceptions that locals hold most are null, which traps.
  if (shape.exceptions === 'standard' && node.dice.rarely(4)) {
    writer.expression(node.next(), EXNREF);
    return code.op('throw_ref');
  }
  const depths = [...labels.keys()].filter((depth) => writer.label(depth).catching);
  if (depths.length === 0) writeThrow(writer, node);
  else code.op('rethrow', node.dice.of(depths));
}

interface Clause {
  /** catch, catch_ref, catch_all, catch_all_ref, by the numbers that they have in the binary format. */
  readonly kind: number;
  readonly tag: number;
  readonly depth: number;
}

// block $done (results) block $handler (what it caught) try_table (catch … $handler) body end; br $done end; handler end
function writeTryTable(writer: FunctionWriter, node: Node, results: readonly ValueType[]): void {
  const { code, shape } = writer;
  const { dice } = node;
  const kind = dice.below(4);
  const tag = dice.below(shape.tags.length);
  const caught = [...(kind < 2 ? (shape.tags[tag] as readonly ValueType[]) : []), ...(kind % 2 === 1 ? [EXNREF] : [])];
  const kids = node.rest();
  const half = Math.ceil((kids.length * 2) / 3);
  // Where nothing is passed on, the body may also end where the handler begins.
  const falls = caught.length + results.length === 0 && dice.below(2) === 0;
  writer.block('block', [], results, () => {
    writer.block('block', [], caught, () => {
      writeGuarded(writer, results, [...outerClauses(writer, node), { kind, tag, depth: 0 }], () => {
        writeThrowIf(writer, node, tag);
        writer.body(kids.slice(0, half), results);
      });
      if (!falls) code.op('br', 1);
    });
    if (kind % 2 === 1 && dice.rarely(3)) return code.op('throw_ref');
    writer.consume(caught, dice);
    writer.body(kids.slice(half), results);
  });
}

/** A body in a loop, whose head is the handler of whatever it throws. */
export function writeRetry(writer: FunctionWriter, node: Node): void {
  writeGuarded(writer, [], [{ kind: CATCH_ALL, tag: 0, depth: 0 }], () => {
    writeThrowIf(writer, node, node.dice.below(writer.shape.tags.length));
    writer.body(node.rest(), []);
  });
}

function writeGuarded(writer: FunctionWriter, results: readonly ValueType[], clauses: readonly Clause[], write: () => void): void {
  const { code } = writer;
  code.op('try_table');
  writer.blockType([], results);
  code.out.u32(clauses.length);
  for (const { kind, tag, depth } of clauses) {
    code.out.u8(kind);
    if (kind < CATCH_ALL) code.out.u32(tag);
    code.out.u32(depth);
  }
  writer.labels.push({ types: results, open: true, catching: false });
  write();
  writer.labels.pop();
  code.op('end');
}

/** So that handlers are come to: now and then what they catch is thrown, here or in a function that is called. */
export function writeThrowIf(writer: FunctionWriter, { dice }: Node, tag: number): void {
  const { code, shape, self } = writer;
  const way = dice.below(4);
  const thrower = shape.functions.findIndex(({ throws }) => throws);
  if (way === 1) {
    code.op('global.get', shape.steps);
    code.i32(3);
    code.op('i32.and');
    writer.block('if', [], [], () => {
      for (const type of shape.tags[tag] as readonly ValueType[]) writer.zero(type);
      code.op('throw', tag);
    });
  } else if (way === 2 && thrower >= 0 && self.kind === 'guarded') {
    const { params, results } = shape.functions[thrower] as FunctionShape;
    for (const type of params) writer.zero(type);
    writer.call('call', thrower);
    for (let value = 0; value < results.length; value++) code.op('drop');
  }
}

// Clauses that lead to labels further out, heads of loops among them, as far as the types agree.
function outerClauses(writer: FunctionWriter, { dice }: Node): Clause[] {
  const clauses: Clause[] = [];
  for (let count = dice.below(4); count > 0; count--) {
    const kind = dice.of([0, CATCH_ALL, 1, CATCH_ALL, CATCH_ALL_REF]);
    const tag = dice.below(writer.shape.tags.length);
    const types = [...(kind < 2 ? (writer.shape.tags[tag] as readonly ValueType[]) : []), ...(kind % 2 === 1 ? [EXNREF] : [])].join();
    const depths = writer.targets((own) => own.join() === types);
    if (depths.length > 0) clauses.push({ kind, tag, depth: dice.of(depths) });
  }
  return clauses;
}

function writeLegacyTry(writer: FunctionWriter, node: Node, results: readonly ValueType[]): void {
  const { code, shape } = writer;
  const { dice } = node;
  const form = dice.below(4);
  const kids = node.rest();
  const half = form === 3 ? kids.length : Math.ceil(kids.length / 2);
  code.op('try');
  writer.blockType([], results);
  const label = { types: results, open: true, catching: false };
  writer.labels.push(label);
  const tag = dice.below(shape.tags.length);
  writeThrowIf(writer, node, tag);
  writer.body(kids.slice(0, half), results);
  if (form === 3) {
    writer.labels.pop();
    return code.op('delegate', dice.below(writer.labels.length));
  }
  label.catching = true;
  if (form !== 1) {
    code.op('catch', tag);
    writer.consume(shape.tags[tag] as readonly ValueType[], dice);
    writer.body(kids.slice(half), results);
  }
  if (form !== 0) {
    code.op('catch_all');
    writer.body(form === 1 ? kids.slice(half) : [], results);
  }
  writer.labels.pop();
  code.op('end');
}
