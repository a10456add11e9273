// How a guest waits without blocking its thread (WebAssembly JavaScript Promise Integration): a host function that has to wait returns at once, the guest's
// stack is put aside until the wait is over, and the host function is called again. Engines without JSPI have none of this.
import type { EngineModule } from '../wasm/engine.ts';
import type { FunctionType } from '../wasm/types.ts';
import { Writer } from '../wasm/writer.ts';
import { trapError } from './trap.ts';

type Callable = (...values: unknown[]) => unknown;

// Newer than the types of some engines.
const { Suspending, promising } = WebAssembly as typeof WebAssembly & {
  Suspending?: new (host: () => Promise<void>) => object;
  promising?: (guest: Callable) => (...values: unknown[]) => Promise<unknown>;
};

/** Whether this engine can put a guest's stack aside. */
export const CAN_SUSPEND: boolean = Suspending !== undefined && promising !== undefined;

/** What a host function waits for. */
export interface Wait {
  /** Infinity: for an event only. */
  readonly milliseconds: number;
  /** Takes what ends the wait early, and gives what takes that back. */
  readonly onChange: ((wake: () => void) => () => void) | undefined;
}

/** The longest time that timers of engines take. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls under way on stacks of their own, in all of the process. Each takes two places in the kernel's table of mappings, which often has 65 530. */
export const MAX_CALLS = 8_192;
let calls = 0;

/** Whether one more call can be made: engines end the process when they have no memory for its stack. */
export function hasRoomForCall(): boolean {
  return calls < MAX_CALLS;
}

/** Puts one guest aside, one wait at a time. */
export class Suspender {
  readonly #isStopped: () => boolean;
  /** 1 from the return of a host function that has to be called again until the guest is put aside. */
  readonly #asked = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
  readonly #suspending: object;
  readonly #promising = new WeakMap<Callable, (...values: unknown[]) => Promise<unknown>>();
  #wait: Wait | undefined;
  #wake: (() => void) | undefined;

  /** @param isStopped asked at the end of each wait: a guest that was stopped meanwhile goes on only to end in a trap. */
  constructor(isStopped: () => boolean) {
    this.#isStopped = isStopped;
    this.#suspending = new (Suspending as NonNullable<typeof Suspending>)(() => this.#suspend());
  }

  /** Host functions as functions of WebAssembly, each called again for as long as it asks for a wait. Their types are {@link isRepeatable}. */
  repeat(hosts: readonly { readonly signature: FunctionType; readonly host: Callable }[]): Callable[] {
    const imports: Record<string, WebAssembly.ImportValue> = Object.create(null);
    imports.suspend = this.#suspending as WebAssembly.ImportValue;
    imports.asked = this.#asked;
    for (const [index, { host }] of hosts.entries()) imports[index] = host;
    const { exports } = new WebAssembly.Instance(repeatingModule(hosts.map(({ signature }) => signature)), { '': imports });
    return hosts.map((_, index) => exports[index] as Callable);
  }

  /** Calls `guest`, a function that a module exports, so that host functions which it calls directly may ask for waits. */
  async call(guest: Callable, values: readonly unknown[]): Promise<unknown> {
    let call = this.#promising.get(guest);
    if (call === undefined) {
      call = (promising as NonNullable<typeof promising>)(guest);
      this.#promising.set(guest, call);
    }
    calls++;
    try {
      return await call(...values);
    } finally {
      calls--;
    }
  }

  /** Keeps what a host function wants to wait for until it has returned. */
  ask(wait: Wait): void {
    this.#wait = wait;
  }

  /** Whether a host function has asked, and the guest is not put aside yet. */
  get asked(): boolean {
    return this.#wait !== undefined;
  }

  /** The host function that has asked has returned: the guest is put aside as soon as it has the control back. */
  grant(): void {
    this.#asked.value = 1;
  }

  /** Ends the wait, if there is one. */
  wake(): void {
    this.#wake?.();
  }

  #suspend(): Promise<void> {
    const { milliseconds, onChange } = this.#wait as Wait;
    this.#wait = undefined;
    this.#asked.value = 0;
    return new Promise((resolve, reject) => {
      let unsubscribe: (() => void) | undefined;
      const end = (): void => {
        if (this.#wake !== end) return;
        this.#wake = undefined;
        clearTimeout(timer);
        unsubscribe?.();
        // A guest can catch what a promise is rejected with, unless it is a trap.
        if (this.#isStopped()) reject(trapError());
        else resolve();
      };
      this.#wake = end;
      const timer = setTimeout(end, Math.min(Math.ceil(milliseconds), MAX_TIMER_MS));
      unsubscribe = onChange?.(end);
    });
  }
}

/** A host function where it is linked. */
export interface RepeatableImport {
  readonly members: Record<string, WebAssembly.ImportValue>;
  readonly name: string;
  readonly signature: FunctionType;
  readonly host: Callable;
}

/** The imports of one module that can be repeated, each once. */
export class RepeatableImports {
  readonly #byName = new Map<string, RepeatableImport | undefined>();

  /** A module may import one function many times. If it does so with several types, only a function of JavaScript can have them all. */
  add(from: string, added: RepeatableImport): void {
    if (!isRepeatable(added.signature)) return;
    const key = JSON.stringify([from, added.name]);
    const other = this.#byName.get(key);
    const isOther = this.#byName.has(key) && (other === undefined || typeText(other.signature) !== typeText(added.signature));
    this.#byName.set(key, isOther ? undefined : added);
  }

  all(): RepeatableImport[] {
    return [...this.#byName.values()].filter((one) => one !== undefined);
  }
}

function typeText({ params, results }: FunctionType): string {
  return `${params.join()}>${results.join()}`;
}

/** Parameters and results of one function together; the canonical ABI and preview 1 have fewer. */
const MAX_VALUES = 32;

/** Whether functions of this type can be repeated: they have few values, and these need no types of the guest's own. */
export function isRepeatable({ params, results }: FunctionType): boolean {
  return params.length + results.length <= MAX_VALUES && [...params, ...results].every((type) => TYPE_CODES.has(type));
}

const TYPE_CODES: ReadonlyMap<string, number> = new Map([
  ['i32', 0x7f],
  ['i64', 0x7e],
  ['f32', 0x7d],
  ['f64', 0x7c],
  ['externref', 0x6f],
]);

// Guests of one program ask for the same again and again. What is kept is small, by the length of its key, and is not kept for ever.
const modules = new Map<string, EngineModule>();
const MAX_MODULES = 256;
const MAX_KEY_LENGTH = 16_384;

function repeatingModule(signatures: readonly FunctionType[]): EngineModule {
  const key = signatures.map(typeText).join(';');
  let module = modules.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(assemble(signatures));
    if (modules.size >= MAX_MODULES) modules.clear();
    if (key.length <= MAX_KEY_LENGTH) modules.set(key, module);
  }
  return module;
}

// (module (import "" "suspend" (func)) (import "" "asked" (global (mut i32))) and for each signature, by its index:
//   (import "" "0" (func $host …)) (func (export "0") … (loop (call $host …) (local.set …) (if (global.get 0) (then (call 0) (br 1)))) (local.get …)))
function assemble(signatures: readonly FunctionType[]): Uint8Array<ArrayBuffer> {
  const count = signatures.length;
  const writer = new Writer();
  writer.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, write: (inner: Writer) => void): void => {
    writer.u8(id);
    writer.sized(write);
  };
  section(1, (types) => {
    types.u32(count + 1);
    types.append([0x60, 0, 0]);
    for (const { params, results } of signatures) {
      types.u8(0x60);
      valueTypes(types, params);
      valueTypes(types, results);
    }
  });
  section(2, (imports) => {
    imports.u32(count + 2);
    for (const [name, kind] of [
      ['suspend', [0x00, 0]],
      ['asked', [0x03, 0x7f, 1]],
    ] as const) {
      imports.name('');
      imports.name(name);
      imports.append(kind);
    }
    for (let index = 0; index < count; index++) {
      imports.name('');
      imports.name(String(index));
      imports.u8(0x00);
      imports.u32(index + 1);
    }
  });
  section(3, (functions) => {
    functions.u32(count);
    for (let index = 0; index < count; index++) functions.u32(index + 1);
  });
  section(7, (exports) => {
    exports.u32(count);
    for (let index = 0; index < count; index++) {
      exports.name(String(index));
      exports.u8(0x00);
      exports.u32(count + 1 + index);
    }
  });
  section(10, (bodies) => {
    bodies.u32(count);
    for (const [index, signature] of signatures.entries()) bodies.sized((body) => repeatingBody(body, index + 1, signature));
  });
  return new Uint8Array(writer.view());
}

function repeatingBody(body: Writer, host: number, { params, results }: FunctionType): void {
  body.u32(results.length);
  for (const type of results) {
    body.u32(1);
    body.u8(TYPE_CODES.get(type) as number);
  }
  body.append([0x03, 0x40]);
  for (let index = 0; index < params.length; index++) local(body, 0x20, index);
  body.u8(0x10);
  body.u32(host);
  for (let index = results.length - 1; index >= 0; index--) local(body, 0x21, params.length + index);
  body.append([0x23, 0, 0x04, 0x40, 0x10, 0, 0x0c, 1, 0x0b, 0x0b]);
  for (let index = 0; index < results.length; index++) local(body, 0x20, params.length + index);
  body.u8(0x0b);
}

function local(body: Writer, operator: number, index: number): void {
  body.u8(operator);
  body.u32(index);
}

function valueTypes(writer: Writer, types: FunctionType['params']): void {
  writer.u32(types.length);
  for (const type of types) writer.u8(TYPE_CODES.get(type) as number);
}
