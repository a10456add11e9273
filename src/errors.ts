// The closed list of errors. Every error that leaves this package on account of a guest, an option or a limit is a GloveportError
// with a code from this file; errors of a WIT `result` are values of the call's own and travel as ComponentError.

const CATEGORY_OF = {
  FILE_NOT_FOUND: 'io',
  IO_FAILED: 'io',
  INVALID_MODULE: 'parse',
  MANIFEST_PARSE: 'parse',
  INVALID_OPTION: 'validation',
  INVALID_ARGUMENT: 'validation',
  MANIFEST_INVALID: 'validation',
  LINK_FAILED: 'validation',
  UNSUPPORTED_FEATURE: 'validation',
  INCOMPATIBLE_API_VERSION: 'compatibility',
  DEPENDENCY_MISSING: 'compatibility',
  DEPENDENCY_CYCLE: 'compatibility',
  CAPABILITY_DENIED: 'capability',
  CHECKSUM_MISMATCH: 'capability',
  SIGNATURE_INVALID: 'capability',
  FUEL_EXHAUSTED: 'limit',
  DEADLINE_EXCEEDED: 'limit',
  MEMORY_EXCEEDED: 'limit',
  STACK_EXCEEDED: 'limit',
  OUTPUT_EXCEEDED: 'limit',
  HANDLES_EXCEEDED: 'limit',
  MODULE_TOO_LARGE: 'limit',
  QUEUE_FULL: 'limit',
  GUEST_TRAPPED: 'runtime',
  GUEST_EXITED: 'runtime',
  GUEST_POISONED: 'runtime',
  HOST_FUNCTION_FAILED: 'runtime',
  ABORTED: 'runtime',
  WORKER_LOST: 'runtime',
  FUNCTION_NOT_FOUND: 'runtime',
  INVALID_STATE: 'state',
  PLUGIN_NOT_FOUND: 'state',
  PLUGIN_EXISTS: 'state',
  REGISTRY_FULL: 'state',
  DISPOSED: 'state',
  INTERNAL: 'internal',
} as const;

/** Every code that a {@link GloveportError} can carry. */
export type ErrorCode = keyof typeof CATEGORY_OF;
/** The family of a code: who has to act on it. */
export type ErrorCategory = (typeof CATEGORY_OF)[ErrorCode];

/** All codes with their categories, frozen; for tables and exhaustive handling. */
export const errorCategories: Readonly<Record<ErrorCode, ErrorCategory>> = Object.freeze({ ...CATEGORY_OF });

/** The facts of an error: plain data, safe to log and to clone. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * What this package throws. `code` comes from a closed list, `category` follows from it, `message` says what would fix it, `details` holds the facts,
 * and `cause` the error below it, where there is one (a host function's own exception, the engine's trap).
 */
export class GloveportError extends Error {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(printable(message), options);
    this.name = 'GloveportError';
    this.code = code;
    this.category = CATEGORY_OF[code];
    this.details = Object.freeze({ ...details });
  }
}

/**
 * The error side of a WIT `result`, in jco's convention: a guest's `err(value)` rejects the call with one of these, and a host function throws one
 * to give the guest `err(payload)`.
 */
export class ComponentError<Payload = unknown> extends Error {
  readonly payload: Payload;

  constructor(payload: Payload) {
    super(typeof payload === 'string' ? printable(payload) : 'the guest returned an error (see error.payload)');
    this.name = 'ComponentError';
    this.payload = payload;
  }
}

/** Whether `error` is a value that the guest returned, as opposed to something that went wrong. */
export function isGuestValue(error: unknown): error is ComponentError {
  return isInstance(error, ComponentError);
}

/** `instanceof` for what anybody may have thrown: it runs no code that could throw in turn out of here, as a Proxy's would. */
export function isInstance<Instance>(error: unknown, of: abstract new (...args: never[]) => Instance): error is Instance {
  try {
    return error instanceof of;
  } catch {
    return false;
  }
}

/** The message of whatever was thrown, fit for a message of ours; never throws. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? printable(String(error.message), 500) : describeValue(error);
  } catch {
    return 'something that cannot be read';
  }
}

/** A limit's error. `maximum` is what is allowed and `value`, where it is known, what was wanted, both in the limit's own unit. */
export function limitExceeded(code: ErrorCode, message: string, limit: string, maximum: number, value?: number): GloveportError {
  return new GloveportError(code, message, value === undefined ? { limit, maximum } : { limit, value, maximum });
}

/** @throws GloveportError INVALID_OPTION unless `value` is an object (no array) whose own fields are all among `known`; `what` names it in the message. */
export function checkFields(what: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new GloveportError('INVALID_OPTION', `${what} has to be an object, not ${describeValue(value)}`, { option: what });
  }
  for (const field of Object.keys(value)) {
    if (known.includes(field)) continue;
    throw new GloveportError('INVALID_OPTION', `unknown field ${describeValue(field)} in ${what}; known are: ${known.join(', ')}`, { option: field });
  }
}

/** What every call of a guest gets after `first` has stopped it. */
export function poisonedBy(first: GloveportError): GloveportError {
  const message = `the guest was stopped before and cannot be used again; load the module anew. First cause: ${first.code}, ${first.message}`;
  return new GloveportError('GUEST_POISONED', message, { first: first.code }, { cause: first });
}

const MESSAGE_LIMIT = 2_000;

/**
 * Text that came from a guest, made fit for a message or a log line: control, escape and direction-changing characters become `\u{…}`, so that no
 * line, terminal sequence or stack frame can be forged, and what is over `limit` UTF-16 units is cut.
 */
export function printable(text: string, limit: number = MESSAGE_LIMIT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** A value that came from a guest or a caller, quoted for a message: strings in quotes, others by kind. Never calls code of the value's own. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${printable(value, 80)}'`;
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${value}n`;
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}
