// The error codes of wasi:sockets, and how Node's errors become them. Nothing else of a host's error reaches a guest.
import { isInstance } from '../../errors.ts';
import type { WasiContext } from '../context.ts';

/** `error-code` of wasi:sockets/network. */
export type ErrorCode = (typeof CODES)[number];

/** How a stream of a socket fails: not to be taken for an `error-code` of wasi:http, whose names are partly the same. */
export interface SocketFailure {
  readonly tag: `sockets:${ErrorCode}`;
}

export function fail(code: ErrorCode): never {
  throw code;
}

/** Fails with `would-block`: what the guest asks for is still to come. */
export function failForNow(context: WasiContext): never {
  context.lookedInVain();
  fail('would-block');
}

export function failureOf(code: ErrorCode): SocketFailure {
  return Object.freeze({ tag: `sockets:${code}` as const });
}

/** The code of a stream's failure; undefined when it came from no socket. */
export function codeOfFailure(failure: unknown): ErrorCode | undefined {
  const { tag } = Object(failure) as { tag?: unknown };
  return CODES.find((code) => tag === `sockets:${code}`);
}

/** The code for what node:net or node:dgram threw or emitted. */
export function codeOfError(error: unknown): ErrorCode {
  const code = isInstance(error, Error) ? (error as NodeJS.ErrnoException).code : undefined;
  return (code === undefined ? undefined : OF_ERRNO.get(code)) ?? 'unknown';
}

const CODES = [
  'unknown',
  'access-denied',
  'not-supported',
  'invalid-argument',
  'out-of-memory',
  'timeout',
  'concurrency-conflict',
  'not-in-progress',
  'would-block',
  'invalid-state',
  'new-socket-limit',
  'address-not-bindable',
  'address-in-use',
  'remote-unreachable',
  'connection-refused',
  'connection-reset',
  'connection-aborted',
  'datagram-too-large',
  'name-unresolvable',
  'temporary-resolver-failure',
  'permanent-resolver-failure',
] as const;

const OF_ERRNO: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['EACCES', 'access-denied'],
  ['EPERM', 'access-denied'],
  ['ERR_ACCESS_DENIED', 'access-denied'],
  ['EAFNOSUPPORT', 'not-supported'],
  ['EOPNOTSUPP', 'not-supported'],
  ['EPROTONOSUPPORT', 'not-supported'],
  ['EINVAL', 'invalid-argument'],
  ['ENOMEM', 'out-of-memory'],
  ['ENOBUFS', 'out-of-memory'],
  ['ETIMEDOUT', 'timeout'],
  ['EMFILE', 'new-socket-limit'],
  ['ENFILE', 'new-socket-limit'],
  ['EADDRNOTAVAIL', 'address-not-bindable'],
  ['EADDRINUSE', 'address-in-use'],
  ['EHOSTUNREACH', 'remote-unreachable'],
  ['EHOSTDOWN', 'remote-unreachable'],
  ['ENETUNREACH', 'remote-unreachable'],
  ['ENETDOWN', 'remote-unreachable'],
  ['ENONET', 'remote-unreachable'],
  ['ECONNREFUSED', 'connection-refused'],
  ['ECONNRESET', 'connection-reset'],
  ['ECONNABORTED', 'connection-aborted'],
  ['EMSGSIZE', 'datagram-too-large'],
]);
