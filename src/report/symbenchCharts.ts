import type { Roc } from "../experiments/symbench/curves.js";
import { groupBy } from "../experiments/symbench/statistics.js";
import type { SystemSummary } from "../experiments/symbench/summary.js";
import { lineChart, type Series } from "./chart.js";
import { significant } from "./svg.js";

const share = (value: number): string => `${Number((100 * value).toFixed(1))} %`;
/** The line on which both axes are equal. */
const diagonal = (name: string, from: number): Series => ({
  name,
  color: 6,
  dashed: true,
  points: [
    [from, from],
    [1, 1],
  ],
});

/** The share of right dimensions against samples, a chart for each system and a line for each noise; none of what is given its dimension. */
export const accuracyCharts = (systems: readonly SystemSummary[]): string[] =>
  systems
    .filter(({ system, cells }) => system !== "random" && cells.length > 0)
    .map(({ system, cells }) =>
      lineChart({
        title: `${system}: dimension right`,
        xLabel: "log10 of the number of samples",
        yLabel: "share of cells",
        yFormat: share,
        yRange: [0, 1],
        series: [...groupBy(cells, ({ noise }) => noise)]
          .sort(([a], [b]) => a - b)
          .map(([noise, own]) => ({
            name: `noise ${significant(noise)}`,
            points: own.map(({ samples, right }) => [Math.log10(samples), right.share ?? Number.NaN] as const),
          })),
      }),
    );

/** Stated against observed coverage. */
export const reliabilityChart = (systems: readonly SystemSummary[]): string =>
  lineChart({
    title: "Reliability of the bounds",
    xLabel: "stated coverage",
    yLabel: "observed coverage",
    yFormat: share,
    yRange: [0, 1],
    series: [
      ...systems.flatMap(({ system, reliability }) =>
        (["target", "all"] as const).map((which) => ({
          name: `${system}, ${which === "target" ? "rows of the goals" : "all rows"}`,
          points: reliability[which].map(({ stated, observed }) => [stated, observed.share ?? Number.NaN] as const),
        })),
      ),
      diagonal("as stated", 0.5),
    ],
  });

/** True against false positives as the threshold on the smallest residual rises; a false-positive rate takes steps. */
export const rocChart = (systems: readonly { system: string; roc: Roc }[]): string =>
  lineChart({
    title: "ROC of the smallest residual",
    xLabel: "false positives, share of the functions without a symmetry",
    yLabel: "true positives",
    yFormat: share,
    yRange: [0, 1],
    series: [
      ...systems.map(({ system, roc }) => ({
        name: `${system} (AUC ${roc.auc.toFixed(3)})`,
        points: [...roc.points.map(({ falsePositives, truePositives }) => [falsePositives, truePositives] as const), [1, 1] as const],
      })),
      diagonal("chance", 0),
    ],
  });
