// Standard streams that come and go in the course of time: what is asked for and kept, who waits for what, and how each of them ends.
import { describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { GloveportError } from '../../src/errors.ts';
import { limits } from '../../src/limits.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { fail } from '../../src/wasi/filesystem/errors.ts';
import { OutputStream } from '../../src/wasi/component/io.ts';
import { OUTPUT_BUFFER_BYTES, type OutputConsumer } from '../../src/wasi/output-buffer.ts';
import type { InputFeed } from '../../src/wasi/standard-input.ts';
import { Signal } from '../../src/wasi/waiting.ts';
import { ALL, makeHost, Preview1Guest, RecordingControl, type Stopped, stopOf, thrownBy, wasi02 } from './support.ts';
import { SuspendingControl } from './suspending.ts';

/** Gives each chunk when the test says so. */
class ManualFeed implements InputFeed {
  asked = 0;
  released = 0;
  #answer: { resolve(chunk: Uint8Array | undefined): void; reject(error: unknown): void } | undefined;

  next(): Promise<Uint8Array | undefined> {
    if (this.#answer !== undefined) throw new Error('asked twice at once');
    this.asked += 1;
    return new Promise((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
  }

  release(): void {
    this.released += 1;
  }

  async give(chunk: string | undefined): Promise<void> {
    this.#answer?.resolve(chunk === undefined ? undefined : Buffer.from(chunk));
    await this.#settled();
  }

  async fail(error: unknown): Promise<void> {
    this.#answer?.reject(error);
    await this.#settled();
  }

  async #settled(): Promise<void> {
    this.#answer = undefined;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Delivers each chunk when the test says so. */
class ManualConsumer implements OutputConsumer {
  readonly ready = new Signal(() => !this.#busy);
  readonly taken: string[] = [];
  closed = false;
  released = 0;
  #busy = false;

  take(chunk: Uint8Array): void {
    this.taken.push(Buffer.from(chunk).toString());
    this.#busy = true;
  }

  release(): void {
    this.released += 1;
  }

  deliver(closed = false): void {
    this.#busy = false;
    this.closed = closed;
    this.ready.notify();
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('standard input from a feed', () => {
  test('asks for one chunk when the guest looks, and for the next one when that is used up', async () => {
    const feed = new ManualFeed();
    const { host } = makeHost({ stdin: feed });
    const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
    expect(feed.asked).toBe(0);
    expect([stream.read(10n), stream.read(10n), feed.asked]).toEqual([new Uint8Array(), new Uint8Array(), 1]);
    await feed.give('abc');
    expect([text(stream.read(2n)), text(stream.read(2n)), feed.asked]).toEqual(['ab', 'c', 1]);
    expect([stream.read(2n), feed.asked]).toEqual([new Uint8Array(), 2]);
    await feed.give('');
    expect([stream.subscribe().ready(), feed.asked]).toEqual([false, 3]);
    await feed.give(undefined);
    expect([stream.subscribe().ready(), thrownBy(() => stream.read(2n)), feed.released]).toEqual([true, { tag: 'closed' }, 1]);
  });

  test('lets readers of both versions wait for it, and is one stream for both', async () => {
    const feed = new ManualFeed();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdin: feed }, control);
    const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
    const read = control.call(() => stream.blockingRead(3n));
    await feed.give('abcde');
    expect(text(await read)).toBe('abc');
    const guest = new Preview1Guest(host);
    expect(await control.call(() => guest.read(0, 10))).toEqual({ errno: 0, text: 'de' });
    const other = control.call(() => guest.read(0, 10));
    await feed.give('f');
    expect([await other, control.suspensions]).toEqual([{ errno: 0, text: 'f' }, 2]);
    const skipped = control.call(() => stream.blockingSkip(10n));
    await feed.give('ghi');
    expect(await skipped).toBe(3n);
    const last = control.call(() => guest.read(0, 10));
    await feed.give(undefined);
    expect([await last, feed.released]).toEqual([{ errno: 0, text: '' }, 1]);
  });

  test('is polled by both versions, which say how much is there', async () => {
    const feed = new ManualFeed();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdin: feed }, control);
    const { 'wasi:io/poll': poll, 'wasi:cli/stdin': stdin } = wasi02(host);
    const pollables = [stdin.getStdin().subscribe()];
    const polled = control.call(() => poll.poll(pollables));
    await feed.give('abc');
    expect([...(await polled)]).toEqual([0]);
    const guest = new Preview1Guest(host);
    expect(await control.call(() => pollRead(guest))).toEqual({ count: 1, available: 3n, hangup: false });
    guest.read(0, 10);
    const again = control.call(() => pollRead(guest));
    await feed.give(undefined);
    expect(await again).toEqual({ count: 1, available: 0n, hangup: true });
  });

  test('that fails is an error once and then closed, after the bytes before, and shows nothing of the failure', async () => {
    for (const version of ['0.2', 'preview 1']) {
      const feed = new ManualFeed();
      const { host } = makeHost({ stdin: feed });
      const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
      const guest = new Preview1Guest(host);
      stream.read(1n);
      await feed.give('a');
      expect(text(stream.read(1n))).toBe('a');
      stream.read(1n);
      await feed.fail(new Error('not-permitted'));
      expect(feed.released).toBe(1);
      if (version === '0.2') {
        const failed = thrownBy(() => stream.read(1n)) as { tag: string; val: { toDebugString(): string } };
        expect([failed.tag, failed.val.toDebugString()]).toEqual(['last-operation-failed', 'io']);
      } else {
        expect(guest.read(0, 1).errno).toBe(29);
      }
      expect(guest.read(0, 1)).toEqual({ errno: 0, text: '' });
      expect(thrownBy(() => stream.read(1n))).toEqual({ tag: 'closed' });
    }
  });

  test('that fails with an error of ours stops the guest when it reads', async () => {
    const feed = new ManualFeed();
    const { host } = makeHost({ stdin: feed });
    const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
    stream.read(1n);
    await feed.fail(new GloveportError('HOST_FUNCTION_FAILED', 'no bytes'));
    expect(stopOf(() => stream.read(1n))).toBe('HOST_FUNCTION_FAILED');
  });

  test('counts a chunk for hostBytes until it is used up, to the byte', async () => {
    for (const [size, outcome] of [
      [1000, 'read'],
      [1001, 'insufficient-memory'],
    ] as const) {
      const feed = new ManualFeed();
      const { host } = makeHost({ stdin: feed, limits: { hostBytes: 1000 } });
      const stream = wasi02(host)['wasi:cli/stdin'].getStdin();
      for (let round = 0; round < 2; round += 1) {
        if (thrownBy(() => stream.read(1n)) !== undefined) break;
        await feed.give('x'.repeat(size));
        const failed = thrownBy(() => {
          expect(stream.read(999n)).toHaveLength(999);
          expect(stream.read(999n)).toHaveLength(1);
        }) as { val: { toDebugString(): string } } | undefined;
        expect(failed?.val.toDebugString() ?? 'read').toBe(outcome);
      }
    }
  });

  test('ends for who waits when CONSOLE is revoked, and is let go of then, or at the end of the guest', async () => {
    const feed = new ManualFeed();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdin: feed }, control);
    const guest = new Preview1Guest(host);
    const waiting = control.call(() => guest.read(0, 10));
    host.revoke(Cap.TIME);
    expect(feed.released).toBe(0);
    host.revoke(Cap.CONSOLE);
    expect([await waiting, feed.released]).toEqual([{ errno: 0, text: '' }, 1]);
    await feed.give('too late');
    expect(guest.read(0, 10)).toEqual({ errno: 0, text: '' });
    host.dispose();
    expect(feed.released).toBe(1);

    const unread = new ManualFeed();
    makeHost({ stdin: unread }).host.dispose();
    expect([unread.asked, unread.released]).toEqual([0, 1]);
  });

  test('stops a guest that cannot be suspended only when it would have to wait', async () => {
    const feed = new ManualFeed();
    const { host } = makeHost({ stdin: feed }, new RecordingControl());
    const guest = new Preview1Guest(host);
    expect(stopOf(() => guest.read(0, 10))).toBe('UNSUPPORTED_FEATURE');
    await feed.give('there');
    expect(guest.read(0, 10)).toEqual({ errno: 0, text: 'there' });
    expect(stopOf(() => wasi02(host)['wasi:cli/stdin'].getStdin().blockingRead(1n))).toBe('UNSUPPORTED_FEATURE');
  });

  test('is let go of when the host cannot be made', () => {
    const feed = new ManualFeed();
    expect(thrownBy(() => makeHost({ stdin: feed, denyPaths: ['not absolute'] }))).toMatchObject({ code: 'INVALID_OPTION' });
    expect(feed.released).toBe(1);
  });
});

describe('standard output to a consumer', () => {
  test('goes on its way at once when nothing else is, and is collected in order while something is', () => {
    const stdout = new ManualConsumer();
    const { host } = makeHost({ stdout });
    const guest = new Preview1Guest(host);
    for (const piece of ['a', 'b', 'c']) expect(guest.write(1, piece)).toEqual({ errno: 0, count: 1 });
    expect([stdout.taken, host.outputBytes]).toEqual([['a'], 3]);
    stdout.deliver();
    expect(guest.write(1, 'd').errno).toBe(0);
    stdout.deliver();
    expect(stdout.taken).toEqual(['a', 'bc', 'd']);
  });

  test('permits what its buffer has room for, takes that much and not a byte more', async () => {
    const stdout = new ManualConsumer();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdout }, control);
    const stream = wasi02(host)['wasi:cli/stdout'].getStdout();
    const guest = new Preview1Guest(host);
    guest.write(1, 'first');
    expect(stream.checkWrite()).toBe(BigInt(OUTPUT_BUFFER_BYTES));
    expect(guest.write(1, 'x'.repeat(OUTPUT_BUFFER_BYTES - 1)).count).toBe(OUTPUT_BUFFER_BYTES - 1);
    expect([stream.checkWrite(), stream.subscribe().ready()]).toEqual([1n, true]);
    expect(guest.write(1, 'yz')).toEqual({ errno: 0, count: 1 });
    expect([stream.checkWrite(), stream.subscribe().ready()]).toEqual([0n, false]);
    expect(stopOf(() => stream.write(Buffer.from('!')))).toBe('GUEST_TRAPPED');
    const waiting = control.call(() => guest.write(1, 'z'));
    expect(stdout.taken).toEqual(['first']);
    stdout.deliver();
    expect([await waiting, control.suspensions]).toEqual([{ errno: 0, count: 1 }, 1]);
    expect(stdout.taken[1]).toBe(`${'x'.repeat(OUTPUT_BUFFER_BYTES - 1)}y`);
    host.dispose();
    expect([stdout.taken[2], stdout.released]).toEqual(['z', 1]);
  });

  test('is flushed when all of it was delivered', async () => {
    const stdout = new ManualConsumer();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdout }, control);
    const stream = wasi02(host)['wasi:cli/stdout'].getStdout();
    let done = false;
    const write = control.call(() => stream.blockingWriteAndFlush(Buffer.from('abc'))).then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([stdout.taken, done, stream.checkWrite()]).toEqual([['abc'], false, 0n]);
    stdout.deliver();
    await write;
    stream.write(Buffer.from('d'));
    stream.write(Buffer.from('e'));
    stream.flush();
    expect([stream.checkWrite(), stream.subscribe().ready()]).toEqual([0n, false]);
    stdout.deliver();
    expect([stdout.taken, stream.checkWrite()]).toEqual([['abc', 'd', 'e'], 0n]);
    stdout.deliver();
    expect([stream.subscribe().ready(), stream.checkWrite()]).toEqual([true, BigInt(OUTPUT_BUFFER_BYTES)]);
  });

  test('is a closed stream, or a broken pipe, when nobody takes it any more', async () => {
    const stdout = new ManualConsumer();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdout }, control);
    const stream = wasi02(host)['wasi:cli/stdout'].getStdout();
    const guest = new Preview1Guest(host);
    guest.write(1, 'a');
    guest.write(1, 'x'.repeat(OUTPUT_BUFFER_BYTES));
    const waiting = control.call(() => guest.write(1, 'b'));
    stdout.deliver(true);
    expect((await waiting).errno).toBe(64);
    expect(thrownBy(() => stream.checkWrite())).toEqual({ tag: 'closed' });
    expect(thrownBy(() => wasi02(host)['wasi:cli/stdout'].getStdout().blockingWriteAndFlush(Buffer.from('c')))).toEqual({ tag: 'closed' });
    expect([guest.write(2, 'errors go elsewhere').errno, stdout.taken]).toEqual([0, ['a']]);
    host.dispose();
    expect(stdout.taken).toEqual(['a']);
  });

  test('ends at the limit of output, with what is below it', () => {
    const stdout = new ManualConsumer();
    const { host } = makeHost({ stdout, limits: { outputBytes: 4 } });
    const guest = new Preview1Guest(host);
    guest.write(1, 'ab');
    expect(stopOf(() => guest.write(1, 'cdef'))).toBe('OUTPUT_EXCEEDED');
    host.dispose();
    expect([stdout.taken, host.outputBytes]).toEqual([['ab', 'cd'], 4]);
  });

  test('stops a guest that cannot be suspended only when the buffer is full, and flushes behind its back', () => {
    const stdout = new ManualConsumer();
    const { host } = makeHost({ stdout }, new RecordingControl());
    const stream = wasi02(host)['wasi:cli/stdout'].getStdout();
    for (const piece of ['a', 'b']) stream.blockingWriteAndFlush(Buffer.from(piece));
    stream.write(Buffer.alloc(OUTPUT_BUFFER_BYTES - 1));
    expect(stopOf(() => stream.blockingWriteAndFlush(Buffer.from('c')))).toBe('UNSUPPORTED_FEATURE');
    expect(stopOf(() => new Preview1Guest(host).write(1, 'c'))).toBe('UNSUPPORTED_FEATURE');
  });

  test('is discarded from the moment that CONSOLE is revoked, and who waits goes on', async () => {
    const stdout = new ManualConsumer();
    const control = new SuspendingControl();
    const { host } = makeHost({ stdout }, control);
    const guest = new Preview1Guest(host);
    guest.write(1, 'a');
    guest.write(1, 'x'.repeat(OUTPUT_BUFFER_BYTES));
    const waiting = control.call(() => guest.write(1, 'unheard'));
    host.revoke(Cap.CONSOLE);
    expect(await waiting).toEqual({ errno: 0, count: 7 });
    stdout.deliver();
    stdout.deliver();
    expect([stdout.taken.join('').length, host.outputBytes]).toEqual([OUTPUT_BUFFER_BYTES + 1, OUTPUT_BUFFER_BYTES + 1]);
  });

  test('needs room for its buffers in hostBytes', () => {
    const hostBytes = 4 * OUTPUT_BUFFER_BYTES;
    const consumers = () => ({ stdin: new ManualFeed(), stdout: new ManualConsumer(), stderr: new ManualConsumer() });
    makeHost({ ...consumers(), limits: { hostBytes } });
    const refused = consumers();
    expect(thrownBy(() => makeHost({ ...refused, limits: { hostBytes: hostBytes - 1 } }))).toMatchObject({ code: 'MEMORY_EXCEEDED' });
    expect(refused.stdin.released).toBe(1);
  });
});

test('what an observer does while a stream is used does not confuse it', async () => {
  const feed = new ManualFeed();
  const stdout = new ManualConsumer();
  const actions: (() => void)[] = [];
  const { host } = makeHost({ stdin: feed, stdout, grants: ALL, onAccess: () => void actions.shift()?.() });
  const guest = new Preview1Guest(host);
  actions.push(() => host.revoke(Cap.CONSOLE));
  expect(guest.write(1, 'unheard')).toEqual({ errno: 0, count: 7 });
  expect([stdout.taken, host.outputBytes]).toEqual([[], 0]);

  const other = makeHost({ stdin: Buffer.from('secret'), onAccess: () => void actions.shift()?.() });
  actions.push(() => other.host.revoke(Cap.CONSOLE));
  expect(new Preview1Guest(other.host).read(0, 10)).toEqual({ errno: 0, text: '' });
  const third = makeHost({ stdin: Buffer.from('secret'), onAccess: () => void actions.shift()?.() });
  actions.push(() => third.host.dispose());
  expect(thrownBy(() => wasi02(third.host)['wasi:cli/stdin'].getStdin().read(10n))).toEqual({ tag: 'closed' });
  const fourth = makeHost({
    onAccess: () => {
      throw new Error('enough');
    },
  });
  const stopped = thrownBy(() => new Preview1Guest(fourth.host).write(1, 'x')) as Stopped;
  expect(stopped.reason).toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause: { message: 'enough' } });
});

test('one thing that is waited for thousands of times is looked at once for each change', () => {
  let looks = 0;
  const signal = new Signal(() => {
    looks += 1;
    return false;
  });
  class KeepingControl extends SuspendingControl {
    override wait(_milliseconds: number, onChange?: (wake: () => void) => () => void): boolean {
      onChange?.(() => {});
      return false;
    }
  }
  expect(new WasiContext(Cap.NONE, limits.default, new KeepingControl()).waitForAny(Array<Signal>(10_000).fill(signal))).toBe(false);
  signal.notify();
  expect(looks).toBe(2);
});

/** One subscription to standard input; what its event says. */
function pollRead(guest: Preview1Guest): { count: number; available: bigint; hangup: boolean } {
  const [input, output, result] = [guest.room(48), guest.room(32), guest.room(4)];
  guest.view.setUint8(input + 8, 1);
  guest.view.setUint32(input + 16, 0, true);
  expect(guest.call('poll_oneoff', input, output, 1, result)).toBe(0);
  const { view } = guest;
  return {
    count: view.getUint32(result, true),
    available: view.getBigUint64(output + 16, true),
    hangup: view.getUint16(output + 24, true) === 1,
  };
}

test('what fails while it is flushed fails the flush that waits for it, and a write that waits to be flushed', async () => {
  for (const act of [(stream: OutputStream) => stream.blockingFlush(), (stream: OutputStream) => stream.blockingWriteAndFlush(Buffer.from('text'))]) {
    const control = new SuspendingControl();
    let state: 'idle' | 'flushing' | 'failed' = 'idle';
    const ready = new Signal(() => state !== 'flushing');
    const permit = (): number => {
      if (state === 'failed') fail('io');
      return state === 'idle' ? 100 : 0;
    };
    const flush = (): void => {
      state = 'flushing';
      setTimeout(() => {
        state = 'failed';
        ready.notify();
      });
    };
    const stream = new OutputStream(new WasiContext(Cap.CONSOLE, limits.default, control), { ready, permit, write: () => undefined, flush });
    await expect(control.call(() => act(stream))).rejects.toMatchObject({ tag: 'last-operation-failed' });
    expect(control.suspensions).toBe(1);
  }
});
