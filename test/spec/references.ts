// References over the JavaScript API: what a script's constants stand for on the host's side, and what can be told of a reference that comes back.
import { assemble } from './script.ts';
import type { ReferenceValue } from './values.ts';

/** The host's side of a constant. @throws SyntaxError for a form that is no constant. */
export function toHost({ form, host }: ReferenceValue): unknown {
  if (form === 'null') return null;
  if ((form === 'extern' || form === 'host') && host !== undefined) return hostReference(host);
  throw new SyntaxError(`ref.${form} is not a constant`);
}

/** Whether a reference is what was expected. */
export function matchesReference({ form, host }: ReferenceValue, actual: unknown): boolean {
  if (form === 'null') return actual === null;
  if (actual === null || actual === undefined) return false;
  switch (form) {
    case 'extern':
    case 'host':
      return host === undefined || actual === hostReference(host);
    case 'func':
      return typeof actual === 'function';
    default:
      return form in probes && probes[form]?.(actual) === 1;
  }
}

const references: object[] = [];

// Objects, as a number that fits would turn into an i31.
function hostReference(host: number): object {
  const reference = references[host] ?? Object.freeze({ host });
  references[host] = reference;
  return reference;
}

const KINDS = ['any', 'eq', 'i31', 'struct', 'array'];
const probe = await assemble(
  `(module ${KINDS.map((kind) => `(func (export "${kind}") (param anyref) (result i32) (ref.test (ref ${kind}) (local.get 0)))`).join(' ')})`,
);
if ('malformed' in probe) throw new Error(probe.malformed);
const probes = new WebAssembly.Instance(new WebAssembly.Module(probe.bytes as BufferSource)).exports as Readonly<Record<string, (value: unknown) => number>>;
