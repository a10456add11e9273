// How hosts are spelt. Whatever a URL, an authority or an option writes becomes one canonical form before anything compares it: WHATWG's, which browsers and
// Node connect by, so that `0x7f.1`, `127.1`, `2130706433` and fullwidth digits are 127.0.0.1, and names are lower case and in IDNA's ASCII.
import { formatAddress, type IpAddress, parseAddress } from './addresses.ts';

/** A canonical name, or an address. */
export type Host = string | IpAddress;

/** What an authority without userinfo says. */
export interface Authority {
  readonly host: Host;
  readonly port: number | undefined;
}

/** Characters of the longest name that DNS can have, RFC 1035, without the last dot. */
const MAX_NAME_LENGTH = 253;
// A name in Unicode is shorter than its ASCII; what is much longer is not worth being read.
const MAX_SPELLING_LENGTH = 1_000;

/**
 * The host that `text` spells, an IPv6 address in brackets. Undefined for what is none: empty names and labels, names over 253 characters, ports, userinfo,
 * percent-encoding, and every character that a host name has no use for. The dot behind a name's last label changes nothing and is left out.
 */
export function parseHost(text: string): Host | undefined {
  if (text.length > MAX_SPELLING_LENGTH || !SPELLING.test(text)) return undefined;
  let hostname: string;
  try {
    ({ hostname } = new URL(`http://${text}/`));
  } catch {
    return undefined;
  }
  if (hostname.startsWith('[')) return parseAddress(hostname.slice(1, -1));
  const name = hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
  return parseAddress(name) ?? (name.length <= MAX_NAME_LENGTH && NAME.test(name) ? name : undefined);
}

/** The host and the port of `text`, as in the authority of an HTTP request. Undefined where either is none, and for userinfo. */
export function parseAuthority(text: string): Authority | undefined {
  const [, spelling = '', digits] = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseHost(spelling);
  const port = digits === undefined ? undefined : Number(digits);
  return host === undefined || (port !== undefined && port > 65_535) ? undefined : { host, port };
}

/** As an authority writes it, IPv6 in brackets. */
export function hostText(host: Host): string {
  if (typeof host === 'string') return host;
  return host.family === 6 ? `[${formatAddress(host)}]` : formatAddress(host);
}

// Colons and brackets stand for addresses of IPv6 alone.
const SPELLING = /^(?:\[[0-9a-f:.]+\]|[^\p{Cc}\p{Cs}\s:/\\?#@%[\]]+)$/iu;
const NAME = /^(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/;
