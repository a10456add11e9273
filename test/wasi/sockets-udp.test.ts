// wasi:sockets, UDP and name lookup: states and their errors, datagrams with their bounds, and what policy and revocation do to them. Against real sockets on
// loopback, of this process and of one guest.
import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import {
  type IncomingDatagramStream,
  type OutgoingDatagramStream,
  type ResolveAddressStream,
  socketInterfaces,
  type UdpSocket,
} from '../../src/wasi/component/sockets.ts';
import { type Access, WasiContext } from '../../src/wasi/context.ts';
import { Network } from '../../src/wasi/network/network.ts';
import { type NetworkOptions, resolveNetwork } from '../../src/wasi/network/policy.ts';
import { type Address, EVERYTHING, FAMILIES, type Family, ipv4, ipv6, loopback, mapped, SocketGuest, unspecified } from './sockets.ts';
import { ALL, openDescriptors, RecordingControl, stopOf, thrownBy } from './support.ts';

const peers: Socket[] = [];

afterEach(() => {
  for (const peer of peers.splice(0)) peer.close();
});

/** A socket of this process, with what it received. */
async function peerOn(family: Family): Promise<{ socket: Socket; address: Address; received: string[] }> {
  const socket = createSocket(family === 'ipv4' ? 'udp4' : 'udp6');
  peers.push(socket);
  const received: string[] = [];
  socket.on('message', (data) => received.push(data.toString()));
  await new Promise<void>((resolve) => socket.bind(0, family === 'ipv4' ? '127.0.0.1' : '::1', resolve));
  return { socket, address: loopback(family, socket.address().port), received };
}

function bound(guest: SocketGuest, family: Family, address: Address = loopback(family, 0)): UdpSocket {
  const socket = guest.udp(family);
  guest.bind(socket, address);
  return socket;
}

function send(stream: OutgoingDatagramStream, ...datagrams: { data: string; remoteAddress?: Address }[]): bigint {
  stream.checkSend();
  return stream.send(datagrams.map(({ data, ...rest }) => ({ data: Buffer.from(data), ...rest })));
}

/** What arrives until one with the data `last`, which the system keeps behind all that was sent before it. */
async function receive(guest: SocketGuest, stream: IncomingDatagramStream, last: string, limit = 10n): Promise<[data: string, from: Address][]> {
  const received: [data: string, from: Address][] = [];
  while (received.at(-1)?.[0] !== last) {
    await guest.ready(stream);
    received.push(...stream.receive(limit).map(({ data, remoteAddress }) => [Buffer.from(data).toString(), remoteAddress] as [string, Address]));
  }
  return received;
}

describe.each(FAMILIES)('a UDP socket for %s', (family) => {
  test('has to be bound before it does anything, in two steps', () => {
    using guest = new SocketGuest();
    const socket = guest.udp(family);
    const states = () =>
      Object.values({
        finishBind: thrownBy(() => socket.finishBind()),
        stream: thrownBy(() => socket.stream(undefined)),
        local: thrownBy(() => socket.localAddress()),
        remote: thrownBy(() => socket.remoteAddress()),
      });
    expect(socket.addressFamily()).toBe(family);
    expect(states()).toEqual(['not-in-progress', 'invalid-state', 'invalid-state', 'invalid-state']);
    socket.startBind(guest.network, loopback(family, 0));
    expect(thrownBy(() => socket.startBind(guest.network, loopback(family, 0)))).toBe('concurrency-conflict');
    expect([thrownBy(() => socket.stream(undefined)), thrownBy(() => socket.localAddress())]).toEqual(['invalid-state', 'invalid-state']);
    socket.finishBind();
    expect(thrownBy(() => socket.startBind(guest.network, loopback(family, 0)))).toBe('invalid-state');
    expect(states()).toEqual(['not-in-progress', undefined, undefined, 'invalid-state']);
    const { port } = socket.localAddress().val;
    expect([socket.localAddress(), port > 0]).toEqual([loopback(family, port), true]);
    expect(thrownBy(() => guest.udp(family).startBind(guest.network, loopback(family, port)))).toBe('address-in-use');
  });

  test('is for addresses of its family', () => {
    using guest = new SocketGuest({ hosts: [{ host: '*:*', allowPrivate: true }], listen: ['0.0.0.0/0:*', '[::/0]:*'] });
    const socket = bound(guest, family);
    const [, out] = socket.stream(undefined);
    const bad = family === 'ipv4' ? [loopback('ipv6', 1), mapped(1)] : [loopback('ipv4', 1), mapped(1), ipv6([0, 0, 0, 0, 0, 0, 0x7f00, 1], 1)];
    for (const address of bad) expect(thrownBy(() => guest.udp(family).startBind(guest.network, address))).toBe('invalid-argument');
    for (const address of [...bad, unspecified(family, 1), loopback(family, 0)]) {
      expect(thrownBy(() => socket.stream(address))).toBe('invalid-argument');
      expect(thrownBy(() => send(out, { data: 'x', remoteAddress: address }))).toBe('invalid-argument');
    }
    const missing = family === 'ipv4' ? ipv4('192.0.2.1', 0) : ipv6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 0);
    expect(thrownBy(() => guest.udp(family).startBind(guest.network, missing))).toBe('address-not-bindable');
  });

  test('exchanges datagrams with the outside, whole and with their senders', async () => {
    const peer = await peerOn(family);
    using guest = new SocketGuest();
    const socket = bound(guest, family, unspecified(family, 0));
    const [incoming, outgoing] = socket.stream(undefined);
    expect(send(outgoing, { data: 'one', remoteAddress: peer.address }, { data: '', remoteAddress: peer.address })).toBe(2n);
    await expect.poll(() => peer.received).toEqual(['one', '']);
    expect([incoming.receive(10n), incoming.receive(0n)]).toEqual([[], []]);
    for (const data of ['a', 'bb', '']) peer.socket.send(data, socket.localAddress().val.port, family === 'ipv4' ? '127.0.0.1' : '::1');
    expect(await receive(guest, incoming, 'bb', 1n)).toEqual([
      ['a', peer.address],
      ['bb', peer.address],
    ]);
    expect(await receive(guest, incoming, '', 2n ** 64n - 1n)).toEqual([['', peer.address]]);
  });

  test('that exchanges them with one other end alone sees nothing else, also of what came before', async () => {
    using guest = new SocketGuest();
    const [target, friend, stranger] = [bound(guest, family), bound(guest, family), bound(guest, family)];
    const address = target.localAddress();
    const streams = [friend, stranger].map((socket) => socket.stream(address)[1]) as [OutgoingDatagramStream, OutgoingDatagramStream];
    send(streams[1], { data: 'S' });
    send(streams[0], { data: 'F' });
    await delay(5);
    const [incoming, outgoing] = target.stream(friend.localAddress());
    expect(target.remoteAddress()).toEqual(friend.localAddress());
    send(streams[1], { data: 'S' });
    send(streams[0], { data: 'G' });
    expect(await receive(guest, incoming, 'G')).toEqual([
      ['F', friend.localAddress()],
      ['G', friend.localAddress()],
    ]);
    expect(thrownBy(() => send(outgoing, { data: 'x', remoteAddress: stranger.localAddress() }))).toBe('invalid-argument');
    expect(send(outgoing, { data: 'x', remoteAddress: friend.localAddress() }, { data: 'y' })).toBe(2n);
    const [any, out] = target.stream(undefined);
    expect(thrownBy(() => target.remoteAddress())).toBe('invalid-state');
    expect(thrownBy(() => send(out, { data: 'x' }))).toBe('invalid-argument');
    // What was sent to a socket that was not for it has come back.
    expect(thrownBy(() => streams[1].checkSend())).toBe('connection-refused');
    send(streams[1], { data: 'T' });
    expect(await receive(guest, any, 'T')).toEqual([['T', stranger.localAddress()]]);
  });

  test('changes its other end as often as it likes, and stays bound', async () => {
    using guest = new SocketGuest();
    const socket = bound(guest, family, unspecified(family, 0));
    const { port } = socket.localAddress().val;
    const [first, second] = [bound(guest, family), bound(guest, family)];
    for (const remote of [undefined, first, first, second, undefined, first, undefined]) {
      const [, outgoing] = socket.stream(remote?.localAddress());
      expect(socket.localAddress().val.port).toBe(port);
      if (remote === undefined) continue;
      expect(socket.remoteAddress()).toEqual(remote.localAddress());
      const [incoming] = remote.stream(undefined);
      send(outgoing, { data: 'hello' });
      expect(await receive(guest, incoming, 'hello')).toEqual([['hello', loopback(family, port)]]);
    }
  });

  test('ends the streams that it gave out before', () => {
    using guest = new SocketGuest();
    const socket = bound(guest, family);
    const [incoming, outgoing] = socket.stream(undefined);
    const [, fresh] = socket.stream(undefined);
    expect([thrownBy(() => incoming.receive(1n)), thrownBy(() => outgoing.checkSend())]).toEqual(['invalid-state', 'invalid-state']);
    expect(fresh.checkSend()).toBe(64n);
    socket[Symbol.dispose]();
    expect(thrownBy(() => fresh.checkSend())).toBe('invalid-state');
  });

  test('ends them also when it cannot be given another other end', () => {
    const nowhere = family === 'ipv4' ? ipv4('255.255.255.255', 53) : ipv6([0xfe80, 0, 0, 0, 0, 0, 0, 1], 53);
    using guest = new SocketGuest({ ...EVERYTHING, hosts: [{ host: '*:*', allowPrivate: true }] });
    const socket = bound(guest, family);
    for (const remote of [loopback(family, 9), undefined]) {
      const [incoming, outgoing] = socket.stream(remote);
      expect(thrownBy(() => socket.stream(nowhere))).toMatch(/^(?:access-denied|invalid-argument|remote-unreachable)$/);
      expect([thrownBy(() => incoming.receive(1n)), thrownBy(() => outgoing.checkSend())]).toEqual(['invalid-state', 'invalid-state']);
      expect(thrownBy(() => socket.remoteAddress())).toBe('invalid-state');
    }
    // What is not permitted changes nothing.
    const [incoming] = socket.stream(undefined);
    expect(thrownBy(() => socket.stream(mapped(1)))).toBe('invalid-argument');
    expect(incoming.receive(1n)).toEqual([]);
  });

  test('is told once that nobody is there', async () => {
    using guest = new SocketGuest();
    const [gone, socket] = [bound(guest, family), bound(guest, family)];
    const [incoming, outgoing] = socket.stream(gone.localAddress());
    gone[Symbol.dispose]();
    send(outgoing, { data: 'hello?' });
    await guest.ready(incoming);
    expect([thrownBy(() => incoming.receive(1n)), thrownBy(() => incoming.receive(1n))]).toEqual(['connection-refused', undefined]);
  });
});

describe('datagrams', () => {
  test('that a guest looks for again and again, or for room for them, have the event loop turn now and then', () => {
    using guest = new SocketGuest();
    const [incoming, outgoing] = bound(guest, 'ipv4').stream(loopback('ipv4', 9));
    const { sleeps } = guest.control;
    for (let look = 0; look < 16; look += 1) expect([sleeps.length, incoming.receive(0n), incoming.receive(1n)]).toEqual([0, [], []]);
    expect(sleeps).toEqual([0]);
    send(outgoing, ...Array.from({ length: 64 }, () => ({ data: 'x' })));
    for (let look = 0; look < 16; look += 1) expect([sleeps.length, outgoing.checkSend()]).toEqual([1, 0n]);
    expect(sleeps).toEqual([0, 0]);
  });

  test('are sent as many at once as were permitted, once', () => {
    using guest = new SocketGuest();
    const [, stream] = bound(guest, 'ipv4').stream(loopback('ipv4', 9));
    const many = (count: number) => Array.from({ length: count }, () => ({ data: new Uint8Array(1) }));
    expect(stopOf(() => stream.send(many(1)))).toBe('GUEST_TRAPPED');
    expect(stream.send([])).toBe(0n);
    expect(stream.checkSend()).toBe(64n);
    expect(stopOf(() => stream.send(many(65)))).toBe('GUEST_TRAPPED');
    stream.checkSend();
    expect(stream.send(many(64))).toBe(64n);
    expect(stopOf(() => stream.send(many(1)))).toBe('GUEST_TRAPPED');
    expect([stream.checkSend(), stream.subscribe().ready()]).toEqual([0n, false]);
  });

  test('wait for being permitted until earlier ones have gone', async () => {
    const peer = await peerOn('ipv4');
    using guest = new SocketGuest();
    const [, stream] = bound(guest, 'ipv4').stream(peer.address);
    let sent = 0n;
    while (sent < 200n) {
      const permit = stream.checkSend();
      sent += stream.send(Array.from({ length: Number(permit) }, () => ({ data: Buffer.from('x') })));
      await guest.ready(stream);
    }
    expect(sent).toBeGreaterThanOrEqual(200n);
  });

  test('end with the first that cannot be sent, which is an error only when it is the first of all', () => {
    using guest = new SocketGuest({ ...EVERYTHING, hosts: ['127.0.0.1:9'] });
    const [, stream] = bound(guest, 'ipv4').stream(undefined);
    const [good, bad] = [
      { data: 'x', remoteAddress: loopback('ipv4', 9) },
      { data: 'x', remoteAddress: loopback('ipv4', 10) },
    ];
    expect(send(stream, good, good, bad, good)).toBe(2n);
    expect(thrownBy(() => send(stream, bad, good))).toBe('access-denied');
  });

  test.each([
    ['ipv4', 65_507],
    ['ipv6', 65_527],
  ] as const)('of %s have at most %d bytes', async (family, longest) => {
    using guest = new SocketGuest();
    const receiver = bound(guest, family);
    const [incoming] = receiver.stream(undefined);
    const [, outgoing] = bound(guest, family).stream(receiver.localAddress());
    outgoing.checkSend();
    expect(thrownBy(() => outgoing.send([{ data: new Uint8Array(longest + 1) }]))).toBe('datagram-too-large');
    outgoing.checkSend();
    expect(outgoing.send([{ data: new Uint8Array(longest) }])).toBe(1n);
    await guest.ready(incoming);
    expect(incoming.receive(1n)[0]?.data).toHaveLength(longest);
  });

  test('that nobody takes are kept up to the count and the bytes that the buffer holds, and dropped from there', async () => {
    const peer = await peerOn('ipv4');
    using guest = new SocketGuest();
    for (const [size, expected] of [
      [0, 64],
      [1_000, 64],
      [1_024, 64],
      [1_025, 63],
      [60_000, 1],
    ] as const) {
      const socket = bound(guest, 'ipv4');
      const [incoming] = socket.stream(undefined);
      const { port } = socket.localAddress().val;
      for (let round = 0; round < 70; round += 1) {
        await new Promise((resolve) => peer.socket.send(new Uint8Array(size), port, '127.0.0.1', resolve));
        if (round % 10 === 9) await delay(2);
      }
      await delay(10);
      expect([size, incoming.receive(1_000n).length]).toEqual([size, expected]);
      socket[Symbol.dispose]();
    }
  });

  test('are bytes that the host holds: the buffer from binding on, what is sent until it has gone', () => {
    using guest = new SocketGuest(EVERYTHING, { hostBytes: 65_536 + 1_000 });
    const socket = bound(guest, 'ipv4');
    expect(thrownBy(() => guest.udp('ipv4').startBind(guest.network, loopback('ipv4', 0)))).toBe('out-of-memory');
    const [, stream] = socket.stream(loopback('ipv4', 9));
    stream.checkSend();
    expect(thrownBy(() => stream.send([{ data: new Uint8Array(1_001) }]))).toBe('out-of-memory');
    stream.checkSend();
    expect(stream.send([{ data: new Uint8Array(1_000) }])).toBe(1n);
    socket[Symbol.dispose]();
    bound(guest, 'ipv4');
  });
});

describe('options of a UDP socket', () => {
  test('have defaults, are clamped, refuse 0, and hold for the bound socket', () => {
    using guest = new SocketGuest();
    const socket = guest.udp('ipv4');
    expect([socket.unicastHopLimit(), socket.receiveBufferSize(), socket.sendBufferSize()]).toEqual([64, 65_536n, 65_536n]);
    for (const set of [() => socket.setUnicastHopLimit(0), () => socket.setReceiveBufferSize(0n), () => socket.setSendBufferSize(0n)]) {
      expect(thrownBy(set)).toBe('invalid-argument');
    }
    socket.setUnicastHopLimit(1);
    socket.setReceiveBufferSize(1n);
    socket.setSendBufferSize(2n ** 64n - 1n);
    expect([socket.unicastHopLimit(), socket.receiveBufferSize(), socket.sendBufferSize()]).toEqual([1, 65_536n, 65_536n]);
    socket.setReceiveBufferSize(2n ** 64n - 1n);
    guest.bind(socket, loopback('ipv4', 0));
    socket.setUnicastHopLimit(255);
    expect([socket.unicastHopLimit(), socket.receiveBufferSize()]).toEqual([255, 1_048_576n]);
  });
});

describe('what is permitted to UDP', () => {
  test('without NETWORK is nothing', () => {
    using guest = new SocketGuest(EVERYTHING, {}, ALL);
    expect(thrownBy(() => guest.udp())).toBe('access-denied');
  });

  test('is to send where hosts says, and to be bound where listen says, or nowhere in particular', async () => {
    const peer = await peerOn('ipv4');
    const { port } = peer.address.val;
    using guest = new SocketGuest({ hosts: [`udp://127.0.0.1:${port}`] });
    expect(thrownBy(() => guest.udp().startBind(guest.network, loopback('ipv4', 0)))).toBe('access-denied');
    expect(thrownBy(() => guest.udp().startBind(guest.network, unspecified('ipv4', port)))).toBe('access-denied');
    expect(thrownBy(() => guest.tcp().startConnect(guest.network, peer.address))).toBe('access-denied');
    const socket = bound(guest, 'ipv4', unspecified('ipv4', 0));
    for (const remote of [ipv4('127.0.0.2', port), ipv4('169.254.169.254', 80), ipv4('255.255.255.255', port)]) {
      expect(thrownBy(() => socket.stream(remote))).toBe('access-denied');
      expect(thrownBy(() => send(socket.stream(undefined)[1], { data: 'x', remoteAddress: remote }))).toBe('access-denied');
    }
    expect(send(socket.stream(undefined)[1], { data: 'x', remoteAddress: peer.address })).toBe(1n);
  });

  test('is to receive from where it may send, and from anywhere when it may listen', async () => {
    const [friend, stranger] = [await peerOn('ipv4'), await peerOn('ipv4')];
    const hosts = [`127.0.0.1:${friend.address.val.port}`];
    for (const [listen, address, expected] of [
      [[], unspecified('ipv4', 0), ['friend']],
      [['127.0.0.1:0'], loopback('ipv4', 0), ['stranger', 'friend']],
    ] as const) {
      using guest = new SocketGuest({ hosts, listen });
      const socket = bound(guest, 'ipv4', address);
      const [incoming] = socket.stream(undefined);
      const { port } = socket.localAddress().val;
      await new Promise((resolve) => stranger.socket.send('stranger', port, '127.0.0.1', resolve));
      await new Promise((resolve) => friend.socket.send('friend', port, '127.0.0.1', resolve));
      expect((await receive(guest, incoming, 'friend')).map(([data]) => data)).toEqual(expected);
    }
  });

  test('ends when NETWORK is taken back, and with the guest', async () => {
    const before = openDescriptors();
    const guest = new SocketGuest();
    const [incoming, outgoing] = bound(guest, 'ipv4').stream(undefined);
    outgoing.checkSend();
    guest.host.revoke(Cap.NETWORK);
    expect([thrownBy(() => incoming.receive(1n)), thrownBy(() => outgoing.checkSend())]).toEqual(['access-denied', 'access-denied']);
    expect(thrownBy(() => outgoing.send([{ data: new Uint8Array(1), remoteAddress: loopback('ipv4', 9) }]))).toBe('access-denied');
    await expect.poll(openDescriptors).toBe(before);
    guest[Symbol.dispose]();
    const other = new SocketGuest();
    bound(other, 'ipv6');
    other[Symbol.dispose]();
    await expect.poll(openDescriptors).toBe(before);
  });
});

describe('names', () => {
  const NAMES = { hosts: ['*.example:1', 'localhost:1'], lookup: () => ['::ffff:1.1.1.1', '1.1.1.1', '10.0.0.1', '2600::1'] };

  test('resolve to the addresses that may be reached, none of them mapped, one after the other', async () => {
    using guest = new SocketGuest(NAMES);
    const stream = guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(guest.network, 'A.Example');
    expect(thrownBy(() => stream.resolveNextAddress())).toBe('would-block');
    await guest.ready(stream);
    expect([stream.resolveNextAddress(), stream.resolveNextAddress(), stream.resolveNextAddress(), stream.resolveNextAddress()]).toEqual([
      { tag: 'ipv4', val: [1, 1, 1, 1] },
      { tag: 'ipv6', val: [0x2600, 0, 0, 0, 0, 0, 0, 1] },
      undefined,
      undefined,
    ]);
    expect(await guest.resolve('localhost')).toEqual(['127.0.0.1', '0:0:0:0:0:0:0:1']);
  });

  test.each([
    ['0.0.0.0', '0.0.0.0'],
    ['127.0.0.1', '127.0.0.1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['[::1]', '0:0:0:0:0:0:0:1'],
    ['DEAD:BEEF::0', 'dead:beef:0:0:0:0:0:0'],
  ])('that are addresses are themselves: %s', async (name, expected) => {
    using guest = new SocketGuest({});
    expect(await guest.resolve(name)).toEqual([expected]);
  });

  test.each(['', ' ', 'a.b<&>', '127.0.0.1:80', '[::]:80', 'http://example.com/', 'a..example', 'user@a.example', `${'a.'.repeat(130)}example`])(
    'are not spelt %j',
    (name) => {
      using guest = new SocketGuest(NAMES);
      expect(thrownBy(() => guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(guest.network, name))).toBe('invalid-argument');
    },
  );

  test.each(['other.test', 'example', 'h.example.evil'])('that no entry for sockets has, as %s, are not even asked for', (name) => {
    const lookup = vi.fn(() => ['1.1.1.1']);
    using guest = new SocketGuest({ hosts: ['*.example:1', 'https://other.test'], lookup });
    expect(thrownBy(() => guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(guest.network, name))).toBe('access-denied');
    expect(lookup).not.toHaveBeenCalled();
  });

  test.each([
    ['access-denied', () => ['10.0.0.1', '127.0.0.1']],
    ['name-unresolvable', () => []],
    ['temporary-resolver-failure', () => Promise.reject(Object.assign(new Error('later'), { code: 'EAI_AGAIN' }))],
  ] as const)('fail with %s', async (code, lookup) => {
    using guest = new SocketGuest({ ...NAMES, lookup });
    await expect(guest.resolve('a.example')).rejects.toBe(code);
  });

  test.each([
    ['NETWORK is taken back', (guest: SocketGuest) => guest.host.revoke(Cap.NETWORK)],
    ['the guest is disposed of', (guest: SocketGuest) => guest.host.dispose()],
    ['they are dropped', (_guest: SocketGuest, streams: ResolveAddressStream[]) => streams.map((stream) => stream[Symbol.dispose]())],
  ])('that wait for their turn are not asked for any more when %s', async (_when, end) => {
    const ends: (() => void)[] = [];
    const lookup = vi.fn(() => new Promise<string[]>((resolve) => ends.push(() => resolve(['1.1.1.1']))));
    using guest = new SocketGuest({ ...NAMES, lookup });
    const { network } = guest;
    const { resolveAddresses } = guest.wasi['wasi:sockets/ip-name-lookup'];
    const streams = Array.from({ length: 20 }, (_, index) => resolveAddresses(network, `secret-${index}.example`));
    expect(lookup).toHaveBeenCalledTimes(4);
    end(guest, streams);
    for (const answer of ends) answer();
    await delay(1);
    expect(lookup).toHaveBeenCalledTimes(4);
  });

  test('fail for a guest that waits for one when NETWORK is taken back', async () => {
    using guest = new SocketGuest({ ...NAMES, lookup: () => new Promise<string[]>(() => {}) });
    const stream = guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(guest.network, 'a.example');
    const waiting = guest.ready(stream);
    guest.host.revoke(Cap.NETWORK);
    await waiting;
    expect(thrownBy(() => stream.resolveNextAddress())).toBe('access-denied');
  });

  test('are up to 260 before the event loop turns, also when each is dropped at once, and localhost is none of them', async () => {
    using guest = new SocketGuest({ ...NAMES, lookup: () => ['1.1.1.1'] });
    const { network } = guest;
    const attempt = (name: string): unknown => {
      using stream = guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(network, name);
      return thrownBy(() => stream.resolveNextAddress()) ?? 'an address';
    };
    for (let round = 0; round < 2; round += 1) {
      for (let count = 0; count < 260; count += 1) expect(attempt(`n${count}.example`)).toBe('would-block');
      for (let count = 0; count < 10; count += 1) expect(attempt('over.example')).toBe('temporary-resolver-failure');
      expect(attempt('localhost')).toBe('an address');
      await delay(1);
    }
  });
});

describe('an observer', () => {
  test('is told of each use, permitted or not, with what it was about', async () => {
    const seen: [string, boolean, Readonly<Record<string, unknown>>][] = [];
    const observer = ({ capability, operation, allowed, detail }: Access): void => {
      expect(capability).toBe('network');
      seen.push([operation, allowed, detail]);
    };
    const context = new WasiContext(Cap.NETWORK, limits.default, new RecordingControl(), observer);
    const options: NetworkOptions = { hosts: ['127.0.0.1:1', 'a.example:1'], listen: ['127.0.0.1:0'], lookup: () => ['10.0.0.1'] };
    const wasi = socketInterfaces(context, new Network(context, resolveNetwork(options)));
    const network = wasi['wasi:sockets/instance-network'].instanceNetwork();
    const tcp = wasi['wasi:sockets/tcp-create-socket'].createTcpSocket('ipv4');
    thrownBy(() => tcp.startConnect(network, ipv4('8.8.8.8', 1)));
    tcp.startConnect(network, ipv4('127.0.0.1', 1));
    const listener = wasi['wasi:sockets/tcp-create-socket'].createTcpSocket('ipv4');
    listener.startBind(network, loopback('ipv4', 0));
    listener.finishBind();
    listener.startListen();
    const { port } = listener.localAddress().val;
    const udp = wasi['wasi:sockets/udp-create-socket'].createUdpSocket('ipv4');
    udp.startBind(network, unspecified('ipv4', 0));
    udp.finishBind();
    thrownBy(() => udp.stream(loopback('ipv4', 2)));
    const [, outgoing] = udp.stream(loopback('ipv4', 1));
    send(outgoing, { data: 'x' });
    const { resolveAddresses } = wasi['wasi:sockets/ip-name-lookup'];
    thrownBy(() => resolveAddresses(network, 'B.example'));
    const stream = resolveAddresses(network, 'a.example');
    await expect.poll(() => thrownBy(() => stream.resolveNextAddress())).toBe('access-denied');
    context.revoke(Cap.NETWORK);
    thrownBy(() => wasi['wasi:sockets/tcp-create-socket'].createTcpSocket('ipv6'));
    expect(seen).toEqual([
      ['sockets.create-tcp-socket', true, { family: 4 }],
      ['sockets.tcp-connect', false, { address: '8.8.8.8', port: 1 }],
      ['sockets.tcp-connect', true, { address: '127.0.0.1', port: 1 }],
      ['sockets.create-tcp-socket', true, { family: 4 }],
      ['sockets.tcp-bind', true, { address: '127.0.0.1', port: 0 }],
      ['sockets.tcp-listen', true, { address: '127.0.0.1', port }],
      ['sockets.create-udp-socket', true, { family: 4 }],
      ['sockets.udp-bind', true, { address: '0.0.0.0', port: 0 }],
      ['sockets.udp-connect', false, { address: '127.0.0.1', port: 2 }],
      ['sockets.udp-connect', true, { address: '127.0.0.1', port: 1 }],
      ['sockets.udp-send', true, { address: '127.0.0.1', port: 1 }],
      ['sockets.resolve-addresses', false, { name: 'b.example' }],
      ['sockets.resolve-addresses', true, { name: 'a.example' }],
      ['sockets.resolve-addresses', false, { name: 'a.example' }],
      ['sockets.create-tcp-socket', false, { family: 6 }],
    ]);
    context.closeAll();
  });

  // Each use with what has to be there before it; what it gives is the failure.
  const USES: Readonly<Record<string, (guest: SocketGuest) => Promise<() => unknown> | (() => unknown)>> = {
    'create-tcp-socket': (guest) => () => guest.tcp(),
    'tcp-bind': (guest) => {
      const [socket, { network }] = [guest.tcp(), guest];
      return () => socket.startBind(network, loopback('ipv4', 0));
    },
    'tcp-connect': async (guest) => {
      const address = (await guest.listener()).localAddress();
      const [socket, { network }] = [guest.tcp(), guest];
      return () => socket.startConnect(network, address);
    },
    'tcp-listen': (guest) => {
      const socket = guest.tcp();
      guest.bind(socket, loopback('ipv4', 0));
      return () => socket.startListen();
    },
    'tcp-accept': async (guest) => {
      const listener = await guest.listener();
      await guest.connect(guest.tcp(), listener.localAddress());
      await guest.ready(listener);
      return () => listener.accept();
    },
    'create-udp-socket': (guest) => () => guest.udp(),
    'udp-bind': (guest) => {
      const [socket, { network }] = [guest.udp(), guest];
      return () => socket.startBind(network, loopback('ipv4', 0));
    },
    'udp-connect': (guest) => {
      const socket = bound(guest, 'ipv4');
      return () => socket.stream(loopback('ipv4', 9));
    },
    'udp-send': (guest) => {
      const [, stream] = bound(guest, 'ipv4').stream(undefined);
      stream.checkSend();
      return () => stream.send([{ data: new Uint8Array(1), remoteAddress: loopback('ipv4', 9) }]);
    },
    'resolve-addresses': (guest) => {
      const { network } = guest;
      return () => guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(network, 'a.example');
    },
  };
  const ENDS: Readonly<Record<string, (guest: SocketGuest) => void>> = {
    'takes NETWORK back': (guest) => guest.host.revoke(Cap.NETWORK),
    'disposes of the guest': (guest) => guest.host.dispose(),
  };

  test.each(Object.keys(ENDS).flatMap((end) => Object.keys(USES).map((use) => [end, use] as const)))(
    'that %s at %s prevents that very use',
    async (end, use) => {
      const before = openDescriptors();
      const lookup = vi.fn(() => ['127.0.0.1']);
      const network = { ...EVERYTHING, hosts: ['127.0.0.1:*', { host: 'a.example:1', allowPrivate: true }], lookup };
      const guest: SocketGuest = new SocketGuest(network, {}, ALL | Cap.NETWORK, ({ operation }) => {
        if (operation === `sockets.${use}`) ENDS[end]?.(guest);
      });
      const attempt = await USES[use]?.(guest);
      expect(thrownBy(() => attempt?.())).toBe('access-denied');
      expect(lookup).not.toHaveBeenCalled();
      // Before anything is disposed of: nothing was made.
      await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
      guest[Symbol.dispose]();
    },
  );
});
