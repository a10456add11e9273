// IP addresses and prefixes as numbers, and the register of what is no public address: what policies compare. Spelling is only read here in its plain form
// (dotted decimal, RFC 4291); what else a URL may say for an address is for `hosts.ts` to bring into that form.
import { isIPv4, isIPv6 } from 'node:net';

export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** The addresses whose first `length` bits are those of `value`. */
export interface Prefix extends IpAddress {
  readonly length: number;
}

/** Undefined for everything but a plain address; a zone (`fe80::1%eth0`) is none. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return ipv4(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  return ipv6([...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last]);
}

/** From four octets. */
export function ipv4(octets: readonly number[]): IpAddress {
  return { family: 4, value: octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n) };
}

/** From eight groups of 16 bits. */
export function ipv6(groups: readonly number[]): IpAddress {
  return { family: 6, value: groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

/** The four octets, or the eight groups, of an address. */
export function partsOf({ family, value }: IpAddress): number[] {
  const bits = family === 4 ? 8n : 16n;
  return Array.from({ length: family === 4 ? 4 : 8 }, (_, index) => Number((value >> (bits * BigInt((family === 4 ? 3 : 7) - index))) & ((1n << bits) - 1n)));
}

/** The canonical text, of IPv6 that of RFC 5952. */
export function formatAddress(address: IpAddress): string {
  const parts = partsOf(address);
  if (address.family === 4) return parts.join('.');
  return new URL(`http://[${parts.map((part) => part.toString(16)).join(':')}]/`).hostname.slice(1, -1);
}

/** Undefined unless `text` is an address and a length, or an address alone, and no bit behind the length is set. */
export function parsePrefix(text: string): Prefix | undefined {
  const [, plain, digits] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const address = plain === undefined ? undefined : parseAddress(plain);
  if (address === undefined) return undefined;
  const prefix = { ...address, length: digits === undefined ? bitsOf(address) : Number(digits) };
  return prefix.length <= bitsOf(address) && (address.value & ((1n << restOf(prefix)) - 1n)) === 0n ? prefix : undefined;
}

/** {@link parsePrefix} of a text that is ours. */
export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new TypeError(`${text} is no prefix`);
  return prefix;
}

export function contains(prefix: Prefix, address: IpAddress): boolean {
  return prefix.family === address.family && prefix.value >> restOf(prefix) === address.value >> restOf(prefix);
}

/** Whether `address` is one that anybody on the internet may have, and that carries none of another kind in it. */
export function isPublic(address: IpAddress): boolean {
  return !SPECIAL.some((range) => contains(range, address)) && !CARRIERS.some(({ has }) => has(address));
}

export function isLoopback(address: IpAddress): boolean {
  return LOOPBACK.some((range) => contains(range, address));
}

export function isUnspecified(address: IpAddress): boolean {
  return address.value === 0n;
}

/**
 * Whether `prefix`, in a policy, stands for `address`: it contains it, and it does not reach beyond any special range that the address is of. So
 * `0.0.0.0/0` names the whole of the public internet and nothing else, `10.0.0.0/8` the private network. No prefix names an address behind a translator of
 * which nobody knows where it puts the IPv4 address that it goes on to.
 */
export function names(prefix: Prefix, address: IpAddress): boolean {
  if (contains(LOCAL_NAT64, address)) return false;
  return contains(prefix, address) && SPECIAL.every((range) => !contains(range, address) || (prefix.length >= range.length && contains(range, prefix)));
}

/** `address`, and the IPv4 addresses that it carries in it and that a translator, a tunnel or the system would go on to. */
export function leadsTo(address: IpAddress): IpAddress[] {
  const carriers = address.value <= 1n ? [] : CARRIERS.filter(({ has }) => has(address));
  return [address, ...carriers.map(({ embedded }): IpAddress => ({ family: 4, value: embedded(address.value) & 0xffff_ffffn }))];
}

// RFC 8215: what it carries, and where, is up to whoever set the translator up.
const LOCAL_NAT64 = prefixOf('64:ff9b:1::/48');

// IANA's registers of special-purpose addresses (RFC 6890 and what was added), multicast, and all of IPv6 that is not handed out as global unicast. And
// 168.63.129.16, which is public and yet, in each of Azure's networks, the host of the machine itself.
const SPECIAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255/32',
  '::/3',
  '4000::/2',
  '8000::/1',
  '::/96',
  '::/128',
  '::1/128',
  '::ffff:0:0/96',
  '::ffff:0:0:0/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '100:0:0:1::/64',
  '2001::/23',
  '2001::/32',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
].map(prefixOf);

const LOOPBACK = ['127.0.0.0/8', '::1'].map(prefixOf);

// IPv4-compatible, mapped and translated addresses, NAT64, Teredo (the client's, inverted), 6to4, and ISATAP's interface identifiers within any prefix.
const CARRIERS = [
  { has: within('::/96'), embedded: (value: bigint) => value },
  { has: within('::ffff:0:0/96'), embedded: (value: bigint) => value },
  { has: within('::ffff:0:0:0/96'), embedded: (value: bigint) => value },
  { has: within('64:ff9b::/96'), embedded: (value: bigint) => value },
  { has: within('2001::/32'), embedded: (value: bigint) => ~value },
  { has: within('2002::/16'), embedded: (value: bigint) => value >> 80n },
  { has: isIsatap, embedded: (value: bigint) => value },
];

function within(text: string): (address: IpAddress) => boolean {
  const range = prefixOf(text);
  return (address) => contains(range, address);
}

// RFC 5214: whatever the bits are that say whether the identifier is universal, and of a group.
function isIsatap({ family, value }: IpAddress): boolean {
  return family === 6 && ((value >> 32n) & 0xfcff_ffffn) === 0x5efen;
}

function bitsOf({ family }: IpAddress): number {
  return family === 4 ? 32 : 128;
}

function restOf(prefix: Prefix): bigint {
  return BigInt(bitsOf(prefix) - prefix.length);
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}
