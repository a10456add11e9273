// One TCP connection over node:net: its two directions as a source and a target of streams. It reads ahead and holds back no more than was reserved for it;
// events of the host only set state and wake who waits.
import type { Socket } from 'node:net';
import { CLOSED, type InputSource, type OutputTarget } from '../component/io.ts';
import type { WasiContext } from '../context.ts';
import { Signal } from '../waiting.ts';
import { codeOfError, type ErrorCode, failureOf } from './errors.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';

/** Bytes that Node reads at once, on top of those that it reads ahead. */
const CHUNK_BYTES = 64 * 1024;
/** Calls of the system that one read or write of a connection is charged for. */
const IO_CALLS = 5;
/** Milliseconds that a connection whose guest has dropped it may take to send what it was given. */
const LINGER_MS = 10_000;

export interface ConnectionBuffers {
  /** Bytes that are read ahead. */
  readonly receive: number;
  /** Bytes that are taken and not yet sent. */
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
  readonly #receivable: Signal = new Signal(() => this.#receivedAll || this.#failure !== undefined || this.#socket.readableLength > 0);
  readonly #sendable: Signal = new Signal(() => this.#sendingEnded || this.#failure !== undefined || this.#permit() > 0);
  readonly #onClosed: () => void;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;
  #failure: ErrorCode | undefined;
  #receivedAll = false;
  #sendingEnded = false;
  #flushing = false;
  #discarding = false;
  #dropped = false;
  #reserved = true;

  /**
   * Takes over `socket`, whose high water mark is that of `buffers`, connected or about to be, and calls `onClosed` once when it was let go of
   * and nothing of it is left.
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
    this.input = { ready: this.#receivable, read: (limit) => this.#read(limit) };
    this.output = {
      ready: this.#sendable,
      permit: () => this.#checkedPermit(),
      write: (bytes) => this.#write(bytes),
      flush: () => {
        this.#flushing = this.#socket.writableLength > 0;
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
      // Node sees the end only when something asks for more.
      if (socket.readableLength === 0) socket.read();
      this.#notify();
    });
    socket.on('end', () => {
      this.#receivedAll = true;
      this.#notify();
    });
    socket.on('close', () => {
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
    this.#discarding = true;
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
    if (this.#socket.connecting || this.#socket.destroyed || this.#socket.writableLength === 0) {
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
    // Asked for more than its high water mark, Node would raise that.
    const length = this.#discarding ? 0 : Math.min(limit, this.#socket.readableLength, this.#buffers.receive);
    const bytes: Uint8Array | null = length > 0 ? this.#socket.read(length) : null;
    if (bytes === null) {
      if (this.#failure !== undefined) throw failureOf(this.#failure);
      return this.#receivedAll ? undefined : NOTHING;
    }
    this.#context.chargeCalls(IO_CALLS);
    this.#context.chargeBytes(bytes.length);
    return bytes;
  }

  #permit(): number {
    const waiting = this.#socket.writableLength;
    if (this.#flushing && waiting > 0) return 0;
    this.#flushing = false;
    return Math.max(0, this.#buffers.send - waiting);
  }

  #checkedPermit(): number {
    if (this.#failure !== undefined) throw failureOf(this.#failure);
    if (this.#sendingEnded) throw CLOSED;
    return this.#permit();
  }

  #write(bytes: Uint8Array): void {
    this.#context.chargeCalls(IO_CALLS);
    this.#context.chargeBytes(bytes.length);
    this.#socket.write(bytes, () => this.#sendable.notify());
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
    if (!this.#reserved) return;
    this.#reserved = false;
    this.#context.giveBack(reservedFor(this.#buffers));
    this.#onClosed();
  }
}

function reservedFor({ receive, send }: ConnectionBuffers): number {
  return receive + CHUNK_BYTES + send;
}

const NOTHING = new Uint8Array();
