import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { ldl } from "../functions/ldl.js";
import { elementwise } from "../generators/generator.js";
import {
  asMatrices,
  type Eliminated,
  eliminated,
  followed,
  GAUSS,
  type Linearized,
  linearize,
  MIDPOINT,
  RIDGE,
  type Rule,
  summed,
} from "./elimination.js";
import { type Found, type Middle, midpoint, ofChannels } from "./flow.js";

/** Pairs in coordinates of their own, X and Y [r, N m]; the m columns of a sample share their epsilon. */
export interface Problem {
  X: Matrix;
  Y: Matrix;
  m: number;
  /** Coordinates that no generator changes: 1 where the last one is the 1 of (x, 1), else 0. */
  still: number;
}

/** Numbers of a sample that generators may change. */
export const numbersOf = ({ X, m, still }: Problem): number => m * (X.rows - still);

/** It ends when two rounds in turn gain less than the share `settled`. */
export interface Effort {
  settled: number;
  rule: Rule;
}
export const COARSE: Effort = { settled: 1e-3, rule: MIDPOINT };
/** For fits that are to show whether there is more to explain. */
export const QUICK: Effort = { settled: 1e-2, rule: MIDPOINT };
export const FINE: Effort = { settled: 1e-9, rule: GAUSS };

export interface NewtonFit extends Found {
  middle: Middle;
  /** |rho|^2 / |y - x|^2 */
  cost: number;
  rounds: number;
}

/** The share of |y - x|^2 from which on it is rounding. */
const ROUNDING = 1e-26;
const MOST_DAMPING = 1e8;

/**
 * Levenberg and Marquardt's method for |rho|^2 over L and epsilon, from `start` on; over L alone where `fixed`. It ends after
 * `most` rounds, or when it has settled. The damping mu stands beside H and
 * beside A_n^T A_n.
 */
export function* newton({ X, Y, m }: Problem, start: Found, fixed: boolean, most: number, { settled, rule }: Effort): Pieces<NewtonFit> {
  const size = squared(Matrix.sub(Y, X));
  const at = function* ({ L, epsilon }: Found, rounds: number): Pieces<NewtonFit> {
    const middle = yield* midpoint(X, Y, { L, epsilon: ofChannels(epsilon, m) });
    return { L, epsilon, middle, cost: squared(middle.rho) / size, rounds };
  };
  let now = yield* at(start, 0);
  let damping = 1e-3;
  for (let round = 1, idle = 0; round <= most && idle < 2 && now.cost > ROUNDING; round++) {
    const before = now.cost;
    const linear = yield* linearize(now.middle, now, m, rule);
    const normal = yield* eliminated(linear, damping, fixed);
    for (; damping < MOST_DAMPING; damping *= 5) {
      const next = yield* at(yield* stepped(linear, normal, now.middle.Z, damping, fixed), round);
      if (!(next.cost < before)) continue;
      now = next;
      damping = Math.max(damping / 8, RIDGE);
      break;
    }
    if (damping >= MOST_DAMPING) break;
    idle = before - now.cost < settled * before ? idle + 1 : 0;
  }
  return now;
}

function* stepped(at: Linearized, { H, scores }: Eliminated, Z: Matrix, damping: number, fixed: boolean): Pieces<Found> {
  const [k, r] = [at.L.length, Z.rows];
  const p = k * r * r;
  const damped = H.slice();
  const added = (damping * squared(Z)) / r + Number.MIN_VALUE;
  for (let s = 0; s < p; s++) damped[s * p + s] += added;
  const dL = asMatrices(ldl(damped, p).solve(summed(scores, p)), k, r);
  yield;
  const epsilon = fixed ? at.epsilon : Matrix.add(at.epsilon, yield* followed(at, dL, damping));
  return { L: at.L.map((g, i) => Matrix.add(g, dL[i])), epsilon };
}

const squared = (A: Matrix): number => elementwise(A, A);
