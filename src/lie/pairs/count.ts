import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import type { PairsOptions } from "./checks.js";
import { sampleProducts } from "./elimination.js";
import { COARSE, newton, numbersOf, type Problem } from "./flowNewton.js";
import { coarseSearch, leftOver, oneMore, partOf, samplesNeeded, searched } from "./search.js";

// How many generators pairs show.

/** Below this share of |y - x|^2, what is left of samples that were held out is rounding. */
const EXPLAINED = 1e-12;
/** One more generator has to take this share off what is left of samples that were held out. */
const LEAST_GAIN = 0.1;
/** Without one more to compare with, the last number is taken where less than this share is left; with one, few starts do. */
const LITTLE = 0.05;

/** A share that is much less than the least gain: two starts that differ by less found the same, as far as counting goes. */
const ROUGHLY = 0.05;
const MOST_ROUNDS = 40;

/** Generators from halves of the samples, and what they leave of the other half. */
export interface HeldOut {
  halves: readonly { samples: readonly number[]; L: readonly Matrix[] }[];
  left: Left;
}

/** What generators leave of samples that they were not fitted to. */
export interface Left {
  /** |rho_n|^2 of each sample. */
  squares: readonly number[];
  /** Numbers of a sample less the n_L epsilon, which it has of its own unless they are known. */
  freedom: number;
  /** The greatest mean square that rho may have along one direction of a sample, were it noise of that axis of x alone in which there is most. */
  axis: number;
  /** Numbers of a sample in which something is left. */
  spread: number;
}

/** Of n_L generators; of one with known epsilon `t`. */
export function* heldOut(problem: Problem, n_L: number, rounds: number, t?: Matrix): Pieces<HeldOut> {
  const fit = (a: readonly number[]): Pieces<readonly Matrix[]> => fitOf(partOf(problem, a), n_L, rounds, t?.subMatrixColumn([...a]));
  return yield* inHalves(problem, n_L === 0 ? undefined : fit, t);
}

/** Of one generator more than those of `fewer`, which explain most already. */
function* heldOutMore(problem: Problem, fewer: HeldOut, rounds: number): Pieces<HeldOut> {
  let half = 0;
  const fit = function* (samples: readonly number[]): Pieces<readonly Matrix[]> {
    return (yield* oneMore(partOf(problem, samples), fewer.halves[half++].L, rounds)).L;
  };
  return yield* inHalves(problem, fit, undefined);
}

function* inHalves(
  problem: Problem,
  fit: ((samples: readonly number[]) => Pieces<readonly Matrix[]>) | undefined,
  t: Matrix | undefined,
): Pieces<HeldOut> {
  const N = problem.X.columns / problem.m;
  const halves: HeldOut["halves"][number][] = [];
  if (fit) {
    const order = Array.from(new Philox(0, streams.user).permutation(N));
    const [a, b] = [order.slice(0, Math.ceil(N / 2)), order.slice(Math.ceil(N / 2))];
    halves.push({ samples: b, L: yield* fit(a) }, { samples: a, L: yield* fit(b) });
  }
  return { halves, left: yield* leftOf(problem, { halves }, t) };
}

function* fitOf(part: Problem, n_L: number, rounds: number, t: Matrix | undefined): Pieces<readonly Matrix[]> {
  if (!t) return (yield* coarseSearch(part, n_L, Math.min(rounds, MOST_ROUNDS), ROUGHLY)).L;
  const r = part.X.rows;
  return (yield* newton(part, { L: [Matrix.zeros(r, r)], epsilon: t }, true, rounds, COARSE)).L;
}

/** What generators from the other half leave of each sample; without generators rho = y - x. */
export function* leftOf(problem: Problem, { halves }: Pick<HeldOut, "halves">, t?: Matrix): Pieces<Left> {
  const { X, Y, m } = problem;
  const rho = Matrix.sub(Y, X);
  for (const { samples, L } of halves) {
    const left = yield* leftOver(partOf(problem, samples), L, t?.subMatrixColumn([...samples]));
    for (const [at, n] of samples.entries()) for (let c = 0; c < m; c++) rho.setColumn(n * m + c, left.getColumn(at * m + c));
  }
  const moment = rho.mmul(rho.transpose()).mul(1 / rho.columns);
  const { realEigenvalues } = new EigenvalueDecomposition(moment, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  const spread = m * realEigenvalues.filter((value) => value > EXPLAINED * greatest).length;
  const own = t ? 0 : (halves[0]?.L.length ?? 0);
  const [numbers, freedom] = [numbersOf(problem), numbersOf(problem) - own];
  const dense = Math.max(numbers / freedom, m / Math.max(1, m - own)); // epsilon may have taken its share of that axis, or of all
  return { squares: sampleProducts(rho, rho, m), freedom, axis: dense * greatest, spread };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Whether `more` generators leave less than `fewer` by more than chance; `none` is what no generator leaves. If all that fewer leave is noise, an epsilon
 * more takes away what lies along one direction of a sample, and the generators are free to choose that in which noise is greatest. So much counts for
 * nothing; "unclear" where that could be all there is, and more generators leave much less than fewer all the same. By random signs of the gains (Fisher's randomisation test), since few samples that move far may hold most of the gain.
 */
export function improves(fewer: Left, more: Left, none: Left): boolean | "unclear" {
  const [before, after, all] = [fewer, more, none].map(({ squares }) => mean(squares));
  if (before < EXPLAINED * all) return false;
  const used = none.freedom - more.freedom;
  if (after < EXPLAINED * all && fewer.spread > used) return true; // fewer numbers of epsilon than there are to explain
  const each = Math.max(1 / fewer.freedom, fewer.axis / before);
  const noise = 1 - (fewer.freedom - more.freedom) * each; // what is left where the rest is noise, of `before`
  if (noise < POWERLESS) return after < (1 - LEAST_GAIN) * (more.freedom / fewer.freedom) * before ? "unclear" : false;
  const gains = fewer.squares.map((value, n) => noise * value - more.squares[n]);
  const gain = mean(gains);
  if (!(gain > LEAST_GAIN * noise * before)) return false;
  const random = new Philox(1, streams.user);
  let asGreat = 0;
  for (let draw = 0; draw < FLIPS; draw++) {
    const signs = random.uniform(gains.length);
    if (mean(gains.map((value, n) => (signs[n] < 0.5 ? -value : value))) >= gain) asGreat++;
  }
  return asGreat < SIGNIFICANT * FLIPS;
}
const FLIPS = 4000;
/** Where noise alone may leave less than this share, no gain can be told from it. */
const POWERLESS = 0.05;
/** A chance below this is none. */
export const SIGNIFICANT = 0.0005;

export interface Count {
  /** Undefined where no number can be stated. */
  n_L: number | undefined;
  note: string;
}

/** One more generator may help only together with a second, as two translations do. */
const AHEAD = 2;

/** The least number of generators on which neither one nor two more improve, up to `most`. */
export function* countGenerators(all: Problem, most: number, rounds: number, onStep: PairsOptions["onStep"]): Pieces<Count> {
  const numbers = numbersOf(all);
  const problem = searched(all, Math.min(most, numbers - 1));
  const { X, m, still } = problem;
  let held = yield* heldOut(problem, 0, rounds);
  const left = [held.left];
  const share = (k: number): number => mean(left[k].squares) / mean(left[0].squares);
  const half = Math.floor(X.columns / m / 2);
  let best = 0; // the least that none of those that were tried improves on
  const tryable = (k: number): boolean => k <= most && k < numbers && samplesNeeded(k, X.rows, m, still) <= half;
  let of = 0;
  while (tryable(of + 1)) of++;
  let unclear = 0;
  let k = 1;
  for (; k <= of && k <= best + AHEAD; k++) {
    onStep?.("count", k - 1, of);
    const little = best > 0 && share(best) < LITTLE;
    held = little ? yield* heldOutMore(problem, held, rounds) : yield* heldOut(problem, k, rounds);
    left.push(held.left);
    const better = improves(left[best], left[k], left[0]);
    if (better === true) best = k;
    if (better === "unclear") unclear = k;
    if (share(best) < EXPLAINED) return { n_L: best, note: `n_L ${best}: they explain the pairs` };
  }
  if (unclear > best)
    return none(`${unclear} leave much less than ${best}, which noise along one axis would let them, too; pass samples with more channels`);
  if (best > 0 && k > best + 1) return stated(best);
  if (best > 0 && share(best) < LITTLE) return { n_L: best, note: untested(best) };
  if (k > AHEAD) return none("no generator explains samples that were held out better than none");
  return none(`${best} do not explain the pairs, and ${k} cannot be tested: ${reason(problem, k, most)}`);
}

const stated = (n_L: number): Count => ({ n_L, note: `n_L ${n_L}: one more does not explain samples that were held out any better` });
const untested = (n_L: number): string => `n_L ${n_L}: little is left, but ${n_L + 1} could not be tested`;
const none = (why: string): Count => ({ n_L: undefined, note: `no number of generators can be stated: ${why}` });

function reason(problem: Problem, n_L: number, most: number): string {
  const { X, m, still } = problem;
  if (n_L >= numbersOf(problem))
    return `a sample is ${numbersOf(problem)} numbers, which as many epsilon explain always; pass samples with more channels`;
  if (n_L > most) return `more than ${most} generators of ${X.rows} x ${X.rows} are too many unknowns`;
  return `half of the ${X.columns / m} samples are fewer than the ${samplesNeeded(n_L, X.rows, m, still)} that they need`;
}
