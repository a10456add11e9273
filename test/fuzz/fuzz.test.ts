// Random and changed bytes: a seeded part of what `fuzz.ts` does for longer, what it found before, and faults that it has to find.
import { describe, expect, it } from 'vitest';
import { meter } from '../../src/metering/rewrite.ts';
import { settings } from '../metering/generate/settings.ts';
import { Inputs } from './inputs.ts';
import { minimise } from './minimise.ts';
import { check, type Rewrite } from './oracle.ts';
import { regressions } from './regressions.ts';

// (module (func (export "go") (result i32) (i32.const 7)))
const VALID = bytesOf('0061736d010000000105016000017f0302010007060102676f00000a0601040041070b');

describe('any bytes', () => {
  it('are taken or refused by a code, within time and memory, and what was valid stays so and stops', () => {
    const { seed, numRuns } = settings(3_000);
    const inputs = new Inputs(seed);
    const answers = new Set<string>();
    for (let number = 0; number < numRuns; number++) {
      try {
        answers.add(check(inputs.at(number)));
      } catch (error) {
        throw new Error(`input ${number} of seed ${seed}: try node test/fuzz/fuzz.ts --seed ${seed} --from ${number} --inputs 1`, { cause: error });
      }
    }
    expect(answers).toEqual(new Set(['metered', 'INVALID_MODULE', 'UNSUPPORTED_FEATURE', 'MODULE_TOO_LARGE']));
  });

  it.each(Object.entries(regressions))('are answered rightly since: %s', (_, hex) => {
    check(bytesOf(hex));
  });
});

describe('the fuzzer', () => {
  const FAULTS: readonly [what: string, message: RegExp, rewrite: Rewrite][] = [
    [
      'an exception of the wrong kind',
      /throws TypeError/,
      () => {
        throw new TypeError('planted');
      },
    ],
    ['a refusal of what is valid', /a valid module is refused/, (bytes) => meter(bytes.subarray(0, bytes.length - 1))],
    ['output that is not valid', /not valid metered/, (bytes) => ({ ...meter(bytes), bytes: bytes.subarray(0, 20) })],
    ['a count that is believed, of items', /bytes of memory/, (bytes) => Object.assign(meter(bytes), { held: new Array(20_000_000).fill(0) })],
    ['a count that is believed, of bytes', /bytes of memory/, (bytes) => Object.assign(meter(bytes), { held: new Uint8Array(160_000_000) })],
    [
      'a hang',
      /take \d+ ms/,
      (bytes) => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
        return meter(bytes);
      },
    ],
  ];
  it.each(FAULTS)('finds %s', (_, message, rewrite) => {
    expect(check(VALID)).toBe('metered');
    expect(() => check(VALID, rewrite)).toThrow(message);
  });

  it('makes what it found small', () => {
    const bytes = Uint8Array.from({ length: 500 }, (_, index) => index % 251);
    const small = minimise(bytes, (candidate) => candidate.includes(7) && candidate.includes(200));
    expect(small.toSorted()).toEqual(Uint8Array.of(7, 200));
  });

  it('gives the same inputs for the same seed', () => {
    const [one, other] = [new Inputs(5), new Inputs(5)];
    for (let number = 0; number < 50; number++) expect(one.at(number)).toEqual(other.at(number));
  });
});

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
