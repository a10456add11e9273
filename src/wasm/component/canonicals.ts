// Reads the canonical definitions of a component (Binary.md, "Canonical Definitions"). Only lifted functions enter an index space that types need; of the
// others the size of their types is counted, and those of asynchronous components are refused by name.
import type { Reader } from '../reader.ts';
import { unsupported } from '../types.ts';
import { at, type Scope } from './scope.ts';
import type { Work } from './work.ts';

const OPTIONS_WITH_INDEX = new Set([0x03, 0x04, 0x05]);

/** Reads one canonical definition into `scope`. @throws GloveportError INVALID_MODULE, UNSUPPORTED_FEATURE. */
export function readCanonical(reader: Reader, scope: Scope, work: Work): void {
  const offset = reader.pos;
  const opcode = reader.u8();
  switch (opcode) {
    case 0x00: {
      if (reader.u8() !== 0) reader.fail('only functions are lifted', reader.pos - 1);
      reader.u32();
      skipOptions(reader);
      const entry = at(scope.types, 'type', reader);
      if (entry.sort !== 'function') return reader.fail('a function is lifted to a type of functions', offset);
      work.spend('parts of all function types', entry.function.parts, offset);
      return void scope.functions.push(entry.function);
    }
    case 0x01: {
      if (reader.u8() !== 0) reader.fail('only functions are lowered', reader.pos - 1);
      work.spend('parts of all function types', at(scope.functions, 'function', reader).parts, offset);
      return skipOptions(reader);
    }
    case 0x02:
    case 0x03:
    case 0x04:
      if (at(scope.types, 'type', reader).sort !== 'resource') reader.fail('this is for resource types only', offset);
      return;
    default:
      return unsupported(featureOf(opcode), offset);
  }
}

function skipOptions(reader: Reader): void {
  const count = reader.count('canonical options');
  for (let index = 0; index < count; index++) {
    const offset = reader.pos;
    const option = reader.u8();
    if (OPTIONS_WITH_INDEX.has(option)) reader.u32();
    else if (option === 0x02) unsupported('strings in latin1+utf16', offset);
    else if (option === 0x06 || option === 0x07) unsupported('async functions', offset);
    else if (option > 0x07) reader.fail(`unknown canonical option 0x${option.toString(16)}`, offset);
  }
}

function featureOf(opcode: number): string {
  if (opcode >= 0x0e && opcode <= 0x14) return 'streams';
  if (opcode >= 0x15 && opcode <= 0x1b) return 'futures';
  if (opcode >= 0x1c && opcode <= 0x1e) return 'error contexts';
  if (opcode >= 0x26) return 'threads';
  return 'async functions';
}
