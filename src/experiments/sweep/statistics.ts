import { studentQuantile } from "../../symmetry/student.js";

/** Mean and standard deviation over seeds. */
export interface Spread {
  /** Number of values. */
  n: number;
  mean: number;
  /** With n - 1 in the denominator; null of one value. */
  sd: number | null;
}

/** A difference of means, and what can be said of it. */
export interface Difference extends Spread {
  /** Interval of the mean difference, of 95 % where nothing else is said; null where there is none: of one pair, or where all pairs differ by the same. */
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
 * freedom. It is exact for few seeds where differences are normal: t is 12.7 for two, 4.3 for three, 2.3 for ten, at the default `confidence` of .95. The
 * seeds alone vary: nothing is said of other test images. Pairs that all differ by the same have shown no spread, and no interval is made of that.
 */
export function pairedDifference(a: readonly number[], b: readonly number[], confidence = 0.95): Difference {
  const spread = spreadOf(a.map((value, i) => value - b[i]));
  return withInterval(spread, (spread.sd ?? 0) / Math.sqrt(spread.n), spread.n - 1, confidence);
}

/**
 * The difference of two means over runs that have nothing in common, with Welch's interval (Welch 1947): standard error sqrt(s_a^2 / n_a + s_b^2 / n_b),
 * degrees of freedom by Satterthwaite, rounded down, so that the interval is rather too wide. `n` is the smaller number of runs.
 */
export function unpairedDifference(a: readonly number[], b: readonly number[], confidence = 0.95): Difference {
  const [first, second] = [spreadOf(a), spreadOf(b)];
  const [v, w] = [first, second].map(({ n, sd }) => (sd ?? 0) ** 2 / n);
  const n = Math.min(first.n, second.n);
  const degrees = (v + w) ** 2 / (v ** 2 / (first.n - 1) + w ** 2 / (second.n - 1));
  const sd = n < 2 ? null : Math.sqrt((v + w) * n);
  return withInterval({ n, mean: first.mean - second.mean, sd }, Math.sqrt(v + w), Math.floor(degrees + 1e-9), confidence);
}

function withInterval(spread: Spread, error: number, degrees: number, confidence: number): Difference {
  // Differences of shares are sums of rounded numbers: what is left of equal ones is rounding.
  if (spread.sd === null || spread.sd < 1e-12) return { ...spread, low: null, high: null, decided: false };
  const half = studentQuantile(degrees, (1 + confidence) / 2) * error;
  const [low, high] = [spread.mean - half, spread.mean + half];
  return { ...spread, low, high, decided: low > 0 || high < 0 };
}

/** Where one more value is expected, at 95 %: mean -+ t sd sqrt(1 + 1/n). Undefined of one value. */
export function predictionInterval({ n, mean, sd }: Spread): { low: number; high: number } | undefined {
  if (sd === null) return undefined;
  const half = studentQuantile(n - 1, 0.975) * sd * Math.sqrt(1 + 1 / n);
  return { low: mean - half, high: mean + half };
}
