// A few bytes of WebAssembly of our own: a function that traps, since a trap passes every handler of a guest's while an exception of JavaScript does not,
// and functions that fill a table's slots, which takes functions that WebAssembly itself exports.

const encoder = new TextEncoder();

let trapping: (() => never) | undefined;
let slots: WebAssembly.Module | undefined;

/** Ends in a trap of the engine, `unreachable`. */
export function trap(): never {
  trapping ??= new WebAssembly.Instance(new WebAssembly.Module(trapModule())).exports.trap as () => never;
  return trapping();
}

/** The two slots as functions of WebAssembly: `[i32] → [i32]` and `[i32 i32] → [i32]`. */
export function connectSlots(
  slowPath: (reason: number) => number,
  grow: (kind: number, delta: number) => number,
): readonly ((...values: unknown[]) => unknown)[] {
  slots ??= new WebAssembly.Module(slotsModule());
  const { exports } = new WebAssembly.Instance(slots, { '': { slowPath, grow } });
  return [exports.slowPath, exports.grow] as ((...values: unknown[]) => unknown)[];
}

// (module (func (export "trap") unreachable))
function trapModule(): Uint8Array<ArrayBuffer> {
  return assemble([1, [1, 0x60, 0, 0]], [3, [1, 0]], [7, [1, ...text('trap'), 0, 0]], [10, [1, 3, 0, 0x00, 0x0b]]);
}

// (module (import "" "slowPath" (func (param i32) (result i32))) (import "" "grow" (func (param i32 i32) (result i32))) and both exported again)
function slotsModule(): Uint8Array<ArrayBuffer> {
  const types = [2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7f];
  const imports = [2, ...text(''), ...text('slowPath'), 0, 0, ...text(''), ...text('grow'), 0, 1];
  const exports = [2, ...text('slowPath'), 0, 0, ...text('grow'), 0, 1];
  return assemble([1, types], [2, imports], [7, exports]);
}

function assemble(...sections: [id: number, contents: number[]][]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, contents]) => [id, contents.length, ...contents])]);
}

function text(name: string): number[] {
  const bytes = encoder.encode(name);
  return [bytes.length, ...bytes];
}
