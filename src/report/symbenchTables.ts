import type { Share } from "../experiments/symbench/statistics.js";
import type { Scores, Spread, SystemSummary } from "../experiments/symbench/summary.js";
import { type Column, textTable } from "./page.js";
import { significant } from "./svg.js";

/** 0.943 as "94.3 %". */
export const percent = (share: number | null): string => (share === null ? "–" : `${Number((100 * share).toFixed(1))} %`);
/** Three digits, and of what is all but nothing one. */
export function degrees(value: number | null): string {
  if (value === null) return "–";
  return value > 0 && value < 0.001 ? value.toExponential(0) : significant(value);
}
export const interval = ({ low, high }: Share): string => (low === null || high === null ? "–" : `${percent(low)} to ${percent(high)}`);

const spread = ({ median, p90 }: Spread): string => (median === null ? "–" : `${degrees(median)}, ${degrees(p90)}`);
const ofAll = ({ count, of, share }: Share): string => (of === 0 ? "–" : `${percent(share)} (${count} of ${of})`);

interface ScoreColumn {
  heading: string;
  value(scores: Scores): string;
}

const scoreColumns: readonly ScoreColumn[] = [
  { heading: "Rows", value: ({ rows }) => String(rows) },
  { heading: "Dimension right", value: ({ right }) => percent(right.share) },
  {
    heading: "Right / not said / too few / too many",
    value: ({ dimension: d }) => `${d.right} / ${d.notSaid} / ${d.tooFew} / ${d.tooMany}`,
  },
  { heading: "False positives", value: ({ falsePositives }) => ofAll(falsePositives) },
  { heading: "Missed", value: ({ missed }) => ofAll(missed) },
  { heading: "Names right / hedged / missing / wrong", value: ({ names: n }) => `${n.right} / ${n.hedged} / ${n.missing} / ${n.wrong}` },
  { heading: "Angle", value: ({ angle }) => spread(angle) },
  { heading: "On the data", value: ({ angleOnData }) => spread(angleOnData) },
  { heading: "Within bound", value: ({ coverage }) => ofAll(coverage) },
  { heading: "AUC", value: ({ auc }) => (auc === null ? "–" : auc.toFixed(3)) },
  { heading: "Seconds", value: ({ seconds }) => (seconds === null ? "–" : significant(seconds)) },
];

const number = (heading: string): Column => ({ heading, number: true });

/** A row for each number of samples and noise. */
export function cellTable({ cells }: SystemSummary): string {
  const rows = cells.map((cell) => [
    `${cell.samples.toLocaleString("en-US")}, noise ${significant(cell.noise)}`,
    ...scoreColumns.map(({ value }) => value(cell)),
  ]);
  return textTable([{ heading: "Samples" }, ...scoreColumns.map(({ heading }) => number(heading))], rows);
}

/** A row for each truth; what asks for truths of both kinds, or is said already, is left out. */
export function truthTable({ truths }: SystemSummary): string {
  const columns = scoreColumns.filter(({ heading }) => !["Dimension right", "AUC", "Seconds"].includes(heading));
  const rows = truths.map((truth) => [
    ...[truth.truth, truth.category, ...columns.map(({ value }) => value(truth))],
    truth.samplesNeeded?.toLocaleString("en-US") ?? "not reached",
  ]);
  return textTable(
    [{ heading: "Truth" }, { heading: "Kind" }, ...columns.map(({ heading }) => number(heading)), number("Samples needed")],
    rows,
  );
}
