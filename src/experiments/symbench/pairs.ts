import { Matrix } from "ml-matrix";
import { columnsOf } from "../../discover/samples.js";
import { breathing } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { LconvError } from "../../errors.js";
import { exp } from "../../lie/functions/exponential.js";
import type { Basis } from "../../lie/generators/basis.js";
import { dense, toDense } from "../../lie/generators/generator.js";
import { fitPairs } from "../../lie/pairs/pairs.js";
import { coordinatesOf, mixed, type Setting, samplesOf } from "./problem.js";
import { type Answer, noAnswer } from "./systems.js";
import type { Truth } from "./truth.js";

/** The same truths, seen through pairs (x, g x) in place of labels. */
export interface PairsProblem {
  x: Float32Array; // [N, m, d]
  y: Float32Array; // [N, m, d], g x with noise
  generators: Basis | undefined;
}

/** Streams of random numbers beside those of labelled problems. */
const [ELEMENTS, ERRORS] = [1, 2].map((k) => k << 20);

/**
 * y_0 = exp(sum_i t_i L_i) x_0 with |L_i| = 1 and t_i uniform in +-1 / sqrt(n), one element for all vectors of a sample; of a truth without symmetries
 * another sample, so that there is nothing to find. Normal noise of `noise` times the root mean square of y_0 - x_0 is added to y_0. Both in the mixed
 * coordinates of `problemOf`.
 */
export function pairsOf(truth: Truth, setting: Setting): PairsProblem {
  const { m, d } = truth;
  const { noise, seed } = setting;
  const x0 = samplesOf(truth, setting);
  const { mix, origin, generators } = coordinatesOf(truth, setting, new Philox(seed, streams.user));
  const y0 = truth.generators ? movedBy(truth.generators, x0, d, seed) : x0.map((_, n) => x0[(n + 1) % x0.length]);
  const size = Math.sqrt(
    y0.reduce((sum, y, n) => sum + y.reduce((of, value, k) => of + (value - x0[n][k]) ** 2, 0), 0) / (x0.length * m * d),
  );
  const errors = new Philox(seed, streams.init, ERRORS).normal(x0.length * m * d);
  const noisy = y0.map((y, n) => y.map((value, k) => value + noise * size * errors[n * m * d + k]));
  const inUnits = (values: readonly Float64Array[]): Float32Array => Float32Array.from(values.flatMap((v) => mixed(mix, origin, v, d)));
  return { x: inUnits(x0), y: inUnits(noisy), generators };
}

function movedBy(basis: Basis, x0: readonly Float64Array[], d: number, seed: number): Float64Array[] {
  const unit = basis.generators.map(toDense).map((L) => Matrix.div(L, L.norm()));
  const reach = 1 / Math.sqrt(unit.length);
  const width = basis.d;
  const random = new Philox(seed, streams.user, ELEMENTS);
  return x0.map((x) => {
    const L = Matrix.zeros(width, width);
    random.uniform(unit.length).forEach((u, i) => void L.add(Matrix.mul(unit[i], reach * (2 * u - 1))));
    const X = columnsOf(x, d);
    if (width > d) X.addRow(new Array<number>(X.columns).fill(1)); // affine: on (x, 1)
    const moved = exp(dense(L))
      .mmul(X)
      .subMatrix(0, d - 1, 0, X.columns - 1);
    return Float64Array.from(moved.transpose().to1DArray());
  });
}

/** What `lconv discover --pairs --generators auto` says of it. */
export async function answerPairs({ m, d, affine }: Truth, { x, y }: PairsProblem, signal?: AbortSignal): Promise<Answer> {
  try {
    const fit = await breathing(fitPairs(columnsOf(x, d), columnsOf(y, d), { n_L: "auto", affine, channels: m }), signal);
    const { basis, white, bound = Number.NaN, residual, notes } = fit;
    const found = { basis, whitened: white?.basis, inputs: white?.inputs, bound };
    return { ...noAnswer, ...found, dimension: basis?.n_L, residuals: [residual], notes };
  } catch (error) {
    if (error instanceof LconvError) return { ...noAnswer, notes: [error.message] }; // too few pairs: it makes no claim
    throw error;
  }
}
