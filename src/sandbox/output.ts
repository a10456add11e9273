// Where standard output and standard error of a guest go. The WASI host counts and keeps the bytes; here they only find their way.
import { writeSync } from 'node:fs';
import { finished } from 'node:stream';
import { printable } from '../errors.ts';
import type { OutputConsumer } from '../wasi/output-buffer.ts';
import type { OutputSink } from '../wasi/standard-output.ts';
import { Signal, type Waitable } from '../wasi/waiting.ts';
import { hasMethod } from './input.ts';

/** A stream that takes bytes: the web platform's, or Node's. */
export type OutputStreamOption = WritableStream<Uint8Array> | NodeJS.WritableStream;

/**
 * Where a guest's output goes: kept for the caller, to the process's own stream, nowhere, to a function that gets each chunk, or to a stream, which may be
 * busy, so that the guest waits. Streams are not ended with the guest, and may be several guests', or both outputs of one.
 */
export type OutputOption = 'capture' | 'inherit' | 'ignore' | ((chunk: Uint8Array) => void) | OutputStreamOption;

/** One output of one guest. */
export interface Output {
  readonly to: OutputSink | OutputConsumer;
  /** What was captured so far; empty unless the option is `'capture'`. */
  captured(): Uint8Array;
}

export function isOutputOption(value: unknown): value is OutputOption {
  if (typeof value === 'function' || hasMethod(value, 'getWriter')) return true;
  return value === 'capture' || value === 'inherit' || value === 'ignore' || (hasMethod(value, 'write') && hasMethod(value, 'on'));
}

export function openOutput(option: OutputOption, descriptor: 1 | 2): Output {
  if (option === 'capture') return capture();
  return { to: destination(option, descriptor), captured: () => new Uint8Array() };
}

function destination(option: Exclude<OutputOption, 'capture'>, descriptor: 1 | 2): OutputSink | OutputConsumer {
  if (option === 'ignore') return () => undefined;
  if (option === 'inherit') return new OwnOutput(descriptor);
  if (typeof option === 'function') return option;
  return 'getWriter' in option ? webConsumer(option) : nodeConsumer(option);
}

// One buffer that doubles, however small the chunks: a guest may write its limit byte by byte.
function capture(): Output {
  let buffer = new Uint8Array(1024);
  let length = 0;
  return {
    to(chunk) {
      if (length + chunk.length > buffer.length) {
        const grown = new Uint8Array(Math.max(buffer.length * 2, length + chunk.length));
        grown.set(buffer.subarray(0, length));
        buffer = grown;
      }
      buffer.set(chunk, length);
      length += chunk.length;
    },
    captured: () => buffer.slice(0, length),
  };
}

/** The process's own output: written on the spot, as long as it takes the bytes. What it does not take is tried again after a while. */
class OwnOutput implements OutputConsumer {
  readonly ready: Waitable = { remainingMs: () => (this.#write() ? 0 : TRY_AGAIN_MS) };
  closed = false;
  readonly #descriptor: 1 | 2;
  readonly #shown: (chunk: Uint8Array) => Uint8Array;
  #rest: Uint8Array = new Uint8Array();

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
    this.#shown = (descriptor === 1 ? process.stdout : process.stderr).isTTY ? shownOnTerminal() : (chunk) => chunk;
  }

  take(chunk: Uint8Array): void {
    const shown = this.#shown(chunk);
    this.#rest = this.#rest.length === 0 ? shown : Buffer.concat([this.#rest, shown]);
    this.#write();
  }

  release(): void {
    if (!this.#write()) setTimeout(() => this.release(), TRY_AGAIN_MS);
  }

  #write(): boolean {
    while (this.#rest.length > 0 && !this.closed) {
      try {
        this.#rest = this.#rest.subarray(writeSync(this.#descriptor, this.#rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
        this.closed = true;
      }
    }
    return true;
  }
}

const TRY_AGAIN_MS = 1;

// A terminal obeys escape sequences, so a guest's are shown instead of sent; a file or a pipe gets the bytes as they are.
function shownOnTerminal(): (chunk: Uint8Array) => Uint8Array {
  const decoder = new TextDecoder();
  return (chunk) => {
    const text = decoder.decode(chunk, { stream: true });
    return Buffer.from(text.replace(/[^\n\t\r]+/g, (line) => printable(line, line.length)));
  };
}

// The lock is held for the moment of handing over, so that others can write too.
function webConsumer(stream: WritableStream<Uint8Array>): OutputConsumer {
  return new StreamConsumer((chunk, done) => {
    const writer = stream.getWriter();
    writer.write(chunk).then(
      () => done(true),
      () => done(false),
    );
    writer.releaseLock();
  });
}

function nodeConsumer(stream: NodeJS.WritableStream): OutputConsumer {
  return new StreamConsumer((chunk, done) => {
    const unwatch = watch(stream, () => done(false));
    stream.write(chunk, (error) => {
      // A failure is followed by an error event.
      if (!error) unwatch();
      done(!error);
    });
  });
}

// A stream with a chunk on its way has one listener for all guests: it finds that the stream is destroyed in the middle of the chunk, and takes the error
// that Node would else throw at the process.
const watchers = new WeakMap<NodeJS.WritableStream, Watcher>();

interface Watcher {
  readonly chunks: Set<() => void>;
  readonly stop: () => void;
}

function watch(stream: NodeJS.WritableStream, onEnd: () => void): () => void {
  const watcher = watchers.get(stream) ?? startWatching(stream);
  watcher.chunks.add(onEnd);
  return () => {
    watcher.chunks.delete(onEnd);
    if (watcher.chunks.size > 0) return;
    watcher.stop();
    watchers.delete(stream);
  };
}

function startWatching(stream: NodeJS.WritableStream): Watcher {
  const chunks = new Set<() => void>();
  const stop = finished(stream, { readable: false }, () => {
    for (const onEnd of chunks) onEnd();
  });
  const watcher = { chunks, stop };
  watchers.set(stream, watcher);
  return watcher;
}

/** Hands over a chunk that it may keep, and says once that it was delivered, or that no more are. */
type HandOver = (chunk: Uint8Array, done: (delivered: boolean) => void) => void;

class StreamConsumer implements OutputConsumer {
  readonly ready = new Signal(() => this.#waitingFor === 0);
  closed = false;
  readonly #handOver: HandOver;
  #waitingFor = 0;

  constructor(handOver: HandOver) {
    this.#handOver = handOver;
  }

  take(chunk: Uint8Array): void {
    let settled = false;
    const done = (delivered: boolean): void => {
      if (settled) return;
      settled = true;
      this.#waitingFor -= 1;
      if (!delivered) this.closed = true;
      this.ready.notify();
    };
    this.#waitingFor += 1;
    try {
      this.#handOver(chunk, done);
    } catch {
      done(false);
    }
  }

  release(): void {}
}
