// What the tour prints and how it judges itself: a block for each step, a line for each fact, and a wrong outcome shown beside the expected one.
import { isDeepStrictEqual, inspect } from 'node:util';
import { GloveportError, type Usage } from 'gloveport';

export class Report {
  #failures = 0;

  /** The number of claims that did not hold so far. */
  get failures(): number {
    return this.#failures;
  }

  title(text: string): void {
    console.log(`\n${text}`);
  }

  granted(text: string): void {
    line('granted', text);
  }

  used({ fuel, peakMemoryBytes, wallMs }: Usage): void {
    line('used', `${(fuel / 1e6).toFixed(2)} M fuel, ${(peakMemoryBytes / 2 ** 20).toFixed(1)} MiB at the peak, ${wallMs.toFixed(1)} ms`);
  }

  note(text: string): void {
    line('', text);
  }

  /** States what happened, and fails the tour when it is not what was claimed. */
  claim(what: string, actual: unknown, expected: unknown): void {
    const text = show(actual);
    if (isDeepStrictEqual(actual, expected)) line('✓', `${what}: ${text}`);
    else this.failed(`${what}: ${text}, expected ${show(expected)}`);
  }

  failed(text: string): void {
    this.#failures++;
    line('✗', text);
  }
}

/** The code of the error that `work` ends with, or 'no error': being refused is what many steps are about. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'no error';
  } catch (error) {
    if (error instanceof GloveportError) return error.code;
    throw error;
  }
}

function line(label: string, text: string): void {
  console.log(`   ${label.padStart(7)}  ${text}`);
}

function show(value: unknown): string {
  return typeof value === 'string' ? value.trimEnd().replaceAll('\n', ' ⏎ ') : inspect(value, { breakLength: Infinity, compact: true });
}
