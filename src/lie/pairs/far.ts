import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { eigenvalues } from "../functions/eigenvalues.js";
import { elementwise } from "../generators/generator.js";
import { sampleProducts } from "./elimination.js";
import { type Found, flow, ofChannels } from "./flow.js";
import { FINE, type NewtonFit, newton, type Problem } from "./flowNewton.js";

// Samples that are moved far. With exp(-epsilon L / 2) y in place of y the fit may explain pairs by a path that goes around several times, or by one on
// which rounding grows beyond all bounds; and a turn by t is that by t - 2 pi.

/** |y - exp(epsilon L) x|^2 of each sample, [N]. */
function* missed({ X, Y, m }: Problem, { L, epsilon }: Found): Pieces<number[]> {
  const rest = Matrix.sub(Y, yield* flow(L, ofChannels(epsilon, m), X, 1));
  return sampleProducts(rest, rest, m);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Of these amounts between half a period backwards and half a period forwards the best one is where epsilon begins again. */
const AMOUNTS = 25;
/** What begins again may fit worse by this share: a path that is shorter is the better explanation. */
const WORSE = 0.05;

/** Above this share of |y - x|^2 the way does not matter. */
const HARDLY = 0.25;

/** A fit of one generator without samples that go around more than half a period; as it is where there are none, or where it does not fit so. */
export function* unwound(problem: Problem, fit: NewtonFit, rounds: number): Pieces<NewtonFit> {
  const { L, epsilon } = fit;
  const turns = turnsOf(fit);
  if (L.length > 1 || fit.cost > HARDLY || !turns.some((turn) => turn > Math.PI)) return fit;
  const half = Math.PI / fastest(L[0]);
  const best = epsilon.to1DArray();
  const least = best.map(() => Number.POSITIVE_INFINITY);
  for (let k = 0; k < AMOUNTS; k++) {
    const amount = half * ((2 * k) / (AMOUNTS - 1) - 1);
    const same = Matrix.ones(1, best.length).mul(amount);
    for (const [n, value] of (yield* missed(problem, { L, epsilon: same })).entries())
      if (value < least[n]) [least[n], best[n]] = [value, amount];
  }
  const again = yield* newton(problem, { L, epsilon: Matrix.rowVector(best) }, false, rounds, FINE);
  const better = again.cost < (1 + WORSE) * fit.cost || sum(yield* missed(problem, again)) < sum(yield* missed(problem, fit));
  return better ? { ...again, rounds: fit.rounds + again.rounds } : fit;
}

const fastest = (A: Matrix): number => Math.max(...eigenvalues(A).map(({ im }) => im));

/** How far each sample turns, the greatest imaginary part of an eigenvalue of sum_i epsilon_i L_i, in radians. */
function turnsOf({ L, epsilon }: Found): number[] {
  if (L.length === 1) {
    const frequency = fastest(L[0]);
    return epsilon.to1DArray().map((amount) => Math.abs(amount) * frequency);
  }
  return Array.from({ length: epsilon.columns }, (_, n) =>
    fastest(L.reduce((total, g, i) => total.add(Matrix.mul(g, epsilon.get(i, n))), Matrix.zeros(L[0].rows, L[0].rows))),
  );
}

/** The path to y, or back to x, may miss this many times |rho|^2. */
const AGREES = 4;
/** Shares of |y - x|^2 that are rounding, of a long path too. */
const [ROUNDING, EXACT] = [1e-12, 1e-18];
/** More samples than this share beyond half a period are too many. */
const MOST_AROUND = 0.05;

/** Why a fit cannot be relied on, since its samples are moved too far; undefined where it can. */
export function* tooFar(problem: Problem, fit: NewtonFit, fixed: boolean): Pieces<string | undefined> {
  const { X, Y } = problem;
  const D = Matrix.sub(Y, X);
  const size = elementwise(D, D);
  const there = sum(yield* missed(problem, fit));
  const back = sum(yield* missed({ ...problem, X: Y, Y: X }, { L: fit.L, epsilon: Matrix.mul(fit.epsilon, -1) }));
  const least = Math.min(there, back);
  if (!(least <= Math.max(AGREES * fit.cost, ROUNDING) * size))
    return "samples are moved too far: the generators that fit halfway do not lead from x to y";
  const around = turnsOf(fit).filter((turn) => turn > Math.PI).length / fit.epsilon.columns;
  if (!fixed && fit.cost > EXACT && around > MOST_AROUND)
    return `samples are moved too far: ${(100 * around).toFixed(0)} % by half a period or more, and a slower generator explains such pairs as well`;
  return undefined;
}
