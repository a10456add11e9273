// Where sockets are and what they are connected to: an address and a port, and what WASI takes for either.
import { Cap } from '../../capabilities.ts';
import type { WasiContext } from '../context.ts';
import { contains, formatAddress, type IpAddress, isUnspecified, parseAddress, prefixOf } from '../network/addresses.ts';
import { fail } from './errors.ts';

export type Family = 4 | 6;

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** What Node says of an end of a socket; a zone behind the address is left out. */
export function endpointOf(address: string | undefined, port: number | undefined): Endpoint | undefined {
  const parsed = parseAddress(address?.replace(/%.*$/s, '') ?? '');
  return parsed === undefined || port === undefined ? undefined : { address: parsed, port };
}

export function sameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && one.address.family === other.address.family && one.address.value === other.address.value;
}

/** For what watches a guest. */
export function describeEndpoint({ address, port }: Endpoint): Readonly<Record<string, unknown>> {
  return { address: formatAddress(address), port };
}

/** Reports that the guest wants to do `operation`, with what `detail` says of it, and fails with `access-denied` unless it may. */
export function demand(context: WasiContext, operation: string, allowed: boolean, detail: () => Readonly<Record<string, unknown>>): void {
  if (context.observed) context.report(Cap.NETWORK, `sockets.${operation}`, allowed, detail());
  // Who is told may take the grant back, or dispose of the guest.
  if (!allowed || !context.allows(Cap.NETWORK)) fail('access-denied');
}

/**
 * Fails with `invalid-argument` unless `address` is one for sockets of `family`. Those for IPv6 are for nothing else: addresses that carry one of IPv4,
 * mapped or compatible, are not for them.
 */
export function checkFamily({ address }: Endpoint, family: Family): void {
  const carriesIpv4 = contains(MAPPED, address) || (contains(COMPATIBLE, address) && address.value > 1n);
  if (address.family !== family || carriesIpv4) fail('invalid-argument');
}

/** Fails with `invalid-argument` where an address stands for many. */
export function checkUnicast({ address }: Endpoint): void {
  if (MANY.some((range) => contains(range, address))) fail('invalid-argument');
}

/** Fails with `invalid-argument` unless something can be sent to `remote`. */
export function checkRemote(remote: Endpoint, family: Family): void {
  checkFamily(remote, family);
  if (isUnspecified(remote.address) || remote.port === 0) fail('invalid-argument');
}

const MAPPED = prefixOf('::ffff:0:0/96');
const COMPATIBLE = prefixOf('::/96');
const MANY = ['224.0.0.0/4', '255.255.255.255', 'ff00::/8'].map(prefixOf);
