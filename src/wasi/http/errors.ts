// The `error-code` of wasi:http, and which one stands for what goes wrong below: of an error of the host only codes and numbers
// decide, none of its words reaches the guest.

/** `error-code`. Its cases are the IANA's HTTP proxy error types, with their names in WIT. */
export type HttpErrorCode =
  | { [Tag in Plain]: { readonly tag: Tag } }[Plain]
  | { [Tag in keyof Payloads]: { readonly tag: Tag; readonly val: Payloads[Tag] } }[keyof Payloads];

type Plain =
  | 'DNS-timeout'
  | 'destination-not-found'
  | 'destination-unavailable'
  | 'destination-IP-prohibited'
  | 'destination-IP-unroutable'
  | 'connection-refused'
  | 'connection-terminated'
  | 'connection-timeout'
  | 'connection-read-timeout'
  | 'connection-write-timeout'
  | 'connection-limit-reached'
  | 'TLS-protocol-error'
  | 'TLS-certificate-error'
  | 'HTTP-request-denied'
  | 'HTTP-request-length-required'
  | 'HTTP-request-method-invalid'
  | 'HTTP-request-URI-invalid'
  | 'HTTP-request-URI-too-long'
  | 'HTTP-response-incomplete'
  | 'HTTP-response-timeout'
  | 'HTTP-upgrade-failed'
  | 'HTTP-protocol-error'
  | 'loop-detected'
  | 'configuration-error';

interface Payloads {
  readonly 'DNS-error': { readonly rcode?: string; readonly infoCode?: number };
  readonly 'TLS-alert-received': { readonly alertId?: number; readonly alertMessage?: string };
  readonly 'HTTP-request-body-size': bigint | undefined;
  readonly 'HTTP-request-header-section-size': number | undefined;
  readonly 'HTTP-request-header-size': FieldSize | undefined;
  readonly 'HTTP-request-trailer-section-size': number | undefined;
  readonly 'HTTP-request-trailer-size': FieldSize;
  readonly 'HTTP-response-header-section-size': number | undefined;
  readonly 'HTTP-response-header-size': FieldSize;
  readonly 'HTTP-response-body-size': bigint | undefined;
  readonly 'HTTP-response-trailer-section-size': number | undefined;
  readonly 'HTTP-response-trailer-size': FieldSize;
  readonly 'HTTP-response-transfer-coding': string | undefined;
  readonly 'HTTP-response-content-coding': string | undefined;
  readonly 'internal-error': string | undefined;
}

interface FieldSize {
  readonly fieldName?: string;
  readonly fieldSize?: number;
}

/** Throws `code`: as the streams and the generated code have it, a value that is no Error. */
export function failHttp(code: HttpErrorCode): never {
  throw code;
}

/** Whether `error` is a thrown {@link HttpErrorCode}. Nothing else that an HTTP operation throws is a plain object. */
export function isHttpError(error: unknown): error is HttpErrorCode {
  return typeof error === 'object' && error !== null && !(error instanceof Error) && Object.hasOwn(error, 'tag');
}

/** What the guest is told for `error`, which a connection or its parser failed with. */
export function httpErrorOf(error: unknown): HttpErrorCode {
  if (isHttpError(error)) return error;
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (typeof code !== 'string') return { tag: 'internal-error', val: undefined };
  const [, alert] = /SSL alert number (\d{1,3})\b/.exec(String(message)) ?? [];
  if (alert !== undefined) return { tag: 'TLS-alert-received', val: { alertId: Number(alert) } };
  const known = BY_CODE.get(code);
  if (known !== undefined) return known;
  if (/^(?:ERR_SSL_|ERR_TLS_)/.test(code)) return { tag: 'TLS-protocol-error' };
  if (/^(?:CERT_|CRL_)|CERT/.test(code)) return { tag: 'TLS-certificate-error' };
  if (code.startsWith('HPE_')) return { tag: 'HTTP-protocol-error' };
  return { tag: 'internal-error', val: undefined };
}

const BY_CODE: ReadonlyMap<string, HttpErrorCode> = new Map<string, HttpErrorCode>([
  ['ENOTFOUND', { tag: 'DNS-error', val: {} }],
  ['EAI_AGAIN', { tag: 'DNS-error', val: {} }],
  ['EAI_FAIL', { tag: 'DNS-error', val: {} }],
  ['EAI_NODATA', { tag: 'DNS-error', val: {} }],
  ['ETIMEOUT', { tag: 'DNS-timeout' }],
  ['ECONNREFUSED', { tag: 'connection-refused' }],
  ['ECONNRESET', { tag: 'connection-terminated' }],
  ['EPIPE', { tag: 'connection-terminated' }],
  ['ETIMEDOUT', { tag: 'connection-timeout' }],
  ['EHOSTUNREACH', { tag: 'destination-IP-unroutable' }],
  ['ENETUNREACH', { tag: 'destination-IP-unroutable' }],
  ['EADDRNOTAVAIL', { tag: 'destination-IP-unroutable' }],
  ['EPROTO', { tag: 'TLS-protocol-error' }],
  ['ERR_TLS_CERT_ALTNAME_INVALID', { tag: 'TLS-certificate-error' }],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', { tag: 'TLS-certificate-error' }],
  ['HOSTNAME_MISMATCH', { tag: 'TLS-certificate-error' }],
  ['INVALID_CA', { tag: 'TLS-certificate-error' }],
  ['PATH_LENGTH_EXCEEDED', { tag: 'TLS-certificate-error' }],
  ['INVALID_PURPOSE', { tag: 'TLS-certificate-error' }],
  ['HPE_HEADER_OVERFLOW', { tag: 'HTTP-response-header-section-size', val: undefined }],
  ['HPE_INVALID_TRANSFER_ENCODING', { tag: 'HTTP-response-transfer-coding', val: undefined }],
]);
