// What the public types accept and refuse. Only the compiler reads this file (`npm run types`): each `@ts-expect-error` is a claim that the next line is wrong.
import {
  Cap,
  ComponentError,
  compile,
  type ErrorCategory,
  type ErrorCode,
  GloveportError,
  type Guest,
  hostDirectory,
  type Limits,
  limits,
  type Module,
  memoryDirectory,
  parseCapabilities,
  type RunResult,
  Sandbox,
  type SandboxOptions,
  type Usage,
} from 'gloveport';
import type { Entry, Statistics, TextTools } from '../../guest-examples/text-tools/types.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected>(): <Actual>(actual: Actual, ...same: Equal<Actual, Expected> extends true ? [] : [never]) => void;

declare const bytes: Uint8Array;

export function options(): void {
  new Sandbox();
  new Sandbox({ grant: Cap.CONSOLE | Cap.TIME, limits: 'restrictive', isolation: 'inline' });
  new Sandbox({ grant: ['console', 'fs-read'], limits: { fuel: 1e6, timeMs: undefined } });
  new Sandbox({ mounts: { '/data': hostDirectory('/srv/data', { write: false }), '/tmp': memoryDirectory({ 'a.txt': 'text', 'b.bin': bytes }) } });
  new Sandbox({ env: { LANG: 'C' }, args: ['tool'], stdin: 'text', stdout: (chunk) => exactly<Uint8Array>()(chunk), stderr: 'ignore' });
  new Sandbox({ imports: { 'demo:text/host': { log() {}, lookup: (name: string) => name } } });
  exactly<Sandbox>()(Sandbox.restrictive());
  exactly<Sandbox>()(new Sandbox().grant(Cap.TIME).revoke(['console']));

  // @ts-expect-error an unknown option
  new Sandbox({ grants: Cap.CONSOLE });
  // @ts-expect-error an unknown limit
  new Sandbox({ limits: { cpu: 1 } });
  // @ts-expect-error a limit is a number
  new Sandbox({ limits: { fuel: '1e6' } });
  // @ts-expect-error no such preset: there is nothing unlimited
  new Sandbox({ limits: 'unlimited' });
  // @ts-expect-error no such isolation
  new Sandbox({ isolation: 'thread' });
  // @ts-expect-error a mount is a directory made for it, not a path
  new Sandbox({ mounts: { '/data': '/srv/data' } });
  // @ts-expect-error a variable is text
  new Sandbox({ env: { LEVEL: 1 } });
  // @ts-expect-error no such kind of output
  new Sandbox({ stdout: 'file' });
  // @ts-expect-error an import is a function
  new Sandbox({ imports: { 'demo:text/host': { log: 'log' } } });
}

export function immutable(given: SandboxOptions, held: Limits): void {
  // @ts-expect-error a policy does not change
  given.grant = Cap.NETWORK;
  // @ts-expect-error presets do not change
  limits.default.fuel = 1;
  // @ts-expect-error flags do not change
  Cap.NONE = 1;
  exactly<number>()(held.memoryBytes);
  exactly<number>()(parseCapabilities('console,time'));
}

export async function loading(sandbox: Sandbox): Promise<void> {
  exactly<Module>()(await compile(bytes, { limits: 'restrictive' }));
  await sandbox.load(bytes.buffer as ArrayBuffer);
  await sandbox.load('plugin.wasm');
  await sandbox.load(new URL('file:///plugin.wasm'), { signal: AbortSignal.timeout(1) });
  await using guest = await sandbox.load(await compile(bytes));
  exactly<unknown>()(await guest.call('anything', 1, 'two', 3n));
  exactly<RunResult>()(await guest.run());
  exactly<Response>()(await guest.serve(new Request('http://guest.example/')));
  exactly<Usage>()(guest.usage);
  exactly<'ready' | 'running' | 'poisoned' | 'disposed'>()(guest.state);
  using same: Guest = guest;
  same.revoke(Cap.NETWORK);
  same.abort(new Error('enough'));

  // @ts-expect-error a list of numbers is no module
  await sandbox.load([0, 0x61, 0x73, 0x6d]);
  // @ts-expect-error a module is made by compile()
  const module: Module = { kind: 'core' };
  await sandbox.load(module);
}

export async function typedExports(sandbox: Sandbox): Promise<void> {
  await using guest = await sandbox.load<TextTools>(bytes);
  const api = guest.exports['demo:text/api'];
  exactly<Statistics>()(await api.measure('text'));
  exactly<Entry[]>()(await api.sortEntries([{ word: 'a', count: 1 }], 'by-count'));
  exactly<number>()(await guest.exports.readingTime(1, 2));
  exactly<Promise<void>>()(guest.exports.spin());

  // @ts-expect-error a number is no text
  await api.measure(5);
  // @ts-expect-error an entry has a count
  await api.sortEntries([{ word: 'a' }], 'by-count');
  // @ts-expect-error no such order
  await api.countWords('text', 'by-length');
  // @ts-expect-error no such function
  await api.shout('text');
  // @ts-expect-error no such interface
  await guest.exports['demo:text/ape'].measure('text');
  // @ts-expect-error exports are not replaced
  guest.exports.spin = async () => {};
}

interface Counters {
  readonly 'demo:count/api': {
    Counter: { new (start: number): Counter; parse(text: string): Counter };
  };
}
interface Counter extends Disposable {
  next(): number;
}

export async function resources(sandbox: Sandbox): Promise<void> {
  const { Counter } = (await sandbox.load<Counters>(bytes)).exports['demo:count/api'];
  using counter = new Counter(5);
  exactly<Promise<number>>()(counter.next());
  exactly<number>()(await (await Counter.parse('5')).next());

  // @ts-expect-error a counter starts at a number
  new Counter('5');
  // @ts-expect-error a method gives a promise
  const next: number = counter.next();
  void next;
}

export function errors(error: unknown): string {
  if (error instanceof ComponentError) return String(error.payload);
  if (!(error instanceof GloveportError)) return '';
  exactly<ErrorCode>()(error.code);
  exactly<ErrorCategory>()(error.category);
  // @ts-expect-error not one of the closed list
  if (error.code === 'OUT_OF_MEMORY') return '';
  // @ts-expect-error codes are from the closed list
  throw new GloveportError('OOPS', 'what?');
}

export function everyCategoryIsHandled(category: ErrorCategory): number {
  switch (category) {
    case 'io':
    case 'parse':
    case 'validation':
    case 'compatibility':
    case 'capability':
    case 'limit':
    case 'runtime':
    case 'state':
    case 'internal':
      return 1;
    default:
      return category satisfies never;
  }
}
