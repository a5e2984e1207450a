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

const CONFIDENCE = 0.95;

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
  const half = (twoSidedQuantile(n - 1) * sd) / Math.sqrt(n);
  const [low, high] = [mean - half, mean + half];
  return { ...spread, low, high, decided: low > 0 || high < 0 };
}

/** The t with P(|T| < t) = `confidence` for Student's T of `degrees` degrees of freedom, a whole number from 1 on; exact to rounding. */
export function twoSidedQuantile(degrees: number, confidence = CONFIDENCE): number {
  let [low, high] = [0, 1];
  while (within(high, degrees) < confidence) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (within(middle, degrees) < confidence) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(|T| < t), by the finite sums for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4). */
function within(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = degrees % 2;
  let term = odd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = odd + 2; k < degrees; k += 2) {
    term *= ((k - 1) / k) * cosine ** 2;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}
