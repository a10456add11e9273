// One UDP socket as wasi:sockets has it, over node:dgram: its states, and bounded queues of datagrams both ways. Addresses are permitted here, before anything
// of the host is touched; what comes from where the guest may not send is not shown to it, unless the policy lets it listen.
import * as dgram from 'node:dgram';
import type { WasiContext } from '../context.ts';
import { formatAddress, isUnspecified } from '../network/addresses.ts';
import type { Network } from '../network/network.ts';
import { Signal } from '../waiting.ts';
import { checkFamily, checkRemote, demand, describeEndpoint, type Endpoint, endpointOf, type Family, sameEndpoint } from './endpoint.ts';
import { codeOfError, type ErrorCode, fail } from './errors.ts';

export interface Datagram {
  readonly data: Uint8Array;
  readonly from: Endpoint;
}

/** Datagrams that wait to be received, and those that one `send` may hand over. */
export const MAX_DATAGRAMS = 64;
/** Bytes of the longest datagram, by family. */
const MAX_DATAGRAM_BYTES: Readonly<Record<Family, number>> = { 4: 65_507, 6: 65_527 };
/** Calls of the system that a socket, and one datagram, are charged for. */
const OPEN_CALLS = 50;
const DATAGRAM_CALLS = 10;

const DEFAULT_HOP_LIMIT = 64;
/** The least that a buffer can be set to: room for one datagram. */
export const MIN_BUFFER_BYTES = 64 * 1024;

type State = 'unbound' | 'bind-started' | 'bound' | 'closed';

export class OpenUdp {
  readonly family: Family;
  /** Ready when something can be received, or has failed. */
  readonly receivable: Signal = new Signal(() => this.#received.length > 0 || this.#failure !== undefined || this.#state === 'closed');
  /** Ready when something can be sent, or has failed. */
  readonly sendable: Signal = new Signal(() => this.#sending < MAX_DATAGRAMS || this.#failure !== undefined || this.#state === 'closed');
  /** Bytes of datagrams that wait; takes effect when it is bound. */
  receiveBuffer: number = MIN_BUFFER_BYTES;
  readonly #context: WasiContext;
  readonly #network: Network;
  readonly #release: () => void;
  readonly #received: Datagram[] = [];
  #receivedBytes = 0;
  #reserved = 0;
  #sending = 0;
  #state: State = 'unbound';
  #socket: dgram.Socket | undefined;
  #hopLimit = DEFAULT_HOP_LIMIT;
  #mayListen = false;
  #bound: Endpoint | undefined;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;
  #association = 0;
  #failure: ErrorCode | undefined;

  /** Fails with `access-denied` without NETWORK, and with `new-socket-limit` when the guest has as many sockets as it may. */
  static open(context: WasiContext, network: Network, family: Family): OpenUdp {
    if (!network.awaitRoom()) fail('new-socket-limit');
    demand(context, 'create-udp-socket', network.granted, () => ({ family }));
    let made: OpenUdp | undefined;
    const release = network.admit(() => made?.close());
    if (release === undefined) fail('new-socket-limit');
    made = new OpenUdp(context, network, family, release);
    return made;
  }

  private constructor(context: WasiContext, network: Network, family: Family, release: () => void) {
    this.#context = context;
    this.#network = network;
    this.family = family;
    this.#release = release;
  }

  /**
   * Binds to where the policy lets sockets listen, or, for a socket that is going to send, to no address and port in particular. A Node without
   * `bindSync` cannot: `not-supported`.
   */
  startBind(local: Endpoint): void {
    if (this.#state !== 'unbound') fail(this.#state === 'bind-started' ? 'concurrency-conflict' : 'invalid-state');
    this.#context.chargeCalls(OPEN_CALLS);
    checkFamily(local, this.family);
    if (!this.#network.awaitRoom()) fail('new-socket-limit');
    const mayListen = this.#network.permitsListen('udp', local.address, local.port);
    demand(this.#context, 'udp-bind', mayListen || (this.#network.granted && isUnspecified(local.address) && local.port === 0), () => describeEndpoint(local));
    if (!this.#context.keepBytes(this.receiveBuffer)) fail('out-of-memory');
    this.#reserved = this.receiveBuffer;
    try {
      this.#bind(local);
    } catch (error) {
      this.#giveBack();
      throw error;
    }
    this.#mayListen = mayListen;
    this.#bound = this.#local;
    this.#state = 'bind-started';
  }

  finishBind(): void {
    if (this.#state !== 'bind-started') fail(this.#network.granted ? 'not-in-progress' : 'access-denied');
    this.#state = 'bound';
  }

  /**
   * Sets whom datagrams are exchanged with: `remote`, or anybody. What was set before ends.
   * @returns a number that {@link receive}, {@link permit} and {@link send} ask for, so that they know whether it still holds.
   */
  associate(remote: Endpoint | undefined): number {
    if (this.#state !== 'bound') fail('invalid-state');
    this.#context.chargeCalls(OPEN_CALLS);
    if (this.#remote !== undefined && !this.#network.awaitRoom()) fail('new-socket-limit');
    if (remote !== undefined) {
      checkRemote(remote, this.family);
      demand(this.#context, 'udp-connect', this.#network.permitsSocket('udp', remote.address, remote.port), () => describeEndpoint(remote));
    }
    // The streams of before end also when this fails half-way.
    this.#association += 1;
    if (this.#remote !== undefined) this.#reopen();
    if (remote !== undefined) this.#connect(remote);
    this.#failure = undefined;
    return this.#association;
  }

  /** At most `limit` datagrams that are there. */
  receive(association: number, limit: number): Datagram[] {
    this.#expect(association);
    const taken = this.#received.splice(0, limit);
    if (taken.length === 0 && limit > 0) {
      this.#throwFailure();
      this.#context.lookedInVain();
    }
    const bytes = taken.reduce((sum, { data }) => sum + data.length, 0);
    this.#receivedBytes -= bytes;
    this.#context.chargeCalls(1 + taken.length);
    this.#context.chargeBytes(bytes);
    return taken;
  }

  /** Datagrams that {@link send} takes now. */
  permit(association: number): number {
    this.#expect(association);
    this.#throwFailure();
    const permitted = MAX_DATAGRAMS - this.#sending;
    if (permitted === 0) this.#context.lookedInVain();
    return permitted;
  }

  send(association: number, data: Uint8Array, to: Endpoint | undefined): void {
    this.#expect(association);
    this.#throwFailure();
    this.#context.chargeCalls(DATAGRAM_CALLS);
    if (to !== undefined) checkRemote(to, this.family);
    const remote = this.#remote ?? to;
    if (remote === undefined || (to !== undefined && !sameEndpoint(remote, to))) fail('invalid-argument');
    if (data.length > MAX_DATAGRAM_BYTES[this.family]) fail('datagram-too-large');
    demand(this.#context, 'udp-send', this.#network.permitsSocket('udp', remote.address, remote.port), () => describeEndpoint(remote));
    this.#context.chargeBytes(data.length);
    if (!this.#context.keepBytes(data.length)) fail('out-of-memory');
    this.#sending += 1;
    const socket = this.#socket as dgram.Socket;
    const sent = (error: Error | null): void => {
      this.#sending -= 1;
      this.#context.giveBack(data.length);
      if (error !== null && socket === this.#socket) this.#fail(error);
      this.sendable.notify();
    };
    try {
      if (this.#remote !== undefined) socket.send(data, sent);
      else socket.send(data, remote.port, formatAddress(remote.address), sent);
    } catch (error) {
      sent(null);
      fail(codeOfError(error));
    }
  }

  /** From bound on. */
  get local(): Endpoint {
    if (this.#local === undefined || this.#state === 'bind-started') fail('invalid-state');
    return this.#local;
  }

  /** While it exchanges datagrams with one other end only. */
  get remote(): Endpoint {
    return this.#remote ?? fail('invalid-state');
  }

  get hopLimit(): number {
    return this.#hopLimit;
  }

  set hopLimit(value: number) {
    this.#hopLimit = value;
    this.#socket?.setTTL(value);
  }

  close(): void {
    this.#state = 'closed';
    this.#shut();
    this.#received.length = 0;
    this.#giveBack();
    this.#release();
    this.receivable.notify();
    this.sendable.notify();
  }

  #bind(local: Endpoint): void {
    const lookup: dgram.SocketOptions['lookup'] = (hostname, _options, callback) => callback(null, hostname, this.family);
    const socket = dgram.createSocket({ type: this.family === 6 ? 'udp6' : 'udp4', ipv6Only: this.family === 6, lookup });
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#fail(error);
    });
    socket.on('message', (data, { address, port }) => {
      if (socket === this.#socket) this.#arrived(data, endpointOf(address, port));
    });
    this.#socket = socket;
    try {
      if (socket.bindSync === undefined) fail('not-supported');
      const { port } = socket.bindSync({ address: formatAddress(local.address), port: local.port });
      if (this.#hopLimit !== DEFAULT_HOP_LIMIT) socket.setTTL(this.#hopLimit);
      this.#local = { address: local.address, port };
    } catch (error) {
      this.#shut();
      fail(typeof error === 'string' ? (error as ErrorCode) : codeOfError(error));
    }
  }

  #connect(remote: Endpoint): void {
    const socket = this.#socket as dgram.Socket;
    try {
      socket.connectSync(remote.port, formatAddress(remote.address));
    } catch (error) {
      fail(codeOfError(error));
    }
    this.#remote = remote;
    const { address, port } = socket.address();
    this.#local = endpointOf(address, port) ?? this.#local;
    const kept = this.#received.filter(({ from }) => sameEndpoint(from, remote));
    this.#received.splice(0, Infinity, ...kept);
    this.#receivedBytes = kept.reduce((sum, { data }) => sum + data.length, 0);
  }

  // A new socket in the place of one that has a remote end: Linux takes a port that it chose itself away from a socket that loses its remote end.
  #reopen(): void {
    this.#shut();
    this.#remote = undefined;
    try {
      this.#bind(this.#bound as Endpoint);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #shut(): void {
    if (this.#socket === undefined) return;
    this.#socket.close();
    this.#socket = undefined;
    this.#network.closing();
  }

  #arrived(data: Uint8Array, from: Endpoint | undefined): void {
    if (from === undefined || (this.#remote !== undefined && !sameEndpoint(this.#remote, from))) return;
    if (!this.#mayListen && !this.#network.permitsSocket('udp', from.address, from.port)) return;
    if (this.#received.length >= MAX_DATAGRAMS || this.#receivedBytes + data.length > this.#reserved) return;
    this.#received.push({ data, from });
    this.#receivedBytes += data.length;
    this.receivable.notify();
  }

  #fail(error: unknown): void {
    this.#failure = codeOfError(error);
    this.receivable.notify();
    this.sendable.notify();
  }

  // As the system does it: what failed in the background is said once, by whatever is tried next.
  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) fail(failure);
  }

  #expect(association: number): void {
    if (!this.#network.granted) fail('access-denied');
    if (this.#state !== 'bound' || association !== this.#association) fail('invalid-state');
  }

  #giveBack(): void {
    this.#context.giveBack(this.#reserved);
    this.#reserved = 0;
  }
}
