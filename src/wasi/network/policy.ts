// The option `network`: what may be reached, and where a guest may listen, as one immutable policy that HTTP and sockets ask alike. It compares canonical
// hosts and addresses only. What one guest has open and has looked up is in `network.ts`.
import { checkFields, describeValue, GloveportError, printable } from '../../errors.ts';
import { contains, type IpAddress, isLoopback, isPublic, leadsTo, names, type Prefix, parsePrefix } from './addresses.ts';
import { type Host, hostText, parseHost } from './hosts.ts';
import { type Lookup, systemLookup } from './resolver.ts';

/** What uses the network: an HTTP request by its scheme, or a socket. */
export type Scheme = 'http' | 'https' | Transport;
export type Transport = 'tcp' | 'udp';

/** An entry that may open more than its text alone. */
export interface HostRule {
  readonly host: string;
  /**
   * Also reach addresses that are not public (private, loopback, link-local, …) through this entry, whatever its names resolve to. Default false.
   */
  readonly allowPrivate?: boolean | undefined;
}

export interface NetworkOptions {
  /**
   * What may be reached: `[scheme://]host[:port]`. The host is a name, `*.` and a name (for every name below it), an IPv4 address, an IPv6 address in
   * brackets, a prefix (`10.0.0.0/8`, `[fd00::/8]`), or `*` for every name and public address. The port is a number or `*`; left out, it is the scheme's own,
   * and without scheme 80 and 443. The scheme is `http`, `https`, `tcp` or `udp`; left out, it is any of them.
   *
   * An address that is not public is reached only where an entry names it: by an address or a prefix within its special range, by the exact name `localhost`
   * for loopback, or with `allowPrivate`. What a name resolves to is held to the same. Default none.
   */
  readonly hosts?: readonly (string | HostRule)[] | undefined;
  /**
   * Where sockets may be bound: `[tcp://|udp://]address[/length]:port`, the port 0 for one that the system chooses, `*` for any; `localhost` stands for
   * 127.0.0.1 and ::1. Default none.
   */
  readonly listen?: readonly string[] | undefined;
  /** Resolves a name to addresses, in their plain form. Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** Connections and sockets that one guest has open at once. Default 64. */
  readonly maxConnections?: number | undefined;
  /** Milliseconds for looking a name up, and again for connecting. Default 10 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Milliseconds that an HTTP response may take to begin, and to go on while the guest waits for it. Default 60 000. */
  readonly readTimeoutMs?: number | undefined;
  /** Bytes of the body of one HTTP response, as they come over the wire. Default 256 MiB. */
  readonly maxBodyBytes?: number | undefined;
}

const DEFAULT_MAX_CONNECTIONS = 64;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_READ_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_BODY_BYTES = 256 * 1024 * 1024;

/**
 * The policy that `value` asks for; none at all when it is undefined, and a policy is given back as it is.
 * @throws GloveportError INVALID_OPTION naming the entry and what it should look like.
 */
export function resolveNetwork(value: unknown): NetworkPolicy {
  if (value === undefined) return NetworkPolicy.none;
  if (value instanceof NetworkPolicy) return value;
  checkFields('network', value, ['hosts', 'listen', 'lookup', 'maxConnections', 'connectTimeoutMs', 'readTimeoutMs', 'maxBodyBytes']);
  const given: Partial<Record<keyof NetworkOptions, unknown>> = Object.assign(Object.create(null), value);
  const { lookup = systemLookup } = given;
  if (typeof lookup !== 'function') throw invalid('network.lookup', 'a function', lookup);
  return new NetworkPolicy({
    hosts: list('network.hosts', given.hosts).map((entry, index) => parseRule(`network.hosts[${index}]`, entry)),
    listen: list('network.listen', given.listen).flatMap((entry, index) => parseListen(`network.listen[${index}]`, entry)),
    lookup: lookup as Lookup,
    maxConnections: count('network.maxConnections', given.maxConnections, DEFAULT_MAX_CONNECTIONS),
    connectTimeoutMs: count('network.connectTimeoutMs', given.connectTimeoutMs, DEFAULT_CONNECT_TIMEOUT_MS),
    readTimeoutMs: count('network.readTimeoutMs', given.readTimeoutMs, DEFAULT_READ_TIMEOUT_MS),
    maxBodyBytes: count('network.maxBodyBytes', given.maxBodyBytes, DEFAULT_MAX_BODY_BYTES),
  });
}

interface Rules {
  readonly hosts: readonly HostEntry[];
  readonly listen: readonly ListenEntry[];
  readonly lookup: Lookup;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/** One rule of a policy; what is in it is this file's business. */
export interface HostEntry {
  readonly scheme: Scheme | undefined;
  readonly pattern: Pattern;
  readonly ports: Ports;
  readonly allowPrivate: boolean;
}

interface ListenEntry {
  readonly transport: Transport | undefined;
  readonly prefix: Prefix;
  readonly ports: Ports;
}

// A name, the end of names, or a prefix of addresses.
type Pattern = { readonly any: true } | { readonly name: string } | { readonly below: string } | { readonly prefix: Prefix };
type Ports = readonly number[] | 'any';

/** What guests of one sandbox may reach. Immutable. */
export class NetworkPolicy {
  /** Reaches nothing. */
  static readonly none: NetworkPolicy = new NetworkPolicy({
    hosts: [],
    listen: [],
    lookup: () => [],
    maxConnections: DEFAULT_MAX_CONNECTIONS,
    connectTimeoutMs: DEFAULT_CONNECT_TIMEOUT_MS,
    readTimeoutMs: DEFAULT_READ_TIMEOUT_MS,
    maxBodyBytes: DEFAULT_MAX_BODY_BYTES,
  });

  readonly #hosts: readonly HostEntry[];
  readonly #listen: readonly ListenEntry[];
  readonly lookup: Lookup;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly maxBodyBytes: number;

  constructor(rules: Rules) {
    this.#hosts = rules.hosts;
    this.#listen = rules.listen;
    this.lookup = rules.lookup;
    this.maxConnections = rules.maxConnections;
    this.connectTimeoutMs = rules.connectTimeoutMs;
    this.readTimeoutMs = rules.readTimeoutMs;
    this.maxBodyBytes = rules.maxBodyBytes;
    Object.freeze(this);
  }

  /** Whether `host` may be asked for. What a name resolves to has to pass {@link permitsResolved} in addition. */
  permits(scheme: Scheme, host: Host, port: number): boolean {
    const entries = this.#hosts.filter((entry) => fitsUse(entry, scheme, port));
    return typeof host === 'string' ? entries.some((entry) => fitsName(entry, host)) : reaches(entries, host);
  }

  /** Whether `address`, to which the permitted `name` resolves, may be connected to. */
  permitsResolved(scheme: Scheme, name: string, port: number, address: IpAddress): boolean {
    const entries = this.#hosts.filter((entry) => fitsUse(entry, scheme, port));
    return entries.some((entry) => opensResolved(entry, name, address)) || (this.permits(scheme, name, port) && reaches(entries, address));
  }

  /** Whether a name may be looked up for sockets, which say later for what port. */
  permitsLookup(name: string): boolean {
    return this.#hosts.some((entry) => isForSockets(entry) && fitsName(entry, name));
  }

  /** What permits sockets to connect to `address` because `name` resolves to it. */
  entriesFor(name: string, address: IpAddress): readonly HostEntry[] {
    return this.#hosts.filter((entry) => isForSockets(entry) && opensResolved(entry, name, address));
  }

  /** Whether sockets may be connected to `address` by itself, at some port. */
  permitsSomePort(address: IpAddress): boolean {
    return reaches(this.#hosts.filter(isForSockets), address);
  }

  /** Whether a socket may be connected to `address`, or send to it, given what {@link entriesFor} it was looked up before. */
  permitsSocket(transport: Transport, address: IpAddress, port: number, looked: Iterable<HostEntry>): boolean {
    return this.permits(transport, address, port) || [...looked].some((entry) => fitsUse(entry, transport, port));
  }

  /** Whether a socket may be bound there. */
  permitsListen(transport: Transport, address: IpAddress, port: number): boolean {
    return this.#listen.some(
      (entry) => (entry.transport ?? transport) === transport && contains(entry.prefix, address) && (entry.ports === 'any' || entry.ports.includes(port)),
    );
  }
}

function isForSockets({ scheme }: HostEntry): boolean {
  return scheme === undefined || scheme === 'tcp' || scheme === 'udp';
}

function fitsUse({ scheme, ports }: HostEntry, wanted: Scheme, port: number): boolean {
  return (scheme ?? wanted) === wanted && (ports === 'any' || ports.includes(port));
}

function fitsName({ pattern }: HostEntry, name: string): boolean {
  return 'any' in pattern || ('name' in pattern && pattern.name === name) || ('below' in pattern && name.endsWith(`.${pattern.below}`));
}

function opensResolved(entry: HostEntry, name: string, address: IpAddress): boolean {
  if (!fitsName(entry, name)) return false;
  return entry.allowPrivate || isPublic(address) || (name === LOCALHOST && 'name' in entry.pattern && isLoopback(address));
}

// An address that carries another has to be permitted as both.
function reaches(entries: readonly HostEntry[], address: IpAddress): boolean {
  const covered = entries.some(({ pattern }) => 'any' in pattern || ('prefix' in pattern && contains(pattern.prefix, address)));
  return covered && leadsTo(address).every((step) => isPublic(step) || entries.some((entry) => opensSpecial(entry, step)));
}

function opensSpecial({ pattern, allowPrivate }: HostEntry, address: IpAddress): boolean {
  if ('any' in pattern) return allowPrivate;
  return 'prefix' in pattern && (allowPrivate ? contains(pattern.prefix, address) : names(pattern.prefix, address));
}

const LOCALHOST = 'localhost';
const HOST_FORM = "'host:port', 'https://*.example.com', '10.0.0.0/8:5432' or '[::1]:*'";
const LISTEN_FORM = "'127.0.0.1:8080', 'udp://[::1]:0' or 'tcp://10.0.0.0/8:*'";
const DEFAULT_PORTS: Readonly<Record<string, readonly number[]>> = { http: [80], https: [443] };

function parseRule(option: string, value: unknown): HostEntry {
  if (typeof value === 'string') return parseHostEntry(option, value, false);
  if (typeof value !== 'object' || value === null) throw invalid(option, `${HOST_FORM}, or { host, allowPrivate }`, value);
  checkFields(option, value, ['host', 'allowPrivate']);
  const { host, allowPrivate = false }: { host?: unknown; allowPrivate?: unknown } = Object.assign(Object.create(null), value);
  if (typeof host !== 'string') throw invalid(`${option}.host`, HOST_FORM, host);
  if (typeof allowPrivate !== 'boolean') throw invalid(`${option}.allowPrivate`, 'a boolean', allowPrivate);
  return parseHostEntry(`${option}.host`, host, allowPrivate);
}

function parseHostEntry(option: string, text: string, allowPrivate: boolean): HostEntry {
  const [scheme, spelling, port] = splitEntry(text);
  const pattern = spelling === undefined ? undefined : parsePattern(spelling);
  if (pattern === undefined) throw invalid(option, HOST_FORM, text);
  const ports = parsePorts(port) ?? (port === undefined ? (scheme === undefined ? [80, 443] : DEFAULT_PORTS[scheme]) : undefined);
  if (ports === undefined || (ports !== 'any' && ports.includes(0))) throw invalid(option, `${HOST_FORM}, with a port from 1 to 65535 or *`, text);
  return { scheme: scheme as Scheme | undefined, pattern, ports, allowPrivate };
}

function parseListen(option: string, value: unknown): ListenEntry[] {
  const [transport, spelling = '', port] = typeof value === 'string' ? splitEntry(value) : [];
  const ports = parsePorts(port);
  const prefixes = spelling === LOCALHOST ? ['127.0.0.1', '[::1]'].map(readPrefix) : [readPrefix(spelling)];
  return prefixes.map((prefix) => {
    if (prefix === undefined || ports === undefined || transport === 'http' || transport === 'https') throw invalid(option, LISTEN_FORM, value);
    return { transport: transport as Transport | undefined, prefix, ports };
  });
}

// What is in front of `://`, the host with its length, and the port; all undefined where the text is not of that form.
function splitEntry(text: string): (string | undefined)[] {
  return /^(?:(https?|tcp|udp):\/\/)?(\[[^\]]*\]|[^:[\]]+)(?::(\*|\d{1,5}))?$/.exec(text)?.slice(1) ?? [];
}

function parsePattern(spelling: string): Pattern | undefined {
  if (spelling === '*') return { any: true };
  const host = parseHost(spelling.startsWith('*.') ? spelling.slice(2) : spelling);
  if (typeof host === 'string') return spelling.startsWith('*.') ? { below: host } : { name: host };
  const prefix = host === undefined ? readPrefix(spelling) : readPrefix(hostText(host));
  return prefix === undefined || spelling.startsWith('*') ? undefined : { prefix };
}

function readPrefix(spelling: string): Prefix | undefined {
  const [, inner, outer] = /^\[([^\]]*:[^\]]*)\]$|^([^:]+)$/.exec(spelling) ?? [];
  const text = inner ?? outer;
  return text === undefined ? undefined : parsePrefix(text);
}

function parsePorts(text: string | undefined): Ports | undefined {
  if (text === '*') return 'any';
  return text !== undefined && Number(text) <= 65_535 ? [Number(text)] : undefined;
}

function list(option: string, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(option, 'an array', value);
  return Array.from(value);
}

function count(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_COUNT)
    throw invalid(option, `a whole number from 1 to ${MAX_COUNT}`, value);
  return value;
}

// What a timer can count to.
const MAX_COUNT = 2 ** 31 - 1;

function invalid(option: string, expected: string, value: unknown): GloveportError {
  const found = typeof value === 'string' ? `'${printable(value, 200)}'` : describeValue(value);
  return new GloveportError('INVALID_OPTION', `${option} has to be ${expected}, not ${found}`, { option });
}
