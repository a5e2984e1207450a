import { EigenvalueDecomposition, type Matrix } from "ml-matrix";
import { inOneGo, type Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, oneOf, showShape } from "../errors.js";
import type { Whitening } from "../lie/functions/whitening.js";
import { Basis, denseBasis } from "../lie/generators/basis.js";
import type { Tensor } from "../tensor/tensor.js";
import { gramOf, meanOf, noiseOf } from "./design.js";
import { dimensionByGap, dimensionByNoise } from "./dimension.js";
import { type Equations, equationsOf } from "./equations.js";
import { type Differentiated, differentiate } from "./gradients.js";
import type { Model } from "./lieDerivative.js";
import { actionsOf, angleBound, largestAngle, movedSpans, sharedError } from "./spanError.js";

/** Options of extractSymmetries. */
export interface ExtractionOptions {
  /** invariant: f(exp(tL) x) = f(x). equivariant: f(exp(tL) x) = exp(t L_c) f(x), where L_c is found together with L. Default "invariant". */
  output?: "invariant" | "equivariant";
  /**
   * Also looks for translations, x -> L x + c: generators are then (d + 1) x (d + 1), on (x, 1), and L_c (k + 1) x (k + 1). Default false.
   */
  affine?: boolean;
  /** Looks only among combinations of these generators; then d may be large. Default: all d x d matrices. */
  within?: Basis;
  /** The greatest residual that a symmetry may have, between 0 and 1. Default 0.2. */
  tolerance?: number;
  /** Number of bootstrap draws of the samples, for `resampled`; used with one function. Default 10. */
  bootstrap?: number;
  /** Seed of the bootstrap. Default 0. */
  seed?: number;
}

/** The symmetries of a function. */
export interface Extraction {
  /** Number of symmetries. */
  dimension: number;
  /** Number of further directions that may be symmetries: the noise, or with one function a missing gap, leaves it open. */
  undecided: number;
  /** |J L x - L_c f(x)| of every direction relative to a generic L, ascending: 0 for an exact symmetry, about 1 for none. */
  residuals: readonly number[];
  /** With several functions: the root mean square of the same for the difference of one of them from their mean; undefined with one. */
  noise: readonly number[] | undefined;
  /** The symmetries, each of norm 1 in whitened coordinates; undefined if there is none. */
  basis: Basis | undefined;
  /** The same in whitened coordinates, where comparisons do not depend on units; undefined with `within` and if there is none. */
  whitened: Basis | undefined;
  /** The whitening of x; undefined with `within`. */
  inputs: Whitening | undefined;
  /** The whitening of f(x). */
  outputs: Whitening;
  /** L_c of each symmetry, with output "equivariant"; else empty. */
  labels: readonly Matrix[];
  /** The same in whitened coordinates. */
  whitenedLabels: readonly Matrix[];
  /** Directions of x [d, k] on which f does not depend; the result is modulo these. Undefined if there is none. */
  ignored: Matrix | undefined;
  /** With several functions: 95 % bound of the largest principal angle to the true span, radians, in whitened coordinates; else NaN. */
  bound: number;
  /**
   * With one function: mean largest principal angle to the span that other samples of the same function give, radians; else NaN. It is no
   * error bar of the function.
   */
  resampled: number;
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/**
 * The generators L under which a function is invariant or equivariant, found in the function itself: the null space of its gradient against
 * the data's action, J(x) L x = L_c f(x) for all x, where f is the model (Moskalev et al. 2022). `model` maps x [N, m, d] to [N, k], sample
 * by sample; L acts on d. x and f are whitened first, so that units do not matter. Several models, fitted to the same data from other seeds
 * and other draws of the samples, make it a test: their mean is examined, and a direction counts only if their differences explain its
 * residual (see dimensionByNoise).
 *
 * Throws ERR_LCONV_SHAPE, ERR_LCONV_OPTION; ERR_LCONV_ARGUMENT for more than 1,100 unknowns, for fewer equations than unknowns, for outputs
 * that depend on chance or not on x, and for `affine` with `within`; ERR_LCONV_NONFINITE.
 *
 * @example
 * ```ts
 * import { lie, ops, randn, type Tensor } from "lconv";
 *
 * const squaredLength = (x: Tensor): Tensor => ops.sum(ops.mul(x, x), 2); // [N, 1, 3] -> [N, 1]
 * const { basis } = lie.extractSymmetries(squaredLength, randn([200, 1, 3], { seed: 1 }));
 * const dimension = basis?.n_L; // 3
 * const name = basis && lie.identify(basis, { uncertainty: 1e-4 }).name; // "so(3)"
 * ```
 */
export const extractSymmetries = (model: Model | readonly Model[], x: Tensor, options: ExtractionOptions = {}): Extraction =>
  inOneGo(extracting(model, x, options));

/** The same in pieces; `x` is read only in the first pieces. */
export function* extracting(model: Model | readonly Model[], x: Tensor, options: ExtractionOptions = {}): Pieces<Extraction> {
  checkedOptions(options);
  check(x.rank === 3, "ERR_LCONV_SHAPE", () => `extractSymmetries: x must be [N, m, d], got ${showShape(x.shape)}`);
  const models: Differentiated[] = [];
  for (const one of Array.isArray(model) ? (model as readonly Model[]) : [model as Model]) {
    models.push(differentiate(one, x));
    yield;
  }
  check(models.length > 0, "ERR_LCONV_ARGUMENT", () => "extractSymmetries: needs at least one model, got none");
  const [N, m, d] = x.shape;
  return yield* extractingFrom(models, x.dataSync(), { N, m, d }, options);
}

/** The same from values and gradients that are known already. */
export function* extractingFrom(
  models: readonly Differentiated[],
  x: ArrayLike<number>,
  { N, m, d }: { N: number; m: number; d: number },
  options: ExtractionOptions = {},
): Pieces<Extraction> {
  const { output, affine, within, tolerance, bootstrap, seed } = checkedOptions(options);
  const equations = yield* equationsOf({ x, ...{ N, m, d, models, equivariant: output === "equivariant", affine, within } });
  const solution = yield* solve(equations);
  const residuals = solution.values.map((value) => Math.sqrt(Math.max(0, value)));
  const noise = models.length > 1 ? noiseAlong(equations, solution) : undefined;
  const { dimension, undecided, notes } = noise ? dimensionByNoise(residuals, noise, tolerance) : dimensionByGap(residuals, tolerance);
  const found = Array.from({ length: dimension }, (_, k) => equations.direction(solution.vectors.getColumn(k)));
  const whitened = found.flatMap((one) => (one.whitened ? [one.whitened] : []));
  const several = models.length > 1 && dimension > 0 && dimension < residuals.length;
  const spans = several ? yield* movedSpans(equations.rows, solution.mean, solution, dimension, equations) : [];
  return {
    ...{ dimension, undecided, residuals, noise },
    basis: dimension > 0 ? new Basis(found.map(({ L }) => L)) : undefined,
    whitened: whitened.length > 0 ? denseBasis(whitened) : undefined,
    inputs: equations.inputs,
    outputs: equations.outputs,
    labels: found.flatMap(({ L_c }) => (L_c ? [L_c] : [])),
    whitenedLabels: found.flatMap(({ whitenedL_c }) => (whitenedL_c ? [whitenedL_c] : [])),
    ignored: equations.ignored,
    bound: several && noise ? angleBound(spans, sharedError(residuals, noise, dimension)) : Number.NaN,
    resampled: models.length === 1 && dimension > 0 ? yield* resampling(equations, solution, dimension, N, bootstrap, seed) : Number.NaN,
    notes: [...equations.notes, ...notes],
  };
}

function checkedOptions(options: ExtractionOptions) {
  checkOptions("extractSymmetries", options, { output: 1, affine: 1, within: 1, tolerance: 1, bootstrap: 1, seed: 1 });
  const { output = "invariant", affine = false, within, tolerance = 0.2, bootstrap = 10, seed = 0 } = options;
  oneOf("extractSymmetries", "output", output, ["invariant", "equivariant"]);
  check(
    tolerance > 0 && tolerance < 1,
    "ERR_LCONV_ARGUMENT",
    () => `extractSymmetries: tolerance must lie between 0 and 1, got ${tolerance}`,
  );
  checkInteger("extractSymmetries", "bootstrap", bootstrap, 0, 1000);
  check(
    !(affine && within),
    "ERR_LCONV_ARGUMENT",
    () => "extractSymmetries: affine looks for all x -> L x + c, within only among given generators; leave one of them out",
  );
  return { output, affine, within, tolerance, bootstrap, seed };
}

interface Solution {
  /** Eigenvectors [p, p] and eigenvalues of the mean rows' second moments, ascending. */
  vectors: Matrix;
  values: readonly number[];
  mean: Float64Array;
}

function* solve({ rows, unknowns }: Equations): Pieces<Solution> {
  const mean = rows.length === 1 ? rows[0] : meanOf(rows);
  yield;
  return { ...ascending(gramOf(mean, unknowns)), mean };
}

/** Eigenvalues and eigenvectors of a symmetric matrix, ascending. */
export function ascending(M: Matrix): Omit<Solution, "mean"> {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(M, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[a] - realEigenvalues[b]);
  return { values: order.map((k) => realEigenvalues[k]), vectors: eigenvectorMatrix.subMatrixColumn(order) };
}

const noiseAlong = ({ rows }: Equations, { vectors, mean }: Solution): number[] =>
  Array.from({ length: vectors.columns }, (_, k) => Math.sqrt(noiseOf(rows, mean, vectors.getColumn(k))));

/** Mean largest angle to the spans that samples drawn again give. */
function* resampling(
  { unknowns, actions, scale, count }: Equations,
  { vectors, mean }: Solution,
  n: number,
  N: number,
  bootstrap: number,
  seed: number,
): Pieces<number> {
  const random = new Philox(seed, streams.user);
  const width = (count / N) * unknowns; // of a sample
  const part = (A: Matrix): Matrix => actionsOf(A, n, actions, scale);
  let total = 0;
  for (let draw = 0; draw < bootstrap; draw++) {
    const rows = new Float64Array(mean.length);
    random.uniform(N).forEach((u, at) => {
      const from = Math.floor(u * N) * width;
      rows.set(mean.subarray(from, from + width), at * width);
    });
    total += largestAngle(part(vectors), part(ascending(gramOf(rows, unknowns)).vectors));
    yield;
  }
  return total / bootstrap;
}
