// Which groups of proposals the rewriter takes: asked of it with a small module for each, so that generated programs use a group as soon as it is there.
import { GloveportError } from '../../../src/errors.ts';
import { meter } from '../../../src/metering/rewrite.ts';

const GROUPS = ['gc', 'functionReferences', 'memory64', 'threads'] as const;
export type Features = Readonly<Record<(typeof GROUPS)[number], boolean>>;

const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
// Types, then one function of type 0, which is `[] → []`.
const withBody = (types: number[], memory: number[], ...code: number[]): number[] => [
  ...HEADER,
  ...[1, types.length, ...types, 3, 2, 1, 0, ...memory],
  ...[10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b],
];
const NOTHING = [0x60, 0, 0];

const PROBES: Readonly<Record<(typeof GROUPS)[number], readonly number[]>> = {
  // struct.new, drop
  gc: withBody([2, ...NOTHING, 0x5f, 0], [], 0xfb, 0, 1, 0x1a),
  // ref.null 0, call_ref 0
  functionReferences: withBody([1, ...NOTHING], [], 0xd0, 0, 0x14, 0),
  // A table and a memory of 64-bit addresses, table.size and memory.size.
  memory64: withBody([1, ...NOTHING], [4, 4, 1, 0x70, 4, 1, 5, 3, 1, 4, 1], 0xfc, 0x10, 0, 0x1a, 0x3f, 0, 0x1a),
  // A shared memory, i32.const 0, i32.atomic.load
  threads: withBody([1, ...NOTHING], [5, 4, 1, 3, 1, 1], 0x41, 0, 0xfe, 0x10, 2, 0, 0x1a),
};

/** The groups that `meter` takes. */
export const supported: Features = {
  gc: accepts('gc'),
  functionReferences: accepts('functionReferences'),
  memory64: accepts('memory64'),
  threads: accepts('threads'),
};

function accepts(group: (typeof GROUPS)[number]): boolean {
  const probe = Uint8Array.from(PROBES[group]);
  if (!WebAssembly.validate(probe)) throw new Error(`the probe for ${group} is not valid`);
  try {
    meter(probe);
    return true;
  } catch (error) {
    if (error instanceof GloveportError) return false;
    throw error;
  }
}
