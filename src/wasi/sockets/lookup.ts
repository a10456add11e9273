// One name on its way to addresses, for wasi:sockets/ip-name-lookup.
import { Cap } from '../../capabilities.ts';
import { isInstance } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import { contains, type IpAddress, parseAddress, prefixOf } from '../network/addresses.ts';
import { type Host, hostText, parseHost } from '../network/hosts.ts';
import type { Network } from '../network/network.ts';
import { NetworkError } from '../network/resolver.ts';
import { Signal } from '../waiting.ts';
import { demand } from './endpoint.ts';
import { type ErrorCode, fail, failForNow } from './errors.ts';

const MAPPED = prefixOf('::ffff:0:0/96');
/** Calls of the system that a lookup is charged for. */
const LOOKUP_CALLS = 100;

export class OpenLookup {
  readonly ready: Signal = new Signal(() => this.#addresses !== undefined || this.#failure !== undefined);
  readonly #context: WasiContext;
  readonly #network: Network;
  readonly #detail: Readonly<Record<string, unknown>>;
  readonly #giveUp = new AbortController();
  readonly #stopWatching: () => void;
  #addresses: IpAddress[] | undefined;
  #failure: ErrorCode | undefined;

  /** Fails with `invalid-argument` where `name` is neither a name nor an address, and with `access-denied` where it may not be looked up. */
  static open(context: WasiContext, network: Network, name: string): OpenLookup {
    context.chargeCalls(LOOKUP_CALLS);
    const host = parseAddress(name) ?? parseHost(name);
    if (host === undefined) fail('invalid-argument');
    const allowed = network.permitsLookup(host);
    const detail = { name: hostText(host) };
    demand(context, OPERATION, allowed, () => detail);
    return new OpenLookup(context, network, host, detail);
  }

  private constructor(context: WasiContext, network: Network, host: Host, detail: Readonly<Record<string, unknown>>) {
    this.#context = context;
    this.#network = network;
    this.#detail = detail;
    this.#stopWatching = context.onRevoke(Cap.NETWORK, () => this.close());
    if (typeof host === 'string') this.#resolve(host);
    else this.#addresses = [host];
  }

  /** The next address, none at the end. */
  next(): IpAddress | undefined {
    if (!this.#network.granted) fail('access-denied');
    if (this.#failure === 'access-denied') demand(this.#context, OPERATION, false, () => this.#detail);
    if (this.#failure !== undefined) fail(this.#failure);
    if (this.#addresses === undefined) failForNow(this.#context);
    return this.#addresses.shift();
  }

  /** Gives it up, and wakes who waits for it: a name that nobody was asked for yet stays in the box. */
  close(): void {
    this.#stopWatching();
    this.#giveUp.abort(new NetworkError('access-denied'));
  }

  #resolve(name: string): void {
    try {
      const found = this.#network.lookup(name, this.#giveUp);
      if (found instanceof Promise) {
        found.then(
          (addresses) => this.#found(addresses),
          (error) => this.#fail(error),
        );
      } else {
        this.#found(found);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #found(addresses: readonly IpAddress[]): void {
    this.#addresses = addresses.filter((address) => !contains(MAPPED, address));
    if (this.#addresses.length === 0) this.#failure = 'name-unresolvable';
    this.ready.notify();
  }

  #fail(error: unknown): void {
    this.#failure = isInstance(error, NetworkError) ? error.code : 'unknown';
    this.ready.notify();
  }
}

const OPERATION = 'resolve-addresses';
