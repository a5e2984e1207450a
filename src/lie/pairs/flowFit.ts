import { CholeskyDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { imagesOf, solveEpsilon } from "./elimination.js";
import { type Found, flow, midpoint, moved, ofChannels, weighted } from "./flow.js";
import type { Problem } from "./flowNewton.js";

// Least squares for y = exp(sum_i epsilon_i L_i) x, in turn for L and for epsilon: for generators with more entries than flowNewton.ts can take.

/** Below this change of the residual it has settled. */
const SETTLED = 1e-6;
/** Of what no pair shows: L is 0 there. */
const RIDGE = 1e-10;
/** A round may lose a little on its way. */
const WORSE = 0.05;
const LEAST_STEP = 1 / 64;

/** |y - exp(epsilon L) x| / |y - x| */
interface Fit extends Found {
  residual: number;
}

/** Least squares in turn until the residual settles; the best round is the result, L = 0 where none is better than that. */
export function* alternate(problem: Problem, start: Matrix, fixed: boolean, rounds: number): Pieces<Fit & { round: number }> {
  const { X, Y, m } = problem;
  let now: Fit = { L: Array.from({ length: start.rows }, () => Matrix.zeros(X.rows, X.rows)), epsilon: start, residual: 1 };
  let best = now;
  let round = 0;
  for (let settled = false; !settled && round < rounds; round++) {
    const weights = ofChannels(now.epsilon, m);
    const { rho, Z } = yield* midpoint(X, Y, { L: now.L, epsilon: weights });
    const D = Matrix.add(rho, moved(now.L, weights, Z)); // what epsilon L Z is to be
    const L = solveGenerators(D, Z, weights);
    yield;
    const target = { L, epsilon: fixed ? now.epsilon : solveEpsilon(imagesOf(L, Z, m), D, m, RIDGE) };
    const from = fixed || round > 0 ? now : { L, epsilon: Matrix.mul(now.epsilon, 0) }; // L = 0 and epsilon = 0 move x alike
    const next = yield* stepTowards(problem, from, target, now.residual * (1 + WORSE));
    if (!next) break;
    settled = Math.abs(now.residual - next.residual) < SETTLED;
    now = next;
    if (now.residual < best.residual) best = now;
  }
  return { ...best, round };
}

/** The whole step, or a half, a quarter, ... of it, whichever first has a residual below `limit`: far from the identity least squares steps too far. */
function* stepTowards({ X, Y, m }: Problem, from: Found, target: Found, limit: number): Pieces<Fit | undefined> {
  const between = (A: Matrix, B: Matrix, share: number): Matrix => Matrix.mul(A, 1 - share).add(Matrix.mul(B, share));
  for (let share = 1; share >= LEAST_STEP; share /= 2) {
    const L = from.L.map((g, i) => between(g, target.L[i], share));
    const epsilon = between(from.epsilon, target.epsilon, share);
    const residual = Matrix.sub(Y, yield* flow(L, ofChannels(epsilon, m), X, 1)).norm() / Matrix.sub(Y, X).norm();
    if (residual < limit) return { L, epsilon, residual };
  }
  return undefined;
}

/** [L_1 .. L_n] = D Phi^T (Phi Phi^T)^-1 with Phi [n d, N] of the blocks epsilon_i Z. */
function solveGenerators(D: Matrix, Z: Matrix, epsilon: Matrix): Matrix[] {
  const [d, N, n] = [Z.rows, Z.columns, epsilon.rows];
  const Phi = Matrix.zeros(n * d, N);
  for (let i = 0; i < n; i++) Phi.setSubMatrix(weighted(Z.clone(), epsilon, i), i * d, 0);
  const PhiT = Phi.transpose();
  const normal = Phi.mmul(PhiT);
  const ridge = (RIDGE * normal.trace()) / normal.rows;
  for (let k = 0; k < normal.rows; k++) normal.set(k, k, normal.get(k, k) + ridge);
  const all = new CholeskyDecomposition(normal).solve(Phi.mmul(D.transpose())).transpose();
  return Array.from({ length: n }, (_, i) => all.subMatrix(0, d - 1, i * d, (i + 1) * d - 1));
}
