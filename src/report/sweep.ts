import type { Difference, Spread } from "../experiments/sweep/statistics.js";
import type { Comparison, SweepGroup, SweepSummary } from "../experiments/sweep/summary.js";
import { barChart } from "./barChart.js";
import { percent } from "./curves.js";
import { type PageHead, page, scroll, section, textTable } from "./page.js";
import { clip, element, escapeText } from "./svg.js";

/** A cell of a sweep as its report lists it. */
export interface ListedCell {
  number: number;
  run: string;
  label: string;
  /** "done", or what became of it. */
  state: string;
  /** Why it failed. */
  reason?: string | undefined;
}

/** The results of a sweep, of the cells that are done, as one self-contained page. */
export function renderSweep(head: PageHead, summary: SweepSummary, cells: readonly ListedCell[]): string {
  const left = cells.filter(({ state }) => state !== "done");
  return page(head, [
    section("Accuracy", summary.groups.length === 0 ? text("No cell is done.") : accuracySection(summary)),
    ...(summary.comparisons.length > 0 ? [section("Differences", differencesSection(summary))] : []),
    ...(left.length > 0 ? [section("Cells without results", text(unfinished(left.length, cells.length)) + cellTable(left))] : []),
    section("Cells", cellTable(cells)),
  ]);
}

const text = (content: string): string => element("p", {}, escapeText(content));
const muted = (content: string): string => element("p", { class: "muted" }, escapeText(content));
const number = (heading: string) => ({ heading, number: true });
const unfinished = (left: number, of: number): string =>
  `${left} of ${of} cells have no results: means and differences are of the seeds that are there, and may change.`;

const metricNames = { testAccuracy: "test accuracy", valAccuracy: "validation accuracy after the last epoch" };
const MOST_BARS = 60;
const MOST_LEFT = 380; // of 760 pixels

/** `model cnn, lr 0.1`; "all" where nothing but the seed differs. */
export const nameOf = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ") || "all";

/** `94.51 % ± 0.32` of two or more seeds. */
export const spread = (of: Spread | null): string =>
  of === null ? "–" : `${percent(of.mean)}${of.sd === null ? "" : ` ± ${(100 * of.sd).toFixed(2)}`}`;

function accuracySection({ groups, metric }: SweepSummary): string {
  const keys = Object.keys(groups[0].values);
  const columns = [
    ...(keys.length > 0 ? keys : ["runs"]).map((heading) => ({ heading })),
    ...["Seeds", "Best validation", "Validation, last epoch", "Test", "Parameters", "Seconds"].map(number),
  ];
  const rows = groups.map((group) => [
    ...(keys.length > 0 ? keys.map((key) => group.values[key]) : ["all"]),
    String(group.runs.length),
    ...[group.accuracy.bestValAccuracy, group.accuracy.valAccuracy, group.accuracy.testAccuracy].map(spread),
    group.params.toLocaleString("en-US"),
    group.seconds.mean.toFixed(1),
  ]);
  return (
    scroll(textTable(columns, rows), "Accuracy") +
    muted(
      "Mean and standard deviation over seeds, which vary the weights, the order of the samples, the rotations and the scrambling together. Best is over the epochs: a maximum, and so higher than what a network reaches on new images.",
    ) +
    (groups.length <= MOST_BARS ? element("figure", {}, chart(groups, metric)) : "")
  );
}

function chart(groups: readonly SweepGroup[], metric: SweepSummary["metric"]): string {
  const names = groups.map(({ values }) => Object.values(values).join(" ") || "all");
  const left = Math.min(MOST_LEFT, Math.max(150, 20 + 6.5 * Math.max(...names.map((name) => name.length))));
  return barChart({
    title: `Mean ${metricNames[metric]}`,
    xLabel: metricNames[metric],
    series: ["mean over seeds"],
    groups: groups.map(({ accuracy }, i) => ({ name: clip(names[i], Math.floor((left - 20) / 6.5)), values: [accuracy[metric]?.mean] })),
    format: percent,
    left,
  });
}

function differencesSection({ comparisons, metric }: SweepSummary): string {
  const columns = [
    ...["Setting", "Value", "Compared with", "All else"].map((heading) => ({ heading })),
    ...["Pairs", "Difference", "95 % interval"].map(number),
    { heading: "" },
  ];
  const rows = comparisons.map((row) => [
    ...[row.key, row.value, row.reference, nameOf(row.others)],
    ...[String(row.n), points(row.mean), interval(row), verdict(row)],
  ]);
  return (
    scroll(textTable(columns, rows), "Differences") +
    muted(
      `Of ${metricNames[metric]}, in percentage points, of runs with the same seed; Student's interval of the mean difference, which for two or three seeds is wide. Not decided: the interval holds 0, or one pair, or pairs without any spread, give none. ` +
        `Each interval stands for itself: of twenty where nothing differs, one is expected to say otherwise. Here are ${comparisons.length}. The images are the same for all seeds, and nothing is said of others.`,
    )
  );
}

export const points = (share: number): string => `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)}`;
export const interval = ({ low, high }: Difference): string => (low === null || high === null ? "–" : `${points(low)} to ${points(high)}`);
export const verdict = ({ decided, mean }: Comparison): string => (decided ? (mean > 0 ? "higher" : "lower") : "not decided");

function cellTable(cells: readonly ListedCell[]): string {
  const columns = [number("Cell"), { heading: "Settings" }, { heading: "Folder" }, { heading: "State" }];
  const rows = cells.map(({ number: n, label, run, state, reason }) => [
    ...[String(n), label, run],
    reason === undefined ? state : `${state}: ${reason}`,
  ]);
  return scroll(textTable(columns, rows), "Cells");
}
