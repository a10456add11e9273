// Header and trailer fields: names and values as they go over the wire, in order and in their own casing, found without regard to it. What a guest may put
// in is decided here; whatever its names are, they are data.
import type { WasiContext } from '../context.ts';

/** `header-error`. */
export interface HeaderError {
  readonly tag: 'invalid-syntax' | 'forbidden' | 'immutable';
}

/** Fields of one section. */
export const MAX_FIELDS = 1_000;
/** Bytes of the names and values of one section. */
export const MAX_FIELDS_BYTES = 64 * 1024;

interface Field {
  readonly name: string;
  /** The name in lower case. */
  readonly key: string;
  readonly value: Uint8Array;
}

/** One section of fields. It counts against `hostBytes` until all who hold it have let it go; who makes one holds it. */
export class FieldList {
  readonly #context: WasiContext;
  #fields: readonly Field[] = [];
  #cost = 0;
  #holders = 1;

  constructor(context: WasiContext) {
    this.#context = context;
  }

  /**
   * What came with a message, as name, value, name, value; without what concerns only the connection that it came by, and what is no field, or no length.
   * @returns undefined when there are too many, or too large ones.
   */
  static received(context: WasiContext, raw: readonly string[]): FieldList | undefined {
    if (areFieldsOversized(raw)) return undefined;
    context.chargeEntries(raw.length);
    context.control.charge(raw.reduce((sum, { length }) => sum + length, 0) * CHECKED_BYTE_UNITS);
    const fields: Field[] = [];
    for (const [name, text] of pairsOf(raw)) {
      const key = name.toLowerCase();
      const value = Buffer.from(text, 'latin1');
      const isSecondLength = key === CONTENT_LENGTH && fields.some((field) => field.key === key);
      if (NAME.test(name) && !FORBIDDEN.has(key) && isValue(key, value) && !isSecondLength) fields.push({ name, key, value });
    }
    const list = new FieldList(context);
    list.#replace(fields);
    return list;
  }

  /** The declared length of the body; its syntax was checked when it was put in. */
  get contentLength(): number | undefined {
    const field = this.#fields.find(({ key }) => key === CONTENT_LENGTH);
    return field && Number(textOf(field.value));
  }

  /** The values of `name`, none when there is no such field, or none can be. */
  get(name: string): Uint8Array[] {
    return this.#find(name).map(({ value }) => value);
  }

  has(name: string): boolean {
    return this.#find(name).length > 0;
  }

  entries(): [name: string, value: Uint8Array][] {
    return this.#all().map(({ name, value }) => [name, value]);
  }

  /** As name, value, name, value. */
  raw(): string[] {
    return this.#fields.flatMap(({ name, value }) => [name, textOf(value)]);
  }

  /** Puts `values` in place of those that `name` has. Throws a {@link HeaderError}, having changed nothing. */
  set(name: string, values: readonly Uint8Array[]): void {
    this.#add(without(this.#all(), checkedKey(name)), name, values);
  }

  /** Adds one value to those that `name` has. Throws a {@link HeaderError}, having changed nothing. */
  append(name: string, value: Uint8Array): void {
    checkedKey(name);
    this.#add(this.#all(), name, [value]);
  }

  /** Takes out all values of `name`. Throws a {@link HeaderError}. */
  delete(name: string): void {
    this.#replace(without(this.#all(), checkedKey(name)));
  }

  /** A list with the same fields. */
  copy(): FieldList {
    const copy = new FieldList(this.#context);
    copy.#replace(this.#all());
    return copy;
  }

  /** One more who holds it. */
  retain(): this {
    this.#holders += 1;
    return this;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#context.giveBack(this.#cost);
  }

  #find(name: string): readonly Field[] {
    if (name.length > MAX_FIELDS_BYTES) return [];
    const key = name.toLowerCase();
    return this.#all().filter((field) => field.key === key);
  }

  #all(): readonly Field[] {
    this.#context.control.charge(this.#fields.length * FIELD_UNITS);
    return this.#fields;
  }

  #add(fields: readonly Field[], name: string, values: readonly Uint8Array[]): void {
    const key = name.toLowerCase();
    // WASI 0.2 has no error for this. It comes first, so that nothing larger is looked at.
    const bytes = values.reduce((sum, { length }) => sum + name.length + length, bytesOf(fields));
    if (isOversized(fields.length + values.length, bytes)) refuse('forbidden');
    if (!values.every((value) => isValue(key, value))) refuse('invalid-syntax');
    const changed = [...fields, ...values.map((value) => ({ name, key, value }))];
    // One body has one length: recipients that disagree about it can be made to see different messages.
    if (key === CONTENT_LENGTH && changed.filter((field) => field.key === CONTENT_LENGTH).length > 1) refuse('forbidden');
    this.#replace(changed);
  }

  #replace(fields: readonly Field[]): void {
    const cost = bytesOf(fields) + fields.length * FIELD_OVERHEAD;
    this.#context.keepBytesOrStop(Math.max(0, cost - this.#cost));
    this.#context.giveBack(Math.max(0, this.#cost - cost));
    this.#fields = fields;
    this.#cost = cost;
  }
}

/** Name, value, name, value as pairs. */
export function pairsOf(raw: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] as string, raw[2 * index + 1] as string]);
}

/** Whether {@link FieldList.received} takes what came with a message. */
export function areFieldsOversized(raw: readonly string[]): boolean {
  return isOversized(
    raw.length / 2,
    raw.reduce((sum, { length }) => sum + length, 0),
  );
}

// What concerns one connection is the host's; `host` is the authority that was checked.
const FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const CONTENT_LENGTH = 'content-length';
// Bytes that a field takes up beside those of its name and value, and fuel for looking at it.
const FIELD_OVERHEAD = 200;
const FIELD_UNITS = 50;
// Fuel for reading one byte of what came.
const CHECKED_BYTE_UNITS = 8;

// RFC 9110, 5.1: a token.
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function checkedKey(name: string): string {
  if (name.length > MAX_FIELDS_BYTES) refuse('forbidden');
  if (!NAME.test(name)) refuse('invalid-syntax');
  const key = name.toLowerCase();
  if (FORBIDDEN.has(key)) refuse('forbidden');
  return key;
}

// RFC 9110, 5.5: visible characters, spaces and tabs, and bytes above ASCII.
function isValue(key: string, value: Uint8Array): boolean {
  const isText = value.every((byte) => (byte >= 0x20 && byte !== 0x7f) || byte === 0x09);
  return isText && (key !== CONTENT_LENGTH || /^\d{1,15}$/.test(textOf(value)));
}

function refuse(tag: HeaderError['tag']): never {
  throw { tag } satisfies HeaderError;
}

function without(fields: readonly Field[], key: string): readonly Field[] {
  return fields.filter((field) => field.key !== key);
}

function isOversized(fields: number, bytes: number): boolean {
  return fields > MAX_FIELDS || bytes > MAX_FIELDS_BYTES;
}

function bytesOf(fields: readonly Field[]): number {
  return fields.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
}

function textOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
}
