// Tests what ships: packs the package, installs the tarball without development dependencies in an empty folder, imports every entry point of
// `exports` there, runs a guest in a sandbox and one under a meter alone, compiles against the types, and runs the command on a real module.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guest } from '../guest-examples/build.ts';
import { wat } from '../test/support/wat.ts';
import manifest from '../package.json' with { type: 'json' };

const SHIPPED = /^(dist\/.+\.(js|d\.ts)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;

const PROGRAM = `
import { readFile } from 'node:fs/promises';
import { Cap, Sandbox } from 'gloveport';
await using guest = await new Sandbox({ grant: Cap.NONE, limits: 'restrictive' }).load(await readFile('stack-bomb.wasm'));
console.log(await guest.call('dive', 0n).catch((error) => error.code));
`;

// The entry point that needs no Node, as a user of its types has it.
const METERING = `
import { GloveportError, Meter, meter, type MeterLimits, REWRITER_VERSION, type SourcePlace, type Usage } from 'gloveport/metering';

export async function spin(bytes: Uint8Array): Promise<string> {
  const metered = meter(bytes, { name: 'spin' });
  const guest = new Meter({ fuel: 1e6 });
  const exports = guest.instantiate<{ spin(): void }>(await WebAssembly.compile(metered.bytes), metered.descriptor);
  const { timeMs }: MeterLimits = guest.limits;
  try {
    exports.spin();
  } catch (error) {
    const { fuel }: Usage = guest.usage;
    if (!(error instanceof GloveportError)) throw error;
    const { module, offset } = error.details.source as SourcePlace;
    return \`\${typeof REWRITER_VERSION} \${error.code} \${fuel >= 1e6} \${timeMs} \${module} \${typeof offset}\`;
  }
  return 'not stopped';
}
`;

async function smoke(folder: string): Promise<void> {
  const npm = (directory: string, ...args: string[]) => run('npm', args, directory);
  const node = (...args: string[]) => run(process.execPath, args, folder);

  const root = fileURLToPath(new URL('..', import.meta.url));
  const [tarball] = JSON.parse(npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)) as [
    { filename: string; files: { path: string }[] },
  ];
  expect(
    'files in the tarball that do not belong there',
    tarball.files.map(({ path }) => path).filter((path) => !SHIPPED.test(path)),
    [],
  );
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  npm(folder, 'install', '--omit=dev', join(folder, tarball.filename));

  for (const entry of Object.keys(manifest.exports)) {
    const specifier = JSON.stringify(manifest.name + entry.slice(1));
    const options = entry.endsWith('.json') ? ", { with: { type: 'json' } }" : '';
    expect(`import ${specifier}`, node('--input-type=module', '--eval', `await import(${specifier}${options}); console.log('imported')`), 'imported');
  }
  await writeFile(join(folder, 'stack-bomb.wasm'), await guest('stack-bomb'));
  await writeFile(join(folder, 'program.js'), PROGRAM);
  expect('a guest under limits', node('program.js'), 'STACK_EXCEEDED');
  await writeFile(join(folder, 'spin.wasm'), await guest('spin'));
  await writeFile(join(folder, 'metering.ts'), METERING);
  const call = "console.log(await (await import('./metering.ts')).spin(fs.readFileSync('spin.wasm')))";
  expect(
    'a guest under a meter alone',
    node('--input-type=module', '--eval', `import fs from 'node:fs'; ${call}`),
    'string FUEL_EXHAUSTED true 5000 spin number',
  );
  await writeFile(join(folder, 'plugin.wasm'), await wat(await readFile(new URL('../guest-examples/browser/primes.wat', import.meta.url), 'utf8')));
  const documented = (await readFile(new URL('../docs/metering.md', import.meta.url), 'utf8')).matchAll(/```js\n(.+?)```/gs);
  await writeFile(join(folder, 'documented.js'), [...documented].map(([, code]) => code).join(''));
  const printed = node('documented.js').replace(/[\d.]+(?= units)/, 'some');
  expect('the examples of docs/metering.md', printed.split('\n'), [
    'the largest is 997',
    '168 primes for some units of fuel',
    "FUEL_EXHAUSTED { function: 1, offset: 115, module: 'plugin' }",
    'the largest is 997',
    "true [ 1, '(host)', 'reserve' ]",
  ]);

  // A user's compiler may check libraries, and need not know of browsers.
  await writeFile(join(folder, 'example.ts'), await readFile(new URL('../guest-examples/example.ts', import.meta.url)));
  const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  const types = ['--typeRoots', fileURLToPath(new URL('../node_modules/@types', import.meta.url)), '--types', 'node'];
  const strict = [compiler, '--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024'];
  expect("the README's example, compiled strictly", node(...strict, '--lib', 'es2024,esnext.disposable', ...types, 'example.ts'), '');
  expect('the meter alone, compiled for browsers', node(...strict, '--lib', 'es2024,dom', 'metering.ts'), '');
  await writeFile(join(folder, 'again.ts'), "export * from 'gloveport/metering';");
  expect('the meter alone, compiled for Node', node(...strict, '--lib', 'es2024', ...types, 'again.ts'), '');

  await writeFile(join(folder, 'witness.wasm'), await guest('witness'));
  expect('the command on a module', run(join(folder, 'node_modules', '.bin', 'gloveport'), ['run', 'witness.wasm'], folder).split('\n')[0], 'realtime 0');
}

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' && !command.endsWith('.exe') }).trim();
}

function expect(what: string, actual: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`${what}: ${is}, expected ${should}`);
  console.log(`✓ ${what}: ${is}`);
}

const folder = await mkdtemp(join(tmpdir(), 'gloveport-smoke-'));
try {
  await smoke(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
