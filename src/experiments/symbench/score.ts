import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { generatorIn, whitening } from "../../lie/functions/whitening.js";
import type { Basis } from "../../lie/generators/basis.js";
import { anglesBetween } from "../../lie/generators/canonical.js";
import { matchKnown } from "../../lie/identify/identify.js";
import { largestAngle } from "../../symmetry/spanError.js";
import type { Problem, Setting } from "./problem.js";
import type { Answer } from "./systems.js";
import type { Category, Known } from "./truth.js";

/** A line of the ledger: what a system said of a problem, beside the truth. Angles in degrees; null is "not said" or "not measured". */
export interface Row extends Setting {
  /** One of ours, or any other that was entered. */
  system: string;
  truth: string;
  category: Category;
  trueDimension: number;
  trueAlgebra: string;
  dimension: number | null;
  /** Null where no name is given. */
  algebra: string | null;
  /** Names that the system does not exclude beside it. */
  alternatives: readonly string[];
  /** Largest principal angle to the true span in whitened coordinates, where the dimension is right. */
  angle: number | null;
  /** The same by what the generators do to x as it is. */
  angleOnData: number | null;
  /** The 95 % bound that the system states for `angle`. */
  bound: number | null;
  /** Of the directions up to three beyond the true dimension, and their noise. */
  residuals: number[];
  residualNoise: number[] | null;
  change: number | null;
  r2: number[];
  /** Of the whole cell: our systems share its networks. */
  seconds: number | null;
  notes: readonly string[];
}

const degrees = (radians: number): number => (180 * radians) / Math.PI;
const orNull = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(4));

/** What an answer is compared with. */
export type Compared = Pick<Problem, "x" | "generators">;

/** Scores an answer. In pieces. */
export function* scored(truth: Known, problem: Compared, setting: Setting, system: string, answer: Answer, seconds: number): Pieces<Row> {
  const trueDimension = problem.generators?.n_L ?? 0;
  const { dimension, basis, whitened, bound, residuals, noise, change, r2, notes } = answer;
  const nameless = !basis || system === "random" || basis.n_L > MOST_NAMED;
  const named = nameless ? undefined : (answer.named ?? (yield* matchKnown(whitened ?? basis, uncertaintyOf(bound))));
  const right = basis !== undefined && problem.generators !== undefined && dimension === trueDimension;
  const compared = right ? yield* angles(truth, problem, answer, basis) : undefined;
  const shown = (values: readonly number[]): number[] => values.slice(0, trueDimension + 3).map((value) => Number(value.toPrecision(3)));
  return {
    ...setting,
    ...{ system, truth: truth.name, category: truth.category, trueDimension, trueAlgebra: truth.algebra },
    dimension: dimension ?? null,
    algebra: dimension === 0 ? "none" : named === undefined || named.name === "unknown" ? null : named.name,
    alternatives: named?.alternatives ?? [],
    angle: orNull(compared?.whitened),
    angleOnData: orNull(compared?.onData),
    bound: right ? orNull(degrees(bound)) : null,
    residuals: shown(residuals),
    residualNoise: noise ? shown(noise) : null,
    change: orNull(change),
    r2: r2.map((value) => Number(value.toPrecision(4))),
    seconds: Number(seconds.toPrecision(3)),
    notes,
  };
}

/** Where a bound is known it is the uncertainty of the generators; else what gradients in float32 leave of it. */
const uncertaintyOf = (bound: number): { uncertainty: number } => ({
  uncertainty: Number.isFinite(bound) ? Math.min(0.5, Math.max(FLOAT32, bound)) : FLOAT32,
});
const FLOAT32 = 1e-4;
/** A null space that is larger than this is no algebra that a problem here has, and takes minutes to name. */
const MOST_NAMED = 12;

function* angles(
  { d, affine, category }: Known,
  { x, generators }: Compared,
  { inputs }: Answer,
  found: Basis,
): Pieces<{ whitened: number; onData?: number }> {
  const truth = generators as Basis;
  const frame = inputs ?? whitening(x, d, affine);
  const columns = (basis: Basis): Matrix => new Matrix(basis.dense().map((L) => generatorIn(frame, L, affine).to1DArray())).transpose();
  const whitened = degrees(largestAngle(columns(found), columns(truth)));
  if (category === "reduced") return { whitened }; // known only modulo what x or f leave out
  const data = new Matrix(
    Array.from({ length: Math.min(300, x.length / d) }, (_, n) => [...x.subarray(n * d, (n + 1) * d), ...(affine ? [1] : [])]),
  ).transpose();
  return { whitened, onData: degrees(Math.max(...(yield* anglesBetween(found, truth, { data })))) };
}
