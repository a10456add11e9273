// The resources of wasi:http/types 0.2 through which a guest reads and writes bodies. Streams, and what comes after a body, are views of the content below;
// a guest that drops a stream has not ended the body.
import { ComponentError } from '../../errors.ts';
import type { WasiContext } from '../context.ts';
import { failHttp, type HttpErrorCode, isHttpError } from '../http/errors.ts';
import { FieldList } from '../http/fields.ts';
import type { IncomingContent } from '../http/incoming-content.ts';
import type { OutgoingContent } from '../http/outgoing-content.ts';
import { isReady } from '../waiting.ts';
import { Fields } from './http-fields.ts';
import { InputStream, OutputStream, Pollable } from './io.ts';
import { Resource } from './resource.ts';

/** A WIT `result` inside of another type. */
export type Result<Ok, Err> = { readonly tag: 'ok'; readonly val: Ok } | { readonly tag: 'err'; readonly val: Err };

/** What a WIT `future` gives: nothing yet, its result, and an error ever after. */
export type Future<Ok, Err> = Result<Result<Ok, Err>, undefined> | undefined;

/** The `err` of a WIT `result` without a payload. */
export function failPlainly(): never {
  throw new ComponentError(undefined);
}

/** The resource `incoming-body`. */
export class IncomingBody extends Resource {
  readonly #context: WasiContext;
  readonly #content: IncomingContent;
  readonly #direction: Direction;
  #streamed = false;
  #finished = false;

  constructor(context: WasiContext, content: IncomingContent, direction: Direction) {
    super(context, () => {
      if (!this.#finished) content.close();
    });
    this.#context = context;
    this.#content = content;
    this.#direction = direction;
  }

  stream(): InputStream {
    if (this.#streamed) failPlainly();
    this.#context.checkHandles();
    this.#streamed = true;
    const content = this.#content;
    content.start();
    return new InputStream(this.#context, { ready: content.ready, read: (limit) => content.read(limit) });
  }

  static finish(body: IncomingBody): FutureTrailers {
    body.#finished = true;
    body.close();
    body.#content.discard();
    return new FutureTrailers(body.#context, body.#content, body.#direction);
  }
}

/** Of what kind of message an incoming body is. */
export type Direction = 'request' | 'response';

/** The resource `future-trailers`. */
export class FutureTrailers extends Resource {
  readonly #context: WasiContext;
  readonly #content: IncomingContent;
  readonly #direction: Direction;
  #taken = false;

  constructor(context: WasiContext, content: IncomingContent, direction: Direction) {
    super(context, () => content.close());
    this.#context = context;
    this.#content = content;
    this.#direction = direction;
  }

  subscribe(): Pollable {
    return new Pollable(this.#context, this.#content.ended);
  }

  get(): Future<Fields | undefined, HttpErrorCode> {
    if (this.#taken) return { tag: 'err', val: undefined };
    if (!isReady(this.#content.ended)) {
      this.#context.lookedInVain();
      return undefined;
    }
    this.#context.checkHandles();
    this.#taken = true;
    try {
      return { tag: 'ok', val: { tag: 'ok', val: this.#trailers() } };
    } catch (error) {
      if (!isHttpError(error)) throw error;
      return { tag: 'ok', val: { tag: 'err', val: error } };
    }
  }

  #trailers(): Fields | undefined {
    const raw = this.#content.trailers();
    if (raw.length === 0) return undefined;
    const list = FieldList.received(this.#context, raw);
    if (list === undefined) failHttp({ tag: `HTTP-${this.#direction}-trailer-section-size`, val: undefined });
    return new Fields(this.#context, list, false);
  }
}

/** The resource `outgoing-body`. */
export class OutgoingBody extends Resource {
  readonly #context: WasiContext;
  readonly #content: OutgoingContent;
  #streamed = false;

  constructor(context: WasiContext, content: OutgoingContent) {
    super(context, () => content.abandon());
    this.#context = context;
    this.#content = content;
  }

  write(): OutputStream {
    if (this.#streamed) failPlainly();
    this.#context.checkHandles();
    this.#streamed = true;
    const content = this.#content;
    return new OutputStream(this.#context, { ready: content.ready, permit: () => content.permit(), write: (bytes) => content.write(bytes) });
  }

  static finish(body: OutgoingBody, trailers: Fields | undefined): void {
    const list = trailers && Fields.take(trailers);
    try {
      body.#content.finish(list?.raw());
    } finally {
      list?.release();
      body.close();
    }
  }
}
