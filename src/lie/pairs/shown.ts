import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { elementwise } from "../generators/generator.js";
import { type HeldOut, heldOut, improves, type Left, leftOf, SIGNIFICANT } from "./count.js";
import { numbersOf, type Problem } from "./flowNewton.js";
import type { Determinacy } from "./rank.js";
import { samplesNeeded, searched } from "./search.js";

// Whether pairs show generators at all, and as many as requested. Noise alone may determine a span: its best fit is unique.

/** Why the pairs do not show n_L generators, and what was looked at. */
export interface Shown {
  why: string | undefined;
  problem: Problem;
  none?: HeldOut;
  held?: HeldOut;
}

/** Compares n_L generators with n_L - 1 where there is more than one, on samples that were held out, where they can be tested. */
export function* compared(white: Problem, n_L: number, rounds: number): Pieces<Shown> {
  const problem = searched(white, n_L);
  if (n_L === 1 || untestable(problem, n_L, undefined)) return { why: undefined, problem };
  const none = yield* heldOut(problem, 0, rounds);
  const fewer = yield* heldOut(problem, n_L - 1, rounds);
  const held = yield* heldOut(problem, n_L, rounds);
  const better = improves(fewer.left, held.left, none.left) === true;
  const why = better ? undefined : `the pairs do not show ${n_L} generators: ${n_L - 1} explain samples that were held out as well`;
  return { why, problem, none, held };
}

/** Less than this share of |y - x|^2, a degree of freedom, is little. */
const LITTLE = 0.05;

/**
 * Why the generators may explain nothing but noise; undefined where they do not. They explain where little is left over, by more than chance could
 * leave: a mean of `freedom` squares is less than the share s of its expectation with a probability below (s e)^(freedom / 2), of which
 * half of the freedom is taken as the search had many ways to choose from. Otherwise
 * samples that were held out have to be explained better than by none, and better than pairs that belong to nothing: x with the y - c x of others.
 */
export function* unexplained(
  white: Problem,
  n_L: number,
  { problem, ...known }: Shown,
  { sigma, freedom }: Determinacy,
  t: Matrix | undefined,
  rounds: number,
): Pieces<string | undefined> {
  const { X, Y } = white;
  const numbers = numbersOf(white);
  if (!t && numbers <= n_L)
    return `a sample is ${numbers} number${numbers === 1 ? "" : "s"}, which as many epsilon explain always; pass samples with more channels`;
  const D = Matrix.sub(Y, X);
  const share = (sigma ** 2 * X.rows * X.columns) / elementwise(D, D);
  if (share < Math.min(LITTLE, SIGNIFICANT ** (4 / freedom) / Math.E)) return undefined;
  const part = t ? white : problem;
  const few = untestable(part, n_L, t);
  if (few) return `much is left over, and whether the generators explain more than noise cannot be tested: ${few}`;
  const none = known.none ?? (yield* heldOut(part, 0, rounds));
  const held = known.held ?? (yield* heldOut(part, n_L, rounds, t));
  if (improves(none.left, held.left, none.left) !== true)
    return `${n_L === 1 ? "the generator does" : `the ${n_L} generators do`} not explain samples that were held out better than none`;
  for (const c of new Set([1, closest(part)])) {
    const mixed = yield* leftOfMixed(part, held, c, t);
    if (improves(mixed, held.left, none.left) !== true) return "pairs that belong to nothing are explained as well";
  }
  return undefined;
}

function untestable(problem: Problem, n_L: number, t: Matrix | undefined): string | undefined {
  const { X, m, still } = problem;
  const [N, need] = [X.columns / m, t ? Math.ceil(X.rows / m) : samplesNeeded(n_L, X.rows, m, still)];
  if (!t && numbersOf(problem) <= n_L) return `a sample is ${numbersOf(problem)} numbers`;
  return need > N / 2 ? `half of the ${N} samples are fewer than the ${need} that they need` : undefined;
}

/** The c of 0 .. 1 for which c x is nearest to y: 1 of y that is x with noise, 0 of y that has nothing to do with x. */
function closest({ X, Y }: Problem): number {
  return Math.min(1, Math.max(0, elementwise(X, Y) / elementwise(X, X)));
}

const MIXTURES = 3;

/**
 * What is left, a degree of freedom, of samples that were held out when each vector has the y - c x of another one, with a random sign: were that
 * noise that does not depend on x, it would be as well explained.
 */
function* leftOfMixed(problem: Problem, held: HeldOut, c: number, t: Matrix | undefined): Pieces<Left> {
  const { X, Y, m } = problem;
  const rest = Matrix.sub(Y, Matrix.mul(X, c));
  const squares = new Array<number>(X.columns / m).fill(0);
  for (let draw = 0; draw < MIXTURES; draw++) {
    const random = new Philox(2 + draw, streams.user);
    const others = rest.subMatrixColumn(Array.from(random.permutation(X.columns)));
    const signs = random.uniform(X.columns);
    for (let column = 0; column < X.columns; column++) others.mulColumn(column, signs[column] < 0.5 ? -1 : 1);
    const mixed = { ...problem, Y: Matrix.mul(X, c).add(others) };
    const left = yield* leftOf(mixed, held, t);
    for (const [n, value] of left.squares.entries()) squares[n] += value / MIXTURES;
  }
  return { ...held.left, squares };
}
