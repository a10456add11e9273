// What all resource classes of the WASI 0.2 interfaces have in common: each instance is a handle of its guest, counted from its making until the guest
// drops it or the host is disposed. The generated code asks for the class of what it is given, and disposes it.
import { type Closable, closeQuietly, type WasiContext } from '../context.ts';

export abstract class Resource implements Closable {
  readonly #context: WasiContext;
  readonly #release: (() => void) | undefined;
  #closed = false;

  /** Counts the handle; `release` is called once, at its end. What has to be released is opened after `context.checkHandles()`. */
  constructor(context: WasiContext, release?: () => void) {
    this.#context = context;
    this.#release = release;
    context.hold(this);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.letGo(this);
    this.#release?.();
  }

  /** The guest drops the handle, for which WASI knows no failure. */
  [Symbol.dispose](): void {
    closeQuietly(this);
  }
}

/** The class of a resource that a guest constructs by itself. Its instances are those of `Class`; `make` makes one of the guest's arguments. */
export function constructible<Instance extends Resource, Args extends unknown[], Statics extends object = object>(
  Class: { readonly prototype: Instance },
  make: (...args: Args) => Instance,
  statics?: Statics,
): (new (...args: Args) => Instance) & { readonly prototype: Instance } & Statics {
  function construct(this: unknown, ...args: Args): Instance {
    return make(...args);
  }
  construct.prototype = Class.prototype;
  return Object.assign(construct, statics) as never;
}

/** An interface as the generated code expects it, without a prototype in which names could be found. */
export function interfaceOf<Members extends Readonly<Record<string, unknown>>>(members: Members): Readonly<Members> {
  return Object.freeze(Object.assign(Object.create(null), members) as Members);
}
