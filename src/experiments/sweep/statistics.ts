import { studentQuantile } from "../../symmetry/student.js";

/** Mean and standard deviation over seeds. */
export interface Spread {
  /** Number of values. */
  n: number;
  mean: number;
  /** With n - 1 in the denominator; null of one value. */
  sd: number | null;
}

/** A paired difference, and what can be said of it. */
export interface Difference extends Spread {
  /** 95 % interval of the mean difference; null where there is none: of one pair, or where all pairs differ by the same. */
  low: number | null;
  high: number | null;
  /** Whether the interval lies on one side of 0; false without an interval. */
  decided: boolean;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const sd = n < 2 ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  return { n, mean, sd };
}

/**
 * The mean of a[i] - b[i] over pairs of one seed each, with Student's interval: mean -+ t sd / sqrt(n), t the two-sided quantile for n - 1 degrees of
 * freedom. It is exact for few seeds where differences are normal: t is 12.7 for two, 4.3 for three, 2.3 for ten. The seeds alone vary: nothing is said
 * of other test images. Pairs that all differ by the same have shown no spread, and no interval is made of that.
 */
export function pairedDifference(a: readonly number[], b: readonly number[]): Difference {
  const spread = spreadOf(a.map((value, i) => value - b[i]));
  const { n, mean, sd } = spread;
  // Differences of shares are sums of rounded numbers: what is left of equal ones is rounding.
  if (sd === null || sd < 1e-12) return { ...spread, low: null, high: null, decided: false };
  const half = (studentQuantile(n - 1, 0.975) * sd) / Math.sqrt(n);
  const [low, high] = [mean - half, mean + half];
  return { ...spread, low, high, decided: low > 0 || high < 0 };
}
