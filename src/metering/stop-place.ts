// Says where a guest stopped: finds its frames in the engine's stack traces, and adds the place in the original module to the error. The traces are text that
// host code may have put its hands on, and their format is the engine's own affair: what does not parse says nothing, and nothing here throws.
import { type ErrorCode, GloveportError, isInstance, printable } from '../errors.ts';
import { type SourcePlace, sourcePlace, type Trace } from './trace.ts';

/** Frames that are asked for, host functions between guest and stop included. */
const FRAMES = 100;
const MAX_STACK_LENGTH = 100_000;
const MAX_FRAME_LENGTH = 300;
const MAX_NAME_LENGTH = 200;
/** The guest's own wish and its host's: no fault that anybody would look for. */
const WITHOUT_PLACE: readonly ErrorCode[] = ['GUEST_EXITED', 'DISPOSED'];

// A frame of V8's, in the form of the WebAssembly web API (section 8, 'Developer-Facing Display Conventions'): the URL that the engine made of the module's
// name and a hash, the function's index, and the offset in the module. Other engines do not name the module.
const FRAME = /^\s+at .{0,200}wasm:\/\/wasm\/([A-Za-z0-9-]{1,80})-[0-9a-f]{1,8}:wasm-function\[(\d{1,7})\]:0x([0-9a-f]{1,8})\)?$/;

/** The modules of one guest, by what the engine calls them. */
export class StopPlaces {
  /** Null for a name that several modules have. */
  readonly #traces = new Map<string, Trace | null>();

  add(trace: Trace): void {
    const known = this.#traces.get(trace.engineName);
    this.#traces.set(trace.engineName, known === undefined || known === trace ? trace : null);
  }

  /** `reason`, with the place of the guest's innermost frame in `stack` where that is known, as `details.source` and in the message. */
  locate(reason: GloveportError, stack: string): GloveportError {
    const { code, message, details } = reason;
    if (stack === '' || details.source !== undefined || WITHOUT_PLACE.includes(code)) return reason;
    const place = this.#innermost(stack);
    if (place === undefined) return reason;
    const source = Object.freeze({ ...place, ...(place.name !== undefined && { name: printable(place.name, MAX_NAME_LENGTH) }) });
    const cause = Object.hasOwn(reason, 'cause') ? { cause: reason.cause } : {};
    return new GloveportError(code, `${message} (${describe(source)})`, { ...details, source }, cause);
  }

  // Functions that metering appended have no place in the original: the frame below is the one that counts.
  #innermost(stack: string): SourcePlace | undefined {
    for (const line of stack.slice(0, MAX_STACK_LENGTH).split('\n')) {
      const frame = line.length > MAX_FRAME_LENGTH ? null : FRAME.exec(line);
      const trace = frame && this.#traces.get(frame[1] as string);
      const place = trace && sourcePlace(trace, Number(frame[2]), Number.parseInt(frame[3] as string, 16));
      if (place) return place;
    }
    return undefined;
  }
}

/** The engine's stack trace of here and now. */
export function stackHere(): string {
  // The engine's own: the language does not have it.
  const limit: unknown = Reflect.get(Error, 'stackTraceLimit');
  const raise = typeof limit === 'number' && limit < FRAMES && Reflect.set(Error, 'stackTraceLimit', FRAMES);
  const error = new Error('here');
  if (raise) Reflect.set(Error, 'stackTraceLimit', limit);
  return textOf(error);
}

/** The stack trace of an error that is the engine's own, such as a trap; empty for all others, which host code made. */
export function stackOf(error: unknown): string {
  return isInstance(error, WebAssembly.RuntimeError) || isInstance(error, RangeError) ? textOf(error) : '';
}

function textOf(error: Error): string {
  try {
    const stack: unknown = error.stack;
    return typeof stack === 'string' ? stack : '';
  } catch {
    return '';
  }
}

function describe({ function: index, name, module, offset }: SourcePlace): string {
  const quoted = name === undefined ? '' : ` "${name}"`;
  return `in function ${index}${quoted}${module === undefined ? '' : ` of ${module}`} at offset 0x${offset.toString(16)}`;
}
