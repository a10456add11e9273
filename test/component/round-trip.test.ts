// A real component: every kind of value there and back, what is refused on the way in, and what the host's side of it may do.
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../src/component/compile.ts';
import type { Program } from '../../src/component/program.ts';
import { ComponentError } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { failureOf, instantiate, kitchen, payloadOf, type TestGuest } from './support.ts';

const logged: string[] = [];

class Box {
  readonly #value: number;
  constructor(value: number) {
    this.#value = value;
  }
  static make(value: number): Box {
    return new Box(value);
  }
  get(): number {
    return this.#value;
  }
}

const host = {
  Box,
  log: (message: string) => logged.push(message),
  lookup: (key: string) => (key === 'known' ? 'value' : undefined),
  parse(text: string) {
    if (Number.isNaN(Number(text))) throw new ComponentError(`no number: ${text}`);
    return Number(text);
  },
  shapes: (shapes: { tag: string }[]) => shapes.map(({ tag }, index) => ({ x: index, y: 0.5, label: tag === 'none' ? undefined : tag })),
  swap: (box: Box) => box,
  peek: (box: Box) => box.get(),
};

let program: Program;
let guest: TestGuest;

beforeAll(async () => {
  program = await compileProgram(await kitchen(), { limits: limits.default });
  guest = fresh();
});

afterEach(() => {
  if (guest.meter.stopped !== undefined) guest = fresh();
});

function fresh(overrides: Record<string, unknown> = {}): TestGuest {
  return instantiate(program, { 'demo:kitchen/host': { ...host, ...overrides } as never });
}

const all = {
  b: true,
  aU8: 255,
  aS8: -128,
  aU16: 65_535,
  aS16: -32_768,
  aU32: 4_294_967_295,
  aS32: -2_147_483_648,
  aU64: 2n ** 50n,
  aS64: -5n,
  aF32: 0.5,
  aF64: Math.PI,
  aChar: '😀',
  aString: 'straße',
  color: 'dark-green',
  perms: { canRead: false, write: true },
  shape: { tag: 'rect', val: [1, 2] },
};

describe('values come back as they went in', () => {
  test.each([
    ['echo-all', all],
    ['echo-point', { x: 1, y: -0.5, label: undefined }],
    ['echo-point', { x: Infinity, y: NaN, label: 'here' }],
    ['echo-shape', { tag: 'circle', val: 2 }],
    ['echo-shape', { tag: 'none', val: undefined }],
    ['echo-color', 'red'],
    ['echo-perms', { canRead: true, write: false }],
    ['echo-u8s', Uint8Array.of(0, 255)],
    ['echo-s32s', Int32Array.of(-1, 7)],
    ['echo-u64s', BigUint64Array.of(1n, 2n ** 40n)],
    ['echo-f32s', Float32Array.of(0.5, -1)],
    ['echo-bools', [true, false]],
    ['echo-chars', ['a', 'ß', '😀']],
    ['echo-strings', ['', 'a\0b', '\ufeffwith a mark', '日本語']],
    ['echo-points', [[{ x: 1, y: 2, label: undefined }], [], [{ x: 3, y: 4, label: 'l' }]]],
    ['echo-tuple', [1, 'a', undefined]],
    ['echo-tuple', [255, '', true]],
    [
      'echo-results',
      [
        { tag: 'ok', val: undefined },
        { tag: 'err', val: 'e' },
      ],
    ],
  ] as [string, unknown][])('%s', (name, value) => {
    expect(guest.call(`demo:kitchen/api#${name}`, value)).toEqual(value);
  });

  test('an option in an option is written as a variant, and its own none keeps apart from the inner one', () => {
    expect(guest.call('demo:kitchen/api#echo-option', { tag: 'some', val: 5 })).toEqual({ tag: 'some', val: 5 });
    expect(guest.call('demo:kitchen/api#echo-option', { tag: 'none' })).toEqual({ tag: 'none' });
  });

  test('plain arrays are accepted for lists of numbers', () => {
    expect(guest.call('demo:kitchen/api#echo-u8s', [1, 2, 3])).toEqual(Uint8Array.of(1, 2, 3));
    expect(guest.call('demo:kitchen/api#echo-u64s', [1n])).toEqual(BigUint64Array.of(1n));
  });

  test('flags that are left out are false', () => {
    expect(guest.call('demo:kitchen/api#echo-perms', { write: true })).toEqual({ canRead: false, write: true });
  });

  test('results are of the caller’s own realm', () => {
    expect(guest.call('demo:kitchen/api#echo-strings', ['a'])).toBeInstanceOf(Array);
    expect(Object.getPrototypeOf(guest.call('demo:kitchen/api#echo-point', { x: 0, y: 0 }))).toBe(Object.prototype);
    expect(guest.call('demo:kitchen/api#echo-u8s', [1])).toBeInstanceOf(Uint8Array);
  });
});

describe('functions', () => {
  test.each(['demo:kitchen/api@0.1.0#echo-color', 'demo:kitchen/api#echo-color', 'demo:kitchen/api#echoColor', 'demo:kitchen/api@0.1.0#echoColor'])(
    'are found as %s',
    (name) => {
      expect(guest.call(name, 'red')).toBe('red');
    },
  );

  test.each([
    ['then', 1],
    ['constructor', 2],
  ])('may be called %s', (name, result) => {
    expect(guest.call(name)).toBe(result);
    expect(Object.getPrototypeOf(guest.instance.interfaces)).toBeNull();
    expect(Object.getPrototypeOf(guest.instance.interfaces[''])).toBeNull();
  });

  test('with an error as their result throw its payload and leave the guest usable', () => {
    expect(payloadOf(() => guest.call('demo:kitchen/api#fail', 'abc'))).toEqual({ tag: 'circle', val: 3 });
    expect(payloadOf(() => guest.call('demo:kitchen/api#unit', false))).toBeUndefined();
    expect(guest.call('demo:kitchen/api#unit', true)).toBeUndefined();
  });

  test.each([
    ['process', []],
    ['process', [1, 2]],
    ['demo:kitchen/api#log', []],
  ])('refuse a wrong number of arguments: %s with %j', (name, args) => {
    expect(guest.failure(name, ...args)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'args' } });
  });

  test.each([
    ['args[0]', 'process', [-1]],
    ['args[0]', 'process', ['1']],
    ['args[0].aChar', 'demo:kitchen/api#echo-all', [{ ...all, aChar: 'ab' }]],
    ['args[0].perms', 'demo:kitchen/api#echo-all', [{ ...all, perms: { admin: true } }]],
    ['args[0].shape.val', 'demo:kitchen/api#echo-all', [{ ...all, shape: { tag: 'rect', val: [1] } }]],
    [
      'args[0][1][1].y',
      'demo:kitchen/api#echo-points',
      [
        [
          [],
          [
            { x: 1, y: 1 },
            { x: 1, y: '1' },
          ],
        ],
      ],
    ],
    ['args[0][0].val', 'demo:kitchen/api#echo-results', [[{ tag: 'err', val: 1 }]]],
    ['args[0]', 'demo:kitchen/api#use-counter', [{}]],
  ])('name the path %s of what does not fit in a call of %s, which does not happen', (path, name, args) => {
    expect(guest.failure(name, ...args)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path } });
    expect(guest.call('process', 1)).toBe(2);
  });
});

describe('host functions', () => {
  test('are called with plain values and give them back', () => {
    guest.call('demo:kitchen/api#log', 'hello');
    expect(logged).toContain('hello');
    expect(guest.call('demo:kitchen/api#call-host', '12')).toBe(12);
    expect(guest.call('demo:kitchen/api#host-shapes', [{ tag: 'none' }, { tag: 'circle', val: 1 }])).toEqual([
      { x: 0, y: 0.5, label: undefined },
      { x: 1, y: 0.5, label: 'circle' },
    ]);
  });

  test('give the guest an error by throwing its payload', () => {
    expect(payloadOf(() => guest.call('demo:kitchen/api#call-host', 'zz'))).toBe('no number: zz');
  });

  test('that throw anything else stop the guest, and their error is the cause', () => {
    const secret = new Error('/etc/secret');
    const broken = fresh({
      parse() {
        throw secret;
      },
    });
    const failure = broken.failure('demo:kitchen/api#call-host', '1');
    expect(failure).toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause: secret });
    expect(failure.message).not.toContain('secret');
  });

  test.each([
    ['a number that is none', () => 'twelve', /must be a whole number/],
    ['a Promise', async () => 12, /must not be a Promise/],
    ['a number out of range', () => 2 ** 32, /must be a whole number/],
  ])('that return %s stop the guest', (_what, parse, message) => {
    const failure = fresh({ parse }).failure('demo:kitchen/api#call-host', '1');
    expect(failure.code).toBe('HOST_FUNCTION_FAILED');
    expect(failure.message).toMatch(message);
  });

  test('may be classes of resources', () => {
    expect(guest.call('demo:kitchen/api#boxes', 4)).toBe(11);
  });
});

describe('resources of the guest', () => {
  test('are made, used and dropped', () => {
    const counter = guest.call('demo:kitchen/api#[constructor]counter', 4) as Disposable;
    expect(guest.call('demo:kitchen/api#[method]counter.next', counter)).toBe(4);
    expect(guest.call('demo:kitchen/api#use-counter', counter)).toBe(5);
    expect(guest.call('demo:kitchen/api#[static]counter.get-total')).toBe(2);
    counter[Symbol.dispose]();
    counter[Symbol.dispose]();
    expect(guest.failure('demo:kitchen/api#use-counter', counter)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'args[0]' } });
  });

  test('are dropped inside a metered call of its own, and not from within another', () => {
    const counter = guest.call('demo:kitchen/api#give-counter') as Disposable;
    expect(failureOf(() => guest.meter.run(() => counter[Symbol.dispose]())).code).toBe('INVALID_STATE');
    guest = fresh();
    const other = guest.call('demo:kitchen/api#give-counter') as Disposable;
    const { fuel } = guest.meter.usage;
    other[Symbol.dispose]();
    expect(guest.meter.usage.fuel).toBeGreaterThan(fuel);
  });

  test('of another guest are refused', () => {
    const other = fresh().call('demo:kitchen/api#give-counter');
    expect(guest.failure('demo:kitchen/api#use-counter', other).code).toBe('INVALID_ARGUMENT');
  });
});

test('a trap stops the guest for good, with no rejection left unhandled', async () => {
  const rejections: unknown[] = [];
  const note = (reason: unknown): number => rejections.push(reason);
  process.on('unhandledRejection', note);
  const doomed = fresh();
  const failure = doomed.failure('demo:kitchen/api#trap');
  expect(failure.code).toBe('GUEST_TRAPPED');
  expect(doomed.failure('process', 1)).toMatchObject({ code: 'GUEST_POISONED', cause: failure });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(rejections).toEqual([]);
});

test('an import that nobody provides is LINK_FAILED and named', () => {
  expect(() => instantiate(program, {})).toThrow(expect.objectContaining({ code: 'LINK_FAILED', message: expect.stringContaining('demo:kitchen/host@0.1.0') }));
});
