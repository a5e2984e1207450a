import type { Device } from "../../engine/device.js";

/** One figure of a verification, and what it must be for the statement to hold. */
export interface Check {
  what: string;
  value: number;
  /** The figure passes when it lies in [least, most]. */
  least?: number;
  most?: number;
  passed: boolean;
}

/** What a verification found. */
export interface Verdict {
  name: VerificationName;
  /** The statement of the paper that was put to the test. */
  statement: string;
  passed: boolean;
  checks: readonly Check[];
  /** Curves behind the figures: error against size, say. */
  curves?: readonly Curve[];
  notes?: readonly string[];
}

export interface Curve {
  title: string;
  x: string;
  y: string;
  points: readonly (readonly [x: number, y: number])[];
  /** Slope of log y against log x that the statement predicts. */
  slope: number;
}

export const verificationNames = ["prop1", "prop2", "prop3", "prop4", "prop5", "theorem1", "regression", "scrambling"] as const;
export type VerificationName = (typeof verificationNames)[number];

/** What all verifications run with. */
export interface Setting {
  device: Device;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export const atMost = (what: string, value: number, most: number): Check => ({ what, value, most, passed: value <= most });
export const atLeast = (what: string, value: number, least: number): Check => ({ what, value, least, passed: value >= least });
export const near = (what: string, value: number, expected: number, tolerance: number): Check => ({
  what,
  value,
  least: expected - tolerance,
  most: expected + tolerance,
  passed: Math.abs(value - expected) <= tolerance,
});

export const verdict = (
  name: VerificationName,
  statement: string,
  checks: readonly Check[],
  more: Pick<Verdict, "curves" | "notes"> = {},
): Verdict => ({ name, statement, passed: checks.every(({ passed }) => passed), checks, ...more });

/** |a - b| / |b| */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [error, norm] = [0, 0];
  for (let k = 0; k < b.length; k++) {
    error += (a[k] - b[k]) ** 2;
    norm += b[k] ** 2;
  }
  return a.length === b.length && norm > 0 ? Math.sqrt(error / norm) : Number.NaN;
}

/** Least-squares slope of log y against log x. */
export function logSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (axis: 0 | 1): number => logs.reduce((sum, point) => sum + point[axis], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const [above, below] = logs.reduce(([a, b], [x, y]) => [a + (x - mx) * (y - my), b + (x - mx) ** 2], [0, 0]);
  return above / below;
}
