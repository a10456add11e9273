// Which names a component may use. They end up inside generated JavaScript, so the grammar of the component model is enforced here, and the free-form
// names of its core modules are held to characters that can neither end a string literal nor a comment.
import { GloveportError, describeValue, printable } from '../../errors.ts';

const MAX_NAME = 1_000;
const MAX_LABEL = 128;
const WORD = '[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*';
const LABEL = new RegExp(`^${WORD}$`);
const LONG_LABEL = new RegExp(`[A-Za-z0-9-]{${MAX_LABEL + 1}}`);
const PLAIN_NAME = new RegExp(`^(?:\\[constructor\\]${WORD}|\\[(?:method|static)\\]${WORD}\\.${WORD}|${WORD})$`);
const LOWER_WORD = '[a-z][a-z0-9]*(?:-[a-z0-9]+)*';
const INTERFACE_NAME = new RegExp(`^(${LOWER_WORD}:${LOWER_WORD}/${WORD})(?:@([0-9]+\\.[0-9]+\\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?))?$`);
// Quotes, backslash, backtick and control characters end or change a literal; U+2028 and U+2029 end a line.
const UNSAFE = /['"`\\\p{Cc}\u2028\u2029]|\$\{|\*\/|^__proto__$/u;

/** An interface's name taken apart: `wasi:io/streams` and `0.2.6`. */
export interface InterfaceName {
  readonly base: string;
  readonly version?: string;
}

/** The parts of `name` if it is an interface's (`demo:plug/api@0.1.0`), undefined for plain names. */
export function parseInterfaceName(name: string): InterfaceName | undefined {
  const match = INTERFACE_NAME.exec(name);
  if (match === null) return undefined;
  const [, base, version] = match;
  return version === undefined ? { base: base as string } : { base: base as string, version };
}

/** @throws GloveportError INVALID_MODULE unless `label` is kebab-case, UNSUPPORTED_FEATURE over 128 characters. */
export function checkLabel(label: string, offset: number): string {
  refuseLong(label, offset);
  if (!LABEL.test(label)) {
    throw new GloveportError('INVALID_MODULE', `${describeValue(label)} is not a kebab-case name (at offset ${offset})`, { offset });
  }
  return label;
}

/**
 * Accepts the plain and the interface names of the component model (Explainer, "Import and Export Definitions"); names by URL, dependency or hash
 * are known but refused, since nothing here would resolve them.
 * @throws GloveportError UNSUPPORTED_FEATURE
 */
export function checkExternName(name: string, offset: number): string {
  refuseLong(name, offset);
  if (name.length > MAX_NAME || (!PLAIN_NAME.test(name) && parseInterfaceName(name) === undefined)) {
    throw new GloveportError('UNSUPPORTED_FEATURE', `the name ${describeValue(name)} (at offset ${offset}) is neither a plain name nor an interface name`, {
      feature: 'import and export names of other forms',
      offset,
    });
  }
  return name;
}

// The generated code repeats each label many times.
function refuseLong(name: string, offset: number): void {
  if (!LONG_LABEL.test(name)) return;
  throw new GloveportError('UNSUPPORTED_FEATURE', `the name ${describeValue(name)} (at offset ${offset}) has a word of more than ${MAX_LABEL} characters`, {
    feature: `labels of more than ${MAX_LABEL} characters`,
    offset,
  });
}

/** @throws GloveportError UNSUPPORTED_FEATURE for a core module's name that could not stand in a JavaScript literal. */
export function checkCoreName(name: string, offset: number): void {
  if (name.length > MAX_NAME || UNSAFE.test(name)) {
    throw new GloveportError(
      'UNSUPPORTED_FEATURE',
      `the name '${printable(name, 80)}' (at offset ${offset}) inside a component is too long or has characters that are refused there`,
      {
        feature: 'names with quotes, control characters or more than 1 000 characters',
        offset,
      },
    );
  }
}
