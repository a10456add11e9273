// The README's example: a plugin from outside under a policy of its own. A test runs it.
import { Cap, Sandbox } from 'gloveport';
import type { TextTools } from './text-tools/types.ts';

export async function greet(plugin: Uint8Array, name: string): Promise<string> {
  const sandbox = new Sandbox({
    grant: Cap.NONE,
    limits: { memoryBytes: 16 * 2 ** 20, timeMs: 500, fuel: 200e6 },
    imports: { 'demo:text/host': { log: console.log, lookup: () => name } },
  });
  await using guest = await sandbox.load<TextTools>(plugin);
  return await guest.exports['demo:text/api'].render('Hello, {{name}}!');
}
