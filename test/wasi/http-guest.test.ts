// Programs that make HTTP requests, in components: one by the interfaces of wasi:http themselves, one by the web's `fetch`.
import { describe, expect, test } from 'vitest';
import { starlingGuest } from '../../guest-examples/build.ts';
import { Cap, compile, type Guest, type Module, Sandbox, type SandboxOptions } from '../../src/index.ts';
import { type Received, serve, serveBytes, until, type Wanted } from './http.ts';

const module: Module = await compile(await starlingGuest(new URL('./http-guest/', import.meta.url), 'exports'));
const web: Module = await compile(await starlingGuest(new URL('./web-guest/', import.meta.url), 'events'));

const load = (hosts: readonly string[], options: SandboxOptions = {}, of = module): Promise<Guest> =>
  new Sandbox({ grant: Cap.CONSOLE | Cap.TIME | Cap.RANDOM | Cap.NETWORK, network: { hosts }, ...options }).load(of);

const wanted = ({ body, ...fields }: Wanted) => ({
  method: 'GET',
  scheme: 'http',
  authority: undefined,
  path: '/',
  headers: [],
  body: body?.map((piece) => Uint8Array.from(Buffer.from(piece as string))),
  trailers: [],
  connectTimeout: undefined,
  firstByteTimeout: undefined,
  betweenBytesTimeout: undefined,
  ...fields,
});
const send = async (guest: Guest, request: Wanted): Promise<Received> => (await guest.call('demo:http/client#send', wanted(request))) as Received;
const follow = (guest: Guest, request: Wanted, hops = 100): Promise<unknown> => guest.call('demo:http/client#follow', wanted(request), hops);

describe('a guest that makes requests', () => {
  test('sends and receives headers, bodies and trailers', async () => {
    const { authority } = await serve((request, response) => {
      response.writeHead(201, { 'x-seen': request.headers['x-one'], trailer: 'x-sum' });
      let size = 0;
      request.on('data', (piece: Buffer) => {
        size += piece.length;
        response.write(piece);
      });
      request.on('end', () => {
        response.addTrailers({ 'x-sum': `${size}` });
        response.end();
      });
    });
    await using guest = await load([authority]);
    const body = ['a'.repeat(100_000), 'b'.repeat(200_000)];
    const received = await send(guest, { authority, method: 'POST', headers: [['X-One', '1']], body });
    expect([received.status, Buffer.from(received.body).toString() === body.join(''), received.trailers]).toEqual([201, true, [['x-sum', '300000']]]);
    expect(received.headers).toContainEqual(['x-seen', '1']);
  });

  test('has many under way at once', async () => {
    let most = 0;
    let now = 0;
    const { authority } = await serve((_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        response.end();
      }, 50);
    });
    await using guest = await load([authority]);
    expect(await guest.call('demo:http/client#sendAll', Array(40).fill(wanted({ authority })))).toEqual(Array(40).fill('200'));
    expect(most).toBeGreaterThan(10);
  });

  test('leaves the event loop to others while it waits, and is stopped at its deadline', async () => {
    const { authority, sockets } = await serveBytes((socket) => socket.resume());
    await using guest = await load([authority], { limits: { timeMs: 400 } });
    let turns = 0;
    const timer = setInterval(() => turns++, 10);
    await expect(send(guest, { authority })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
    guest.dispose();
    await until(() => sockets.every(({ destroyed }) => destroyed));
  });

  test.each(['abort', 'revoke'])('is not left waiting after %s', async (how) => {
    const { authority, sockets } = await serveBytes((socket) => socket.resume());
    await using guest = await load([authority]);
    const sent = send(guest, { authority });
    const outcome = expect(sent).rejects.toMatchObject(how === 'abort' ? { code: 'ABORTED' } : { payload: 'response {"tag":"HTTP-request-denied"}' });
    await until(() => sockets.length === 1);
    if (how === 'abort') guest.abort();
    else guest.revoke(Cap.NETWORK);
    await outcome;
    expect(guest.state).toBe(how === 'abort' ? 'poisoned' : 'ready');
  });

  test('cannot wait where nothing else could happen meanwhile', async () => {
    const { authority } = await serve((_, response) => response.end());
    await using guest = await load([authority]);
    expect(() => guest.callSync('demo:http/client#send', wanted({ authority }))).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FEATURE' }));
  });
});

describe('redirects', () => {
  const redirecting = async (target: (hop: number) => string) => {
    const seen: string[] = [];
    const listening = await serve((request, response) => {
      seen.push(request.url ?? '');
      response.writeHead(307, { location: target(Number(request.url?.slice(1))) });
      response.end();
    });
    return { ...listening, seen };
  };

  test.each([
    ['http://denied.example/', 'HTTP-request-denied'],
    ['http://127.0.0.1:1/', 'HTTP-request-denied'],
    ['http://169.254.169.254/latest/meta-data', 'HTTP-request-denied'],
    ['https://127.0.0.1/', 'HTTP-request-denied'],
    ['file://localhost/etc/passwd', 'HTTP-protocol-error'],
    ['file:///etc/passwd', undefined],
    ['http://user@127.0.0.1/', undefined],
  ])('to %s go no further', async (target, tag) => {
    const { authority } = await redirecting(() => target);
    await using guest = await load([`http://${authority}`]);
    const payload = tag === undefined ? expect.stringMatching(/^authority /) : expect.stringContaining(`{"tag":"${tag}"}`);
    await expect(follow(guest, { authority, path: '/0' })).rejects.toMatchObject({ payload });
  });

  test('are followed by the guest as long as it likes, each hop a request of its own', async () => {
    const { authority, seen, sockets } = await redirecting((hop) => `/${hop + 1}`);
    await using guest = await load([`http://${authority}`]);
    await expect(follow(guest, { authority, path: '/0' }, 50)).rejects.toMatchObject({ payload: 'too many hops' });
    expect([seen.length, sockets.length]).toEqual([51, 1]);
  });

  test('to the same name are held to what it resolves to then', async () => {
    const { port, sockets } = await redirecting(() => '/next');
    let answers = 0;
    const lookup = (): string[] => [answers++ === 0 ? '127.0.0.1' : '169.254.169.254'];
    const network = { hosts: [`rebinding.example:${port}`, '127.0.0.1:*'], lookup };
    await using guest = await load([], { network });
    const sent = follow(guest, { authority: `rebinding.example:${port}`, path: '/0' }, 3);
    await until(() => answers > 0);
    await expect(sent).rejects.toMatchObject({ payload: 'too many hops' });
    for (const socket of sockets) socket.destroy();
    await expect(follow(guest, { authority: `rebinding.example:${port}`, path: '/0' }, 3)).rejects.toMatchObject({
      payload: expect.stringContaining('destination-IP-prohibited'),
    });
  });
});

describe('a guest that fetches', () => {
  test('gets what it may, and an error for all else', async () => {
    const { authority } = await serve((request, response) => response.end(`this is ${request.url}`));
    await using guest = await load([authority], {}, web);
    expect(await guest.call('get', `http://${authority}/a?b`)).toBe('200 this is /a?b');
    await expect(guest.call('get', 'http://127.0.0.1:1/')).rejects.toMatchObject({ payload: expect.any(String) });
    expect(await guest.call('get', `http://${authority}/again`)).toBe('200 this is /again');
  });
});
