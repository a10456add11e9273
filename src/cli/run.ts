// `gloveport run`: a command (core module with `_start`, or component with `wasi:cli/run`) under grants and limits from the command line.
import { buffer } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { allCapabilities, capabilityNames, parseCapabilities } from '../capabilities.ts';
import { describeValue, GloveportError } from '../errors.ts';
import { type Limits, type LimitsInput, type LimitsPreset, limits } from '../limits.ts';
import { CAN_SUSPEND } from '../metering/suspension.ts';
import type { Usage } from '../sandbox/isolation.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { hostDirectory, type Mount } from '../wasi/filesystem/mount.ts';
import { bytesOf, millisecondsOf, unitsOf } from './units.ts';

interface RunOptions {
  readonly grant: string;
  readonly dir: readonly string[];
  readonly env: readonly string[];
  readonly net: readonly string[];
  readonly limits: LimitsPreset;
  readonly fuel?: string;
  readonly memory?: string;
  readonly timeout?: string;
  readonly stdin?: boolean;
  readonly strict?: boolean;
  readonly stats?: boolean;
  readonly cache?: string;
}

export function runCommand(): Command {
  return new Command('run')
    .description('Run a WebAssembly command. Exits with its exit code, or with 125 when it could not be run or was stopped.')
    .argument('<file>', 'core module or component')
    .argument('[args...]', 'arguments of the guest; put -- before them')
    .option('-g, --grant <names>', `capabilities, separated by commas: ${capabilityNames(allCapabilities).join(', ')}, or none`, 'console')
    .option('-d, --dir <host::guest[:rw]>', 'mount a directory, read-only unless :rw; needs fs-read, and fs-write to change it', collect, [])
    .option('-e, --env <name=value>', 'set an environment variable; needs env', collect, [])
    .option('-n, --net <host:port>', 'allow connections to a host, such as api.example.com:443 or *.example.com; needs network', collect, [])
    .addOption(new Option('-l, --limits <preset>', 'the limits to start from').choices(Object.keys(limits)).default('default'))
    .option('--fuel <units>', 'fuel of the run, such as 5e9')
    .option('--memory <size>', 'all memories together, such as 64MiB')
    .option('--timeout <time>', 'wall clock of the run, such as 5s or 500ms')
    .option('--stdin', "give the guest this process's standard input")
    .option('--strict', 'refuse a module that imports what is not granted')
    .option('--stats', 'print what the guest used to standard error')
    .option('--cache <directory>', 'keep compiled modules there')
    .exitOverride()
    .action(run);
}

async function run(file: string, args: string[], options: RunOptions): Promise<void> {
  const sandbox = new Sandbox({
    grant: parseCapabilities(options.grant),
    limits: limitsOf(options),
    mounts: distinct('--dir', options.dir.map(mountOf)),
    env: distinct('--env', options.env.map(variableOf)),
    args: [file, ...args],
    network: { hosts: options.net },
    stdin: options.stdin ? await standardInput() : '',
    stdout: 'inherit',
    stderr: 'inherit',
    strict: options.strict,
    cacheDirectory: options.cache,
  });
  await using guest = await sandbox.load(file);
  try {
    process.exitCode = (await guest.run()).exitCode;
  } finally {
    if (options.stats) process.stderr.write(`${statistics(guest.usage)}\n`);
  }
}

// Where a guest cannot be suspended until there is more, all of it has to be there from the start.
async function standardInput(): Promise<typeof process.stdin | Uint8Array> {
  return CAN_SUSPEND ? process.stdin : await buffer(process.stdin);
}

function limitsOf(options: RunOptions): LimitsInput {
  const changed: { -readonly [Field in keyof Limits]: number } = { ...limits[options.limits] };
  if (options.fuel !== undefined) changed.fuel = unitsOf('--fuel', options.fuel);
  if (options.memory !== undefined) changed.memoryBytes = bytesOf('--memory', options.memory);
  if (options.timeout !== undefined) changed.timeMs = millisecondsOf('--timeout', options.timeout);
  return changed;
}

function mountOf(text: string): [guest: string, mount: Mount] {
  const write = text.endsWith(':rw');
  const [host, guest, ...rest] = (write ? text.slice(0, -3) : text.replace(/:ro$/, '')).split('::');
  if (!host || !guest || rest.length > 0)
    throw new GloveportError('INVALID_OPTION', `--dir takes host::guest or host::guest:rw, not '${text}'`, { option: '--dir' });
  return [guest, hostDirectory(host, { write })];
}

function variableOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new GloveportError('INVALID_OPTION', `--env takes name=value, not '${text}'`, { option: '--env' });
  return [text.slice(0, at), text.slice(at + 1)];
}

// What is said twice is a mistake, not a correction.
function distinct<Value>(option: string, entries: readonly (readonly [name: string, value: Value])[]): Record<string, Value> {
  const names = entries.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new GloveportError('INVALID_OPTION', `${option} is given twice for ${describeValue(twice)}`, { option });
  return Object.fromEntries(entries);
}

function statistics(usage: Usage): string {
  const megabytes = (usage.peakMemoryBytes / 2 ** 20).toFixed(1);
  return `fuel ${usage.fuel}, peak memory ${megabytes} MiB, time ${usage.wallMs.toFixed(1)} ms, host calls ${usage.hostCalls}, output ${usage.outputBytes} bytes`;
}

function collect(value: string, values: readonly string[]): string[] {
  return [...values, value];
}
