// Where a guest stopped, as the user of a sandbox gets to see it.
import { describe, expect, it } from 'vitest';
import { type GloveportError, type Guest, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { wat } from '../support/wat.ts';

const PROGRAM = `(module
  (import "host" "ask" (func $ask))
  (func $crash (export "crash") unreachable)
  (func $spin (export "spin") (loop (br 0)))
  (func $dive (export "dive") (call $dive) (nop))
  (func $asks (export "asks") (call $ask)))`;

async function failure(name: string, options: SandboxOptions = {}, ask: (guest: Guest) => void = () => undefined): Promise<GloveportError> {
  const held: { guest?: Guest } = {};
  held.guest = await new Sandbox({ ...options, imports: { host: { ask: () => ask(held.guest as Guest) } } }).load(await wat(PROGRAM));
  return held.guest.call(name).then(
    () => expect.unreachable(),
    (error: unknown) => error as GloveportError,
  );
}

describe('the error of a guest that was stopped', () => {
  const throwing = (): never => {
    throw new Error('no');
  };

  it.each<[code: string, call: string, index: number, options?: SandboxOptions, ask?: (guest: Guest) => void]>([
    ['GUEST_TRAPPED', 'crash', 1],
    ['FUEL_EXHAUSTED', 'spin', 2, { limits: { fuel: 1e6 } }],
    ['DEADLINE_EXCEEDED', 'spin', 2, { limits: { timeMs: 20 } }],
    ['STACK_EXCEEDED', 'dive', 3],
    ['HOST_FUNCTION_FAILED', 'asks', 4, {}, throwing],
    ['ABORTED', 'asks', 4, {}, (guest) => guest.abort('enough')],
  ])('%s names the function and the offset', async (code, call, index, options, ask) => {
    const error = await failure(call, options, ask);
    expect(error).toMatchObject({ code, details: { source: { function: index, name: call, offset: expect.any(Number) } } });
    expect(error.message).toMatch(new RegExp(`\\(in function ${index} "${call}" at offset 0x[0-9a-f]+\\)$`));
    expect(structuredClone(error.details)).toEqual(error.details);
    expect(JSON.parse(JSON.stringify(error.details))).toMatchObject({ source: { function: index } });
  });

  it('keeps the cause that it has', async () => {
    const error = await failure('asks', {}, (guest) => guest.abort(new RangeError('enough')));
    expect(error.cause).toMatchObject({ message: 'enough' });
    expect(error.message).toMatch(/^the guest was aborted: enough \(in function/);
  });

  it('does not say where the guest was when the host let go of it', async () => {
    const error = await failure('asks', {}, (guest) => guest.dispose());
    expect(error).toMatchObject({ code: 'DISPOSED', details: {} });
  });
});
