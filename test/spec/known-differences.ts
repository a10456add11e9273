// What holds plain and not metered, each with its reason. A test fails when one of these no longer occurs, so that the list cannot outlive its reasons.

export interface KnownDifference {
  /** The script, relative to its folder. */
  readonly script: string;
  /** A part of what the runner reports; it stands for every command of the script that reports it. */
  readonly report: string;
  /** Why that is right. */
  readonly reason: string;
}

/** Of the official suite. */
export const suiteDifferences: readonly KnownDifference[] = [];

/** Of the scripts of this folder. */
export const ownDifferences: readonly KnownDifference[] = [];
