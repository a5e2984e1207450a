import { predictionInterval, type Spread, spreadOf } from "../sweep/statistics.js";
import { type Claim, claims } from "./claims.js";
import { type Condition, type Figure, type FigureName, figureNames, figureOf } from "./figures.js";
import { accuraciesOf, isSame, type Judgement, judge, type Measure, type Mode, type ReproducedRun } from "./judge.js";

/** A bar before it is trained, with its number of trained values as the paper counts them. */
export type Counted = Condition & { parameters: number };

/** A bar, and what came of it. */
export interface Bar extends Counted {
  label: string;
  /** Over seeds; null where no run is there. */
  accuracy: Record<Measure, Spread | null>;
  printed?: PrintedBeside;
}

/** What the authors printed for a bar. */
export interface PrintedBeside {
  accuracy: number;
  /** Where the same measure of one more run is expected, at 95 %; undefined of one seed. */
  expected: { low: number; high: number } | undefined;
}

export interface FigureSummary {
  name: FigureName;
  figure: Figure;
  bars: readonly Bar[];
}

/** A claim, and its verdict by how runs are read and by what is compared. */
export interface JudgedClaim {
  claim: Claim;
  judgements: Readonly<Record<Mode, Readonly<Record<Measure, Judgement>>>>;
}

/** A statement on sizes, which are counted and not measured. */
export interface SizeClaim {
  figure: FigureName;
  text: string;
  source: string;
  verdict: "holds" | "does not hold";
  evidence: string;
}

export interface Reproduction {
  figures: readonly FigureSummary[];
  claims: readonly JudgedClaim[];
  sizes: readonly SizeClaim[];
}

/** Bars with their spread over seeds, and every claim on a figure of which bars are given. */
export function summarize(
  counted: Partial<Record<FigureName, readonly Counted[]>>,
  runs: Partial<Record<FigureName, readonly ReproducedRun[]>>,
): Reproduction {
  const named = figureNames.filter((name) => counted[name] !== undefined);
  return {
    figures: named.map((name) => ({
      name,
      figure: figureOf(name),
      bars: (counted[name] ?? []).map((bar) => barOf(name, bar, runs[name] ?? [])),
    })),
    claims: claims.filter(({ figure }) => named.includes(figure)).map((claim) => judged(claim, runs[claim.figure] ?? [])),
    sizes: named.includes("fig2") ? [sizesOnMnist(counted.fig2 ?? [])] : [],
  };
}

/** "5x" in the caption of Figure 2, read with a margin of a half. */
const FIVE = { least: 4.5, most: 5.5 };

function sizesOnMnist(bars: readonly Counted[]): SizeClaim {
  const parameters = (model: string): number =>
    bars.find((bar) => bar.dataset === "mnist" && bar.model === model)?.parameters ?? Number.NaN;
  const [fc, cnn] = ["fc", "cnn"].map((model) => parameters(model) / parameters("lconv"));
  const holds = [fc, cnn].every((ratio) => ratio >= FIVE.least && ratio <= FIVE.most);
  return {
    figure: "fig2",
    text: "On MNIST the fully connected network and the CNN have five times the parameters of L-conv.",
    source: "caption of Figure 2",
    verdict: holds ? "holds" : "does not hold",
    evidence: `fully connected ${fc.toFixed(1)} times, CNN ${cnn.toFixed(2)} times`,
  };
}

function barOf(name: FigureName, bar: Counted, runs: readonly ReproducedRun[]): Bar {
  const { models, printed } = figureOf(name);
  const { label = bar.model } = models.find(({ model }) => model === bar.model) ?? {};
  const accuracy = { chosen: spreadBy(runs, bar, "chosen"), published: spreadBy(runs, bar, "published") };
  const beside = printed.find(({ condition }) => isSame(condition, bar));
  if (beside === undefined) return { ...bar, label, accuracy };
  return {
    ...bar,
    label,
    accuracy,
    printed: { accuracy: beside.accuracy, expected: accuracy.published ? predictionInterval(accuracy.published) : undefined },
  };
}

function spreadBy(runs: readonly ReproducedRun[], bar: Condition, measure: Measure): Spread | null {
  const values = [...accuraciesOf(runs, bar, measure).values()];
  return values.length === 0 ? null : spreadOf(values);
}

function judged(claim: Claim, runs: readonly ReproducedRun[]): JudgedClaim {
  const by = (mode: Mode): Record<Measure, Judgement> => ({
    chosen: judge(claim, runs, mode, "chosen"),
    published: judge(claim, runs, mode, "published"),
  });
  return { claim, judgements: { corrected: by("corrected"), "as-published": by("as-published") } };
}
