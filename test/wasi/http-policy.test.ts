// What requests of guests may reach, and that they reach nothing else.
import { execFile } from 'node:child_process';
import { createServer as createTlsServer } from 'node:https';
import { promisify } from 'node:util';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { HttpClient } from '../../src/wasi/http/client.ts';
import { FieldList } from '../../src/wasi/http/fields.ts';
import { Network } from '../../src/wasi/network/network.ts';
import { resolveNetwork } from '../../src/wasi/network/policy.ts';
import { parseHost } from '../../src/wasi/network/hosts.ts';
import { identity } from './certificate.ts';
import { echo, HttpGuest, json, listening, serve, serveBytes } from './http.ts';
import { EVERYTHING } from './sockets.ts';
import { ALL, RecordingControl, thrownBy } from './support.ts';

describe('what is not permitted', () => {
  test.each([
    ['another port', { hosts: ['127.0.0.1:1'] }],
    ['another scheme', { hosts: ['https://127.0.0.1:*'] }],
    ['another host', { hosts: ['127.0.0.2:*'] }],
    ['nothing', {}],
  ])('is denied before anything is connected, when the policy permits %s', async (_, network) => {
    const { authority, sockets } = await echo();
    const guest = new HttpGuest(network);
    expect(thrownBy(() => guest.start(guest.request({ authority })))).toEqual({ tag: 'HTTP-request-denied' });
    expect(sockets).toHaveLength(0);
  });

  test('is everything without NETWORK, and once it is taken back', async () => {
    const { authority } = await echo();
    const without = new HttpGuest(EVERYTHING, {}, ALL);
    expect(thrownBy(() => without.start(without.request({ authority })))).toEqual({ tag: 'HTTP-request-denied' });
    const guest = new HttpGuest();
    await guest.send({ authority });
    guest.host.revoke(Cap.NETWORK);
    expect(thrownBy(() => guest.start(guest.request({ authority })))).toEqual({ tag: 'HTTP-request-denied' });
  });

  test('is a name that resolves to what is denied', async () => {
    const { port, sockets } = await echo();
    const guest = new HttpGuest({ hosts: [`internal.example:${port}`], lookup: () => ['127.0.0.1'] });
    await expect(guest.send({ authority: `internal.example:${port}` })).rejects.toEqual({ tag: 'destination-IP-prohibited' });
    expect(sockets).toHaveLength(0);
  });

  test('a name is resolved once for a connection, which goes to the address that was checked and names the host', async () => {
    const { port } = await echo();
    const answers = [['127.0.0.1'], ['127.0.0.2']];
    let asked = 0;
    const guest = new HttpGuest({ hosts: [{ host: `http://rebinding.example:${port}`, allowPrivate: true }], lookup: () => answers[asked++] ?? [] });
    for (let round = 0; round < 2; round++) {
      const { rawHeaders } = json(await guest.send({ authority: `Rebinding.example:${port}` }));
      expect(rawHeaders[1]).toBe(`rebinding.example:${port}`);
    }
    expect(asked).toBe(1);
  });

  test.each([
    'user@127.0.0.1',
    '127.0.0.1:0',
    'user:pass@127.0.0.1:80',
    '127.0.0.1:80@evil.example',
    'allowed.example#@evil.example',
    'allowed.example\\@evil.example',
    'allowed.example%00.evil.example',
    'allowed.example\0.evil.example',
    'allowed.example/..',
    'allowed.example?',
    'allowed example',
    '',
    ':80',
    '127.0.0.1:',
    '127.0.0.1:99999',
    '127.0.0.1:8x',
    '[::1',
    '[127.0.0.1]',
    '::1',
    `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`,
    'a'.repeat(100_000),
  ])('%s is no authority', (authority) => {
    const request = new HttpGuest().request({});
    expect(() => request.setAuthority(authority)).toThrow();
    expect(request.authority()).toBeUndefined();
  });

  test.each(['127.1', '0x7f.1', '2130706433', '0177.0.0.1', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '0.0.0.0', 'localhost', 'LOCALHOST.', '１２７.０.０.１'])(
    '%s does not get round a policy for public addresses',
    (host) => {
      const guest = new HttpGuest({ hosts: ['*:*'] });
      const send = async () => guest.send({ authority: `${host}:1` });
      return expect(send()).rejects.toEqual({ tag: expect.stringMatching(/^(?:HTTP-request-denied|destination-IP-prohibited)$/) });
    },
  );

  test('a request without an authority goes nowhere, and a Host header is none that a guest can set', () => {
    const guest = new HttpGuest();
    expect(thrownBy(() => guest.start(guest.request({})))).toEqual({ tag: 'HTTP-request-URI-invalid' });
    expect(thrownBy(() => guest.fields([['host', 'allowed.example']]))).toEqual({ tag: 'forbidden' });
  });

  test.each(['file', 'data', 'ftp', 'ws', 'unix'])('the scheme %s is not spoken', (scheme) => {
    const guest = new HttpGuest();
    expect(thrownBy(() => guest.start(guest.request({ scheme, authority: '127.0.0.1:1' })))).toEqual({ tag: 'HTTP-protocol-error' });
  });

  test('proxies of the environment play no part', async () => {
    const { port } = await echo();
    const { port: proxy, sockets } = await echo();
    const script = `
      import { Cap } from '${new URL('../../src/capabilities.ts', import.meta.url)}';
      import { request } from 'node:http';
      import { WasiContext } from '${new URL('../../src/wasi/context.ts', import.meta.url)}';
      import { limits } from '${new URL('../../src/limits.ts', import.meta.url)}';
      import { HttpClient } from '${new URL('../../src/wasi/http/client.ts', import.meta.url)}';
      import { FieldList } from '${new URL('../../src/wasi/http/fields.ts', import.meta.url)}';
      import { parseHost } from '${new URL('../../src/wasi/network/hosts.ts', import.meta.url)}';
      import { Network } from '${new URL('../../src/wasi/network/network.ts', import.meta.url)}';
      import { resolveNetwork } from '${new URL('../../src/wasi/network/policy.ts', import.meta.url)}';
      const context = new WasiContext(Cap.NETWORK, limits.default, { charge() {} });
      const client = new HttpClient(context, new Network(context, resolveNetwork({ hosts: ['127.0.0.1:*'] })));
      const fields = new FieldList(context);
      const exchange = client.send({ method: 'GET', scheme: 'http', host: parseHost('127.0.0.1'), port: ${port}, path: '/', fields, content: undefined }, {});
      exchange.ready.onChange(() => {
        const { status } = exchange.outcome();
        request({ host: '127.0.0.1', port: ${port} }, (response) => {
          console.log(status, response.statusCode);
          process.exit();
        }).end();
      });`;
    const environment = {
      ...process.env,
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: `http://127.0.0.1:${proxy}`,
      http_proxy: `http://127.0.0.1:${proxy}`,
      NO_PROXY: '',
    };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: environment });
    expect(stdout.trim()).toBe('200 200');
    // The second request was made without an agent of its own: it shows that the environment works.
    expect(sockets).toHaveLength(1);
  });

  test('redirects are given to the guest, and no cookie comes back', async () => {
    const seen: string[][] = [];
    const { authority } = await serve((request, response) => {
      seen.push(request.rawHeaders);
      response.writeHead(302, { location: 'http://denied.example/', 'set-cookie': 'a=b' });
      response.end();
    });
    const guest = new HttpGuest();
    for (let round = 0; round < 2; round++) {
      const { status, headers } = await guest.send({ authority });
      expect([status, headers.find(([name]) => name === 'location')]).toEqual([302, ['location', 'http://denied.example/']]);
    }
    expect(seen).toEqual([seen[0], seen[0]]);
  });

  test('an observer is told of every request', async () => {
    const { port } = await echo();
    const seen: unknown[] = [];
    const context = new WasiContext(Cap.NETWORK, limits.default, new RecordingControl(), (access) => seen.push(access));
    const client = new HttpClient(context, new Network(context, resolveNetwork({ hosts: [`127.0.0.1:${port}`] })));
    const message = { method: 'GET', scheme: 'http', path: '/p', port, content: undefined } as const;
    const exchange = client.send({ ...message, host: parseHost('127.0.0.1') as never, fields: new FieldList(context) }, {});
    expect(thrownBy(() => client.send({ ...message, host: 'other.example', fields: new FieldList(context) }, {}))).toEqual({ tag: 'HTTP-request-denied' });
    const common = { capability: 'network', operation: 'http.request' };
    expect(seen).toEqual([
      { ...common, allowed: true, detail: { method: 'GET', scheme: 'http', host: '127.0.0.1', port, path: '/p' } },
      { ...common, allowed: false, detail: { method: 'GET', scheme: 'http', host: 'other.example', port, path: '/p' } },
    ]);
    exchange.fail({ tag: 'connection-terminated' });
    context.closeAll();
  });
});

describe('over TLS', () => {
  const { key, cert } = identity('secure.example', '127.0.0.1');
  const secure = async () => {
    const names: unknown[] = [];
    const server = createTlsServer({ key, cert }, (request, response) => {
      names.push((request.socket as TLSSocket).servername);
      response.end(request.headers.host);
    });
    return { ...(await listening(server)), names };
  };
  const trusted = (): void => {
    const before = getCACertificates('default');
    setDefaultCACertificates([cert]);
    onTestFinished(() => setDefaultCACertificates(before));
  };
  const guestOf = (name: string, port: number) =>
    new HttpGuest({ hosts: [{ host: `https://${name}:${port}`, allowPrivate: true }], lookup: () => ['127.0.0.1'] });

  test.each([
    ['secure.example', 'secure.example'],
    ['127.0.0.1', false],
  ])('a server that is trusted and is who it should be answers to %s', async (host, servername) => {
    trusted();
    const { port, names } = await secure();
    const { body } = await guestOf(host, port).send({ scheme: 'https', authority: `${host}:${port}` });
    expect([body.toString(), names]).toEqual([`${host}:${port}`, [servername]]);
  });

  test('one that nobody trusts is refused, whatever the environment says', async () => {
    const { port, names } = await secure();
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const guest = guestOf('secure.example', port);
    await expect(guest.send({ scheme: 'https', authority: `secure.example:${port}` })).rejects.toEqual({ tag: 'TLS-certificate-error' });
    expect(names).toEqual([]);
  });

  test('one that is somebody else is refused', async () => {
    trusted();
    const { port } = await secure();
    const guest = guestOf('other.example', port);
    await expect(guest.send({ scheme: 'https', authority: `other.example:${port}` })).rejects.toEqual({ tag: 'TLS-certificate-error' });
  });

  test('one that speaks no TLS, or none that fits, fails the request', async () => {
    const { port, authority } = await serveBytes((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    await expect(guestOf('127.0.0.1', port).send({ scheme: 'https', authority })).rejects.toEqual({ tag: 'TLS-protocol-error' });
    const old = await listening(createTlsServer({ key, cert, ciphers: 'PSK', maxVersion: 'TLSv1.2' }));
    await expect(guestOf('127.0.0.1', old.port).send({ scheme: 'https', authority: old.authority })).rejects.toEqual({
      tag: 'TLS-alert-received',
      val: { alertId: 40 },
    });
  });
});
