// wasi:sockets from inside: a component that looks names up, connects, listens and sends datagrams through the real bindings, and is suspended where it
// waits while this process is the other end.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Cap, type Guest, type NetworkOptions, Sandbox } from '../../src/index.ts';
import { errorOf } from '../support/rejection.ts';
import { ERROR_CODES, FAILED, socketsComponent } from './sockets-component.ts';

const component = await socketsComponent();
const open: { close(): unknown }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function load(network: NetworkOptions, grant: number = Cap.NETWORK): Promise<Guest> {
  return new Sandbox({ grant, network }).load(component);
}

async function echoServer(): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.on('error', () => {}).pipe(socket));
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** A port at which nobody listens. */
async function freePort(): Promise<number> {
  const { server, port } = await echoServer();
  server.close();
  await once(server, 'close');
  return port;
}

function failure(code: string): number {
  return FAILED + ERROR_CODES.indexOf(code);
}

const byName = (port: number): NetworkOptions => ({ hosts: [{ host: `*.example:${port}`, allowPrivate: true }], lookup: () => ['127.0.0.1'] });

describe('a component', () => {
  test('looks a name up, connects to it, and gets back what it sent', async () => {
    const { port } = await echoServer();
    await using guest = await load(byName(port));
    for (const count of [0, 1, 300_000]) expect(await guest.call('echo', 'server.example', port, count)).toBe(count);
  });

  test('that may have one connection only has any number of them, one after the other', async () => {
    const { port } = await echoServer();
    await using guest = await load({ ...byName(port), maxConnections: 1 });
    const calls = Array.from({ length: 20 }, () => () => guest.call('echo', 'server.example', port, 10));
    for (const call of calls) expect(await call()).toBe(10);
  });

  test('is served while it waits, many at once on one thread', async () => {
    const { port } = await echoServer();
    const guests = await Promise.all(Array.from({ length: 8 }, () => load(byName(port))));
    expect(await Promise.all(guests.map((guest) => guest.call('echo', 'server.example', port, 200_000)))).toEqual(Array(8).fill(200_000));
    for (const guest of guests) guest.dispose();
  });

  test('listens, and answers who connects', async () => {
    const port = await freePort();
    await using guest = await load({ listen: [`127.0.0.1:${port}`] });
    const served = guest.call('serve', port);
    const client = createConnection(port, '127.0.0.1');
    client.write('knock');
    const [answer] = await once(client, 'data');
    expect([String(answer), await served]).toEqual(['knock', 5]);
    client.destroy();
  });

  test('sends a datagram and receives the answer', async () => {
    const peer = createSocket('udp4', (data, { port, address }) => peer.send(Buffer.concat([data, data]), port, address));
    open.push(peer);
    peer.bind(0, '127.0.0.1');
    await once(peer, 'listening');
    const { port } = peer.address();
    await using guest = await load({ hosts: [`udp://127.0.0.1:${port}`] });
    expect(await guest.call('datagram', port)).toBe(8);
  });

  test('is told in the words of WASI what it may not do, and what did not work', async () => {
    const port = await freePort();
    const cases: [NetworkOptions, number, string, unknown[], string][] = [
      [byName(port), Cap.NETWORK, 'echo', ['server.example', port, 1], 'connection-refused'],
      [byName(port), Cap.NETWORK, 'echo', ['server.example', port + 1, 1], 'access-denied'],
      [byName(port), Cap.NETWORK, 'echo', ['server.test', port, 1], 'access-denied'],
      [byName(port), Cap.NETWORK, 'echo', ['127.0.0.1', port, 1], 'access-denied'],
      [byName(port), Cap.NETWORK, 'echo', ['no name', port, 1], 'invalid-argument'],
      [{ ...byName(port), lookup: () => [] }, Cap.NETWORK, 'echo', ['server.example', port, 1], 'name-unresolvable'],
      [byName(port), Cap.NONE, 'echo', ['server.example', port, 1], 'access-denied'],
      [byName(port), Cap.NETWORK, 'serve', [port], 'access-denied'],
      [byName(port), Cap.NONE, 'serve', [port], 'access-denied'],
      [byName(port), Cap.NETWORK, 'datagram', [port], 'access-denied'],
      [{}, Cap.NETWORK, 'serve', [port], 'access-denied'],
    ];
    for (const [network, grant, name, args, code] of cases) {
      await using guest = await load(network, grant);
      expect([name, args, await guest.call(name, ...args)]).toEqual([name, args, failure(code)]);
    }
  });

  test('that waits for a connection that never comes is stopped at its deadline', async () => {
    const port = await freePort();
    await using guest = await new Sandbox({ grant: Cap.NETWORK, network: { listen: [`127.0.0.1:${port}`] }, limits: { timeMs: 50 } }).load(component);
    expect(await errorOf(() => guest.call('serve', port))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    guest.dispose();
    const [error] = await once(createConnection(port, '127.0.0.1'), 'error');
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('loses its connection when NETWORK is taken back, also while it waits for it', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}).resume());
    open.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using guest = await load(byName(port));
    const call = guest.call('echo', 'server.example', port, 10);
    const [socket] = await once(server, 'connection');
    await once(socket, 'data');
    guest.revoke(Cap.NETWORK);
    expect(await call).toBe(FAILED + 101);
  });

  test('requires NETWORK, and is refused in strict mode without it', async () => {
    const denied = await errorOf(() => new Sandbox({ grant: Cap.NONE, strict: true }).load(component));
    expect(denied).toMatchObject({ code: 'CAPABILITY_DENIED' });
  });
});
