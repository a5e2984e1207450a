import { Matrix, pseudoInverse } from "ml-matrix";
import { inOneGo, inPieces, type Pieces } from "../engine/breathe.js";
import { check, checkOptions } from "../errors.js";
import { product } from "../lie/generators/commutators.js";
import { apply, combination, type Generator, inner, norm } from "../lie/generators/generator.js";
import { scaling } from "../lie/generators/groups.js";
import { Activate, type ActivationName } from "../nn/activation.js";
import { LConv } from "../nn/lconv.js";
import { Module } from "../nn/module.js";
import { LConvMax, LConvStrided } from "../nn/pooling.js";
import { generatorSizes } from "../ops/generators.js";
import { type DefectOptions, defectInPieces, type EquivarianceDefect } from "../symmetry/defect.js";
import type { Model } from "../symmetry/lieDerivative.js";
import { fromTensors } from "../symmetry/tensors.js";
import type { Tensor } from "../tensor/tensor.js";

/** Options of layerEquivariance. */
export interface LayerEquivarianceOptions {
  /** Shares below this count as zero; generators and W are float32. Default 1e-5. */
  tolerance?: number;
}

/** What keeps an L-conv layer from being equivariant under exp(t L), part by part. */
export interface LayerEquivariance {
  /** |[L, L_i]| / sqrt(|L L_i|^2 + |L_i L|^2), i = 1..n_L: 0 where L commutes with L_i. */
  commutators: readonly number[];
  /** [L, L_i] = sum_j f[i - 1][j] L_j + a rest, j = 0..n_L with L_0 = I; least squares. */
  f: readonly (readonly number[])[];
  /** |L F - F L| / sqrt(|L F|^2 + |F L|^2) of the linear part F at the present W: 0 if that is equivariant. */
  linear: number;
  /** The share of `linear` that vanishes if sum_i f_ij W^i = 0 for all j, linear^2 = inSpan^2 + outOfSpan^2. */
  inSpan: number;
  /** The share of `linear` that comes from commutators outside the span of the L_j. */
  outOfSpan: number;
  /** |L 1| / |L|: 0 if a bias is equivariant. */
  constant: number;
  /** What breaks equivariance, and why; empty if nothing does. */
  notes: readonly string[];
}

/**
 * Whether an L-conv layer y = f(F h + b), F h = sum_{i = 0..n_L} L_i h W^i, can be equivariant under exp(t L) acting on positions, before and after.
 *
 * W: L F h - F L h = sum_i [L, L_i] h W^i for every h, so F is equivariant where sum_i [L, L_i] (x) W^i = 0; for any W only if L commutes with
 * every L_i. Where [L, L_i] = sum_j f_ij L_j, as in an algebra that holds L and all L_j, it says
 *   sum_i f_ij W^i = 0 for all j,
 * the derivative at t = 0 of sum_i Ad(exp(t L))_ij W^i = W^j. What of [L, L_i] lies outside the span of the L_j is orthogonal to that and
 * has to vanish by itself.
 *
 * Activation s: exp(t L) commutes with it for small t only if L s(y) = s'(y) (L y) for every y. The derivative of row mu in y_nu, nu != mu, is
 * L_mu,nu s'(y_nu) = s'(y_mu) L_mu,nu, so s' is constant or L diagonal; then L_mu,mu (s(y) - y s'(y)) = 0, which relu and leakyRelu fulfil and no other
 * activation here. In other words: permutations with positive scales commute with relu, but exp(t L) moves away from I continuously, and no
 * permutation lies near I. On a grid, for L h = -v . grad h, the chain rule gives L s(h) = s'(h) L h for functions, so what is broken on sampled ones is
 * interpolation: it vanishes as the grid gets finer than both h and s(h).
 *
 * Bias: L (y + b 1) = L y + b L 1, so L 1 = 0.
 *
 * Throws ERR_LCONV_SHAPE for an L on other positions than the layer's, ERR_LCONV_ARGUMENT for L = 0 or generators that are not finite.
 */
export const layerEquivariance = (layer: LConv, L: Generator, options: LayerEquivarianceOptions = {}): LayerEquivariance =>
  inOneGo(ofLayer(layer, L, options));

function* ofLayer(layer: LConv, L: Generator, options: LayerEquivarianceOptions): Pieces<LayerEquivariance> {
  checkOptions("layerEquivariance", options, { tolerance: 1 });
  const { tolerance = 1e-5 } = options;
  const { d } = generatorSizes("layerEquivariance", layer.generators);
  check(L.d === d, "ERR_LCONV_SHAPE", () => `layerEquivariance: L acts on ${L.d} positions, the layer on ${d}`);
  check(norm(L) > 0, "ERR_LCONV_ARGUMENT", () => "layerEquivariance: L is zero, under which every layer is equivariant");
  const linear = yield* linearPart(layer, L);
  const constant = apply(L, Matrix.ones(d, 1)).norm() / norm(L);
  const notes = [
    ...weightNotes(linear, layer.W.requiresGrad, tolerance),
    ...(layer instanceof LConvMax ? maximumNotes(linear, L, tolerance) : []),
    ...activationNotes(layer.activation, L, tolerance),
    ...(layer.b && constant > tolerance ? [biasNote(constant)] : []),
  ];
  return { ...linear, constant, notes };
}

/**
 * The notes of `layerEquivariance` for every L-conv layer of a model, from the input on, and for Activate layers. About other layers it
 * reports nothing; `equivarianceDefect` measures a model as a whole. Throws as `layerEquivariance` does.
 */
export const equivarianceNotes = (model: Module, L: Generator, options: LayerEquivarianceOptions = {}): string[] =>
  inOneGo(notesOn(model, L, options));

/** As `equivarianceNotes`, in pieces. */
export function* notesOn(model: Module, L: Generator, options: LayerEquivarianceOptions = {}): Pieces<string[]> {
  checkOptions("equivarianceNotes", options, { tolerance: 1 });
  const { tolerance = 1e-5 } = options;
  let layers = 0;
  const all: string[] = [];
  for (const part of model.modules()) {
    if (part instanceof Activate) all.push(...activationNotes(part.name, L, tolerance));
    if (part instanceof LConvStrided) all.push(`strided layer: leaves ${part.d_out} positions; symmetries left: ${part.symmetryLeft}`);
    if (part instanceof LConvStrided || !(part instanceof LConv)) continue;
    const name = `L-conv layer ${++layers}`;
    const { d } = generatorSizes("equivarianceNotes", part.generators);
    const notes = d === L.d ? (yield* ofLayer(part, L, options)).notes : [`has ${d} positions, L acts on ${L.d}: not looked into`];
    all.push(...notes.map((note) => `${name}: ${note}`));
  }
  return all;
}

/**
 * How far a model is from being equivariant under exp(t L) on `data` [N, ..., d], by its Lie derivative (Gruver et al. 2023):
 *   D f(x) = J_f(x) L x - L_out f(x),
 *   defect^2 = mean |D f|^2 / mean(g^2 |L x|^2 + |L_out f|^2),  g^2 = mean |f - mean f|^2 / mean |x - mean x|^2.
 * It is 0 for a model that is equivariant on the data, and about 1 for one that is unrelated to L. The notes of `equivarianceNotes` are
 * added for a network.
 * Throws ERR_LCONV_SHAPE (sizes, or outputs for which `output` has to be named), ERR_LCONV_ARGUMENT (L = 0, a model whose output depends on
 * chance), ERR_LCONV_DATA (fewer than 2 samples, NaN, samples that are all equal or that L does nothing to), ERR_LCONV_NONFINITE (NaN
 * output), ERR_LCONV_DTYPE, ERR_LCONV_OPTION.
 */
export const equivarianceDefect = (model: Model, L: Generator, data: Tensor, options: DefectOptions = {}): EquivarianceDefect =>
  inOneGo(defectOf(model, L, data, options));

/** As `equivarianceDefect`, in pieces. */
export function* defectOf(model: Model, L: Generator, data: Tensor, options: DefectOptions = {}): Pieces<EquivarianceDefect> {
  const measured = yield* defectInPieces(model, L, data, options);
  const reasons = model instanceof Module ? yield* notesOn(model, L) : [];
  return { ...measured, notes: [...measured.notes, ...reasons] };
}

type LinearPart = Pick<LayerEquivariance, "commutators" | "f" | "linear" | "inSpan" | "outOfSpan">;

function* linearPart(layer: LConv, L: Generator): Pieces<LinearPart> {
  const span = [...scaling(L.d).generators, ...fromTensors(layer.generators).generators]; // L_0..L_nL
  const M = gramOfWeights(layer);
  const forth = yield* inPieces(span, (g) => product(L, g));
  const back = yield* inPieces(span, (g) => product(g, L));
  const brackets = yield* inPieces(span.slice(1), (_, i) => combination([forth[i + 1], back[i + 1]], [1, -1]));
  const size = (g: Generator): number => norm(g);
  const [forthNorms, backNorms, norms] = [yield* inPieces(forth, size), yield* inPieces(back, size), yield* inPieces(brackets, size)];
  const spanGram = yield* gramOf(span, span);
  // f[i][j]: each bracket as a combination of the span, least squares; the shortest one where the span is dependent
  const F = (yield* gramOf(brackets, span)).mmul(pseudoInverse(spanGram));
  const M1 = M.subMatrix(1, M.rows - 1, 1, M.columns - 1); // without L_0, whose bracket is 0
  const scale = squared(yield* gramOf(forth, forth), M) + squared(yield* gramOf(back, back), M);
  const total = squared(yield* gramOf(brackets, brackets), M1);
  // |sum_j L_j (x) P_j|^2 for P_j = sum_i f_ij W^i
  const inSpan = Math.min(total, squared(spanGram, F.transpose().mmul(M1).mmul(F)));
  const share = (square: number): number => (scale > 0 ? Math.sqrt(Math.max(0, square) / scale) : 0);
  return {
    commutators: norms.map((bracket, i) => bracket / (Math.hypot(forthNorms[i + 1], backNorms[i + 1]) || 1)),
    f: F.to2DArray(),
    linear: share(total),
    inSpan: share(inSpan),
    outOfSpan: share(total - inSpan),
  };
}

/** <W^i, W^j> */
function gramOfWeights({ W }: LConv): Matrix {
  const [n, m_in, m_out] = W.shape;
  const rows = Matrix.from1DArray(n, m_in * m_out, [...W.dataSync()]);
  return rows.mmul(rows.transpose());
}

function* gramOf(a: readonly Generator[], b: readonly Generator[]): Pieces<Matrix> {
  const rows: number[][] = [];
  for (const x of a) rows.push(yield* inPieces(b, (y) => inner(x, y)));
  return new Matrix(rows);
}

/** |sum_i A_i (x) B_i|^2 from <A_i, A_j> and <B_i, B_j>. */
const squared = (A: Matrix, B: Matrix): number => Matrix.mul(A, B).sum();

function weightNotes({ commutators, linear, inSpan, outOfSpan }: LinearPart, free: boolean, tolerance: number): string[] {
  const moved = commutators.flatMap((value, i) => (value > tolerance ? [i + 1] : []));
  if (moved.length === 0) return [];
  const which =
    `L does not commute with ${moved.length === 1 ? `L_${moved[0]}` : `${moved.length} of ${commutators.length} generators`} ` +
    `(|[L, L_i]| up to ${Math.max(...commutators).toPrecision(2)} of |L L_i|), so W must obey sum_i [L, L_i] (x) W^i = 0`;
  if (linear <= tolerance) return free ? [`W: ${which}; the present W does, but training may change it`] : [];
  return [
    `W: ${which}; the present W misses it by ${linear.toPrecision(2)}: ${inSpan.toPrecision(2)} could be avoided by sum_i f_ij W^i = 0, ` +
      `[L, L_i] = sum_j f_ij L_j, and ${outOfSpan.toPrecision(2)} lies outside the span of the generators`,
  ];
}

function maximumNotes({ commutators }: LinearPart, L: Generator, tolerance: number): string[] {
  if (isDiagonal(L, tolerance) && commutators.every((value) => value <= tolerance)) return [];
  return ["maximum: over L_j it commutes with exp(t L) only where L is diagonal and commutes with every L_j"];
}

function activationNotes(name: ActivationName, L: Generator, tolerance: number): string[] {
  const homogeneous = name === "relu" || name === "leakyRelu";
  if (name === "linear" || (homogeneous && isDiagonal(L, tolerance))) return [];
  const only = homogeneous ? "only where L is diagonal, a scale for each position, and this L mixes positions" : "only where L = 0";
  return [
    `${name}: commutes with exp(t L) ${only}, so the layer is not exactly equivariant; for a flow on a grid, L h = -v . grad h, it is in the limit ` +
      "of a fine grid, and equivarianceDefect with `floor` tells what interpolation does on data",
  ];
}

const biasNote = (constant: number): string =>
  `bias: adds a constant to every position, which exp(t L) keeps only where L 1 = 0; here |L 1| / |L| is ${constant.toPrecision(2)}`;

/** Whether what is off the diagonal is below this share of |L|. */
function isDiagonal(L: Generator, tolerance: number): boolean {
  const diagonal = diagonalOf(L).reduce((sum, value) => sum + value ** 2, 0);
  return norm(L) ** 2 - diagonal <= (tolerance * norm(L)) ** 2;
}

function diagonalOf(g: Generator): number[] {
  if (g.form === "dense") return g.L.diagonal();
  if (g.form === "lowRank") return Array.from({ length: g.d }, (_, mu) => g.U.getRowVector(mu).mmul(g.V.getColumnVector(mu)).get(0, 0));
  return Array.from(g.values).filter((_, k) => g.rows[k] === g.columns[k]);
}
