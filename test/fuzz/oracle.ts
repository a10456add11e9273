// What must hold of any bytes: the rewriter takes them or refuses them by a code, soon, and without taking memory for what is not there; what was valid
// stays so, and when it runs it stops within its limits.
import { getHeapStatistics } from 'node:v8';
import { GloveportError } from '../../src/errors.ts';
import { resolveLimits } from '../../src/limits.ts';
import { Meter } from '../../src/metering/meter.ts';
import { meter, type MeteredModule } from '../../src/metering/rewrite.ts';

/** How bytes were answered. */
export type Answer = 'metered' | 'INVALID_MODULE' | 'UNSUPPORTED_FEATURE' | 'MODULE_TOO_LARGE';

/** What is put to the test; a parameter, so that the oracle can be shown a rewriter with faults. */
export type Rewrite = (bytes: Uint8Array) => MeteredModule;

const REFUSALS: readonly string[] = ['INVALID_MODULE', 'UNSUPPORTED_FEATURE', 'MODULE_TOO_LARGE'];
// Far beyond what any small input takes, also on a busy machine: these find hangs and believed counts, they measure nothing.
const MOST_MS = 500;
const MOST_MS_PER_BYTE = 0.002;
const MOST_HEAP = 24 * 1024 * 1024;
const MOST_HEAP_PER_BYTE = 512;
const MOST_GROWTH = 64;
const MOST_MESSAGE = 2_000;

// The engine takes any encoding of the number 0 where the format has the byte 0.
const LENIENT = /^unknown kind of tag /;

const LIMITS = resolveLimits({ fuel: 200_000, timeMs: 1_000, memoryBytes: 4 * 1024 * 1024, tableElements: 10_000, callDepth: 200 });

export class Violation extends Error {
  override readonly name = 'Violation';
}

/** @throws Violation when the rewriter does with `bytes` what it must not do. */
export function check(bytes: Uint8Array<ArrayBuffer>, rewrite: Rewrite = meter): Answer {
  const valid = WebAssembly.validate(bytes);
  const answer = bounded(bytes, () => answerTo(bytes, valid, rewrite));
  if (typeof answer === 'string') {
    return answer;
  }
  if (!valid) return 'metered';
  const metered = answer.bytes as Uint8Array<ArrayBuffer>;
  if (!WebAssembly.validate(metered)) throw new Violation(`a valid module is not valid metered: ${faultOf(metered)}`);
  if (metered.length > 4_096 + MOST_GROWTH * bytes.length) throw new Violation(`${bytes.length} bytes become ${metered.length}`);
  bounded(bytes, () => run(answer));
  return 'metered';
}

function answerTo(bytes: Uint8Array, valid: boolean, rewrite: Rewrite): MeteredModule | Exclude<Answer, 'metered'> {
  try {
    return rewrite(bytes);
  } catch (error) {
    if (!(error instanceof GloveportError)) throw new Violation(`it throws ${String(error)}`, { cause: error });
    const { code, message, details } = error;
    if (!REFUSALS.includes(code)) throw new Violation(`it throws ${code}: ${message}`, { cause: error });
    if (message.length > MOST_MESSAGE) throw new Violation(`a message of ${message.length} characters`);
    const { offset } = details;
    if (typeof offset === 'number' && !(offset >= 0 && offset <= bytes.length)) throw new Violation(`offset ${offset} of ${bytes.length} bytes`);
    if (valid && code === 'INVALID_MODULE' && !LENIENT.test(message)) throw new Violation(`a valid module is refused: ${message}`);
    return code as Exclude<Answer, 'metered'>;
  }
}

function bounded<Result>(bytes: Uint8Array, work: () => Result): Result {
  const heap = heapBytes();
  const start = performance.now();
  const result = work();
  const elapsed = performance.now() - start;
  const taken = heapBytes() - heap;
  if (elapsed > MOST_MS + MOST_MS_PER_BYTE * bytes.length) throw new Violation(`${bytes.length} bytes take ${Math.round(elapsed)} ms`);
  if (taken > MOST_HEAP + MOST_HEAP_PER_BYTE * bytes.length) throw new Violation(`${bytes.length} bytes take ${taken} bytes of memory`);
  return result;
}

function heapBytes(): number {
  const { used_heap_size, external_memory, malloced_memory } = getHeapStatistics();
  return used_heap_size + external_memory + malloced_memory;
}

// Links what a module imports as far as functions go, and calls each of its exports, until a limit or a trap says stop.
function run({ bytes, descriptor, module }: MeteredModule): void {
  const guest = new Meter(LIMITS);
  const imports: Record<string, Record<string, unknown>> = Object.create(null);
  for (const { module: from, name, kind, type } of module.imports) {
    if (kind !== 'function') continue;
    imports[from] ??= Object.create(null) as Record<string, unknown>;
    imports[from][name] = () => defaults(type?.results ?? []);
  }
  try {
    const exports = guest.run(() => guest.instantiate(new WebAssembly.Module(bytes as BufferSource), descriptor, imports));
    for (const { name, kind, type } of module.exports) {
      if (kind !== 'function') continue;
      const exported = exports[name] as (...values: unknown[]) => unknown;
      guest.run(() => exported(...(defaults(type?.params ?? [], true) as unknown[])));
    }
  } catch (error) {
    if (!(error instanceof GloveportError)) throw new Violation(`running it throws ${String(error)}`, { cause: error });
    if (error.code === 'INTERNAL') throw new Violation(`running it throws ${error.message}`, { cause: error });
    if (error.code === 'DEADLINE_EXCEEDED') throw new Violation(`it runs for longer than ${LIMITS.fuel} units of fuel can take`, { cause: error });
  }
}

function defaults(types: readonly unknown[], list = false): unknown {
  const values = types.map((type) => (type === 'i64' ? 1n : typeof type === 'string' && /^[if]\d/.test(type) ? 1 : null));
  return list || values.length > 1 ? values : values[0];
}

function faultOf(bytes: BufferSource): string {
  try {
    new WebAssembly.Module(bytes);
    return 'unknown';
  } catch (error) {
    return String(error);
  }
}
