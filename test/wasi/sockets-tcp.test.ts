// wasi:sockets, TCP: states and their errors, both directions of a connection with their bounds, and what policy and revocation do to them. Against real
// servers on loopback, and between sockets of one guest.
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import { limits } from '../../src/limits.ts';
import type { InputStream, IoError, OutputStream } from '../../src/wasi/component/io.ts';
import type { TcpSocket } from '../../src/wasi/component/sockets.ts';
import { WasiContext } from '../../src/wasi/context.ts';
import { Connection, SOCKET_OPTIONS } from '../../src/wasi/sockets/connection.ts';
import { type Address, EVERYTHING, FAMILIES, ipv4, ipv6, loopback, mapped, SocketGuest, unspecified } from './sockets.ts';
import { ALL, openDescriptors, RecordingControl, stopOf, thrownBy } from './support.ts';

const servers: { close(): void }[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** One of the event loop, with what it closes at its end. */
async function turn(): Promise<void> {
  for (let half = 0; half < 2; half += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A server of this process on 127.0.0.1. */
async function serve(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number; address: Address }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    servers.push({ close: () => socket.destroy() });
    socket.on('error', () => {});
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { server, port, address: ipv4('127.0.0.1', port) };
}

/** What each operation that starts, finishes or asks for something gives, each on a socket of its own in the state that `make` brings one to. */
async function statesOf(guest: SocketGuest, address: Address, make: () => TcpSocket | Promise<TcpSocket>): Promise<Record<string, unknown>> {
  const { network } = guest;
  const operations: Record<string, (socket: TcpSocket) => unknown> = {
    startBind: (socket) => socket.startBind(network, address),
    finishBind: (socket) => socket.finishBind(),
    startConnect: (socket) => socket.startConnect(network, address),
    finishConnect: (socket) => socket.finishConnect(),
    startListen: (socket) => socket.startListen(),
    finishListen: (socket) => socket.finishListen(),
    accept: (socket) => socket.accept(),
    localAddress: (socket) => socket.localAddress(),
    remoteAddress: (socket) => socket.remoteAddress(),
    setListenBacklogSize: (socket) => socket.setListenBacklogSize(5n),
    shutdown: (socket) => socket.shutdown('both'),
  };
  const states: Record<string, unknown> = {};
  for (const [name, operation] of Object.entries(operations)) {
    const socket = await make();
    states[name] = thrownBy(() => operation(socket)) ?? 'fine';
    socket[Symbol.dispose]();
  }
  return states;
}

const IN_NO_STATE = {
  startBind: 'invalid-state',
  finishBind: 'not-in-progress',
  startConnect: 'invalid-state',
  finishConnect: 'not-in-progress',
  startListen: 'invalid-state',
  finishListen: 'not-in-progress',
  accept: 'invalid-state',
  localAddress: 'invalid-state',
  remoteAddress: 'invalid-state',
  setListenBacklogSize: 'fine',
  shutdown: 'invalid-state',
};
const CONFLICT = 'concurrency-conflict';
const IN_CONFLICT = { ...IN_NO_STATE, startBind: CONFLICT, startConnect: CONFLICT, startListen: CONFLICT, accept: CONFLICT, shutdown: CONFLICT };

describe.each(FAMILIES)('a socket for %s', (family) => {
  test('can be bound or connected, and nothing else before that', async () => {
    using guest = new SocketGuest();
    expect([guest.tcp(family).addressFamily(), guest.tcp(family).isListening()]).toEqual([family, false]);
    const states = await statesOf(guest, loopback(family, 1), () => guest.tcp(family));
    expect(states).toEqual({ ...IN_NO_STATE, startBind: expect.stringMatching(/^(?:fine|access-denied)$/), startConnect: 'fine' });
  });

  test('is bound in two steps, between which nothing else can be started', async () => {
    using guest = new SocketGuest();
    const started = (): TcpSocket => {
      const socket = guest.tcp(family);
      socket.startBind(guest.network, loopback(family, 0));
      return socket;
    };
    expect(await statesOf(guest, loopback(family, 1), started)).toEqual({ ...IN_CONFLICT, finishBind: 'fine' });
    const bound = (): TcpSocket => {
      const socket = started();
      socket.finishBind();
      return socket;
    };
    const states = { ...IN_NO_STATE, startConnect: 'fine', startListen: 'fine', localAddress: 'fine' };
    expect(await statesOf(guest, loopback(family, 1), bound)).toEqual(states);
    const address = bound().localAddress();
    expect(address).toEqual(loopback(family, address.val.port));
    expect(address.val.port).toBeGreaterThan(0);
  });

  test('that listens does nothing else', async () => {
    using guest = new SocketGuest();
    expect((await guest.listener(family)).isListening()).toBe(true);
    const states = { ...IN_NO_STATE, accept: 'would-block', localAddress: 'fine' };
    expect(await statesOf(guest, loopback(family, 0), () => guest.listener(family))).toEqual(states);
  });

  test('that is connected has both addresses, and can be shut down again and again', async () => {
    using guest = new SocketGuest();
    const { listener, here, there } = await guest.pair(family);
    expect(here.socket.remoteAddress()).toEqual(listener.localAddress());
    expect([there.socket.localAddress(), there.socket.remoteAddress()]).toEqual([here.socket.remoteAddress(), here.socket.localAddress()]);
    expect(there.socket.addressFamily()).toBe(family);
    const states = { ...IN_NO_STATE, localAddress: 'fine', remoteAddress: 'fine', setListenBacklogSize: 'invalid-state', shutdown: 'fine' };
    const connected = async (): Promise<TcpSocket> => {
      const socket = guest.tcp(family);
      await guest.connect(socket, listener.localAddress());
      return socket;
    };
    const accepted = async (): Promise<TcpSocket> => {
      await connected();
      return (await guest.accept(listener))[0];
    };
    expect(await statesOf(guest, loopback(family, 1), connected)).toEqual(states);
    expect(await statesOf(guest, loopback(family, 1), accepted)).toEqual(states);
    for (const how of ['both', 'send', 'receive', 'both'] as const) here.socket.shutdown(how);
  });

  test('whose connection is refused is of no more use', async () => {
    using guest = new SocketGuest();
    const unused = guest.tcp(family);
    guest.bind(unused, loopback(family, 0));
    const address = unused.localAddress();
    unused[Symbol.dispose]();
    const socket = guest.tcp(family);
    socket.startConnect(guest.network, address);
    expect(thrownBy(() => socket.finishConnect())).toBe('would-block');
    expect(thrownBy(() => socket.startConnect(guest.network, address))).toBe('concurrency-conflict');
    await guest.ready(socket);
    expect(thrownBy(() => socket.finishConnect())).toBe('connection-refused');
    expect(thrownBy(() => socket.finishConnect())).toBe('not-in-progress');
    expect(thrownBy(() => socket.startConnect(guest.network, address))).toBe('invalid-state');
  });

  test('is bound before it connects, if the guest wants that', async () => {
    using guest = new SocketGuest();
    const listener = await guest.listener(family);
    const client = guest.tcp(family);
    guest.bind(client, loopback(family, 0));
    const bound = client.localAddress();
    await guest.connect(client, listener.localAddress());
    expect(client.localAddress()).toEqual(bound);
    const [accepted] = await guest.accept(listener);
    expect(accepted.remoteAddress()).toEqual(bound);
  });

  test('that is bound keeps its address from others, and gives it back at once when it is dropped', async () => {
    using guest = new SocketGuest();
    const { listener, here, there } = await guest.pair(family);
    const address = listener.localAddress();
    const second = guest.tcp(family);
    expect(thrownBy(() => second.startBind(guest.network, address))).toBe('address-in-use');
    await guest.run(() => there.output.blockingWriteAndFlush(new Uint8Array(10)));
    for (const resource of [there.input, there.output, there.socket, listener]) resource[Symbol.dispose]();
    // The first attempt failed, so that another is allowed.
    guest.bind(second, address);
    second.startListen();
    second.finishListen();
    here.socket[Symbol.dispose]();
  });

  test('is for addresses of its family that stand for one host', () => {
    using guest = new SocketGuest({ hosts: [{ host: '*:*', allowPrivate: true }], listen: ['0.0.0.0/0:*', '[::/0]:*'] });
    const bad: Address[] =
      family === 'ipv4'
        ? [loopback('ipv6', 1), mapped(1), ipv4('255.255.255.255', 1), ipv4('224.0.0.1', 1), ipv4('239.1.2.3', 1)]
        : [loopback('ipv4', 1), mapped(1), ipv6([0, 0, 0, 0, 0, 0, 0x7f00, 1], 1), ipv6([0xff02, 0, 0, 0, 0, 0, 0, 1], 1)];
    for (const address of bad) {
      expect(thrownBy(() => guest.tcp(family).startBind(guest.network, address))).toBe('invalid-argument');
      expect(thrownBy(() => guest.tcp(family).startConnect(guest.network, address))).toBe('invalid-argument');
    }
    for (const address of [unspecified(family, 1), loopback(family, 0)]) {
      expect(thrownBy(() => guest.tcp(family).startConnect(guest.network, address))).toBe('invalid-argument');
    }
    const missing = family === 'ipv4' ? ipv4('192.0.2.1', 0) : ipv6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 0);
    expect(thrownBy(() => guest.tcp(family).startBind(guest.network, missing))).toBe('address-not-bindable');
    if (family === 'ipv6') {
      expect(thrownBy(() => guest.tcp(family).startConnect(guest.network, ipv6([0xfe80, 0, 0, 0, 0, 0, 0, 1], 1, 2)))).toBe('not-supported');
    }
  });

  test('carries bytes both ways, a shutdown of one direction, and the end of both', async () => {
    using guest = new SocketGuest();
    const { here, there } = await guest.pair(family);
    await guest.run(() => here.output.blockingWriteAndFlush(Buffer.from('ping')));
    expect(Buffer.from(await guest.run(() => there.input.blockingRead(100n))).toString()).toBe('ping');
    expect(there.input.read(100n)).toHaveLength(0);
    here.socket.shutdown('send');
    expect(thrownBy(() => here.output.checkWrite())).toEqual({ tag: 'closed' });
    expect(await guest.readAll(there.input)).toHaveLength(0);
    await guest.run(() => there.output.blockingWriteAndFlush(Buffer.from('pong')));
    there.socket[Symbol.dispose]();
    expect((await guest.readAll(here.input)).toString()).toBe('pong');
    expect(thrownBy(() => here.input.read(1n))).toEqual({ tag: 'closed' });
    expect(thrownBy(() => there.input.read(1n))).toEqual({ tag: 'closed' });
    expect(thrownBy(() => there.output.write(new Uint8Array(1)))).toEqual({ tag: 'closed' });
  });

  test('gives up what is there to be read when receiving is shut down', async () => {
    using guest = new SocketGuest();
    const { here, there } = await guest.pair(family);
    await guest.run(() => there.output.blockingWriteAndFlush(Buffer.from('too late')));
    await guest.ready(here.input);
    here.socket.shutdown('receive');
    await guest.run(() => there.output.blockingWriteAndFlush(Buffer.from('much too late')));
    await delay(5);
    expect(thrownBy(() => here.input.read(100n))).toEqual({ tag: 'closed' });
    await guest.run(() => here.output.blockingWriteAndFlush(Buffer.from('still')));
    expect(Buffer.from(await guest.run(() => there.input.blockingRead(100n))).toString()).toBe('still');
  });

  test('sends all that it took before it shuts down or is dropped', async () => {
    using guest = new SocketGuest();
    for (const end of [(socket: TcpSocket) => socket.shutdown('send'), (socket: TcpSocket) => socket[Symbol.dispose]()]) {
      const { here, there } = await guest.pair(family);
      let sent = 0;
      for (let permit = here.output.checkWrite(); permit > 0n; permit = here.output.checkWrite()) {
        here.output.write(new Uint8Array(Number(permit)));
        sent += Number(permit);
      }
      expect(sent).toBeGreaterThanOrEqual(64 * 1024);
      end(here.socket);
      expect(await guest.readAll(there.input)).toHaveLength(sent);
    }
  });
});

describe('options of a TCP socket', () => {
  const SECOND = 1_000_000_000n;

  test('have defaults, are read back as they were clamped, and refuse 0', () => {
    using guest = new SocketGuest();
    const socket = guest.tcp();
    const defaults = [socket.keepAliveEnabled(), socket.keepAliveIdleTime(), socket.keepAliveInterval(), socket.keepAliveCount()];
    expect(defaults).toEqual([false, 7_200n * SECOND, 75n * SECOND, 9]);
    expect([socket.receiveBufferSize(), socket.sendBufferSize()]).toEqual([65_536n, 65_536n]);
    const most = 2n ** 64n - 1n;
    const settings: [set: (value: bigint) => void, get: () => bigint | number, value: bigint, expected: bigint | number][] = [
      [(value) => socket.setKeepAliveIdleTime(value), () => socket.keepAliveIdleTime(), 1n, SECOND],
      [(value) => socket.setKeepAliveIdleTime(value), () => socket.keepAliveIdleTime(), 42n * SECOND, 42n * SECOND],
      [(value) => socket.setKeepAliveIdleTime(value), () => socket.keepAliveIdleTime(), most, 32_767n * SECOND],
      [(value) => socket.setKeepAliveInterval(value), () => socket.keepAliveInterval(), 1n, SECOND],
      [(value) => socket.setKeepAliveInterval(value), () => socket.keepAliveInterval(), most, 32_767n * SECOND],
      [(value) => socket.setKeepAliveCount(Number(value)), () => socket.keepAliveCount(), 1n, 1],
      [(value) => socket.setKeepAliveCount(Number(value)), () => socket.keepAliveCount(), 2n ** 32n - 1n, 127],
      [(value) => socket.setReceiveBufferSize(value), () => socket.receiveBufferSize(), 1n, 65_536n],
      [(value) => socket.setReceiveBufferSize(value), () => socket.receiveBufferSize(), 0x10001n, 0x10001n],
      [(value) => socket.setReceiveBufferSize(value), () => socket.receiveBufferSize(), most, 1_048_576n],
      [(value) => socket.setSendBufferSize(value), () => socket.sendBufferSize(), 1n, 1_024n],
      [(value) => socket.setSendBufferSize(value), () => socket.sendBufferSize(), most, 1_048_576n],
      [(value) => socket.setListenBacklogSize(value), () => 0, most, 0],
    ];
    for (const [set, get, value, expected] of settings) {
      set(value);
      expect(get()).toBe(expected);
      expect(thrownBy(() => set(0n))).toBe('invalid-argument');
      expect(get()).toBe(expected);
    }
  });

  test('for the hop limit are honestly refused: Node has none', () => {
    using guest = new SocketGuest();
    const socket = guest.tcp();
    expect([thrownBy(() => socket.hopLimit()), thrownBy(() => socket.setHopLimit(9)), thrownBy(() => socket.setHopLimit(0))]).toEqual([
      'not-supported',
      'not-supported',
      'invalid-argument',
    ]);
  });

  test('are inherited by what a listener accepts, once', async () => {
    using guest = new SocketGuest();
    const listener = await guest.listener();
    listener.setKeepAliveEnabled(true);
    listener.setKeepAliveIdleTime(42n * SECOND);
    listener.setKeepAliveCount(42);
    listener.setReceiveBufferSize(131_072n);
    await guest.connect(guest.tcp(), listener.localAddress());
    const [accepted] = await guest.accept(listener);
    listener.setKeepAliveEnabled(false);
    listener.setKeepAliveCount(43);
    const inherited = [accepted.keepAliveEnabled(), accepted.keepAliveIdleTime(), accepted.keepAliveCount(), accepted.receiveBufferSize()];
    expect(inherited).toEqual([true, 42n * SECOND, 42, 131_072n]);
    accepted.setKeepAliveEnabled(false);
    expect(accepted.keepAliveEnabled()).toBe(false);
  });
});

describe('a connection', () => {
  test('moves megabytes both ways at once through an echo server, in order', async () => {
    const { address } = await serve((socket) => socket.pipe(socket));
    using guest = new SocketGuest();
    const socket = guest.tcp();
    const [input, output] = await guest.connect(socket, address);
    const data = Buffer.from(Uint32Array.from({ length: 1 << 20 }, (_, index) => index).buffer);
    const received: Uint8Array[] = [];
    let count = 0;
    for (let at = 0; count < data.length; ) {
      const permit = at < data.length ? Number(output.checkWrite()) : 0;
      if (permit > 0) {
        output.write(data.subarray(at, at + permit));
        at += permit;
        if (at >= data.length) socket.shutdown('send');
      }
      const bytes = input.read(1n << 20n);
      received.push(bytes);
      count += bytes.length;
      const pollables = at < data.length ? [input.subscribe(), output.subscribe()] : [input.subscribe()];
      await guest.run(() => guest.wasi['wasi:io/poll'].poll(pollables));
      for (const pollable of pollables) pollable[Symbol.dispose]();
    }
    expect(Buffer.concat(received).equals(data)).toBe(true);
    expect(await guest.readAll(input)).toHaveLength(0);
  });

  test('takes no more than its buffer holds while the other end reads nothing, and goes on when it reads', async () => {
    let peer: Socket | undefined;
    const { address } = await serve((socket) => {
      peer = socket.pause();
    });
    using guest = new SocketGuest();
    const [, output] = await guest.connect(guest.tcp(), address);
    const pollable = output.subscribe();
    let sent = 0;
    while (pollable.ready()) {
      const permit = Number(output.checkWrite());
      expect(permit).toBeLessThanOrEqual(64 * 1024);
      output.write(new Uint8Array(permit));
      sent += permit;
      await delay(0);
    }
    expect(sent).toBeGreaterThan(64 * 1024);
    expect(output.checkWrite()).toBe(0n);
    expect(stopOf(() => output.write(new Uint8Array(1)))).toBe('GUEST_TRAPPED');
    let received = 0;
    peer?.on('data', (chunk) => {
      received += chunk.length;
    });
    peer?.resume();
    await guest.run(() => pollable.block());
    expect(output.checkWrite()).toBeGreaterThan(0n);
    await guest.run(() => output.blockingFlush());
    await expect.poll(() => received).toBe(sent);
  });

  test('reads no further ahead than its buffer, and counts its buffers as bytes that the host holds', async () => {
    const flood = new Uint8Array(32 << 20);
    const { port } = await serve((socket) => socket.write(flood));
    const context = new WasiContext(ALL, limits.default, new RecordingControl());
    const before = context.hostBytesLeft();
    const socket = createConnection({ ...SOCKET_OPTIONS, port, host: '127.0.0.1' });
    let closed = 0;
    const connection = Connection.take(context, socket, { receive: 80_000, send: 16_384 }, () => (closed += 1));
    const reserved = 80_000 + 65_536 + 16_384;
    expect(before - context.hostBytesLeft()).toBe(reserved);
    let read = 0;
    for (let round = 0; round < 20; round += 1) {
      await expect.poll(() => socket.readableLength).toBeGreaterThan(0);
      await delay(1);
      expect(socket.bytesRead - read).toBeLessThanOrEqual(80_000 + 65_536);
      expect(socket.readableLength).toBeLessThanOrEqual(65_536);
      const bytes = connection?.input.read(1 << 20) ?? [];
      expect(bytes.length).toBeGreaterThan(0);
      read += bytes.length;
    }
    connection?.destroy();
    connection?.destroy();
    expect([before - context.hostBytesLeft(), closed]).toEqual([reserved, 1]);
    await once(socket, 'close');
    expect(before - context.hostBytesLeft()).toBe(0);
  });

  test('keeps what comes in tiny packets in one piece, and not as Node gives it out', async () => {
    const send = (socket: Socket, packets: number): void => {
      if (packets > 0) socket.write('x', () => setImmediate(send, socket, packets - 1));
    };
    const { port } = await serve((socket) => send(socket.setNoDelay(), 1_000));
    const socket = createConnection({ ...SOCKET_OPTIONS, port, host: '127.0.0.1' });
    const context = new WasiContext(ALL, limits.default, new RecordingControl());
    const connection = Connection.take(context, socket, { receive: 65_536, send: 65_536 }, () => {});
    await expect.poll(() => socket.bytesRead).toBe(1_000);
    await delay(1);
    expect([socket.readableLength, connection?.input.read(10_000)?.length]).toEqual([0, 1_000]);
    connection?.destroy();
  });

  test.each([
    [5, 5],
    [5, 100],
    [65_536, 65_536],
    [200_000, 60_000],
  ])('of %d bytes that is at its end before %d of them are read comes to that end', async (size, limit) => {
    const { address } = await serve((socket) => socket.end(new Uint8Array(size)));
    using guest = new SocketGuest();
    const [input] = await guest.connect(guest.tcp(), address);
    await delay(10);
    let received = 0;
    const read = async (): Promise<void> => {
      for (;;) received += (await guest.run(() => input.blockingRead(BigInt(limit)))).length;
    };
    expect(await read().catch((error) => error)).toEqual({ tag: 'closed' });
    expect(received).toBe(size);
  });

  test('permits fewer writes the smaller they are, since each is more than its bytes to the host, and none of nothing counts', async () => {
    const { address } = await serve(() => {});
    using guest = new SocketGuest();
    const [, output] = await guest.connect(guest.tcp(), address);
    const { units } = guest.control;
    for (let count = 0; count < 1_000; count += 1) output.write(new Uint8Array());
    expect([output.checkWrite(), guest.control.units]).toEqual([65_536n, units]);
    let writes = 0;
    for (; output.checkWrite() > 0n; writes += 1) output.write(new Uint8Array(1));
    expect(writes).toBe(Math.ceil(65_536 / 513));
    await guest.run(() => output.blockingFlush());
    expect(output.checkWrite()).toBe(65_536n);
  });

  test('that does not fit into hostBytes is out of memory, and one that just does is not', async () => {
    const { address } = await serve(() => {});
    const needed = 3 * 65_536;
    using enough = new SocketGuest(EVERYTHING, { hostBytes: needed });
    await enough.connect(enough.tcp(), address);
    using short = new SocketGuest(EVERYTHING, { hostBytes: needed - 1 });
    expect(await short.connect(short.tcp(), address).catch((error) => error)).toBe('out-of-memory');
    const socket = short.tcp();
    socket.setSendBufferSize(65_535n);
    await short.connect(socket, address);
  });

  test('gives back what it held, however it ends', async () => {
    const { address } = await serve((socket) => socket.on('data', () => socket.end('bye')).on('end', () => socket.destroy()));
    using guest = new SocketGuest({ ...EVERYTHING, maxConnections: 1 }, { hostBytes: 3 * 65_536 });
    const ends: ((socket: TcpSocket, streams: [InputStream, OutputStream]) => Promise<unknown>)[] = [
      async () => {},
      async (socket) => socket.shutdown('both'),
      async (_socket, [input, output]) => {
        output.write(new Uint8Array(1));
        await guest.readAll(input);
      },
    ];
    for (const end of [...ends, ...ends]) {
      const socket = guest.tcp();
      const streams = await guest.connect(socket, address);
      await end(socket, streams);
      for (const resource of [...streams, socket]) resource[Symbol.dispose]();
      // Node has it until then.
      await turn();
      const refused = guest.tcp();
      expect(await guest.connect(refused, loopback('ipv4', 1)).catch((error) => error)).toBe('connection-refused');
      refused[Symbol.dispose]();
      await turn();
    }
  });

  test('that is reset fails both streams with that, and with an error that says so', async () => {
    let peer: Socket | undefined;
    const { address } = await serve((socket) => {
      peer = socket;
    });
    using guest = new SocketGuest();
    const [input, output] = await guest.connect(guest.tcp(), address);
    await expect.poll(() => peer).toBeDefined();
    peer?.resetAndDestroy();
    const failed = (await guest.run(() => input.blockingRead(1n)).catch((error) => error)) as { tag: string; val: IoError };
    expect(failed.tag).toBe('last-operation-failed');
    expect(guest.wasi['wasi:sockets/network'].networkErrorCode(failed.val)).toBe('connection-reset');
    expect(guest.wasi['wasi:filesystem/types'].filesystemErrorCode(failed.val)).toBeUndefined();
    expect(failed.val.toDebugString()).toBe('sockets:connection-reset');
    expect(thrownBy(() => output.checkWrite())).toMatchObject({ tag: 'last-operation-failed' });
    expect(thrownBy(() => input.read(1n))).toEqual({ tag: 'closed' });
  });

  test('gives out what it has read before it fails, and counts until the guest drops it', async () => {
    let peer: Socket | undefined;
    const { address } = await serve((socket) => {
      peer = socket;
      socket.write('last words');
    });
    using guest = new SocketGuest({ ...EVERYTHING, maxConnections: 1 }, { hostBytes: 3 * 65_536 });
    const socket = guest.tcp();
    const [input, output] = await guest.connect(socket, address);
    await guest.ready(input);
    peer?.resetAndDestroy();
    await expect.poll(() => thrownBy(() => output.checkWrite())).toMatchObject({ tag: 'last-operation-failed' });
    expect(Buffer.from(input.read(4n)).toString()).toBe('last');
    expect(thrownBy(() => guest.tcp())).toBe('new-socket-limit');
    expect(Buffer.from(input.read(100n)).toString()).toBe(' words');
    expect(thrownBy(() => input.read(1n))).toMatchObject({ tag: 'last-operation-failed' });
    socket[Symbol.dispose]();
    await turn();
    await guest.connect(guest.tcp(), address);
  });

  test('that takes too long is given up', async () => {
    // A server that accepts nothing, and whose queue is full.
    const code = `const { parentPort } = require('node:worker_threads');
      const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
        parentPort.postMessage(server.address().port);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });`;
    const worker = new Worker(code, { eval: true });
    servers.push({ close: () => void worker.terminate() });
    const [port] = (await once(worker, 'message')) as [number];
    for (let client = 0; client < 4; client += 1) {
      const socket = createConnection(port, '127.0.0.1').on('error', () => {});
      servers.push({ close: () => socket.destroy() });
    }
    await delay(20);
    using guest = new SocketGuest({ ...EVERYTHING, connectTimeoutMs: 50 });
    expect(await guest.connect(guest.tcp(), ipv4('127.0.0.1', port)).catch((error) => error)).toBe('timeout');
  });
});

describe('a listener', () => {
  test('serves clients of the outside', async () => {
    using guest = new SocketGuest();
    const listener = await guest.listener();
    const { port } = listener.localAddress().val;
    const client = createConnection(port, '127.0.0.1');
    servers.push({ close: () => client.destroy() });
    client.end('question');
    const [, input, output] = await guest.accept(listener);
    expect((await guest.readAll(input)).toString()).toBe('question');
    await guest.run(() => output.blockingWriteAndFlush(Buffer.from('answer')));
    expect(String(await new Promise((resolve) => client.once('data', resolve)))).toBe('answer');
  });

  test('lets as many wait as its backlog says, and turns more away', async () => {
    using guest = new SocketGuest();
    const listener = guest.tcp();
    guest.bind(listener, loopback('ipv4', 0));
    listener.setListenBacklogSize(2n);
    listener.startListen();
    listener.finishListen();
    const { port } = listener.localAddress().val;
    let ended = 0;
    for (let client = 0; client < 5; client += 1) {
      const socket = createConnection(port, '127.0.0.1').on('error', () => {});
      socket.on('close', () => (ended += 1)).resume();
      servers.push({ close: () => socket.destroy() });
    }
    await expect.poll(() => ended).toBe(3);
    expect([listener.accept().length, listener.accept().length, thrownBy(() => listener.accept())]).toEqual([3, 3, 'would-block']);
  });

  test('turns away what comes when the guest has all the connections that it may have', async () => {
    using guest = new SocketGuest({ ...EVERYTHING, maxConnections: 2 });
    const listener = await guest.listener();
    const { port } = listener.localAddress().val;
    const turnedAway = [createConnection(port, '127.0.0.1'), createConnection(port, '127.0.0.1')].map(
      (socket) =>
        new Promise<void>((resolve) =>
          socket
            .on('error', () => {})
            .on('close', () => resolve())
            .resume(),
        ),
    );
    await Promise.race(turnedAway);
    expect(thrownBy(() => guest.tcp())).toBe('new-socket-limit');
    const [accepted] = await guest.accept(listener);
    accepted[Symbol.dispose]();
    guest.tcp();
    expect(thrownBy(() => guest.tcp())).toBe('new-socket-limit');
  });

  test('closes those that nobody accepted when it is dropped', async () => {
    using guest = new SocketGuest();
    const listener = await guest.listener();
    const client = createConnection(listener.localAddress().val.port, '127.0.0.1').on('error', () => {});
    const closed = new Promise((resolve) => client.on('close', resolve));
    client.resume();
    await guest.ready(listener);
    listener[Symbol.dispose]();
    await closed;
    expect(thrownBy(() => listener.accept())).toBe('invalid-state');
  });
});

describe('what is permitted', () => {
  test('without NETWORK is nothing, in the words of WASI', () => {
    using guest = new SocketGuest(EVERYTHING, {}, ALL);
    const { network } = guest;
    expect(thrownBy(() => guest.tcp())).toBe('access-denied');
    expect(thrownBy(() => guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(network, 'localhost'))).toBe('access-denied');
    expect(thrownBy(() => guest.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(network, '127.0.0.1'))).toBe('access-denied');
  });

  test('to connect to is what hosts says, and to listen on what listen says', async () => {
    const { address, port } = await serve(() => {});
    using guest = new SocketGuest({ hosts: [`127.0.0.1:${port}`], listen: ['127.0.0.1:0'] });
    const { network } = guest;
    await guest.connect(guest.tcp(), address);
    const denied: [string, () => void][] = [
      ['another port', () => guest.tcp().startConnect(network, ipv4('127.0.0.1', port === 1 ? 2 : 1))],
      ['another address', () => guest.tcp().startConnect(network, ipv4('127.0.0.2', port))],
      ['a public address', () => guest.tcp().startConnect(network, ipv4('8.8.8.8', port))],
      ['the metadata of a cloud', () => guest.tcp().startConnect(network, ipv4('169.254.169.254', 80))],
      ['to bind a port', () => guest.tcp().startBind(network, ipv4('127.0.0.1', port))],
      ['to bind all addresses', () => guest.tcp().startBind(network, ipv4('0.0.0.0', port))],
      ['to bind IPv6', () => guest.tcp('ipv6').startBind(network, loopback('ipv6', 0))],
    ];
    for (const [what, attempt] of denied) expect([what, thrownBy(attempt)]).toEqual([what, 'access-denied']);
    const socket = guest.tcp();
    expect(thrownBy(() => socket.startConnect(network, ipv4('8.8.8.8', 1)))).toBe('access-denied');
    await guest.connect(socket, address);
  });

  test('to bind for connecting is any address and port, and that is not enough to listen', async () => {
    const { address, port } = await serve(() => {});
    using guest = new SocketGuest({ hosts: [`127.0.0.1:${port}`] });
    const socket = guest.tcp();
    guest.bind(socket, unspecified('ipv4', 0));
    expect(thrownBy(() => socket.startListen())).toBe('access-denied');
    await guest.connect(socket, address);
    expect(thrownBy(() => guest.tcp().startBind(guest.network, loopback('ipv4', 0)))).toBe('access-denied');
  });

  test('by name is what the name was looked up to, and no more', async () => {
    const { port } = await serve((socket) => socket.end('hello'));
    using guest = new SocketGuest({
      hosts: [{ host: `*.example:${port}`, allowPrivate: true }],
      lookup: (name) => (name === 'a.example' ? ['127.0.0.1'] : []),
    });
    expect(thrownBy(() => guest.tcp().startConnect(guest.network, ipv4('127.0.0.1', port)))).toBe('access-denied');
    expect(await guest.resolve('A.example.')).toEqual(['127.0.0.1']);
    const [input] = await guest.connect(guest.tcp(), ipv4('127.0.0.1', port));
    expect((await guest.readAll(input)).toString()).toBe('hello');
    expect(thrownBy(() => guest.tcp().startConnect(guest.network, ipv4('127.0.0.2', port)))).toBe('access-denied');
  });

  test('ends for all that is open when NETWORK is taken back', async () => {
    let ended = 0;
    const { address } = await serve((socket) => socket.resume().on('end', () => (ended += 1)));
    using guest = new SocketGuest();
    const socket = guest.tcp();
    const [input, output] = await guest.connect(socket, address);
    const listener = await guest.listener();
    const fresh = guest.tcp();
    const waiting = guest.run(() => input.blockingRead(1n)).catch((error) => error);
    await delay(1);
    guest.host.revoke(Cap.NETWORK);
    const failed = await waiting;
    expect(guest.wasi['wasi:sockets/network'].networkErrorCode(failed.val)).toBe('access-denied');
    expect(thrownBy(() => output.checkWrite())).toMatchObject({ tag: 'last-operation-failed' });
    expect([thrownBy(() => listener.accept()), listener.isListening()]).toEqual(['access-denied', false]);
    expect([thrownBy(() => fresh.startConnect(guest.network, address)), thrownBy(() => fresh.finishConnect())]).toEqual(['access-denied', 'access-denied']);
    expect(thrownBy(() => guest.tcp())).toBe('access-denied');
    await expect.poll(() => ended).toBe(1);
  });
});

describe('the host', () => {
  test('holds nothing any more when a guest is disposed of, whatever it had open', async () => {
    const { address } = await serve((socket) => socket.write(new Uint8Array(1 << 20)));
    const before = openDescriptors();
    const guest = new SocketGuest();
    for (const family of FAMILIES) {
      const { here } = await guest.pair(family);
      here.output.write(new Uint8Array(65_536));
      guest.bind(guest.tcp(family), loopback(family, 0));
      const started = guest.tcp(family);
      started.startBind(guest.network, loopback(family, 0));
    }
    const connecting = guest.tcp();
    connecting.startConnect(guest.network, address);
    expect(openDescriptors()).toBeGreaterThan(before + 8);
    guest[Symbol.dispose]();
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before + 1);
  });

  test('counts sockets as handles and as connections, and drops both counts with them', () => {
    using guest = new SocketGuest({ ...EVERYTHING, maxConnections: 3 }, { handles: 5 });
    for (let round = 0; round < 20; round += 1) {
      const sockets = [guest.tcp(), guest.tcp(), guest.udp()];
      expect(thrownBy(() => guest.tcp())).toBe('new-socket-limit');
      expect(thrownBy(() => guest.udp())).toBe('new-socket-limit');
      for (const socket of sockets) socket[Symbol.dispose]();
    }
    for (let handle = 0; handle < 5; handle += 1) guest.network;
    expect(stopOf(() => guest.tcp())).toBe('HANDLES_EXCEEDED');
  });

  // What can be done again and again without the event loop; each time, Node has something to close.
  const CHURNS: Readonly<Record<string, (guest: SocketGuest) => (() => void) | Promise<() => void>>> = {
    'binding and dropping TCP sockets': (guest) => () => {
      using socket = guest.tcp();
      socket.startBind(guest.network, loopback('ipv4', 0));
    },
    'failing to bind a TCP socket': async (guest) => {
      const address = (await guest.listener()).localAddress();
      const socket = guest.tcp();
      return () => {
        const failure = thrownBy(() => socket.startBind(guest.network, address));
        if (failure !== 'address-in-use') throw failure;
      };
    },
    'connecting and dropping': (guest) => () => {
      using socket = guest.tcp();
      socket.startConnect(guest.network, loopback('ipv4', 1));
    },
    'listening and dropping': (guest) => () => {
      using socket = guest.tcp();
      guest.bind(socket, loopback('ipv4', 0));
      socket.startListen();
    },
    'binding and dropping UDP sockets': (guest) => () => {
      using socket = guest.udp();
      socket.startBind(guest.network, loopback('ipv4', 0));
    },
    'changing the other end of a UDP socket': (guest) => {
      const socket = guest.udp();
      guest.bind(socket, loopback('ipv4', 0));
      socket.stream(loopback('ipv4', 9));
      return () => {
        for (const stream of socket.stream(loopback('ipv4', 9))) stream[Symbol.dispose]();
      };
    },
  };

  test.each(Object.entries(CHURNS))('lets the event loop turn between %s as often as it may have connections', async (_what, make) => {
    using guest = new SocketGuest({ ...EVERYTHING, maxConnections: 8 });
    const churn = await make(guest);
    await turn();
    for (let round = 0; round < 3; round += 1) {
      const { length } = guest.control.sleeps;
      for (let count = 0; count < 8; count += 1) churn();
      expect(guest.control.sleeps).toHaveLength(length);
      expect(thrownBy(churn)).toBe('new-socket-limit');
      // The guest of this test cannot be suspended for a time alone.
      expect(guest.control.sleeps.slice(length)).toEqual([0]);
      await turn();
    }
  });

  test('charges for what it does', async () => {
    using guest = new SocketGuest();
    const { here, there } = await guest.pair();
    const cost = async (work: () => Promise<unknown>): Promise<number> => {
      const before = guest.control.units;
      await work();
      return guest.control.units - before;
    };
    const small = await cost(() => guest.run(() => here.output.blockingWriteAndFlush(new Uint8Array(8))));
    const large = await cost(() => guest.run(() => here.output.blockingWriteAndFlush(new Uint8Array(40_008))));
    expect(large - small).toBe(5_000);
    expect(await cost(() => guest.run(() => there.input.blockingRead(8n)))).toBeGreaterThan(5_000);
    guest.control.budget = guest.control.units + 10;
    expect(stopOf(() => guest.tcp().startConnect(guest.network, loopback('ipv4', 1)))).toBe('FUEL_EXHAUSTED');
  });
});
