import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { imagesOf, sampleProducts, solveEpsilon } from "./elimination.js";
import { unwound } from "./far.js";
import { type Found, midpoint, ofChannels } from "./flow.js";
import { alternate } from "./flowFit.js";
import { COARSE, FINE, type NewtonFit, newton, type Problem, QUICK } from "./flowNewton.js";
import { calm, leadingEpsilon, random, shear, whitened, withEpsilon } from "./flowStarts.js";
import { leading, type Principal, plainFrame } from "./principal.js";

// The search for the generators that explain pairs best, from several starts.

/** Generators with more entries than this are looked for by least squares in turn, and are not tested: their normal matrix would be too large. */
export const MOST_UNKNOWNS = 256;

/** Below this share of |y - x|^2 nothing is left to explain. */
const EXPLAINED = 1e-20;
/** Two starts whose |rho|^2 differ by less than this share found the same. */
const AGREES = 1e-2;
/** Of a few pairs, on the way to all of them. */
const FIRST_ROUNDS = 30;

/** This many samples, or eight times as many as the unknowns need, say where to begin, and how many generators there are. */
const MOST_SEARCHED = 400;

/** The samples that a search looks at, drawn at random where there are many. */
export function searched(problem: Problem, n_L: number): Problem {
  const { X, m } = problem;
  const N = X.columns / m;
  const most = Math.max(MOST_SEARCHED, 8 * samplesNeeded(n_L, X.rows, m, problem.still));
  return N <= most ? problem : partOf(problem, Array.from(new Philox(0, streams.user).permutation(N).subarray(0, most)));
}

export function partOf(problem: Problem, samples: readonly number[]): Problem {
  const { X, Y, m } = problem;
  const kept = samples.flatMap((n) => Array.from({ length: m }, (_, c) => n * m + c));
  return { ...problem, X: X.subMatrixColumn(kept), Y: Y.subMatrixColumn(kept) };
}

/**
 * Fewest samples that n_L generators of r x r need, of which `still` rows are zero: as many equations as unknowns, n_L r (r - still) less the n_L^2 of a
 * change of basis.
 */
export function samplesNeeded(n_L: number, r: number, m: number, still: number): number {
  const span = Math.ceil((n_L * r) / m);
  const [unknowns, equations] = [n_L * Math.max(0, r * (r - still) - n_L), m * (r - still) - n_L];
  return equations > 0 ? Math.max(span, Math.ceil(unknowns / equations)) : span;
}

/** The best of several starts, settled on all samples. */
export function* search(problem: Problem, n_L: number, rounds: number): Pieces<NewtonFit> {
  const part = searched(problem, n_L);
  const best = yield* coarseSearch(part, n_L, rounds);
  const settled = yield* newton(problem, part === problem ? best : withEpsilon(problem, best.L), false, rounds, FINE);
  const fit = yield* unwound(problem, settled, rounds);
  return { ...fit, rounds: best.rounds + fit.rounds };
}

/** Of several starts the first that explains all, of noisy pairs the best when two of at least three agree, or the best of all. */
export function* coarseSearch(problem: Problem, n_L: number, rounds: number, agrees = AGREES): Pieces<NewtonFit> {
  const fits: NewtonFit[] = [];
  for (const start of starts(problem, n_L, rounds)) {
    const from = yield* start();
    if (!from) continue;
    const fit = yield* newton(problem, from, false, rounds, COARSE);
    fits.push(fit);
    fits.sort((a, b) => a.cost - b.cost);
    if (fits[0]?.cost < EXPLAINED) break;
    if (fits.length >= 3 && fits[1].cost - fits[0].cost < agrees * fits[0].cost) break;
  }
  return { ...fits[0], rounds: fits.reduce((sum, fit) => sum + fit.rounds, 0) };
}

const QUICK_ROUNDS = 20;

/** One generator more than `fewer`, which explain most already: from these and what they leave over, and from nothing. */
export function* oneMore(problem: Problem, fewer: readonly Matrix[], rounds: number): Pieces<NewtonFit> {
  const { X, Y, m } = problem;
  const known = withEpsilon(problem, fewer);
  const { rho, Z } = yield* midpoint(X, Y, { L: fewer, epsilon: ofChannels(known.epsilon, m) });
  const added = yield* leadingEpsilon(Z, rho, 1, m);
  const [grown, fresh] = [[...known.epsilon.to2DArray(), added.getRow(0)], fewer.length + 1];
  const zero = Matrix.zeros(X.rows, X.rows);
  const starts: Found[] = [
    { L: [...fewer, zero], epsilon: new Matrix(grown) },
    { L: Array.from({ length: fresh }, () => zero), epsilon: yield* leadingEpsilon(X, Matrix.sub(Y, X), fresh, m) },
  ];
  const fits: NewtonFit[] = [];
  for (const start of starts) fits.push(yield* newton(problem, start, false, Math.min(rounds, QUICK_ROUNDS), QUICK));
  return fits.reduce((a, b) => (b.cost < a.cost ? b : a));
}

type Start = () => Pieces<Found | undefined>;

function starts(problem: Problem, n_L: number, rounds: number): Start[] {
  const ones = Matrix.ones(1, problem.X.columns);
  const most = Math.min(rounds, FIRST_ROUNDS);
  const first = function* (part: Problem, z: Matrix): Pieces<Found> {
    const epsilon = yield* leadingEpsilon(z, Matrix.sub(part.Y, part.X), n_L, part.m);
    const { rows } = part.X;
    return { L: Array.from({ length: n_L }, () => Matrix.zeros(rows, rows)), epsilon };
  };
  const whole =
    (z: Matrix): Start =>
    () =>
      first(problem, z);
  /** From what the pairs that move least say. */
  const grown = (share: number, from: (part: Problem) => Pieces<Found>): Start =>
    function* () {
      const part = calm(problem, share);
      const { L } = yield* newton(part, yield* from(part), false, most, COARSE);
      return withEpsilon(problem, L);
    };
  const drawn = (k: number): Start =>
    grown(0.5, function* (part) {
      yield;
      return random(part, n_L, k);
    });
  return [
    () => sheared(problem, n_L),
    whole(problem.X),
    grown(0.5, (part) => first(part, part.X)),
    whole(ones),
    grown(0.3, (part) => first(part, part.X)),
    grown(0.5, (part) => first(part, ones.subMatrix(0, 0, 0, part.X.columns - 1))),
    ...[1, 2, 3, 4].map(drawn),
  ];
}

/** As good as this from the beginning a shear is worth a try. */
const NEARLY = 0.1;

function* sheared(problem: Problem, n_L: number): Pieces<Found | undefined> {
  const start = shear(problem, n_L);
  if (!start) return undefined;
  const { cost } = yield* newton(problem, start, false, 0, COARSE);
  return cost < NEARLY ? start : undefined;
}

/** Directions that hold less of |y - x| than this say little about epsilon. */
const LITTLE_MOVED = 0.5;
/** Above this residual what fewer directions said of epsilon may have been wrong. */
const DOUBTFUL = 0.1;

/**
 * For many unknowns: least squares in turn, in more and more principal directions up to those that hold `variance`. Those that are seen best settle
 * epsilon, with which the others are a linear problem.
 */
export function* staged(
  { X, Y, m }: Problem,
  principal: Principal,
  variance: number,
  n_L: number,
  t: Matrix | undefined,
  rounds: number,
): Pieces<Found & { rounds: number }> {
  const change = Matrix.sub(Y, X).norm();
  let now: Found & { rounds: number } = { L: [], epsilon: t ?? new Matrix(0, 0), rounds: 0 };
  for (const share of sharesTo(variance)) {
    const { to } = plainFrame(principal, leading(principal, share));
    const part = { X: to.mmul(X), Y: to.mmul(Y), m, still: 0 };
    const D = Matrix.sub(part.Y, part.X);
    if (share < variance && D.norm() < LITTLE_MOVED * change) continue;
    const fits = now.epsilon.rows > 0 ? [yield* alternate(part, now.epsilon, t !== undefined, rounds)] : [];
    if (fits.length === 0 || (!t && share === variance && fits[0].residual > DOUBTFUL))
      for (const z of [whitened(part.X), Matrix.ones(1, X.columns)])
        fits.push(yield* alternate(part, yield* leadingEpsilon(z, D, n_L, m), false, rounds));
    const { L, epsilon, round } = fits.reduce((a, b) => (b.residual < a.residual ? b : a));
    now = { L, epsilon, rounds: now.rounds + round };
  }
  return now;
}

/** .9, .99, .999, ... and the share that is wanted. */
function sharesTo(variance: number): number[] {
  const shares: number[] = [];
  for (let left = 0.1; left > 1 - variance && left > 1e-9; left /= 10) shares.push(1 - left);
  return [...shares, variance];
}

const EPSILON_ROUNDS = 20;

/** rho [r, N m] at the epsilon of each sample that fits best with these generators, or at that of `t`. */
export function* leftOver(problem: Problem, L: readonly Matrix[], t?: Matrix): Pieces<Matrix> {
  const { X, Y, m } = problem;
  if (t) return (yield* midpoint(X, Y, { L, epsilon: ofChannels(t, m) })).rho;
  let { epsilon } = withEpsilon(problem, L);
  const left = Matrix.sub(Y, X); // at epsilon = 0
  const best = sampleProducts(left, left, m);
  for (let round = 0; round < EPSILON_ROUNDS; round++) {
    const middle = yield* midpoint(X, Y, { L, epsilon: ofChannels(epsilon, m) });
    const now = sampleProducts(middle.rho, middle.rho, m);
    for (const [n, value] of now.entries()) {
      if (!(value < best[n])) continue;
      best[n] = value;
      for (let column = n * m; column < (n + 1) * m; column++) left.setColumn(column, middle.rho.getColumn(column));
    }
    epsilon = Matrix.add(epsilon, solveEpsilon(imagesOf(L, middle.Z, m), middle.rho, m, 1e-6));
  }
  return left;
}
