// The few statistics that the benchmarks share.

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

/** A ratio for the means: a metered program that runs faster, which alignment of code can bring about, counts as if it did not. */
export function atLeastOne(ratio: number): number {
  return Math.max(1, ratio);
}
