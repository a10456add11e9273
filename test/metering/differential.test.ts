// Random valid programs, plain and metered: metering changes nothing that a program or its host can see, and what it charges is at least what is executed,
// the same each time, and a limit to the unit.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meter } from '../../src/metering/rewrite.ts';
import { LEAF_UNITS } from '../../src/metering/prices.ts';
import { type Program, programs, straightPrograms } from './generate/program.ts';
import { AMPLE, MeteredProgram, type Run, runCounted, runPlain, STEPS } from './generate/run.ts';
import { settings } from './generate/settings.ts';
import { AGAIN } from './generate/shape.ts';

describe('a metered program', () => {
  it('does what the plain one does, burns the same each time, and no less than it executes', () => {
    fc.assert(
      fc.property(programs(), (program) => {
        expectValid(program);
        const plain = runPlain(program);
        const counted = runCounted(program);
        expect(seen(counted)).toEqual(seen(plain));
        const metered = new MeteredProgram(program);
        const first = metered.run();
        expect(seen(first)).toEqual(seen(plain));
        const again = new MeteredProgram(program).run();
        expect(seen(again)).toEqual(seen(plain));
        expect(again.fuel).toEqual(first.fuel);
        for (const [call, executed] of counted.executed.entries()) expect(first.fuel[call], `call ${call}`).toBeGreaterThanOrEqual(executed);
        expectRising(first.readings);
      }),
      settings(250),
    );
  });

  it('ends well with exactly the fuel that it burns and is stopped with one unit less', () => {
    fc.assert(
      fc.property(programs(), (program) => {
        const plain = runPlain(program);
        const metered = new MeteredProgram(program);
        const { fuel } = metered.run();
        const peak = Math.max(...fuel);
        // What fails while the host calls the guest back has failed for that reason, before the budget is looked at.
        const failedBelow = !endedWell(plain) && plain.hostCalls.some((call) => call.startsWith(`f${AGAIN}(`));
        // A trap costs all that was held, so that one unit less changes nothing but that.
        fc.pre(peak > 1 && !failedBelow && endedWell(plain));
        const enough = metered.run({ ...AMPLE, fuel: peak });
        expect(seen(enough)).toEqual(seen(plain));
        expect(enough.fuel).toEqual(fuel);
        const short = metered.run({ ...AMPLE, fuel: peak - 1 });
        expectStopped(short, plain, 'FUEL_EXHAUSTED');
        expect(short.outcomes.length).toBe(fuel.indexOf(peak) + 1);
        expectRising(short.readings);
      }),
      settings(120),
    );
  });

  it('under any budget ends as it would, or is stopped for want of fuel on the way there', () => {
    fc.assert(
      fc.property(programs(), fc.double({ min: 0, max: 1, noNaN: true }), (program, share) => {
        const plain = runPlain(program);
        const metered = new MeteredProgram(program);
        const fuel = Math.max(1, Math.floor(Math.max(...metered.run().fuel) * share * share));
        const limited = metered.run({ ...AMPLE, fuel });
        expectSameOrStopped(limited, plain, 'FUEL_EXHAUSTED');
        expectRising(limited.readings);
      }),
      settings(120),
    );
  });

  it('with little stack ends as it would, or is stopped for want of stack on the way there', () => {
    const limits = fc.oneof(fc.record({ callDepth: fc.integer({ min: 1, max: 12 }) }), fc.record({ stackBytes: fc.integer({ min: 1, max: 2_000 }) }));
    fc.assert(
      fc.property(programs(), limits, (program, limit) => {
        const plain = runPlain(program);
        const metered = new MeteredProgram(program);
        const limited = metered.run({ ...AMPLE, ...limit });
        expectSameOrStopped(limited, plain, 'STACK_EXCEEDED');
        const fuel = metered.run().fuel.slice(0, limited.outcomes.length);
        if (!limited.outcomes.includes('STACK_EXCEEDED')) expect(limited.fuel).toEqual(fuel);
      }),
      settings(120),
    );
  });

  // Fuel is handed out by the quantum, of which most programs do not use up one: here the quanta end anywhere in them.
  it('does and burns the same when it goes on for many quanta', () => {
    fc.assert(
      fc.property(programs(), fc.integer({ min: 1, max: 3 }), (program, quanta) => {
        const metered = new MeteredProgram(program);
        const once = metered.run();
        const burnt = sum(once.fuel);
        const rounds = Math.ceil((quanta * 1_000_000) / burnt);
        fc.pre(endedWell(once) && rounds < 500 && once.hostCalls.length * rounds < 5_000);
        const repeated = { ...program, calls: program.calls.flatMap((call) => Array.from({ length: rounds }, () => call)) };
        const whole = metered.run(AMPLE, rounds);
        const single = new MeteredProgram(repeated).run();
        expect(whole.state).toEqual(single.state);
        expect(whole.hostCalls).toEqual(single.hostCalls);
        expect(whole.outcomes.at(-1)).toEqual(single.outcomes.at(-1));
        expect(sum(whole.fuel)).toBe(sum(single.fuel));
        expect(seen(whole)).toEqual(seen(runPlain(program, rounds)));
      }),
      settings(20),
    );
  });

  it('is never stopped for want of stack when it may call as deep as it does, whichever way functions are left', () => {
    fc.assert(
      fc.property(programs(), fc.integer({ min: 1, max: 50 }), (program, rounds) => {
        const metered = new MeteredProgram(program);
        fc.pre(sum(metered.run().fuel) < 20_000);
        const counted = runCounted(program, rounds);
        const limited = metered.run({ ...AMPLE, callDepth: Math.max(1, counted.deepest), stackBytes: 2 * STEPS * 1_000 }, rounds);
        expect(seen(limited)).toEqual(seen(counted));
      }),
      settings(120),
    );
  });

  it('is stopped when it recurses deeper than it may', () => {
    fc.assert(
      fc.property(programs(), fc.integer({ min: 1, max: 3 }), (program, callDepth) => {
        // Functions that cannot recurse need not count; between two that count stands each of them once at most.
        const between = program.shape.functions.filter(({ kind }) => kind !== 'host').length + 1;
        fc.pre(runCounted(program).deepest > (callDepth + 1) * between);
        expect(new MeteredProgram(program).run({ ...AMPLE, callDepth }).outcomes).toContain('STACK_EXCEEDED');
      }),
      settings(40),
    );
  });

  it('without branches and calls costs what its operators cost, besides what a call of it costs', () => {
    fc.assert(
      fc.property(straightPrograms(), (program) => {
        expectValid(program);
        // The same function, and one with its type and locals that does nothing, with the same arguments.
        const [busy, idle] = [...program.shape.functions.entries()].filter(([, { exported }]) => exported).map(([index]) => index);
        const [call] = program.calls;
        fc.pre(busy !== undefined && idle !== undefined && call !== undefined);
        const { args } = call;
        const calls = [busy, idle].map((index) => ({ function: index, args }));
        const both = { ...program, calls };
        const { executed, outcomes } = runCounted(both);
        const { fuel } = new MeteredProgram(both).run();
        expect(outcomes.length).toBe(3);
        fc.pre((executed[1] as number) <= LEAF_UNITS);
        expect((fuel[1] as number) - (fuel[2] as number)).toBe((executed[1] as number) - (executed[2] as number));
      }),
      settings(120),
    );
  });

  it('is itself a module that can be metered', () => {
    fc.assert(
      fc.property(programs(), ({ bytes }) => {
        expect(WebAssembly.validate(meter(meter(bytes).bytes).bytes as BufferSource)).toBe(true);
      }),
      settings(30),
    );
  });
});

// Not valid, a generated program is a fault of the generator's; the engine says which.
function expectValid({ bytes, counted }: Program): void {
  for (const build of [bytes, counted]) expect(WebAssembly.validate(build) || faultOf(build)).toBe(true);
}

function faultOf(bytes: BufferSource): string {
  try {
    new WebAssembly.Module(bytes);
    return 'none';
  } catch (error) {
    return String(error);
  }
}

function seen({ outcomes, hostCalls, state }: Run): Run {
  return { outcomes, hostCalls, state };
}

function endedWell({ outcomes }: Run): boolean {
  return /^(loaded$|f\d+\()/.test(outcomes.at(-1) as string);
}

function expectSameOrStopped(limited: Run, plain: Run, code: string): void {
  if (limited.outcomes.includes(code)) expectStopped(limited, plain, code);
  else expect(seen(limited)).toEqual(seen(plain));
}

function expectStopped(stopped: Run, plain: Run, code: string): void {
  const before = stopped.outcomes.slice(0, -1);
  expect(stopped.outcomes.at(-1)).toBe(code);
  expect(before).toEqual(plain.outcomes.slice(0, before.length));
  expect(stopped.hostCalls).toEqual(plain.hostCalls.slice(0, stopped.hostCalls.length));
}

function expectRising(readings: readonly number[]): void {
  expect(readings).toEqual(readings.toSorted((one, other) => one - other));
}

function sum(units: readonly number[]): number {
  return units.reduce((whole, one) => whole + one, 0);
}
