import { Matrix } from "ml-matrix";
import { defined } from "../../defined.js";
import { Philox, streams } from "../../engine/random.js";
import { check, checkInteger, checkOptions } from "../../errors.js";
import { denseBasis } from "../../lie/generators/basis.js";
import { cosines } from "../../lie/generators/canonical.js";
import { fractionalShift, translation } from "../../lie/generators/grids.js";
import { so } from "../../lie/generators/groups.js";
import { convolve, type GroupConvolution, throughLayers } from "./groupConvolution.js";
import { atMost, type Check, logSlope, near, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

export interface Prop2Options {
  /** Points of the circle. */
  d?: number;
  shift?: number;
  /** Layers. */
  n?: readonly number[];
}
export const prop2Defaults = { d: 20, shift: 2, n: [8, 16] } satisfies Prop2Options;

/** corr((I + (t / n) L)^n, exp(t L)) of the authors' demonstration, by [d, shift, n]. */
const golden: Record<string, number> = { "20,2,8": 0.7721, "20,2,16": 0.9314 };

/**
 * (I + (t / n) L)^n against the Shannon-Whittaker shift by t, on a circle of d points: their correlation, which grows with n; and a group convolution
 * over K elements of SO(3) against n L-conv layers of K channels that are constructed from it, whose error falls as 1 / n.
 * Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION.
 */
export function prop2(setting: Setting, options: Prop2Options = {}): Verdict & { correlations: readonly Correlation[] } {
  checkOptions("verify prop2", options, { d: 1, shift: 1, n: 1 });
  const { d, shift, n } = { ...prop2Defaults, ...defined(options) };
  checkInteger("verify prop2", "d", d, 3, 512);
  check(
    Number.isFinite(shift) && shift !== 0,
    "ERR_LCONV_ARGUMENT",
    () => `verify prop2: shift must be a number other than 0, got ${shift}`,
  );
  check(n.length > 0, "ERR_LCONV_ARGUMENT", () => "verify prop2: n needs at least one number of layers");
  for (const layers of n) checkInteger("verify prop2", "each n", layers, 1, 65_536);
  const correlations = n.map((layers) => ({ n: layers, correlation: shiftCorrelation(d, shift, layers) }));
  const { checks, curve } = layersOfConvolution(setting);
  return {
    ...verdict(
      "prop2",
      "A group convolution on a connected Lie group is approximated by several L-conv layers, to any accuracy.",
      [...correlationChecks(d, shift, correlations), ...checks],
      { curves: [curve] },
    ),
    correlations,
  };
}

export interface Correlation {
  n: number;
  correlation: number;
}

function shiftCorrelation(d: number, shift: number, n: number): number {
  const step = Matrix.add(Matrix.eye(d), Matrix.mul(translation(d).dense()[0], shift / n));
  const product = power(step, n);
  return cosines(denseBasis([product]), denseBasis([fractionalShift(d, shift)])).get(0, 0);
}

function power(A: Matrix, n: number): Matrix {
  if (n === 1) return A;
  const half = power(A, Math.floor(n / 2));
  const square = half.mmul(half);
  return n % 2 === 0 ? square : square.mmul(A);
}

function correlationChecks(d: number, shift: number, correlations: readonly Correlation[]): Check[] {
  const known = correlations.flatMap(({ n, correlation }) => {
    const expected = golden[[d, shift, n].join()];
    return expected === undefined
      ? []
      : [near(`correlation of (I + tL/n)^n with the shift by ${shift}, d ${d}, n ${n}`, correlation, expected, 1e-4)];
  });
  const last = correlations.reduce((most, { n }) => Math.max(most, n), 0);
  const deep = 4096 * Math.max(1, Math.ceil(shift ** 2)); // what is left of the first order is shift^2 / n
  return [...known, near(`the same with n ${deep}: the limit`, shiftCorrelation(d, shift, Math.max(deep, last)), limit(d, shift), 2e-3)];
}

/** corr(exp(t L), fractionalShift(t)): exp keeps the frequency 0 and, for even d, the Nyquist one that L does not see; the shift drops the latter. */
function limit(d: number, shift: number): number {
  return shift !== 0 && d % 2 === 0 ? Math.sqrt((d - 1) / d) : 1;
}

const DEPTHS = [4, 8, 16, 32, 64];
const ELEMENTS = 5;

/**
 * Layer alpha of n multiplies channel k by I - (epsilon_k / n) . L, for all K elements at once: W^0 = I, W^i = -diag(epsilon_k^i) / n; the last layer
 * sums the channels with the weights g_k (proof of Prop. 2).
 */
function layersOfConvolution({ device }: Setting): { checks: Check[]; curve: NonNullable<Verdict["curves"]>[number] } {
  const random = new Philox(2, streams.user);
  const [basis, B] = [so(3), 8];
  const epsilon = Array.from({ length: ELEMENTS }, () => Array.from(random.normal(3)));
  const g = epsilon.map(() => random.normal(1));
  const h = Matrix.from1DArray(B, basis.d, random.normal(B * basis.d));
  const convolution: GroupConvolution = { basis, epsilon, g, m_in: 1, m_out: 1 };
  const exact = convolve(convolution, h).to1DArray();
  const K = ELEMENTS;
  const first = Float32Array.from({ length: 4 * K }, (_, at) => (at < K ? 1 : 0)); // [4, 1, K], copies h
  const last = Float32Array.from({ length: 4 * K }, (_, at) => (at < K ? g[at][0] : 0)); // [4, K, 1]
  const points = DEPTHS.map((n): [number, number] => {
    const middle = new Float32Array(4 * K * K);
    for (let k = 0; k < K; k++) {
      middle[k * K + k] = 1;
      for (let i = 0; i < 3; i++) middle[((i + 1) * K + k) * K + k] = -epsilon[k][i] / n;
    }
    const layers = [{ W: first, m: K }, ...Array.from({ length: n }, () => ({ W: middle, m: K })), { W: last, m: 1 }];
    return [n, relativeError(throughLayers(device, basis, h, 1, layers), exact)];
  });
  const slope = logSlope(points.slice(2)); // from where the first order leads
  return {
    checks: [
      near(`slope of log error against log n, ${K} elements of SO(3)`, slope, -1, 0.15),
      atMost(`relative error with ${DEPTHS.at(-1)} layers`, points.at(-1)?.[1] ?? 1, 0.1),
    ],
    curve: { title: `${K} group elements by n L-conv layers`, x: "n", y: "relative error", points, slope: -1 },
  };
}
