// The resources of wasi:http/types 0.2 with which a guest makes a request and gets its response. What happens in between is `http/client.ts`'s business.
import type { WasiContext } from '../context.ts';
import type { OutgoingMessage } from '../http/client.ts';
import { failHttp, type HttpErrorCode } from '../http/errors.ts';
import type { Exchange, IncomingHead, Patience } from '../http/exchange.ts';
import { FieldList } from '../http/fields.ts';
import { OutgoingContent } from '../http/outgoing-content.ts';
import { isMethod, isPathWithQuery, isScheme, MAX_AUTHORITY_LENGTH, readAuthority } from '../http/request-line.ts';
import { isReady } from '../waiting.ts';
import { failPlainly, type Future, IncomingBody, OutgoingBody, type Result } from './http-bodies.ts';
import { Fields } from './http-fields.ts';
import { Pollable } from './io.ts';
import { Resource } from './resource.ts';

/** `method`. */
export type Method = { readonly tag: (typeof METHODS)[number]; readonly val?: undefined } | { readonly tag: 'other'; readonly val: string };

/** `scheme`. */
export type Scheme = { readonly tag: 'HTTP' | 'HTTPS'; readonly val?: undefined } | { readonly tag: 'other'; readonly val: string };

const METHODS = ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch'] as const;

export function methodOf(text: string): Method {
  const tag = METHODS.find((method) => method.toUpperCase() === text);
  return tag === undefined ? { tag: 'other', val: text } : { tag };
}

function textOf(method: Method): string {
  return method.tag === 'other' ? method.val : method.tag.toUpperCase();
}

/** The resource `outgoing-request`. */
export class OutgoingRequest extends Resource {
  readonly #context: WasiContext;
  readonly #fields: FieldList;
  #method: Method = { tag: 'get' };
  #path: string | undefined;
  #scheme: Scheme | undefined;
  #authority: string | undefined;
  #content: OutgoingContent | undefined;
  #sent = false;

  constructor(context: WasiContext, headers: Fields) {
    const fields = Fields.take(headers);
    super(context, () => {
      if (this.#sent) return;
      fields.release();
      this.#content?.cancel();
    });
    this.#context = context;
    this.#fields = fields;
  }

  body(): OutgoingBody {
    if (this.#content !== undefined) failPlainly();
    this.#context.checkHandles();
    this.#content = new OutgoingContent(this.#context, this.#fields.contentLength, 'HTTP-request-body-size');
    return new OutgoingBody(this.#context, this.#content);
  }

  method(): Method {
    return this.#method;
  }

  setMethod(method: Method): void {
    if (!isMethod(textOf(method))) failPlainly();
    this.#method = methodOf(textOf(method));
  }

  pathWithQuery(): string | undefined {
    return this.#path;
  }

  setPathWithQuery(path: string | undefined): void {
    if (path !== undefined && !isPathWithQuery(path)) failPlainly();
    this.#path = path;
  }

  scheme(): Scheme | undefined {
    return this.#scheme;
  }

  setScheme(scheme: Scheme | undefined): void {
    if (scheme?.tag === 'other' && !isScheme(scheme.val)) failPlainly();
    this.#scheme = scheme;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(authority: string | undefined): void {
    // Names outside of ASCII are mapped and encoded, which takes its time for each character.
    this.#context.chargeEntries(Math.min(authority?.length ?? 0, MAX_AUTHORITY_LENGTH));
    if (authority !== undefined && readAuthority(authority) === undefined) failPlainly();
    this.#authority = authority;
  }

  headers(): Fields {
    this.#context.checkHandles();
    return new Fields(this.#context, this.#fields.retain(), false);
  }

  /** What is to be sent; the request is no resource any more. Throws an `error-code` for one that says not enough of where. */
  static take(request: OutgoingRequest): OutgoingMessage {
    try {
      const scheme = request.#scheme?.tag ?? 'HTTPS';
      if (scheme === 'other') failHttp({ tag: 'HTTP-protocol-error' });
      const authority = readAuthority(request.#authority ?? '') ?? failHttp({ tag: 'HTTP-request-URI-invalid' });
      request.#sent = true;
      return {
        method: textOf(request.#method),
        scheme: scheme === 'HTTP' ? 'http' : 'https',
        ...authority,
        path: request.#path ?? '/',
        fields: request.#fields,
        content: request.#content,
      };
    } finally {
      request.close();
    }
  }
}

const NS_PER_MS = 1_000_000;
type Duration = bigint | undefined;

/** The resource `request-options`: durations in nanoseconds. */
export class RequestOptions extends Resource {
  #connect: Duration;
  #firstByte: Duration;
  #betweenBytes: Duration;

  connectTimeout(): Duration {
    return this.#connect;
  }

  setConnectTimeout(duration: Duration): void {
    this.#connect = duration;
  }

  firstByteTimeout(): Duration {
    return this.#firstByte;
  }

  setFirstByteTimeout(duration: Duration): void {
    this.#firstByte = duration;
  }

  betweenBytesTimeout(): Duration {
    return this.#betweenBytes;
  }

  setBetweenBytesTimeout(duration: Duration): void {
    this.#betweenBytes = duration;
  }

  static take(options: RequestOptions): Patience {
    options.close();
    return { connectMs: msOf(options.#connect), firstByteMs: msOf(options.#firstByte), betweenBytesMs: msOf(options.#betweenBytes) };
  }
}

function msOf(duration: Duration): number | undefined {
  return duration === undefined ? undefined : Number(duration) / NS_PER_MS;
}

/** The resource `future-incoming-response`. */
export class FutureIncomingResponse extends Resource {
  readonly #context: WasiContext;
  readonly #exchange: Exchange;
  #taken = false;

  constructor(context: WasiContext, exchange: Exchange) {
    super(context, () => {
      if (!this.#taken) exchange.fail({ tag: 'connection-terminated' });
    });
    this.#context = context;
    this.#exchange = exchange;
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#exchange.ready);
  }

  get(): Future<IncomingResponse, HttpErrorCode> {
    if (this.#taken) return { tag: 'err', val: undefined };
    if (!isReady(this.#exchange.ready)) {
      this.#context.lookedInVain();
      return undefined;
    }
    this.#context.checkHandles();
    this.#taken = true;
    return { tag: 'ok', val: this.#result() };
  }

  #result(): Result<IncomingResponse, HttpErrorCode> {
    const outcome = this.#exchange.outcome() as IncomingHead | HttpErrorCode;
    if ('tag' in outcome) return { tag: 'err', val: outcome };
    const fields = FieldList.received(this.#context, outcome.fields);
    if (fields !== undefined) return { tag: 'ok', val: new IncomingResponse(this.#context, outcome, fields) };
    outcome.content.close();
    return { tag: 'err', val: { tag: 'HTTP-response-header-section-size', val: undefined } };
  }
}

/** The resource `incoming-response`. */
export class IncomingResponse extends Resource {
  readonly #context: WasiContext;
  readonly #head: IncomingHead;
  readonly #fields: FieldList;
  #consumed = false;

  /** Takes over `fields`. */
  constructor(context: WasiContext, head: IncomingHead, fields: FieldList) {
    super(context, () => {
      fields.release();
      if (!this.#consumed) head.content.close();
    });
    this.#context = context;
    this.#head = head;
    this.#fields = fields;
  }

  status(): number {
    return this.#head.status;
  }

  headers(): Fields {
    this.#context.checkHandles();
    return new Fields(this.#context, this.#fields.retain(), false);
  }

  consume(): IncomingBody {
    if (this.#consumed) failPlainly();
    this.#context.checkHandles();
    this.#consumed = true;
    return new IncomingBody(this.#context, this.#head.content, 'response');
  }
}
