import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from "ml-matrix";
import { gradients } from "../autograd/autograd.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, LconvError, showShape } from "../errors.js";
import { sum } from "../ops/reduce.js";
import { reshape, slice } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { Basis } from "./basis.js";
import { principalAngles } from "./canonical.js";
import { apply, combination, type Generator, norm, scaled } from "./generator.js";
import { checkSame, type Model, outputOf } from "./lieDerivative.js";

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

const MOST_UNKNOWNS = 1100;
const CLEAR_GAP = 3;
const RIDGE = 1e-12;

/**
 * The generators L under which a function is invariant or equivariant, found in the function itself: the null space of its gradient against the data's
 * action, J(x) L x = L_c f(x) for all x (Moskalev et al. 2022). `f` maps x [N, m, d] to [N, k], sample by sample; L acts on d.
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_ARGUMENT for more than 1,100 unknowns, for fewer equations than unknowns, for outputs that depend on chance;
 * ERR_LCONV_NONFINITE.
 */
export function extractSymmetries(model: Model, x: Tensor, options: ExtractionOptions = {}): Extraction {
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
  const problem = new Problem(differentiate(model, x), output === "equivariant", within);
  const all = Array.from({ length: x.shape[0] }, (_, n) => n);
  const { residuals, directions } = problem.solve(all);
  const dimension = dimensionOf(residuals, tolerance);
  const found = directions.slice(0, dimension).map((c) => problem.generator(c));
  const basis = dimension > 0 ? new Basis(found.map(({ L }) => L)) : undefined;
  return {
    dimension,
    residuals,
    basis,
    labels: found.flatMap(({ L_c }) => (L_c ? [L_c] : [])),
    spread: basis ? spreadOf(problem, basis, all.length, bootstrap, seed) : Number.NaN,
    notes: [...problem.notes, ...gapNotes(residuals, dimension, tolerance)],
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

function spreadOf(problem: Problem, basis: Basis, N: number, bootstrap: number, seed: number): number {
  const random = new Philox(seed, streams.user);
  let total = 0;
  for (let draw = 0; draw < bootstrap; draw++) {
    const { directions } = problem.solve(Array.from(random.uniform(N), (u) => Math.floor(u * N)));
    const again = new Basis(directions.slice(0, basis.n_L).map((c) => problem.generator(c).L));
    total += Math.max(...principalAngles(basis, again));
  }
  return total / bootstrap;
}

/** x [N, m, d], f(x) [N, k] and its gradients [k][N, m, d], on the host. */
interface Differentiated {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  J: readonly ArrayLike<number>[];
  sizes: { N: number; m: number; d: number; k: number };
}

function differentiate(model: Model, given: Tensor): Differentiated {
  return scope(() => {
    const [N, m, d] = given.shape;
    const x = keep(tensor(given.dataSync() as Float32Array, { shape: given.shape, device: given.device, requiresGrad: true }));
    try {
      const { y, values } = outputOf("extractSymmetries", model, x, 0);
      check(y.size > 0, "ERR_LCONV_SHAPE", () => `extractSymmetries: the model's output is empty, ${showShape(y.shape)}`);
      const k = y.size / N;
      checkSame("extractSymmetries", values, outputOf("extractSymmetries", model, x, 0).values);
      const flat = reshape(y, [N, k]);
      const J = Array.from({ length: k }, (_, a) => gradients(sum(slice(flat, [0, a], [N, 1])), [x])[0].dataSync());
      checkGradients(J);
      return { x: x.dataSync(), y: values, J, sizes: { N, m, d, k } };
    } finally {
      x.dispose();
    }
  });
}

function checkGradients(J: readonly ArrayLike<number>[]): void {
  const sizes = J.map(squares);
  const bad = sizes.findIndex((size) => !Number.isFinite(size));
  if (bad >= 0) throw new LconvError("ERR_LCONV_NONFINITE", `extractSymmetries: the gradient of output ${bad} of f is not finite`);
  check(
    sizes.some((size) => size > 0),
    "ERR_LCONV_ARGUMENT",
    () => "extractSymmetries: the gradient of f is zero throughout: f does not depend on x, so every direction is a symmetry",
  );
}

/**
 * Unknowns c: coefficients of L (its d^2 entries, or those of `within`), then the k^2 entries of L_c. Every sample n and output a is an equation
 * row . c = 0. Minimises c M c against c G c, M the mean of row row^T, G the mean of what a gradient of the same size in a random direction
 * would give, and of |L_c f|^2: so the residual of a generic direction is about 1, whatever the scales of x and f. So is that of a direction
 * which the data never show (L x = 0 and L_c f = 0 for all x), by a ridge on both.
 */
class Problem {
  readonly notes: string[] = [];
  readonly #data: Differentiated;
  readonly #within: Basis | undefined;
  readonly #n: number; // coefficients of L
  readonly #unknowns: number;
  readonly #images: readonly Matrix[]; // with `within`: B_i x as [d, N m]
  readonly #weights: Float64Array; // 1 / mean |J_a|^2

  constructor(data: Differentiated, equivariant: boolean, within: Basis | undefined) {
    const { N, m, d, k } = data.sizes;
    check(
      within === undefined || within.d === d,
      "ERR_LCONV_SHAPE",
      () => `extractSymmetries: within acts on ${within?.d} positions, x has d = ${d}`,
    );
    this.#data = data;
    this.#within = within;
    this.#n = within ? within.n_L : d * d;
    this.#unknowns = this.#n + (equivariant ? k * k : 0);
    check(
      this.#unknowns <= MOST_UNKNOWNS,
      "ERR_LCONV_ARGUMENT",
      () =>
        `extractSymmetries: d = ${d} makes ${this.#unknowns} unknowns, at most ${MOST_UNKNOWNS} can be solved for; ` +
        "pass `within`, a basis to look in, such as lie.affine(p, q)",
    );
    check(
      N * k >= 2 * this.#unknowns,
      "ERR_LCONV_ARGUMENT",
      () =>
        `extractSymmetries: ${N} samples with ${k} outputs are ${N * k} equations for ${this.#unknowns} unknowns, which would find symmetries that ` +
        `are none; pass at least ${Math.ceil((2 * this.#unknowns) / k)} samples`,
    );
    this.#weights = Float64Array.from(data.J, (J) => (squares(J) > 0 ? (N * m * d) / squares(J) : 0)); // a constant output says nothing
    const X = new Matrix(Array.from({ length: N * m }, (_, row) => Array.from({ length: d }, (_, nu) => data.x[row * d + nu]))).transpose();
    this.#images = within ? within.generators.map((g) => apply(g, X)) : [];
  }

  solve(samples: readonly number[]): { residuals: number[]; directions: number[][] } {
    const { M, G } = this.#matrices(samples);
    const p = this.#unknowns;
    addRidge(M, G, 0, this.#n);
    addRidge(M, G, this.#n, p);
    const lower = new CholeskyDecomposition(G).lowerTriangularMatrix;
    const half = forward(lower, M); // C^-1 M
    const reduced = symmetric(Float64Array.from(forward(lower, half.transpose()).to1DArray()), p); // C^-1 M C^-T
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(reduced, { assumeSymmetric: true });
    const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[a] - realEigenvalues[b]);
    const directions = backward(lower, eigenvectorMatrix);
    return {
      residuals: order.map((k) => Math.sqrt(Math.max(0, realEigenvalues[k]))),
      directions: order.map((k) => directions.getColumn(k)),
    };
  }

  generator(c: readonly number[]): { L: Generator; L_c: Matrix | undefined } {
    const { d, k } = this.#data.sizes;
    const first = c.slice(0, this.#n);
    const L: Generator = this.#within
      ? combination(this.#within.generators, first)
      : { form: "dense", d, L: Matrix.from1DArray(d, d, first) };
    const size = norm(L) || 1; // a symmetry of the labels alone has L = 0
    const rest = c.slice(this.#n).map((value) => value / size);
    return { L: scaled(L, 1 / size), L_c: rest.length > 0 ? Matrix.from1DArray(k, k, rest) : undefined };
  }

  #matrices(samples: readonly number[]): { M: Matrix; G: Matrix } {
    const p = this.#unknowns;
    const [M, G] = [new Float64Array(p * p), new Float64Array(p * p)];
    const row = new Float64Array(p);
    for (const n of samples) {
      this.#data.J.forEach((J, a) => {
        const weight = this.#weights[a] / samples.length;
        this.#equation(n, a, J, row);
        addOuter(M, row, weight);
        this.#addMetric(G, n, a, J, weight);
      });
    }
    return { M: symmetric(M, p), G: symmetric(G, p) };
  }

  /** row . c = J_a L x - (L_c f)_a */
  #equation(n: number, a: number, J: ArrayLike<number>, row: Float64Array): void {
    const { m, d, k } = this.#data.sizes;
    const { x, y } = this.#data;
    row.fill(0);
    for (let c = 0; c < m; c++) {
      const at = (n * m + c) * d;
      for (let mu = 0; mu < d; mu++) {
        const slope = J[at + mu];
        if (this.#within) for (let i = 0; i < this.#n; i++) row[i] += slope * this.#images[i].get(mu, n * m + c);
        else for (let nu = 0; nu < d; nu++) row[mu * d + nu] += slope * x[at + nu];
      }
    }
    for (let b = 0; this.#unknowns > this.#n && b < k; b++) row[this.#n + a * k + b] = -y[n * k + b];
  }

  /** G += weight (|J|^2 / (m d) |L x|^2 + (L_c f)_a^2), as a form in c. */
  #addMetric(G: Float64Array, n: number, a: number, J: ArrayLike<number>, weight: number): void {
    const { m, d, k } = this.#data.sizes;
    const { x, y } = this.#data;
    const p = this.#unknowns;
    let size = 0;
    for (let at = n * m * d; at < (n + 1) * m * d; at++) size += J[at] ** 2;
    const share = (weight * size) / (m * d);
    for (let c = 0; c < m; c++) {
      const at = (n * m + c) * d;
      if (this.#within) {
        for (let i = 0; i < this.#n; i++)
          for (let j = 0; j < this.#n; j++) {
            let dot = 0;
            for (let mu = 0; mu < d; mu++) dot += this.#images[i].get(mu, n * m + c) * this.#images[j].get(mu, n * m + c);
            G[i * p + j] += share * dot;
          }
      } else {
        for (let nu = 0; nu < d; nu++)
          for (let rho = 0; rho < d; rho++) {
            const product = share * x[at + nu] * x[at + rho];
            for (let mu = 0; mu < d; mu++) G[(mu * d + nu) * p + mu * d + rho] += product;
          }
      }
    }
    for (let b = 0; p > this.#n && b < k; b++)
      for (let e = 0; e < k; e++) G[(this.#n + a * k + b) * p + this.#n + a * k + e] += weight * y[n * k + b] * y[n * k + e];
  }
}

/** Adds a small share of the mean diagonal entry of G in first..end - 1 to the diagonals of both. */
function addRidge(M: Matrix, G: Matrix, first: number, end: number): void {
  let trace = 0;
  for (let c = first; c < end; c++) trace += G.get(c, c);
  const ridge = Math.max((RIDGE * trace) / (end - first), Number.MIN_VALUE);
  for (let c = first; c < end; c++) for (const A of [M, G]) A.set(c, c, A.get(c, c) + ridge);
}

/** The upper half twice: sums in another order differ in their last bits. */
function symmetric(A: Float64Array, p: number): Matrix {
  for (let i = 0; i < p; i++) for (let j = 0; j < i; j++) A[i * p + j] = A[j * p + i];
  return Matrix.from1DArray(p, p, A);
}

function squares(values: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < values.length; k++) total += values[k] ** 2;
  return total;
}

function addOuter(M: Float64Array, row: Float64Array, weight: number): void {
  const p = row.length;
  for (let i = 0; i < p; i++) {
    const factor = weight * row[i];
    if (factor !== 0) for (let j = 0; j < p; j++) M[i * p + j] += factor * row[j];
  }
}

/** C^-1 B for lower triangular C. */
function forward(C: Matrix, B: Matrix): Matrix {
  const X = B.clone();
  for (let i = 0; i < C.rows; i++) {
    for (let j = 0; j < i; j++) {
      const factor = C.get(i, j);
      if (factor !== 0) for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) - factor * X.get(j, c));
    }
    for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) / C.get(i, i));
  }
  return X;
}

/** C^-T B for lower triangular C. */
function backward(C: Matrix, B: Matrix): Matrix {
  const X = B.clone();
  for (let i = C.rows - 1; i >= 0; i--) {
    for (let j = i + 1; j < C.rows; j++) {
      const factor = C.get(j, i);
      if (factor !== 0) for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) - factor * X.get(j, c));
    }
    for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) / C.get(i, i));
  }
  return X;
}
