import { CholeskyDecomposition, EigenvalueDecomposition, Matrix } from "ml-matrix";
import { gradients } from "../autograd/autograd.js";
import type { Pieces } from "../engine/breathe.js";
import { check, LconvError, showShape } from "../errors.js";
import { sum } from "../ops/reduce.js";
import { reshape, slice } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import type { Basis } from "./basis.js";
import { apply, combination, type Generator, norm, scaled } from "./generator.js";
import { checkSame, type Model, outputOf } from "./lieDerivative.js";

const MOST_UNKNOWNS = 1100;
const RIDGE = 1e-12;

/** x [N, m, d], f(x) [N, k] and its gradients [k][N, m, d], on the host. */
interface Differentiated {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  J: readonly ArrayLike<number>[];
  sizes: { N: number; m: number; d: number; k: number };
}

/** Throws as extractSymmetries does for a model that cannot be examined. */
export function differentiate(model: Model, given: Tensor): Differentiated {
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
export class GradientProblem {
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

  *solve(samples: readonly number[]): Pieces<{ residuals: number[]; directions: number[][] }> {
    const { M, G } = yield* this.#matrices(samples);
    const p = this.#unknowns;
    addRidge(M, G, 0, this.#n);
    addRidge(M, G, this.#n, p);
    const lower = new CholeskyDecomposition(G).lowerTriangularMatrix;
    const half = yield* forward(lower, M); // C^-1 M
    const reduced = symmetric(Float64Array.from((yield* forward(lower, half.transpose())).to1DArray()), p); // C^-1 M C^-T
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(reduced, { assumeSymmetric: true });
    const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[a] - realEigenvalues[b]);
    const directions = yield* backward(lower, eigenvectorMatrix);
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

  *#matrices(samples: readonly number[]): Pieces<{ M: Matrix; G: Matrix }> {
    const p = this.#unknowns;
    const [M, G] = [new Float64Array(p * p), new Float64Array(p * p)];
    const row = new Float64Array(p);
    for (const n of samples) {
      this.#data.J.forEach((J, a) => {
        this.#equation(n, a, J, row);
        addOuter(M, row, this.#weights[a] / samples.length);
      });
      this.#addActionMetric(G, n, 1 / samples.length);
      if (p > this.#n) this.#addLabelMetric(G, n, 1 / samples.length);
      yield;
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

  /** G += factor sum_a w_a |J_a|^2 / (m d) |L x|^2, as a form in c. */
  #addActionMetric(G: Float64Array, n: number, factor: number): void {
    const { m, d } = this.#data.sizes;
    const { x, J } = this.#data;
    const p = this.#unknowns;
    let slopes = 0;
    J.forEach((values, a) => {
      for (let at = n * m * d; at < (n + 1) * m * d; at++) slopes += this.#weights[a] * values[at] ** 2;
    });
    const share = (factor * slopes) / (m * d);
    for (let c = 0; c < m; c++) {
      const at = (n * m + c) * d;
      if (this.#within) {
        const images = this.#images.map((image) => image.getColumn(n * m + c));
        images.forEach((a, i) => {
          images.forEach((b, j) => {
            G[i * p + j] += share * a.reduce((total, value, mu) => total + value * b[mu], 0);
          });
        });
      } else {
        for (let nu = 0; nu < d; nu++)
          for (let rho = 0; rho < d; rho++) {
            const product = share * x[at + nu] * x[at + rho];
            for (let mu = 0; mu < d; mu++) G[(mu * d + nu) * p + mu * d + rho] += product;
          }
      }
    }
  }

  /** G += factor sum_a w_a (L_c f)_a^2 */
  #addLabelMetric(G: Float64Array, n: number, factor: number): void {
    const { k } = this.#data.sizes;
    const { y } = this.#data;
    const p = this.#unknowns;
    for (let a = 0; a < k; a++) {
      const first = this.#n + a * k;
      for (let b = 0; b < k; b++)
        for (let e = 0; e < k; e++) G[(first + b) * p + first + e] += factor * this.#weights[a] * y[n * k + b] * y[n * k + e];
    }
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
function* forward(C: Matrix, B: Matrix): Pieces<Matrix> {
  const X = B.clone();
  for (let i = 0; i < C.rows; i++) {
    for (let j = 0; j < i; j++) {
      const factor = C.get(i, j);
      if (factor !== 0) for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) - factor * X.get(j, c));
    }
    for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) / C.get(i, i));
    yield;
  }
  return X;
}

/** C^-T B for lower triangular C. */
function* backward(C: Matrix, B: Matrix): Pieces<Matrix> {
  const X = B.clone();
  for (let i = C.rows - 1; i >= 0; i--) {
    for (let j = i + 1; j < C.rows; j++) {
      const factor = C.get(j, i);
      if (factor !== 0) for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) - factor * X.get(j, c));
    }
    for (let c = 0; c < X.columns; c++) X.set(i, c, X.get(i, c) / C.get(i, i));
    yield;
  }
  return X;
}
