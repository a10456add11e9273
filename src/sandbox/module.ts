// The public face of a compiled program: what it is, what it asks for. Shareable between sandboxes.
import { hasDangerousCapabilities } from '../capabilities.ts';
import { compileProgram } from '../component/compile.ts';
import type { Program, ProgramExport, ProgramImport } from '../component/program.ts';
import { checkFields, GloveportError } from '../errors.ts';
import { type LimitsInput, resolveLimits } from '../limits.ts';
import { requiredBy } from '../wasi/imports.ts';
import { optional, own } from './options.ts';
import { type ByteSource, readSource } from './source.ts';

export type { ProgramExport as ModuleExport, ProgramImport as ModuleImport };

/** Untrusted bytes that were inspected, limited and compiled once. Made by {@link compile}; holds no state of any guest. */
export class Module {
  readonly kind: 'core' | 'component';
  /** Bytes of the module as it was given. */
  readonly bytes: number;
  /** What it imports, with types: WIT types of a component's functions, value types of a core module's. */
  readonly imports: readonly ProgramImport[];
  readonly exports: readonly ProgramExport[];
  /** The capabilities that its imports imply, and THREADING when it has shared memories or waits for other threads. */
  readonly requires: number;
  /** Whether `requires` holds a dangerous one. */
  readonly dangerous: boolean;
  /** Whether its guests add up their fuel by function: see {@link Guest.profile}. */
  readonly profile: boolean;

  /** @internal */
  constructor(program: Program, profile: boolean) {
    this.kind = program.kind;
    this.bytes = program.bytes;
    this.imports = program.imports;
    this.exports = program.exports;
    this.requires = program.requires | requiredBy(program.imports);
    this.dangerous = hasDangerousCapabilities(this.requires);
    this.profile = profile;
    PROGRAMS.set(this, program);
    Object.freeze(this);
  }
}

// Kept aside: a program can be instantiated under any policy, a module only under a sandbox's.
const PROGRAMS = new WeakMap<Module, Program>();

export function programOf(module: Module): Program {
  const program = PROGRAMS.get(module);
  if (program === undefined) throw new GloveportError('INVALID_OPTION', 'a module is made by compile()', { option: 'source' });
  return program;
}

/** Bytes, a file's path or `file:` URL, or a module that is compiled already. */
export type Source = ByteSource | Module;

/** What {@link compile} takes besides the source. */
export interface CompileOptions {
  /** Only `moduleBytes` matters here; the other limits hold when a guest is made. */
  readonly limits?: LimitsInput | undefined;
  /** See {@link SandboxOptions.cacheDirectory}. */
  readonly cacheDirectory?: string | undefined;
  /** Compiles it for guests with a {@link Guest.profile}, which costs them some time, but no fuel. Default: false. */
  readonly profile?: boolean | undefined;
}

/**
 * Inspects and compiles a core module or component.
 * @throws GloveportError INVALID_MODULE, UNSUPPORTED_FEATURE, MODULE_TOO_LARGE, FILE_NOT_FOUND, IO_FAILED, INVALID_OPTION.
 */
export async function compile(source: ByteSource, options: CompileOptions = {}): Promise<Module> {
  checkFields('options', options, ['limits', 'cacheDirectory', 'profile']);
  const resolved = resolveLimits(own(options, 'limits') as LimitsInput | undefined);
  const cacheDirectory = optional('cacheDirectory', 'string', own(options, 'cacheDirectory'));
  const profile = optional('profile', 'boolean', own(options, 'profile')) ?? false;
  const bytes = await readSource(source, resolved.moduleBytes);
  const program = await compileProgram(bytes, { limits: resolved, profile, ...(cacheDirectory === undefined ? {} : { cacheDirectory }) });
  return new Module(program, profile);
}
