// A few bytes of WebAssembly of our own: a function that traps, since a trap passes every handler of a guest's while an exception of JavaScript does not,
// and functions that fill a table's slots, which takes functions that WebAssembly itself exports.

const encoder = new TextEncoder();

let trapping: (() => never) | undefined;
let slots: WebAssembly.Module | undefined;
let marking: WebAssembly.Module | undefined;

/** Ends in a trap of the engine, `unreachable`. */
export function trap(): never {
  trapping ??= new WebAssembly.Instance(new WebAssembly.Module(trapModule())).exports.trap as () => never;
  return trapping();
}

/** The trap itself, for who has to hand it on instead of running into it. */
export function trapError(): unknown {
  try {
    trap();
  } catch (error) {
    return error;
  }
}

/** The slots as functions of WebAssembly, in their order: `[i32] → [i32]`, `[i32 i32] → [i32]` and `[i64] → [i64]`. */
export function connectSlots(
  slowPath: (reason: number) => number,
  grow: (kind: number, delta: number) => number,
  wait: (nanoseconds: bigint) => bigint,
): readonly ((...values: unknown[]) => unknown)[] {
  slots ??= new WebAssembly.Module(slotsModule());
  const { exports } = new WebAssembly.Instance(slots, { '': { slowPath, grow, wait } });
  return [exports.slowPath, exports.grow, exports.wait] as ((...values: unknown[]) => unknown)[];
}

/** A function `[i32 index] → []` that sets `marked` to `base` + index. */
export function marker(marked: WebAssembly.Global<'f64'>, base: number): (index: number) => void {
  marking ??= new WebAssembly.Module(markerModule());
  const imports = { '': { marked, base: new WebAssembly.Global({ value: 'f64' }, base) } };
  return new WebAssembly.Instance(marking, imports).exports.mark as (index: number) => void;
}

// (module (func (export "trap") unreachable))
function trapModule(): Uint8Array<ArrayBuffer> {
  return assemble([1, [1, 0x60, 0, 0]], [3, [1, 0]], [7, [1, ...text('trap'), 0, 0]], [10, [1, 3, 0, 0x00, 0x0b]]);
}

// (module (import "" "slowPath" (func (param i32) (result i32))) (import "" "grow" (func (param i32 i32) (result i32)))
//   (import "" "wait" (func (param i64) (result i64))) and all exported again)
function slotsModule(): Uint8Array<ArrayBuffer> {
  const types = [3, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7e, 1, 0x7e];
  const imports = [3, ...text(''), ...text('slowPath'), 0, 0, ...text(''), ...text('grow'), 0, 1, ...text(''), ...text('wait'), 0, 2];
  const exports = [3, ...text('slowPath'), 0, 0, ...text('grow'), 0, 1, ...text('wait'), 0, 2];
  return assemble([1, types], [2, imports], [7, exports]);
}

// (module (import "" "marked" (global (mut f64))) (import "" "base" (global f64))
//   (func (export "mark") (param i32) (global.set 0 (f64.add (f64.convert_i32_u (local.get 0)) (global.get 1)))))
function markerModule(): Uint8Array<ArrayBuffer> {
  const imports = [2, ...text(''), ...text('marked'), 3, 0x7c, 1, ...text(''), ...text('base'), 3, 0x7c, 0];
  const body = [0, 0x20, 0, 0xb8, 0x23, 1, 0xa0, 0x24, 0, 0x0b];
  return assemble([1, [1, 0x60, 1, 0x7f, 0]], [2, imports], [3, [1, 0]], [7, [1, ...text('mark'), 0, 0]], [10, [1, body.length, ...body]]);
}

function assemble(...sections: [id: number, contents: number[]][]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, contents]) => [id, contents.length, ...contents])]);
}

function text(name: string): number[] {
  const bytes = encoder.encode(name);
  return [bytes.length, ...bytes];
}
