// Host functions between a guest and the host, without a guest: what they return and throw, and what becomes of it.
import { describe, expect, test } from 'vitest';
import { bindHostFunction } from '../../src/component/host-functions.ts';
import type { CoreFunctionType, FunctionType } from '../../src/component/types.ts';
import { ComponentError, GloveportError, isInstance } from '../../src/errors.ts';
import type { GuestControl } from '../../src/metering/control.ts';

// Stands for the trap that stops a guest.
class Stop extends Error {
  readonly reason: GloveportError;
  constructor(reason: GloveportError) {
    super('stop');
    this.reason = reason;
  }
}

const control: GuestControl = {
  charge() {},
  stop(reason) {
    throw new Stop(reason);
  },
  wait: () => true,
  suspends: () => false,
  isWaiting: () => false,
  remainingMs: () => 1,
  isStop: (error) => isInstance(error, Stop),
};

const u8 = { kind: 'u8' } as const;
const plain: FunctionType = { params: [], result: u8 };
const nothing: FunctionType = { params: [] };
const fallible: FunctionType = { params: [], result: { kind: 'result', ok: u8, err: { kind: 'string' } } };
const unit: FunctionType = { params: [], result: { kind: 'result' } };

function outcome(type: FunctionType | CoreFunctionType, implementation: () => unknown): unknown {
  try {
    return bindHostFunction('demo:a/b#f', type, implementation, control)();
  } catch (error) {
    if (error instanceof Stop) return error.reason;
    if (error instanceof ComponentError) return { payload: error.payload };
    throw error;
  }
}

const thrower = (value: unknown) => (): never => {
  throw value;
};
const failed = (message: RegExp) => expect.objectContaining({ code: 'HOST_FUNCTION_FAILED', message: expect.stringMatching(message) });

describe('what a host function returns', () => {
  test.each([
    ['a value that fits', plain, () => 7, 7],
    ['nothing where nothing is expected', nothing, () => undefined, undefined],
    ['something where nothing is expected, which is dropped', nothing, () => [1].push(2), undefined],
  ] as [string, FunctionType, () => unknown, unknown][])('may be %s', (_what, type, implementation, value) => {
    expect(outcome(type, implementation)).toBe(value);
  });

  const nested: FunctionType = { params: [], result: { kind: 'result', ok: { kind: 'result', ok: u8, err: u8 } } };
  test.each([
    ['a value', fallible, () => 7, 7],
    ['something for a result without a value, which is dropped', unit, () => 'done', undefined],
    ['a value that looks like an error itself', nested, () => ({ tag: 'err', val: 7 }), { tag: 'err', val: 7 }],
  ] as [string, FunctionType, () => unknown, unknown][])('is the ok side of a result when it is %s', (_what, type, implementation, val) => {
    expect(outcome(type, implementation)).toEqual(val);
  });

  test.each([
    ['a value out of range', plain, () => 256, /returned a value that must be a whole number/],
    ['a Promise', plain, async () => 7, /must not be a Promise/],
    ['a Promise where nothing is expected', nothing, async () => {}, /must not be a Promise/],
    ['a value inside that does not fit', { params: [], result: { kind: 'list', element: u8 } }, () => [1, 300], /at \[1\] must be/],
    ['undefined instead of the ok side', fallible, () => undefined, /must be a whole number/],
  ] as [string, FunctionType, () => unknown, RegExp][])('stops the guest when it is %s', (_what, type, implementation, message) => {
    expect(outcome(type, implementation)).toEqual(failed(message));
  });
});

describe('what a host function throws', () => {
  test.each([
    ['a ComponentError', new ComponentError('no'), 'no'],
    ['an object with a payload', { payload: 'no' }, 'no'],
    ['the payload itself', 'no', 'no'],
  ])('is the error side of a result when it is %s', (_what, thrown, payload) => {
    expect(outcome(fallible, thrower(thrown))).toEqual({ payload });
  });

  test('may be nothing at all for a result without an error value', () => {
    expect(outcome(unit, thrower(undefined))).toEqual({ payload: undefined });
  });

  test.each([
    ['an Error', fallible, new Error('secret'), /^host function demo:a\/b#f failed$/],
    ['a ComponentError without a result to put it in', plain, new ComponentError('no'), /failed$/],
    ['a payload that does not fit', fallible, new ComponentError(1), /threw an error whose payload must be a string/],
    ['an inherited payload', fallible, Object.create(new Error('x'), {}), /failed$/],
  ] as [string, FunctionType, unknown, RegExp][])('stops the guest when it is %s', (_what, type, thrown, message) => {
    expect(outcome(type, thrower(thrown))).toEqual(failed(message));
  });

  const hostile = (trap: string) =>
    new Proxy(new Error('x'), {
      [trap]: () => {
        throw new Error('trap');
      },
    });
  test.each([
    ['an object whose payload cannot be read', Object.defineProperty({}, 'payload', { get: thrower(new Error('getter')) })],
    ['a Proxy without a prototype to look at', hostile('getPrototypeOf')],
    ['a Proxy without properties to look at', hostile('getOwnPropertyDescriptor')],
  ])('stops the guest when it is %s', (_what, thrown) => {
    expect(outcome(fallible, thrower(thrown))).toEqual(failed(/failed$/));
  });

  test('is the cause of the error that the caller gets', () => {
    const secret = new Error('secret');
    expect(outcome(plain, thrower(secret))).toMatchObject({ cause: secret, details: { function: 'demo:a/b#f' } });
  });

  test('passes unchanged when it is a stop', () => {
    const reason = new GloveportError('GUEST_EXITED', 'exit');
    expect(outcome(fallible, thrower(new Stop(reason)))).toBe(reason);
  });
});

test('this is undefined, and arguments arrive as they are', () => {
  const calls: unknown[] = [];
  const bound = bindHostFunction(
    'f',
    nothing,
    function (this: unknown, ...values: unknown[]) {
      calls.push(this, values);
    },
    control,
  );
  bound(1, 'a');
  expect(calls).toEqual([undefined, [1, 'a']]);
});

describe('core functions', () => {
  test('return one number, or an array of as many as they have results', () => {
    expect(outcome({ params: [], results: ['i64'] }, () => 5n)).toBe(5n);
    expect(outcome({ params: [], results: ['i32', 'f64'] }, () => [1, 0.5])).toEqual([1, 0.5]);
    expect(outcome({ params: [], results: ['i32', 'f64'] }, () => [1])).toEqual(failed(/array of 2/));
    expect(outcome({ params: [], results: ['i32'] }, () => 1n)).toEqual(failed(/whole number/));
  });

  test.each(['externref', 'funcref', 'v128'] as const)('with a %s are refused', (type) => {
    expect(() => bindHostFunction('f', { params: [type], results: [] }, () => {}, control)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FEATURE' }));
  });
});
