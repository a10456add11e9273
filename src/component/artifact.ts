// What compiling makes of a program's bytes: plain data that can be kept, stored, and loaded again without the transpiler.
import type { MeterDescriptor } from '../metering/rewrite.ts';
import type { Program, ProgramExport, ProgramImport } from './program.ts';

/** A core module with its meter built in. */
export interface MeteredCore {
  /** The name that the glue asks for it by. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly descriptor: MeterDescriptor;
}

/** Plain data, as `structuredClone` and `v8.serialize` take it. */
export interface Artifact {
  readonly kind: 'core' | 'component';
  /** Bytes of the program as it was given. */
  readonly bytes: number;
  /** See {@link Program.requires}. */
  readonly requires: Program['requires'];
  readonly imports: readonly ProgramImport[];
  readonly exports: readonly ProgramExport[];
  readonly modules: readonly MeteredCore[];
  /** The hardened glue of a component. */
  readonly glue?: string;
}
