import type { Matrix } from "ml-matrix";
import { check, checkInteger, checkOptions, showShape } from "../../errors.js";
import type { Problem } from "./flowNewton.js";
import { samplesNeeded } from "./search.js";

// What generatorsFromPairs takes.

/** Options of generatorsFromPairs. */
export interface PairsOptions {
  /** Number of generators to look for; "auto" for as few as explain samples that were held out as well as one more does. Default 1. */
  n_L?: number | "auto";
  /** Also looks for translations, x -> L x + c: generators then act on (x, 1). At most 15 directions. Default false. */
  affine?: boolean;
  /** Number of columns of X and Y that belong to one sample and share its group element. Default 1. */
  channels?: number;
  /** How far each sample was moved along the one generator, [N], if it is known; the scale of L is then determined too. */
  t?: ArrayLike<number>;
  /**
   * L is looked for in the leading principal directions of x and y that hold this share of their variance, and is zero elsewhere:
   * directions that the pairs hardly show are not determined by them. The result depends on the units of x unless the share is 1, all
   * directions. Default 1 if these are at most 16, else 0.9999.
   */
  variance?: number;
  /** The most rounds of least squares from each start. Default 100. */
  rounds?: number;
  /** Called as "count" (numbers of generators that were tried, out of all that may be tried), "search" and "test" go on. */
  onStep?: (name: "count" | "search" | "test", done: number, of: number) => void;
}

/** Throws as generatorsFromPairs does, for what can be seen before any work. */
export function checkPairs(X: Matrix, Y: Matrix, options: PairsOptions): void {
  checkOptions("generatorsFromPairs", options, { n_L: 1, affine: 1, t: 1, variance: 1, rounds: 1, channels: 1, onStep: 1 });
  const { n_L = 1, affine = false, t, variance = 1, rounds = 1, channels = 1 } = options;
  check(
    X.rows === Y.rows && X.columns === Y.columns,
    "ERR_LCONV_SHAPE",
    () => `generatorsFromPairs: X ${showShape([X.rows, X.columns])} and Y ${showShape([Y.rows, Y.columns])} must be [d, N m] both`,
  );
  check(X.columns > 0, "ERR_LCONV_ARGUMENT", () => "generatorsFromPairs: there are 0 pairs; pass X and Y [d, N m] with a column for each");
  checkInteger("generatorsFromPairs", "channels", channels, 1);
  check(
    X.columns % channels === 0,
    "ERR_LCONV_SHAPE",
    () =>
      `generatorsFromPairs: ${X.columns} columns are no whole number of samples with ${channels} channels; pass X and Y [d, N m], those of a sample together`,
  );
  if (n_L !== "auto") checkInteger("generatorsFromPairs", "n_L", n_L, 1, X.rows * (X.rows + (affine ? 1 : 0)));
  checkInteger("generatorsFromPairs", "rounds", rounds, 1, 1e6);
  check(variance > 0 && variance <= 1, "ERR_LCONV_ARGUMENT", () => `generatorsFromPairs: variance must lie in (0, 1], got ${variance}`);
  check(typeof affine === "boolean", "ERR_LCONV_OPTION", () => `generatorsFromPairs: affine must be true or false, got ${affine}`);
  check(
    !affine || variance === 1,
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: affine looks in all directions and does not go with variance ${variance}; leave one of them out`,
  );
  checkAmounts(t, n_L, X.columns / channels);
  checkValues("X", X);
  checkValues("Y", Y);
}

function checkAmounts(t: PairsOptions["t"], n_L: number | "auto", N: number): void {
  check(
    t === undefined || (n_L === 1 && t.length === N),
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: t goes with one generator and must hold a number for each of the ${N} pairs, got ${t?.length}`,
  );
  check(
    t === undefined || (Array.from(t).every(Number.isFinite) && Array.from(t).some((value) => value !== 0)),
    "ERR_LCONV_ARGUMENT",
    () => "generatorsFromPairs: t must be finite, and not zero for all pairs",
  );
}

/** The squares of what is greater are not finite. */
const MOST = 1e140;

function checkValues(name: string, A: Matrix): void {
  for (let row = 0; row < A.rows; row++)
    for (let column = 0; column < A.columns; column++) {
      const value = A.get(row, column);
      const entry = (): string => `generatorsFromPairs: ${name}[${row}, ${column}] is ${value}`;
      check(Number.isFinite(value), "ERR_LCONV_ARGUMENT", () => `${entry()}, not finite; leave such pairs out or fill them in`);
      check(
        Math.abs(value) <= MOST,
        "ERR_LCONV_ARGUMENT",
        () => `${entry()}; divide x and y by the same number, so that they are below ${MOST}`,
      );
    }
}

/** Throws where n_L generators have more unknowns than the samples have equations, or than matrices have. */
export function checkEnough(n_L: number, { X, m, still }: Problem, N: number, fixed: boolean): void {
  const r = X.rows;
  const most = r * (r - still);
  check(
    n_L <= most,
    "ERR_LCONV_ARGUMENT",
    () =>
      `generatorsFromPairs: the pairs lie in ${r - still} directions, where there are ${most} generators; got n_L ${n_L}, ask for fewer`,
  );
  const need = fixed ? Math.ceil(r / m) : samplesNeeded(n_L, r, m, still);
  check(
    N >= need,
    "ERR_LCONV_ARGUMENT",
    () => `generatorsFromPairs: ${N} pairs cannot determine ${n_L} generators of ${r} x ${r}; pass at least ${need}`,
  );
}

/** Samples of which another sample is an exact copy, the first not counted. */
export function duplicates(X: Matrix, Y: Matrix, m: number): number {
  const seen = new Set<string>();
  const N = X.columns / m;
  for (let n = 0; n < N; n++) {
    const values: number[] = [];
    for (let c = n * m; c < (n + 1) * m; c++) values.push(...X.getColumn(c), ...Y.getColumn(c));
    seen.add(values.join());
  }
  return N - seen.size;
}
