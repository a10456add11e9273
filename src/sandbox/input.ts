// Streams of the host's as standard input. Each feeds one guest: it is asked for a chunk when the guest wants one, and ends with the guest.
import { types } from 'node:util';
import { describeValue, GloveportError } from '../errors.ts';
import type { InputFeed } from '../wasi/standard-input.ts';

/** A stream of bytes, or of text that becomes UTF-8: the web platform's, Node's, or whatever else `for await` takes. */
export type InputStreamOption = ReadableStream<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

export function isInputStream(value: unknown): value is InputStreamOption {
  return hasMethod(value, 'getReader') || hasMethod(value, Symbol.asyncIterator);
}

/** Whether `value` has a method of that name. */
export function hasMethod<Name extends PropertyKey>(value: unknown, name: Name): value is Record<Name, (...args: unknown[]) => unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function';
}

/**
 * Takes `stream` for one guest. Nothing is read before the guest asks. A stream that was read is cancelled or destroyed when it is released, apart from the
 * process's own standard input, which is only left alone; one that was not is free again.
 * @throws GloveportError INVALID_STATE when another guest, or somebody else, reads it, INVALID_OPTION when it is broken.
 */
export function openInput(stream: InputStreamOption): InputFeed {
  if (taken.has(stream) || ('locked' in stream && stream.locked)) {
    const message = "the stream of the option 'stdin' is read by another guest, or by somebody else; give each guest a stream of its own";
    throw new GloveportError('INVALID_STATE', message, { option: 'stdin' });
  }
  const unlisten = listenTo(stream);
  taken.add(stream);
  const bytesOf = encoder();
  let source: Source | undefined;
  return {
    async next() {
      source ??= 'getReader' in stream ? webSource(stream) : iteratedSource(stream);
      return bytesOf(await source.next());
    },
    release() {
      if (source !== undefined) return void source.end().catch(ignore);
      unlisten();
      taken.delete(stream);
    },
  };
}

const taken = new WeakSet<object>();

// A stream of Node's that fails throws at the process where nobody listens; who reads it sees the failure all the same.
function listenTo(stream: InputStreamOption): () => void {
  if (!hasMethod(stream, 'on') || !hasMethod(stream, 'off')) return ignore;
  try {
    stream.on('error', ignore);
  } catch (cause) {
    throw new GloveportError('INVALID_OPTION', "the stream of the option 'stdin' threw when it was listened to", { option: 'stdin' }, { cause });
  }
  return () => {
    try {
      stream.off('error', ignore);
    } catch {
      // It is of no use to anybody, but nothing is lost either.
    }
  };
}

interface Source {
  next(): Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  end(): Promise<unknown>;
}

function webSource(stream: ReadableStream): Source {
  const reader = stream.getReader();
  return { next: () => reader.read(), end: async () => await reader.cancel() };
}

function iteratedSource(stream: AsyncIterable<unknown>): Source {
  const iterator = stream[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    async end() {
      if ('fd' in stream && stream.fd === 0) {
        // The process's own: it outlives its guests, and must not keep the process alive.
        if (hasMethod(stream, 'pause')) stream.pause();
        if (hasMethod(stream, 'unref')) stream.unref();
      } else if (hasMethod(stream, 'destroy')) {
        // An iterator would first wait for the chunk that it was asked for.
        stream.destroy();
      } else {
        await iterator.return?.();
      }
    },
  };
}

/** Chunks as bytes, undefined at the end. A character may be cut in two. */
function encoder(): (result: Awaited<ReturnType<Source['next']>>) => Uint8Array | undefined {
  const utf8 = new TextEncoder();
  let half = '';
  return ({ done, value }) => {
    if (done && half === '') return undefined;
    const chunk = done ? '' : value;
    // A copy: the chunk may be of a class that does as it likes, and its buffer still somebody's.
    if (types.isUint8Array(chunk)) return new Uint8Array(chunk);
    if (typeof chunk !== 'string') {
      throw new GloveportError('HOST_FUNCTION_FAILED', `the stream of the option 'stdin' gave ${describeValue(chunk)}, which is neither bytes nor text`);
    }
    const text = half + chunk;
    half = done ? '' : (/[\uD800-\uDBFF]$/.exec(text)?.[0] ?? '');
    return utf8.encode(text.slice(0, text.length - half.length));
  };
}

function ignore(): void {}
