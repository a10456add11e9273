// Looks names up, in a bounded time and number. What comes back is a list of addresses that nobody has vetted.
import { lookup as systemResolve } from 'node:dns/promises';
import { isInstance } from '../../errors.ts';
import { type IpAddress, parseAddress } from './addresses.ts';

/** Resolves a name, in its canonical form, to addresses. Throws an error whose `code` is one of `getaddrinfo`'s or DNS's (`ENOTFOUND`, `EAI_AGAIN`). */
export type Lookup = (hostname: string) => readonly string[] | Promise<readonly string[]>;

/** Why nothing can be connected to, in the words of wasi:sockets. */
export type NetworkErrorCode = 'access-denied' | 'name-unresolvable' | 'temporary-resolver-failure' | 'permanent-resolver-failure' | 'timeout';

export class NetworkError extends Error {
  readonly code: NetworkErrorCode;

  constructor(code: NetworkErrorCode) {
    super(code);
    this.name = 'NetworkError';
    this.code = code;
  }
}

/** The system's own resolver, with what it knows besides DNS. Neither the environment's proxies nor other variables play a part. */
export const systemLookup: Lookup = async (hostname) => (await systemResolve(hostname, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** Addresses of one answer that are looked at. */
const MAX_ADDRESSES = 64;
/** Lookups of one guest at a time: the system's resolver has few threads, for all of the process. */
const MAX_LOOKUPS = 4;
/** Those of one guest, with those that wait for their turn or were given up a moment ago; one more fails. */
const MAX_PENDING = 260;

/** The lookups of one guest. */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #timeoutMs: number;
  readonly #mayAsk: () => boolean;
  readonly #waiting = new Set<() => void>();
  #running = 0;
  #pending = 0;

  /** @param mayAsk is asked again at the moment when a lookup has its turn. */
  constructor(lookup: Lookup, timeoutMs: number, mayAsk: () => boolean) {
    this.#lookup = lookup;
    this.#timeoutMs = timeoutMs;
    this.#mayAsk = mayAsk;
  }

  /**
   * The addresses of `name`, at least one: those of `localhost` at once, others by a promise, which rejects with a {@link NetworkError}, `timeout` included,
   * or with the reason for which `giveUp` is aborted. A name whose lookup was given up before its turn is not looked up.
   * @throws NetworkError `temporary-resolver-failure` when too many are pending.
   */
  resolve(name: string, giveUp: AbortController = new AbortController()): readonly IpAddress[] | Promise<readonly IpAddress[]> {
    if (name === 'localhost') return LOCALHOST;
    // Nothing is made for those beyond: a guest can ask many times before the event loop comes to end a single one.
    if (this.#pending >= MAX_PENDING) throw new NetworkError('temporary-resolver-failure');
    return this.#resolve(name, giveUp);
  }

  async #resolve(name: string, giveUp: AbortController): Promise<readonly IpAddress[]> {
    this.#pending += 1;
    const timer = setTimeout(() => giveUp.abort(new NetworkError('timeout')), this.#timeoutMs).unref();
    try {
      const found = await Promise.race([this.#inTurn(name, giveUp.signal), whenAborted(giveUp.signal)]);
      if (!Array.isArray(found)) throw new NetworkError('permanent-resolver-failure');
      const addresses = found.slice(0, MAX_ADDRESSES).flatMap((text) => (typeof text === 'string' ? (parseAddress(text) ?? []) : []));
      if (addresses.length === 0) throw new NetworkError('name-unresolvable');
      return addresses;
    } catch (error) {
      throw isInstance(error, NetworkError) ? error : new NetworkError(codeOf(error));
    } finally {
      clearTimeout(timer);
      this.#pending -= 1;
    }
  }

  // A lookup that runs while nobody waits for it any more keeps its place until it ends: it cannot be cancelled.
  async #inTurn(name: string, givenUp: AbortSignal): Promise<unknown> {
    if (this.#running < MAX_LOOKUPS) this.#running += 1;
    else await this.#turn(givenUp);
    try {
      givenUp.throwIfAborted();
      if (!this.#mayAsk()) throw new NetworkError('access-denied');
      return await this.#lookup(name);
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(givenUp: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        this.#waiting.delete(take);
        resolve();
      };
      this.#waiting.add(take);
      givenUp.addEventListener('abort', () => {
        this.#waiting.delete(take);
        reject(givenUp.reason as NetworkError);
      });
    });
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as NetworkError), { once: true });
  });
}

// RFC 6761 has this name resolved without asking anybody.
const LOCALHOST: readonly IpAddress[] = ['127.0.0.1', '::1'].map((text) => parseAddress(text) as IpAddress);

function codeOf(error: unknown): NetworkErrorCode {
  const code = isInstance(error, Error) ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === 'ENOTFOUND' || code === 'ENODATA' || code === 'EAI_NONAME') return 'name-unresolvable';
  if (code === 'EAI_AGAIN' || code === 'ETIMEOUT' || code === 'ESERVFAIL' || code === 'EREFUSED') return 'temporary-resolver-failure';
  return 'permanent-resolver-failure';
}
