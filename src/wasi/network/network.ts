// The network of one guest: what its policy permits while NETWORK is granted, what it has looked up, and what it has open. HTTP and sockets connect to the
// addresses that are given out here, and to no others: a name is resolved once for each connection, and connected to is what was vetted.
import { Cap } from '../../capabilities.ts';
import type { WasiContext } from '../context.ts';
import { type IpAddress, formatAddress } from './addresses.ts';
import type { Host } from './hosts.ts';
import type { HostEntry, NetworkPolicy, Scheme, Transport } from './policy.ts';
import { NetworkError, Resolver } from './resolver.ts';

/** Looked-up addresses that are remembered for sockets; the oldest are forgotten first. */
const MAX_LOOKED = 1_000;

export class Network {
  readonly #context: WasiContext;
  readonly #policy: NetworkPolicy;
  readonly #resolver: Resolver;
  // For addresses that were given out, the entries by whose names.
  readonly #looked = new Map<string, Set<HostEntry>>();
  #connections = 0;
  #closing = 0;

  constructor(context: WasiContext, policy: NetworkPolicy) {
    this.#context = context;
    this.#policy = policy;
    this.#resolver = new Resolver(policy.lookup, policy.connectTimeoutMs, () => this.granted);
  }

  /** Milliseconds for establishing a connection. */
  get connectTimeoutMs(): number {
    return this.#policy.connectTimeoutMs;
  }

  /** Milliseconds for the next bytes of a response. */
  get readTimeoutMs(): number {
    return this.#policy.readTimeoutMs;
  }

  /** Bytes of the body of one response. */
  get maxBodyBytes(): number {
    return this.#policy.maxBodyBytes;
  }

  /** Whether the network may be used at all at this moment. */
  get granted(): boolean {
    return this.#context.allows(Cap.NETWORK);
  }

  /** Whether `host` may be connected to. Of a name, only what {@link resolve} gives out for it; of an address, that address. */
  permits(scheme: Scheme, host: Host, port: number): boolean {
    return this.granted && this.#policy.permits(scheme, host, port);
  }

  /**
   * The addresses to connect to for `host`, vetted each, in the resolver's order, at least one. Rejects with a {@link NetworkError}: `access-denied` when
   * none may be connected to, also when the grant was taken back meanwhile.
   */
  async resolve(scheme: Scheme, host: Host, port: number): Promise<readonly IpAddress[]> {
    if (!this.permits(scheme, host, port)) throw new NetworkError('access-denied');
    if (typeof host !== 'string') return [host];
    const found = await this.#resolver.resolve(host);
    const vetted = found.filter((address) => this.granted && this.#policy.permitsResolved(scheme, host, port, address));
    if (vetted.length === 0) throw new NetworkError('access-denied');
    return vetted;
  }

  /** Whether {@link lookup} may be asked for `host`. */
  permitsLookup(host: Host): boolean {
    return this.granted && (typeof host !== 'string' || this.#policy.permitsLookup(host));
  }

  /**
   * The addresses of `host`, for sockets: {@link permitsSocket} knows them from then on. Addresses that no entry would permit, at whatever port, are left out.
   * Throws or rejects as {@link resolve} does, also when `giveUp` is aborted.
   */
  lookup(host: Host, giveUp?: AbortController): readonly IpAddress[] | Promise<readonly IpAddress[]> {
    if (!this.permitsLookup(host)) throw new NetworkError('access-denied');
    if (typeof host !== 'string') return [host];
    const vet = (found: readonly IpAddress[]): readonly IpAddress[] => {
      const vetted = found.filter((address) => this.granted && this.#vet(host, address));
      if (vetted.length === 0) throw new NetworkError('access-denied');
      return vetted;
    };
    const found = this.#resolver.resolve(host, giveUp);
    return found instanceof Promise ? found.then(vet) : vet(found);
  }

  /** Whether a socket may be connected, or a datagram sent, to `address`: by itself, or because this guest looked it up for a permitted name. */
  permitsSocket(transport: Transport, address: IpAddress, port: number): boolean {
    return this.granted && this.#policy.permitsSocket(transport, address, port, this.#looked.get(formatAddress(address)) ?? []);
  }

  /** Whether a socket may be bound there. */
  permitsListen(transport: Transport, address: IpAddress, port: number): boolean {
    return this.granted && this.#policy.permitsListen(transport, address, port);
  }

  /**
   * Counts one more connection or socket, which `close` ends: when NETWORK is taken back and when the host is disposed. Gives what has to be called at its
   * end, however it comes, or undefined when the guest has as many as it may.
   */
  admit(close: () => void): (() => void) | undefined {
    if (!this.granted || this.#connections >= this.#policy.maxConnections) return undefined;
    this.#connections += 1;
    const closable = { close };
    this.#context.keep(closable);
    const stopWatching = this.#context.onRevoke(Cap.NETWORK, close);
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#connections -= 1;
      this.#context.letGo(closable);
      stopWatching();
    };
  }

  /** Counts something of the host's that was closed, and that Node holds until the event loop has turned. */
  closing(): void {
    this.#closing += 1;
    setImmediate(() => {
      this.#closing -= 1;
    });
  }

  /**
   * Whether the guest may make something that will have to be closed: not when as many things are being closed as it may have connections, or opening and
   * closing in one turn of the event loop would fill the host. The loop is let turn then: a guest that can be suspended will be, and makes its call again.
   */
  awaitRoom(): boolean {
    if (this.#closing < this.#policy.maxConnections) return true;
    this.#context.control.wait(0);
    return false;
  }

  // Whether sockets can do anything with `address`, which is remembered where that is because of `name`.
  #vet(name: string, address: IpAddress): boolean {
    const entries = this.#policy.entriesFor(name, address);
    if (entries.length === 0) return this.#policy.permitsSomePort(address);
    const key = formatAddress(address);
    const known = this.#looked.get(key) ?? [];
    this.#looked.delete(key);
    this.#looked.set(key, new Set([...known, ...entries]));
    const [oldest] = this.#looked.keys();
    if (this.#looked.size > MAX_LOOKED && oldest !== undefined) this.#looked.delete(oldest);
    return true;
  }
}
