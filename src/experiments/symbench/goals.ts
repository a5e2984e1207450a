import { boundedRows } from "./curves.js";
import { dimensionSaid, nameSaid } from "./grades.js";
import type { Row } from "./score.js";
import { groupBy, known, quantile, shareWhere } from "./statistics.js";

/** The goals are about this many samples or more, and labels with at most this noise. */
export const ENOUGH_SAMPLES = 3000;
export const LITTLE_NOISE = 0.1;
/** The share of cells with the right dimension. */
export const RIGHT_SHARE = 0.95;

const littleNoise = ({ noise }: Row): boolean => noise <= LITTLE_NOISE;
export const inTarget = (row: Row): boolean => littleNoise(row) && row.samples >= ENOUGH_SAMPLES;

interface Goal {
  name: string;
  /** In words, for tables. */
  asked: string;
  unit: "share" | "degrees";
  /** The figure, of how many rows it is one; null of none. */
  measure(rows: readonly Row[]): { value: number | null; of: number };
  holds(value: number): boolean;
  /** Of a single truth, where that is another question. */
  holdsForOne?(value: number): boolean;
}

const share = <T>(rows: readonly T[], test: (row: T) => boolean): { value: number | null; of: number } => ({
  value: shareWhere(rows, test).share,
  of: rows.length,
});

const goals: readonly Goal[] = [
  {
    ...{ name: "dimension right", asked: "at least 95 %", unit: "share" },
    measure: (rows) => share(rows, (row) => dimensionSaid(row) === "right"),
    holds: (value) => value >= RIGHT_SHARE,
  },
  {
    ...{ name: "wrong names", asked: "none", unit: "share" },
    measure: (rows) => share(rows, (row) => nameSaid(row) === "wrong"),
    holds: (value) => value === 0,
  },
  {
    ...{ name: "missing names", asked: "below 10 %", unit: "share" },
    measure: (rows) => share(rows, (row) => nameSaid(row) === "missing"),
    holds: (value) => value < 0.1,
  },
  {
    ...{ name: "false positives", asked: "at most 1 %", unit: "share" },
    measure: (rows) =>
      share(
        rows.filter(({ trueDimension }) => trueDimension === 0),
        ({ dimension }) => (dimension ?? 0) > 0,
      ),
    holds: (value) => value <= 0.01,
  },
  {
    ...{ name: "coverage of the 95 % bound", asked: "90 to 99 %", unit: "share" },
    measure: (rows) => share(boundedRows(rows), ({ angle, bound }) => angle <= bound),
    holds: (value) => value >= 0.9 && value <= 0.99,
    holdsForOne: (value) => value >= 0.9, // of a few rows, all may well be within their bounds
  },
  {
    ...{ name: "median of the largest angle", asked: "below 0.5 degrees", unit: "degrees" },
    measure: (rows) => {
      const angles = known(rows.map(({ angle }) => angle));
      return { value: quantile(angles, 0.5), of: angles.length };
    },
    holds: (value) => value < 0.5,
  },
];

export interface GoalResult {
  name: string;
  asked: string;
  unit: Goal["unit"];
  value: number | null;
  /** Rows behind the value. */
  of: number;
  /** Null where nothing was measured. */
  reached: boolean | null;
  /** The least number of samples from which on it is reached at each number of samples by itself; null where it is not at the most of them. */
  fromSamples: number | null;
  /** The truths that miss it by themselves. */
  shortAt: { truth: string; value: number }[];
}

/** The goals for graded rows of one system. */
export function evaluateGoals(rows: readonly Row[]): GoalResult[] {
  const target = rows.filter(inTarget);
  return goals.map((goal) => {
    const { name, asked, unit, measure, holds } = goal;
    const { value, of } = measure(target);
    const reached = value === null ? null : holds(value);
    const fromSamples = reachedFrom(rows, (some) => {
      const { value: own } = measure(some);
      return own === null ? undefined : holds(own);
    });
    return { name, asked, unit, value, of, reached, fromSamples, shortAt: shortOf(goal, target) };
  });
}

function shortOf({ measure, holds, holdsForOne = holds }: Goal, rows: readonly Row[]): GoalResult["shortAt"] {
  return [...groupBy(rows, ({ truth }) => truth)].flatMap(([truth, own]) => {
    const { value } = measure(own);
    return value === null || holdsForOne(value) ? [] : [{ truth, value }];
  });
}

/** The least number of samples from which on `holds`, for rows with little noise; undefined: nothing is known at that size, which is passed over. */
export function reachedFrom(rows: readonly Row[], holds: (rows: readonly Row[]) => boolean | undefined): number | null {
  const sizes = [...groupBy(rows.filter(littleNoise), ({ samples }) => samples)].sort(([a], [b]) => b - a);
  let least: number | null = null;
  for (const [samples, own] of sizes) {
    const reached = holds(own);
    if (reached === false) break;
    if (reached) least = samples;
  }
  return least;
}
