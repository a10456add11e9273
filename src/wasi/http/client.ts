// Sends a guest's requests: HTTP/1.1 over node:http and node:https, with connections of this guest's own. A request goes to the addresses that the network
// policy gives out for it and nowhere else: no proxy, no redirect, no cookie, nothing out of the environment. A redirect is the guest's to follow, with a
// request that is checked like any other.
import { type AgentOptions, Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps, type RequestOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { Cap } from '../../capabilities.ts';
import type { WasiContext } from '../context.ts';
import { formatAddress } from '../network/addresses.ts';
import { type Host, hostText } from '../network/hosts.ts';
import type { Network } from '../network/network.ts';
import { failHttp } from './errors.ts';
import { Exchange, type Patience } from './exchange.ts';
import { type FieldList, MAX_FIELDS_BYTES } from './fields.ts';
import type { OutgoingContent } from './outgoing-content.ts';

/** A request, ready to go. Who sends it takes over its fields and its content. */
export interface OutgoingMessage {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: Host;
  /** Undefined for the scheme's own. */
  readonly port: number | undefined;
  readonly path: string;
  readonly fields: FieldList;
  /** Undefined when the guest wanted no body. */
  readonly content: OutgoingContent | undefined;
}

/** Idle connections of one guest, for each scheme, and how long they are kept. */
export const MAX_IDLE_CONNECTIONS = 16;
const IDLE_MS = 5_000;
/** Calls of the system that a request is charged for, whatever becomes of it. */
const REQUEST_CALLS = 200;

export class HttpClient {
  readonly #context: WasiContext;
  readonly #network: Network;
  #agents: Readonly<Record<'http' | 'https', HttpAgent>> | undefined;

  constructor(context: WasiContext, network: Network) {
    this.#context = context;
    this.#network = network;
  }

  /** Starts to send `message`. Throws an `error-code` when it is none that may be sent. */
  send(message: OutgoingMessage, patience: Patience): Exchange {
    try {
      return this.#send(message, patience);
    } catch (error) {
      message.content?.cancel();
      throw error;
    } finally {
      message.fields.release();
    }
  }

  #send(message: OutgoingMessage, patience: Patience): Exchange {
    const { method, scheme, host, port = scheme === 'http' ? 80 : 443, path } = message;
    this.#context.chargeCalls(REQUEST_CALLS);
    // A tunnel leads past the policy.
    if (method.toUpperCase() === 'CONNECT') failHttp({ tag: 'HTTP-request-method-invalid' });
    const allowed = this.#network.permits(scheme, host, port);
    if (this.#context.observed) this.#context.report(Cap.NETWORK, 'http.request', allowed, { method, scheme, host: hostText(host), port, path });
    // The observer may have taken the grant back just now.
    if (!allowed || !this.#network.granted) failHttp({ tag: 'HTTP-request-denied' });
    const headers = ['Host', message.port === undefined ? hostText(host) : `${hostText(host)}:${port}`, ...message.fields.raw(), ...framingOf(message)];
    const named = typeof host === 'string';
    const options: RequestOptions = {
      agent: this.#agentFor(scheme),
      host: named ? host : formatAddress(host),
      port,
      method,
      path: path.startsWith('/') || path === '*' ? path : `/${path}`,
      headers,
      setHost: false,
      lookup: this.#lookup(scheme, host, port),
      maxHeaderSize: MAX_FIELDS_BYTES,
      insecureHTTPParser: false,
      // Whatever the environment says; an address has no name to show.
      ...(scheme === 'https' && { rejectUnauthorized: true, servername: named ? host : '' }),
    };
    const start = scheme === 'http' ? () => requestHttp(options) : () => requestHttps(options);
    const repeatable = message.content === undefined && /^(?:GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/.test(method);
    return new Exchange(this.#context, this.#network, { start, content: message.content, repeatable }, patience);
  }

  // Asked for each new connection; connected to is what it gives.
  #lookup(scheme: 'http' | 'https', host: Host, port: number): LookupFunction {
    return (_hostname, { all }, callback) => {
      this.#network.resolve(scheme, host, port).then(
        (found) => {
          const addresses = found.map((address) => ({ address: formatAddress(address), family: address.family }));
          const [first] = addresses;
          if (all) callback(null, addresses);
          else callback(null, first?.address ?? '', first?.family);
        },
        (error: NodeJS.ErrnoException) => callback(error, []),
      );
    };
  }

  #agentFor(scheme: 'http' | 'https'): HttpAgent {
    if (this.#agents === undefined) {
      const agents = { http: new GuestAgent(AGENT_OPTIONS), https: new GuestTlsAgent(AGENT_OPTIONS) };
      const close = (): void => {
        agents.http.destroy();
        agents.https.destroy();
      };
      this.#context.keep({ close });
      this.#context.onRevoke(Cap.NETWORK, close);
      this.#agents = agents;
    }
    return this.#agents[scheme];
  }
}

// A body has a length, or comes in chunks; without either the server could take what the guest writes for another request.
function framingOf({ method, fields, content }: OutgoingMessage): string[] {
  const declared = fields.contentLength;
  if (content === undefined) {
    if (declared !== undefined && declared > 0) failHttp({ tag: 'HTTP-request-body-size', val: 0n });
    return declared === undefined && /^(?:POST|PUT|PATCH)$/.test(method) ? ['Content-Length', '0'] : [];
  }
  if (declared !== undefined) return [];
  const known = content.trailers.length === 0 ? content.length : undefined;
  return known === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(known)];
}

// Without `proxyEnv`, which is how Node would have proxies of the environment.
const AGENT_OPTIONS: AgentOptions = { keepAlive: true, timeout: IDLE_MS };

class GuestAgent extends HttpAgent {
  override keepSocketAlive(socket: Duplex): boolean {
    return hasRoom(this) && (super.keepSocketAlive(socket) as unknown as boolean);
  }
}

class GuestTlsAgent extends HttpsAgent {
  override keepSocketAlive(socket: Duplex): boolean {
    return hasRoom(this) && (super.keepSocketAlive(socket) as unknown as boolean);
  }
}

function hasRoom({ freeSockets }: HttpAgent): boolean {
  return Object.values(freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0) < MAX_IDLE_CONNECTIONS;
}
