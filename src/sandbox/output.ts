// Where standard output and standard error of a guest go. The WASI host counts the bytes; here they only find their way.
import { writeSync } from 'node:fs';
import { printable } from '../errors.ts';
import type { OutputOption } from './options.ts';

/** A sink for one stream of one guest. */
export interface Output {
  readonly write: (chunk: Uint8Array) => void;
  /** What was captured so far; empty unless the option is `'capture'`. */
  captured(): Uint8Array;
}

export function openOutput(option: OutputOption, descriptor: 1 | 2): Output {
  if (option === 'capture') return capture();
  const write = option === 'inherit' ? inherit(descriptor) : option === 'ignore' ? ignore : option;
  return { write, captured: () => new Uint8Array() };
}

// One buffer that doubles, however small the chunks: a guest may write its limit byte by byte.
function capture(): Output {
  let buffer = new Uint8Array(1024);
  let length = 0;
  return {
    write(chunk) {
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

// A terminal obeys escape sequences, so a guest's are shown instead of sent; a file or a pipe gets the bytes as they are.
function inherit(descriptor: 1 | 2): (chunk: Uint8Array) => void {
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  if (!stream.isTTY) return (chunk) => writeAll(descriptor, chunk);
  const decoder = new TextDecoder();
  return (chunk) => {
    const text = decoder.decode(chunk, { stream: true });
    writeAll(descriptor, Buffer.from(text.replace(/[^\n\t\r]+/g, (line) => printable(line, line.length))));
  };
}

// The guest runs on this thread, so nothing else could drain a stream meanwhile: the write waits, and a reader that went away ends the output.
function writeAll(descriptor: 1 | 2, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) {
    try {
      at += writeSync(descriptor, chunk, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function ignore(): void {}
