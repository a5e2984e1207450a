import { join } from "node:path";
import { type SweepRun, type SweepSummary, summarize } from "../../experiments/sweep/summary.js";
import { writeAtomic } from "../../io/atomic.js";
import { interval, type ListedCell, nameOf, points, renderSweep, spread, verdict } from "../../report/sweep.js";
import { created } from "../run/modelReport.js";
import { table } from "../terminal/output.js";
import { type Cell, type CellValues, valueText, variedKeys } from "./cells.js";
import { type Sweep, sweepFiles } from "./folder.js";
import { failureOf, type Metrics, metricsOf, type State, stateOf } from "./state.js";

/** How many cells are in each state. */
export type Counts = Record<State, number>;

export interface Collected {
  counts: Counts;
  summary: SweepSummary;
  report: string;
}

interface Row {
  cell: Cell;
  metrics: Metrics;
}

/** What was run, in whatever order it came: always these columns, then the settings in which the cells differ besides. */
const named = ["dataset", "variant", "model", "seed"] as const;
const figures = [
  ...(["bestValAccuracy", "valAccuracy", "testAccuracy", "chosenTestAccuracy", "trainAccuracy"] as const),
  ...(["params", "layerParams", "seconds", "device"] as const),
];

export const stateCounts = (states: readonly State[]): Counts => {
  const counts: Counts = { done: 0, failed: 0, begun: 0, open: 0 };
  for (const state of states) counts[state]++;
  return counts;
};

/** Writes results.jsonl, results.csv and report.html of the cells that are done, in their order. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export function collect({ folder, cells }: Sweep): Collected {
  const states = cells.map((cell) => stateOf(folder, cell));
  const rows = cells.flatMap((cell, i) => (states[i] === "done" ? [{ cell, metrics: metricsOf(folder, cell) }] : []));
  const keys = variedKeys(cells.map(({ values }) => values));
  const summary = summarize(rows.map((row) => runOf(row, keys)));
  const [counts, report] = [stateCounts(states), join(folder, sweepFiles.report)];
  const summaryLine = `${counts.done} of ${cells.length} cells are done${counts.failed > 0 ? `, ${counts.failed} failed` : ""}.`;
  const listed = cells.map((cell, i) => listedCell(folder, cell, states[i]));
  writeAtomic(join(folder, sweepFiles.lines), rows.map(lineOf).join(""));
  writeAtomic(join(folder, sweepFiles.csv), csvOf(rows, keys));
  writeAtomic(report, renderSweep({ title: "Sweep", summary: summaryLine, created: created() }, summary, listed));
  return { counts, summary, report };
}

function runOf({ cell: { values }, metrics }: Row, keys: readonly (keyof CellValues)[]): SweepRun {
  const differing = keys.filter((key) => key !== "seed").map((key) => [key, valueText(values[key])] as const);
  return { seed: values.seed, values: Object.fromEntries(differing), ...metrics };
}

function listedCell(folder: string, cell: Cell, state: State): ListedCell {
  const reason = state === "failed" ? failureOf(folder, cell).message : undefined;
  return { number: cell.number, run: cell.run, label: cell.label, state, reason };
}

const lineOf = ({ cell: { number, run, values }, metrics }: Row): string =>
  `${JSON.stringify({ cell: number, run, settings: values, ...metrics })}\n`;

/** Numbers with all their digits, so that equal texts are equal bits; empty where something was not measured or left open. */
function csvOf(rows: readonly Row[], keys: readonly (keyof CellValues)[]): string {
  const settings: (keyof CellValues)[] = [...named, ...keys.filter((key) => !(named as readonly string[]).includes(key))];
  const lines = rows.map(({ cell, metrics }) => [
    String(cell.number),
    cell.run,
    ...settings.map((key) => (cell.values[key] === undefined ? "" : valueText(cell.values[key]))),
    ...figures.map((key) => String(metrics[key] ?? "")),
  ]);
  return [["cell", "run", ...settings, ...figures], ...lines].map((line) => `${line.map(quoted).join(",")}\n`).join("");
}

const quoted = (field: string): string => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

/** The tables of the report, for people. */
export function summaryText({ groups, comparisons, metric }: SweepSummary): string {
  const means = groups.map(({ values, runs, accuracy }) => [
    nameOf(values),
    String(runs.length),
    ...[accuracy.bestValAccuracy, accuracy.valAccuracy, accuracy.testAccuracy].map(spread),
  ]);
  const differences = comparisons.map((row) => [
    `${row.key} ${row.value} against ${row.reference}${Object.keys(row.others).length > 0 ? `, ${nameOf(row.others)}` : ""}`,
    ...[String(row.n), points(row.mean), interval(row), verdict(row)],
  ]);
  const first = table([["cells", "seeds", "best", "validation", "test"], ...means]);
  if (differences.length === 0) return first;
  return `${first}\n\n${table([[`difference in ${metric === "testAccuracy" ? "test" : "validation"}`, "pairs", "points", "95 % interval", ""], ...differences])}`;
}
