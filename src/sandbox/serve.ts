// A guest as an HTTP server: Requests of the Fetch API go in, one at a time, Responses come out, both with bodies that flow while the guest runs.
import { ComponentError, describeValue, GloveportError } from '../errors.ts';
import { type HttpErrorCode, isHttpError } from '../wasi/http/errors.ts';
import { areFieldsOversized, MAX_FIELDS, MAX_FIELDS_BYTES, pairsOf } from '../wasi/http/fields.ts';
import type { OutgoingContent } from '../wasi/http/outgoing-content.ts';
import { type Respond, type ServedRequest, type ServedResponse, Turns } from '../wasi/http/serving.ts';

/** Requests that wait for one guest; one more is QUEUE_FULL. */
export const MAX_WAITING_REQUESTS = 1_000;

/** Has the guest handle one request; see `Isolate.handle`. */
type Handle = (request: ServedRequest, respond: Respond) => Promise<void>;

/** The requests of one guest, handled in the order in which they came. */
export class Server {
  readonly #handle: Handle;
  readonly #waiting = new Map<Answer, ServedRequest>();
  #busy = false;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** @see Guest.serve */
  serve(request: Request): Promise<Response> {
    const served = servedRequest(request);
    if (this.#waiting.size >= MAX_WAITING_REQUESTS) {
      throw new GloveportError('QUEUE_FULL', `${MAX_WAITING_REQUESTS} requests wait for the guest already; load more guests of its module`, {
        maximum: MAX_WAITING_REQUESTS,
      });
    }
    const answer = new Answer(request, () => this.#waiting.delete(answer));
    this.#waiting.set(answer, served);
    if (request.signal.aborted) answer.abort();
    void this.#serveAll();
    return answer.response;
  }

  async #serveAll(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    // Not in the middle of `serve`.
    await Promise.resolve();
    for (const [answer, request] of this.#waiting) {
      this.#waiting.delete(answer);
      try {
        await this.#handle(request, (given) => answer.give(given));
        answer.end();
      } catch (error) {
        answer.fail(error);
      }
    }
    this.#busy = false;
  }
}

function servedRequest(request: Request): ServedRequest {
  if (!(request instanceof Request)) throw invalid(`must be a Request, not ${describeValue(request)}`);
  const { method, headers, body, signal } = request;
  if (request.bodyUsed || body?.locked) throw invalid('has a body that was read already');
  const { protocol, host, pathname, search } = new URL(request.url);
  if (protocol !== 'http:' && protocol !== 'https:') throw invalid(`has a URL of another scheme than http and https: ${describeValue(protocol)}`, '.url');
  const fields = [...headers].flat();
  if (areFieldsOversized(fields)) throw invalid(`has more than ${MAX_FIELDS} headers, or ${MAX_FIELDS_BYTES} bytes of them`, '.headers');
  return { method, scheme: protocol === 'http:' ? 'http' : 'https', authority: host, path: pathname + search, fields, body, signal };
}

function invalid(why: string, part = ''): GloveportError {
  return new GloveportError('INVALID_ARGUMENT', `the request ${why}`, { path: `request${part}` });
}

/** The answer to one request, as it comes to be. */
class Answer {
  readonly response: Promise<Response>;
  // Held for its signal, which follows the caller's only as long as the Request itself lives.
  readonly #request: Request;
  readonly #onAbort = (): void => this.abort();
  readonly #leave: () => void;
  readonly #turns = new Turns();
  #resolve!: (response: Response) => void;
  #reject!: (reason: unknown) => void;
  #content: OutgoingContent | undefined;
  #stream: Controller | undefined;
  #given = false;
  #failed = false;

  /** @param leave called when nobody waits for it any more. */
  constructor(request: Request, leave: () => void) {
    this.#request = request;
    this.#leave = leave;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    request.signal.addEventListener('abort', this.#onAbort);
  }

  /** Whoever asked has gone. */
  abort(): void {
    this.#leave();
    this.fail(this.#request.signal.reason);
  }

  /** Takes what the guest answers, in the middle of its call. */
  give(answer: ServedResponse | HttpErrorCode): void {
    if (isHttpError(answer)) {
      this.fail(new ComponentError(answer));
      return;
    }
    this.#given = true;
    this.#content = answer.content;
    if (this.#failed) answer.content?.cancel();
    // As soon as the guest gives the thread away: until then it may write all of a short body.
    else
      Promise.resolve(answer)
        .then((response) => this.#settle(response))
        .catch((error: unknown) => this.fail(error));
  }

  /** The guest has returned: what it has not finished by now is not whole, and what waits for a reader is the caller's. */
  end(): void {
    if (!this.#given) this.fail(new ComponentError(INCOMPLETE));
    this.#content?.abandon();
    this.#content?.handOver();
    this.#release();
  }

  /** There will be no response, or no more of it. Harmless when repeated. */
  fail(reason: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#content?.cancel();
    this.#reject(reason);
    this.#stream?.error(reason);
    this.#release();
  }

  #settle({ status, fields, content }: ServedResponse): void {
    if (this.#failed) return;
    const init = { status, headers: pairsOf(fields) };
    if (this.#request.method === 'HEAD' || status === 204 || status === 205 || status === 304) {
      content?.discard();
      this.#resolve(new Response(null, init));
    } else if (content === undefined) {
      const declared = fields.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-length');
      if (declared >= 0 && Number(fields[declared + 1]) > 0) this.fail(new ComponentError(TOO_SHORT));
      else this.#resolve(new Response(null, init));
    } else if (content.end === 'broken') {
      this.#break(content);
    } else {
      this.#resolve(new Response((content.takeAll() as Bytes | undefined) ?? this.#streamOf(content), init));
    }
  }

  #streamOf(content: OutgoingContent): ReadableStream<Bytes> {
    const start = (controller: Controller): void => {
      this.#stream = controller;
    };
    const pull = (controller: Controller): void | Promise<void> => {
      const piece = content.take();
      if (piece !== undefined) {
        controller.enqueue(piece as Bytes);
        return this.#turns.pass(piece.length);
      }
      if (content.end === 'finished') controller.close();
      else if (content.end === 'broken') this.#break(content);
      else return progressOf(content).then(() => pull(controller));
    };
    return new ReadableStream({ start, pull, cancel: () => content.cancel() }, { highWaterMark: 0 });
  }

  #break({ fault }: OutgoingContent): void {
    this.fail(new ComponentError(fault ?? INCOMPLETE));
  }

  #release(): void {
    this.#request.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Copies of what was in the guest's memory, which may be shared. */
type Bytes = Uint8Array<ArrayBuffer>;
type Controller = ReadableStreamDefaultController<Bytes>;

const INCOMPLETE: HttpErrorCode = { tag: 'HTTP-response-incomplete' };
const TOO_SHORT: HttpErrorCode = { tag: 'HTTP-response-body-size', val: 0n };

function progressOf(content: OutgoingContent): Promise<void> {
  return new Promise((resolve) => {
    content.onProgress = resolve;
  });
}
