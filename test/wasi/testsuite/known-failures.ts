// Programs of the suite that do not pass, each with its reason. A test fails when one of these passes, so that the list cannot outlive its reasons.
import type { Kind } from './run.ts';

export interface KnownFailure {
  readonly program: string;
  readonly kind: Kind;
  /** A part of what the program says when it fails. */
  readonly report: string;
  readonly reason: string;
}

export const knownFailures: readonly KnownFailure[] = [];
