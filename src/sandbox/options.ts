// What a caller may say of a sandbox, checked once and turned into a policy that nothing can change any more.
import { types } from 'node:util';
import { Cap, parseCapabilities } from '../capabilities.ts';
import { checkFields, describeValue, GloveportError, printable } from '../errors.ts';
import { type Limits, type LimitsInput, resolveLimits } from '../limits.ts';
import { nanosecondsOf, type Time } from '../wasi/clocks.ts';
import type { AccessObserver } from '../wasi/context.ts';
import { checkDenyPaths } from '../wasi/filesystem/denied.ts';
import { guestPath, isMount, type Mount } from '../wasi/filesystem/mount.ts';
import type { HostFunctions } from '../wasi/imports.ts';
import { type NetworkOptions, type NetworkPolicy, resolveNetwork } from '../wasi/network/policy.ts';
import { isTimezone } from '../wasi/timezone.ts';
import { type InputStreamOption, isInputStream } from './input.ts';
import { isOutputOption, type OutputOption } from './output.ts';

/** In which kind of place guests run. */
export type IsolationKind = 'inline' | 'worker' | 'process';

/** What a guest may touch and use; everything that is left out has the default named with it. */
export interface SandboxOptions {
  /** Capabilities: flags of {@link Cap}, or names such as `'fs-read'`. Default `Cap.CONSOLE`. */
  readonly grant?: number | string | readonly string[] | undefined;
  /** A preset's name, or some fields, the others being the default preset's. Default `'default'`. */
  readonly limits?: LimitsInput | undefined;
  /** Guest path → directory or single file. Read only with FS_READ, changed only with FS_WRITE, not there without both. Default none. */
  readonly mounts?: Readonly<Record<string, Mount>> | undefined;
  /**
   * Guest paths that are denied with all that is below them, whatever the mounts say. `*` stands for any text within a name, `?` for one character, the
   * name `**` for any number of names. Case, and how a character is composed, make no difference. Default none.
   */
  readonly denyPaths?: readonly string[] | undefined;
  /** Environment variables, seen with ENV. Nothing is taken from the process. Default none. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Arguments, the program's name first. Default `['guest']`. */
  readonly args?: readonly string[] | undefined;
  /** The working directory that the guest is told of: an absolute guest path, mounted or not. Default none. */
  readonly cwd?: string | undefined;
  /**
   * Standard input, read with CONSOLE: all of it, or a stream of bytes or text, which is read as the guest asks for more. A stream feeds one guest only (for a
   * second one, {@link Sandbox.load} fails with INVALID_STATE) and is cancelled or destroyed with it, once anything was read; `process.stdin` is left open. A
   * chunk counts for `hostBytes` until it is used up. Default empty.
   */
  readonly stdin?: string | Uint8Array | InputStreamOption | undefined;
  /**
   * Standard output, written with CONSOLE. For a stream that is busy 64 KiB are kept, and as many are on their way; then the guest waits. Each stream takes
   * 128 KiB of `hostBytes`. One that has failed, is closed, or is locked by somebody else is a broken pipe to the guest. Default `'capture'`.
   */
  readonly stdout?: OutputOption | undefined;
  /** Standard error, in the same ways. Default `'capture'`. */
  readonly stderr?: OutputOption | undefined;
  /** The clocks, read with TIME. Default the system's, in UTC. */
  readonly clock?: ClockOption | undefined;
  /**
   * Has all random numbers, those that should be secure too, follow from a seed: the same for each guest and on every machine. They are the key stream of
   * AES-256 in counter mode, its key the SHA-256 of the seed as text. Not for guests that make keys. Default: the system's, always different.
   */
  readonly random?: { readonly seed: number | bigint | string } | undefined;
  /**
   * Is told of the operations on what was granted, permitted or not; docs/wasi.md says which. What it throws ends the call with HOST_FUNCTION_FAILED; no Promises.
   * Called in the middle of the guest's call, and often: what it takes its time for is the guest's time. Default none.
   */
  readonly onAccess?: AccessObserver | undefined;
  /**
   * Host functions: by WIT interface name (the version may be left out) or by a core module's import module name, then by name (camelCase for WIT). A
   * function at the top level stands for a function that a world imports directly. Only own properties are looked at; `this` is undefined.
   */
  readonly imports?: HostFunctions | undefined;
  /** What may be reached, and listened on, with NETWORK. Default nothing. */
  readonly network?: NetworkOptions | undefined;
  /** Default `'inline'`, the only kind so far. */
  readonly isolation?: IsolationKind | undefined;
  /** Refuse to load a module that imports what is not granted, instead of denying it inside the guest. Default false. */
  readonly strict?: boolean | undefined;
  /**
   * A directory, made by the caller, that keeps compiled modules from run to run. Who can write there can run code in this process. Default: kept in memory only.
   */
  readonly cacheDirectory?: string | undefined;
}

/**
 * What a guest's clocks show. Times are a Date, milliseconds since 1970 as a number, or nanoseconds since 1970 as a bigint.
 *
 * With functions, they show what those give whenever they are asked. A guest that waits for a time looks about every 10 milliseconds whether it has come; if it
 * never does, the wait ends at the deadline.
 *
 * With a time for `now`, both clocks are made up and the same on every machine: the wall clock starts there, the monotonic clock at 0, each reading moves both
 * on by `step`, and a wait for a time does not take any: where nothing else is ready, the clocks are moved on to it.
 */
export interface ClockOption {
  /** The wall clock. Default the system's. */
  readonly now?: Time | (() => Time) | undefined;
  /** The monotonic clock, whose beginning is arbitrary; not with a time for `now`. It never goes back, even if the function does. Default the system's. */
  readonly monotonic?: (() => Time) | undefined;
  /** Milliseconds as a number or nanoseconds as a bigint; only with a time for `now`. Default 0. */
  readonly step?: number | bigint | undefined;
  /** The zone that `wasi:clocks/timezone` tells of, by its name in the IANA database. Default UTC. */
  readonly timezone?: string | undefined;
}

/** A {@link SandboxOptions} with everything said and checked. */
export interface Policy {
  readonly grants: number;
  readonly limits: Limits;
  readonly mounts: Readonly<Record<string, Mount>>;
  readonly denyPaths: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly stdin: Uint8Array | InputStreamOption;
  readonly stdout: OutputOption;
  readonly stderr: OutputOption;
  readonly clock: ClockOption | undefined;
  readonly random: { readonly seed: string } | undefined;
  readonly onAccess: AccessObserver | undefined;
  readonly imports: HostFunctions;
  readonly network: NetworkPolicy;
  readonly isolation: IsolationKind;
  readonly strict: boolean;
  readonly cacheDirectory: string | undefined;
}

/** @throws GloveportError INVALID_OPTION naming the option, what was found and what is expected; UNSUPPORTED_FEATURE for what is not built yet. */
export function resolveOptions(options: SandboxOptions): Policy {
  checkFields('options', options, optionNames);
  const policy = Object.fromEntries(Object.entries(RESOLVE).map(([name, resolve]) => [name, resolve(own(options, name) as never)]));
  const { grant, ...others } = policy;
  return Object.freeze({ ...others, grants: grant } as unknown as Policy);
}

/** An option that was really given: what somebody put on Object.prototype is none. */
export function own(options: object, name: string): unknown {
  return Object.hasOwn(options, name) ? (options as Record<string, unknown>)[name] : undefined;
}

const RESOLVE = {
  grant: (value: SandboxOptions['grant']) => (value === undefined ? Cap.CONSOLE : parseCapabilities(value)),
  limits: (value: LimitsInput | undefined) => resolveLimits(value),
  mounts: (value: unknown) => record('mounts', value, (mount, name) => checkMount(mount as Mount, name)),
  denyPaths: (value: unknown) => checkDenyPaths(list('denyPaths', value, [])),
  env: (value: unknown) => record('env', value, (text, name) => checkVariable(text as string, name)),
  args: (value: unknown) => list('args', value, ['guest']).map((text, index) => withoutNul(`args[${index}]`, text)),
  cwd: (value: unknown) => (value === undefined ? undefined : guestPath(value as string, 'cwd')),
  stdin: (value: unknown) => checkStdin(value),
  stdout: (value: unknown) => checkOutput('stdout', value),
  stderr: (value: unknown) => checkOutput('stderr', value),
  clock: (value: unknown) => checkClock(value),
  random: (value: unknown) => checkRandom(value),
  onAccess: (value: unknown) => checkObserver(value),
  imports: (value: unknown) => record('imports', value, checkHostFunctions),
  network: (value: unknown) => resolveNetwork(value),
  isolation: (value: unknown) => checkIsolation(value),
  strict: (value: unknown) => optional('strict', 'boolean', value) ?? false,
  cacheDirectory: (value: unknown) => optional('cacheDirectory', 'string', value),
};

/** The names of all options. */
export const optionNames: readonly string[] = Object.freeze(Object.keys(RESOLVE));

function checkMount(mount: Mount, path: string): Mount {
  guestPath(path, 'mounts');
  if (!isMount(mount)) throw invalid(`mounts['${printable(path, 80)}']`, 'a mount, made by memoryDirectory(), hostDirectory() and the like', mount);
  return mount;
}

function checkVariable(value: string, name: string): string {
  if (name === '' || /[=\0]/.test(name)) throw invalid('env', "variables' names without = and NUL", name);
  return withoutNul(`env.${printable(name, 80)}`, value);
}

function checkStdin(value: unknown): Uint8Array | InputStreamOption {
  if (value === undefined) return new Uint8Array();
  if (typeof value === 'string') return new TextEncoder().encode(value);
  if (types.isUint8Array(value)) return new Uint8Array(value);
  if (isInputStream(value)) return value;
  throw invalid('stdin', 'a string, a Uint8Array, or a stream of them', value);
}

function checkOutput(option: string, value: unknown): OutputOption {
  if (value === undefined) return 'capture';
  if (isOutputOption(value)) return value;
  throw invalid(option, "'capture', 'inherit', 'ignore', a function or a stream", value);
}

function checkClock(value: unknown): ClockOption | undefined {
  if (value === undefined) return undefined;
  checkFields('clock', value, ['now', 'monotonic', 'step', 'timezone']);
  const [now, monotonic, step, timezone] = ['now', 'monotonic', 'step', 'timezone'].map((field) => own(value as object, field));
  if (timezone !== undefined && !isTimezone(timezone)) throw invalid('clock.timezone', 'a name of the IANA database such as Europe/Berlin', timezone);
  if (now === undefined || typeof now === 'function') {
    if (step !== undefined) throw conflicting('clock.step', 'moves made-up time: it needs a time for clock.now');
    if (monotonic !== undefined && typeof monotonic !== 'function') throw invalid('clock.monotonic', 'a function', monotonic);
    return Object.freeze({ now: now as (() => Time) | undefined, monotonic: monotonic as (() => Time) | undefined, timezone });
  }
  if (monotonic !== undefined) throw conflicting('clock.monotonic', 'is made up, as clock.now is a time: leave it out');
  const start = nanosecondsOf(now);
  if (start === undefined) throw invalid('clock.now', 'a time from 1970 on (a Date, milliseconds, or a bigint of nanoseconds) or a function', now);
  const stepNs = step === undefined || typeof step === 'object' ? undefined : nanosecondsOf(step);
  if (step !== undefined && stepNs === undefined) throw invalid('clock.step', 'a number of milliseconds or a bigint of nanoseconds', step);
  return Object.freeze({ now: start, step: stepNs, timezone });
}

function checkRandom(value: unknown): { readonly seed: string } | undefined {
  if (value === undefined) return undefined;
  checkFields('random', value, ['seed']);
  const seed = own(value as object, 'seed');
  if (typeof seed !== 'string' && typeof seed !== 'bigint' && !Number.isSafeInteger(seed)) throw invalid('random.seed', 'a string or a whole number', seed);
  return Object.freeze({ seed: String(seed) });
}

function checkObserver(value: unknown): AccessObserver | undefined {
  if (value === undefined || typeof value === 'function') return value as AccessObserver | undefined;
  throw invalid('onAccess', 'a function', value);
}

function checkHostFunctions(value: unknown, name: string): unknown {
  if (typeof value === 'function') return value;
  return record(`imports['${printable(name, 80)}']`, value, (member, memberName) => {
    if (typeof member !== 'function') throw invalid(`imports['${printable(name, 80)}'].${printable(memberName, 80)}`, 'a function', member);
    return member;
  });
}

function checkIsolation(value: unknown): IsolationKind {
  if (value === undefined || value === 'inline') return 'inline';
  if (value === 'worker' || value === 'process') throw unsupportedOption('isolation', `isolation '${value}'`);
  throw invalid('isolation', "'inline', 'worker' or 'process'", value);
}

// A copy without prototype, of own properties only: names come from outside, and what is looked up by a guest's names must not find Object.prototype.
function record<Value>(option: string, value: unknown, check: (value: unknown, name: string) => Value): Readonly<Record<string, Value>> {
  const copy: Record<string, Value> = Object.create(null);
  if (value === undefined) return copy;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(option, 'an object', value);
  for (const [name, member] of Object.entries(value)) copy[name] = check(member, name);
  return Object.freeze(copy);
}

function list(option: string, value: unknown, fallback: readonly string[]): readonly string[] {
  if (value === undefined) return fallback;
  const items = Array.isArray(value) ? Array.from(value) : undefined;
  if (!items?.every((item) => typeof item === 'string')) throw invalid(option, 'an array of strings', value);
  return Object.freeze(items);
}

/** `value`, if it is of that kind or undefined. @throws GloveportError INVALID_OPTION otherwise. */
export function optional<Kind extends 'boolean' | 'string'>(
  option: string,
  kind: Kind,
  value: unknown,
): (Kind extends 'boolean' ? boolean : string) | undefined {
  if (value !== undefined && typeof value !== kind) throw invalid(option, `a ${kind}`, value);
  return value as (Kind extends 'boolean' ? boolean : string) | undefined;
}

function withoutNul(option: string, value: unknown): string {
  if (typeof value !== 'string' || value.includes('\0') || !value.isWellFormed()) throw invalid(option, 'well-formed text without NUL', value);
  return value;
}

function invalid(option: string, expected: string, value: unknown): GloveportError {
  return new GloveportError('INVALID_OPTION', `${option} has to be ${expected}, not ${describeValue(value)}`, { option });
}

function conflicting(option: string, why: string): GloveportError {
  return new GloveportError('INVALID_OPTION', `${option} ${why}`, { option });
}

function unsupportedOption(option: string, what: string): GloveportError {
  return new GloveportError('UNSUPPORTED_FEATURE', `${what} is not available in this version; leave the option '${option}' out`, { feature: what, option });
}
