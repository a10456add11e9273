// Where a guest stopped, as its errors say it: compared with where the engine sees the same trap in the original module, and with where the bytes have it.
import { parse } from '@bytecodealliance/jco';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { GloveportError } from '../../src/errors.ts';
import { type LimitsInput, resolveLimits } from '../../src/limits.ts';
import { type CoreImports, Meter } from '../../src/metering/meter.ts';
import { prices } from '../../src/metering/prices.ts';
import { meter } from '../../src/metering/rewrite.ts';
import { stackHere } from '../../src/metering/stop-place.ts';
import { functionName } from '../../src/wasm/function-names.ts';
import { wat } from '../support/wat.ts';

type Callable = (...values: unknown[]) => unknown;
type Imports = CoreImports | ((meter: Meter) => CoreImports);

function start(bytes: Uint8Array, limits: LimitsInput = {}, imports: Imports = {}): { meter: Meter; failure: (name?: string) => GloveportError } {
  const guest = new Meter(resolveLimits(limits));
  const { bytes: metered, descriptor } = meter(bytes);
  const module = new WebAssembly.Module(metered as BufferSource);
  const linked = typeof imports === 'function' ? imports(guest) : imports;
  const exports = guest.run(() => guest.instantiate(module, descriptor, linked));
  return { meter: guest, failure: (name = 'go') => failureOf(() => guest.run(() => (exports[name] as Callable)())) };
}

function failureOf(work: () => unknown): GloveportError {
  try {
    work();
  } catch (error) {
    return error as GloveportError;
  }
  throw new Error('it did not fail');
}

/** Where the engine says that `go` of the module as it is traps. */
function plainTrap(bytes: Uint8Array, imports: WebAssembly.Imports = {}): { function: number; offset: number } {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), imports);
  const { stack } = failureOf(exports.go as () => unknown) as Error;
  const [, index, offset] = /wasm-function\[(\d+)\]:(0x[0-9a-f]+)/.exec(stack ?? '') as unknown as string[];
  return { function: Number(index), offset: Number(offset) };
}

/** Where the only occurrence of `code` in the module stands. */
function offsetOf(bytes: Uint8Array, ...code: number[]): number {
  const at = Buffer.from(bytes).indexOf(Uint8Array.from(code));
  expect(at).toBeGreaterThan(0);
  expect(Buffer.from(bytes).indexOf(Uint8Array.from(code), at + 1)).toBe(-1);
  return at;
}

const TRAPS: readonly (readonly [title: string, text: string])[] = [
  ['unreachable', '(func (export "go") (nop) unreachable)'],
  [
    'a callee',
    '(func (export "go") (call $inner)) (func $inner (call $innermost (i32.const 1)) (drop)) (func $innermost (param i32) (result i32) unreachable)',
  ],
  [
    'a function that its callers pay for',
    '(func (export "go") (local i32) (loop (call $prepaid))) (func $prepaid (drop (i32.div_u (i32.const 1) (i32.const 0))))',
  ],
  [
    'an innermost loop',
    `(func (export "go") (local $i i32) (local.set $i (i32.const 100000)) (loop $l
      (drop (i32.div_u (i32.const 7) (local.get $i))) (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br $l)))`,
  ],
  [
    'an outer loop',
    `(func (export "go") (local $i i32) (local $j i32) (local.set $i (i32.const 3)) (loop $o (local.set $j (i32.const 100))
      (loop $l (local.set $j (i32.sub (local.get $j) (i32.const 1))) (br_if $l (local.get $j)))
      (drop (i32.rem_s (i32.const 7) (local.get $i))) (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br $o)))`,
  ],
  [
    'behind code that was replaced',
    `(memory 1 9) (table 1 funcref) (func $early (param i32) (if (local.get 0) (then (return))) (drop (memory.grow (i32.const 1))) (drop (table.grow (ref.null func) (i32.const 1))))
      (func (export "go") (local i32) (call $early (i32.const 0)) (drop (memory.grow (i32.const 1))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 8))
      (loop $l (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 9)))) (call $early (i32.const 1)) (drop (i32.load (i32.const 0x7fffffff))))`,
  ],
  ['bulk work', '(memory 1) (func (export "go") (memory.copy (i32.const 0) (i32.const 65530) (i32.const 10)))'],
  [
    'a null element',
    '(table 3 funcref) (func (export "go") (i32.const 1) (call_indirect (i32.const 2)) (drop))'.replace(
      '(call_indirect',
      '(call_indirect (param i32) (result i32)',
    ),
  ],
  ['a conversion', '(func (export "go") (drop (i32.trunc_f64_u (f64.const -5))))'],
  ['a handler', '(tag $e) (func (export "go") (try (do (throw $e)) (catch_all (call $inner)))) (func $inner (try (do unreachable) (catch_all)))'],
  [
    'recursion',
    '(func $f (export "go") (call $g (i32.const 40))) (func $g (param i32) (if (local.get 0) (then (call $g (i32.sub (local.get 0) (i32.const 1)))) (else unreachable)))',
  ],
];

describe('a trap', () => {
  it.each(TRAPS)('is where the engine sees it in the original: %s', async (_title, text) => {
    const bytes = await wat(`(module (func $first (nop)) ${text})`);
    const error = start(bytes).failure();
    expect(error).toMatchObject({ code: 'GUEST_TRAPPED', details: { source: plainTrap(bytes) } });
  });

  it('is named in the message by index, name where it has one, and offset', async () => {
    const bytes = await wat('(module (import "a" "b" (func)) (func $parse (export "go") unreachable) (func (export "nameless") unreachable))');
    const imports = { a: { b: () => undefined } };
    const { failure } = start(bytes, {}, imports);
    const offset = plainTrap(bytes, imports).offset;
    const error = failure();
    expect(error.details).toEqual({ trap: 'unreachable', source: { function: 1, name: 'parse', offset } });
    expect(error.message).toBe(`the guest trapped: unreachable (in function 1 "parse" at offset 0x${offset.toString(16)})`);
    const nameless = start(bytes, {}, imports).failure('nameless');
    expect(nameless.details.source).toEqual({ function: 2, offset: expect.any(Number) });
    expect(nameless.message).toMatch(/ \(in function 2 at offset 0x[0-9a-f]+\)$/);
  });

  it('is named again by what fails later', async () => {
    const { failure } = start(await wat('(module (func $parse (export "go") unreachable))'));
    failure();
    const later = failure();
    expect(later).toMatchObject({ code: 'GUEST_POISONED', cause: { details: { source: { name: 'parse' } } } });
    expect(later.message).toContain('in function 0 "parse"');
  });

  it('in the start function is named too', async () => {
    const bytes = await wat('(module (func $init (unreachable)) (start $init))');
    expect(failureOf(() => start(bytes))).toMatchObject({ details: { source: { function: 0, name: 'init' } } });
  });
});

describe('a stop', () => {
  it('for fuel is in the loop that burnt it', async () => {
    const bytes = await wat('(module (func) (func $spin (export "go") (loop (br 0))))');
    const error = start(bytes, { fuel: 100_000 }).failure();
    expect(error).toMatchObject({ code: 'FUEL_EXHAUSTED', details: { source: { function: 1, name: 'spin', offset: offsetOf(bytes, 0x03, 0x40) } } });
    expect(error.message).toMatch(/ \(in function 1 "spin" at offset 0x[0-9a-f]+\)$/);
  });

  it('for fuel is at the operator whose work was too much', async () => {
    const fill = await wat('(module (memory 100) (func (export "go") (memory.fill (i32.const 0) (i32.const 1) (i32.const 6500000))))');
    expect(start(fill, { fuel: 100 * prices.page }).failure().details.source).toMatchObject({ offset: offsetOf(fill, 0xfc, 0x0b, 0) });
    const grow = await wat('(module (memory 1) (func (export "go") (local i32) (loop (local.set 0 (memory.grow (i32.const 300))))))');
    const error = start(grow, { fuel: 100_000 }).failure();
    expect(error).toMatchObject({ code: 'FUEL_EXHAUSTED', details: { source: { offset: offsetOf(grow, 0x40, 0, 0x21) } } });
  });

  it('for the deadline is in the loop, or at the wait, that took it', async () => {
    const spin = await wat('(module (func $spin (export "go") (loop (br 0))))');
    expect(start(spin, { timeMs: 5 }).failure()).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      details: { source: { function: 0, offset: offsetOf(spin, 0x03, 0x40) } },
    });
    const wait = await wat('(module (memory 1 1 shared) (func (export "go") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))');
    const error = start(wait, { timeMs: 5 }).failure();
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', details: { source: { offset: offsetOf(wait, 0xfe, 0x01) } } });
  });

  it('for the stack is in the function that is a call too deep', async () => {
    const bytes = await wat('(module (func $deep (export "go") (call $deep) (nop)))');
    const counted = start(bytes, { callDepth: 20 }).failure();
    expect(counted).toMatchObject({ code: 'STACK_EXCEEDED', details: { limit: 'callDepth', source: { name: 'deep', offset: offsetOf(bytes, 0x10, 0) } } });
    const overflown = start(bytes, { callDepth: 2 ** 30, stackBytes: 2 ** 30 }).failure();
    expect(overflown).toMatchObject({ code: 'STACK_EXCEEDED', details: { limit: 'engine', source: { name: 'deep' } } });
  });

  it('for memory is where the guest gave up, or asked for too large an object', async () => {
    const grows = await wat('(module (memory 1) (func (export "go") (if (i32.lt_s (memory.grow (i32.const 9)) (i32.const 0)) (then unreachable))))');
    expect(start(grows, { memoryBytes: 65_536 }).failure()).toMatchObject({
      code: 'MEMORY_EXCEEDED',
      details: { source: plainTrapOf(grows, 0x00, 0x0b, 0x0b) },
    });
    const array = await parse('(module (type $a (array i8)) (func (export "go") (drop (array.new_default $a (i32.const 9000000)))))');
    const error = start(array, { gcBytes: 1_000_000 }).failure();
    expect(error).toMatchObject({ code: 'MEMORY_EXCEEDED', details: { limit: 'gcBytes', source: { function: 0, offset: offsetOf(array, 0xfb, 0x07, 0) } } });
  });

  const CALLS_HOST = '(module (import "h" "f" (func $f)) (func $calls (export "go") (nop) (call $f) (nop)))';

  it('by the host is at the call of the host function that decided it', async () => {
    const bytes = await wat(CALLS_HOST);
    const source = { function: 1, name: 'calls', offset: offsetOf(bytes, 0x10, 0) };
    const reason = new GloveportError('HOST_FUNCTION_FAILED', 'no', { function: 'f' }, { cause: 'why' });
    const stopped = start(bytes, {}, ({ control }) => ({ h: { f: () => control.stop(reason) } })).failure();
    expect(stopped).toMatchObject({ code: 'HOST_FUNCTION_FAILED', details: { function: 'f', source }, cause: 'why' });
    const aborted = start(bytes, {}, (own) => ({ h: { f: () => own.abort(new GloveportError('ABORTED', 'enough')) } })).failure();
    expect(aborted).toMatchObject({ code: 'ABORTED', details: { source } });
    expect(Object.hasOwn(aborted, 'cause')).toBe(false);
    const threw = start(bytes, {}, { h: { f: deep(30, () => Reflect.apply(() => null as never, undefined, [null]).field) } }).failure();
    expect(threw).toMatchObject({ code: 'GUEST_TRAPPED', details: { source } });
    const charged = start(bytes, { fuel: 5_000 }, ({ control }) => ({ h: { f: deep(30, () => control.charge(1_000_000)) } })).failure();
    expect(charged).toMatchObject({ code: 'FUEL_EXHAUSTED', details: { source } });
  });

  it('passes handlers and still is where it happened', async () => {
    const bytes = await wat('(module (func (export "go") (try (do (call $spin)) (catch_all))) (func $spin (try (do (loop (br 0))) (catch_all))))');
    const error = start(bytes, { fuel: 100_000 }).failure();
    expect(error).toMatchObject({ code: 'FUEL_EXHAUSTED', details: { source: { function: 1, name: 'spin', offset: offsetOf(bytes, 0x03, 0x40) } } });
  });

  it('has no place when no code of the guest runs, or when it is the wish of guest or host', async () => {
    const bytes = await wat(CALLS_HOST);
    const idle = start(bytes, {}, { h: { f: () => undefined } });
    idle.meter.abort(new GloveportError('ABORTED', 'enough'));
    expect(idle.meter.stopped?.details).toEqual({});
    const exits = start(bytes, {}, ({ control }) => ({ h: { f: () => control.stop(new GloveportError('GUEST_EXITED', 'bye', { exitCode: 3 })) } }));
    expect(exits.failure().details).toEqual({ exitCode: 3 });
  });

  it("is never in another guest's code", async () => {
    const bytes = await wat(CALLS_HOST);
    const other = meter(await wat('(module (import "h" "g" (func $g)) (func $other (export "go") (call $g)))'), { name: 'other' });
    const error = start(bytes, {}, (own) => {
      const inner = new Meter(resolveLimits({}));
      const abort = () => own.abort(new GloveportError('ABORTED', 'enough'));
      const made = inner.run(() => inner.instantiate(new WebAssembly.Module(other.bytes as BufferSource), other.descriptor, { h: { g: abort } }));
      return { h: { f: () => inner.run(made.go as () => void) } };
    }).failure();
    expect(error.details.source).toMatchObject({ function: 1, name: 'calls' });
  });

  function plainTrapOf(bytes: Uint8Array, ...code: number[]): { function: number; offset: number } {
    return { function: 0, offset: offsetOf(bytes, ...code) };
  }
});

describe('several modules of one guest', () => {
  async function pair(names: readonly [string?, string?]): Promise<GloveportError> {
    const inner = await wat('(module (func $low (export "f") unreachable))');
    const outer = await wat('(module (import "inner" "f" (func $f)) (func $high (export "go") (call $f)))');
    const guest = new Meter(resolveLimits({}));
    const make = (bytes: Uint8Array, name: string | undefined, imports: CoreImports) => {
      const metered = meter(bytes, name === undefined ? {} : { name });
      return guest.run(() => guest.instantiate(new WebAssembly.Module(metered.bytes as BufferSource), metered.descriptor, imports));
    };
    const low = make(inner, names[0], {});
    const high = make(outer, names[1], { inner: low as CoreImports[string] });
    return failureOf(() => guest.run(high.go as () => void));
  }

  it('are told apart by their names', async () => {
    const error = await pair(['low-level', 'high-level']);
    expect(error.details.source).toEqual({ module: 'low-level', function: 0, name: 'low', offset: expect.any(Number) });
    expect(error.message).toMatch(/ \(in function 0 "low" of low-level at offset 0x[0-9a-f]+\)$/);
  });

  it('that have the same name are not guessed at', async () => {
    expect((await pair([])).details).toEqual({ trap: 'unreachable' });
    expect((await pair(['same', 'same'])).details).toEqual({ trap: 'unreachable' });
  });
});

describe('names of functions', () => {
  /** The same module with the name section that these bytes are. */
  async function named(section: readonly number[]): Promise<Uint8Array> {
    const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 6, 1, 2, 0x67, 0x6f, 0, 0, 10, 5, 1, 3, 0, 0, 0x0b];
    return Uint8Array.from(bytes.concat(0, leb(section.length + 5), 4, 0x6e, 0x61, 0x6d, 0x65, section));
  }

  const leb = (value: number): number[] => [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, ((value >> 14) & 0x7f) | 0x80, value >> 21];
  const naming = (name: Uint8Array): number[] => [1, ...leb(name.length + 6), 1, 0, ...leb(name.length), ...name];
  const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

  it.each([
    ['control characters', '\u001b]0;forged\u0007', '\\u{1b}]0;forged\\u{7}'],
    ['lines', 'x\n    at evil (/etc/passwd:1:1)', 'x\\u{a}    at evil (/etc/passwd:1:1)'],
    ['directions', '\u202egnirts', '\\u{202e}gnirts'],
    ['length', 'y'.repeat(90_000), `${'y'.repeat(200)}… (90000 characters)`],
  ])('are escaped and cut: %s', async (_what, name, shown) => {
    const error = start(await named(naming(utf8(name)))).failure();
    expect(error.details.source).toMatchObject({ function: 0, name: shown });
    expect(error.message).toBe(`the guest trapped: unreachable (in function 0 "${shown}" at offset 0x1f)`);
    expect(error.stack?.split('\n')[0]).toContain(error.message);
    expect(error.stack).not.toContain('\n    at evil');
  });

  it.each([
    ['too long', naming(new Uint8Array(1_000_000).fill(0x61))],
    ['no UTF-8', naming(Uint8Array.of(0xff, 0xfe))],
    ['of another function', [1, 4, 1, 5, 1, 0x61]],
    ['cut', [1, 4, 1, 0, 9, 0x61]],
    ['behind nonsense', [9, 9, 9]],
  ])('are left out when they are %s', async (_what, section) => {
    expect(start(await named(section)).failure().details.source).toEqual({ function: 0, offset: 0x1f });
  });

  it('are kept up to a bound', async () => {
    const long = new Uint8Array(100_000).fill(0x61);
    const entries = Array.from({ length: 60 }, (_, index) => [index, ...leb(long.length), ...long]).flat();
    const { trace } = meter(await named([1, ...leb(entries.length + 1), 60, ...entries])).descriptor;
    expect(trace.names.byteLength).toBe(4 * 1024 * 1024);
    expect(trace.names.buffer.byteLength).toBe(trace.names.byteLength);
    expect(functionName(trace.names, 40)).toHaveLength(100_000);
    expect(functionName(trace.names, 41)).toBeUndefined();
  });
});

describe('whatever the host has done to errors', () => {
  const { stackTraceLimit } = Error;
  const spins = (): Promise<Uint8Array> => wat('(module (func $spin (export "go") (loop (br 0))) (func $trap (export "trap") unreachable))');

  afterEach(() => {
    Error.stackTraceLimit = stackTraceLimit;
    vi.restoreAllMocks();
  });

  it('a stop has its place with traces cut short, and leaves that as it was', async () => {
    const bytes = await spins();
    Error.stackTraceLimit = 0;
    expect(start(bytes, { fuel: 1_000 }).failure().details.source).toMatchObject({ name: 'spin' });
    expect(start(bytes).failure('trap').details).toEqual({ trap: 'unreachable' });
    expect(Error.stackTraceLimit).toBe(0);
  });

  it.each([
    ['no text', () => ({})],
    ['nonsense', () => 'wasm://wasm/gloveport-0:wasm-function[x]:0x\n'.repeat(100_000)],
    [
      'an exception',
      () => {
        throw new Error('from prepareStackTrace');
      },
    ],
  ])('traces that are %s say nothing', async (_what, prepare) => {
    const before = Error.prepareStackTrace;
    const bytes = await spins();
    try {
      Error.prepareStackTrace = prepare;
      const error = start(bytes, { fuel: 1_000 }).failure();
      expect(error.code).toBe('FUEL_EXHAUSTED');
      expect(error.details.source).toBeUndefined();
      expect(start(bytes).failure('trap').code).toBe('GUEST_TRAPPED');
      expect(stackHere).not.toThrow();
    } finally {
      Error.prepareStackTrace = before;
    }
  });
});

/** `work`, below that many frames of the host. */
function deep(frames: number, work: () => unknown): () => unknown {
  return frames === 0 ? work : () => deep(frames - 1, work)();
}
