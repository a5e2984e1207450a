const NORMAL_QUANTILE = 1.6448536269514722; // of a standard normal, at the confidence of `upperBound`, 0.95
/** Samples below which the spread of a statistic is not known well enough for a bound. */
export const FEWEST_SAMPLES = 8;

/** The sum of each list. */
export const sumsOf = (lists: readonly Float64Array[]): number[] => lists.map((list) => list.reduce((sum, value) => sum + value, 0));

/**
 * A one-sided upper confidence bound for a statistic >= 0 of sums over independent samples: estimate exp(t s), with s the jackknife's
 * standard error of its logarithm and t Student's quantile for N - 1 degrees of freedom. The logarithm, because a ratio of sums is
 * skewed to the right. `lists[k][n]` is what sample n adds to sum k. Infinity below 8 samples.
 */
export function upperBound(lists: readonly Float64Array[], statistic: (sums: readonly number[]) => number): number {
  const N = lists[0].length;
  if (N < FEWEST_SAMPLES) return Number.POSITIVE_INFINITY;
  const sums = sumsOf(lists);
  const estimate = statistic(sums);
  if (estimate === 0) return 0;
  const left = Array.from({ length: N }, (_, n) => Math.log(statistic(sums.map((sum, k) => Math.max(0, sum - lists[k][n])))));
  const mean = left.reduce((sum, value) => sum + value, 0) / N;
  const variance = (left.reduce((sum, value) => sum + (value - mean) ** 2, 0) * (N - 1)) / N;
  const bound = estimate * Math.exp(studentQuantile(N - 1) * Math.sqrt(variance));
  return Number.isNaN(bound) ? Number.POSITIVE_INFINITY : bound; // one sample has all there is: without it the logarithm is -Infinity
}

/** Student's t quantile at CONFIDENCE, by its expansion about the normal one (Abramowitz & Stegun 26.7.5); to 1e-3 from 5 degrees of freedom on. */
export function studentQuantile(degrees: number): number {
  const z = NORMAL_QUANTILE;
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}
