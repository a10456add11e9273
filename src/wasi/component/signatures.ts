// The types of WASI 0.2's functions. A component declares for itself what it imports, and the generated code converts by that declaration alone: it has to be
// the real one, or the host's functions would get values of types that they never expect. The functions themselves are listed in the folder `signatures`, once
// for all versions: from 0.2.0 to 0.2.12 functions were added and none was changed.
import type { Case, Field, FunctionType, WitType } from '../../component/types.ts';
import { withoutVersion } from '../../component/naming.ts';
import { CLI, RANDOM } from './signatures/cli.ts';
import { FILESYSTEM } from './signatures/filesystem.ts';
import { HTTP } from './signatures/http.ts';
import { CLOCKS, IO } from './signatures/io.ts';
import { type Interface, readPackages } from './signatures/reader.ts';
import { SOCKETS } from './signatures/sockets.ts';

/** The interfaces of WASI 0.2, by name without version. `wasi:http/incoming-handler` is the one that guests export. */
export const WASI_INTERFACES: ReadonlyMap<string, Interface> = readPackages([IO, CLOCKS, CLI, RANDOM, FILESYSTEM, HTTP, SOCKETS]);

/**
 * Whether `declared` is the type that WASI 0.2 gives to `name` of `module`, an interface without its version; false for functions that WASI 0.2 does not have.
 * Names of parameters do not matter, nor do versions of resources.
 */
export function isWasiSignature(module: string, name: string, declared: FunctionType): boolean {
  const signature = WASI_INTERFACES.get(module)?.functions.get(name);
  if (signature === undefined || signature.params.length !== declared.params.length) return false;
  return signature.params.every((type, index) => sameType(type, declared.params[index]?.type)) && sameType(signature.result, declared.result);
}

// Walks the host's own type, which is small, and never further into the guest's.
function sameType(type: WitType | undefined, other: WitType | undefined): boolean {
  if (type === undefined || other === undefined) return type === other;
  switch (type.kind) {
    case 'record':
      return other.kind === 'record' && sameMembers(type.fields, other.fields);
    case 'variant':
      return other.kind === 'variant' && sameMembers(type.cases, other.cases);
    case 'list':
      return other.kind === 'list' && sameType(type.element, other.element);
    case 'tuple':
      return other.kind === 'tuple' && type.items.length === other.items.length && type.items.every((item, index) => sameType(item, other.items[index]));
    case 'flags':
    case 'enum':
      return other.kind === type.kind && type.names.length === other.names.length && type.names.every((name, index) => name === other.names[index]);
    case 'option':
      return other.kind === 'option' && sameType(type.some, other.some);
    case 'result':
      return other.kind === 'result' && sameType(type.ok, other.ok) && sameType(type.err, other.err);
    case 'own':
    case 'borrow':
      return other.kind === type.kind && type.resource === unversioned(other.resource);
    default:
      return type.kind === other.kind;
  }
}

function sameMembers(members: readonly (Field | Case)[], others: readonly (Field | Case)[]): boolean {
  return members.length === others.length && members.every(({ name, type }, index) => name === others[index]?.name && sameType(type, others[index]?.type));
}

// `wasi:io/error@0.2.3#error` as `wasi:io/error#error`.
function unversioned(resource: string): string {
  const separator = resource.indexOf('#');
  return separator < 0 ? resource : withoutVersion(resource.slice(0, separator)) + resource.slice(separator);
}
