// One TCP connection over node:net: its two directions as a source and a target of streams. It reads ahead and holds back no more than was reserved for it,
// in whatever pieces that comes or is written; events of the host only set state and wake who waits.
import type { Socket } from 'node:net';
import { CLOSED, type InputSource, type OutputTarget } from '../component/io.ts';
import type { WasiContext } from '../context.ts';
import { Signal } from '../waiting.ts';
import { ByteQueue } from './byte-queue.ts';
import { codeOfError, type ErrorCode, failureOf } from './errors.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';

/** Bytes that Node reads at once at most, and keeps until there is room for them. */
export const CHUNK_BYTES = 64 * 1024;
/** Bytes of Node's own for what is written at once, be it a single byte, until it is sent. */
const WRITE_BYTES = 512;
/** Calls of the system that one read or write of a connection is charged for. */
const IO_CALLS = 5;
/** Milliseconds that a connection whose guest has dropped it may take to send what it was given. */
const LINGER_MS = 10_000;

/** What the sockets of connections are made with. Node's own buffer holds one chunk, after which it stops to read. */
export const SOCKET_OPTIONS = Object.freeze({ allowHalfOpen: true, highWaterMark: 1 });

export interface ConnectionBuffers {
  /** Bytes that are read ahead, at least {@link CHUNK_BYTES}. */
  readonly receive: number;
  /** Bytes that are taken and not yet sent, with Node's own for each write. */
  readonly send: number;
}

export class Connection {
  /** Changes when a connection that is being made is there, or has failed. */
  readonly established: Signal = new Signal(() => !this.#socket.connecting);
  readonly input: InputSource;
  readonly output: OutputTarget;
  readonly #context: WasiContext;
  readonly #socket: Socket;
  readonly #buffers: ConnectionBuffers;
  readonly #receivable: Signal = new Signal(() => this.#receivedAll || this.#failure !== undefined || this.#received.length > 0);
  readonly #sendable: Signal = new Signal(() => this.#sendingEnded || this.#failure !== undefined || this.#permit() > 0);
  readonly #onClosed: () => void;
  readonly #received: ByteQueue;
  #unsent = 0;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;
  #failure: ErrorCode | undefined;
  #receivedAll = false;
  #sendingEnded = false;
  #flushing = false;
  #dropped = false;
  #released = false;
  #closed = false;

  /**
   * Takes over `socket`, made with {@link SOCKET_OPTIONS}, connected or about to be, and calls `onClosed` once when it was let go of and has nothing more
   * to send. What it reserved is given back when Node has let go of it, too.
   * Undefined when the guest's host has no room for `buffers`; the socket is destroyed then.
   */
  static take(context: WasiContext, socket: Socket, buffers: ConnectionBuffers, onClosed: () => void): Connection | undefined {
    if (context.keepBytes(reservedFor(buffers))) return new Connection(context, socket, buffers, onClosed);
    socket.destroy();
    return undefined;
  }

  private constructor(context: WasiContext, socket: Socket, buffers: ConnectionBuffers, onClosed: () => void) {
    this.#context = context;
    this.#socket = socket;
    this.#buffers = buffers;
    this.#onClosed = onClosed;
    this.#received = new ByteQueue(buffers.receive);
    this.input = { ready: this.#receivable, read: (limit) => this.#read(limit) };
    this.output = {
      ready: this.#sendable,
      permit: () => this.#checkedPermit(),
      write: (bytes) => this.#write(bytes),
      flush: () => {
        this.#flushing = this.#unsent > 0;
      },
    };
    this.#learnEnds();
    socket.on('connect', () => {
      this.#learnEnds();
      this.#notify();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // The other end reads no more: an end, and no failure.
      if (error.code === 'EPIPE') this.#sendingEnded = true;
      else this.#failure ??= codeOfError(error);
      this.#notify();
    });
    socket.on('readable', () => {
      this.#readAhead();
      this.#notify();
    });
    socket.on('end', () => {
      this.#receivedAll = true;
      this.#notify();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#receivedAll = true;
      this.#sendingEnded = true;
      this.#notify();
      if (this.#dropped) this.#release();
    });
  }

  get connecting(): boolean {
    return this.#socket.connecting;
  }

  /** Why it broke, if it did. */
  get failure(): ErrorCode | undefined {
    return this.#failure;
  }

  /** Once connected, also when it has ended since. */
  get local(): Endpoint | undefined {
    return this.#local;
  }

  get remote(): Endpoint | undefined {
    return this.#remote;
  }

  /** Nothing more is to be read, and what was read ahead is given up. */
  endReceiving(): void {
    this.#receivedAll = true;
    this.#received.clear();
    this.#socket.removeAllListeners('readable');
    this.#socket.pause();
    while (this.#socket.read() !== null);
    this.#notify();
  }

  /** Nothing more will be written; what was, is still sent. */
  endSending(): void {
    if (this.#sendingEnded) return;
    this.#sendingEnded = true;
    this.#socket.end();
    this.#notify();
  }

  /** As {@link import('node:net').Socket.setKeepAlive}, times in seconds. */
  setKeepAlive(enabled: boolean, idle: number, interval: number, count: number): void {
    (this.#socket.setKeepAlive as (enabled: boolean, idleMs: number, intervalMs: number, count: number) => unknown)(
      enabled,
      idle * 1_000,
      interval * 1_000,
      count,
    );
  }

  /** Lets go of it: what was written is sent as long as the other end takes it in time. */
  close(): void {
    if (this.#socket.connecting || this.#socket.destroyed || this.#unsent === 0) {
      this.destroy();
      return;
    }
    this.#dropped = true;
    this.endReceiving();
    this.endSending();
    const timer = setTimeout(() => this.destroy(), LINGER_MS).unref();
    this.#socket.once('finish', () => this.destroy());
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** Ends it at once. `failure` is what its streams give from then on. */
  destroy(failure?: ErrorCode): void {
    this.#failure ??= failure;
    this.#sendingEnded = true;
    this.#dropped = true;
    this.endReceiving();
    this.#socket.destroy();
    this.#release();
  }

  #read(limit: number): Uint8Array | undefined {
    const bytes = this.#received.take(limit);
    if (bytes.length === 0) {
      if (this.#failure !== undefined) throw failureOf(this.#failure);
      return this.#receivedAll ? undefined : bytes;
    }
    this.#readAhead();
    this.#context.chargeCalls(IO_CALLS);
    this.#context.chargeBytes(bytes.length);
    return bytes;
  }

  // Takes over the chunk that Node has read, as soon as there is room for it. All of it: only then does Node read on, or see the end.
  #readAhead(): void {
    if (this.#received.length > 0 && this.#received.length + this.#socket.readableLength > this.#buffers.receive) return;
    const chunk: Uint8Array | null = this.#socket.read();
    if (chunk !== null) this.#received.push(chunk);
  }

  #permit(): number {
    if (this.#flushing && this.#unsent > 0) return 0;
    this.#flushing = false;
    return Math.max(0, this.#buffers.send - this.#unsent);
  }

  #checkedPermit(): number {
    if (this.#failure !== undefined) throw failureOf(this.#failure);
    if (this.#sendingEnded) throw CLOSED;
    return this.#permit();
  }

  #write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#context.chargeCalls(IO_CALLS);
    this.#context.chargeBytes(bytes.length);
    const held = bytes.length + WRITE_BYTES;
    this.#unsent += held;
    this.#socket.write(bytes, () => {
      this.#unsent -= held;
      this.#sendable.notify();
    });
  }

  #learnEnds(): void {
    this.#local = endpointOf(this.#socket.localAddress, this.#socket.localPort);
    this.#remote = endpointOf(this.#socket.remoteAddress, this.#socket.remotePort);
  }

  #notify(): void {
    this.established.notify();
    this.#receivable.notify();
    this.#sendable.notify();
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#onClosed();
    const giveBack = (): void => this.#context.giveBack(reservedFor(this.#buffers));
    if (this.#closed) giveBack();
    else this.#socket.once('close', giveBack);
  }
}

function reservedFor({ receive, send }: ConnectionBuffers): number {
  return receive + CHUNK_BYTES + send;
}
