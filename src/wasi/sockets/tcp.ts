// One TCP socket as wasi:sockets has it, over node:net: its states, and what of Node stands behind each. Addresses are permitted here, before anything of the
// host is touched.
import * as net from 'node:net';
import type { WasiContext } from '../context.ts';
import { formatAddress, isUnspecified } from '../network/addresses.ts';
import type { Network } from '../network/network.ts';
import { Signal } from '../waiting.ts';
import { Connection, SOCKET_OPTIONS } from './connection.ts';
import { checkFamily, checkRemote, checkUnicast, demand, describeEndpoint, type Endpoint, type Family } from './endpoint.ts';
import { codeOfError, type ErrorCode, fail, failForNow } from './errors.ts';

/** What a guest can set; times in seconds. Inherited by what a listener accepts. */
export interface TcpOptions {
  keepAlive: boolean;
  keepAliveIdle: number;
  keepAliveInterval: number;
  keepAliveCount: number;
  receiveBuffer: number;
  sendBuffer: number;
}

const DEFAULT_OPTIONS: TcpOptions = {
  keepAlive: false,
  keepAliveIdle: 7_200,
  keepAliveInterval: 75,
  keepAliveCount: 9,
  receiveBuffer: 64 * 1024,
  sendBuffer: 64 * 1024,
};

/** Connections that wait to be accepted. */
export const MAX_BACKLOG = 128;
/** Calls of the system that making a connection, or a listener, is charged for. */
const OPEN_CALLS = 50;

type State = 'unbound' | 'bind-started' | 'bound' | 'connect-started' | 'connected' | 'listen-started' | 'listening' | 'closed';

export class OpenTcp {
  readonly family: Family;
  readonly options: TcpOptions;
  /** Ready when what was started can be finished, and for a listener when there is something to accept. */
  readonly ready: Signal = new Signal(() => this.#isReady());
  readonly #context: WasiContext;
  readonly #network: Network;
  readonly #release: () => void;
  readonly #accepted: OpenTcp[] = [];
  #state: State = 'unbound';
  #bound: net.BoundSocket | undefined;
  #mayListen = false;
  #backlog = MAX_BACKLOG;
  #connection: Connection | undefined;
  #server: net.Server | undefined;
  #failure: ErrorCode | undefined;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;

  /** Fails with `access-denied` without NETWORK, and with `new-socket-limit` when the guest has as many sockets as it may. */
  static open(context: WasiContext, network: Network, family: Family): OpenTcp {
    if (!network.awaitRoom()) fail('new-socket-limit');
    demand(context, 'create-tcp-socket', network.granted, () => ({ family }));
    return OpenTcp.#make(context, network, family, DEFAULT_OPTIONS) ?? fail('new-socket-limit');
  }

  static #make(context: WasiContext, network: Network, family: Family, options: TcpOptions): OpenTcp | undefined {
    let made: OpenTcp | undefined;
    const release = network.admit(() => made?.abort('access-denied'));
    if (release !== undefined) made = new OpenTcp(context, network, family, options, release);
    return made;
  }

  private constructor(context: WasiContext, network: Network, family: Family, options: TcpOptions, release: () => void) {
    this.#context = context;
    this.#network = network;
    this.family = family;
    this.options = { ...options };
    this.#release = release;
  }

  get listening(): boolean {
    return this.#state === 'listening';
  }

  /**
   * Binds to where the policy lets sockets listen, or, for a socket that is going to connect, to no address and port in particular.
   * A Node without `net.BoundSocket` cannot: `not-supported`.
   */
  startBind(local: Endpoint): void {
    this.#expect('unbound');
    this.#context.chargeCalls(OPEN_CALLS);
    checkFamily(local, this.family);
    checkUnicast(local);
    if (!this.#network.awaitRoom()) fail('new-socket-limit');
    const mayListen = this.#network.permitsListen('tcp', local.address, local.port);
    demand(this.#context, 'tcp-bind', mayListen || (this.#network.granted && isUnspecified(local.address) && local.port === 0), () => describeEndpoint(local));
    if (net.BoundSocket === undefined) fail('not-supported');
    try {
      this.#bound = new net.BoundSocket({ host: formatAddress(local.address), port: local.port, ipv6Only: this.family === 6 });
    } catch (error) {
      this.#network.closing();
      fail(codeOfError(error));
    }
    this.#local = { address: local.address, port: this.#bound.address().port };
    this.#mayListen = mayListen;
    this.#state = 'bind-started';
  }

  finishBind(): void {
    this.#finish('bind-started');
    this.#state = 'bound';
  }

  startConnect(remote: Endpoint): void {
    this.#expect('unbound', 'bound');
    this.#context.chargeCalls(OPEN_CALLS);
    checkRemote(remote, this.family);
    checkUnicast(remote);
    demand(this.#context, 'tcp-connect', this.#network.permitsSocket('tcp', remote.address, remote.port), () => describeEndpoint(remote));
    const buffers = { receive: this.options.receiveBuffer, send: this.options.sendBuffer };
    const options: net.SocketConstructorOpts = { ...SOCKET_OPTIONS, handle: this.#bound };
    const socket = new net.Socket(options);
    this.#bound = undefined;
    this.#state = 'connect-started';
    this.#connection = Connection.take(this.#context, socket, buffers, this.#release);
    if (this.#connection === undefined) {
      this.#failure = 'out-of-memory';
      return;
    }
    this.#connection.established.onChange(() => this.ready.notify());
    const timer = setTimeout(() => this.#connection?.destroy('timeout'), this.#network.connectTimeoutMs).unref();
    socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    try {
      socket.connect({ host: formatAddress(remote.address), port: remote.port });
    } catch (error) {
      this.#failure = codeOfError(error);
    }
  }

  finishConnect(): Connection {
    this.#finish('connect-started');
    const connection = this.#connection;
    const failure = this.#failure ?? connection?.failure;
    if (connection === undefined || failure !== undefined) {
      this.close();
      // The system says so of its own choice of an address, for which there was no port.
      fail(failure === 'address-not-bindable' ? 'address-in-use' : (failure ?? 'unknown'));
    }
    if (connection.connecting) failForNow(this.#context);
    this.#connected(connection);
    return connection;
  }

  startListen(): void {
    this.#expect('bound');
    this.#context.chargeCalls(OPEN_CALLS);
    const local = this.#local as Endpoint;
    demand(this.#context, 'tcp-listen', this.#network.granted && this.#mayListen, () => describeEndpoint(local));
    const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true });
    server.on('connection', (socket) => this.#arrived(socket));
    server.on('listening', () => this.ready.notify());
    server.on('error', (error) => {
      this.#failure = codeOfError(error);
      this.ready.notify();
    });
    server.listen({ handle: this.#bound as net.BoundSocket, backlog: this.#backlog });
    this.#bound = undefined;
    this.#server = server;
    this.#state = 'listen-started';
  }

  finishListen(): void {
    this.#finish('listen-started');
    if (this.#failure !== undefined) {
      this.close();
      fail(this.#failure);
    }
    if (!this.#server?.listening) failForNow(this.#context);
    this.#state = 'listening';
  }

  /** The next connection, with its socket. */
  accept(): [OpenTcp, Connection] {
    this.#expect('listening');
    const next = this.#accepted.shift();
    if (next === undefined) failForNow(this.#context);
    this.#context.chargeCalls(OPEN_CALLS);
    demand(this.#context, 'tcp-accept', this.#network.granted, () => (next.#remote ? describeEndpoint(next.#remote) : {}));
    return [next, next.#connection as Connection];
  }

  /** From bound on. */
  get local(): Endpoint {
    if (this.#local === undefined || this.#state === 'bind-started') fail('invalid-state');
    return this.#local;
  }

  /** Once connected. */
  get remote(): Endpoint {
    return this.#remote ?? fail('invalid-state');
  }

  set backlog(size: number) {
    if (this.#state === 'connect-started' || this.#state === 'connected') fail('invalid-state');
    this.#backlog = Math.min(size, MAX_BACKLOG);
  }

  /** Brings the options for keep-alive to the connection, if there is one. */
  applyKeepAlive(): void {
    const { keepAlive, keepAliveIdle, keepAliveInterval, keepAliveCount } = this.options;
    if (this.#state === 'connected') this.#connection?.setKeepAlive(keepAlive, keepAliveIdle, keepAliveInterval, keepAliveCount);
  }

  shutdown(receiving: boolean, sending: boolean): void {
    this.#expect('connected');
    if (receiving) this.#connection?.endReceiving();
    if (sending) this.#connection?.endSending();
  }

  /** Lets go of everything; what a connection was given to send is still sent. */
  close(): void {
    this.#end((connection) => connection.close());
  }

  /** Ends everything at once; streams of a connection fail with `failure`. */
  abort(failure: ErrorCode): void {
    this.#end((connection) => connection.destroy(failure));
  }

  #end(endConnection: (connection: Connection) => void): void {
    if (this.#state !== 'unbound' && this.#state !== 'closed') this.#network.closing();
    this.#state = 'closed';
    for (const socket of this.#accepted.splice(0)) socket.abort('connection-aborted');
    this.#server?.close();
    this.#server = undefined;
    this.#bound?.close();
    this.#bound = undefined;
    // A connection that has something to send lives on, and counts.
    if (this.#connection === undefined) this.#release();
    else endConnection(this.#connection);
    this.ready.notify();
  }

  #arrived(socket: net.Socket): void {
    const accepted = this.#accepted.length < this.#backlog ? OpenTcp.#make(this.#context, this.#network, this.family, this.options) : undefined;
    if (accepted === undefined) {
      socket.destroy();
      return;
    }
    const { receiveBuffer, sendBuffer } = accepted.options;
    const connection = Connection.take(this.#context, socket, { receive: receiveBuffer, send: sendBuffer }, accepted.#release);
    if (connection === undefined) {
      accepted.close();
      return;
    }
    accepted.#connected(connection);
    this.#accepted.push(accepted);
    this.ready.notify();
  }

  #connected(connection: Connection): void {
    this.#connection = connection;
    this.#state = 'connected';
    this.#local = connection.local ?? this.#local;
    this.#remote = connection.remote;
    if (this.options.keepAlive) this.applyKeepAlive();
  }

  #isReady(): boolean {
    if (this.#state === 'connect-started') return this.#failure !== undefined || this.#connection?.connecting === false;
    if (this.#state === 'listen-started') return this.#failure !== undefined || this.#server?.listening === true;
    return this.#state !== 'listening' || this.#accepted.length > 0;
  }

  #expect(...states: State[]): void {
    if (states.includes(this.#state)) return;
    if (!this.#network.granted) fail('access-denied');
    fail(this.#state.endsWith('-started') ? 'concurrency-conflict' : 'invalid-state');
  }

  #finish(state: State): void {
    if (this.#state !== state) fail(this.#network.granted ? 'not-in-progress' : 'access-denied');
  }
}
