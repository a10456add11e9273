// Whether a program imports the functions of WASI with the types that they have. Which of them there are is `requirements.ts`.
import { withoutVersion } from '../component/naming.ts';
import type { ProgramImport } from '../component/program.ts';
import { isWitFunction } from '../component/types.ts';
import { GloveportError, printable } from '../errors.ts';
import { isWasiSignature } from './component/signatures.ts';
import { isPreview1Signature } from './preview1/signatures.ts';

/** @throws GloveportError LINK_FAILED when `wanted`, a function that this host provides, has another type than WASI's. */
export function checkSignature({ module, name, kind, type }: ProgramImport): void {
  if (kind !== 'function') return;
  const fits = type !== undefined && (isWitFunction(type) ? isWasiSignature(withoutVersion(module), name, type) : isPreview1Signature(name, type));
  if (fits) return;
  const label = printable(`${module} ${name}`, 200);
  throw new GloveportError('LINK_FAILED', `the module imports ${label} with another type than it has in WASI`, { module, name, kind });
}
