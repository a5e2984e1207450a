import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import type { Basis } from "../generators/basis.js";
import { type LowRankGenerator, toDense } from "../generators/generator.js";
import type { Structure } from "../generators/structure.js";
import { type Balanced, balance } from "./closedCoordinates.js";
import { drawsFor, type Sampled, sampled } from "./sampled.js";

/** A span of matrices in the coordinates and the basis in which its structure is least blurred. */
export interface Frame {
  n: number;
  /** Structure constants of the basis below; the part of a commutator outside of the span is left out. */
  algebra: Sampled;
  /** |error| of each matrix below. */
  uncertainty: number;
  /** |error| / |L| in the coordinates in which the generators were given. */
  error: number;
  /** Share of a commutator, of generators of operator norm 1, outside of the span. */
  closure: number;
  /** Orthonormal matrices; undefined where the generators are known by their action on data alone, or are too large. */
  matrices?: readonly Matrix[];
  /** x_a = sum_i coefficients[a, i] L_i */
  coefficients: Matrix;
  /** How the matrices came from those that were given. */
  balanced?: Balanced;
}

/** Even exact input is rounded. */
const LEAST = 1e-9;
/** The uncertainty of a single generator, which has no commutators to estimate it from. */
const OF_ONE = 0.01;
const MOST_DENSE = 64;

/**
 * Ways to look at generators: as they are, or balanced a little or fully. Balancing undoes an unfortunate change of coordinates, which blurs a
 * reductive algebra, but shrinks translations and their like, whose error it blows up.
 */
export const lenses = [undefined, { ridge: 1, steps: 12 }, { ridge: 0.1, steps: 60 }] as const;
export type Lens = (typeof lenses)[number];

/**
 * Generators as dense matrices on what they act on, a subspace for those of low rank; undefined where that has more than 64 dimensions.
 */
export function compactMatrices({ generators, d }: Basis): Matrix[] | undefined {
  if (d <= MOST_DENSE) return generators.map(toDense);
  if (!generators.every((g) => g.form === "lowRank")) return undefined;
  const parts = (generators as readonly LowRankGenerator[]).flatMap(({ U, V }) => [U.transpose(), V]);
  const rows = parts.reduce((sum, { rows }) => sum + rows, 0);
  if (rows > Math.min(d, 4 * MOST_DENSE)) return undefined;
  const stacked = new Matrix(parts.flatMap((part) => part.to2DArray()));
  const { rightSingularVectors, diagonal } = new SingularValueDecomposition(stacked, { autoTranspose: true });
  const rank = diagonal.filter((value) => value > 1e-12 * diagonal[0]).length;
  if (rank > MOST_DENSE) return undefined;
  const Q = new QrDecomposition(rightSingularVectors.subMatrix(0, d - 1, 0, rank - 1)).orthogonalMatrix;
  return (generators as readonly LowRankGenerator[]).map(({ U, V }) => Q.transpose().mmul(U).mmul(V.mmul(Q)));
}

/** Data whose directions vary less than this share of the greatest say little of what generators do there. */
const WELL_SPREAD = 0.05;

/** Whether vectors [d, N] show all that a generator does, so that the generators themselves may be looked at. */
export function fillSpace(X: Matrix): boolean {
  if (X.columns < X.rows || X.rows > MOST_DENSE) return false;
  const { diagonal } = new SingularValueDecomposition(X, { autoTranspose: true });
  return diagonal[X.rows - 1] > WELL_SPREAD * diagonal[0];
}

/**
 * A frame of dense matrices. `uncertainty` is |error| / |L| of each; where it is not given, or less than what commutators that leave the span show,
 * it is that.
 */
export function* frameOf(given: readonly Matrix[], uncertainty?: number, lens?: Lens): Pieces<Frame> {
  const n = given.length;
  const start = orthonormal(given);
  const balanced = balance(start.matrices, lens ?? { ridge: 1, steps: 0 });
  yield;
  const { matrices, rows } = orthonormal(balanced.matrices);
  const speed = Math.max(...matrices.map(operatorNorm));
  const { f, left } = yield* brackets(matrices);
  const noise = yield* noiseDraws(matrices, f, rows, balanced);
  // The same noise of size 1 would leave `unit` outside of the span: so much was there.
  const unit = Math.sqrt(meanOf(noise.map((draw) => draw.left)));
  const seen = unit > 1e-9 ? Math.sqrt(left) / unit : 0;
  const told = uncertainty ?? (n === 1 ? OF_ONE : 0);
  const error = Math.max(LEAST, seen, told);
  const rounded = sampled(f, n, LEAST * speed).draws; // even where no noise can do anything, as of gl(n)
  const draws = noise.map((draw, at) => draw.f.map((value, k) => rounded[at][k] + error * value));
  return {
    n,
    algebra: { n, f, draws },
    uncertainty: Math.max(LEAST, error * Math.sqrt(meanOf(noise.map((draw) => draw.size)))),
    error,
    closure: Math.sqrt(left) / speed,
    matrices,
    coefficients: rows.mmul(start.rows),
    balanced,
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

interface NoiseDraw {
  /** Of the structure constants, to first order. */
  f: Float64Array;
  /** Mean square of what it adds to commutators outside of the span. */
  left: number;
  /** Mean square of the noise of a matrix. */
  size: number;
}

/** What noise of norm 1 on each generator, all entries alike, does behind the change of coordinates. */
function* noiseDraws(matrices: readonly Matrix[], f: Float64Array, rows: Matrix, { P, inverse }: Balanced): Pieces<NoiseDraw[]> {
  const [n, d] = [matrices.length, matrices[0].rows];
  const random = new Philox(n, streams.user);
  const draws: NoiseDraw[] = [];
  while (draws.length < drawsFor(n)) {
    const raw = matrices.map(() => P.mmul(Matrix.from1DArray(d, d, random.normal(d * d)).div(d)).mmul(inverse));
    const noise = rows.to2DArray().map((row) => {
      const E = sumOf(row, raw);
      return E.sub(
        sumOf(
          matrices.map((L) => product(L, E)),
          matrices,
        ),
      ); // noise within the span is another basis
    });
    yield;
    const changes = yield* brackets(matrices, { f, noise });
    draws.push({ ...changes, size: meanOf(noise.map((E) => product(E, E))) });
  }
  return draws;
}

/** The frame of generators that are known by inner products alone. */
export function frameOfStructure({ orthonormal: constants, closureResidual, scale, coefficients }: Structure, uncertainty = 0): Frame {
  const n = constants.length;
  const error = Math.max(LEAST, closureResidual / 2, uncertainty);
  return {
    n,
    algebra: sampled(Float64Array.from(constants.flat(2)), n, 2 * error * scale),
    uncertainty: error,
    error,
    closure: closureResidual,
    coefficients,
  };
}

/** rows [n, n]: the orthonormal matrices from the given ones. */
export function orthonormal(given: readonly Matrix[]): { matrices: Matrix[]; rows: Matrix } {
  const flat = new Matrix(given.map((L) => L.to1DArray()));
  const { leftSingularVectors: U, diagonal } = new SingularValueDecomposition(flat, { autoTranspose: true });
  const rows = Matrix.diag(diagonal.map((value) => 1 / value)).mmul(U.transpose());
  return { rows, matrices: rows.to2DArray().map((row) => sumOf(row, given)) };
}

/** sum_i c_i L_i */
export function sumOf(c: readonly number[], matrices: readonly Matrix[]): Matrix {
  const sum = Matrix.zeros(matrices[0].rows, matrices[0].columns);
  for (const [i, value] of c.entries()) if (value !== 0) sum.add(Matrix.mul(matrices[i], value));
  return sum;
}

export const commutator = (A: Matrix, B: Matrix): Matrix => Matrix.sub(A.mmul(B), B.mmul(A));

/** <A, B> = tr(A^T B) */
export function product(A: Matrix, B: Matrix): number {
  let sum = 0;
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) sum += A.get(i, j) * B.get(i, j);
  return sum;
}

/** Noise E_i on matrices with structure constants f. */
interface Moved {
  f: Float64Array;
  noise: readonly Matrix[];
}

/**
 * Structure constants of orthonormal matrices, or what noise on them changes of their commutators, [E_i, L_j] + [L_i, E_j]; `left` is the mean square
 * of what is outside of the span.
 */
function* brackets(matrices: readonly Matrix[], moved?: Moved): Pieces<{ f: Float64Array; left: number }> {
  const n = matrices.length;
  const f = new Float64Array(n ** 3);
  let left = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const bracket = moved
        ? commutator(moved.noise[i], matrices[j]).add(commutator(matrices[i], moved.noise[j]))
        : commutator(matrices[i], matrices[j]);
      const parts = matrices.map((L) => product(L, bracket));
      parts.forEach((value, k) => {
        f[(i * n + j) * n + k] = value;
        f[(j * n + i) * n + k] = -value;
      });
      const outside = bracket.sub(sumOf(parts, matrices)); // not |bracket|^2 - |parts|^2, which is known to half as many digits
      if (moved) outside.sub(sumOf(Array.from(moved.f.subarray((i * n + j) * n, (i * n + j + 1) * n)), moved.noise)); // the span has moved as well
      left += product(outside, outside);
    }
    yield;
  }
  return { f, left: n > 1 ? left / ((n * (n - 1)) / 2) : 0 };
}

const operatorNorm = (L: Matrix): number => new SingularValueDecomposition(L).diagonal[0];
