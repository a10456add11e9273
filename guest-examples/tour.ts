// The tour: seven steps, each a real guest under a real policy, each checking what it claims. `npm start` builds the package and the guests and
// runs it; the exit code is 1 when any step did not do what it says.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Cap, ComponentError, compile, limits, memoryDirectory, Sandbox, type Usage } from 'gloveport';
import { guest as build } from './build.ts';
import { nodeHandler } from './node-handler.ts';
import { php, ruby } from './programs.ts';
import { codeOf, Report } from './report.ts';
import type { TextTools } from './text-tools/types.ts';

type Step = (report: Report) => Promise<void>;

const STEPS: Record<string, Step> = {
  '1. A typed JavaScript plugin is called and calls back': typedPlugin,
  '2. The same plugin in an endless loop is stopped': endlessLoop,
  '3. A memory bomb and a stack bomb end at their limits': bombs,
  '4. A file is there for who was granted it': files,
  '5. Ruby and PHP, large programs that know nothing of sandboxes': languages,
  '6. Clocks, randomness and environment': surroundings,
  '7. A guest serves HTTP': serving,
};

const HOST = {
  log(message: string) {
    console.log(`            the plugin logs: ${message}`);
  },
  lookup(name: string) {
    return new Map([
      ['name', 'Ada'],
      ['engine', 'Analytical Engine'],
    ]).get(name);
  },
};

async function typedPlugin(report: Report): Promise<void> {
  const sandbox = new Sandbox({ grant: Cap.NONE, imports: { 'demo:text/host': HOST } });
  report.granted("nothing but the host's two functions, log and lookup");

  await using plugin = await sandbox.load<TextTools>(await build('text-tools'));
  const api = plugin.exports['demo:text/api'];

  report.claim('numbers', await plugin.call('reading-time', 1_000, 220), 5);
  report.claim('a string and an option', await api.slugify('Über Größe & Ehre', undefined), 'uber-große-ehre');
  report.claim('a record', await api.measure('to be or not to be'), { characters: 18, words: 6, lines: 1, longestWord: 'not', averageWordLength: 13 / 6 });
  const entries = await api.countWords('to be or not to be', 'by-count');
  report.claim('a list of records', entries.map(({ word, count }) => `${word} ${count}`).join(', '), 'be 2, to 2, not 1, or 1');
  report.claim('the same list back, in another order', (await api.sortEntries(entries, 'alphabetical')).map(({ word }) => word).join(' '), 'be not or to');
  report.claim('a result, with values from the host', await api.render('{{name}} programs the {{ engine }}.'), 'Ada programs the Analytical Engine.');
  report.claim('its error', await payloadOf(api.render('Dear {{stranger}},')), { tag: 'unknown-placeholder', val: { name: 'stranger', position: 5 } });
  report.used(plugin.usage);
}

async function endlessLoop(report: Report): Promise<void> {
  const module = await compile(await build('text-tools'));
  const base = { grant: Cap.NONE, imports: { 'demo:text/host': HOST } };
  report.granted('as before; once 100 M fuel, once a second');

  await using frugal = await new Sandbox({ ...base, limits: { fuel: 100e6 } }).load<TextTools>(module);
  report.claim('with little fuel', await codeOf(frugal.call('spin')), 'FUEL_EXHAUSTED');
  report.used(frugal.usage);

  await using brief = await new Sandbox({ ...base, limits: { fuel: limits.permissive.fuel, timeMs: 1_000 } }).load<TextTools>(module);
  report.claim('with little time', await codeOf(brief.call('spin')), 'DEADLINE_EXCEEDED');
  report.used(brief.usage);

  report.claim('a stopped guest stays stopped', await codeOf(brief.call('reading-time', 1_000, 220)), 'GUEST_POISONED');
  await using next = await new Sandbox(base).load<TextTools>(module);
  report.claim('the program goes on with a new guest', await next.call('reading-time', 1_000, 220), 5);
}

async function bombs(report: Report): Promise<void> {
  const sandbox = new Sandbox({ grant: Cap.NONE, limits: { memoryBytes: 32 * 2 ** 20, callDepth: 1_000 } });
  report.granted('nothing; 32 MiB of memory, 1000 nested calls');

  await using memory = await sandbox.load(await build('memory-bomb'));
  report.claim('pages of 64 KiB when growing is refused', await memory.call('grow'), 512);
  report.claim('touching all of them', await codeOf(memory.call('touch')), 'no error');
  report.claim('touching the next byte', await codeOf(memory.call('beyond')), 'GUEST_TRAPPED');
  report.used(memory.usage);

  report.claim('a module that wants a gigabyte at once', await codeOf(sandbox.load(await build('memory-hog'))), 'MEMORY_EXCEEDED');

  await using stack = await sandbox.load(await build('stack-bomb'));
  report.claim('endless recursion', await codeOf(stack.call('dive', 0n)), 'STACK_EXCEEDED');
  report.used(stack.usage);
}

async function files(report: Report): Promise<void> {
  const module = await compile(ruby, { limits: RUBY_LIMITS });
  const notes = memoryDirectory({ 'note.txt': 'water the plants' });
  const used: Usage[] = [];
  const attempt = async (grant: number, action: string): Promise<string> => {
    const code = `begin; print(${action}); rescue SystemCallError => error; print error.class; end`;
    const sandbox = new Sandbox({ grant: Cap.CONSOLE | grant, limits: RUBY_LIMITS, mounts: { '/notes': notes }, args: ['ruby', '--disable-gems', '-e', code] });
    await using guest = await sandbox.load(module);
    const { stdout } = await guest.run();
    used.push(guest.usage);
    return stdout;
  };
  const read = "File.read('/notes/note.txt')";
  const write = "File.write('/notes/note.txt', 'gone')";

  report.granted('a memory directory at /notes, three times: with no right to it, to read, to read and write');
  report.claim('reading without FS_READ', await attempt(Cap.NONE, read), 'Errno::ENOENT');
  report.claim('reading with FS_READ', await attempt(Cap.FS_READ, read), 'water the plants');
  report.claim('writing with FS_READ alone', await attempt(Cap.FS_READ, write), 'Errno::EROFS');
  report.claim('the file after that', await attempt(Cap.FS_READ, read), 'water the plants');
  report.claim('writing with FS_WRITE, in bytes', await attempt(Cap.FS_READ | Cap.FS_WRITE, write), '4');
  report.claim('the file now', await attempt(Cap.FS_READ, read), 'gone');
  report.used(used.at(-1) as Usage);
}

async function languages(report: Report): Promise<void> {
  const rubyModule = await compile(ruby, { limits: RUBY_LIMITS });
  const script = memoryDirectory({
    'total.rb': "puts File.readlines('/scripts/prices.txt').sum { |line| line.split.last.to_i }",
    'total.php': "<?php foreach (file('/scripts/prices.txt') as $line) { [$what, $price] = explode(' ', trim($line)); printf(\"%-6s%4d\\n\", $what, $price); }",
    'prices.txt': 'bread 3\nwine 12\ncheese 7\n',
  });
  const base = { grant: Cap.CONSOLE | Cap.FS_READ, limits: RUBY_LIMITS, mounts: { '/scripts': script } };
  report.granted('the console and a memory directory to read');

  await using oneLiner = await new Sandbox({ ...base, args: ['ruby', '-e', 'puts "Ruby #{RUBY_VERSION} says #{(1..10).reduce(:*)}"'] }).load(rubyModule);
  report.claim('a one-liner', (await oneLiner.run()).stdout, 'Ruby 3.2.0 says 3628800\n');
  report.used(oneLiner.usage);

  await using total = await new Sandbox({ ...base, args: ['ruby', '/scripts/total.rb'] }).load(rubyModule);
  report.claim('a script that reads another file', (await total.run()).stdout, '22\n');
  report.used(total.usage);

  const loop = { ...base, limits: { ...RUBY_LIMITS, timeMs: 3_000 }, args: ['ruby', '--disable-gems', '-e', '$stdout.sync = true; puts "off we go"; loop {}'] };
  await using endless = await new Sandbox(loop).load(rubyModule);
  report.claim('an endless loop', await codeOf(endless.run()), 'DEADLINE_EXCEEDED');
  report.claim('what it had printed until then', endless.stdout, 'off we go\n');
  report.used(endless.usage);

  await using table = await new Sandbox({ ...base, args: ['php-cgi', '-q', '/scripts/total.php'] }).load(await compile(php, { limits: RUBY_LIMITS }));
  report.claim('PHP over the same file', (await table.run()).stdout, 'bread    3\nwine    12\ncheese   7\n');
  report.used(table.usage);
}

async function surroundings(report: Report): Promise<void> {
  const module = await compile(await build('witness'));
  const used: Usage[] = [];
  const look = async (grant: number): Promise<Map<string, string>> => {
    await using guest = await new Sandbox({ grant: Cap.CONSOLE | grant, env: { LANG: 'C' } }).load(module);
    const { stdout } = await guest.run();
    used.push(guest.usage);
    return new Map(
      stdout
        .trimEnd()
        .split('\n')
        .map((text) => text.split(/[ =](.*)/, 2) as [string, string]),
    );
  };

  report.granted('the console alone');
  const without = await look(Cap.NONE);
  report.claim('wall clock', without.get('realtime'), '0');
  report.claim('monotonic clock', without.get('monotonic'), '0');
  report.claim('randomness', without.get('random')?.split(' ')[0], 'refused');
  report.claim('environment variables', without.get('variables'), '0');

  report.granted('TIME, RANDOM and ENV with one variable');
  const within = await look(Cap.TIME | Cap.RANDOM | Cap.ENV);
  report.claim("wall clock, within a day of the host's", Math.abs(Number(within.get('realtime')) / 1e6 - Date.now()) < 86_400_000, true);
  report.claim('eight random bytes, twice, differ', within.get('random') !== (await look(Cap.RANDOM)).get('random'), true);
  report.claim('LANG', within.get('LANG'), 'C');
  report.used(used.at(-1) as Usage);
}

async function serving(report: Report): Promise<void> {
  await using guest = await new Sandbox({ grant: Cap.NONE }).load(await build('hello-http'));
  report.granted("nothing: it is Node's server that listens, and the host that calls");

  const server = createServer(nodeHandler(guest)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const get = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/`)).text();
  report.claim('a request', await get(), 'hello');
  const started = performance.now();
  const answers = await Promise.all(Array.from({ length: 500 }, get));
  report.claim('500 requests at once, all answered', answers.filter((answer) => answer === 'hello').length, 500);
  report.note(`${Math.round((500 / (performance.now() - started)) * 1_000)} requests in a second, most of it Node's own fetch and server`);
  report.used(guest.usage);
  server.close();
  server.closeAllConnections();
}

// Ruby and PHP keep more memory than most plugins need, and starting them takes more than a plugin's call.
const RUBY_LIMITS = { memoryBytes: 256 * 2 ** 20, timeMs: 60_000, callDepth: 5_000, stackBytes: 4 * 2 ** 20, fuel: 100e9 };

async function payloadOf(work: unknown): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ComponentError) return error.payload;
    throw error;
  }
}

const report = new Report();
let held = 0;
for (const [title, step] of Object.entries(STEPS)) {
  const before = report.failures;
  report.title(title);
  await step(report).catch((error: unknown) => report.failed(String(error)));
  if (report.failures === before) held++;
}
console.log(`\n${held} of ${Object.keys(STEPS).length} steps did what they claim.`);
process.exitCode = report.failures === 0 ? 0 : 1;
