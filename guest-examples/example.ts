// The README's example: a plugin from outside under a policy of its own. A test runs it.
import { Cap, Sandbox } from 'gloveport';

interface Plugin {
  'demo:text/api': { render(template: string): string };
}

export async function greet(plugin: Uint8Array | string, name: string): Promise<string> {
  const sandbox = new Sandbox({
    grant: Cap.NONE,
    limits: { memoryBytes: 16 * 2 ** 20, timeMs: 2_000, fuel: 200e6 },
    imports: { 'demo:text/host': { log: console.log, lookup: () => name } },
  });
  await using guest = await sandbox.load<Plugin>(plugin);
  return await guest.exports['demo:text/api'].render('Hello, {{name}}!');
}
