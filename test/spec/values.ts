// Constants and expected results of scripts: numbers as the bits of their lanes, so that NaNs and vectors lose nothing, and references by what can be
// known of them. Decimal and hexadecimal floats are rounded here, exactly, as the text format asks for.
import { headOf, type List, type Node } from './sexpr.ts';

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
/** Bits, or in an expected result any NaN of a kind (core specification, section 4.3.3). */
export type Lane = bigint | 'nan:canonical' | 'nan:arithmetic';

export interface NumberValue {
  readonly kind: 'number';
  readonly type: NumberType;
  readonly laneBytes: 1 | 2 | 4 | 8;
  readonly lanes: readonly Lane[];
}

/** `form` is the word behind `ref.`; `host` tells host references apart. */
export interface ReferenceValue {
  readonly kind: 'reference';
  readonly form: string;
  readonly host: number | undefined;
}

export type Value = NumberValue | ReferenceValue;
/** What a result may be: one of these. */
export type Expected = readonly Value[];

const SHAPES: Readonly<Record<string, readonly [laneBytes: 1 | 2 | 4 | 8, float: boolean]>> = {
  i8x16: [1, false],
  i16x8: [2, false],
  i32x4: [4, false],
  i64x2: [8, false],
  f32x4: [4, true],
  f64x2: [8, true],
};

const NUMBERS: Readonly<Record<string, readonly [type: NumberType, laneBytes: 4 | 8, float: boolean]>> = {
  'i32.const': ['i32', 4, false],
  'i64.const': ['i64', 8, false],
  'f32.const': ['f32', 4, true],
  'f64.const': ['f64', 8, true],
};

/** A constant, or one expected result that is not a choice. @throws SyntaxError for what is neither. */
export function readValue(node: Node | undefined): Value {
  const head = headOf(node);
  if (node?.kind !== 'list' || head === undefined) throw new SyntaxError('a constant was expected');
  const words = node.items.slice(1).map((item) => (item.kind === 'word' ? item.text : ''));
  if (head.startsWith('ref.')) {
    const index = words[0] === undefined || !/^\d+$/.test(words[0]) ? undefined : Number(words[0]);
    return { kind: 'reference', form: head.slice(4), host: index };
  }
  const number = NUMBERS[head];
  if (number !== undefined) {
    const [type, laneBytes, float] = number;
    return { kind: 'number', type, laneBytes, lanes: [readLane(words[0] ?? '', laneBytes, float)] };
  }
  const shape = head === 'v128.const' ? SHAPES[words[0] ?? ''] : undefined;
  if (shape === undefined) throw new SyntaxError(`'${head}' is not a constant`);
  const [laneBytes, float] = shape;
  if (words.length !== 1 + 16 / laneBytes) throw new SyntaxError('a vector with the wrong number of lanes');
  return { kind: 'number', type: 'v128', laneBytes, lanes: words.slice(1).map((word) => readLane(word, laneBytes, float)) };
}

/** An expected result: a constant, a pattern, or a choice with `either`. */
export function readExpected(node: Node): Expected {
  return headOf(node) === 'either' ? (node as List).items.slice(1).map(readValue) : [readValue(node)];
}

/** The bytes of a constant, in the order of memory. */
export function bytesOf(value: NumberValue): Uint8Array {
  const bytes = new Uint8Array(value.lanes.length * value.laneBytes);
  for (const [lane, bits] of value.lanes.entries()) {
    if (typeof bits === 'string') throw new SyntaxError(`${bits} is not a constant`);
    writeBits(bytes, lane * value.laneBytes, value.laneBytes, bits);
  }
  return bytes;
}

/** Whether the bytes of a result are what was expected. */
export function matchesBytes(expected: NumberValue, actual: Uint8Array): boolean {
  const { laneBytes, lanes } = expected;
  return (
    actual.length === lanes.length * laneBytes && lanes.every((lane, index) => matchesLane(lane, laneBytes, readBits(actual, index * laneBytes, laneBytes)))
  );
}

/** Bytes as hexadecimal digits, most significant first, for messages. */
export function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).reverse().toString('hex')}`;
}

export function readBits(bytes: Uint8Array, at: number, length: number): bigint {
  let bits = 0n;
  for (let index = length - 1; index >= 0; index--) bits = (bits << 8n) | BigInt(bytes[at + index] as number);
  return bits;
}

function writeBits(bytes: Uint8Array, at: number, length: number, bits: bigint): void {
  for (let index = 0; index < length; index++) bytes[at + index] = Number((bits >> BigInt(8 * index)) & 0xffn);
}

function matchesLane(lane: Lane, laneBytes: number, bits: bigint): boolean {
  if (typeof lane === 'bigint') return lane === bits;
  const { precision, signless } = laneBytes === 4 ? FORMATS.f32 : FORMATS.f64;
  const quiet = infinityBits(laneBytes) | (1n << BigInt(precision - 2));
  return lane === 'nan:canonical' ? (bits & signless) === quiet : (bits & quiet) === quiet;
}

function readLane(word: string, laneBytes: 1 | 2 | 4 | 8, float: boolean): Lane {
  if (word === 'nan:canonical' || word === 'nan:arithmetic') return word;
  if (!float) return integerBits(word, laneBytes * 8);
  const known = laneBytes === 4 ? known32 : known64;
  const cached = known.get(word);
  if (cached !== undefined) return cached;
  const bits = floatBits(word, laneBytes as 4 | 8);
  known.set(word, bits);
  return bits;
}

// Scripts repeat the same literals tens of thousands of times.
const known32 = new Map<string, bigint>();
const known64 = new Map<string, bigint>();

function integerBits(word: string, width: number): bigint {
  const [, sign, digits] = /^([+-]?)((?:0x[0-9a-f_]+|[0-9][0-9_]*))$/i.exec(word) ?? [];
  if (digits === undefined) throw new SyntaxError(`'${word}' is not an integer`);
  const magnitude = BigInt(digits.replaceAll('_', ''));
  return BigInt.asUintN(width, sign === '-' ? -magnitude : magnitude);
}

const FORMATS = {
  f32: { precision: 24, smallestExponent: -126, signless: 0x7fff_ffffn },
  f64: { precision: 53, smallestExponent: -1022, signless: 0x7fff_ffff_ffff_ffffn },
} as const;

function infinityBits(laneBytes: number): bigint {
  return laneBytes === 4 ? 0x7f80_0000n : 0x7ff0_0000_0000_0000n;
}

function floatBits(word: string, laneBytes: 4 | 8): bigint {
  const [, sign, magnitude = ''] = /^([+-]?)(.*)$/.exec(word.replaceAll('_', '').toLowerCase()) ?? [];
  const signBit = sign === '-' ? 1n << BigInt(laneBytes * 8 - 1) : 0n;
  return signBit | magnitudeBits(magnitude, laneBytes);
}

function magnitudeBits(text: string, laneBytes: 4 | 8): bigint {
  const { precision } = laneBytes === 4 ? FORMATS.f32 : FORMATS.f64;
  if (text === 'inf') return infinityBits(laneBytes);
  if (text === 'nan') return infinityBits(laneBytes) | (1n << BigInt(precision - 2));
  const payload = /^nan:(0x[0-9a-f]+)$/.exec(text)?.[1];
  if (payload !== undefined) return infinityBits(laneBytes) | BigInt(payload);
  const [, hexWhole, hexPart = '', binaryExponent = '0'] = /^0x([0-9a-f]+)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/.exec(text) ?? [];
  if (hexWhole !== undefined) {
    const exponent = Number(binaryExponent) - 4 * hexPart.length;
    return roundedBits(BigInt(`0x${hexWhole}${hexPart}`) << BigInt(Math.max(exponent, 0)), 1n << BigInt(Math.max(-exponent, 0)), laneBytes);
  }
  const [, whole, part = '', decimalExponent = '0'] = /^(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) throw new SyntaxError(`'${text}' is not a floating-point number`);
  const exponent = Number(decimalExponent) - part.length;
  return roundedBits(BigInt(whole + part) * 10n ** BigInt(Math.max(exponent, 0)), 10n ** BigInt(Math.max(-exponent, 0)), laneBytes);
}

// numerator / denominator, rounded once, to the nearest and ties to even.
function roundedBits(numerator: bigint, denominator: bigint, laneBytes: 4 | 8): bigint {
  if (numerator === 0n) return 0n;
  const { precision, smallestExponent } = laneBytes === 4 ? FORMATS.f32 : FORMATS.f64;
  let exponent = bitLength(numerator) - bitLength(denominator);
  if (exponent >= 0 ? numerator < denominator << BigInt(exponent) : numerator << BigInt(-exponent) < denominator) exponent--;
  exponent = Math.max(exponent, smallestExponent);
  const unit = exponent - (precision - 1);
  const scaled = unit < 0 ? numerator << BigInt(-unit) : numerator;
  const divisor = unit > 0 ? denominator << BigInt(unit) : denominator;
  const floor = scaled / divisor;
  const twice = 2n * (scaled % divisor);
  const mantissa = twice > divisor || (twice === divisor && (floor & 1n) === 1n) ? floor + 1n : floor;
  const bits = (BigInt(exponent - smallestExponent) << BigInt(precision - 1)) + mantissa;
  return bits < infinityBits(laneBytes) ? bits : infinityBits(laneBytes);
}

function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return 4 * digits.length - (Math.clz32(Number.parseInt(digits[0] as string, 16)) - 28);
}
