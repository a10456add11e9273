// A sandbox: an immutable policy, from which guests are loaded.
import { Cap, capabilityNames, parseCapabilities } from '../capabilities.ts';
import { checkModuleBytes } from '../component/compile.ts';
import type { Program } from '../component/program.ts';
import { checkFields, describeValue, GloveportError } from '../errors.ts';
import { type Limits, type LimitsInput, resolveLimits } from '../limits.ts';
import { requiredBy } from '../wasi/imports.ts';
import { Guest } from './guest.ts';
import { startInline } from './inline.ts';
import type { StartIsolate } from './isolation.ts';
import { compile, Module, programOf, type Source } from './module.ts';
import { type IsolationKind, optional, optionNames, own, type Policy, resolveOptions, type SandboxOptions } from './options.ts';

/** What {@link Sandbox.load} takes besides the source. */
export interface LoadOptions {
  /** Aborts loading, and stops the guest afterwards. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Adds up the guest's fuel by function, for {@link Guest.profile}: it burns the same, and takes some more time. A {@link Module} has to be compiled for it, and
   * has a profile anyway when it is. Default: false.
   */
  readonly profile?: boolean | undefined;
}

const START: Readonly<Record<IsolationKind, StartIsolate | undefined>> = { inline: startInline, worker: undefined, process: undefined };

/**
 * What guests may touch and how much they may use. Immutable: {@link grant} and {@link revoke} return a new sandbox, guests that are loaded keep what
 * they were loaded with.
 */
export class Sandbox {
  readonly #policy: Policy;

  /** @throws GloveportError INVALID_OPTION, UNSUPPORTED_FEATURE. */
  constructor(options: SandboxOptions = {}) {
    this.#policy = resolveOptions(options);
  }

  /** A sandbox without any capability and with the restrictive limits; grants, and single limits, can be given otherwise. */
  static restrictive(options: SandboxOptions = {}): Sandbox {
    checkFields('options', options, optionNames);
    const given = { ...options };
    const grant = own(given, 'grant') === undefined ? Cap.NONE : given.grant;
    return new Sandbox({ ...given, grant, limits: resolveLimits(own(given, 'limits') as LimitsInput | undefined, 'restrictive') });
  }

  /** The capabilities that guests get. */
  get grants(): number {
    return this.#policy.grants;
  }

  /** The limits that hold for each guest. */
  get limits(): Limits {
    return this.#policy.limits;
  }

  /** A sandbox with `capabilities` added. */
  grant(capabilities: number | string | readonly string[]): Sandbox {
    return this.#with(this.grants | parseCapabilities(capabilities));
  }

  /** A sandbox without `capabilities`. Guests that are loaded already keep theirs; see {@link Guest.revoke}. */
  revoke(capabilities: number | string | readonly string[]): Sandbox {
    return this.#with(this.grants & ~parseCapabilities(capabilities));
  }

  /**
   * Compiles `source`, unless that was done already, and starts a guest of it: links its imports and runs its start function, within the limits of one call.
   * @throws GloveportError as {@link compile}; LINK_FAILED for imports that nothing provides; CAPABILITY_DENIED in strict mode, and without THREADING for a
   * module with shared memories or atomic waits; MEMORY_EXCEEDED and the other limits' codes; GUEST_TRAPPED; ABORTED.
   */
  async load<Exports extends object = Record<string, unknown>>(source: Source, options: LoadOptions = {}): Promise<Guest<Exports>> {
    checkFields('options', options, ['signal', 'profile']);
    const signal = signalOf(options);
    const profile = optional('profile', 'boolean', own(options, 'profile')) ?? false;
    throwIfAborted(signal);
    const { limits, cacheDirectory } = this.#policy;
    const module = source instanceof Module ? source : await compile(source, { limits, cacheDirectory, profile });
    throwIfAborted(signal);
    if (profile && !module.profile) {
      throw new GloveportError('INVALID_OPTION', 'the module was compiled without a profile; compile it with { profile: true }', { option: 'profile' });
    }
    this.#checkModule(module);
    const program = programOf(module);
    const guest = new Guest<Exports>(program, await this.#start(program), signal);
    if (signal?.aborted) guest.dispose();
    throwIfAborted(signal);
    return guest;
  }

  // The policy is made of the same option names, and what it holds is the sandbox's own copy already.
  #with(grant: number): Sandbox {
    const { grants: _, ...options } = this.#policy;
    return new Sandbox({ ...options, grant });
  }

  #start(program: Program): ReturnType<StartIsolate> {
    const start = START[this.#policy.isolation];
    if (start === undefined) throw new GloveportError('INTERNAL', `no isolation '${this.#policy.isolation}'`);
    return start(program, this.#policy);
  }

  #checkModule(module: Module): void {
    const { grants, imports, limits, strict } = this.#policy;
    checkModuleBytes(module.bytes, limits.moduleBytes);
    const { requires } = module;
    // What code does by itself cannot be denied inside the guest.
    const needed = capabilityNames(programOf(module).requires & ~grants);
    if (needed.length > 0) {
      throw new GloveportError('CAPABILITY_DENIED', `the module cannot run without what is not granted: ${needed.join(', ')}; grant it`, {
        missing: needed,
        requires,
        grants,
      });
    }
    const missing = capabilityNames(requiredBy(module.imports, imports) & ~grants);
    if (strict && missing.length > 0) {
      throw new GloveportError(
        'CAPABILITY_DENIED',
        `the module imports what is not granted: ${missing.join(', ')}; grant it, or leave strict off to deny it inside the guest`,
        { missing, requires, grants },
      );
    }
  }
}

function signalOf(options: LoadOptions): AbortSignal | undefined {
  const signal = own(options, 'signal');
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new GloveportError('INVALID_OPTION', `signal has to be an AbortSignal, not ${describeValue(signal)}`, { option: 'signal' });
  }
  return signal;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new GloveportError('ABORTED', 'loading was aborted', {}, { cause: signal.reason });
}
