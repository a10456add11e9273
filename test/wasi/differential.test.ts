// The same component on this host and on preview2-shim: random calls of WASI have to get the same answers and to leave the same files, but for what is known
// and named in `differential/known.ts`. preview2-shim works on a host directory; this host on a mount of each kind.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cap, type Guest, limits, Sandbox } from '../../src/index.ts';
import { settings } from '../metering/generate/settings.ts';
import { onPreview2Shim } from '../support/preview2-shim.ts';
import { Caller, callerComponent, type Invoke } from './caller.ts';
import { isKnown } from './differential/known.ts';
import { Files, OPERATIONS, type Outcome, type Step, step, tree } from './differential/operations.ts';
import { makeMount, STORE_KINDS, temporaryDirectory } from './support.ts';

const MODULES = [
  'wasi:io/error',
  'wasi:io/poll',
  'wasi:io/streams',
  'wasi:cli/environment',
  'wasi:clocks/monotonic-clock',
  'wasi:filesystem/preopens',
  'wasi:filesystem/types',
  'wasi:random/insecure',
  'wasi:random/random',
];
const ENVIRONMENT = { LANG: 'C', GREETING: 'grüß dich', EMPTY: '' };
const ARGUMENTS = ['guest', 'one two', ''];
const component = await callerComponent(MODULES);

describe.each(STORE_KINDS)('on a mount that is a %s', (kind) => {
  let guest: Guest;
  let ours: Caller;
  let theirs: Caller;
  let runs = 0;

  beforeAll(async () => {
    const { mount } = makeMount(kind);
    const grant = Cap.TIME | Cap.RANDOM | Cap.FS_READ | Cap.FS_WRITE | Cap.ENV;
    guest = await new Sandbox({ grant, env: ENVIRONMENT, args: ARGUMENTS, mounts: { '/data': mount }, limits: limits.permissive }).load(component);
    const shim = await onPreview2Shim(component, { preopens: { '/data': temporaryDirectory() }, env: ENVIRONMENT, args: ARGUMENTS });
    ours = new Caller(MODULES, (name, ...args) => guest.callSync(name, ...args));
    theirs = new Caller(MODULES, (name, ...args) => (shim[name] as Invoke)(...(args as Parameters<Invoke>)));
  });
  afterAll(() => guest.dispose());

  /** Does `steps` in a new directory on both sides, and compares. */
  function compare(steps: readonly Step[], one: Caller, other: Caller): void {
    runs += 1;
    const [mine, yours] = [Files.enter(one, `run-${runs}`), Files.enter(other, `run-${runs}`)];
    try {
      for (const step of steps) {
        const outcomes = [OPERATIONS[step.name](mine, step), attempt(() => OPERATIONS[step.name](yours, step))] as const;
        if (isDeepStrictEqual(...outcomes)) continue;
        if (isKnown(step, ...outcomes)) return;
        expect([step, outcomes[0]]).toEqual([step, outcomes[1]]);
      }
      expect(tree(mine, '.')).toEqual(tree(yours, '.'));
    } finally {
      mine.leave();
      yours.leave();
    }
  }

  test('random calls of wasi:filesystem are answered alike, and leave the same', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => compare(steps, ours, theirs)),
      settings(60),
    );
  });

  test.each<[string, (outcome: Outcome) => Outcome]>([
    ['[method]descriptor.stat-at', () => ({ tag: 'err', val: 'access' })],
    ['[method]descriptor.read', () => ({ tag: 'ok', val: [Buffer.from('x'), false] })],
    ['[method]descriptor.unlink-file-at', (outcome) => (isDeepStrictEqual(outcome, { tag: 'err', val: 'no-entry' }) ? { tag: 'ok' } : outcome)],
  ])('a host whose %s is wrong is found out', (name, change) => {
    class Wrong extends Caller {
      override call(module: string, called: string, ...values: unknown[]): unknown {
        const outcome = ours.call(module, called, ...values);
        return called === name ? change(outcome) : outcome;
      }
    }
    const wrong = new Wrong(MODULES, () => undefined);
    const found = fc.check(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => compare(steps, wrong, theirs)),
      { ...settings(60), endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  });

  test('environment and arguments are the same, the host’s own directory is nobody’s business', () => {
    for (const name of ['get-environment', 'get-arguments']) {
      expect([name, ours.call('wasi:cli/environment', name)]).toEqual([name, theirs.call('wasi:cli/environment', name)]);
    }
    expect(ours.call('wasi:cli/environment', 'initial-cwd')).toBe(undefined);
  });

  test('as many random bytes are given as are asked for', () => {
    fc.assert(
      fc.property(fc.nat(5_000), (length) => {
        for (const [module, name] of [
          ['wasi:random/random', 'get-random-bytes'],
          ['wasi:random/insecure', 'get-insecure-random-bytes'],
        ] as const) {
          const [mine, yours] = [ours, theirs].map((caller) => (caller.call(module, name, BigInt(length)) as Uint8Array).length);
          expect([name, mine]).toEqual([name, yours]);
        }
      }),
      settings(30),
    );
  });

  test('of several moments to wait for, those that have come are told', () => {
    const HOUR = 3_600_000_000_000;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, HOUR), { minLength: 1, maxLength: 6 }), fc.boolean(), (moments, instants) => {
        fc.pre(moments.some((moment) => moment < HOUR));
        const [mine, yours] = [ours, theirs].map((caller) => {
          const clock = (name: string, ...values: unknown[]): unknown => caller.call('wasi:clocks/monotonic-clock', name, ...values);
          const start = instants ? (clock('now') as bigint) : 0n;
          const pollables = moments.map((moment) => clock(instants ? 'subscribe-instant' : 'subscribe-duration', start + BigInt(moment)));
          // One nanosecond may have passed or not.
          caller.call('wasi:io/poll', '[method]pollable.block', pollables[moments.findIndex((moment) => moment < HOUR)]);
          const ready = caller.call('wasi:io/poll', 'poll', pollables) as number[];
          for (const pollable of pollables) caller.call('wasi:io/poll', '[resource-drop]pollable', pollable);
          return ready.filter((index) => moments[index] !== 1);
        });
        expect(mine).toEqual(yours);
      }),
      settings(30),
    );
  });
});

/** What preview2-shim throws, which ends its guest, becomes an outcome. */
function attempt(operation: () => Outcome): Outcome {
  try {
    return operation();
  } catch (error) {
    return error;
  }
}
