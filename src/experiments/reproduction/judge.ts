import { type Difference, pairedDifference, unpairedDifference } from "../sweep/statistics.js";
import { type Claim, type ClaimRow, MARGIN, type Says } from "./claims.js";
import type { Condition } from "./figures.js";

/**
 * How runs are read. corrected: layers are stacked, and the models of a seed share rotations and permutation, so that they are compared in pairs.
 * as-published: as the authors' script made them. It gave every layer of "2 CNN" and "2 FC" the images, so that the last one alone counted: runs of one
 * layer stand for them. And it drew other rotations and another permutation for each model: means are compared without pairs.
 */
export const modes = ["corrected", "as-published"] as const;
export type Mode = (typeof modes)[number];

/**
 * The accuracy of a run. chosen: on the official test images, after the epoch that validation chooses. published: as in the paper, the greatest of all
 * epochs on the last 20 % of the training file, which chooses on the images that it reports.
 */
export const measures = { chosen: "chosenTestAccuracy", published: "bestValAccuracy" } as const;
export type Measure = keyof typeof measures;

/** A finished run of a figure. */
export interface ReproducedRun extends Condition {
  seed: number;
  params: number;
  chosenTestAccuracy: number | null;
  bestValAccuracy: number | null;
}

export type Verdict = "holds" | "does not hold" | "not decided";

export interface JudgedRow {
  row: ClaimRow;
  /** At 95 %; undefined where a bar has no runs. */
  difference: Difference | undefined;
  /** Why there is no interval that could decide, where that is so. */
  note?: string;
  verdict: Verdict;
}

export interface Judgement {
  verdict: Verdict;
  rows: readonly JudgedRow[];
}

/**
 * The verdict on a claim. It holds where every row does by its own 95 % interval: all must, so no correction is due. It does not hold where one row is
 * the other way, or beyond the margin, by an interval of confidence 1 - .05 / rows (Bonferroni), as one of many would go wrong by chance. Else it is not decided.
 */
export function judge({ rows }: Pick<Claim, "rows">, runs: readonly ReproducedRun[], mode: Mode, measure: Measure): Judgement {
  const judged = rows.map((row) => judgeRow(row, runs, mode, measure));
  const strict = rows.map((row) => judgeRow(row, runs, mode, measure, 1 - 0.05 / rows.length));
  const verdict = strict.some((row) => row.verdict === "does not hold")
    ? "does not hold"
    : judged.every((row) => row.verdict === "holds")
      ? "holds"
      : "not decided";
  return { verdict, rows: judged };
}

function judgeRow(row: ClaimRow, runs: readonly ReproducedRun[], mode: Mode, measure: Measure, confidence = 0.95): JudgedRow {
  const [a, b] = [row.a, row.b].map((condition) => accuraciesOf(runs, trained(condition, mode), measure));
  if (isSame(trained(row.a, mode), trained(row.b, mode)))
    return {
      row,
      difference: undefined,
      note: "the script trains the same network twice",
      verdict: row.says === "above" ? "not decided" : "holds",
    };
  const difference = mode === "corrected" ? paired(a, b, confidence) : unpaired(a, b, confidence);
  return { row, difference, verdict: difference === undefined ? "not decided" : verdictOn(row.says, difference) };
}

/** What the authors' script trains for a bar. */
const trained = (condition: Condition, mode: Mode): Condition =>
  mode === "as-published" && (condition.model === "cnn" || condition.model === "fc") ? { ...condition, layers: 1 } : condition;

const keys = ["dataset", "variant", "layers", "model"] as const;
export const isSame = (a: Condition, b: Condition): boolean => keys.every((key) => a[key] === b[key]);

/** By seed. */
export const accuraciesOf = (runs: readonly ReproducedRun[], condition: Condition, measure: Measure): Map<number, number> =>
  new Map(
    runs.flatMap((run) => {
      const accuracy = run[measures[measure]];
      return isSame(run, condition) && accuracy !== null ? [[run.seed, accuracy] as const] : [];
    }),
  );

type BySeed = ReadonlyMap<number, number>;

function paired(a: BySeed, b: BySeed, confidence: number): Difference | undefined {
  const seeds = [...a.keys()].filter((seed) => b.has(seed));
  const of = (values: BySeed): number[] => seeds.map((seed) => values.get(seed) as number);
  return seeds.length === 0 ? undefined : pairedDifference(of(a), of(b), confidence);
}

const unpaired = (a: BySeed, b: BySeed, confidence: number): Difference | undefined =>
  a.size === 0 || b.size === 0 ? undefined : unpairedDifference([...a.values()], [...b.values()], confidence);

function verdictOn(says: Says, { low, high }: Difference): Verdict {
  if (low === null || high === null) return "not decided";
  const [holds, fails] = {
    above: [low > 0, high < 0],
    "no gain": [high < MARGIN, low > MARGIN],
    equal: [low > -MARGIN && high < MARGIN, low > MARGIN || high < -MARGIN],
  }[says];
  return holds ? "holds" : fails ? "does not hold" : "not decided";
}
