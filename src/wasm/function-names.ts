// The names of functions that a module's name section gives. They are the guest's own words for a human reader: anything may stand there, and what cannot be
// read is as good as absent.
import { budgets } from './budgets.ts';
import { type CoreModule, customSection } from './module.ts';
import { Reader } from './reader.ts';

const FUNCTION_NAMES = 1;

/** The function names as they stand in the name section (WebAssembly core specification, appendix 7.4.1), at most the first `maximum` bytes of them; to be looked up with {@link functionName}. */
export function functionNameBytes(module: CoreModule, maximum: number): Uint8Array<ArrayBuffer> {
  const section = customSection(module, 'name');
  const names = section && attempt(() => functionSubsection(new Reader(module.bytes, section.start, section.end)));
  return names === undefined ? new Uint8Array() : new Uint8Array(names.bytes.subarray(names.pos, Math.min(names.end, names.pos + maximum)));
}

/** The names of the functions `wanted` (imports count) in what {@link functionNameBytes} gave, not escaped: those that are UTF-8, and within the budget of a name. */
export function functionNames(names: Uint8Array, wanted: ReadonlySet<number>): Map<number, string> {
  const found = new Map<number, string>();
  attempt(() => {
    const reader = new Reader(names);
    let last = -1;
    for (let count = reader.u32(); count > 0; count--) {
      const index = reader.u32();
      if (index <= last) return;
      last = index;
      const at = reader.pos;
      const length = reader.u32();
      reader.skip(length);
      const name = wanted.has(index) && length <= budgets['bytes of one name'] ? attempt(() => new Reader(names, at).name()) : undefined;
      if (name !== undefined) found.set(index, name);
    }
  });
  return found;
}

/** The name of function `index` in what {@link functionNameBytes} gave, for one look-up: it reads them all. */
export function functionName(names: Uint8Array, index: number): string | undefined {
  return functionNames(names, new Set([index])).get(index);
}

// Subsections stand in the order of their numbers, each at most once.
function functionSubsection(reader: Reader): Reader | undefined {
  for (let last = -1; !reader.done; ) {
    const id = reader.u8();
    if (id <= last) return undefined;
    last = id;
    const size = reader.u32();
    const start = reader.pos;
    reader.skip(size);
    if (id === FUNCTION_NAMES) return new Reader(reader.bytes, start, reader.pos);
  }
  return undefined;
}

function attempt<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
