// Reads the constant expressions of initialisers and offsets, and adds up what they allocate: they run before any code that could be charged for it.
import { checkBudget } from './budgets.ts';
import { operatorName, readIndex, readOperator, readTypeOf, slotNamed } from './code.ts';
import { arrayBytes, type DefinedType, type GlobalType, structBytes } from './module.ts';
import type { Reader } from './reader.ts';
import { readHeapType, unsupported } from './types.ts';

/** The value of an expression that is not an i32, or depends on what only the engine knows. */
export const UNKNOWN = -1;

/** What constant expressions may name, as far as the module was read. */
export interface ConstantScope {
  readonly types: readonly DefinedType[];
  readonly functionTypes: { readonly length: number };
  readonly globals: readonly GlobalType[];
}

// A number that became an object of the engine's own on its way through any.convert_extern, and the reverse.
const CONVERTED_BYTES = 16;

/** Reads the constant expressions of one module, one after the other (WebAssembly core specification, sections 3.4.14 and 5.4.9). */
export class ConstantExpressions {
  readonly #scope: ConstantScope;
  readonly #known = new Map<number, number>();
  readonly #stack: number[] = [];
  readonly #referenced: number[] = [];
  #gcBytes = 0;

  constructor(scope: ConstantScope) {
    this.#scope = scope;
  }

  /** The functions that all expressions so far make references to. */
  get referenced(): readonly number[] {
    return this.#referenced;
  }

  /** Bytes of the objects that all expressions so far allocate. */
  get gcBytes(): number {
    return this.#gcBytes;
  }

  /** Remembers the value of an immutable global. */
  define(global: number, value: number): void {
    if (value !== UNKNOWN) this.#known.set(global, value);
  }

  /**
   * Steps over an expression; gives its value where that is an i32 that can be known, as an unsigned number, otherwise UNKNOWN. Types are for the engine to check.
   * @throws GloveportError UNSUPPORTED_FEATURE for an array whose length cannot be known.
   */
  read(reader: Reader): number {
    const start = reader.pos;
    const stack = this.#stack;
    stack.length = 0;
    for (;;) {
      const at = reader.pos;
      const operator = readOperator(reader);
      if (operator === Slot.END) break;
      const operands = stack.push(this.#evaluate(reader, operator, at));
      checkBudget('operands of an initialiser', operands, at);
    }
    if (stack.length !== 1) reader.fail(`a constant expression leaves ${stack.length} values`, start);
    return stack[0] as number;
  }

  // Takes the operator's operands off the stack and gives its result.
  #evaluate(reader: Reader, operator: number, at: number): number {
    const { types, functionTypes, globals } = this.#scope;
    switch (operator) {
      case Slot.REF_FUNC:
        this.#referenced.push(readIndex(reader, 'function', functionTypes.length));
        return UNKNOWN;
      case Slot.REF_NULL:
        readHeapType(reader, types.length);
        return UNKNOWN;
      case Slot.I32_CONST:
        return reader.s32() >>> 0;
      case Slot.GLOBAL_GET:
        return this.#known.get(readIndex(reader, 'global', globals.length)) ?? UNKNOWN;
      case Slot.I64_CONST:
        reader.skipS64();
        return UNKNOWN;
      case Slot.F32_CONST:
        reader.skip(4);
        return UNKNOWN;
      case Slot.F64_CONST:
        reader.skip(8);
        return UNKNOWN;
      case Slot.V128_CONST:
        reader.skip(16);
        return UNKNOWN;
      case Slot.I32_ADD:
        return this.#arithmetic(reader, at, (left, right) => left + right);
      case Slot.I32_SUB:
        return this.#arithmetic(reader, at, (left, right) => left - right);
      case Slot.I32_MUL:
        return this.#arithmetic(reader, at, Math.imul);
      case Slot.I64_ADD:
      case Slot.I64_SUB:
      case Slot.I64_MUL:
        this.#drop(reader, at, 2);
        return UNKNOWN;
      case Slot.REF_I31:
        this.#drop(reader, at, 1);
        return UNKNOWN;
      case Slot.ANY_CONVERT_EXTERN:
      case Slot.EXTERN_CONVERT_ANY:
        this.#drop(reader, at, 1);
        this.#gcBytes += CONVERTED_BYTES;
        return UNKNOWN;
      case Slot.STRUCT_NEW:
      case Slot.STRUCT_NEW_DEFAULT: {
        const type = readTypeOf(reader, types, 'struct');
        if (operator === Slot.STRUCT_NEW) this.#drop(reader, at, type.fields.length);
        this.#gcBytes += structBytes(type);
        return UNKNOWN;
      }
      case Slot.ARRAY_NEW:
      case Slot.ARRAY_NEW_DEFAULT: {
        const type = readTypeOf(reader, types, 'array');
        const length = this.#pop(reader, at);
        if (operator === Slot.ARRAY_NEW) this.#drop(reader, at, 1);
        if (length === UNKNOWN) unsupported('arrays of unknown length in initialisers', at);
        this.#gcBytes += arrayBytes(type, length);
        return UNKNOWN;
      }
      case Slot.ARRAY_NEW_FIXED: {
        const type = readTypeOf(reader, types, 'array');
        const length = reader.u32();
        this.#drop(reader, at, length);
        this.#gcBytes += arrayBytes(type, length);
        return UNKNOWN;
      }
      default:
        return reader.fail(`${operatorName(operator)} in a constant expression`, at);
    }
  }

  #arithmetic(reader: Reader, at: number, operation: (left: number, right: number) => number): number {
    const right = this.#pop(reader, at);
    const left = this.#pop(reader, at);
    return left === UNKNOWN || right === UNKNOWN ? UNKNOWN : operation(left, right) >>> 0;
  }

  #pop(reader: Reader, at: number): number {
    return this.#stack.pop() ?? reader.fail('a constant expression takes operands that are not there', at);
  }

  #drop(reader: Reader, at: number, count: number): void {
    const left = this.#stack.length - count;
    if (left < 0) reader.fail('a constant expression takes operands that are not there', at);
    this.#stack.length = left;
  }
}

const Slot = {
  END: slotNamed('end'),
  GLOBAL_GET: slotNamed('global.get'),
  I32_CONST: slotNamed('i32.const'),
  I64_CONST: slotNamed('i64.const'),
  F32_CONST: slotNamed('f32.const'),
  F64_CONST: slotNamed('f64.const'),
  V128_CONST: slotNamed('v128.const'),
  I32_ADD: slotNamed('i32.add'),
  I32_SUB: slotNamed('i32.sub'),
  I32_MUL: slotNamed('i32.mul'),
  I64_ADD: slotNamed('i64.add'),
  I64_SUB: slotNamed('i64.sub'),
  I64_MUL: slotNamed('i64.mul'),
  REF_NULL: slotNamed('ref.null'),
  REF_FUNC: slotNamed('ref.func'),
  REF_I31: slotNamed('ref.i31'),
  ANY_CONVERT_EXTERN: slotNamed('any.convert_extern'),
  EXTERN_CONVERT_ANY: slotNamed('extern.convert_any'),
  STRUCT_NEW: slotNamed('struct.new'),
  STRUCT_NEW_DEFAULT: slotNamed('struct.new_default'),
  ARRAY_NEW: slotNamed('array.new'),
  ARRAY_NEW_DEFAULT: slotNamed('array.new_default'),
  ARRAY_NEW_FIXED: slotNamed('array.new_fixed'),
};
