import { Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { expDense } from "../functions/scalingSquaring.js";
import { orthonormal, product, sumOf } from "./frame.js";

const DRAWS = 12;

/**
 * By how many times its noise exp(2 pi L) differs from 1. L = S + N (Jordan and Chevalley) with integer weights i m of S has exp(2 pi L) = exp(2 pi N), so
 * it is 1 where N = 0 and in no other case; noise E adds 2 pi sum_m P_m E P_m to first order, P_m the projectors on the weight spaces (Higham, Functions
 * of Matrices, 3.2). No coordinates are chosen, so that none can hide N. What another choice of L among `others` would change does not count.
 */
export function gapAfterOneTurn(L: Matrix, others: readonly Matrix[], error: number): number {
  const d = L.rows;
  const random = new Philox(5, streams.user);
  const turn = (A: Matrix): Matrix => expDense(Matrix.mul(A, 2 * Math.PI));
  const once = turn(L);
  const noise = Array.from({ length: DRAWS }, () => Matrix.from1DArray(d, d, random.normal(d * d)).mul(error / d));
  const basis = orthonormal(others).matrices;
  const size = (A: Matrix): number => without(A, basis).norm("frobenius");
  const moved = noise.map((E) => size(turn(Matrix.add(L, E)).sub(once)));
  const gap = size(Matrix.sub(once, Matrix.eye(d))) / Math.max(Math.hypot(...moved) / Math.sqrt(DRAWS), Number.MIN_VALUE);
  return Number.isNaN(gap) ? 0 : gap; // all is blurred
}

const without = (A: Matrix, basis: readonly Matrix[]): Matrix =>
  Matrix.sub(
    A,
    sumOf(
      basis.map((B) => product(B, A)),
      basis,
    ),
  );
