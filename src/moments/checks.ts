import { check, checkInteger, clip } from "../errors.js";
import { fourthNumbers } from "./quartic.js";
import { effectiveRows, type Weighted } from "./source.js";

// What is asked of samples and options before the work.

/** Options of symmetriesFromMoments. */
export interface MomentOptions {
  /** Principal directions that are kept: a number, or "auto": all up to 40, else as many below that as end at the widest gap of the variances. Default "auto". */
  components?: number | "auto";
  /**
   * Orders of the cumulants, of 3 and 4; the second is always kept. Default [3, 4] with up to 40 components, else [3], or [3, 4] where
   * the third shows nothing, as of symmetric x. With 4 there may be 103 components, fewer with labels.
   */
  orders?: readonly (3 | 4)[];
  /** Class of each sample, from 0 on: then the distribution of each class must be invariant, p(x | y). Default: no classes. */
  labels?: ArrayLike<number>;
  /**
   * Whether samples far out are drawn in, for tails so heavy that few samples would decide the moments: about a location and in a scatter that outliers
   * hardly move, those beyond the radius of nine tenths are put on it. That keeps every symmetry, and can make others that only the tails break. Default false.
   */
  robust?: boolean;
  /** Weight of each sample, at least 0, as of a sample that was not drawn evenly. Default: all the same. */
  weights?: ArrayLike<number>;
  /** The greatest share of the change of the cumulants that may remain, between 0 and 1. Default 0.15. */
  tolerance?: number;
  /** Seed of the random batches. Default 0. */
  seed?: number;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
  /** Called with the name of a step, how much of it is done, and of how much. */
  onStep?: (name: string, done: number, of: number) => void;
}

const WHERE = "symmetriesFromMoments";
export const TOLERANCE = 0.15;
/** Samples are dealt to as many, whose differences show what sampling does. */
export const BATCHES = 8;
/** Samples of a class, 20 a batch. */
const FEWEST_OF_CLASS = 160;
/** Samples for each component, so that the covariance of each batch is known. */
export const ROWS_EACH = 20;
/** Numbers in the moments of all groups, 8 bytes each. */
const MOST_NUMBERS = 4e7;

/** Samples as they are grouped. */
export interface Grouped {
  /** Number of the class of each sample, -1 for those that are left out; undefined without labels. */
  classOf: Int32Array | undefined;
  classes: number;
  notes: string[];
}

/** Checks weights and scales them as `Weighted` has them. */
export function checkedWeights(weights: ArrayLike<number> | undefined, N: number): { weights?: Float64Array } {
  if (weights === undefined) return {};
  check(
    typeof weights === "object" && weights !== null && weights.length === N,
    "ERR_LCONV_SHAPE",
    () => `${WHERE}: ${N} samples, but ${weights?.length} weights`,
  );
  let most = 0;
  for (let n = 0; n < N; n++) {
    const w = weights[n];
    check(Number.isFinite(w) && w >= 0, "ERR_LCONV_ARGUMENT", () => `${WHERE}: weights[${n}] must be a number of at least 0, got ${w}`);
    most = Math.max(most, w);
  }
  check(most > 0, "ERR_LCONV_ARGUMENT", () => `${WHERE}: all weights are 0`);
  const shares = Float64Array.from(weights, (w) => w / most);
  const [sum, squares] = [shares.reduce((total, w) => total + w, 0), shares.reduce((total, w) => total + w * w, 0)];
  return { weights: shares.map((w) => (w * sum) / squares) };
}

/** Checks options and samples. */
export function checked(
  source: Weighted,
  { components = "auto", orders, labels, robust = false, tolerance = TOLERANCE, seed = 0 }: MomentOptions,
): Grouped {
  const { N, m, d, read } = source;
  for (const [name, value] of Object.entries({ N, m, d })) checkInteger(WHERE, name, value, 1, Number.MAX_SAFE_INTEGER);
  checkInteger(WHERE, "seed", seed, 0, Number.MAX_SAFE_INTEGER);
  if (components !== "auto") checkInteger(WHERE, "components", components, 2, d);
  const known = Array.isArray(orders) && orders.length > 0 && orders.every((order) => order === 3 || order === 4);
  check(
    orders === undefined || (known && new Set(orders).size === orders.length),
    "ERR_LCONV_ARGUMENT",
    () => `${WHERE}: orders must be [3], [4] or [3, 4], got ${clip(JSON.stringify(orders))}; the second is always kept`,
  );
  check(
    typeof tolerance === "number" && tolerance > 0 && tolerance < 1,
    "ERR_LCONV_ARGUMENT",
    () => `${WHERE}: tolerance must lie between 0 and 1, got ${clip(String(tolerance))}`,
  );
  check(typeof robust === "boolean", "ERR_LCONV_ARGUMENT", () => `${WHERE}: robust must be true or false, got ${clip(String(robust))}`);
  check(typeof read === "function", "ERR_LCONV_ARGUMENT", () => `${WHERE}: a source needs a function read(start, end)`);
  check(d > 1, "ERR_LCONV_SHAPE", () => `${WHERE}: a single position has no linear symmetry that keeps its variance`);
  const least = Math.max(FEWEST_OF_CLASS, ROWS_EACH * (components === "auto" ? 2 : components));
  const rows = Math.floor(effectiveRows(source));
  const samples = rows / m < N - 1 ? `${N} samples, by their weights worth ${Math.floor(rows / m)},` : `${N} samples`;
  check(
    rows >= least && rows >= FEWEST_OF_CLASS * m,
    "ERR_LCONV_DATA",
    () =>
      `${WHERE}: ${samples}${m > 1 ? ` of ${m} channels` : ""} are too few; at least ${FEWEST_OF_CLASS}, and ${ROWS_EACH} for each component, ` +
      `${least}, are needed`,
  );
  const together = m > 1 ? ["the channels are taken together: that one L moves them alike is what is looked for, and not tested"] : [];
  if (labels === undefined) return { classOf: undefined, classes: 1, notes: together };
  const grouped = classesOf(labels, N);
  return { ...grouped, notes: [...together, ...grouped.notes] };
}

/** Numbers the classes that have samples enough. */
function classesOf(labels: ArrayLike<number>, N: number): Grouped {
  check(
    typeof labels === "object" && labels !== null && labels.length === N,
    "ERR_LCONV_SHAPE",
    () => `${WHERE}: ${N} samples, but ${labels?.length} labels`,
  );
  const counts = new Map<number, number>();
  for (let n = 0; n < N; n++) {
    checkInteger(WHERE, `labels[${n}]`, labels[n], 0, Number.MAX_SAFE_INTEGER);
    counts.set(labels[n], (counts.get(labels[n]) ?? 0) + 1);
  }
  const large = [...counts].filter(([, count]) => count >= FEWEST_OF_CLASS).map(([label]) => label);
  check(
    large.length > 0,
    "ERR_LCONV_DATA",
    () =>
      `${WHERE}: each class needs ${FEWEST_OF_CLASS} samples, the largest has ${Math.max(...counts.values())}; take more samples, or leave labels out`,
  );
  const numbers = new Map(large.sort((a, b) => a - b).map((label, i) => [label, i]));
  const classOf = Int32Array.from({ length: N }, (_, n) => numbers.get(labels[n]) ?? -1);
  const out = classOf.reduce((sum, number) => sum + Number(number < 0), 0);
  const small = counts.size - large.length;
  return {
    classOf,
    classes: large.length,
    notes: [
      ...(small > 0
        ? [`${small} of ${counts.size} classes, with ${out} samples, are left out: each has fewer than ${FEWEST_OF_CLASS}`]
        : []),
      ...(large.length === 1 ? ["the labels have one class: they say nothing"] : []),
    ],
  };
}

/** Components up to which the fourth cumulants are used without asking. */
export const FOURTH = 40;

/** In the moments of all groups. */
const numbersOf = (k: number, order: number, classes: number): number => (order === 4 ? fourthNumbers(k) : k ** order) * BATCHES * classes;

/** Whether memory holds fourth moments. */
export const fourthFits = (k: number, classes: number): boolean => numbersOf(k, 4, classes) <= MOST_NUMBERS;

/** Throws ERR_LCONV_ARGUMENT for more numbers than memory should hold. */
export function checkMemory(k: number, order: number, classes: number): void {
  const numbers = numbersOf(k, order, classes);
  check(
    numbers <= MOST_NUMBERS,
    "ERR_LCONV_ARGUMENT",
    () =>
      `${WHERE}: moments of order ${order} of ${k} components${classes > 1 ? ` and ${classes} classes` : ""} in ${BATCHES} batches are ` +
      `${numbers.toPrecision(2)} numbers, more than ${MOST_NUMBERS}; take fewer components${order > 3 ? " or orders [3]" : ""}`,
  );
}
