import { whitened, whitening } from "../lie/functions/whitening.js";
import type { Extraction } from "../symmetry/extraction.js";
import { type FiniteCheck, TIMES } from "../symmetry/finiteCheck.js";
import type { Ensemble } from "./ensemble.js";

// What may be claimed on the ground of a fit, an extraction and its finite checks.

/** The samples, and what is looked for in them. */
export interface Asked {
  x: Float32Array; // [N, m, d]
  N: number;
  m: number;
  d: number;
  output: "invariant" | "equivariant";
  affine: boolean;
  within?: unknown;
}

export interface Claim {
  /** Undefined where it cannot be said. */
  dimension: number | undefined;
  notes: string[];
}

/** An R^2 below this is no fit to conclude from: every output below it, and there is no claim. */
const FIT_BOUND = 0.3;

const show = (value: number): string => (Number.isFinite(value) ? value.toPrecision(2) : "nothing");

/** Why nothing can be concluded from these samples and their fit; undefined where something can. */
export function noGround({ x, N, d, affine, within }: Asked, { models, heldOut, r2 }: Ensemble): string | undefined {
  const best = Math.max(...r2.filter((value) => !Number.isNaN(value)));
  if (models.length === 0 || !(best >= FIT_BOUND))
    return (
      `no claim: on ${heldOut.length} samples held out the networks explain ${show(best)} of the variance of y at best, less than ${FIT_BOUND}; ` +
      "take more samples or longer training, or y is noise"
    );
  const heavy = within ? N : effectiveSamples(x, d, N, affine);
  return heavy >= Math.min(FEWEST_EFFECTIVE, N / 20)
    ? undefined
    : `no claim: x has tails so heavy that about ${show(heavy)} of ${N} samples make up its second moment, by which everything is measured; ` +
        "leave outliers out, or pass a function of x with lighter tails, such as its logarithm";
}

/** Of second moments. */
const FEWEST_EFFECTIVE = 20;

/** (sum q)^2 / sum q^2 of q = |x'|^2 of each sample: how many of them decide the second moments. */
function effectiveSamples(x: Float32Array, d: number, N: number, affine: boolean): number {
  const inputs = whitening(x, d, affine);
  const values = whitened(inputs, x);
  const width = values.length / N;
  let [sum, squares] = [0, 0];
  for (let n = 0; n < N; n++) {
    const q = values.subarray(n * width, (n + 1) * width).reduce((total, value) => total + value * value, 0);
    sum += q;
    squares += q * q;
  }
  return sum ** 2 / squares;
}

/** From this share of the variance on little is left for anything but noise. */
const NEARLY_ALL = 0.98;

/** What the fit leaves open. */
export function fitNotes(r2: readonly number[]): string[] {
  const poor = r2.flatMap((value, a) => (value >= FIT_BOUND ? [] : [`${a} (R² ${show(value)})`]));
  const least = Math.min(...r2.filter((value) => value >= FIT_BOUND));
  return [
    ...(poor.length === 0
      ? []
      : [`little or nothing was learned of output ${poor.join(", ")}: what is claimed holds for the other outputs`]),
    ...(least >= NEARLY_ALL
      ? []
      : [
          `the networks explain ${show(100 * least)} % of what y varies${r2.length > 1 ? " in the output that they fit worst" : ""}: the rest is taken for noise, ` +
            "and what it may hold that no network learned is not examined",
        ]),
  ];
}

/** With fewer samples a function with a corner, or of another degree, looks like one with a symmetry. */
const FEWEST_CLAIMED = 300;

/** The dimension that may be claimed. */
export function claimOf(
  { dimension, undecided, residuals, inputs, notes: before }: Extraction,
  checks: readonly FiniteCheck[],
  { N, m, output, affine }: Asked,
): Claim {
  const notes = [...before, ...slight(checks)];
  const none = (why: string): Claim => ({ dimension: undefined, notes: [...notes, `no claim: ${why}`] });
  const failed = checks.filter(({ verdict }) => verdict === "fails");
  const open = checks.filter(({ verdict }) => verdict === "undecided");
  const say = (list: readonly FiniteCheck[]): string =>
    list
      .map(({ change, explained, t }) =>
        Number.isNaN(change)
          ? "the flow leaves the samples at once"
          : `${show(change)} standard deviations at t = ${t.toPrecision(2)}, of which the networks' noise explains ${show(explained)}`,
      )
      .join("; ");
  if (failed.length > 0) {
    const note = `finite check: f changes along ${failed.length} of ${checks.length} directions that are flat at first order, by ${say(failed)}`;
    return { dimension: failed.length === checks.length && undecided === 0 ? 0 : undefined, notes: [...notes, note] };
  }
  if (open.length > 0)
    return {
      dimension: undefined,
      notes: [...notes, `finite check undecided for ${open.length} of ${checks.length} directions: ${say(open)}`],
    };
  if (dimension > 0 && N < FEWEST_CLAIMED)
    return none(
      `${N} samples do not tell a symmetry from a function that is only close to having one; at least ${FEWEST_CLAIMED} are needed`,
    );
  // All linear maps take any fewer than d vectors to any others, all affine ones d points.
  const transitive = inputs !== undefined && m < inputs.to.rows + (affine ? 1 : 0);
  if (output === "invariant" && transitive && dimension === residuals.length)
    return none("every direction that was looked at seems to be a symmetry, so that f would be the same everywhere, and it is not");
  return { dimension: undecided > 0 ? undefined : dimension, notes };
}

/** Changes that hold because they are small, and are more than the networks' noise all the same. */
function slight(checks: readonly FiniteCheck[]): string[] {
  const seen = checks.filter(({ verdict, change, explained }) => verdict === "holds" && change > TIMES * explained && change > NOTED);
  if (seen.length === 0) return [];
  const { change, explained } = seen.reduce((a, b) => (b.change > a.change ? b : a));
  return [
    `approximate: along ${seen.length} of ${checks.length} directions f changes by up to ${show(change)} standard deviations, of which the networks' noise ` +
      `explains ${show(explained)}: the symmetry may be broken by that much, or the networks share an error`,
  ];
}
const NOTED = 0.03; // less is not worth a word
