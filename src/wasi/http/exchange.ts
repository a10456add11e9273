// One request of a guest's under way, and its response. Everything here happens on the host's event loop and only changes what the guest sees when it looks
// the next time; it ends by itself, by a bound on time or size, when the guest lets go of it, or when NETWORK is taken back.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { isInstance } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import type { Network } from '../network/network.ts';
import { NetworkError, type NetworkErrorCode } from '../network/resolver.ts';
import { isReady, Signal } from '../waiting.ts';
import { failHttp, type HttpErrorCode, httpErrorOf } from './errors.ts';
import { MAX_FIELDS, pairsOf } from './fields.ts';
import { IncomingContent } from './incoming-content.ts';
import type { OutgoingContent } from './outgoing-content.ts';

/** Bytes that Node is given at once to send: what it has not sent yet counts for nobody. */
const SENT_AT_ONCE = 64 * 1024;
/** Bytes of a response that are received for nobody, to come to its trailers and to use its connection again. */
export const MAX_DISCARDED_BYTES = 1024 * 1024;

/** Milliseconds that a guest wants to wait at most. The policy's bounds hold beside them. */
export interface Patience {
  /** For a connection. */
  readonly connectMs?: number | undefined;
  /** For the head of the response, from the connection on. */
  readonly firstByteMs?: number | undefined;
  /** For more of the body, as long as the guest has read what came before. */
  readonly betweenBytesMs?: number | undefined;
}

/** The head of a response, and what its body is read from. */
export interface IncomingHead {
  readonly status: number;
  /** Name, value, name, value. */
  readonly fields: readonly string[];
  readonly content: IncomingContent;
}

/** How a request is sent. */
export interface Sending {
  /** Makes it; more than once when it is repeatable. */
  readonly start: () => ClientRequest;
  /** Its body, sent as the guest writes it. */
  readonly content: OutgoingContent | undefined;
  /** Whether a server that gets it twice does the same as for one, and there is no body. */
  readonly repeatable: boolean;
}

export class Exchange {
  /** Ready when there is an {@link outcome}. */
  readonly ready = new Signal(() => this.#head !== undefined || this.#failure !== undefined);
  readonly #context: WasiContext;
  readonly #network: Network;
  readonly #patience: Patience;
  readonly #start: () => ClientRequest;
  readonly #content: OutgoingContent | undefined;
  readonly #repeatable: boolean;
  readonly #left: () => void;
  #request: ClientRequest | undefined;
  #head: IncomingHead | undefined;
  #failure: HttpErrorCode | undefined;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #draining = false;

  /** Throws an {@link HttpErrorCode}: `connection-limit-reached`, or why Node takes no such request. */
  constructor(context: WasiContext, network: Network, { start, content, repeatable }: Sending, patience: Patience) {
    this.#context = context;
    this.#network = network;
    this.#patience = patience;
    this.#start = start;
    this.#content = content;
    this.#repeatable = repeatable;
    this.#left = network.admit(() => this.fail({ tag: 'HTTP-request-denied' })) ?? failHttp({ tag: 'connection-limit-reached' });
    try {
      this.#begin();
    } catch (error) {
      const why = httpErrorOf(error);
      this.fail(why);
      this.#left();
      failHttp(why);
    }
  }

  /** The response, or why there is none; undefined as long as that is open. */
  outcome(): IncomingHead | HttpErrorCode | undefined {
    return this.#failure ?? this.#head;
  }

  /** Ends the exchange. The guest finds `why` wherever it looks next: here, in the response's body, or when it writes its own. */
  fail(why: HttpErrorCode): void {
    clearTimeout(this.#timer);
    if (this.#head === undefined) this.#failure ??= why;
    this.#head?.content.fail(why);
    this.#content?.cancel(why);
    this.#request?.destroy();
    this.ready.notify();
  }

  #begin(): void {
    const request = this.#start();
    this.#request = request;
    // One more than there may be, so that too many are seen.
    request.maxHeadersCount = MAX_FIELDS + 1;
    request.on('error', (error) => {
      if (this.#wasIdleTooLong(request, error)) this.#begin();
      else this.fail(codeOf(error));
    });
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      this.fail({ tag: 'HTTP-upgrade-failed' });
    });
    request.on('socket', (socket) => {
      const connected = (): void => {
        this.#connected = true;
        this.#allow(this.#patience.firstByteMs, this.#network.readTimeoutMs, 'connection-read-timeout');
      };
      if (request.reusedSocket) connected();
      else socket.once(request.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
    });
    request.on('response', (response) => this.#receive(response));
    request.on('close', () => {
      if (request === this.#request) this.#close();
    });
    this.#allow(this.#patience.connectMs, this.#network.connectTimeoutMs, 'connection-timeout');
    if (this.#content === undefined) request.end();
    else this.#send(request, this.#content);
  }

  // A server may close an idle connection just when it is used again: what has no effect of its own when it comes twice is sent by another (RFC 9112, 9.3.1).
  #wasIdleTooLong(request: ClientRequest, error: unknown): boolean {
    const isOpen = this.#head === undefined && this.#failure === undefined;
    return isOpen && this.#repeatable && request.reusedSocket && codeOf(error).tag === 'connection-terminated';
  }

  // What has come of the response by now can still be read.
  #close(): void {
    clearTimeout(this.#timer);
    this.#content?.cancel();
    if (this.#head === undefined) this.fail({ tag: 'connection-terminated' });
    const ended = this.#head?.content.ended;
    if (ended === undefined || isReady(ended)) this.#left();
    else ended.onChange(this.#left);
  }

  #receive(response: IncomingMessage): void {
    clearTimeout(this.#timer);
    const fault = faultOf(response);
    if (fault !== undefined) {
      this.fail(fault);
      return;
    }
    const content = new IncomingContent(
      this.#context,
      {
        resume: () => {
          this.#allow(this.#patience.betweenBytesMs, this.#network.readTimeoutMs, 'connection-read-timeout');
          response.resume();
        },
        // What has been received whole leaves a connection that can be used again.
        cancel: () => {
          clearTimeout(this.#timer);
          if (response.complete) response.resume();
          else this.#request?.destroy();
        },
      },
      this.#network.maxBodyBytes,
    );
    let discarded = 0;
    response.on('data', (bytes: Buffer) => {
      this.#timer?.refresh();
      const wantsMore = content.push(bytes);
      // Nothing to read right behind a push: the guest has finished with the body.
      if (!isReady(content.ready)) discarded += bytes.length;
      if (discarded > MAX_DISCARDED_BYTES) this.fail({ tag: 'HTTP-response-incomplete' });
      if (wantsMore) return;
      clearTimeout(this.#timer);
      response.pause();
    });
    response.on('end', () => {
      clearTimeout(this.#timer);
      content.finish(response.rawTrailers);
    });
    response.on('error', () => content.fail({ tag: 'HTTP-response-incomplete' }));
    response.pause();
    this.#head = { status: response.statusCode as number, fields: response.rawHeaders, content };
    this.ready.notify();
  }

  #send(request: ClientRequest, content: OutgoingContent): void {
    const pump = (): void => {
      while (!this.#draining) {
        const piece = content.take(SENT_AT_ONCE);
        if (piece === undefined) break;
        this.#draining = !request.write(piece);
        // The response has its time from when the server has the request.
        if (this.#connected && this.#head === undefined) this.#timer?.refresh();
      }
      if (content.end === 'broken') this.fail(content.fault ?? { tag: 'HTTP-protocol-error' });
      if (content.end !== 'finished' || request.writableEnded || request.destroyed) return;
      request.addTrailers(pairsOf(content.trailers));
      request.end();
    };
    content.onProgress = pump;
    request.on('drain', () => {
      this.#draining = false;
      pump();
    });
    // The server may answer before there is any body.
    request.flushHeaders();
    pump();
  }

  #allow(wanted: number | undefined, most: number, tag: 'connection-timeout' | 'connection-read-timeout'): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail({ tag }), Math.min(wanted ?? most, most)).unref();
  }
}

// What Node's parser lets pass: a final status that is none, and a body in codings that nobody has undone.
function faultOf({ statusCode, headers }: IncomingMessage): HttpErrorCode | undefined {
  if (!(statusCode !== undefined && statusCode >= 200)) return { tag: 'HTTP-protocol-error' };
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return { tag: 'HTTP-response-transfer-coding', val: undefined };
  return undefined;
}

function codeOf(error: unknown): HttpErrorCode {
  return isInstance(error, NetworkError) ? RESOLVING[error.code] : httpErrorOf(error);
}

const RESOLVING: Readonly<Record<NetworkErrorCode, HttpErrorCode>> = {
  'access-denied': { tag: 'destination-IP-prohibited' },
  'name-unresolvable': { tag: 'DNS-error', val: {} },
  'temporary-resolver-failure': { tag: 'DNS-error', val: {} },
  'permanent-resolver-failure': { tag: 'DNS-error', val: {} },
  timeout: { tag: 'DNS-timeout' },
};
