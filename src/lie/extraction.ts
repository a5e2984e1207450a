import type { Matrix } from "ml-matrix";
import { inOneGo, type Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { Basis } from "./basis.js";
import { principalAngles } from "./canonical.js";
import { differentiate, GradientProblem } from "./gradientProblem.js";
import type { Model } from "./lieDerivative.js";

export interface ExtractionOptions {
  /** invariant: f(exp(tL) x) = f(x). equivariant: f(exp(tL) x) = exp(t L_c) f(x), where L_c is found together with L. Default "invariant". */
  output?: "invariant" | "equivariant";
  /** Look only among combinations of these generators; then d may be large. */
  within?: Basis;
  /**
   * The greatest residual that a symmetry may have. Default 0.15: networks keep a symmetry of their data about this well. Of the directions below it
   * those before the widest gap count.
   */
  tolerance?: number;
  /** Samples are drawn again with replacement this often, for `spread`. Default 10. */
  bootstrap?: number;
  /** Of the bootstrap. */
  seed?: number;
}
const known = ["output", "within", "tolerance", "bootstrap", "seed"];

export interface Extraction {
  dimension: number;
  /** Of every direction, ascending: |J L x - L_c f(x)| against what a generic L gives; about 1 for no symmetry, 0 for an exact one. */
  residuals: readonly number[];
  /** The symmetries, each of norm 1; undefined where there is none. */
  basis: Basis | undefined;
  /** L_c [k, k] of each, with output "equivariant". */
  labels: readonly Matrix[];
  /** Largest principal angle, in radians, between the span and that of samples drawn again: its mean. NaN without symmetries or bootstrap. */
  spread: number;
  notes: readonly string[];
}

const CLEAR_GAP = 3;

/**
 * The generators L under which a function is invariant or equivariant, found in the function itself: the null space of its gradient against the data's
 * action, J(x) L x = L_c f(x) for all x, f being the model (Moskalev et al. 2022). `model` maps x [N, m, d] to [N, k], sample by sample; L acts on d.
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_ARGUMENT for more than 1,100 unknowns, for fewer equations than unknowns, for outputs that depend on chance;
 * ERR_LCONV_NONFINITE.
 */
export const extractSymmetries = (model: Model, x: Tensor, options: ExtractionOptions = {}): Extraction =>
  inOneGo(extracting(model, x, options));

/** The same in pieces; `x` is looked at in the first one alone. */
export function* extracting(model: Model, x: Tensor, options: ExtractionOptions = {}): Pieces<Extraction> {
  checkOptions("extractSymmetries", options, known);
  const { output = "invariant", within, tolerance = 0.15, bootstrap = 10, seed = 0 } = options;
  check(
    output === "invariant" || output === "equivariant",
    "ERR_LCONV_ARGUMENT",
    () => `extractSymmetries: output must be "invariant" or "equivariant", got "${output}"`,
  );
  check(
    tolerance > 0 && tolerance < 1,
    "ERR_LCONV_ARGUMENT",
    () => `extractSymmetries: tolerance must lie between 0 and 1, got ${tolerance}`,
  );
  checkInteger("extractSymmetries", "bootstrap", bootstrap, 0, 1000);
  check(x.rank === 3, "ERR_LCONV_SHAPE", () => `extractSymmetries: x must be [N, m, d], got ${showShape(x.shape)}`);
  const problem = new GradientProblem(differentiate(model, x), output === "equivariant", within);
  yield;
  const all = Array.from({ length: x.shape[0] }, (_, n) => n);
  const { residuals, directions } = yield* problem.solve(all);
  const dimension = dimensionOf(residuals, tolerance);
  const found = directions.slice(0, dimension).map((c) => problem.generator(c));
  const basis = dimension > 0 ? new Basis(found.map(({ L }) => L)) : undefined;
  return {
    dimension,
    residuals,
    basis,
    labels: found.flatMap(({ L_c }) => (L_c ? [L_c] : [])),
    spread: basis ? yield* spreadOf(problem, basis, all.length, bootstrap, seed) : Number.NaN,
    notes: gapNotes(residuals, dimension, tolerance),
  };
}

/** Where the residuals leap most, of the places below the tolerance. */
function dimensionOf(residuals: readonly number[], tolerance: number): number {
  const below = residuals.filter((residual) => residual <= tolerance).length;
  let dimension = below;
  for (let k = 1; k <= below; k++) if (gapAfter(residuals, k) > gapAfter(residuals, dimension)) dimension = k;
  return dimension;
}

/** Residuals below this differ by the rounding of float32 gradients alone. */
const ROUNDING = 1e-4;

/** residual k + 1 against residual k, counted from 1; 1 after the last one. */
const gapAfter = (residuals: readonly number[], k: number): number =>
  k > 0 && k < residuals.length ? Math.max(residuals[k], ROUNDING) / Math.max(residuals[k - 1], ROUNDING) : 1;

function gapNotes(residuals: readonly number[], dimension: number, tolerance: number): string[] {
  if (dimension === residuals.length) return ["every direction that was looked at is a symmetry, so there is none to compare with"];
  const [last, next] = [residuals[dimension - 1], residuals[dimension]].map((residual) => residual?.toPrecision(2));
  if (dimension > 0 && gapAfter(residuals, dimension) < CLEAR_GAP)
    return [`no clear gap: the residuals ${last} and ${next} stand side by side, so the dimension is uncertain`];
  return dimension === 0 ? [`no symmetry with a residual up to ${tolerance}: the nearest direction has ${next}`] : [];
}

function* spreadOf(problem: GradientProblem, basis: Basis, N: number, bootstrap: number, seed: number): Pieces<number> {
  const random = new Philox(seed, streams.user);
  let total = 0;
  for (let draw = 0; draw < bootstrap; draw++) {
    const { directions } = yield* problem.solve(Array.from(random.uniform(N), (u) => Math.floor(u * N)));
    const again = new Basis(directions.slice(0, basis.n_L).map((c) => problem.generator(c).L));
    total += Math.max(...principalAngles(basis, again));
  }
  return total / bootstrap;
}
