import { Agent, get } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { guest as exampleGuest, starlingGuest } from '../../guest-examples/build.ts';
import { Cap, ComponentError, compile, type Guest, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { MAX_WAITING_REQUESTS } from '../../src/sandbox/serve.ts';
import { MAX_FIELDS } from '../../src/wasi/http/fields.ts';
import { CONTENT_AHEAD_BYTES } from '../../src/wasi/http/incoming-content.ts';
import { CONTENT_BUFFER_BYTES } from '../../src/wasi/http/outgoing-content.ts';
import { nodeHandler } from '../../guest-examples/node-handler.ts';
import { wat } from '../support/wat.ts';
import { serve, until } from '../wasi/http.ts';

const module = await compile(await starlingGuest(new URL('../wasi/http-guest/', import.meta.url), 'exports'));
const web = await compile(await starlingGuest(new URL('../wasi/web-guest/', import.meta.url), 'events'));
const hello = await compile(await exampleGuest('hello-http'));

const load = (options: SandboxOptions = {}, of = module): Promise<Guest> => new Sandbox({ grant: Cap.CONSOLE | Cap.TIME | Cap.RANDOM, ...options }).load(of);
const ask = (path: string, init?: RequestInit): Request => new Request(`http://guest.example:81${path}`, init);
const streaming = (body: ReadableStream<Uint8Array>, init: RequestInit = {}): RequestInit => ({ method: 'POST', body, duplex: 'half', ...init }) as RequestInit;
const text = async (guest: Guest, path: string): Promise<string> => (await guest.serve(ask(path))).text();
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error: unknown) => error);
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const INCOMPLETE = { payload: { tag: 'HTTP-response-incomplete' } };

describe('a request', () => {
  test('comes to the guest with its method, its URL and the headers that are not about a connection', async () => {
    await using guest = await load();
    const headers = { 'X-One': '1', connection: 'close', host: 'evil.example', 'transfer-encoding': 'chunked', cookie: 'a=b' };
    const request = new Request('https://Guest.example/a%20b/../request?c#d', { method: 'PUT', headers });
    expect(await (await guest.serve(request)).json()).toEqual({
      method: { tag: 'put' },
      scheme: { tag: 'HTTPS' },
      authority: 'guest.example',
      path: '/request?c',
      entries: [
        ['cookie', 'a=b'],
        ['x-one', '1'],
      ],
    });
  });

  test.each(['PATCH', 'PURGE'])('may be a %s', async (method) => {
    await using guest = await load();
    const tag = method === 'PURGE' ? { tag: 'other', val: method } : { tag: 'patch' };
    expect(await (await guest.serve(ask('/request', { method }))).json()).toMatchObject({
      method: tag,
      authority: 'guest.example:81',
      scheme: { tag: 'HTTP' },
    });
  });

  test('has a body that flows while the response does', async () => {
    await using guest = await load();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const response = await guest.serve(ask('/echo', streaming(readable)));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (const word of ['first', 'second']) {
      writer.write(Buffer.from(word));
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe(word);
    }
    expect(guest.state).toBe('running');
    writer.close();
    expect((await reader.read()).done).toBe(true);
    await until(() => guest.state === 'ready');
  });

  test('is pulled only as the guest reads it, and left alone where it does not', async () => {
    await using guest = await load();
    let pulled = 0;
    const body = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled++;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
        cancel() {
          pulled = -1_000;
        },
      });
    const endless = body();
    expect(await (await guest.serve(ask('/hello', streaming(endless)))).text()).toBe('hello');
    expect([pulled <= 1, endless.locked]).toEqual([true, false]);
    const response = await guest.serve(ask('/echo', streaming(body())));
    await sleep(200);
    // The guest writes until nobody takes it any more.
    expect(pulled).toBeLessThan((2 * CONTENT_BUFFER_BYTES) / (64 * 1024) + 20);
    await response.body?.cancel();
    await until(() => guest.state !== 'running');
  });

  test.each(['streamed', 'finished'])('is not pulled any more after its call, although the guest keeps its body: %s', async (how) => {
    await using guest = await load();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1024));
      },
    });
    expect(await text(guest, '/hello')).toBe('hello');
    expect(await (await guest.serve(ask(`/keep?${how}`, streaming(body)))).text()).toBe('kept');
    await until(() => guest.state === 'ready');
    expect(body.locked).toBe(false);
    await sleep(10);
    const before = pulled;
    await sleep(50);
    expect(pulled).toBe(before);
  });

  test('whose body the guest keeps is over with its call, and takes nothing up any more', async () => {
    await using guest = await load({ limits: { hostBytes: 4 * CONTENT_AHEAD_BYTES } });
    for (let round = 0; round < 10; round++) {
      expect(await (await guest.serve(ask('/keep', { method: 'POST', body: 'abc' }))).text()).toBe('kept');
    }
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/kept')).toBe('read {"tag":"connection-terminated"}');
  });

  test('whose body fails shows that to the guest', async () => {
    await using guest = await load();
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('a secret of the host')) });
    expect(await (await guest.serve(ask('/read', streaming(body)))).text()).toBe('read {"tag":"connection-terminated"}');
    expect(await (await guest.serve(ask('/read', { method: 'POST', body: 'abc' }))).text()).toBe('3 bytes');
  });

  test('shows no header that is none in HTTP', async () => {
    await using guest = await load();
    const headers = { 'x-control': 'a\x01b', 'content-length': '3, 3', 'x-fine': '1' };
    expect(await (await guest.serve(ask('/request', { headers }))).json()).toMatchObject({ entries: [['x-fine', '1']] });
  });

  test.each([
    ['no Request', { url: 'http://x/' }, 'request'],
    ['a string', 'http://x/', 'request'],
    ['a URL of another scheme', new Request('data:text/plain,x'), 'request.url'],
    ['more headers than there can be', ask('/', { headers: Array.from({ length: MAX_FIELDS + 1 }, (_, index) => [`n${index}`, '']) }), 'request.headers'],
  ])('that is %s is refused', async (_, request, path) => {
    await using guest = await load({}, hello);
    await expect(guest.serve(request as Request)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path } });
    expect(guest.state).toBe('ready');
  });

  test('with just so many headers is served', async () => {
    await using guest = await load({}, hello);
    const headers = Array.from({ length: MAX_FIELDS }, (_, index): [string, string] => [`n${index}`, '']);
    expect((await guest.serve(ask('/', { headers }))).status).toBe(200);
  });

  test('whose body was read already is refused', async () => {
    await using guest = await load({}, hello);
    const request = ask('/', { method: 'POST', body: 'x' });
    await request.text();
    await expect(guest.serve(request)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a response', () => {
  test('has the status, the headers and the body that the guest gave it', async () => {
    await using guest = await load();
    const response = await guest.serve(ask('/status?404'));
    expect([response.status, [...response.headers], await response.text()]).toEqual([
      404,
      [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-a', '\xe9'],
      ],
      'body',
    ]);
  });

  test.each([
    ['GET', 204],
    ['GET', 205],
    ['GET', 304],
    ['HEAD', 200],
  ])('to %s of %i has no body, whatever the guest writes', async (method, status) => {
    await using guest = await load();
    const response = await guest.serve(ask(`/status?${status}`, { method }));
    expect([response.status, response.body, response.headers.get('x-a')]).toEqual([status, null, '\xe9']);
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/last')).toBe('finished');
  });

  test('that declares its length has it, or fails', async () => {
    await using guest = await load();
    const whole = await guest.serve(ask('/length?4'));
    expect([whole.headers.get('content-length'), await whole.text()]).toEqual(['4', 'four']);
    for (const length of [3, 5]) {
      await expect(guest.serve(ask(`/length?${length}`))).rejects.toMatchObject({ payload: { tag: 'HTTP-response-body-size', val: 4n } });
      await until(() => guest.state === 'ready');
      expect(await text(guest, '/last')).toMatch(/^(?:write|finish) {"tag":"HTTP-response-body-size","val":4}$/);
    }
    await expect(guest.serve(ask('/bodiless?1'))).rejects.toMatchObject({ payload: { tag: 'HTTP-response-body-size', val: 0n } });
    expect((await guest.serve(ask('/bodiless?0'))).body).toBeNull();
  });

  test('that is an error of the guest is one of the caller', async () => {
    await using guest = await load();
    const error = await failure(guest.serve(ask('/error')));
    expect(error).toBeInstanceOf(ComponentError);
    expect(error).toMatchObject({ payload: { tag: 'loop-detected' } });
    await until(() => guest.state === 'ready');
  });

  test.each(['/never', '/half'])('that the guest does not give, or not finish, is incomplete, and the guest goes on: %s', async (path) => {
    await using guest = await load();
    await expect(guest.serve(ask(path))).rejects.toMatchObject(INCOMPLETE);
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/hello')).toBe('hello');
  });

  test('that breaks off on its way errors its body', async () => {
    await using guest = await load();
    const response = await guest.serve(ask('/half?waits'));
    expect(response.status).toBe(200);
    expect(await failure(response.text())).toMatchObject(INCOMPLETE);
    expect(guest.state).toBe('ready');
  });

  test('is there before its body, which waits for whoever reads it', async () => {
    await using guest = await load();
    const size = 8 * CONTENT_BUFFER_BYTES;
    const response = await guest.serve(ask(`/many?${size}`));
    await sleep(100);
    expect(guest.state).toBe('running');
    expect((await response.arrayBuffer()).byteLength).toBe(size);
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/last')).toBe(`${size} finished`);
  });

  test('and a request of many bytes leave the event loop to others', async () => {
    await using guest = await load({ limits: 'permissive' });
    let turns = 0;
    const count = (): void => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const size = 16 * CONTENT_BUFFER_BYTES;
    let left = size / 4096;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(4096));
        else controller.close();
      },
    });
    expect(await (await guest.serve(ask('/read', streaming(body)))).text()).toBe(`${size} bytes`);
    expect(turns).toBeGreaterThan(8);
    turns = 0;
    const response = await guest.serve(ask(`/many?${size}`));
    expect((await response.arrayBuffer()).byteLength).toBe(size);
    expect(turns).toBeGreaterThan(8);
    clearImmediate(timer);
  });

  test("that nobody reads is its caller's, and takes nothing of the guest up", async () => {
    await using guest = await load({ limits: { hostBytes: 4 * CONTENT_BUFFER_BYTES } });
    const responses: Response[] = [];
    const size = CONTENT_BUFFER_BYTES / 2;
    for (let round = 0; round < 10; round++) {
      responses.push(await guest.serve(ask('/echo', { method: 'POST', body: new Uint8Array(size) })));
      await until(() => guest.state === 'ready');
    }
    for (const response of responses) expect((await response.arrayBuffer()).byteLength).toBe(size);
  });

  test('whose reader goes away closes the stream that the guest writes to', async () => {
    await using guest = await load();
    const response = await guest.serve(ask(`/many?${100 * CONTENT_BUFFER_BYTES}`));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/last')).toMatch(/^\d+ write {"tag":"closed"}$/);
  });

  test('of a guest that is stopped on its way errors its body with what stopped it', async () => {
    await using guest = await load({ limits: { fuel: 500e6 } });
    const response = await guest.serve(ask('/stop'));
    const error = await failure(response.text());
    expect(error).toMatchObject({ code: 'FUEL_EXHAUSTED' });
    expect(guest.state).toBe('poisoned');
    await expect(guest.serve(ask('/hello'))).rejects.toMatchObject({ code: 'GUEST_POISONED' });
  });

  test('that is whole stays so when the guest is stopped behind it', async () => {
    await using guest = await load({ limits: { fuel: 500e6 } });
    expect(await text(guest, '/early')).toBe('early');
    await until(() => guest.state === 'poisoned');
  });

  test('of a guest that is stopped before it is its error', async () => {
    await using guest = await load({ limits: { fuel: 500e6 } });
    await expect(guest.serve(ask('/spin'))).rejects.toMatchObject({ code: 'FUEL_EXHAUSTED' });
    expect(guest.state).toBe('poisoned');
  });

  test('to a client that is too slow for the deadline costs the guest', async () => {
    await using guest = await load({ limits: { timeMs: 300 } });
    const body = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    await expect(guest.serve(ask('/read', streaming(body)))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });
});

describe('a signal', () => {
  const aborted = () => {
    const controller = new AbortController();
    const reason = new Error('nobody is there any more');
    return { reason, signal: controller.signal, abort: () => controller.abort(reason) };
  };

  test('that was aborted before is no request', async () => {
    await using guest = await load();
    const { reason, signal, abort } = aborted();
    abort();
    expect(await failure(guest.serve(ask('/hello', { signal })))).toBe(reason);
    expect(guest.usage.hostCalls).toBe((await load()).usage.hostCalls);
  });

  test('takes a request out of the queue', async () => {
    await using guest = await load();
    const { reason, signal, abort } = aborted();
    const never = new ReadableStream<Uint8Array>({ pull: () => sleep(50) });
    const ends = aborted();
    const first = failure(guest.serve(ask('/read', streaming(never, { signal: ends.signal }))));
    const second = failure(guest.serve(ask('/set?second', { signal })));
    abort();
    expect(await second).toBe(reason);
    ends.abort();
    expect(await first).toBe(ends.reason);
    expect(await text(guest, '/last')).not.toBe('second');
  });

  test('gives the places of all that it takes out of the queue to others at once', async () => {
    await using guest = await load();
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    const ends = aborted();
    const first = failure(guest.serve(ask('/read', streaming(never, { signal: ends.signal }))));
    await until(() => guest.state === 'running');
    const { reason, signal, abort } = aborted();
    const asked = Array.from({ length: MAX_WAITING_REQUESTS }, () => failure(guest.serve(ask('/hello', { signal }))));
    await expect(guest.serve(ask('/hello'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    abort();
    const next = text(guest, '/hello');
    expect(new Set(await Promise.all(asked))).toEqual(new Set([reason]));
    ends.abort();
    expect([await first, await next]).toEqual([ends.reason, 'hello']);
  });

  test('leaves the guest what it was, with both bodies closed', async () => {
    await using guest = await load();
    const { reason, signal, abort } = aborted();
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    const response = failure(guest.serve(ask('/read', streaming(never, { signal }))));
    await until(() => guest.state === 'running');
    abort();
    expect(await response).toBe(reason);
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/last')).toBe('read {"tag":"connection-terminated"}');
  });

  test('is heard also when nobody but the guest is left with the request', async () => {
    await using guest = await load();
    const { reason, signal, abort } = aborted();
    const response = await guest.serve(ask(`/many?${100 * CONTENT_BUFFER_BYTES}`, { signal }));
    // A Request that is collected takes its signal's ties to the caller's with it.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let round = 0; round < 5; round++) {
      collect();
      await sleep(10);
    }
    abort();
    expect(await failure(response.text())).toBe(reason);
    await until(() => guest.state === 'ready');
  });

  test('breaks off a response that is on its way', async () => {
    await using guest = await load();
    const { reason, signal, abort } = aborted();
    const response = await guest.serve(ask(`/many?${100 * CONTENT_BUFFER_BYTES}`, { signal }));
    abort();
    expect(await failure(response.text())).toBe(reason);
    await until(() => guest.state === 'ready');
    expect(await text(guest, '/last')).toMatch(/write {"tag":"closed"}$/);
  });
});

describe('requests of one guest', () => {
  test('are served in the order in which they came, each as a call with limits of its own', async () => {
    await using guest = await load({ limits: { fuel: 200e6 } });
    const order: number[] = [];
    const asked = Array.from({ length: 20 }, async (_, index) => {
      expect(await text(guest, '/work')).toBe('worked');
      order.push(index);
    });
    await Promise.all(asked);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(guest.usage.fuel).toBeGreaterThan(200e6);
  });

  test('wait up to a bound', async () => {
    await using guest = await load({}, hello);
    const asked = Array.from({ length: MAX_WAITING_REQUESTS + 1 }, () => guest.serve(ask('/')));
    const outcomes = await Promise.allSettled(asked);
    expect(outcomes.slice(0, MAX_WAITING_REQUESTS).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'QUEUE_FULL', details: { maximum: MAX_WAITING_REQUESTS } } });
    expect((await guest.serve(ask('/'))).status).toBe(200);
  });

  test.each([
    ['is stopped', 'GUEST_POISONED'],
    ['is disposed of', 'DISPOSED'],
  ])('that wait fail when the guest %s', async (how, code) => {
    const guest = await load({ limits: { fuel: 500e6 } });
    const first = failure(guest.serve(ask(how === 'is stopped' ? '/spin' : '/hello')));
    const second = failure(guest.serve(ask('/hello')));
    if (how === 'is disposed of') guest.dispose();
    await first;
    expect(await second).toMatchObject({ code });
  });

  test('leave no handles behind', async () => {
    await using guest = await load({ limits: { handles: 5 } }, hello);
    for (let round = 0; round < 100; round++) expect(await text(guest, '/')).toBe('hello');
  });

  test('are calls like others, which do not overlap', async () => {
    await using guest = await load();
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    const controller = new AbortController();
    const served = failure(guest.serve(ask('/read', streaming(never, { signal: controller.signal }))));
    await until(() => guest.state === 'running');
    await expect(guest.call('demo:http/client#sendAll', [])).rejects.toMatchObject({ code: 'INVALID_STATE' });
    controller.abort();
    await served;
    await until(() => guest.state === 'ready');
    expect(await guest.call('demo:http/client#sendAll', [])).toEqual([]);
  });
});

test.each(['core module', 'component'])('a %s without the handler serves nothing', async (kind) => {
  const bytes = kind === 'component' ? await exampleGuest('text-tools') : await wat('(module)');
  await using guest = await new Sandbox({ imports: { 'demo:text/host': { log: () => undefined, lookup: () => undefined } } }).load(bytes);
  await expect(guest.serve(ask('/'))).rejects.toMatchObject({ code: 'FUNCTION_NOT_FOUND' });
  expect(guest.state).toBe('ready');
});

describe("programs written for the web's events", () => {
  test('serve one request for each guest', async () => {
    await using first = await load({}, web);
    const response = await first.serve(ask('/page'));
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, 'text/plain', 'hello /page']);
    await using second = await load({}, web);
    expect(await (await second.serve(ask('/upper', { method: 'POST', body: 'abc'.repeat(50_000) }))).text()).toBe('ABC'.repeat(50_000));
  });

  test('ask others for what they serve', async () => {
    const { authority } = await serve((request, response) => void response.writeHead(418, { 'x-from': 'far' }).end(`far ${request.url}`));
    await using guest = await load({ grant: Cap.CONSOLE | Cap.TIME | Cap.RANDOM | Cap.NETWORK, network: { hosts: [authority] } }, web);
    const response = await guest.serve(ask(`/fetch?url=http://${authority}/x`));
    expect([response.status, response.headers.get('x-from'), await response.text()]).toEqual([418, 'far', 'far /x']);
  });
});

describe("behind Node's server", () => {
  const fetched = (url: string, agent: Agent): Promise<string> =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (response) => {
        const pieces: string[] = [];
        response.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
        response.on('end', () => resolve(`${response.statusCode} ${pieces.join('')}`)).on('error', reject);
      }).on('error', reject);
    });

  test('none of two thousand requests on fifty connections is lost', async () => {
    await using guest = await load({}, hello);
    const { authority, sockets } = await serve(nodeHandler(guest));
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    const answers = await Promise.all(Array.from({ length: 2_000 }, () => fetched(`http://${authority}/`, agent)));
    agent.destroy();
    expect([answers.length, new Set(answers), sockets.length]).toEqual([2_000, new Set(['200 hello']), 50]);
  });

  test('a client that goes away in the middle leaves the guest to the others', async () => {
    await using guest = await load();
    const { authority } = await serve(nodeHandler(guest));
    const response = await fetch(`http://${authority}/many?${100 * CONTENT_BUFFER_BYTES}`);
    await response.body?.cancel();
    expect(await (await fetch(`http://${authority}/last`)).text()).toMatch(/write {"tag":"closed"}$/);
    expect(await (await fetch(`http://${authority}/echo`, { method: 'POST', body: 'abc' })).text()).toBe('abc');
  });

  test('what fails in the guest is answered for it', async () => {
    await using guest = await load();
    const { authority } = await serve(nodeHandler(guest));
    for (const path of ['/never', '/error', '/half', '/length?5']) expect([path, (await fetch(`http://${authority}${path}`)).status]).toEqual([path, 502]);
    expect((await fetch(`http://${authority}/hello`)).status).toBe(200);
  });
});
