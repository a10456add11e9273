// What passes between a guest that serves and whoever asks it to, free of resources of the one and of the Fetch API of the other.
import type { WasiContext } from '../context.ts';
import type { HttpErrorCode } from './errors.ts';
import { IncomingContent } from './incoming-content.ts';
import type { OutgoingContent } from './outgoing-content.ts';

/** A request that a guest is to serve. */
export interface ServedRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** With its port, where that is not the scheme's own. */
  readonly authority: string;
  readonly path: string;
  /** Name, value, name, value; few enough for a `FieldList`. */
  readonly fields: readonly string[];
  readonly body: ReadableStream<Uint8Array> | null;
  /** Aborted when nobody waits for the response any more. */
  readonly signal: AbortSignal;
}

/** The response of a guest that serves. */
export interface ServedResponse {
  readonly status: number;
  /** Name, value, name, value. */
  readonly fields: readonly string[];
  /** Undefined when the guest wanted no body. */
  readonly content: OutgoingContent | undefined;
}

/** Takes what the guest answers, at most once. */
export type Respond = (answer: ServedResponse | HttpErrorCode) => void;

// Work between two turns of the event loop: bytes, and so many more for each piece of them.
const TURN_BYTES = 1024 * 1024;
const TURN_PIECE_BYTES = 16 * 1024;

/** Lets the event loop turn now and then where guest and caller pass bytes to each other without it: promises alone would keep everybody else waiting. */
export class Turns {
  #left = TURN_BYTES;

  /** Passes `bytes` on. */
  async pass(bytes: number): Promise<void> {
    this.#left -= bytes + TURN_PIECE_BYTES;
    if (this.#left > 0) return;
    this.#left = TURN_BYTES;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** The content of `body`, which is pulled as the guest reads. What the guest leaves unread is left to whose stream it is. */
export function receiveStream(context: WasiContext, body: ReadableStream<Uint8Array> | null, signal: AbortSignal): IncomingContent {
  const turns = new Turns();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const leave = (): void => {
    signal.removeEventListener('abort', gone);
    reader?.releaseLock();
  };
  const gone = (): void => {
    leave();
    content.fail({ tag: 'connection-terminated' });
  };
  const pump = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    try {
      reader ??= stream.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (!(value instanceof Uint8Array)) throw new TypeError('a body is made of bytes');
        await turns.pass(value.length);
        if (!content.push(value)) return;
      }
      leave();
      content.finish();
    } catch {
      gone();
    }
  };
  const content = new IncomingContent(context, { resume: () => void (body && pump(body)), cancel: leave });
  if (body === null) content.finish();
  else signal.addEventListener('abort', gone);
  return content;
}
