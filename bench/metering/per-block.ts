// The baseline: metering as published rewriters do it. An i64 global holds what is left; every basic block deducts its number of operators from it before
// it runs, and traps when the global has gone below zero. Nothing is merged over blocks, nothing is cached in locals, every operator has the price 1, and
// memory, tables, stack and the work of bulk operations are not looked at.
import { immediateAt, readBlockType, readLocals, readOperator, skipImmediate, slotOf } from '../../src/wasm/code.ts';
import { type CoreModule, SECTION_ORDER, SectionId } from '../../src/wasm/module.ts';
import { readModule } from '../../src/wasm/module-reader.ts';
import { Immediate, operators } from '../../src/wasm/operators.ts';
import { Reader } from '../../src/wasm/reader.ts';
import { Writer } from '../../src/wasm/writer.ts';

const BUDGET = 2n ** 62n;
const I64 = 0x7e;

/** The module with a counter per basic block. Custom sections are dropped. @throws GloveportError for what our reader refuses. */
export function meterPerBlock(bytes: Uint8Array): Uint8Array {
  const module = readModule(bytes);
  const out = new Writer(bytes.length * 2);
  out.span(bytes, 0, 8);
  for (const id of SECTION_ORDER) {
    const own = module.sections.find((section) => section.id === id);
    const contents = id === SectionId.CODE ? rewriteBodies(module) : own && bytes.subarray(own.start, own.end);
    if (id === SectionId.GLOBAL) section(out, id, withGlobal(contents));
    else if (contents !== undefined && (own !== undefined || module.bodies.length > 0)) section(out, id, contents);
  }
  return out.view();
}

function section(out: Writer, id: number, contents: Uint8Array): void {
  out.u8(id);
  out.u32(contents.length);
  out.append(contents);
}

function withGlobal(own: Uint8Array | undefined): Uint8Array {
  const reader = new Reader(own ?? new Uint8Array([0]));
  const out = new Writer((own?.length ?? 0) + 32);
  out.u32(reader.u32() + 1);
  out.append(reader.take(reader.left));
  out.append([I64, 1, Op.I64_CONST]);
  out.s64(BUDGET);
  out.u8(Op.END);
  return out.view();
}

function rewriteBodies(module: CoreModule): Uint8Array {
  const { bodies, bytes } = module;
  const out = new Writer(bytes.length * 2);
  const body = new Writer(1 << 16);
  out.u32(bodies.length / 2);
  for (let index = 0; index < bodies.length; index += 2) {
    body.clear();
    rewriteBody(new Reader(bytes, bodies[index] as number, bodies[index + 1] as number), module, body);
    out.u32(body.length);
    out.append(body.view());
  }
  return out.view();
}

const named = new Map([...operators.values()].map(({ name, code }) => [name, slotOf(code)]));
const slot = (name: string): number => named.get(name) as number;
const Op = { BLOCK: slot('block'), LOOP: slot('loop'), IF: slot('if'), END: slot('end'), I64_CONST: slot('i64.const') };
const FREE = new Set(['nop', 'block', 'loop', 'else', 'end', 'try', 'try_table', 'delegate'].map(slot));
/** Behind these a basic block begins; also behind the `end` of whatever can be branched to. */
const LEADERS = new Set(
  [
    ...['loop', 'if', 'else', 'try', 'catch', 'catch_all', 'try_table', 'delegate', 'br', 'br_if', 'br_table', 'return', 'unreachable', 'throw', 'rethrow'],
    ...['throw_ref', 'return_call', 'return_call_indirect'],
  ].map(slot),
);

interface Label {
  /** Whether a basic block begins behind its end. */
  joined: boolean;
}

function rewriteBody(reader: Reader, module: CoreModule, out: Writer): void {
  const global = module.globals.length;
  const { bytes, pos: start } = reader;
  readLocals(reader, module.types);
  const labels: Label[] = [{ joined: true }];
  /** Where the basic block at hand begins, and what it costs so far. */
  let leader = reader.pos;
  let cost = 0;
  let copied = start;
  const close = (next: number): void => {
    if (cost > 0) {
      out.span(bytes, copied, leader);
      emitDeduction(out, global, cost);
      copied = leader;
    }
    leader = next;
    cost = 0;
  };
  while (labels.length > 0) {
    const operator = readOperator(reader);
    if (!FREE.has(operator)) cost++;
    readImmediates(reader, operator, labels, module);
    const joined = operator === Op.END && labels.pop()?.joined === true;
    if (joined || LEADERS.has(operator)) close(reader.pos);
  }
  out.span(bytes, copied, reader.end);
}

function readImmediates(reader: Reader, operator: number, labels: Label[], module: CoreModule): void {
  const branch = (): void => {
    const label = labels[labels.length - 1 - reader.u32()];
    if (label !== undefined) label.joined = true;
  };
  const immediate = immediateAt[operator] as number;
  switch (immediate) {
    case Immediate.BLOCK_TYPE:
      readBlockType(reader, module.types);
      labels.push({ joined: operator !== Op.BLOCK && operator !== Op.LOOP });
      return;
    case Immediate.BLOCK_TYPE_AND_CATCHES:
      readBlockType(reader, module.types);
      for (let catches = reader.u32(); catches > 0; catches--) {
        if (reader.u8() < 2) reader.u32();
        branch();
      }
      labels.push({ joined: false });
      return;
    case Immediate.LABEL:
      branch();
      if (operator === slot('delegate')) labels.pop();
      return;
    case Immediate.LABEL_TABLE:
      for (let count = reader.u32() + 1; count > 0; count--) branch();
      return;
    case Immediate.TYPE_AND_TABLE:
    case Immediate.ELEMENT_AND_TABLE:
    case Immediate.TWO_TABLES:
      reader.u32();
      reader.u32();
      return;
    case Immediate.FUNCTION:
    case Immediate.LOCAL:
    case Immediate.GLOBAL:
    case Immediate.TABLE:
      reader.u32();
      return;
    default:
      skipImmediate(reader, immediate, module);
  }
}

function emitDeduction(out: Writer, global: number, cost: number): void {
  const access = (name: string): void => {
    out.u8(slot(name));
    out.u32(global);
  };
  access('global.get');
  out.u8(Op.I64_CONST);
  out.s64(BigInt(cost));
  out.u8(slot('i64.sub'));
  access('global.set');
  access('global.get');
  out.append([Op.I64_CONST, 0, slot('i64.lt_s'), Op.IF, 0x40, slot('unreachable'), Op.END]);
}
