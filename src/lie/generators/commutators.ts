import { Matrix } from "ml-matrix";
import { inPieces, type Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import type { Basis } from "./basis.js";
import {
  apply,
  applyTransposed,
  checkDenseFits,
  elementwise,
  type Generator,
  inner,
  type LowRankGenerator,
  norm,
  type SparseGenerator,
  sparse,
  toDense,
  traceOfProduct,
} from "./generator.js";

/** All inner products that structure constants are made of. */
export interface Commutators {
  /** <L_i, L_j> */
  gram: Matrix;
  /** projections[i][j][l] = <L_l, [L_i, L_j]> */
  projections: readonly (readonly (readonly number[])[])[];
  /** |[L_i, L_j]|^2 */
  norms: Matrix;
  /**
   * What the norms are to be measured by: min(|L_i|_2 |L_j|, |L_i| |L_j|_2)^2 with the operator norm |.|_2, of which a commutator has at most twice
   * the root. Not |L_i L_j|^2: of generators such as translations that is rounding, and so would be the ratio.
   */
  scales: Matrix;
}

/**
 * Low rank by d_h x d_h blocks; other forms by the products L_i L_j themselves, which stay sparse where the generators are. With `data` [d, N]
 * all inner products are <A X, B X> / N instead, by the action of generators alone. `gram` is that of the basis. In pieces.
 */
export function* commutators(basis: Basis, gram: Matrix, data?: Matrix): Pieces<Commutators> {
  if (data) return yield* byAction(gram, basis.generators, data);
  return basis.generators.every((g) => g.form === "lowRank")
    ? yield* byBlocks(gram, basis.generators as readonly LowRankGenerator[])
    : yield* byProducts(gram, basis.generators);
}

const cube = (n: number): number[][][] => Array.from({ length: n }, () => Array.from({ length: n }, () => new Array<number>(n).fill(0)));

function* byProducts(gram: Matrix, generators: readonly Generator[]): Pieces<Commutators> {
  return yield* overPairs(gram, yield* gains(generators), function* (i, j) {
    const forth = product(generators[i], generators[j]);
    yield;
    const back = product(generators[j], generators[i]);
    yield;
    const bracket = difference(forth, back);
    return {
      norm: norm(bracket) ** 2,
      projections: generators.map((g) => inner(g, bracket)),
    };
  });
}

function* byAction(gram: Matrix, generators: readonly Generator[], X: Matrix): Pieces<Commutators> {
  const images = yield* inPieces(generators, (g) => apply(g, X));
  const square = (A: Matrix): number => elementwise(A, A) / X.columns;
  const gains = images.map((image) => square(image) / square(X));
  const result = yield* overPairs(gram, gains, function* (i, j) {
    const forth = apply(generators[i], images[j]);
    yield;
    const back = apply(generators[j], images[i]);
    yield;
    gains[i] = Math.max(gains[i], square(forth) / gram.get(j, j));
    gains[j] = Math.max(gains[j], square(back) / gram.get(i, i));
    const bracket = Matrix.sub(forth, back);
    return {
      norm: square(bracket),
      projections: images.map((image) => elementwise(image, bracket) / X.columns),
    };
  });
  return { ...result, scales: scalesOf(gram, gains) }; // with the gains of all pairs
}

/** |L|_2^2 of each, from below, by the power method on L^T L. */
function gains(generators: readonly Generator[]): Pieces<number[]> {
  return inPieces(generators, (g) => {
    let x = Matrix.columnVector(new Philox(1, streams.user).normal(g.d));
    let gain = 0;
    for (let step = 0; step < POWER_STEPS; step++) {
      const y = apply(g, x.div(x.norm("frobenius")));
      gain = Math.max(gain, elementwise(y, y));
      if (gain === 0) return 0;
      x = applyTransposed(g, y);
    }
    return gain;
  });
}

/** A lower bound on the greatest is good enough within some per cent. */
const POWER_STEPS = 12;

const scalesOf = (gram: Matrix, gains: readonly number[]): Matrix =>
  new Matrix(gains.map((a, i) => gains.map((b, j) => (i === j ? 0 : Math.min(a * gram.get(j, j), b * gram.get(i, i))))));

interface Pair {
  norm: number;
  projections: readonly number[];
}

/** Fills in both halves from the pairs i < j: [L_j, L_i] = -[L_i, L_j]. */
function* overPairs(gram: Matrix, gains: readonly number[], of: (i: number, j: number) => Pieces<Pair>): Pieces<Commutators> {
  const n = gram.rows;
  const [norms, projections] = [Matrix.zeros(n, n), cube(n)];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const pair = yield* of(i, j);
      for (const [a, b] of [
        [i, j],
        [j, i],
      ]) {
        norms.set(a, b, pair.norm);
        projections[a][b] = pair.projections.map((value) => (a < b ? value : -value));
      }
      yield;
    }
  }
  return { gram, projections, norms, scales: scalesOf(gram, gains) };
}

/** A B: of low rank where one of them is, sparse where both are, else dense. Throws ERR_LCONV_ARGUMENT where that would not fit in memory. */
export function product(a: Generator, b: Generator): Generator {
  if (a.form === "lowRank") return { ...a, V: applyTransposed(b, a.V.transpose()).transpose() };
  if (b.form === "lowRank") return { ...b, U: apply(a, b.U) };
  if (a.form === "sparse" && b.form === "sparse") return sparseProduct(a, b);
  checkDenseFits("structure", a.d, 4);
  if (b.form === "sparse") return { form: "dense", d: a.d, L: applyTransposed(b, toDense(a).transpose()).transpose() };
  return { form: "dense", d: a.d, L: apply(a, b.L) };
}

function difference(a: Generator, b: Generator): Generator {
  if (a.form === "sparse" && b.form === "sparse")
    return sparse(a.d, [...a.rows, ...b.rows], [...a.columns, ...b.columns], [...a.values, ...b.values.map((value) => -value)]);
  return { form: "dense", d: a.d, L: Matrix.sub(toDense(a), toDense(b)) };
}

function sparseProduct(a: SparseGenerator, b: SparseGenerator): SparseGenerator {
  const start = new Int32Array(b.d + 1); // of each row of b
  for (const row of b.rows) start[row + 1]++;
  for (let row = 0; row < b.d; row++) start[row + 1] += start[row];
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []];
  for (let k = 0; k < a.values.length; k++) {
    for (let l = start[a.columns[k]]; l < start[a.columns[k] + 1]; l++) {
      rows.push(a.rows[k]);
      columns.push(b.columns[l]);
      values.push(a.values[k] * b.values[l]);
    }
  }
  return sparse(a.d, rows, columns, values);
}

/**
 * With A_ij = U_i^T U_j, B_ij = V_i U_j and C_ij = V_i V_j^T:
 * <L_l, L_i L_j> = tr(A_li B_ij C_jl), <L_i L_j, L_k L_l> = tr(A_ik B_kl C_lj B_ij^T).
 */
function* byBlocks(gram: Matrix, generators: readonly LowRankGenerator[]): Pieces<Commutators> {
  const block = (of: (a: LowRankGenerator, b: LowRankGenerator) => Matrix): Pieces<Matrix[][]> =>
    inPieces(generators, (a) => generators.map((b) => of(a, b)));
  const A = yield* block((a, b) => a.U.transpose().mmul(b.U));
  const B = yield* block((a, b) => a.V.mmul(b.U));
  const C = yield* block((a, b) => a.V.mmul(b.V.transpose()));
  const overlap = (i: number, j: number, k: number, l: number): number => elementwise(A[i][k].mmul(B[k][l]).mmul(C[l][j]), B[i][j]);
  const projection = (l: number, i: number, j: number): number => traceOfProduct(A[l][i].mmul(B[i][j]), C[j][l]);
  return yield* overPairs(gram, yield* gains(generators), function* (i, j) {
    return {
      norm: overlap(i, j, i, j) + overlap(j, i, j, i) - 2 * overlap(i, j, j, i),
      projections: generators.map((_, l) => projection(l, i, j) - projection(l, j, i)),
    };
  });
}
