// What a caller may say of a sandbox, checked once and turned into a policy that nothing can change any more.
import { Cap, parseCapabilities } from '../capabilities.ts';
import { checkFields, describeValue, GloveportError, printable } from '../errors.ts';
import { type Limits, type LimitsInput, resolveLimits } from '../limits.ts';
import { checkDenyPaths } from '../wasi/filesystem/denied.ts';
import { guestPath, isMount, type Mount } from '../wasi/filesystem/mount.ts';
import type { HostFunctions } from '../wasi/imports.ts';
import { type NetworkOptions, type NetworkPolicy, resolveNetwork } from '../wasi/network/policy.ts';

/** Where a guest's output goes: kept for the caller, to the process's own stream, nowhere, or to a function that gets each chunk. */
export type OutputOption = 'capture' | 'inherit' | 'ignore' | ((chunk: Uint8Array) => void);

/** In which kind of place guests run. */
export type IsolationKind = 'inline' | 'worker' | 'process';

/** What a guest may touch and use; everything that is left out has the default named with it. */
export interface SandboxOptions {
  /** Capabilities: flags of {@link Cap}, or names such as `'fs-read'`. Default `Cap.CONSOLE`. */
  readonly grant?: number | string | readonly string[] | undefined;
  /** A preset's name, or some fields, the others being the default preset's. Default `'default'`. */
  readonly limits?: LimitsInput | undefined;
  /** Guest path → directory or single file. Seen only with FS_READ, changed only with FS_WRITE. Default none. */
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
  /** Everything that standard input holds, read with CONSOLE. Default empty. */
  readonly stdin?: string | Uint8Array | undefined;
  /** Standard output, written with CONSOLE. Default `'capture'`. */
  readonly stdout?: OutputOption | undefined;
  /** Standard error, written with CONSOLE. Default `'capture'`. */
  readonly stderr?: OutputOption | undefined;
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

/** A {@link SandboxOptions} with everything said and checked. */
export interface Policy {
  readonly grants: number;
  readonly limits: Limits;
  readonly mounts: Readonly<Record<string, Mount>>;
  readonly denyPaths: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly stdin: Uint8Array;
  readonly stdout: OutputOption;
  readonly stderr: OutputOption;
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
  stdin: (value: unknown) => checkStdin(value),
  stdout: (value: unknown) => checkOutput('stdout', value),
  stderr: (value: unknown) => checkOutput('stderr', value),
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

function checkStdin(value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array();
  if (typeof value === 'string') return new TextEncoder().encode(value);
  if (value instanceof Uint8Array) return value.slice();
  throw invalid('stdin', 'a string or a Uint8Array', value);
}

function checkOutput(option: string, value: unknown): OutputOption {
  if (value === undefined) return 'capture';
  if (value === 'capture' || value === 'inherit' || value === 'ignore' || typeof value === 'function') return value as OutputOption;
  throw invalid(option, "'capture', 'inherit', 'ignore' or a function", value);
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
  if (!Array.isArray(value) || Array.from(value).some((item) => typeof item !== 'string')) throw invalid(option, 'an array of strings', value);
  return value;
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

function unsupportedOption(option: string, what: string): GloveportError {
  return new GloveportError('UNSUPPORTED_FEATURE', `${what} is not available in this version; leave the option '${option}' out`, { feature: what, option });
}
