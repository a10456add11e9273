// The resources of wasi:http/types 0.2 with which a guest serves: the request that it gets, and the response that it gives to whoever asked it.
import type { WasiContext } from '../context.ts';
import { failHttp, type HttpErrorCode } from '../http/errors.ts';
import { FieldList } from '../http/fields.ts';
import type { IncomingContent } from '../http/incoming-content.ts';
import { OutgoingContent } from '../http/outgoing-content.ts';
import { receiveStream, type Respond, type ServedRequest, type ServedResponse } from '../http/serving.ts';
import { failPlainly, IncomingBody, OutgoingBody, type Result } from './http-bodies.ts';
import { Fields } from './http-fields.ts';
import { type Method, methodOf, type Scheme } from './http-outbound.ts';
import { Resource } from './resource.ts';

/** The resource `incoming-request`. */
export class IncomingRequest extends Resource {
  readonly #context: WasiContext;
  #request: RequestHead;
  readonly #content: IncomingContent;
  #consumed = false;

  constructor(context: WasiContext, request: ServedRequest) {
    const content = receiveStream(context, request.body, request.signal);
    super(context, () => {
      if (!this.#consumed) content.close();
    });
    this.#context = context;
    this.#request = request;
    this.#content = content;
  }

  method(): Method {
    return methodOf(this.#request.method);
  }

  pathWithQuery(): string | undefined {
    return this.#request.path;
  }

  scheme(): Scheme | undefined {
    return { tag: this.#request.scheme === 'http' ? 'HTTP' : 'HTTPS' };
  }

  authority(): string | undefined {
    return this.#request.authority;
  }

  headers(): Fields {
    this.#context.checkHandles();
    return new Fields(this.#context, FieldList.received(this.#context, this.#request.fields) ?? new FieldList(this.#context), false);
  }

  consume(): IncomingBody {
    if (this.#consumed) failPlainly();
    this.#context.checkHandles();
    this.#consumed = true;
    return new IncomingBody(this.#context, this.#content, 'request');
  }

  /** The call that serves it is over: nobody receives its body any more, whatever the guest keeps of it. */
  static end(request: IncomingRequest): void {
    request.close();
    request.#content.close();
    request.#request = NOTHING_ASKED;
  }
}

type RequestHead = Pick<ServedRequest, 'method' | 'scheme' | 'authority' | 'path' | 'fields'>;

// What is left of a request after its call: a guest that keeps the handle is not to keep the rest.
const NOTHING_ASKED: RequestHead = { method: 'GET', scheme: 'http', authority: '', path: '/', fields: [] };

/** The resource `outgoing-response`. */
export class OutgoingResponse extends Resource {
  readonly #context: WasiContext;
  readonly #fields: FieldList;
  #status = 200;
  #content: OutgoingContent | undefined;
  #sent = false;

  constructor(context: WasiContext, headers: Fields) {
    const fields = Fields.take(headers);
    super(context, () => {
      fields.release();
      if (!this.#sent) this.#content?.cancel();
    });
    this.#context = context;
    this.#fields = fields;
  }

  statusCode(): number {
    return this.#status;
  }

  /** Those of final responses that the Fetch standard knows, 200 to 599. */
  setStatusCode(status: number): void {
    if (!(status >= 200 && status <= 599)) failPlainly();
    this.#status = status;
  }

  headers(): Fields {
    this.#context.checkHandles();
    return new Fields(this.#context, this.#fields.retain(), false);
  }

  body(): OutgoingBody {
    if (this.#content !== undefined) failPlainly();
    this.#context.checkHandles();
    this.#content = new OutgoingContent(this.#context, this.#fields.contentLength, 'HTTP-response-body-size');
    return new OutgoingBody(this.#context, this.#content);
  }

  /** What is to be sent; the response is no resource any more. */
  static take(response: OutgoingResponse): ServedResponse {
    response.#sent = true;
    const served = { status: response.#status, fields: response.#fields.raw(), content: response.#content };
    response.close();
    return served;
  }
}

/** The resource `response-outparam`. */
export class ResponseOutparam extends Resource {
  readonly #respond: Respond;

  constructor(context: WasiContext, respond: Respond) {
    super(context);
    this.#respond = respond;
  }

  /** Checked and dropped: a Response has no place for it. */
  sendInformational(status: number, headers: Fields): void {
    headers.close();
    // 101 would hand over the connection.
    if (!(status >= 100 && status <= 199) || status === 101) failHttp({ tag: 'HTTP-protocol-error' });
  }

  static set(param: ResponseOutparam, response: Result<OutgoingResponse, HttpErrorCode>): void {
    param.close();
    param.#respond(response.tag === 'ok' ? OutgoingResponse.take(response.val) : response.val);
  }
}
