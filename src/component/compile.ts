// From untrusted bytes to a program. The order is the point: sizes and names are bounded before anything is validated, everything is validated before it is
// rewritten or transpiled, and only what was rewritten is compiled.
import { Cap } from '../capabilities.ts';
import { GloveportError, limitExceeded, messageOf, printable } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { meter, type MeteredModule, type MeterOptions, REWRITER_VERSION } from '../metering/rewrite.ts';
import { isComponent, readComponent } from '../wasm/component/reader.ts';
import { isCoreModule } from '../wasm/module.ts';
import type { Artifact, MeteredCore } from './artifact.ts';
import { contentKey, ProgramCache, readArtifact, writeArtifact } from './cache.ts';
import { componentProgram } from './component-program.ts';
import { coreProgram } from './core-program.ts';
import { GLUE_VERSION, hardenGlue } from './glue.ts';
import type { Program } from './program.ts';
import { transpile, type Transpiled, TRANSPILER_VERSION } from './transpile.ts';
import { componentExports, componentImports, coreExports, coreImports } from './world.ts';

export interface CompileOptions {
  /** `moduleBytes` is what matters here. */
  readonly limits: Limits;
  /**
   * An existing directory where compiled programs are kept between processes. Whoever may write there can run code in this process: it must belong to the
   * host alone.
   */
  readonly cacheDirectory?: string;
  /** Makes a program that adds up fuel by function; another one than without. */
  readonly profile?: boolean;
}

/** Everything that decides, besides the bytes, what compiling makes of them. */
const VERSIONS = `${REWRITER_VERSION} ${TRANSPILER_VERSION} ${GLUE_VERSION}`;
const programs = new ProgramCache();

/**
 * The program that `source` is: the same one for the same bytes, as long as it is cached.
 * @throws GloveportError MODULE_TOO_LARGE, INVALID_MODULE, UNSUPPORTED_FEATURE; IO_FAILED when `cacheDirectory` cannot be written.
 */
export async function compileProgram(source: Uint8Array, { limits, cacheDirectory, profile = false }: CompileOptions): Promise<Program> {
  checkModuleBytes(source.byteLength, limits.moduleBytes);
  const bytes = new Uint8Array(source);
  const compileArtifact = isCoreModule(bytes) ? compileCore : isComponent(bytes) ? compileComponent : undefined;
  if (compileArtifact === undefined) throw new GloveportError('INVALID_MODULE', `this is no WebAssembly: ${describeBytes(bytes)}`, { offset: 0 });

  const key = contentKey(bytes, profile ? `${VERSIONS} profile` : VERSIONS);
  return programs.get(`${key} ${cacheDirectory ?? ''}`, async () => {
    const stored = cacheDirectory === undefined ? undefined : await readArtifact(cacheDirectory, key);
    const artifact = stored ?? (await compileArtifact(bytes, { profile }));
    const program = await load(artifact);
    if (cacheDirectory !== undefined && stored === undefined) await writeArtifact(cacheDirectory, key, artifact);
    return { program, bytes: artifact.modules.reduce((sum, module) => sum + bytesOf(module), artifact.glue?.length ?? 0) };
  });
}

/** @throws GloveportError MODULE_TOO_LARGE over `maximum`, which is `limits.moduleBytes`. */
export function checkModuleBytes(bytes: number, maximum: number): void {
  if (bytes <= maximum) return;
  const message = `the module has ${bytes} bytes, over limits.moduleBytes of ${maximum}`;
  throw limitExceeded('MODULE_TOO_LARGE', message, 'moduleBytes', maximum, bytes);
}

async function compileCore(bytes: Uint8Array<ArrayBuffer>, options: MeterOptions): Promise<Artifact> {
  const metered = meterChecked(bytes, options);
  return {
    kind: 'core',
    bytes: bytes.byteLength,
    requires: requiredBy([metered]),
    imports: coreImports(metered.module),
    exports: coreExports(metered.module),
    modules: [stored('module', metered)],
  };
}

async function compileComponent(bytes: Uint8Array<ArrayBuffer>, options: MeterOptions): Promise<Artifact> {
  const world = readComponent(bytes);
  const imports = componentImports(world);
  const { source, modules } = await transpile(bytes);
  const metered = meterLinked(modules, options);
  return {
    kind: 'component',
    bytes: bytes.byteLength,
    requires: requiredBy(metered.map(({ core }) => core)),
    imports,
    exports: componentExports(world),
    modules: metered.map(({ name, core }) => stored(name, core)),
    glue: hardenGlue(source),
  };
}

// An exception that one of several core modules throws may be kept by another one.
function meterLinked(modules: Transpiled['modules'], options: MeterOptions): readonly { readonly name: string; readonly core: MeteredModule }[] {
  const each = (more: MeterOptions) =>
    modules.map(({ name, bytes }, index) => ({ name, core: meterChecked(bytes, { ...options, ...more, name: `core${index + 1}` }) }));
  const metered = each({});
  return metered.length > 1 && metered.some(({ core }) => core.keepsExceptions) ? each({ countExceptions: true }) : metered;
}

async function load(artifact: Artifact): Promise<Program> {
  // All who load the same bytes share these descriptions, and they are what imports are linked and granted by.
  freeze(artifact.imports);
  freeze(artifact.exports);
  const modules = await Promise.all(artifact.modules.map(({ bytes }) => compileMetered(bytes)));
  return artifact.kind === 'core' ? coreProgram(artifact, modules[0] as WebAssembly.Module) : componentProgram(artifact, modules);
}

// The original was valid, so what the engine refuses is only what metering has added to it.
async function compileMetered(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const why = messageOf(error).replace(/^WebAssembly\.compile\(\): /, '');
    throw new GloveportError('MODULE_TOO_LARGE', `the metered module is over the engine's own limits: ${why}`, { limit: 'engine' }, { cause: error });
  }
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const member of Object.values(value)) freeze(member);
}

// The rewriter goes first, as it is cheap and holds the budgets that the engine needs; what it makes is not used before the original has been validated.
function meterChecked(bytes: Uint8Array<ArrayBuffer>, options: MeterOptions): MeteredModule {
  const metered = meter(bytes, options);
  if (!WebAssembly.validate(bytes)) throw new GloveportError('INVALID_MODULE', `the module is not valid: ${printable(validationMessage(bytes), 500)}`);
  return metered;
}

function validationMessage(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
    return 'the engine does not say why';
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^WebAssembly\.Module\(\): /, '') : String(error);
  }
}

function requiredBy(modules: readonly MeteredModule[]): number {
  return modules.some(({ threads }) => threads) ? Cap.THREADING : Cap.NONE;
}

function stored(name: string, { bytes, descriptor }: MeteredModule): MeteredCore {
  return { name, bytes: new Uint8Array(bytes), descriptor };
}

function bytesOf({ bytes, descriptor: { trace } }: MeteredCore): number {
  return bytes.byteLength + trace.spans.byteLength + trace.names.byteLength;
}

const SIGNATURES: readonly (readonly [signature: string, what: string])[] = [
  ['\0asm', 'a WebAssembly binary of another version'],
  ['\x7fELF', 'an ELF executable'],
  ['MZ', 'a Windows executable'],
  ['PK\x03\x04', 'a zip archive'],
  ['\x1f\x8b', 'gzip-compressed data'],
  ['(module', 'WebAssembly text, which has to be assembled first'],
  ['(component', 'WebAssembly text, which has to be assembled first'],
  ['<', 'a markup file'],
];

function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'there are no bytes';
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  for (const [signature, what] of SIGNATURES) if (head.startsWith(signature)) return what;
  return /^[\t\n\r\x20-\x7e]+$/.test(head) ? 'a text file' : 'unknown bytes';
}
