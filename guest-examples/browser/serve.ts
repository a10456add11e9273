// A static server for the page, the package as it was built, and the two guests, which it assembles first. `npm run browser` builds the package and starts it.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { wat } from '../../test/support/wat.ts';
import { guest } from '../build.ts';

export interface ServeOptions {
  /** Default: one that is free. */
  readonly port?: number;
  /** The folder of the built package. Default: the repository's `dist/`. */
  readonly dist?: URL;
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further files, by path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

export interface Server extends AsyncDisposable {
  /** Of the page. */
  readonly url: URL;
}

const HERE = new URL('./', import.meta.url);
const PAGE = '/guest-examples/browser/';
const TYPES: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', wasm: 'application/wasm' };

/** Serves on this machine only. */
export async function serve({ port = 0, dist = new URL('../../dist/', HERE), headers = {}, files = {} }: ServeOptions = {}): Promise<Server> {
  const primes = await wat(await readFile(new URL('primes.wat', HERE), 'utf8'));
  const known = new Map<string, Uint8Array>(Object.entries({ [`${PAGE}primes.wasm`]: primes, [`${PAGE}spin.wasm`]: await guest('spin'), ...files }));
  const find = async (path: string): Promise<Uint8Array | undefined> => {
    const file = fileOf(path, dist);
    return known.get(path) ?? (file && (await readFile(file).catch(() => undefined)));
  };

  const server = createServer(async (request, response) => {
    const asked = URL.parse(request.url ?? '', 'http://localhost')?.pathname ?? '';
    const path = asked.endsWith('/') ? `${asked}index.html` : asked;
    const content = await find(path);
    const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    response.writeHead(content ? 200 : 404, { ...headers, 'content-type': type }).end(content);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}${PAGE}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function fileOf(path: string, dist: URL): URL | undefined {
  for (const [prefix, folder] of [
    ['/dist/', dist],
    [PAGE, HERE],
  ] as const) {
    if (!path.startsWith(prefix)) continue;
    const file = new URL(`./${path.slice(prefix.length)}`, folder);
    return /^[\w./-]+$/.test(path) && file.href.startsWith(folder.href) ? file : undefined;
  }
  return undefined;
}

if (import.meta.main) {
  const { url } = await serve({ port: Number(process.env.PORT ?? 8080) });
  console.log(`open ${url}`);
}
