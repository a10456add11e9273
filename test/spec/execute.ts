// Runs the commands of a script on one engine and says of each whether it held. What is seen on the way beyond that (which trap it was) is kept too, so
// that two engines can be compared by it.
import { GloveportError } from '../../src/errors.ts';
import { callBridged, needsBridge, readGlobal } from './bridge.ts';
import type { Definition, Engine, Exports } from './engines.ts';
import { matchesReference, toHost } from './references.ts';
import type { Action, Command, ModuleSource } from './script.ts';
import { spectest } from './spectest.ts';
import { bytesOf, type Expected, hex, matchesBytes, type NumberType, type NumberValue, readBits, type Value } from './values.ts';

export interface Outcome {
  readonly passed: boolean;
  /** Passed: what was seen, the same on every engine. Otherwise: why not. */
  readonly detail: string;
}

/** The outcome of each command, in order. */
export function execute(commands: readonly Command[], engine: Engine): readonly Outcome[] {
  const run = new Run(engine);
  return commands.map((command) => {
    try {
      return { passed: true, detail: run.command(command) };
    } catch (error) {
      return { passed: false, detail: error instanceof Failed ? error.message : describe(error) };
    }
  });
}

/** An assertion that does not hold, or a command that cannot be run. */
class Failed extends Error {}

/** A name that should stand for a module, and why it does not. */
interface Broken {
  readonly broken: string;
}

class Run {
  readonly #engine: Engine;
  readonly #instances = new Map<string | undefined, Exports | Broken>();
  readonly #definitions = new Map<string | undefined, Definition | Broken>();
  readonly #registered: Record<string, Exports> = Object.create(null);
  readonly #unregistered = new Map<string, Broken>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#registered.spectest = spectest(engine);
  }

  command(command: Command): string {
    switch (command.kind) {
      case 'module':
        return this.#keep(this.#instances, command.source.name, () => this.#instantiate(this.#compile(command.source)));
      case 'definition':
        return this.#keep(this.#definitions, command.source.name, () => this.#compile(command.source));
      case 'instance':
        return this.#keep(this.#instances, command.name, () => this.#instantiate(found(this.#definitions, command.definition)));
      case 'register':
        return this.#register(command.as, command.module);
      case 'action':
        this.#evaluate(command.action, undefined);
        return '';
      case 'assert_return':
        return this.#assertReturn(command.action, command.expected);
      case 'assert_invalid':
      case 'assert_malformed':
        return this.#assertRefused(command.source);
      case 'assert_unlinkable':
        return expectFailure('link', () => this.#instantiate(this.#compile(command.source)));
      case 'assert_uninstantiable':
        return expectFailure('trap', () => this.#instantiate(this.#compile(command.source)));
      case 'assert_trap':
      case 'assert_exhaustion':
      case 'assert_exception':
        return expectFailure(FAILURE_OF[command.kind], () => this.#evaluate(command.action, undefined));
      case 'unsupported':
        throw new Failed(command.what);
    }
  }

  // The name, and the last one of its kind, stand for what `make` gives, or for its failure.
  #keep<Kept extends Exports | Definition>(place: Map<string | undefined, Kept | Broken>, name: string | undefined, make: () => Kept): string {
    let kept: Kept | Broken;
    try {
      kept = make();
    } catch (error) {
      kept = { broken: error instanceof Failed ? error.message : describe(error) };
    }
    place.set(undefined, kept);
    if (name !== undefined) place.set(name, kept);
    if (isBroken(kept)) throw new Failed(kept.broken);
    return '';
  }

  #register(as: string, module: string | undefined): string {
    delete this.#registered[as];
    this.#unregistered.delete(as);
    const instance = this.#instances.get(module) ?? { broken: `there is no module ${module}` };
    if (!isBroken(instance)) this.#registered[as] = instance;
    else this.#unregistered.set(as, instance);
    found(this.#instances, module);
    return '';
  }

  #compile({ assembled }: ModuleSource): Definition {
    if ('malformed' in assembled) throw new Failed(`not assembled: ${assembled.malformed}`);
    return this.#engine.compile(assembled.bytes);
  }

  #instantiate(definition: Definition): Exports {
    for (const { module } of WebAssembly.Module.imports(definition.module)) {
      const missing = this.#unregistered.get(module);
      if (missing !== undefined) throw new Failed(`its import failed: ${missing.broken}`);
    }
    return this.#engine.run(() => this.#engine.instantiate(definition, this.#registered as Record<string, Record<string, unknown>>));
  }

  #assertRefused({ assembled }: ModuleSource): string {
    if ('malformed' in assembled) return '';
    try {
      this.#engine.compile(assembled.bytes);
    } catch (error) {
      if (error instanceof WebAssembly.CompileError || error instanceof GloveportError) return '';
      throw error;
    }
    throw new Failed('the module was accepted');
  }

  #assertReturn(action: Action, expected: readonly Expected[]): string {
    const actual = this.#evaluate(action, expected);
    if (actual.length !== expected.length) throw new Failed(`${actual.length} results instead of ${expected.length}`);
    for (const [index, choices] of expected.entries()) {
      if (!choices.some((value) => matches(value, actual[index]))) throw new Failed(`result ${index} is ${show(actual[index])}`);
    }
    return '';
  }

  // Numbers come as their bytes where they were read exactly, everything else as the JavaScript API has it.
  #evaluate({ kind, module, field, args }: Action, expected: readonly Expected[] | undefined): readonly unknown[] {
    const target = found(this.#instances, module)[field];
    const types = expected?.map(([first]) => (first?.kind === 'number' ? first.type : undefined));
    if (kind === 'get') {
      if (!(target instanceof WebAssembly.Global)) throw new Failed(`there is no global '${field}'`);
      const bytes = types?.[0] && readGlobal(target, types[0]);
      return [bytes ?? target.value];
    }
    if (typeof target !== 'function') throw new Failed(`there is no function '${field}'`);
    return this.#bridged(target, args, types) ?? this.#direct(target, args);
  }

  #bridged(target: CallableFunction, args: readonly Value[], types: readonly (NumberType | undefined)[] | undefined): readonly Uint8Array[] | undefined {
    const numbers = args.filter((value) => value.kind === 'number');
    if (numbers.length < args.length) return undefined;
    for (const results of possibleResults(numbers, types)) {
      const exact = callBridged(target, numbers, results, (run) => this.#engine.run(run));
      if (exact !== undefined) return exact;
    }
    return undefined;
  }

  #direct(target: CallableFunction, args: readonly Value[]): readonly unknown[] {
    const values = args.map((value) => (value.kind === 'number' ? toNumber(value) : toHost(value)));
    const result: unknown = this.#engine.run(() => target(...values));
    if (result === undefined) return [];
    return Array.isArray(result) ? result : [result];
  }
}

const FAILURE_OF = { assert_trap: 'trap', assert_exhaustion: 'exhaustion', assert_exception: 'exception' } as const;

// A call that is to fail says nothing of its results. The bridge is needed then for vectors only: what functions with vectors give back is tried in turn.
function possibleResults(args: readonly NumberValue[], types: readonly (NumberType | undefined)[] | undefined): readonly (readonly NumberType[])[] {
  if (types === undefined) return args.some(({ type }) => type === 'v128') ? [['v128'], [], ['i32'], ['i64'], ['f32'], ['f64']] : [['v128']];
  const results = types.filter((type) => type !== undefined);
  return results.length === types.length && needsBridge([...args.map(({ type }) => type), ...results]) ? [results] : [];
}

function found<Kept extends Exports | Definition>(place: Map<string | undefined, Kept | Broken>, name: string | undefined): Kept {
  const kept = place.get(name) ?? { broken: `there is no module ${name ?? ''}` };
  if (isBroken(kept)) throw new Failed(`its module failed: ${kept.broken}`);
  return kept;
}

function isBroken(kept: object): kept is Broken {
  return Object.hasOwn(kept, 'broken') && typeof (kept as Broken).broken === 'string';
}

function expectFailure(expected: Failure, work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Failed) throw error;
    const failure = failureOf(error);
    if (failure !== expected) throw new Failed(`${expected} expected: ${describe(error)}`);
    return failure === 'trap' ? (error as Error).message : '';
  }
  throw new Failed(`${expected} expected, but nothing failed`);
}

type Failure = 'trap' | 'exhaustion' | 'exception' | 'link' | 'other';

function failureOf(error: unknown): Failure {
  if (error instanceof WebAssembly.RuntimeError) return 'trap';
  if (error instanceof WebAssembly.Exception) return 'exception';
  if (error instanceof WebAssembly.LinkError) return 'link';
  if (error instanceof RangeError && /call stack/.test(error.message)) return 'exhaustion';
  // What the engine says of imports from a module that is not there.
  if (error instanceof TypeError && /WebAssembly\.Instance\(\): Import/.test(error.message)) return 'link';
  if (error instanceof GloveportError && error.code === 'LINK_FAILED') return 'link';
  if (error instanceof GloveportError && error.code === 'STACK_EXCEEDED') return 'exhaustion';
  return 'other';
}

function describe(error: unknown): string {
  if (error instanceof GloveportError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function matches(expected: Value, actual: unknown): boolean {
  if (expected.kind === 'reference') return !(actual instanceof Uint8Array) && matchesReference(expected, actual);
  const bytes = actual instanceof Uint8Array ? actual : toBytes(expected.type, actual);
  return bytes !== undefined && matchesBytes(expected, bytes);
}

function toNumber(value: NumberValue): number | bigint {
  const bytes = bytesOf(value);
  const view = new DataView(bytes.buffer);
  switch (value.type) {
    case 'i32':
      return view.getInt32(0, true);
    case 'i64':
      return readBits(bytes, 0, 8);
    case 'f32':
      return view.getFloat32(0, true);
    case 'f64':
      return view.getFloat64(0, true);
    case 'v128':
      throw new Failed('a vector cannot be passed to a function of this type');
  }
}

// A number of JavaScript as the bytes of the type that it should be, undefined when it is none.
function toBytes(type: NumberType, actual: unknown): Uint8Array | undefined {
  const view = new DataView(new ArrayBuffer(type === 'i32' || type === 'f32' ? 4 : 8));
  if (type === 'i64') {
    if (typeof actual !== 'bigint') return undefined;
    view.setBigInt64(0, actual, true);
  } else {
    if (typeof actual !== 'number') return undefined;
    if (type === 'i32') view.setInt32(0, actual, true);
    else if (type === 'f32') view.setFloat32(0, actual, true);
    else view.setFloat64(0, actual, true);
  }
  return new Uint8Array(view.buffer);
}

function show(actual: unknown): string {
  if (actual instanceof Uint8Array) return hex(actual);
  return typeof actual === 'object' && actual !== null ? 'an object' : String(actual);
}
