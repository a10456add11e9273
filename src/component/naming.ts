// How jco spells WIT names in JavaScript: functions and fields in camelCase, resources in PascalCase, everything else as WIT has it.

/** `get-value` as `getValue`; acronyms are words like others (`get-HTTP` as `getHttp`). */
export function camelCase(label: string): string {
  return label
    .split('-')
    .map((word, index) => (index === 0 ? word.toLowerCase() : capitalize(word)))
    .join('');
}

/** `input-stream` as `InputStream`. */
export function pascalCase(label: string): string {
  return label.split('-').map(capitalize).join('');
}

function capitalize(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase();
}

/** Where a function stands in the object of its interface: under its own name, or in the class of a resource. */
export type FunctionPlace =
  | { readonly kind: 'function'; readonly property: string }
  | { readonly kind: 'constructor'; readonly resource: string }
  | { readonly kind: 'method' | 'static'; readonly resource: string; readonly property: string };

/** Takes a WIT function name apart: `greet`, `[constructor]counter`, `[method]counter.next`, `[static]counter.make`. */
export function placeOf(name: string): FunctionPlace {
  const match = /^\[(constructor|method|static)\]([^.]+)(?:\.(.+))?$/.exec(name);
  if (match === null) return { kind: 'function', property: camelCase(name) };
  const [, kind, resource, member] = match as unknown as [string, 'constructor' | 'method' | 'static', string, string];
  return kind === 'constructor' ? { kind, resource: pascalCase(resource) } : { kind, resource: pascalCase(resource), property: camelCase(member) };
}

/** An interface's name without its version: `demo:plug/api@0.1.0` as `demo:plug/api`. Names without a version are returned as they are. */
export function withoutVersion(name: string): string {
  const end = name.indexOf('@');
  return end < 0 ? name : name.slice(0, end);
}
