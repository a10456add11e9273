// A guest behind Node's HTTP server, as a program of its own would have it: requests of the one become Requests of the Fetch API, Responses become responses.
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

interface Serves {
  serve(request: Request): Promise<Response>;
}

/** Answers with what `guest` does, with 503 when its queue is full and 502 when it fails otherwise. */
export function nodeHandler(guest: Serves, onError: (error: unknown) => void = () => undefined): RequestListener {
  return (message, reply) => {
    answer(guest, message, reply).catch((error: unknown) => {
      onError(error);
      if (reply.headersSent) reply.destroy();
      else reply.writeHead((error as { code?: string }).code === 'QUEUE_FULL' ? 503 : 502).end();
    });
  };
}

async function answer(guest: Serves, message: IncomingMessage, reply: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const closed = once(reply, 'close').then(() => gone.abort());
  const response = await guest.serve(requestOf(message, gone.signal));
  reply.writeHead(response.status, [...response.headers].flat());
  if (response.body !== null) {
    for await (const piece of response.body) {
      if (reply.destroyed) return;
      if (!reply.write(piece)) await Promise.race([once(reply, 'drain'), closed]);
    }
  }
  reply.end();
}

function requestOf(message: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers, rawHeaders } = message;
  const pairs = Array.from({ length: rawHeaders.length / 2 }, (_, index) => [rawHeaders[2 * index], rawHeaders[2 * index + 1]] as [string, string]);
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  const body = hasBody && method !== 'GET' && method !== 'HEAD' ? { body: bodyOf(message), duplex: 'half' } : {};
  return new Request(`http://${headers.host}${url}`, { method, headers: pairs, signal, ...body });
}

function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    message.pause();
    message.on('data', (piece: Buffer) => {
      controller.enqueue(piece);
      message.pause();
    });
    message.on('end', () => controller.close());
    message.on('error', (error) => controller.error(error));
  };
  return new ReadableStream({ start, pull: () => void message.resume() }, { highWaterMark: 0 });
}
