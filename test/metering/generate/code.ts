// Writes the operators of generated functions. On request each is preceded by code that adds its price to a global: a naive meter, which shares nothing
// with the rewriter but the prices, and counts exactly what is executed. Another global counts how deep calls nest.
import { type Operator, operators } from '../../../src/wasm/operators.ts';
import { Writer } from '../../../src/wasm/writer.ts';

const BY_NAME: ReadonlyMap<string, Operator> = new Map([...operators.values()].map((operator) => [operator.name, operator]));

/** @throws RangeError when the table of operators has none of that name. */
export function operatorOf(name: string): Operator {
  const operator = BY_NAME.get(name);
  if (operator === undefined) throw new RangeError(`there is no operator ${name}`);
  return operator;
}

/** Globals that count. */
export interface Counters {
  /** i64: the prices of the operators executed so far. */
  readonly executed: number;
  /** i32: the depth of the function that calls, set before each call; 0 outside. */
  readonly depth: number;
  /** i32: the greatest depth so far. */
  readonly deepest: number;
}

export class Code {
  readonly out = new Writer(1024);
  /** Where counting is on. */
  readonly counters: Counters | undefined;

  constructor(counters: Counters | undefined) {
    this.counters = counters;
  }

  /** An operator and those of its immediates that are indices. */
  op(name: string, ...indices: number[]): void {
    const { price = 0 } = operatorOf(name);
    // What stands before an operator that begins an arm would belong to the arm before it.
    const late = name === 'catch' || name === 'catch_all';
    if (!late) this.count(price);
    this.uncounted(name, ...indices);
    if (late) this.count(price);
  }

  /** An operator that is part of the counting. */
  uncounted(name: string, ...indices: number[]): void {
    const { code } = operatorOf(name);
    if (code > 0xff) {
      this.out.u8(code >>> 16);
      this.out.u32(code & 0xffff);
    } else {
      this.out.u8(code);
    }
    for (const index of indices) this.out.u32(index);
  }

  i32(value: number): void {
    this.op('i32.const');
    this.out.s32(value);
  }

  i64(value: bigint): void {
    this.op('i64.const');
    this.out.s64(value);
  }

  f32(value: number): void {
    this.op('f32.const');
    this.out.append(new Uint8Array(Float32Array.of(value).buffer));
  }

  f64(value: number): void {
    this.op('f64.const');
    this.out.append(new Uint8Array(Float64Array.of(value).buffer));
  }

  v128(bytes: readonly number[]): void {
    this.op('v128.const');
    this.out.append(bytes);
  }

  /** Adds `units` to the count of what was executed, when counting is on. */
  count(units: number): void {
    if (units === 0) return;
    this.countOf(() => {
      this.uncounted('i64.const');
      this.out.s64(BigInt(units));
    });
  }

  /** Adds the i64 that `amount` pushes by operators that are not counted. */
  countOf(amount: () => void): void {
    if (this.counters === undefined) return;
    this.uncounted('global.get', this.counters.executed);
    amount();
    this.uncounted('i64.add');
    this.uncounted('global.set', this.counters.executed);
  }
}
