// Components through the public surface: names, values, errors, host functions, and resources as classes under the guest's limits.
import { beforeAll, describe, expect, it } from 'vitest';
import { ComponentError, compile, GloveportError, type Guest, type Module, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { component, kitchen } from '../component/support.ts';

interface Counter extends Disposable {
  next(): Promise<number>;
  constructor: new (start: number) => Counter;
}
interface CounterClass {
  new (start: number): Counter;
  getTotal(): Promise<number>;
}

const lines: string[] = [];
const host = {
  log: (line: string) => void lines.push(line),
  lookup: (key: string) => (key === 'k' ? 'v' : undefined),
  parse(text: string) {
    if (/^\d+$/.test(text)) return Number(text);
    throw new ComponentError(`'${text}' is no number`);
  },
  shapes: () => [],
  Box: class {},
  swap: (box: unknown) => box,
  peek: () => 0,
};

describe('a component', () => {
  let module: Module;
  beforeAll(async () => {
    module = await compile(await kitchen());
  });
  const load = (options: SandboxOptions = {}): Promise<Guest> => new Sandbox({ imports: { 'demo:kitchen/host': host }, ...options }).load(module);
  const counters = (guest: Guest): CounterClass => (guest.exports['demo:kitchen/api'] as { Counter: CounterClass }).Counter;

  it('answers to names with and without version, in WIT and camelCase, and as an object', async () => {
    const guest = await load();
    const point = { x: 1, y: 2, label: undefined };
    for (const name of ['demo:kitchen/api#echo-point', 'demo:kitchen/api#echoPoint', 'demo:kitchen/api@0.1.0#echo-point']) {
      expect(await guest.call(name, point)).toEqual({ x: 1, y: 2 });
    }
    for (const name of ['demo:kitchen/api', 'demo:kitchen/api@0.1.0']) {
      const api = guest.exports[name] as { echoPoint(value: object): Promise<object> };
      expect(await api.echoPoint(point)).toEqual({ x: 1, y: 2 });
    }
    for (const name of ['demo:kitchen/api#nothing', 'demo:other/api#echo-point', 'demo:kitchen/api@9.0.0#echo-point', 'echo-point']) {
      await expect(guest.call(name, point)).rejects.toMatchObject({ code: 'FUNCTION_NOT_FOUND' });
    }
  });

  it('lets go of its resources with the guest: what is left of them says so', async () => {
    const guest = await load();
    const Counter = counters(guest);
    const counter = new Counter(1) as Counter & { next(): Promise<number> };
    expect(counter).toBeInstanceOf(Counter);
    guest.dispose();
    await expect(counter.next()).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(() => new Counter(1)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    expect(() => (Counter as unknown as () => unknown)()).toThrow(TypeError);
  });

  it("rejects with the payload of a result's error and goes on", async () => {
    const guest = await load();
    const failure = await guest.call('demo:kitchen/api#fail', 'x').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ComponentError);
    expect(failure).not.toBeInstanceOf(GloveportError);
    expect(guest.state).toBe('ready');
    expect(await guest.call('process', 4)).toBeTypeOf('number');
  });

  it("gives a host function's ComponentError to the guest, and stops it for any other error", async () => {
    const guest = await load();
    expect(await guest.call('demo:kitchen/api#call-host', '12')).toBe(12);
    await expect(guest.call('demo:kitchen/api#call-host', 'twelve')).rejects.toMatchObject({ payload: "'twelve' is no number" });
    const cause = new TypeError('/secret/path');
    const log = (): never => {
      throw cause;
    };
    const failing = await load({ imports: { 'demo:kitchen/host@0.1.0': { ...host, log } } });
    await expect(failing.call('demo:kitchen/api#log', 'x')).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause });
    expect(failing.state).toBe('poisoned');
  });

  it("takes an error of a host's resource for the host's, with its cause", async () => {
    const cause = new Error('/secret/host');
    class Box {
      get(): number {
        throw cause;
      }
      static make(): Box {
        return new Box();
      }
    }
    const guest = await load({ imports: { 'demo:kitchen/host': { ...host, Box } } });
    await expect(guest.call('demo:kitchen/api#boxes', 5)).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED', cause });
    class LateBox extends Box {
      override get(): never {
        return Promise.resolve(5) as never;
      }
      static override make(): Box {
        return new LateBox();
      }
    }
    const late = await load({ imports: { 'demo:kitchen/host': { ...host, Box: LateBox } } });
    await expect(late.call('demo:kitchen/api#boxes', 5)).rejects.toMatchObject({ code: 'HOST_FUNCTION_FAILED' });
  });

  it('is refused when host functions are missing, each by name', async () => {
    const { swap: _, ...others } = host;
    await expect(load({ imports: {} })).rejects.toMatchObject({ code: 'LINK_FAILED' });
    await expect(load({ imports: { 'demo:kitchen/host': others } })).rejects.toMatchObject({
      code: 'LINK_FAILED',
      details: { missing: ['demo:kitchen/host@0.1.0 swap'] },
    });
  });

  it('has classes for its resources, whose methods run under its limits', async () => {
    const guest = await load({ limits: { fuel: 200_000_000 } });
    const Class = counters(guest);
    const before = guest.usage.fuel;
    using counter = new Class(5);
    expect(counter).toBeInstanceOf(Class);
    const first = await counter.next();
    expect(await counter.next()).toBe(first + 1);
    expect(await Class.getTotal()).toBeTypeOf('number');
    expect(await guest.call('demo:kitchen/api#use-counter', counter)).toBe(first + 2);
    const given = (await guest.call('demo:kitchen/api#give-counter')) as Counter;
    expect(given).toBeInstanceOf(Class);
    expect(given.constructor).toBe(Class);
    expect(guest.usage.fuel).toBeGreaterThan(before);
    given[Symbol.dispose]();
    await expect(given.next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(Reflect.apply(counter.next, {}, [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('leaves its resources dead when it is stopped, and harmless to dispose of', async () => {
    const guest = await load({ limits: { fuel: 50_000_000 } });
    const counter = new (counters(guest))(5);
    await expect(guest.call('spin')).rejects.toMatchObject({ code: 'FUEL_EXHAUSTED' });
    await expect(counter.next()).rejects.toMatchObject({ code: 'GUEST_POISONED' });
    counter[Symbol.dispose]();
    expect(() => new (counters(guest))(5)).toThrow(GloveportError);
  });

  it('does not take resources of another guest', async () => {
    const [one, other] = [await load(), await load()];
    const foreign = new (counters(other))(5);
    await expect(one.call('demo:kitchen/api#use-counter', foreign)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('may export functions that are called then and constructor', async () => {
    const guest = await load();
    expect(await guest.call('then')).toBeTypeOf('number');
    expect(await guest.call('constructor')).toBeTypeOf('number');
  });

  it('says what it imports and exports, with types', () => {
    expect(module.kind).toBe('component');
    expect(module.imports).toContainEqual({
      module: 'demo:kitchen/host@0.1.0',
      name: 'lookup',
      kind: 'function',
      type: { params: [{ name: 'key', type: { kind: 'string' } }], result: { kind: 'option', some: { kind: 'string' } } },
    });
    expect(module.exports).toContainEqual({
      name: 'process',
      kind: 'function',
      type: { params: [{ name: 'n', type: { kind: 'u32' } }], result: { kind: 'u32' } },
    });
    expect(module.exports).toContainEqual({ name: 'demo:kitchen/api@0.1.0#counter', kind: 'resource' });
  });

  it('takes single functions of an interface of WASI from the host, and the others from WASI', async () => {
    const bytes = await component(`(component
      (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64))) (export "resolution" (func (result u64)))))
      (core func $now (canon lower (func $clock "now"))) (core func $resolution (canon lower (func $clock "resolution")))
      (core module $m (import "" "now" (func $now (result i64))) (import "" "resolution" (func $resolution (result i64)))
        (func (export "now") (result i64) (call $now)) (func (export "resolution") (result i64) (call $resolution)))
      (core instance $i (instantiate $m (with "" (instance (export "now" (func $now)) (export "resolution" (func $resolution))))))
      (func (export "now") (result u64) (canon lift (core func $i "now"))) (func (export "resolution") (result u64) (canon lift (core func $i "resolution"))))`);
    const plain = await new Sandbox().load(bytes);
    const own = await new Sandbox({ imports: { 'wasi:clocks/monotonic-clock': { now: () => 77n } } }).load(bytes);
    expect([await plain.call('now'), await own.call('now')]).toEqual([0n, 77n]);
    expect(await own.call('resolution')).toBe(await plain.call('resolution'));
  });

  it('runs with nothing granted', async () => {
    const guest = await load({ grant: 0 });
    expect(await guest.call('process', 1)).toBeTypeOf('number');
  });
});
