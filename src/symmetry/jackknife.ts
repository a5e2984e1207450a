import { studentQuantile } from "./student.js";

/** Samples below which the spread of a statistic is not known well enough for a bound. */
export const FEWEST_SAMPLES = 8;

/** The sum of each list. */
export const sumsOf = (lists: readonly Float64Array[]): number[] => lists.map((list) => list.reduce((sum, value) => sum + value, 0));

/**
 * A one-sided upper confidence bound for a statistic >= 0 of sums over independent samples: estimate exp(t s), with s the jackknife's
 * standard error of its logarithm and t Student's 95 % quantile for N - 1 degrees of freedom. The logarithm, because a ratio of sums is
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
