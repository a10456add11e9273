// What the tests of wasi:http stand on: a guest whose program is the test, servers on loopback that end with it, and certificates.
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Cap } from '../../src/capabilities.ts';
import type { Limits } from '../../src/limits.ts';
import type { OutgoingBody } from '../../src/wasi/component/http-bodies.ts';
import type { Fields } from '../../src/wasi/component/http-fields.ts';
import type { FutureIncomingResponse, IncomingResponse, OutgoingRequest } from '../../src/wasi/component/http-outbound.ts';
import { IoError, type OutputStream, type StreamError } from '../../src/wasi/component/io.ts';
import type { AccessObserver } from '../../src/wasi/context.ts';
import type { HttpErrorCode } from '../../src/wasi/http/errors.ts';
import type { NetworkOptions } from '../../src/wasi/network/policy.ts';
import { EVERYTHING, SocketGuest } from './sockets.ts';
import { ALL } from './support.ts';

/** A request as tests write it. */
export interface Wanted {
  readonly method?: string;
  readonly scheme?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: readonly (string | Uint8Array)[];
  readonly trailers?: readonly (readonly [string, string])[];
  /** Milliseconds. */
  readonly connect?: number;
  readonly firstByte?: number;
  readonly betweenBytes?: number;
}

export interface Received {
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: Buffer;
  readonly trailers: [string, string][];
}

/** A guest with NETWORK and all of loopback, unless told otherwise. */
export class HttpGuest extends SocketGuest {
  constructor(network: NetworkOptions = EVERYTHING, limits: Partial<Limits> = {}, grants: number = ALL | Cap.NETWORK, onAccess?: AccessObserver) {
    super(network, limits, grants, onAccess);
    onTestFinished(() => this.host.dispose());
  }

  get types() {
    return this.wasi['wasi:http/types'];
  }

  fields(entries: readonly (readonly [string, string])[] = []): Fields {
    return this.types.Fields.fromList(entries.map(([name, value]) => [name, Buffer.from(value, 'latin1')]));
  }

  request({ method, scheme = 'http', authority, path, headers = [] }: Wanted): OutgoingRequest {
    const request = new this.types.OutgoingRequest(this.fields(headers));
    if (method !== undefined) request.setMethod({ tag: 'other', val: method });
    request.setScheme(scheme === 'http' ? { tag: 'HTTP' } : scheme === 'https' ? { tag: 'HTTPS' } : { tag: 'other', val: scheme });
    request.setAuthority(authority);
    request.setPathWithQuery(path);
    return request;
  }

  /** Starts a request without a body, or one whose body the caller has. Throws its error-code. */
  start(request: OutgoingRequest, { connect, firstByte, betweenBytes }: Wanted = {}): FutureIncomingResponse {
    const options = new this.types.RequestOptions();
    options.setConnectTimeout(nanoseconds(connect));
    options.setFirstByteTimeout(nanoseconds(firstByte));
    options.setBetweenBytesTimeout(nanoseconds(betweenBytes));
    return this.wasi['wasi:http/outgoing-handler'].handle(request, options);
  }

  /** Sends all of a request and receives all of its response. Rejects with the error-code, or the plain stream error, wherever it fails. */
  async send(wanted: Wanted): Promise<Received> {
    const request = this.request(wanted);
    const body = wanted.body && request.body();
    const future = this.start(request, wanted);
    if (body !== undefined) await this.write(body, wanted.body ?? [], wanted.trailers);
    return this.receive(await this.response(future));
  }

  async write(body: OutgoingBody, pieces: readonly (string | Uint8Array)[], trailers?: Wanted['trailers']): Promise<void> {
    const stream = body.write();
    for (const piece of pieces) await this.put(stream, Buffer.from(piece as string));
    stream.close();
    this.types.OutgoingBody.finish(body, trailers && this.fields(trailers));
  }

  put(stream: OutputStream, bytes: Uint8Array): Promise<void> {
    return unwrapped(() => this.run(() => stream.blockingWriteAndFlush(bytes)));
  }

  async response(future: FutureIncomingResponse): Promise<IncomingResponse> {
    await this.ready(future);
    const result = future.get();
    if (result?.tag !== 'ok') throw new Error('no result');
    if (result.val.tag === 'err') throw result.val.val;
    return result.val.val;
  }

  async receive(response: IncomingResponse): Promise<Received> {
    const headers = entriesOf(response.headers());
    const body = response.consume();
    const stream = body.stream();
    const bytes = await unwrapped(() => this.readAll(stream));
    stream.close();
    const future = this.types.IncomingBody.finish(body);
    await this.ready(future);
    const result = future.get();
    future.close();
    if (result?.tag !== 'ok') throw new Error('no result');
    if (result.val.tag === 'err') throw result.val.val;
    const trailers = result.val.val === undefined ? [] : entriesOf(result.val.val);
    response.close();
    return { status: response.status(), headers, body: bytes, trailers };
  }
}

export function entriesOf(fields: Fields): [string, string][] {
  return fields.entries().map(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
}

/** The error-code in place of the stream error that holds it. */
export async function unwrapped<Result>(operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    const failed = error as StreamError;
    throw failed.tag === 'last-operation-failed' ? (IoError.failureOf(failed.val) as HttpErrorCode) : error;
  }
}

function nanoseconds(milliseconds: number | undefined): bigint | undefined {
  return milliseconds === undefined ? undefined : BigInt(milliseconds) * 1_000_000n;
}

export interface Listening {
  readonly server: Server | NetServer;
  readonly port: number;
  /** `127.0.0.1` with the port. */
  readonly authority: string;
  /** Connections that were accepted so far. */
  readonly sockets: readonly Socket[];
}

/** An HTTP server on loopback, until the test ends. */
export function serve(handler: RequestListener): Promise<Listening> {
  return listening(createServer({ maxHeaderSize: 1 << 20 }, handler));
}

/** A server of whatever bytes, until the test ends. */
export function serveBytes(handler: (socket: Socket) => void): Promise<Listening> {
  return listening(createNetServer(handler));
}

export async function listening(server: Server | NetServer): Promise<Listening> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, authority: `127.0.0.1:${port}`, sockets };
}

/** Waits until `look` gives something. */
export async function until<Found>(look: () => Found | undefined | false): Promise<Found> {
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('what was waited for has not come');
}

/** A server that answers with what it was asked, as JSON. */
export function echo(): Promise<Listening> {
  return serve((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method, url, rawHeaders, rawTrailers } = request;
      response.end(JSON.stringify({ method, url, rawHeaders, rawTrailers, body: Buffer.concat(pieces).toString() }));
    });
  });
}

/** What {@link echo} was asked. */
export function json({ body }: Received): Record<'method' | 'url' | 'body', string> & Record<'rawHeaders' | 'rawTrailers', string[]> {
  return JSON.parse(body.toString());
}
