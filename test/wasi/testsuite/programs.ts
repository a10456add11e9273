// The programs of the public WASI test suite below a folder, and what each is given and has to do.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface SuiteProgram {
  /** The language's folder and the program, as `rust/fd_readdir`. */
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A folder whose content the program finds in `/`; without it, nothing is mounted. */
  readonly root: string | undefined;
  readonly exitCode: number;
  /** What it has to print; undefined: whatever it likes. */
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** The version of WASI that a folder of programs is for, as its manifest names it. */
const VERSION = 'wasm32-wasip1';

/** Every program for preview 1 below `folder`, in the order of their names. */
export function suitePrograms(folder: string): readonly SuiteProgram[] {
  return globSync('**/manifest.json', { cwd: folder })
    .map((manifest) => join(folder, manifest))
    .filter((manifest) => (JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown }).version === VERSION)
    .flatMap((manifest) => globSync('*.wasm', { cwd: dirname(manifest) }).map((file) => readProgram(join(dirname(manifest), file))))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readProgram(path: string): SuiteProgram {
  const specification = path.replace(/\.wasm$/, '.json');
  const given: Record<string, unknown> = existsSync(specification) ? JSON.parse(readFileSync(specification, 'utf8')) : {};
  const { args = [], env = {}, root, exit_code = 0, stdout, stderr, ...unknown } = given;
  // To run it without knowing what it asks for would show nothing.
  if (Object.keys(unknown).length > 0) throw new Error(`${specification} has unknown fields: ${Object.keys(unknown).join(', ')}`);
  return {
    name: `${basename(dirname(dirname(dirname(path))))}/${basename(path, '.wasm')}`,
    path,
    args: [basename(path), ...(args as string[])],
    env: env as Record<string, string>,
    root: typeof root === 'string' ? join(dirname(path), root) : undefined,
    exitCode: exit_code as number,
    stdout: stdout as string | undefined,
    stderr: stderr as string | undefined,
  };
}
