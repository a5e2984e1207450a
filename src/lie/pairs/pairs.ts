import { Matrix } from "ml-matrix";
import { inOneGo, type Pieces } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import type { Whitening } from "../functions/whitening.js";
import { Basis } from "../generators/basis.js";
import { dense, lowRank } from "../generators/generator.js";
import { checkEnough, checkPairs, duplicates, type PairsOptions } from "./checks.js";
import { countGenerators } from "./count.js";
import { tooFar } from "./far.js";
import { type Found, flow, midpoint, ofChannels, orthonormalRows } from "./flow.js";
import { FINE, newton, type Problem } from "./flowNewton.js";
import {
  centeredFrame,
  fullFrame,
  homogeneousFrame,
  leading,
  type Principal,
  plainFrame,
  principalDirections,
  whiteFrame,
} from "./principal.js";
import { type Determinacy, determinacy } from "./rank.js";
import { MOST_UNKNOWNS, search, searched, staged } from "./search.js";
import { compared, type Shown, unexplained } from "./shown.js";

export type { PairsOptions } from "./checks.js";

/** Generators that explain pairs, and how far the pairs determine them. */
export interface PairsResult {
  /**
   * The generators; undefined unless the pairs determine them. Without `t` they are scaled and mixed so that the mean of epsilon_i
   * epsilon_j is delta_ij.
   */
  basis: Basis | undefined;
  /** Whether the pairs determine the span of the generators; "not tested" above 256 unknowns, where the basis deserves less trust. */
  determined: boolean | "not tested";
  /**
   * Number of directions in which generators and epsilon can be changed, beyond a change of basis, without a change of the pairs; NaN if it
   * was not tested, or if the pairs show no generator: the notes say why.
   */
  freeDirections: number;
  /**
   * The same generators in the coordinates x' = to (x - mean) in which x and y have the second moment I; with `affine` they act on (x', 1).
   * Undefined if they were looked for in the units of x.
   */
  white: { basis: Basis; inputs: Whitening } | undefined;
  /** 95 % bound of the largest principal angle to the true span in those coordinates, radians; undefined if it is not known. */
  bound: number | undefined;
  /** If the pairs do not determine generators: one of the many bases that explain them equally well. */
  oneOfMany: Basis | undefined;
  /** As requested, or as found; undefined if no number can be stated. */
  n_L: number | undefined;
  /** epsilon [n_L, N]: how far each sample is moved along each generator. */
  epsilon: Matrix;
  /** |y - exp(sum_i epsilon_i L_i) x| / |y - x|: 0 if the generators explain the pairs, 1 if they explain nothing. */
  residual: number;
  /** Number of principal directions that were used. */
  directions: number;
  /** Number of rounds of least squares. */
  rounds: number;
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

const MOST_DIRECTIONS = 16;
const SHARE = 0.9999;
const NOT_MOVED = 1e-9;
/** Above this residual the generators are no explanation. */
const UNEXPLAINED = 0.5;

/**
 * Generators from pairs (x, exp(sum_i epsilon_i L_i) x) with unknown epsilon of each sample; X and Y are [d, N m], the m columns of a
 * sample together.
 *
 * With u = exp(epsilon L / 2) x and w = exp(-epsilon L / 2) y it minimises |w - u|^2; w - u = (true epsilon L - epsilon L) (u + w) / 2 up
 * to third order, which is linear in both: Levenberg and Marquardt's method with epsilon eliminated, from several starts, in coordinates in
 * which the second moment of x and y is 1, so that the units of x do not matter. Of several generators only the span can be determined; the
 * rank of the linearised problem decides whether it is (rank.ts). More than n_L r^2 = 256 unknowns in r directions are found by least
 * squares in turn, in the units of x, and not tested. A flow can be distinguished from a slower one only if no sample is moved by half a
 * period, and is found reliably if none is moved by a third of one. With `affine` the maps are x -> L x + c: (x, 1) takes the place of x,
 * and the last row of each generator is zero.
 *
 * Throws ERR_LCONV_SHAPE, ERR_LCONV_OPTION; ERR_LCONV_ARGUMENT for too few pairs, pairs that do not differ, values that are not finite or
 * above 1e140, more generators than there are, and if no generator explains the pairs better than none.
 *
 * @example
 * ```ts
 * import { Matrix } from "ml-matrix";
 * import { lie } from "lconv";
 *
 * const [rotation] = lie.so(2).generators;
 * const X = new Matrix([2, 3].map((k) => Array.from({ length: 40 }, (_, n) => Math.sin(k * n))));
 * const Y = X.clone();
 * for (let n = 0; n < 40; n++) Y.setColumn(n, lie.expApply(rotation, X.getColumnVector(n), 0.5 + 0.3 * Math.sin(n)));
 * const { basis } = lie.generatorsFromPairs(X, Y);
 * const name = basis && lie.identify(basis).name; // "so(2)"
 * ```
 */
export const generatorsFromPairs = (X: Matrix, Y: Matrix, options: PairsOptions = {}): PairsResult => inOneGo(fitPairs(X, Y, options));

/** What is looked for, and where. */
interface Setting {
  pairs: Problem; // as they were handed in
  principal: Principal;
  variance: number;
  r: number;
  frame: Whitening; // white; of (x, 1) where maps are affine
  inputs: Whitening; // the same of x
  white: Problem;
  t: Matrix | undefined;
  rounds: number;
}

/** The same in pieces. */
export function* fitPairs(X: Matrix, Y: Matrix, options: PairsOptions = {}): Pieces<PairsResult> {
  checkPairs(X, Y, options);
  const setting = settingOf(X, Y, options);
  const { pairs, r, rounds, white } = setting;
  const { n_L: wanted = 1, channels: m = 1, onStep } = options;
  const N = X.columns / m;
  const copies = duplicates(X, Y, m);
  const notes = copies > 0 ? [`${copies} of ${N} pairs are copies of others and say nothing new; bounds take them for new ones`] : [];
  let n_L = wanted === "auto" ? 1 : wanted;
  checkEnough(n_L, white, N - copies, setting.t !== undefined);
  yield;
  if (wanted === "auto") {
    const most = Math.floor(MOST_UNKNOWNS / r ** 2);
    check(
      most > 0,
      "ERR_LCONV_ARGUMENT",
      () =>
        `generatorsFromPairs: n_L "auto" is for at most ${MOST_DIRECTIONS} principal directions, got ${r}; state n_L, or a lower variance`,
    );
    const { n_L: counted, note } = yield* countGenerators(white, most, rounds, onStep);
    notes.push(note);
    if (counted === undefined) return nothing(pairs, setting.inputs.to.rows, notes);
    n_L = counted;
  }
  check(
    white.still === 0 || n_L * r ** 2 <= MOST_UNKNOWNS,
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: ${n_L} affine generators in ${r - 1} directions are more than ${MOST_UNKNOWNS} unknowns; ask for fewer`,
  );
  if (n_L * r ** 2 > MOST_UNKNOWNS) return yield* untested(setting, n_L, notes);
  const shown = wanted === "auto" ? { why: undefined, problem: searched(white, n_L) } : yield* compared(white, n_L, rounds);
  return yield* tested(setting, n_L, shown, notes, onStep);
}

function settingOf(X: Matrix, Y: Matrix, options: PairsOptions): Setting {
  const { channels: m = 1, variance: asked, rounds = 100, t, affine = false } = options;
  const change = Matrix.sub(Y, X).norm();
  check(change > 0, "ERR_LCONV_ARGUMENT", () => "generatorsFromPairs: x and y are the same: there is nothing to learn a generator from");
  const rest = { rounds, t: t && Matrix.rowVector(Array.from(t)) };
  const principal = principalDirections(X, Y);
  if (affine) return { ...affineSetting(X, Y, m), principal, variance: 1, ...rest };
  const full = (asked ?? 1) === 1 && (X.rows <= MOST_DIRECTIONS || leading(principal, 1) <= MOST_DIRECTIONS) ? fullFrame(X, Y) : undefined;
  const variance = asked ?? (full ? 1 : SHARE);
  const r = full?.to.rows ?? leading(principal, variance);
  const moves = full ? change : plainFrame(principal, r).to.mmul(Matrix.sub(Y, X)).norm();
  check(
    moves > NOT_MOVED * change,
    "ERR_LCONV_ARGUMENT",
    () =>
      `generatorsFromPairs: nothing moves in the ${r} principal direction${r === 1 ? "" : "s"} that hold variance ${variance}; ` +
      "ask for more of it, up to 1, or leave constant positions out",
  );
  const frame = full ?? whiteFrame(principal, r);
  const pairs = { X, Y, m, still: 0 };
  return { pairs, principal, variance, r, frame, inputs: frame, white: inFrame(pairs, frame), ...rest };
}

const inFrame = (pairs: Problem, { to }: Whitening): Problem => ({ ...pairs, X: to.mmul(pairs.X), Y: to.mmul(pairs.Y) });

/** In (x', 1), whose second moment is I where x' is white about its mean. */
function affineSetting(X: Matrix, Y: Matrix, m: number): Pick<Setting, "pairs" | "r" | "frame" | "inputs" | "white"> {
  const inputs = centeredFrame(X, Y);
  const r = inputs.to.rows + 1;
  check(
    r <= MOST_DIRECTIONS,
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: affine is for at most ${MOST_DIRECTIONS - 1} directions, the pairs lie in ${r - 1}; leave it out`,
  );
  const pairs = { X: withOnes(X), Y: withOnes(Y), m, still: 1 };
  const frame = homogeneousFrame(inputs);
  return { pairs, r, frame, inputs, white: inFrame(pairs, frame) };
}

const withOnes = (X: Matrix): Matrix => X.clone().addRow(new Array<number>(X.columns).fill(1));

/** By Newton's method in white coordinates, with the test of rank. */
function* tested(setting: Setting, n_L: number, shown: Shown, notes: string[], onStep: PairsOptions["onStep"]): Pieces<PairsResult> {
  const { pairs, white, frame, inputs, r, rounds, t } = setting;
  const zero = { L: [Matrix.zeros(r, r)], epsilon: t ?? new Matrix(0, 0) };
  onStep?.("search", 0, 1);
  const fit = t ? yield* newton(white, zero, true, rounds, FINE) : yield* search(white, n_L, rounds);
  onStep?.("test", 0, 2);
  const { L, epsilon: amounts } = t ? fit : orthonormal(fit);
  const found = { L: L.map((g) => stilled(g, white.still)), epsilon: amounts };
  const middle = yield* midpoint(white.X, white.Y, { L: found.L, epsilon: ofChannels(found.epsilon, white.m) });
  const test = yield* determinacy(white, { ...fit, ...found, middle }, t !== undefined);
  onStep?.("test", 1, 2);
  const { epsilon, basis, residual } = yield* explained(pairs, found, frame);
  const free = Math.max(test.free, shown.why ? r * (r - white.still) - n_L : 0);
  const far = free > 0 ? undefined : yield* tooFar(white, { ...fit, ...found }, t !== undefined);
  const doubt = far ?? (free > 0 ? undefined : yield* unexplained(white, n_L, shown, test, t, rounds));
  onStep?.("test", 2, 2);
  const freeDirections = doubt ? Number.NaN : free;
  const determined = freeDirections === 0;
  const why = [
    ...(free > 0 ? [undetermined(free, test, n_L)] : []),
    ...(shown.why ? [shown.why] : []),
    ...(doubt ? [`not determined: ${doubt}`] : []),
  ];
  return {
    ...{ determined, freeDirections, n_L, epsilon, residual, directions: inputs.to.rows, rounds: fit.rounds },
    basis: determined ? basis : undefined,
    white: determined ? { basis: new Basis(found.L.map((g) => dense(g))), inputs } : undefined,
    bound: determined ? test.bound : undefined,
    oneOfMany: determined ? undefined : basis,
    notes: [...why, ...notes, ...little(residual)],
  };
}

/** Without what rounding leaves in rows that are zero. */
function stilled(L: Matrix, still: number): Matrix {
  const exact = L.clone();
  for (let row = L.rows - still; row < L.rows; row++) for (let column = 0; column < L.columns; column++) exact.set(row, column, 0);
  return exact;
}

function undetermined(K: number, { open }: Determinacy, n_L: number): string {
  const many =
    open > 0 ? `; most samples leave ${open} of their ${n_L} epsilon open, and channels that share a group element would fix them` : "";
  return `not determined: ${K} free direction${K === 1 ? "" : "s"}, in which the generators can be changed without the pairs showing it${many}`;
}

/** By least squares in turn in the units of x; for many unknowns. */
function* untested({ pairs, principal, variance, r, t, rounds: most }: Setting, n_L: number, notes: string[]): Pieces<PairsResult> {
  const { rounds, ...fit } = yield* staged(pairs, principal, variance, n_L, t, most);
  const { basis, epsilon, residual } = yield* explained(pairs, t ? fit : orthonormal(fit), plainFrame(principal, r));
  const note =
    `whether the pairs determine the generators was not tested, and there is no error bar: ${n_L * r * r} unknowns in ${r} principal directions, ` +
    `and the test takes up to ${MOST_UNKNOWNS}`;
  return {
    ...{ basis, white: undefined, determined: "not tested", freeDirections: Number.NaN, bound: undefined, oneOfMany: undefined, n_L },
    ...{ epsilon, residual, directions: r, rounds },
    notes: [note, ...notes, ...little(residual)],
  };
}

const little = (residual: number): string[] =>
  residual > UNEXPLAINED ? [`the generators explain little: ${(100 * residual).toFixed(0)} % of y - x is left over`] : [];

function nothing({ X, m }: Problem, directions: number, notes: readonly string[]): PairsResult {
  return {
    ...{ basis: undefined, white: undefined, determined: false, freeDirections: Number.NaN },
    ...{ bound: undefined, oneOfMany: undefined, n_L: undefined },
    ...{ epsilon: Matrix.zeros(0, X.columns / m), residual: 1, directions, rounds: 0, notes },
  };
}

/** What was found in a frame, in the coordinates of x, and what it leaves over. */
function* explained(
  { X, Y, m }: Pick<Problem, "X" | "Y" | "m">,
  { L, epsilon }: Found,
  { from, to }: Whitening,
): Pieces<Found & { basis: Basis; residual: number }> {
  check(
    L.some((g) => g.norm() > 0),
    "ERR_LCONV_ARGUMENT",
    () => "generatorsFromPairs: no generator explains y - x better than none; is each y a group element's image of its x?",
  );
  const basis = new Basis(L.map((g) => (from.columns === from.rows ? dense(from.mmul(g).mmul(to)) : lowRank(from.mmul(g), to))));
  const x = to.mmul(X);
  const outside = Matrix.sub(X, from.mmul(x)); // L leaves it alone
  const moved = from.mmul(yield* flow(L, ofChannels(epsilon, m), x, 1)).add(outside);
  return { L, epsilon, basis, residual: Matrix.sub(Y, moved).norm() / Matrix.sub(Y, X).norm() };
}

/** The same pairs by epsilon' with mean products delta_ij: epsilon = R epsilon', L' = R^T L. */
function orthonormal({ L, epsilon }: Found): Found {
  const rows = orthonormalRows(epsilon.clone());
  const R = epsilon.mmul(rows.transpose()).mul(1 / epsilon.columns);
  const mixed = L.map((_, j) => L.reduce((sum, g, i) => sum.add(Matrix.mul(g, R.get(i, j))), Matrix.zeros(L[0].rows, L[0].columns)));
  return { L: mixed, epsilon: rows };
}
