import { CholeskyDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../engine/breathe.js";

const MOST_STEPS = 100;
const STEP = 1e-7; // of the difference quotients, relative to 1 + |x|

export interface Minimum {
  x: Float64Array;
  residual: Float64Array;
}

/**
 * A local minimum of |residuals(x)|^2 by Levenberg and Marquardt's method, with difference quotients. Where `residuals` holds values that
 * are not finite the step is shortened, so that a domain may have edges. In pieces, a difference quotient each.
 */
export function* leastSquares(residuals: (x: Float64Array) => Float64Array, start: Float64Array): Pieces<Minimum> {
  let x = start;
  let r = residuals(x);
  let cost = squared(r);
  let damping = 1e-3;
  for (let step = 0; step < MOST_STEPS && cost > 1e-24; step++) {
    const { normal, gradient } = yield* normalEquations(residuals, x, r);
    let next: Float64Array | undefined;
    let improved = 0;
    while (damping < 1e10) {
      next = moved(x, normal, gradient, damping);
      const tried = next && residuals(next);
      const triedCost = tried ? squared(tried) : Number.NaN;
      if (tried && triedCost < cost) {
        improved = (cost - triedCost) / cost;
        [x, r, cost] = [next as Float64Array, tried, triedCost];
        damping /= 5;
        break;
      }
      damping *= 4;
    }
    if (improved < 1e-6) break;
  }
  return { x, residual: r };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
const squared = (r: Float64Array): number => dot(r, r);

/** J^T J and J^T r */
function* normalEquations(
  residuals: (x: Float64Array) => Float64Array,
  x: Float64Array,
  r: Float64Array,
): Pieces<{ normal: Matrix; gradient: Matrix }> {
  const columns: Float64Array[] = [];
  for (const [k, value] of x.entries()) {
    const shifted = x.slice();
    const h = STEP * (1 + Math.abs(value));
    shifted[k] += h;
    columns.push(residuals(shifted).map((after, i) => (after - r[i]) / h));
    yield;
  }
  const n = x.length;
  const normal = Matrix.zeros(n, n);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b <= a; b++) {
      const value = dot(columns[a], columns[b]);
      normal.set(a, b, value);
      normal.set(b, a, value);
    }
  }
  return { normal, gradient: Matrix.columnVector(columns.map((column) => dot(column, r))) };
}

/** x - (J^T J + damping (diag(J^T J) + 1))^-1 J^T r; undefined where that cannot be solved. */
function moved(x: Float64Array, normal: Matrix, gradient: Matrix, damping: number): Float64Array | undefined {
  const damped = normal.clone();
  for (let k = 0; k < x.length; k++) damped.set(k, k, damped.get(k, k) * (1 + damping) + 1e-12 * damping);
  const factor = new CholeskyDecomposition(damped);
  if (!factor.isPositiveDefinite()) return undefined;
  const step = factor.solve(gradient);
  return x.map((value, k) => value - step.get(k, 0));
}
