// WebAssembly text to bytes, for tests that want to show the module they talk about. Every proposal that the assembler knows is switched on;
// the result is not validated, so a test can also write modules that are wrong.
import { parse } from '@bytecodealliance/jco';
import wabt from 'wabt';

/**
 * Assembles a module from WebAssembly text.
 * @throws Error with the assembler's message and the line it complains about.
 */
export async function wat(text: string): Promise<Uint8Array> {
  const tool = await toolkit;
  const module = tool.parseWat('module.wat', text, EVERY_FEATURE);
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}

/** The same with another assembler, which knows today's syntax for objects of the collector and for 64-bit tables. */
export async function gcWat(text: string): Promise<Uint8Array> {
  return parse(text);
}

const toolkit = wabt();

// Unknown names are ignored by the assembler, so proposals that its type declarations lag behind on can stand here too.
const EVERY_FEATURE: Record<string, true> = {
  annotations: true,
  bulk_memory: true,
  code_metadata: true,
  exceptions: true,
  extended_const: true,
  function_references: true,
  gc: true,
  memory64: true,
  multi_memory: true,
  multi_value: true,
  mutable_globals: true,
  reference_types: true,
  relaxed_simd: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  tail_call: true,
  threads: true,
};
