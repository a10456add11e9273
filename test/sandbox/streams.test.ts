// Streams of the platform as standard input and output of commands, of each kind that people have, and what becomes of them.
import { PassThrough, Readable, Writable } from 'node:stream';
import { parse } from '@bytecodealliance/jco';
import { beforeAll, describe, expect, test } from 'vitest';
import { Cap, type RunResult, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { codeOf, errorOf } from '../support/rejection.ts';
import { wat } from '../support/wat.ts';

// Copies standard input to standard output, both through 64 KiB, and exits with the first errno.
const COPY = `(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func $checked (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func (export "once") (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 65536))
    (call $checked (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
  (func (export "_start") (local $left i32)
    (loop $more
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 65536))
      (call $checked (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $left (i32.load (i32.const 8)))
      (if (i32.eqz (local.get $left)) (then (return)))
      (loop $rest
        (i32.store (i32.const 4) (local.get $left))
        (call $checked (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 8))))
        (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
        (br_if $rest (local.get $left)))
      (br $more))))`;

const LONG = 'a line of output\n'.repeat(20_000);
const EPIPE = 64;
const ENOMEM = 48;

let copy: Uint8Array;
beforeAll(async () => {
  copy = await wat(COPY);
});

async function run(options: SandboxOptions): Promise<RunResult> {
  await using guest = await new Sandbox(options).load(copy);
  return await guest.run();
}

/** Collects what is written to it, a chunk each `delay` milliseconds. */
function collector(delay = 0): { web: WritableStream<Uint8Array>; node: Writable; chunks: Uint8Array[]; text(): string } {
  const chunks: Uint8Array[] = [];
  const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, delay));
  const web = new WritableStream<Uint8Array>({
    async write(chunk) {
      await later();
      chunks.push(chunk);
    },
  });
  const node = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      chunks.push(chunk);
      setTimeout(done, delay);
    },
  });
  return { web, node, chunks, text: () => Buffer.concat(chunks).toString() };
}

async function* endless<Item>(item: Item): AsyncGenerator<Item> {
  for (;;) yield item;
}

async function* later<Item>(...items: Item[]): AsyncGenerator<Item> {
  for (const item of items) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield item;
  }
}

describe('standard input', () => {
  const SOURCES: Record<string, () => SandboxOptions['stdin']> = {
    text: () => 'one, two, drei, 😀',
    bytes: () => Buffer.from('one, two, drei, 😀'),
    'a Node stream of bytes': () => Readable.from(later(Buffer.from('one, '), Buffer.from('two, drei, 😀'))),
    'a Node stream of text': () => Readable.from(later('one, ', 'two, drei, 😀')),
    'a web stream of bytes': () => Readable.toWeb(Readable.from(later(Buffer.from('one, '), Buffer.from('two, drei, 😀')), { objectMode: false })),
    'a web stream of text': () => new Response('one, two, drei, 😀').body?.pipeThrough(new TextDecoderStream()),
    'a generator of bytes and text': () => later<Uint8Array | string>(Buffer.from('one, '), 'two, drei, \ud83d', '\ude00'),
  };
  test.each(Object.entries(SOURCES))('is read to its end from %s', async (_what, source) => {
    expect(await run({ stdin: source() })).toEqual({ exitCode: 0, stdout: 'one, two, drei, 😀', stderr: '' });
  });

  test('that ends in half a character ends in the sign for it', async () => {
    expect((await run({ stdin: later('a\ud83d') })).stdout).toBe('a\ufffd');
  });

  test('is read no further than the guest reads', async () => {
    let given = 0;
    const stdin = new ReadableStream<string>(
      {
        pull(controller) {
          given += 1;
          controller.enqueue('chunk');
        },
      },
      { highWaterMark: 0 },
    );
    await using guest = await new Sandbox({ stdin }).load(copy);
    expect(given).toBe(0);
    for (let round = 1; round <= 3; round += 1) expect([await guest.call('once'), given]).toEqual([5, round]);
  });

  test('that never comes ends at the deadline or at an abort, and the event loop lives', async () => {
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 1);
    expect(await codeOf(() => run({ stdin: new PassThrough(), limits: { timeMs: 50 } }))).toBe('DEADLINE_EXCEEDED');
    await using guest = await new Sandbox({ stdin: new ReadableStream() }).load(copy);
    setTimeout(() => guest.abort('enough'), 20);
    expect(await codeOf(() => guest.run())).toBe('ABORTED');
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
  });

  test('that fails is EIO, and what gives neither bytes nor text ends the guest', async () => {
    const failing = async function* (): AsyncGenerator<string> {
      yield 'before';
      throw new Error('/etc/secret');
    };
    expect(await run({ stdin: failing() })).toEqual({ exitCode: 29, stdout: 'before', stderr: '' });
    expect((await run({ stdin: Readable.from(failing()) })).exitCode).toBe(29);
    const error = await errorOf(() => run({ stdin: Readable.from([{ an: 'object' }]) }));
    expect(error).toMatchObject({ code: 'HOST_FUNCTION_FAILED', message: expect.stringContaining("option 'stdin' gave an object") });
  });

  test.each<[what: string, stdin: () => SandboxOptions['stdin']]>([
    ['bytes', () => endless(new Uint8Array())],
    ['text', () => endless('')],
    ['bytes from a web stream', () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array()) })],
  ])('that gives nothing but empty %s leaves the event loop alive, and the deadline', async (_what, stdin) => {
    expect(await codeOf(() => run({ stdin: stdin(), limits: { timeMs: 50 } }))).toBe('DEADLINE_EXCEEDED');
  });

  test('takes chunks for what they are, whatever their class says, and is not what becomes of them later', async () => {
    const boom = (): never => {
      throw new Error('a secret of the host');
    };
    class Evil extends Uint8Array {
      static readonly [Symbol.species] = boom as never;
      override get length(): number {
        return boom();
      }
      override subarray = boom;
    }
    const proxy = new Proxy(new Uint8Array(3), { getPrototypeOf: boom });
    const evil = new Evil(Buffer.from('evil'));
    const given = Buffer.from('text');
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      yield evil;
      yield new Uint8Array(new ArrayBuffer(2, { maxByteLength: 4 })).fill(97);
      yield given;
      given.fill(0);
    };
    expect((await run({ stdin: chunks() })).stdout).toBe('evilaatext');
    expect((await run({ stdin: evil })).stdout).toBe('evil');
    for (const stdin of [later(proxy), later(Object.create(Uint8Array.prototype)), later(new DataView(new ArrayBuffer(1)))]) {
      expect(await codeOf(() => run({ stdin: stdin as never }))).toBe('HOST_FUNCTION_FAILED');
    }
  });

  test('keeps and counts a chunk until it is used up, also when its stream transfers the buffer', async () => {
    const given: ArrayBuffer[] = [];
    const stdin = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        const chunk = new Uint8Array(100_000);
        given.push(chunk.buffer);
        yield chunk;
      }
    };
    await using guest = await new Sandbox({ stdin: stdin(), limits: { hostBytes: 150_000 } }).load(copy);
    const counts: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      counts.push(await guest.call('once'));
      structuredClone(null, { transfer: given.splice(0) });
    }
    expect(counts).toEqual([65_536, 34_464, 65_536, 34_464]);
  });

  test('that fails to be cancelled is none the less ended', async () => {
    const web = (cancel: () => unknown) => ({ locked: false, getReader: () => ({ read: async () => ({ value: new Uint8Array(1001) }), cancel }) });
    const cancels: (() => unknown)[] = [
      () => {
        throw new Error('a secret of the host');
      },
      () => undefined,
      async () => await Promise.reject(new Error('late')),
    ];
    for (const cancel of cancels) {
      const ended = await run({ stdin: web(cancel) as never, limits: { hostBytes: 1000 } });
      expect(ended.exitCode).toBe(ENOMEM);
    }
  });

  test('that cannot be listened to is refused', async () => {
    const broken = Object.assign(later('text'), {
      on() {
        throw new Error('no');
      },
      off() {},
    });
    const error = await errorOf(() => run({ stdin: broken }));
    expect(error).toMatchObject({ code: 'INVALID_OPTION', details: { option: 'stdin' } });
  });

  test('that fails before anybody reads does not end the process', async () => {
    const stdin = new PassThrough();
    await using guest = await new Sandbox({ stdin }).load(copy);
    stdin.destroy(new Error('gone'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await guest.run()).exitCode).toBe(29);
  });

  test('from a stream is for one guest, and for another one if the first never read it', async () => {
    for (const stdin of [Readable.from(['text']), Readable.toWeb(Readable.from(['text'])), later('text')]) {
      const sandbox = new Sandbox({ stdin });
      const unread = await sandbox.load(copy);
      const error = await errorOf(() => sandbox.load(copy));
      expect(error).toMatchObject({ code: 'INVALID_STATE', message: expect.stringContaining('a stream of its own') });
      expect(await codeOf(() => sandbox.grant(Cap.TIME).load(copy))).toBe('INVALID_STATE');
      await new Sandbox({ stdin, grant: Cap.NONE }).load(copy);
      unread.dispose();
      await using guest = await sandbox.load(copy);
      expect((await guest.run()).stdout).toBe('text');
      expect(await codeOf(() => sandbox.load(copy))).toBe('INVALID_STATE');
    }
    const locked = new ReadableStream();
    locked.getReader();
    expect(await codeOf(() => run({ stdin: locked }))).toBe('INVALID_STATE');
  });

  test('from a stream that was read is cancelled or destroyed with the guest, also in the middle of a wait', async () => {
    const ended: string[] = [];
    const results: unknown[] = [];
    const node = new Readable({
      read() {},
      destroy(_error, done) {
        ended.push('node');
        done(null);
      },
    });
    const web = new ReadableStream({ cancel: () => void ended.push('web') });
    const generator = async function* (): AsyncGenerator<string> {
      try {
        yield 'one';
        yield 'two';
      } finally {
        ended.push('generator');
      }
    };
    for (const stdin of [node, web, generator()]) {
      const guest = await new Sandbox({ stdin }).load(copy);
      const call = guest.call('once').catch((error: { code: string }) => error.code);
      await new Promise((resolve) => setTimeout(resolve, 5));
      guest.dispose();
      results.push(await call);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect([ended, results]).toEqual([
      ['node', 'web', 'generator'],
      ['DISPOSED', 'DISPOSED', 3],
    ]);
  });
});

// Writes each of its 26 letters 4096 times, and has each of these pieces flushed.
const PRINTER = `(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $e)) (export "error" (type $error (eq $e)))
    (type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failure)))
    (export "output-stream" (type $out (sub resource)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $out (type $o)) (export "output-stream" (type $out (eq $o)))
    (export "get-stdout" (func (result (own $out))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory (core memory $memory "memory"))))
  (core module $m
    (import "" "get" (func $get (result i32)))
    (import "" "write" (func $write (param i32 i32 i32 i32)))
    (import "memory" "memory" (memory 1))
    (func (export "run") (result i32) (local $out i32) (local $letter i32)
      (local.set $out (call $get))
      (local.set $letter (i32.const 97))
      (loop $more
        (memory.fill (i32.const 1024) (local.get $letter) (i32.const 4096))
        (call $write (local.get $out) (i32.const 1024) (i32.const 4096) (i32.const 0))
        (if (i32.load8_u (i32.const 0)) (then (return (i32.const 1))))
        (local.set $letter (i32.add (local.get $letter) (i32.const 1)))
        (br_if $more (i32.le_u (local.get $letter) (i32.const 122))))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "memory" (instance $memory))
    (with "" (instance (export "get" (func $get)) (export "write" (func $write))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))`;

test('a component waits for each piece that it has flushed, and sees a closed stream', async () => {
  const printer = new Uint8Array(await parse(PRINTER));
  const { chunks, node } = collector(1);
  await using guest = await new Sandbox({ stdout: node }).load(printer);
  expect((await guest.run()).exitCode).toBe(0);
  const pieces = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index).repeat(4096));
  expect(chunks.map((chunk) => Buffer.from(chunk).toString())).toEqual(pieces);
  await using broken = await new Sandbox({ stdout: new PassThrough().destroy() }).load(printer);
  expect((await broken.run()).exitCode).toBe(1);
});

describe('standard output', () => {
  test.each(['web', 'node'] as const)('to a slow %s stream is all there, in order, when run() resolves', async (kind) => {
    const { chunks, text, ...streams } = collector(1);
    expect(await run({ stdin: LONG, stdout: streams[kind] })).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(text()).toBe(LONG);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
  });

  test('may go where standard error goes, and to one stream from many guests', async () => {
    for (const kind of ['web', 'node'] as const) {
      const { text, ...streams } = collector();
      const sandbox = new Sandbox({ stdin: 'x'.repeat(100_000), stdout: streams[kind], stderr: streams[kind] });
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          await using guest = await sandbox.load(copy);
          await guest.run();
        }),
      );
      expect(text()).toHaveLength(2_000_000);
      // It is still the host's own.
      if (kind === 'web') await streams.web.close();
      else expect(streams.node.writable).toBe(true);
    }
  });

  test('that nobody takes ends at the deadline, in the guest or after it, and at an abort', async () => {
    const stuck = (): Writable => new Writable({ write() {} });
    expect(await codeOf(() => run({ stdin: LONG, stdout: stuck(), limits: { timeMs: 50 } }))).toBe('DEADLINE_EXCEEDED');
    const after = await errorOf(() => run({ stdin: 'short', stdout: stuck(), limits: { timeMs: 50 } }));
    expect(after).toMatchObject({ code: 'DEADLINE_EXCEEDED', details: { limit: 'timeMs', maximum: 50 }, message: expect.stringContaining('has ended') });
    for (const [end, code] of [
      ['abort', 'ABORTED'],
      ['dispose', 'DISPOSED'],
    ] as const) {
      const guest = await new Sandbox({ stdin: 'short', stdout: stuck() }).load(copy);
      setTimeout(() => guest[end](), 20);
      expect(await codeOf(() => guest.run())).toBe(code);
      guest.dispose();
    }
  });

  const BROKEN: Record<string, () => SandboxOptions['stdout']> = {
    'a Node stream that fails': () => new Writable({ write: (_chunk, _encoding, done) => done(new Error('/etc/secret')) }),
    'a Node stream that throws': () =>
      new Writable({
        write() {
          throw new Error('/etc/secret');
        },
      }),
    'a Node stream that has ended': () => new PassThrough().end(),
    'a Node stream that was destroyed': () => new PassThrough().destroy(),
    'a Node stream that is destroyed meanwhile': () => {
      const stream = new Writable({ write: () => void setTimeout(() => stream.destroy(), 1) });
      return stream;
    },
    'a web stream that fails': () => new WritableStream({ write: () => Promise.reject(new Error('/etc/secret')) }),
    'a web stream that was closed': () => {
      const stream = new WritableStream();
      void stream.close();
      return stream;
    },
    'a web stream that somebody else has locked': () => {
      const stream = new WritableStream();
      stream.getWriter();
      return stream;
    },
  };
  test.each(Object.entries(BROKEN))('to %s is a broken pipe, and nothing else comes of it', async (_what, stdout) => {
    expect(await run({ stdin: LONG, stdout: stdout() })).toEqual({ exitCode: EPIPE, stdout: '', stderr: '' });
    await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('that is left when the guest is disposed of is handed over', async () => {
    const { node, text } = collector(1);
    const guest = await new Sandbox({ stdin: 'x'.repeat(100_000), stdout: node, limits: { outputBytes: 80_000 } }).load(copy);
    expect(await codeOf(() => guest.run())).toBe('OUTPUT_EXCEEDED');
    guest.dispose();
    await new Promise((resolve) => node.end(resolve));
    expect(text()).toBe('x'.repeat(80_000));
  });
});
