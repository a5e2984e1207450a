import { inOneGo, type Pieces } from "../engine/breathe.js";
import { check, checkInteger, checkOptions, showShape } from "../errors.js";
import { combination, type Generator, norm } from "../lie/generators/generator.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type OfEach, type Survey, surveyOf, type Terms, termsOf } from "./defectTerms.js";
import { FEWEST_SAMPLES, sumsOf, upperBound } from "./jackknife.js";
import { Action, type Model } from "./lieDerivative.js";

/** Options of equivarianceDefect. */
export interface DefectOptions {
  /**
   * How the group acts on outputs: "invariant" (not at all, L_out = 0), or L_out along the output's last axis. Default: L for outputs of
   * the data's rank with d positions, "invariant" for [N] and [N, classes].
   */
  output?: "invariant" | Generator;
  /**
   * The same flow as L in another discretisation, for the floor: on images, affine(p, q, { kind: "finite-difference" }) beside
   * "band-limited". It takes the place of L in the output too; with a separate L_out, pass both. Default: no floor.
   */
  floor?: Generator | { L: Generator; L_out: Generator };
  /** Samples at a time. Default 256. */
  batch?: number;
  /** Step of the central differences: how far a sample moves, as a share of the samples' distance from their mean. Default 0.005. */
  step?: number;
}

/** |L x| below this share of |L| |x| is float32's rounding. */
const ROUNDING = 1e-6;

/** How far a model is from being equivariant under one generator. */
export interface EquivarianceDefect {
  /** 0 for a model that is equivariant on the data, about 1 for one that is unrelated to L. */
  defect: number;
  /** One-sided upper bound, confidence 95 %, numerical error included: what certifies equivariance. Infinity below 8 samples. */
  upper: number;
  /** Numerical error of `defect`, an estimate from above on the same scale. */
  numericalError: number;
  /** What the difference between the two discretisations alone does to the defect; undefined without `floor`. */
  floor: number | undefined;
  /**
   * max(0, defect - floor - numericalError): the least part of the defect that the discretisation does not explain; undefined without
   * `floor`.
   */
  aboveFloor: number | undefined;
  /** Number of samples. */
  samples: number;
  /** How L was taken to act on outputs. */
  output: "invariant" | "equivariant";
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/**
 * How far a model f is from being equivariant under exp(t L), by its Lie derivative (Gruver et al. 2023, The Lie derivative for measuring
 * learned equivariance):
 *   D f(x) = d/dt exp(-t L_out) f(exp(t L) x) at t = 0 = J_f(x) L x - L_out f(x),
 * which is zero for all x exactly where f(exp(t L) x) = exp(t L_out) f(x) for all t. Over samples x of `data` [N, ..., d]
 *   defect^2 = mean |D f|^2 / mean(g^2 |L x|^2 + |L_out f|^2),  g^2 = mean |f - mean f|^2 / mean |x - mean x|^2.
 * g |L x| is how much f would change along L x if it changed as it does from sample to sample. So where L x and L_out f have nothing to do
 * with f the defect is about 1 (more, for an f that is steeper along L x than between samples), for invariance too, where |J L x| itself as the
 * measure would make every model 1. It does not depend on the units of t, x and f.
 *
 * Floor: on a grid L is one discretisation of a flow, of which the samples do not determine the values between them. For another, L',
 *   floor^2 = mean |J_f (L - L') x - (L_out - L_out') f|^2 / the same,
 * and the defects under L and L' differ by at most the floor (triangle inequality): a model that is equivariant under L' has defect = floor, and a
 * defect above it is the model's own. Finite differences are to first order what bilinear interpolation does.
 *
 * The samples count as independent draws, and f of a sample must not depend on the others in its batch. Parameters are left alone.
 * Throws ERR_LCONV_SHAPE (sizes, or outputs for which `output` has to be named), ERR_LCONV_ARGUMENT (L = 0, a model whose output depends on
 * chance), ERR_LCONV_DATA (fewer than 2 samples, NaN, samples that are all equal or that L does nothing to), ERR_LCONV_NONFINITE (NaN output),
 * ERR_LCONV_DTYPE, ERR_LCONV_OPTION.
 */
export const equivarianceDefect = (model: Model, L: Generator, data: Tensor, options: DefectOptions = {}): EquivarianceDefect =>
  inOneGo(defectInPieces(model, L, data, options));

/** The same in pieces of one batch. */
export function* defectInPieces(model: Model, L: Generator, data: Tensor, options: DefectOptions = {}): Pieces<EquivarianceDefect> {
  checkOptions("equivarianceDefect", options, { output: 1, floor: 1, batch: 1, step: 1 });
  const { batch = 256, step = 0.005 } = options;
  checkInteger("equivarianceDefect", "batch", batch, 1);
  check(step > 0 && step <= 1, "ERR_LCONV_ARGUMENT", () => `equivarianceDefect: step must lie in (0, 1], got ${step}`);
  checkInput(L, data);
  const survey = yield* surveyOf(model, data, batch);
  const generators = generatorsOf(L, data, survey, options);
  const actions = actionsOf(data, generators);
  try {
    const terms = yield* termsOf(model, data, survey, actions, { batch, step });
    checkFlow(L, terms, survey);
    return summary(terms, generators, options.floor !== undefined);
  } finally {
    for (const action of Object.values(actions)) action?.dispose();
  }
}

function checkInput(L: Generator, data: Tensor): void {
  check(data.dtype === "float32", "ERR_LCONV_DTYPE", () => `equivarianceDefect: the samples must be float32, got ${data.dtype}`);
  check(
    data.rank >= 2 && data.shape[data.rank - 1] === L.d,
    "ERR_LCONV_SHAPE",
    () => `equivarianceDefect: L acts on ${L.d} positions, so the samples must be [N, ..., ${L.d}], got ${showShape(data.shape)}`,
  );
  check(
    data.shape[0] >= 2,
    "ERR_LCONV_DATA",
    () => `equivarianceDefect: needs 2 samples, and ${FEWEST_SAMPLES} for an upper bound, got ${data.shape[0]}`,
  );
  check(norm(L) > 0, "ERR_LCONV_ARGUMENT", () => "equivarianceDefect: L is zero, under which every model is equivariant");
}

function generatorsOf(L: Generator, data: Tensor, { shape }: Survey, { output, floor }: DefectOptions): OfEach<Generator> {
  const L_out = outputGenerator(L, data, shape, output);
  if (floor === undefined) return { L, L_out, difference: undefined, differenceOut: undefined };
  const pair = "L_out" in floor ? floor : { L: floor, L_out: L_out === L ? floor : L_out };
  return {
    L,
    L_out,
    difference: differenceOf("L", L, pair.L),
    differenceOut: L_out && differenceOf("L_out", L_out, pair.L_out as Generator),
  };
}

function outputGenerator(L: Generator, data: Tensor, shape: Shape, output: DefectOptions["output"]): Generator | undefined {
  const positions = shape[shape.length - 1];
  if (output === "invariant" || (output === undefined && shape.length === 1)) return undefined;
  if (output !== undefined) {
    check(
      shape.length >= 2 && output.d === positions,
      "ERR_LCONV_SHAPE",
      () => `equivarianceDefect: L_out acts on ${output.d} positions, the output is ${showShape(shape)}`,
    );
    return output;
  }
  if (shape.length === data.rank && positions === L.d) return L;
  check(
    shape.length === 2 && positions !== L.d,
    "ERR_LCONV_SHAPE",
    () =>
      `equivarianceDefect: how L acts on an output ${showShape(shape)} of samples ${showShape(data.shape)} is not plain; ` +
      'pass output: "invariant", or the generator that acts along its last axis',
  );
  return undefined;
}

function differenceOf(name: string, g: Generator, other: Generator): Generator | undefined {
  check(
    g.d === other.d,
    "ERR_LCONV_SHAPE",
    () => `equivarianceDefect: floor: ${name} acts on ${g.d} positions, its other discretisation on ${other.d}`,
  );
  const difference = combination([g, other], [1, -1]);
  return norm(difference) > 0 ? difference : undefined;
}

function actionsOf({ device }: Tensor, { L, L_out, difference, differenceOut }: OfEach<Generator>): OfEach<Action> {
  const action = (g: Generator | undefined): Action | undefined => g && new Action(device, g);
  return { L: new Action(device, L), L_out: action(L_out), difference: action(difference), differenceOut: action(differenceOut) };
}

function checkFlow(L: Generator, { flow, x }: Terms, { meanX }: Survey): void {
  const [moved, spread] = sumsOf([flow, x]);
  const size = spread + x.length * meanX.reduce((sum, value) => sum + value * value, 0); // sum |x|^2
  check(
    moved > (ROUNDING * norm(L)) ** 2 * size,
    "ERR_LCONV_DATA",
    () => `equivarianceDefect: L x = 0 for all ${x.length} samples, to rounding, so they say nothing about this L`,
  );
}

/** The sum of g^2 |L x|^2 + |L_out f|^2 from the sums of its parts. */
const scaleOf = (x: number, y: number, flow: number, acted: number): number => (y / x) * flow + acted;

function summary(terms: Terms, { L_out }: OfEach<Generator>, hasFloor: boolean): EquivarianceDefect {
  const samples = terms.x.length;
  const [x, y, flow, acted, ...changes] = sumsOf([terms.x, terms.y, terms.flow, terms.acted, terms.defect, terms.error, terms.floor]);
  const scale = scaleOf(x, y, flow, acted);
  const [defect, numericalError, floor] = changes.map((sum) => relative(sum, scale));
  const sampling = upperBound([terms.x, terms.y, terms.flow, terms.acted, terms.defect], ([x, y, flow, acted, change]) =>
    relative(change, scaleOf(x, y, flow, acted)),
  );
  return {
    defect,
    upper: sampling + numericalError,
    numericalError,
    floor: hasFloor ? floor : undefined,
    aboveFloor: hasFloor ? Math.max(0, defect - floor - numericalError) : undefined,
    samples,
    output: L_out ? "equivariant" : "invariant",
    notes: notesOf({ defect, numericalError, floor: hasFloor ? floor : undefined, samples, scale }),
  };
}

/** sqrt(change / scale); of nothing, nothing. */
const relative = (change: number, scale: number): number => (change > 0 ? Math.sqrt(change / scale) : 0);

function notesOf(of: { defect: number; numericalError: number; floor: number | undefined; samples: number; scale: number }): string[] {
  const { defect, numericalError, floor, samples, scale } = of;
  const notes: string[] = [];
  if (samples < FEWEST_SAMPLES) notes.push(`${samples} samples give no upper bound; it takes ${FEWEST_SAMPLES}, and more to be useful`);
  if (scale === 0) notes.push("the output is the same for all samples: every L leaves it as it is");
  if (defect > 0 && defect < 2 * numericalError)
    notes.push(
      `the defect is within its numerical error (${numericalError.toExponential(1)}): known is only that it is at most \`upper\`; ` +
        "a larger step helps against rounding, a smaller one where the model bends within a step",
    );
  if (floor !== undefined && defect <= floor + numericalError)
    notes.push(`the defect is not above the floor (${floor.toPrecision(2)}): the discretisation of the flow alone may be the reason`);
  return notes;
}
