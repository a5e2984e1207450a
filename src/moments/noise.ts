import { studentQuantile } from "../symmetry/student.js";

// Statistics of the differences between random batches, which measure the noise of sampling.

const NORMAL_95 = 1.6449;

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}

/** How far one more draw may lie from the mean of these, at 95 % on each side. */
export const oneMore = (draws: readonly number[]): number =>
  studentQuantile(draws.length - 1) * Math.sqrt(variance(draws) * (1 + 1 / draws.length));

/** f of lists of sums of squares with the same relative variance 2 / f. */
export const freedomOf = (lists: readonly (readonly number[])[]): number =>
  2 / Math.max(mean(lists.map((draws) => variance(draws) / Math.max(mean(draws) ** 2, 1e-300))), 1e-9);

/**
 * The greatest of n ratios of signal to noise that noise alone explains. The noise has f degrees of freedom and was measured with B batches. The greatest
 * eigenvalue of a Wishart matrix is about (1 + sqrt(n / f))^2 times its mean (Johnstone 2001); the second term is the error of that mean.
 */
export const greatestRatio = (n: number, f: number, B: number): number =>
  (1 + Math.sqrt(n / f)) ** 2 + studentQuantile(B - 1) * Math.sqrt((2 / f) * (1 + 1 / B));

/** The 95 % quantile of F with a and b degrees of freedom, to 2 % from 1 and 7 on (Paulson 1942). */
export function quantileOfF(a: number, b: number): number {
  const [u, v] = [2 / (9 * a), 2 / (9 * b)];
  const root = Math.sqrt((1 - v) ** 2 * u + (1 - u) ** 2 * v - NORMAL_95 ** 2 * u * v);
  return (((1 - u) * (1 - v) + NORMAL_95 * root) / ((1 - v) ** 2 - NORMAL_95 ** 2 * v)) ** 3;
}
