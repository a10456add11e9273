// Pages in headless Chromium, as far as tests need them: open one, run an expression in it. Speaks the DevTools protocol through a pair of pipes, so that
// nothing listens on a port and nothing has to be downloaded.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** The browser's path: `CHROMIUM` in the environment, or the first of the usual names on PATH. */
export function findChromium(): string | undefined {
  const named = process.env.CHROMIUM;
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** One browser with a profile of its own, which is gone with it. */
export class Chromium implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #pending = new Map<number, { resolve(result: Fields): void; reject(error: Error): void }>();
  #lost: Error | undefined;
  #next = 1;
  #rest = '';
  #errors = '';

  static async start(path: string): Promise<Chromium> {
    return new Chromium(path, await mkdtemp(join(tmpdir(), 'gloveport-chromium-')));
  }

  private constructor(path: string, folder: string) {
    this.#folder = folder;
    this.#process = spawn(path, [...FLAGS, `--user-data-dir=${folder}`], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    const [, , , commands, answers] = this.#process.stdio as [null, null, Readable, Writable, Readable];
    commands.on('error', (error) => this.#lose(error.message));
    answers.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    this.#process.on('error', (error) => this.#lose(error.message));
    this.#process.on('exit', (code, signal) => this.#lose(`it ended with ${code ?? signal}`));
  }

  /** Opens `url` and waits until it has loaded. */
  async open(url: URL): Promise<Page> {
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = (await this.#send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const { errorText } = await this.#send('Page.navigate', { url: url.href }, sessionId);
    if (errorText !== undefined) throw new Error(`${url} does not open: ${errorText}`);
    await this.#evaluate("new Promise((resolve) => (document.readyState === 'complete' ? resolve() : addEventListener('load', () => resolve())))", sessionId);
    return { evaluate: async <Result>(expression: string) => (await this.#evaluate(expression, sessionId)) as Result };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const ended = once(this.#process, 'exit');
      const late = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
      await this.#send('Browser.close').catch(() => this.#process.kill('SIGKILL'));
      await ended;
      clearTimeout(late);
    }
    // Helpers of the browser's may still be writing for a moment.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }

  async #evaluate(expression: string, sessionId: string): Promise<unknown> {
    const answer = await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
    const { result, exceptionDetails } = answer as { result: { value?: unknown }; exceptionDetails?: { text: string; exception?: { description?: string } } };
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  #send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost);
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
    });
  }

  #receive(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() as string;
    for (const json of messages) {
      const { id, result, error } = JSON.parse(json) as { id?: number; result?: Fields; error?: { message: string } };
      const pending = this.#pending.get(id as number);
      this.#pending.delete(id as number);
      if (error !== undefined) pending?.reject(new Error(error.message));
      else pending?.resolve(result as Fields);
    }
  }

  #lose(why: string): void {
    this.#lost ??= new Error(`the browser is gone: ${why}\n${this.#errors}`);
    for (const { reject } of this.#pending.values()) reject(this.#lost);
    this.#pending.clear();
  }
}

export interface Page {
  /** The value of `expression`, awaited where it is a promise; it has to be plain data. Rejects with what it throws. */
  evaluate<Result>(expression: string): Promise<Result>;
}

type Fields = Record<string, unknown>;

// The browser's own sandbox cannot be set up by root; containers often have little shared memory.
const FLAGS = [
  '--headless',
  '--remote-debugging-pipe',
  '--no-first-run',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-background-networking',
  '--disable-component-update',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
