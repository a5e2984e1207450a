import { inverse, Matrix, pseudoInverse, SingularValueDecomposition } from "ml-matrix";
import { check } from "../errors.js";
import { eigenvalueOf } from "../lie/functions/quasiTriangular.js";
import { type Block, diagonalBlocks, schur } from "../lie/functions/schur.js";
import { type Generator, toDense } from "../lie/generators/generator.js";

/**
 * The planes in which the flow of a generator turns, each at its own speed: with c = into x, of which c_j and c_{q + j} are the coordinates in plane j,
 * exp(tL) x = x + out c', c'_j = (cos t w_j - 1) c_j + sin(t w_j) c_{q + j} and c'_{q + j} = -sin(t w_j) c_j + (cos t w_j - 1) c_{q + j}.
 */
export interface Planes {
  /** w_j, scaled so that their root mean square is 1; [q]. */
  frequencies: Float64Array;
  /** [2 q, d] */
  into: Matrix;
  /** [d, 2 q] */
  out: Matrix;
}

/** What is less than this share of the greatest of its kind is rounding. */
const ROUNDING = 1e-5;
/** The coordinates of planes that are nearly the same are not known. */
const WORST_CONDITION = 1e8;
/** Positions of a generator that has no factors of low rank. */
const MOST_DENSE = 256;

/** Throws ERR_LCONV_ARGUMENT for a generator along whose flow something grows, shrinks or drifts, and for a dense one with more than 256 positions. */
export function planesOf(g: Generator): Planes {
  check(
    g.form === "lowRank" || g.d <= MOST_DENSE,
    "ERR_LCONV_ARGUMENT",
    () =>
      `planes of a generator of ${g.d} positions are found from its factors of low rank, U V, and it is ${g.form}; make it with lie.lowRank`,
  );
  const { U, V } = g.form === "lowRank" ? g : { U: Matrix.eye(g.d), V: toDense(g) };
  const M = V.mmul(U); // L U = U M
  const { P, pairs, growth } = blockDiagonal(M);
  const greatest = Math.max(0, ...pairs.map(({ w }) => w));
  const turning = pairs.filter(({ w }) => w > ROUNDING * greatest);
  const solved = Matrix.sub(M.mmul(P), P.mmul(blocksOf(pairs, M.rows))).norm() <= ROUNDING * M.norm() * P.norm();
  const sound =
    solved && turning.length > 0 && growth <= ROUNDING * greatest && new SingularValueDecomposition(P).condition < WORST_CONDITION;
  const [inside, outside] = sound ? [inverse(P).mmul(V), U.mmul(P)] : [V, U];
  check(
    sound && !drifts(inside, outside, turning),
    "ERR_LCONV_ARGUMENT",
    () => "the flow of a generator does not only turn: something grows, shrinks or drifts; take those of `lconv discover --distribution`",
  );
  // M P = P B with blocks B = [[0, w], [-w, 0]], and exp(tL) = 1 + U P B^-1 (exp(tB) - 1) P^-1 V.
  const q = turning.length;
  const scale = Math.sqrt(turning.reduce((sum, { w }) => sum + w ** 2, 0) / q);
  const [into, out] = [Matrix.zeros(2 * q, g.d), Matrix.zeros(g.d, 2 * q)];
  for (const [j, { at, w }] of turning.entries()) {
    into.setRow(j, inside.getRow(at)).setRow(q + j, inside.getRow(at + 1));
    out.setColumn(j, outside.getColumnVector(at + 1).div(w));
    out.setColumn(q + j, outside.getColumnVector(at).div(-w));
  }
  return { frequencies: Float64Array.from(turning, ({ w }) => w / scale), into, out };
}

/** [[0, w], [-w, 0]] at the place of each pair. */
function blocksOf(pairs: readonly Pair[], n: number): Matrix {
  const B = Matrix.zeros(n, n);
  for (const { at, w } of pairs) B.set(at, at + 1, w).set(at + 1, at, -w);
  return B;
}

/** A pair of columns of P that M turns into each other. */
interface Pair {
  at: number;
  w: number;
}

/** P with M P = P B, B block diagonal, [[a, w], [-w, a]] for each pair of eigenvalues a +- iw; `growth` is the greatest |a|, of single eigenvalues, too. */
function blockDiagonal(M: Matrix): { P: Matrix; pairs: Pair[]; growth: number } {
  const { Q, T } = schur(M);
  const blocks = diagonalBlocks(T);
  const X = Matrix.eye(M.rows);
  const part = (A: Matrix, i: Block, j: Block): Matrix => A.subMatrix(i.at, i.at + i.size - 1, j.at, j.at + j.size - 1);
  for (const [j, right] of blocks.entries())
    for (let i = j - 1; i >= 0; i--) {
      const left = blocks[i];
      const C = Matrix.zeros(left.size, right.size);
      for (const middle of blocks.slice(i + 1, j + 1)) C.sub(part(T, left, middle).mmul(part(X, middle, right)));
      X.setSubMatrix(decoupled(part(T, left, left), part(T, right, right), C), left.at, right.at);
    }
  const P = Q.mmul(X);
  const pairs = blocks.flatMap((block): Pair[] => {
    if (block.size === 1) return [];
    const { at } = block;
    const b = T.get(at, at + 1);
    P.mulColumn(at + 1, Math.sign(b) * Math.sqrt(-T.get(at + 1, at) / b)); // from [[a, b], [c, a]]
    return [{ at, w: eigenvalueOf(T, block)[1] }];
  });
  return { P, pairs, growth: Math.max(...blocks.map((block) => Math.abs(eigenvalueOf(T, block)[0]))) };
}

/** Y with A Y - Y B = C, the shortest where A and B have an eigenvalue in common. */
function decoupled(A: Matrix, B: Matrix, C: Matrix): Matrix {
  const system = A.kroneckerProduct(Matrix.eye(B.rows)).sub(Matrix.eye(A.rows).kroneckerProduct(B.transpose()));
  const Y = pseudoInverse(system, ROUNDING * 1e-5 * (A.norm() + B.norm())).mmul(Matrix.columnVector(C.to1DArray()));
  return Matrix.from1DArray(A.rows, B.rows, Y.to1DArray());
}

/** Whether L is more than rounding outside of its planes. */
function drifts(inside: Matrix, outside: Matrix, turning: readonly Pair[]): boolean {
  const paired = new Set(turning.flatMap(({ at }) => [at, at + 1]));
  const size = (j: number): number => outside.getColumnVector(j).norm() * inside.getRowVector(j).norm();
  const sizes = Array.from({ length: inside.rows }, (_, j) => size(j));
  const most = Math.max(...turning.map(({ at }) => sizes[at]));
  return sizes.some((value, j) => !paired.has(j) && value > ROUNDING * most);
}
