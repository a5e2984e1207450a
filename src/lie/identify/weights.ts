import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { balance } from "./closedCoordinates.js";
import { commutator, orthonormal, sumOf } from "./frame.js";
import { gapAfterOneTurn } from "./returning.js";
import { settled } from "./settle.js";
import { leftVectors, type ZeroTest } from "./zeroTest.js";

/** What an abelian algebra of matrices is as a group: a torus, or lines. Rows are in terms of the matrices given. */
export interface Flows {
  /** Those whose flows return: rows whose weights are integers, if `commensurate`. */
  circles: number[][];
  /** Semisimple with imaginary weights, but without a lattice: their flows never return. */
  winding: number[][];
  /** Hyperbolic, unipotent, or spirals. */
  lines: number[][];
  /** Integer weights of the circles, [planes, circles]. */
  weights: number[][];
  /** The dimension of the greatest torus that is not excluded. */
  mostCircles: number;
}

/** A coincidence of integers that is more likely than this is no evidence. */
const UNLIKELY = 0.05;

/**
 * Abelian matrices, each with an error of `uncertainty` times its norm, all entries alike. Balanced (see `balance`), a semisimple matrix is normal and
 * what is unipotent has shrunk to its error; of the normal ones the symmetric part says which grow. What the balance has shrunk may be a part of a matrix
 * that turns as well, so a circle is one only if exp(2 pi L) = 1 in the coordinates given.
 */
export function flowsOf(given: readonly Matrix[], uncertainty: number, test: ZeroTest): Flows {
  const plain = orthonormal(given);
  const { matrices, amplification } = settled(balance(plain.matrices, { ridge: 1e-9, steps: 200 }));
  const error = uncertainty * amplification;
  const parts = separate(matrices, error, test, "unipotent part");
  const imaginary = separate(
    parts.other.map((c) => symmetricPart(sumOf(c, matrices))),
    error,
    test,
    "real parts of weights",
  );
  const back = (rows: readonly number[][]): number[][] => rows.map((row) => combine(row, parts.other));
  const turning = back(imaginary.zero);
  const growing = back(imaginary.other);
  const unclear = parts.zero.length + (test.doubts.includes("real parts of weights") ? growing.length : 0);
  const inGiven = (rows: readonly number[][]): number[][] => rows.map((row) => combine(row, plain.rows.to2DArray()));
  const lines = [...parts.zero, ...growing];
  const none = { circles: [], weights: [], winding: inGiven(turning), lines: inGiven(lines), mostCircles: turning.length + unclear };
  if (turning.length === 0) return none;
  const lattice = latticeOf(
    turning.map((c) => sumOf(c, matrices)),
    error,
  );
  if (!lattice) return none;
  const candidates = lattice.rows.map((row) => combine(row, turning));
  const returns = returning(
    candidates.map((c) => sumOf(c, plain.matrices)),
    uncertainty,
    test,
  );
  const circles = candidates.filter((_, at) => returns[at]);
  const failing = candidates.filter((_, at) => !returns[at]);
  return {
    ...{ circles: inGiven(circles), winding: [], lines: inGiven([...failing, ...lines]), mostCircles: candidates.length + unclear },
    weights: lattice.weights.map((w) => w.filter((_, at) => returns[at])),
  };
}

/** Which of these, whose weights are integers, have a flow that is back after one turn. */
const returning = (candidates: readonly Matrix[], uncertainty: number, test: ZeroTest): boolean[] =>
  candidates.map((L) => test.isZero(gapAfterOneTurn(L, candidates, uncertainty * L.norm("frobenius")), "nilpotent part of a rotation"));

const symmetricPart = (L: Matrix): Matrix => Matrix.add(L, L.transpose()).div(2);

const combine = (c: readonly number[], rows: readonly number[][]): number[] =>
  rows[0].map((_, k) => c.reduce((sum, value, i) => sum + value * rows[i][k], 0));

/** Combinations whose matrices are no larger than their error, and the others. */
function separate(matrices: readonly Matrix[], error: number, test: ZeroTest, what: string): { zero: number[][]; other: number[][] } {
  const split: { zero: number[][]; other: number[][] } = { zero: [], other: [] };
  if (matrices.length === 0) return split;
  const flat = new Matrix(matrices.map((L) => L.to1DArray()));
  const U = leftVectors(flat);
  const images = U.mmul(flat);
  const d = matrices[0].rows;
  for (let row = 0; row < U.rows; row++) {
    const image = images.getRow(row);
    const shrinking = abnormality(Matrix.from1DArray(d, d, image)) > NORMAL;
    split[shrinking || test.isZero(Math.hypot(...image) / error, what) ? "zero" : "other"].push(U.getRow(row));
  }
  return split;
}

/** Matrices further from normal than this still have a nilpotent part to lose. */
const NORMAL = 0.1;

/** |[L, L^T]| / |L|^2: 0 for a normal matrix, of order 1 for a nilpotent one. */
const abnormality = (L: Matrix): number => commutator(L, L.transpose()).norm("frobenius") / L.norm("frobenius") ** 2;

/**
 * The weights of commuting, nearly antisymmetric matrices as integers: `rows` are combinations of them whose weights are. Undefined where no small
 * integers fit, or where some would fit any weights.
 */
function latticeOf(matrices: readonly Matrix[], error: number): { rows: number[][]; weights: number[][] } | undefined {
  const k = matrices.length;
  const weights = planeWeights(matrices);
  const chosen = independentRows(weights, k);
  if (chosen.length < k) return undefined;
  const base = new Matrix(chosen.map((at) => weights[at]));
  const inverted = new SingularValueDecomposition(base).inverse();
  const rest = weights.flatMap((w, at) => (chosen.includes(at) ? [] : [Matrix.rowVector(w).mmul(inverted).to1DArray()]));
  const precision = error / matrices[0].rows; // of one entry of a matrix
  const q = commonDenominator(rest, precision * inverted.norm("frobenius"));
  if (q === undefined) return undefined;
  const rows = inverted
    .transpose()
    .to2DArray()
    .map((row) => row.map((value) => value * q)); // dual to the chosen weights
  return { rows, weights: weights.map((w) => rows.map((row) => Math.round(row.reduce((sum, value, i) => sum + value * w[i], 0)))) };
}

/**
 * The least q such that all q c are integers within twice their errors, if chance would not have found one as well: within errors e a random c fits
 * with the probability 2 q e, and all q up to the one found were tried. Equal and vanishing weights are coincidences like others.
 */
function commonDenominator(rest: readonly number[][], precision: number): number | undefined {
  let chance = 0;
  for (let q = 1; ; q++) {
    const entries = rest.flatMap((c) => c.map((value) => ({ value: q * value, margin: 2 * q * precision * Math.hypot(1, ...c) })));
    chance += entries.reduce((product, { margin }) => product * Math.min(1, 2 * margin), 1);
    if (entries.length > 0 && chance > UNLIKELY) return undefined;
    if (entries.every(({ value, margin }) => Math.abs(value - Math.round(value)) <= margin)) return q;
  }
}

/** Of each invariant plane how fast each matrix turns it; 0 for planes that are left alone. */
function planeWeights(matrices: readonly Matrix[]): number[][] {
  const d = matrices[0].rows;
  const mixture = new Philox(3, streams.user).normal(matrices.length);
  const antisymmetric = matrices.map((L) => Matrix.sub(L, L.transpose()).div(2));
  const X = sumOf(Array.from(mixture), antisymmetric);
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(X.transpose().mmul(X), { assumeSymmetric: true });
  const order = realEigenvalues.map((_, at) => at).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]); // each plane has its value twice
  return order.slice(0, 2 * Math.floor(d / 2)).flatMap((column, at) => {
    if (at % 2 === 1) return [];
    const v = V.getColumnVector(column);
    const w = X.mmul(v);
    const size = w.norm("frobenius");
    return [antisymmetric.map((L) => (size > 0 ? w.transpose().mmul(L).mmul(v).get(0, 0) / size : 0))];
  });
}

/** Indices of k rows that are as independent as can be, by pivoting. */
function independentRows(rows: readonly number[][], k: number): number[] {
  const left = rows.map((row) => [...row]);
  const chosen: number[] = [];
  while (chosen.length < k) {
    const sizes = left.map((row) => Math.hypot(...row));
    const at = sizes.indexOf(Math.max(...sizes));
    if (at < 0 || sizes[at] < 1e-3 * Math.hypot(...rows[at])) break;
    const unit = left[at].map((value) => value / sizes[at]);
    chosen.push(at);
    for (const row of left) {
      const along = row.reduce((sum, value, i) => sum + value * unit[i], 0);
      row.forEach((value, i) => {
        row[i] = value - along * unit[i];
      });
    }
  }
  return chosen;
}

/** so(2)^a + R^b */
export function centerName(circles: number, lines: number): string[] {
  const power = (name: string, k: number): string[] => (k === 0 ? [] : [k === 1 ? name : `${name}^${k}`]);
  return [...power("so(2)", circles), ...power("R", lines)];
}

export const flowsName = ({ circles, winding, lines }: Flows): string[] => centerName(circles.length, winding.length + lines.length);
