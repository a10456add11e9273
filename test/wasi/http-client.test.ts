import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { Exchange, MAX_DISCARDED_BYTES } from '../../src/wasi/http/exchange.ts';
import { MAX_FIELDS, MAX_FIELDS_BYTES } from '../../src/wasi/http/fields.ts';
import { CONTENT_BUFFER_BYTES } from '../../src/wasi/http/outgoing-content.ts';
import { Network } from '../../src/wasi/network/network.ts';
import { resolveNetwork } from '../../src/wasi/network/policy.ts';
import { echo, HttpGuest, json, serve, serveBytes, until } from './http.ts';
import { EVERYTHING } from './sockets.ts';
import { ALL, RecordingControl, stopOf, thrownBy } from './support.ts';

describe('a request', () => {
  test('goes out as the guest wrote it, with the host that it named and nothing of the host process', async () => {
    const { authority } = await echo();
    const guest = new HttpGuest();
    const received = await guest.send({
      authority,
      path: '/a%20b?c=d',
      headers: [
        ['X-One', '1'],
        ['x-one', '2'],
        ['__proto__', 'data'],
      ],
    });
    expect(received.status).toBe(200);
    expect(json(received)).toEqual({
      method: 'GET',
      url: '/a%20b?c=d',
      rawHeaders: ['Host', authority, 'X-One', '1', 'x-one', '2', '__proto__', 'data', 'Connection', 'keep-alive'],
      rawTrailers: [],
      body: '',
    });
  });

  test.each([
    [undefined, '/'],
    ['', '/'],
    ['?a', '/?a'],
    ['//evil.example/x', '//evil.example/x'],
    ['/\\..\\x', '/\\..\\x'],
  ])('with the path %s asks for %s', async (path, url) => {
    const { authority } = await echo();
    expect(json(await new HttpGuest().send({ authority, ...(path !== undefined && { path }) }))).toMatchObject({ url });
  });

  test.each(['GET', 'DELETE', 'POST', 'PUT', 'PATCH', 'OPTIONS', 'PURGE'])(
    '%s has a body of a known frame, also on a connection that is used again',
    async (method) => {
      const { authority, sockets } = await echo();
      const guest = new HttpGuest();
      const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
      const chunked = json(await guest.send({ authority, method, body: [smuggled, 'more'] }));
      expect(chunked).toMatchObject({ method, body: `${smuggled}more` });
      expect(chunked.rawHeaders).toContain('Transfer-Encoding');
      const sized = json(await guest.send({ authority, method, headers: [['Content-Length', '3']], body: ['abc'] }));
      expect(sized).toMatchObject({ method, body: 'abc' });
      expect(sized.rawHeaders).not.toContain('Transfer-Encoding');
      expect(json(await guest.send({ authority, method, path: '/last' }))).toMatchObject({ url: '/last', body: '' });
      expect(sockets).toHaveLength(1);
    },
  );

  test('whose body is there before it is sent says how long it is', async () => {
    const { authority } = await echo();
    const guest = new HttpGuest();
    const request = guest.request({ authority, method: 'POST' });
    await guest.write(request.body(), ['whole']);
    const { rawHeaders, body } = json(await guest.receive(await guest.response(guest.start(request))));
    expect([rawHeaders.slice(2, 4), body]).toEqual([['Content-Length', '5'], 'whole']);
  });

  test('carries trailers, and so does its response', async () => {
    const { authority } = await serve((request, response) => {
      response.writeHead(200, { trailer: 'x-sum' });
      request.on('data', () => undefined);
      request.on('end', () => {
        response.write(JSON.stringify(request.rawTrailers));
        response.addTrailers({ 'x-sum': '42' });
        response.end();
      });
    });
    const received = await new HttpGuest().send({ authority, method: 'POST', body: ['a'], trailers: [['X-After', '1']] });
    expect(json(received)).toEqual(['X-After', '1']);
    expect(received.trailers).toEqual([['x-sum', '42']]);
  });

  test.each([
    ['when it declares its length', [['Content-Length', '1']], 'X-After'],
    ['that declare it', [], 'Content-Length'],
  ] as const)('carries no trailers %s, and does not lose them silently', async (_, headers, trailer) => {
    const whole: string[] = [];
    const { authority } = await serve((request) => void request.on('data', () => undefined).on('end', () => whole.push('end')));
    const guest = new HttpGuest();
    const request = guest.request({ authority, method: 'POST', headers });
    const body = request.body();
    const future = guest.start(request);
    const failure = { tag: 'HTTP-protocol-error' };
    await expect(guest.write(body, ['a'], [[trailer, '1']])).rejects.toEqual(failure);
    await expect(guest.response(future)).rejects.toEqual(failure);
    expect(whole).toEqual([]);
  });

  test('that asks for permission to send its body sends it all the same', async () => {
    const { authority } = await echo();
    expect(json(await new HttpGuest().send({ authority, method: 'POST', headers: [['Expect', '100-continue']], body: ['x'] }))).toMatchObject({ body: 'x' });
  });

  test.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('%s that is answered with %i has no body', async (method, status) => {
    const { authority } = await serve((_, response) => {
      response.writeHead(status, method === 'HEAD' ? { 'content-length': 1_000 } : {});
      response.end();
    });
    const guest = new HttpGuest();
    for (let round = 0; round < 2; round++) expect(await guest.send({ authority, method })).toMatchObject({ status, body: Buffer.alloc(0) });
  });

  test.each(['CONNECT', 'connect'])('%s is none that a guest may make', async (method) => {
    const guest = new HttpGuest();
    expect(thrownBy(() => guest.start(guest.request({ authority: '127.0.0.1:1', method })))).toEqual({ tag: 'HTTP-request-method-invalid' });
  });

  test('waits for the guest to write on, and the guest for the server to read on', async () => {
    const { authority, sockets } = await serve((request) => void request.pause());
    const guest = new HttpGuest();
    const request = guest.request({ authority, method: 'POST' });
    const body = request.body();
    const future = guest.start(request);
    const stream = body.write();
    let written = 0;
    const piece = new Uint8Array(64 * 1024);
    for (let quiet = 0; quiet < 20; ) {
      if (stream.checkWrite() >= BigInt(piece.length)) {
        stream.write(piece);
        written += piece.length;
        quiet = 0;
      } else {
        await new Promise((resolve) => setTimeout(resolve, 10));
        quiet++;
      }
    }
    // What the guest is ahead of the server is in the sockets' buffers, and up to so much here.
    expect(written - (sockets[0]?.bytesRead ?? 0)).toBeLessThan(CONTENT_BUFFER_BYTES + 8 * 1024 * 1024);
    expect(thrownBy(() => stream.write(piece))).toBeDefined();
    future.close();
  });
});

describe('a request that is observed', () => {
  test.each(['revoked', 'disposed', 'stopped'] as const)('does not go out when the observer has the guest %s', async (what) => {
    const { authority, sockets } = await echo();
    const guest: HttpGuest = new HttpGuest(EVERYTHING, {}, ALL | Cap.NETWORK, () => {
      if (what === 'revoked') guest.host.revoke(Cap.NETWORK);
      else if (what === 'disposed') guest.host.dispose();
      else guest.control.budget = 0;
    });
    const start = () => guest.start(guest.request({ authority }));
    if (what === 'stopped') expect(stopOf(start)).toBe('FUEL_EXHAUSTED');
    else expect(thrownBy(start)).toEqual({ tag: 'HTTP-request-denied' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sockets).toHaveLength(0);
  });

  test('what is opened for a guest whose host was disposed of is closed again', async () => {
    const context = new WasiContext(0, limits.default, new RecordingControl());
    context.closeAll();
    let closed = 0;
    const close = () => void closed++;
    context.keep({ close });
    context.hold({ close });
    await Promise.resolve();
    expect(closed).toBe(2);
  });
});

describe('a request that Node does not take', () => {
  test('fails, and takes up no connection', () => {
    const context = new WasiContext(Cap.NETWORK, limits.default, new RecordingControl());
    const network = new Network(context, resolveNetwork({ ...EVERYTHING, maxConnections: 1 }));
    const start = (): never => {
      throw Object.assign(new Error('a word of the host'), { code: 'ERR_INVALID_CHAR' });
    };
    for (let round = 0; round < 2; round++) {
      expect(thrownBy(() => new Exchange(context, network, { start, content: undefined, repeatable: true }, {}))).toEqual({
        tag: 'internal-error',
        val: undefined,
      });
    }
    expect(thrownBy(() => new HttpGuest().fields([['Trailer', 'x']]))).toEqual({ tag: 'forbidden' });
  });
});

describe('the length that a guest declares', () => {
  const declared = (guest: HttpGuest, authority: string) => guest.request({ authority, method: 'POST', headers: [['Content-Length', '11']] });

  test('holds when it writes so much', async () => {
    const { authority } = await echo();
    const guest = new HttpGuest();
    const request = declared(guest, authority);
    const body = request.body();
    const future = guest.start(request);
    await guest.write(body, ['long ', 'enough']);
    expect(json(await guest.receive(await guest.response(future)))).toMatchObject({ body: 'long enough' });
  });

  test('fails the finish when it writes less, and the server never gets a whole request', async () => {
    const whole: string[] = [];
    const { authority } = await serve((request) => void request.on('data', () => undefined).on('end', () => whole.push('end')));
    const guest = new HttpGuest();
    const request = declared(guest, authority);
    const body = request.body();
    const future = guest.start(request);
    await expect(guest.write(body, ['msg'])).rejects.toEqual({ tag: 'HTTP-request-body-size', val: 3n });
    await expect(guest.response(future)).rejects.toEqual({ tag: 'HTTP-request-body-size', val: 3n });
    expect(whole).toEqual([]);
  });

  test('fails the write when it writes more, and nothing of that is sent', async () => {
    const { authority, sockets } = await echo();
    const guest = new HttpGuest();
    const request = declared(guest, authority);
    const body = request.body();
    const future = guest.start(request);
    await expect(guest.write(body, ['more than 11 bytes'])).rejects.toEqual({ tag: 'HTTP-request-body-size', val: 18n });
    expect(thrownBy(() => guest.types.OutgoingBody.finish(body, undefined))).toEqual({ tag: 'HTTP-request-body-size', val: 18n });
    await expect(guest.response(future)).rejects.toEqual({ tag: 'HTTP-request-body-size', val: 18n });
    for (const { bytesRead } of sockets) expect(bytesRead).toBeLessThan(200);
  });

  test('is refused for a request without a body', () => {
    const guest = new HttpGuest();
    expect(thrownBy(() => guest.start(declared(guest, '127.0.0.1:1')))).toEqual({ tag: 'HTTP-request-body-size', val: 0n });
  });

  test.each(['before', 'after'])('a body that is dropped unfinished %s it is sent breaks the request off', async (when) => {
    const { authority } = await echo();
    const guest = new HttpGuest();
    const request = guest.request({ authority, method: 'POST' });
    const body = request.body();
    if (when === 'before') body.close();
    const future = guest.start(request);
    body.close();
    await expect(guest.response(future)).rejects.toEqual({ tag: 'HTTP-protocol-error' });
  });
});

describe('what a server does', () => {
  const answering = (text: string, end = true) =>
    serveBytes((socket) => {
      socket.once('data', () => (end ? socket.end(text, 'latin1') : socket.write(text, 'latin1')));
    });
  const HEAD = 'HTTP/1.1 200 OK\r\n';

  test.each([
    ['no HTTP', 'hello\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['an unknown version', 'HTTP/9.9 200 OK\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['nothing', '', { tag: 'connection-terminated' }],
    ['half a head', `${HEAD}Content-`, { tag: 'connection-terminated' }],
    ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, { tag: 'HTTP-protocol-error' }],
    [
      'a length and chunks',
      `${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      { tag: 'HTTP-response-transfer-coding', val: undefined },
    ],
    ['less than it says', `${HEAD}Content-Length: 10\r\n\r\nfour`, { tag: 'HTTP-response-incomplete' }],
    ['chunks without an end', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n`, { tag: 'HTTP-response-incomplete' }],
    ['a status below all', 'HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['a status of two digits', 'HTTP/1.1 099 None\r\nContent-Length: 0\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['a change of protocol to none', 'HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n', { tag: 'HTTP-protocol-error' }],
    ['a coding that is not undone', `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, { tag: 'HTTP-response-transfer-coding', val: undefined }],
    ['a coding by itself', `${HEAD}Transfer-Encoding: gzip\r\n\r\nx`, { tag: 'HTTP-response-transfer-coding', val: undefined }],
    [
      'chunks twice',
      `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      { tag: 'HTTP-response-transfer-coding', val: undefined },
    ],
    ['a chunk of no size', `${HEAD}Transfer-Encoding: chunked\r\n\r\nfour\r\n`, { tag: 'HTTP-protocol-error' }],
    ['a protocol that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', { tag: 'HTTP-upgrade-failed' }],
  ])('that answers %s fails the request', async (_, text, code) => {
    const { authority } = await answering(text);
    await expect(new HttpGuest().send({ authority })).rejects.toEqual(code);
  });

  test('what comes in front of a failure can be read', async () => {
    const { authority } = await answering(`${HEAD}Content-Length: 10\r\n\r\nfour`, false);
    const guest = new HttpGuest();
    const body = (await guest.response(guest.start(guest.request({ authority })))).consume();
    const stream = body.stream();
    expect(Buffer.from(await guest.run(() => stream.blockingRead(3n))).toString()).toBe('fou');
    expect(Buffer.from(await guest.run(() => stream.blockingRead(100n))).toString()).toBe('r');
    expect(stream.read(100n)).toHaveLength(0);
  });

  test('a body without a length ends with its connection', async () => {
    const { authority } = await answering(`${HEAD}\r\nuntil the end`);
    expect((await new HttpGuest().send({ authority })).body.toString()).toBe('until the end');
  });

  test('informational responses are not the response', async () => {
    const { authority } = await answering(
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${HEAD}X-A: 1\r\nContent-Length: 2\r\n\r\nok`,
    );
    const { status, headers, body } = await new HttpGuest().send({ authority });
    expect([status, headers, body.toString()]).toEqual([
      200,
      [
        ['X-A', '1'],
        ['Content-Length', '2'],
      ],
      'ok',
    ]);
  });

  test('fields of the connection are not shown, all others are, as they came', async () => {
    const { authority } = await answering(
      `${HEAD}Connection: close\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n__proto__: a\r\nX-B: \xe9\r\nx-b: 2\r\n\r\n0\r\n\r\n`,
    );
    expect((await new HttpGuest().send({ authority })).headers).toEqual([
      ['__proto__', 'a'],
      ['X-B', '\xe9'],
      ['x-b', '2'],
    ]);
  });

  test('a compressed body is passed on as it is', async () => {
    const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024));
    const { authority } = await serve((_, response) => response.writeHead(200, { 'content-encoding': Array(20).fill('gzip').join(', ') }).end(bomb));
    expect((await new HttpGuest().send({ authority })).body).toEqual(bomb);
  });

  test.each([
    ['refuses connections', undefined, 'connection-refused'],
    ['resets them', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy(), 'connection-terminated'],
  ])('that %s fails the request', async (_, handler, tag) => {
    const { authority, server } = await serveBytes((socket) => socket.once('data', () => handler?.(socket)));
    if (handler === undefined) await new Promise((resolve) => server.close(resolve));
    await expect(new HttpGuest().send({ authority })).rejects.toEqual({ tag });
  });

  test('that resets the connection in the middle of a body fails the body', async () => {
    const { authority } = await serveBytes((socket) => {
      socket.once('data', () => socket.write(`${HEAD}Content-Length: 100\r\n\r\nsome`, () => setTimeout(() => socket.resetAndDestroy(), 20)));
    });
    await expect(new HttpGuest().send({ authority })).rejects.toEqual({ tag: 'connection-terminated' });
  });

  test('names that cannot be resolved are told apart from servers that cannot be reached', async () => {
    const failing = (code: string) => () => Promise.reject(Object.assign(new Error('a secret of the host'), { code }));
    const codes = { ENOTFOUND: { tag: 'DNS-error', val: {} }, EAI_AGAIN: { tag: 'DNS-error', val: {} }, EUNKNOWN: { tag: 'DNS-error', val: {} } };
    for (const [code, expected] of Object.entries(codes)) {
      await expect(new HttpGuest({ hosts: ['a.example'], lookup: failing(code) }).send({ authority: 'a.example' })).rejects.toEqual(expected);
    }
  });
});

describe('bounds', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n';
  const withFields = (fields: string) => serveBytes((socket) => socket.once('data', () => socket.end(`${HEAD}${fields}\r\nok`)));

  test('of the bytes of a response head hold at their edge', async () => {
    const under = await withFields(`X: ${'a'.repeat(MAX_FIELDS_BYTES - 100)}\r\n`);
    expect((await new HttpGuest().send({ authority: under.authority })).body.toString()).toBe('ok');
    const over = await withFields(`X: ${'a'.repeat(MAX_FIELDS_BYTES)}\r\n`);
    await expect(new HttpGuest().send({ authority: over.authority })).rejects.toEqual({ tag: 'HTTP-response-header-section-size', val: undefined });
  });

  test('of the number of fields of a response hold at their edge', async () => {
    const under = await withFields('X: a\r\n'.repeat(MAX_FIELDS - 1));
    expect((await new HttpGuest().send({ authority: under.authority })).headers).toHaveLength(MAX_FIELDS);
    const over = await withFields('X: a\r\n'.repeat(MAX_FIELDS));
    await expect(new HttpGuest().send({ authority: over.authority })).rejects.toEqual({ tag: 'HTTP-response-header-section-size', val: undefined });
  });

  test('of the trailers of a response hold at their edge', async () => {
    const { authority } = await serveBytes((socket) =>
      socket.once('data', (head: Buffer) => {
        const count = Number(/\/(\d+) /.exec(String(head))?.[1]);
        socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: a\r\n'.repeat(count)}\r\n`);
      }),
    );
    const guest = new HttpGuest();
    expect((await guest.send({ authority, path: `/${MAX_FIELDS}` })).trailers).toHaveLength(MAX_FIELDS);
    await expect(guest.send({ authority, path: `/${MAX_FIELDS + 1}` })).rejects.toEqual({ tag: 'HTTP-response-trailer-section-size', val: undefined });
  });

  test.each(['length', 'chunks'])('of the bytes of a body with %s hold at their edge', async (kind) => {
    const { authority } = await serve((request, response) => {
      const size = Number(request.url?.slice(1));
      if (kind === 'length') response.writeHead(200, { 'content-length': size });
      response.write(Buffer.alloc(size - 1));
      response.end('.');
    });
    const guest = new HttpGuest({ ...EVERYTHING, maxBodyBytes: 200_000 });
    expect((await guest.send({ authority, path: '/200000' })).body).toHaveLength(200_000);
    await expect(guest.send({ authority, path: '/200001' })).rejects.toEqual({ tag: 'HTTP-response-body-size', val: 200_000n });
  });

  test('of what is received for nobody hold at their edge', async () => {
    const { authority, sockets } = await serve((request, response) => {
      response.writeHead(200, { 'content-length': Number(request.url?.slice(1)) });
      response.end(Buffer.alloc(Number(request.url?.slice(1))));
    });
    const guest = new HttpGuest();
    const finish = async (size: number) => {
      const body = (await guest.response(guest.start(guest.request({ authority, path: `/${size}` })))).consume();
      const future = guest.types.IncomingBody.finish(body);
      await guest.ready(future);
      return future.get();
    };
    expect(await finish(MAX_DISCARDED_BYTES)).toEqual({ tag: 'ok', val: { tag: 'ok', val: undefined } });
    expect(await finish(MAX_DISCARDED_BYTES + 1)).toEqual({ tag: 'ok', val: { tag: 'err', val: { tag: 'HTTP-response-incomplete' } } });
    await until(() => sockets.every(({ destroyed }) => destroyed));
  });

  test('an endless body is fetched only as far as the guest reads', async () => {
    let sent = 0;
    const { authority } = await serve((_, response) => {
      const more = (): void => {
        do sent += 64 * 1024;
        while (response.write(Buffer.alloc(64 * 1024)));
        response.once('drain', more);
      };
      more();
    });
    const guest = new HttpGuest();
    const body = (await guest.response(guest.start(guest.request({ authority })))).consume();
    const stream = body.stream();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // In the sockets' buffers, that is, and a little here.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    for (let read = 0; read < 32 * 1024 * 1024; ) read += (await guest.run(() => stream.blockingRead(1n << 20n))).length;
    expect(sent).toBeGreaterThan(32 * 1024 * 1024);
  });

  test('a body that comes in single bytes does not pile up', async () => {
    const { authority, sockets } = await serveBytes((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const more = (): void => {
          while (socket.write('1\r\na\r\n'.repeat(10_000)));
          socket.once('drain', more);
        };
        more();
      });
    });
    const guest = new HttpGuest();
    const stream = (await guest.response(guest.start(guest.request({ authority })))).consume().stream();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(stream.read(1n << 20n).length).toBeLessThan(100_000);
    expect(sockets).toHaveLength(1);
  });

  test.each([
    ['connect', 'connection-timeout'],
    ['firstByte', 'connection-read-timeout'],
    ['betweenBytes', 'connection-read-timeout'],
  ] as const)("of the guest's own on time hold: %s", async (bound, tag) => {
    const { port } = await serveBytes((socket) => {
      socket.once('data', () => bound === 'betweenBytes' && socket.write(`${HEAD}\r\no`));
    });
    const lookup = (): Promise<string[]> | string[] => (bound === 'connect' ? new Promise(() => undefined) : ['127.0.0.1']);
    const guest = new HttpGuest({ hosts: [{ host: `slow.example:${port}`, allowPrivate: true }], lookup });
    await expect(guest.send({ authority: `slow.example:${port}`, [bound]: 50 })).rejects.toEqual({ tag });
  });

  test('of the policy have defaults, and are numbers', () => {
    const { readTimeoutMs, maxBodyBytes } = resolveNetwork({});
    expect([readTimeoutMs, maxBodyBytes]).toEqual([60_000, 256 * 1024 * 1024]);
    for (const bound of ['readTimeoutMs', 'maxBodyBytes']) {
      for (const value of [0, -1, 1.5, NaN, Infinity, '1', null]) {
        expect(thrownBy(() => resolveNetwork({ [bound]: value }))).toMatchObject({ code: 'INVALID_OPTION', details: { option: `network.${bound}` } });
      }
    }
  });

  test('of the policy on time hold, whatever the guest says', async () => {
    const { authority } = await serveBytes(() => undefined);
    const slow = new HttpGuest({ ...EVERYTHING, readTimeoutMs: 50 });
    await expect(slow.send({ authority, firstByte: 1_000_000 })).rejects.toEqual({ tag: 'connection-read-timeout' });
    const unresolved = new HttpGuest({ hosts: ['a.example'], lookup: () => new Promise(() => undefined), connectTimeoutMs: 50 });
    await expect(unresolved.send({ authority: 'a.example', connect: 1_000_000 })).rejects.toEqual({
      tag: expect.stringMatching(/^(?:DNS|connection)-timeout$/),
    });
  });

  test('a server that sends its head byte by byte does not get more time for it', async () => {
    const { authority } = await serveBytes((socket) => {
      const timer = setInterval(() => socket.write('X'), 10);
      socket.on('close', () => clearInterval(timer));
      socket.write('HTTP/1.1 200 OK\r\nX');
    });
    await expect(new HttpGuest().send({ authority, firstByte: 150 })).rejects.toEqual({ tag: 'connection-read-timeout' });
  });

  test.each(['response', 'trailers'])('a guest that asks for its %s again and again lets it come', async (what) => {
    const { authority } = await serve((_, response) => void response.write('endless'));
    const guest = new HttpGuest();
    const response = guest.start(guest.request({ authority }));
    const future = what === 'response' ? response : guest.types.IncomingBody.finish((await guest.response(response)).consume());
    guest.control.sleeps.length = 0;
    for (let look = 0; look < 100; look++) expect(future.get()).toBeUndefined();
    expect(guest.control.sleeps.length).toBeGreaterThan(2);
    future.close();
  });

  test('nothing is timed any more when the guest has dropped the body', async () => {
    const { authority } = await serve((_, response) => void response.write('endless'));
    const guest = new HttpGuest();
    const made = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    onTestFinished(() => void vi.restoreAllMocks());
    const body = (await guest.response(guest.start(guest.request({ authority })))).consume();
    const stream = body.stream();
    await guest.run(() => stream.blockingRead(1n));
    await guest.run(() => stream.blockingRead(100n));
    expect(stream.read(1n)).toHaveLength(0);
    const { readTimeoutMs } = resolveNetwork(EVERYTHING);
    const timers = made.mock.results.map(({ value }) => value as unknown).filter((_, index) => made.mock.calls[index]?.[1] === readTimeoutMs);
    const isCleared = (timer: unknown): boolean => cleared.mock.calls.some(([one]) => (one as unknown) === timer);
    expect(timers.map(isCleared)).toEqual([true, false]);
    body.close();
    expect(timers.map(isCleared)).toEqual([true, true]);
  });

  test('a guest that is slow to read has as long as it likes', async () => {
    const { authority } = await serve((_, response) => response.end(Buffer.alloc(1024 * 1024)));
    const guest = new HttpGuest();
    const response = await guest.response(guest.start(guest.request({ authority }), { betweenBytes: 50 }));
    const stream = response.consume().stream();
    await until(() => stream.read(1n).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await guest.readAll(stream)).toHaveLength(1024 * 1024 - 1);
  });

  test('of connections hold at their edge, and idle ones do not count', async () => {
    const { authority } = await serve((request, response) => void (request.url === '/now' && response.end('now')));
    const guest = new HttpGuest({ ...EVERYTHING, maxConnections: 3 });
    await guest.send({ authority, path: '/now' });
    const futures = [1, 2, 3].map(() => guest.start(guest.request({ authority })));
    const request = guest.request({ authority, method: 'POST' });
    const body = request.body();
    expect(thrownBy(() => guest.start(request))).toEqual({ tag: 'connection-limit-reached' });
    expect(thrownBy(() => body.write().checkWrite())).toEqual({ tag: 'closed' });
    futures[0]?.close();
    expect(await until(() => thrownBy(() => guest.start(guest.request({ authority }))) === undefined)).toBe(true);
  });

  test('of fuel hold for requests that are permitted and for those that are not', async () => {
    const { authority } = await echo();
    const guest = new HttpGuest();
    for (const host of [authority, 'denied.example']) {
      const request = guest.request({ authority: host });
      const before = guest.control.units;
      thrownBy(() => guest.start(request).close());
      expect(guest.control.units - before).toBeGreaterThan(300_000);
    }
  });

  test('what a guest writes before it sends counts against hostBytes', () => {
    const guest = new HttpGuest(EVERYTHING, { hostBytes: 100_000 });
    const write = (size: number) => guest.request({ authority: '127.0.0.1:1' }).body().write().write(new Uint8Array(size));
    write(90_000);
    expect(stopOf(() => write(20_000))).toBe('MEMORY_EXCEEDED');
  });
});

describe('connections', () => {
  test('are used again, one after the other, and as many as are needed at once', async () => {
    const { authority, sockets } = await serve((_, response) => void setTimeout(() => response.end('x'), 20));
    const guest = new HttpGuest();
    for (let round = 0; round < 3; round++) await guest.send({ authority });
    expect(sockets).toHaveLength(1);
    const futures = Array.from({ length: 30 }, () => guest.start(guest.request({ authority })));
    for (const future of futures) expect((await guest.receive(await guest.response(future))).body.toString()).toBe('x');
    expect(sockets.length).toBeLessThanOrEqual(31);
    await until(() => sockets.filter(({ destroyed }) => !destroyed).length <= 16);
  });

  test.each([
    ['GET', undefined],
    ['DELETE', undefined],
    ['POST', { tag: 'connection-terminated' }],
    ['PURGE', { tag: 'connection-terminated' }],
  ])('that the server closes while they are idle lose no %s that may be repeated', async (method, failure) => {
    const { authority, sockets } = await serve((request, response) => {
      if (request.socket === sockets[0] && request.url === '/second') request.socket.destroy();
      else response.end('x');
    });
    const guest = new HttpGuest();
    await guest.send({ authority });
    const second = guest.send({ authority, path: '/second', method }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect([await second, sockets.length]).toEqual([failure, failure === undefined ? 2 : 1]);
  });

  test('that are new are not repeated', async () => {
    const { authority, sockets } = await serve((request) => void request.socket.destroy());
    await expect(new HttpGuest().send({ authority })).rejects.toEqual({ tag: 'connection-terminated' });
    expect(sockets).toHaveLength(1);
  });

  test('are not shared between guests', async () => {
    const { authority, sockets } = await echo();
    await new HttpGuest().send({ authority });
    await new HttpGuest().send({ authority });
    expect(sockets).toHaveLength(2);
  });

  test('are used again after a body that the guest knows the length of and does not read to its end', async () => {
    const { authority, sockets } = await serve((_, response) => response.end('four'));
    const guest = new HttpGuest();
    for (let round = 0; round < 3; round++) {
      const body = (await guest.response(guest.start(guest.request({ authority })))).consume();
      const stream = body.stream();
      await guest.run(() => stream.blockingRead(4n));
      guest.types.IncomingBody.finish(body).close();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(sockets).toHaveLength(1);
  });

  test.each(['the future', 'the response', 'the body', 'the trailers'])('are closed when the guest drops %s', async (what) => {
    const { authority, sockets } = await serve((_, response) => void response.write('endless'));
    const guest = new HttpGuest();
    const future = guest.start(guest.request({ authority }));
    await until(() => sockets.length > 0);
    if (what === 'the future') future.close();
    else {
      const response = await guest.response(future);
      if (what === 'the response') response.close();
      else {
        const body = response.consume();
        if (what === 'the body') body.close();
        else guest.types.IncomingBody.finish(body).close();
      }
    }
    await until(() => sockets.every(({ destroyed }) => destroyed));
  });

  test.each(['revoked', 'disposed'])('are closed when the network is taken away: %s', async (how) => {
    const { authority, sockets } = await serve((request, response) => {
      if (request.url === '/now') response.end();
      else if (request.url === '/body') response.write('endless');
    });
    const guest = new HttpGuest();
    await guest.send({ authority, path: '/now' });
    const body = (await guest.response(guest.start(guest.request({ authority, path: '/body' })))).consume();
    const stream = body.stream();
    await guest.run(() => stream.blockingRead(100n));
    const future = guest.start(guest.request({ authority, path: '/never' }));
    await until(() => sockets.length === 2);
    if (how === 'revoked') {
      guest.host.revoke(Cap.NETWORK);
      await expect(guest.response(future)).rejects.toEqual({ tag: 'HTTP-request-denied' });
      expect(thrownBy(() => stream.read(1n))).toMatchObject({ tag: 'last-operation-failed' });
    } else guest.host.dispose();
    await until(() => sockets.every(({ destroyed }) => destroyed));
  });
});
