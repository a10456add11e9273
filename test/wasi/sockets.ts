// What the tests of wasi:sockets stand on: a guest whose program is the test, suspended where it waits, and addresses and streams in short.
import type { InputStream, OutputStream } from '../../src/wasi/component/io.ts';
import type { TcpSocket, UdpSocket } from '../../src/wasi/component/sockets.ts';
import { Cap } from '../../src/capabilities.ts';
import type { Limits } from '../../src/limits.ts';
import type { AccessObserver } from '../../src/wasi/context.ts';
import type { WasiHost } from '../../src/wasi/host.ts';
import { type NetworkOptions, resolveNetwork } from '../../src/wasi/network/policy.ts';
import { ALL, makeHost, RecordingControl } from './support.ts';

export type Family = 'ipv4' | 'ipv6';
export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
export type Address = ReturnType<TcpSocket['localAddress']>;

const LONGEST_WAIT_MS = 3_000;

/** Suspends as an engine with JSPI does: the call that waits returns nothing of use, and {@link SocketGuest.run} makes it again. */
class SuspendingControl extends RecordingControl {
  waiting: Promise<void> | undefined;

  override wait(milliseconds: number, onChange?: (wake: () => void) => () => void): boolean {
    if (onChange === undefined) return super.wait(milliseconds);
    this.waiting = new Promise((resolve, reject) => {
      const failed = new Error('nothing that the guest waits for has happened');
      const timer = setTimeout(() => (milliseconds === Infinity ? reject(failed) : resolve()), Math.min(milliseconds, LONGEST_WAIT_MS));
      const unsubscribe = onChange(() => {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      });
    });
    return false;
  }
}

/** A guest with NETWORK and `network`, all of loopback by default. */
export class SocketGuest implements Disposable {
  readonly control = new SuspendingControl();
  readonly host: WasiHost;
  readonly wasi: ReturnType<WasiHost['component']>;

  constructor(network: NetworkOptions = EVERYTHING, limits: Partial<Limits> = {}, grants: number = ALL | Cap.NETWORK, onAccess?: AccessObserver) {
    this.host = makeHost({ grants, network: resolveNetwork(network), limits, onAccess }, this.control).host;
    this.wasi = this.host.component();
  }

  /** Makes `call`, again after each wait. */
  async run<Result>(call: () => Result): Promise<Result> {
    for (;;) {
      this.control.waiting = undefined;
      const result = call();
      if (this.control.waiting === undefined) return result;
      await this.control.waiting;
    }
  }

  /** Waits as a guest does before it tries again what gave `would-block`. */
  async ready(of: { subscribe(): { block(): void; [Symbol.dispose](): void } }): Promise<void> {
    const pollable = of.subscribe();
    await this.run(() => pollable.block());
    pollable[Symbol.dispose]();
  }

  tcp(family: Family = 'ipv4'): TcpSocket {
    return this.wasi['wasi:sockets/tcp-create-socket'].createTcpSocket(family);
  }

  udp(family: Family = 'ipv4'): UdpSocket {
    return this.wasi['wasi:sockets/udp-create-socket'].createUdpSocket(family);
  }

  get network() {
    return this.wasi['wasi:sockets/instance-network'].instanceNetwork();
  }

  bind(socket: TcpSocket | UdpSocket, address: Address): void {
    socket.startBind(this.network, address);
    socket.finishBind();
  }

  async connect(socket: TcpSocket, address: Address): Promise<[InputStream, OutputStream]> {
    socket.startConnect(this.network, address);
    await this.ready(socket);
    return socket.finishConnect();
  }

  /** A socket that listens on loopback, at a port that the system chose. */
  async listener(family: Family = 'ipv4'): Promise<TcpSocket> {
    const socket = this.tcp(family);
    this.bind(socket, loopback(family, 0));
    socket.startListen();
    await this.ready(socket);
    socket.finishListen();
    return socket;
  }

  async accept(listener: TcpSocket): Promise<[TcpSocket, InputStream, OutputStream]> {
    await this.ready(listener);
    return listener.accept();
  }

  /** A connection from a listener of this guest, both its ends. */
  async pair(family: Family = 'ipv4') {
    const listener = await this.listener(family);
    const socket = this.tcp(family);
    const [input, output] = await this.connect(socket, listener.localAddress());
    const [otherSocket, otherInput, otherOutput] = await this.accept(listener);
    return { listener, here: { socket, input, output }, there: { socket: otherSocket, input: otherInput, output: otherOutput } };
  }

  /** Everything until the end of `stream`. */
  async readAll(stream: InputStream): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    try {
      for (;;) parts.push(await this.run(() => stream.blockingRead(1n << 20n)));
    } catch (error) {
      if ((error as { tag?: string }).tag !== 'closed') throw error;
      return Buffer.concat(parts);
    }
  }

  async resolve(name: string): Promise<string[]> {
    const stream = this.wasi['wasi:sockets/ip-name-lookup'].resolveAddresses(this.network, name);
    await this.ready(stream);
    const found: string[] = [];
    for (let next = stream.resolveNextAddress(); next !== undefined; next = stream.resolveNextAddress()) {
      found.push(next.tag === 'ipv4' ? next.val.join('.') : next.val.map((group) => group.toString(16)).join(':'));
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.host.dispose();
  }
}

/** Loopback, whole, both ways. */
export const EVERYTHING: NetworkOptions = { hosts: ['127.0.0.0/8:*', '[::1]:*'], listen: ['127.0.0.0/8:*', '[::1]:*', '0.0.0.0:*', '[::]:*'] };

export function ipv4(address: string, port: number): Address {
  return { tag: 'ipv4', val: { port, address: address.split('.').map(Number) as [number, number, number, number] } };
}

export function ipv6(groups: readonly number[], port: number, scopeId = 0): Address {
  return { tag: 'ipv6', val: { port, flowInfo: 0, address: [...groups] as [number, number, number, number, number, number, number, number], scopeId } };
}

export function loopback(family: Family, port: number): Address {
  return family === 'ipv4' ? ipv4('127.0.0.1', port) : ipv6([0, 0, 0, 0, 0, 0, 0, 1], port);
}

export function unspecified(family: Family, port: number): Address {
  return family === 'ipv4' ? ipv4('0.0.0.0', port) : ipv6([0, 0, 0, 0, 0, 0, 0, 0], port);
}

/** 127.0.0.1 in an IPv6 address. */
export function mapped(port: number): Address {
  return ipv6([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], port);
}
