import { type ClaimRow, MARGIN, type Says } from "../experiments/reproduction/claims.js";
import type { Condition } from "../experiments/reproduction/figures.js";
import type { JudgedRow, Judgement, Measure, Mode } from "../experiments/reproduction/judge.js";
import type { Bar, FigureSummary, JudgedClaim, PrintedBeside, Reproduction, SizeClaim } from "../experiments/reproduction/summary.js";
import { barChart } from "./barChart.js";
import { percent } from "./curves.js";
import { type PageHead, page, scroll, section, textTable } from "./page.js";
import { element, escapeText } from "./svg.js";
import { interval, points, spread } from "./sweep.js";

/** The paper's figures as this package finds them, and what becomes of its claims, as one self-contained page. */
export function renderReproduction(head: PageHead, { figures, claims, sizes }: Reproduction): string {
  return page(head, [
    section("Claims", claimSection(claims) + sizeTable(sizes)),
    ...figures.map(figureSection),
    section("What decides", claims.map(rowsOf).join("")),
  ]);
}

/** The four ways to read the runs, the first one being ours. */
export const readings: readonly { mode: Mode; measure: Measure; name: string }[] = [
  { mode: "corrected", measure: "chosen", name: "corrected, test images" },
  { mode: "corrected", measure: "published", name: "corrected, best epoch" },
  { mode: "as-published", measure: "chosen", name: "as published, test images" },
  { mode: "as-published", measure: "published", name: "as published, best epoch" },
];

const text = (content: string): string => element("p", {}, escapeText(content));
const muted = (content: string): string => element("p", { class: "muted" }, escapeText(content));
const number = (heading: string) => ({ heading, number: true });

/** A claim of which nothing was run is not decided, either; that is said. */
export const verdictText = ({ verdict, rows }: Judgement): string =>
  rows.every(({ difference }) => difference === undefined) ? "no runs yet" : verdict;

function claimSection(claims: readonly JudgedClaim[]): string {
  const columns = [{ heading: "Claim" }, { heading: "Said in" }, ...readings.map(({ name }) => ({ heading: name }))];
  const rows = claims.map((judged) => [
    judged.claim.text,
    judged.claim.source,
    ...readings.map(({ mode, measure }) => verdictText(judged.judgements[mode][measure])),
  ]);
  return (
    scroll(textTable(columns, rows), "Claims") +
    text(
      "Test images: the official ones, by the weights of the epoch with the greatest validation accuracy. Best epoch: as in the paper, the greatest accuracy of all epochs on the last 20 % of the training file.",
    ) +
    text(
      "Corrected: two layers are stacked, and the models of a seed share rotations and permutation, so that runs are compared in pairs. As published: the authors' script trained one layer where it said 2 CNN or 2 FC, and drew other rotations and another permutation for each model, so that means are compared without pairs (Welch).",
    ) +
    muted(
      `A claim holds where each of its rows does by its own 95 % interval, and does not hold where one is the other way, or beyond the margin, by an interval of confidence 1 - 5 % / rows. Else it is not decided. A gain below ${100 * MARGIN} point counts as none. Seeds vary weights, order, rotations and permutation; nothing is said of other images.`,
    )
  );
}

function figureSection({ figure, bars }: FigureSummary): string {
  const charts = figure.variants.map((variant) => {
    const shown = bars.filter((bar) => bar.variant === variant && bar.accuracy.chosen !== null);
    return shown.length === 0 ? muted(`${variant}: no runs yet.`) : element("figure", {}, accuracyChart(figure, shown, variant));
  });
  const measured = bars.filter(({ accuracy }) => accuracy.published !== null);
  const body = `${charts.join("")}${measured.length > 0 ? scroll(barTable(measured), figure.title) : ""}${element("figure", {}, parameterChart(figure, bars))}`;
  return section(figure.title, body);
}

function sizeTable(sizes: readonly SizeClaim[]): string {
  if (sizes.length === 0) return "";
  const columns = ["Claim on sizes", "Said in", "Verdict", "Counted"].map((heading) => ({ heading }));
  return scroll(
    textTable(
      columns,
      sizes.map(({ text: claim, source, verdict, evidence }) => [claim, source, verdict, evidence]),
    ),
    "Claims on sizes",
  );
}

type Shape = FigureSummary["figure"];

const groupName = ({ dataset, layers }: Pick<Condition, "dataset" | "layers">, { groups }: Shape): string =>
  new Set(groups.map((group) => group.layers)).size > 1 ? `${layers} ${layers === 1 ? "layer" : "layers"}` : dataset;

/** Means on the test images, with a whisker of one standard deviation over seeds. */
function accuracyChart(figure: Shape, bars: readonly Bar[], variant: string): string {
  return barChart({
    title: `${figure.title}: ${variant}`,
    xLabel: "accuracy on the test images, mean and standard deviation over seeds",
    series: figure.models.map(({ label }) => label),
    groups: groupsOf(
      figure,
      bars,
      ({ accuracy }) => accuracy.chosen?.mean,
      ({ accuracy }) => accuracy.chosen?.sd ?? undefined,
    ),
    format: percent,
  });
}

/** Of the first variant: all have the same networks. */
function parameterChart(figure: Shape, bars: readonly Bar[]): string {
  return barChart({
    title: "Trained values, as the paper counts them",
    xLabel: "trained values",
    series: figure.models.map(({ label }) => label),
    groups: groupsOf(
      figure,
      bars.filter(({ variant }) => variant === figure.variants[0]),
      ({ parameters }) => parameters,
    ),
    format: (value) => Math.round(value).toLocaleString("en-US"),
  });
}

type Value = (bar: Bar) => number | undefined;

function groupsOf(figure: Shape, bars: readonly Bar[], value: Value, half: Value = () => undefined) {
  const kept = figure.groups.filter((group) => bars.some((bar) => isIn(bar, group)));
  return kept.map((group) => {
    const own = figure.models.map(({ model }) => bars.find((bar) => isIn(bar, group) && bar.model === model));
    return { name: groupName(group, figure), values: own.map((bar) => bar && value(bar)), spreads: own.map((bar) => bar && half(bar)) };
  });
}

const isIn = (bar: Condition, group: Pick<Condition, "dataset" | "layers">): boolean =>
  bar.dataset === group.dataset && bar.layers === group.layers;

function barTable(bars: readonly Bar[]): string {
  const columns = [
    ...["Data", "Images", "Network"].map((heading) => ({ heading })),
    ...["Seeds", "Test images", "Best epoch", "Printed by the authors", "Trained values"].map(number),
  ];
  const rows = bars.map((bar) => [
    ...[bar.dataset, bar.variant, `${bar.layers} ${bar.label}`],
    ...[String(bar.accuracy.published?.n ?? 0), spread(bar.accuracy.chosen), spread(bar.accuracy.published)],
    ...[bar.printed ? printedText(bar.printed) : "", bar.parameters.toLocaleString("en-US")],
  ]);
  return textTable(columns, rows);
}

/** `94.45 %, within 93.90 % to 94.80 %` */
function printedText({ accuracy, expected }: PrintedBeside): string {
  if (expected === undefined) return percent(accuracy);
  const inside = accuracy >= expected.low && accuracy <= expected.high;
  return `${percent(accuracy)}, ${inside ? "inside" : "outside"} ${percent(expected.low)} to ${percent(expected.high)}`;
}

function rowsOf({ claim, judgements }: JudgedClaim): string {
  const columns = [
    { heading: "Bar" },
    { heading: "Compared with" },
    { heading: "Expected" },
    ...["Pairs", "Difference", "95 % interval"].map(number),
    { heading: "" },
  ];
  const rows = judgements.corrected.chosen.rows.map((judged) => [
    ...namesOf(judged.row),
    says(judged.row.says),
    ...figuresOf(judged),
    judged.verdict,
  ]);
  return element("h3", {}, escapeText(claim.text)) + scroll(textTable(columns, rows), claim.text);
}

const figuresOf = ({ difference }: JudgedRow): string[] =>
  difference === undefined ? ["0", "–", "–"] : [String(difference.n), points(difference.mean), interval(difference)];

const says = (what: Says): string =>
  ({ above: "above 0", "no gain": `below ${points(MARGIN)}`, equal: `within ${points(MARGIN).slice(1)} of 0` })[what];

/** Both bars by what they do not have in common, and what they do. */
function namesOf({ a, b }: ClaimRow): [string, string] {
  const full = ({ dataset, variant, layers, model }: Condition): string => `${dataset}, ${variant}, ${layers} ${model}`;
  return [full(a), full(b)];
}
