import { join } from "node:path";
import type { GoalResult } from "../../experiments/symbench/goals.js";
import type { Cell } from "../../experiments/symbench/grid.js";
import { answeredCells, readLedgers } from "../../experiments/symbench/ledger.js";
import { type SystemSummary, summarize } from "../../experiments/symbench/summary.js";
import { writeAtomic } from "../../io/atomic.js";
import { removeLitterOf } from "../../io/folders.js";
import { renderSymbench, verdict } from "../../report/symbench.js";
import { degrees, percent } from "../../report/symbenchTables.js";
import { created } from "../run/modelReport.js";
import { count, type Output, table } from "../terminal/output.js";

const TITLE = "SymBench: discovery of symmetries against truths";
const SUMMARY = "lconv benchmark symmetry; what it is, its truths and its ledger are in docs/symbench.md.";

/** Writes symbench.html and summary.json of all ledgers in a folder, and says what came of the goals. Throws ERR_LCONV_FORMAT, ERR_LCONV_IO. */
export function concludeSymmetry(folder: string, grid: readonly Cell[], out: Output): void {
  const { rows, cut } = readLedgers(folder);
  const answered = answeredCells(rows);
  const cells = { done: grid.filter(answered).length, of: grid.length };
  const systems = summarize(rows);
  const files = {
    "symbench.html": renderSymbench({ title: TITLE, summary: SUMMARY, created: created() }, systems, { ...cells, rows: rows.length }),
    "summary.json": `${JSON.stringify({ created: created(), rows: rows.length, cells, systems: systems.map(forFile) }, null, 2)}\n`,
  };
  removeLitterOf(folder, Object.keys(files));
  for (const [name, content] of Object.entries(files)) writeAtomic(join(folder, name), content);
  const goals = systems.find(({ system }) => system === "lconv")?.goals ?? [];
  out.emit({ event: "done", rows: rows.length, cells, cut, goals, report: join(folder, "symbench.html") });
  if (cut > 0) out.text(`${cut} line${cut > 1 ? "s" : ""} that a kill cut off ${cut > 1 ? "are" : "is"} left out`);
  if (goals.length > 0) out.text(`\n${goalsText(goals)}`);
  out.text(
    `\n${systemsText(systems)}\n\n${count(cells.done)} of ${count(cells.of)} cells complete, ${count(rows.length)} rows; report: ${join(folder, "symbench.html")}`,
  );
}

/** The points of an ROC are as many as rows. */
const forFile = ({ roc, ...rest }: SystemSummary): object => ({
  ...rest,
  roc: roc && { auc: roc.auc, positives: roc.positives, negatives: roc.negatives },
});

const figure = ({ unit, value }: GoalResult): string => (unit === "share" ? percent(value) : degrees(value));

function goalsText(goals: readonly GoalResult[]): string {
  const rows = goals.map((goal) => [
    ...[goal.name, figure(goal), goal.asked, String(goal.of), verdict(goal)],
    goal.fromSamples?.toLocaleString("en-US") ?? "not reached",
  ]);
  return table([["3,000 samples or more, noise up to .1", "lconv", "goal", "rows", "", "from samples on"], ...rows]);
}

function systemsText(systems: readonly SystemSummary[]): string {
  const rows = systems.map(({ system, target, samplesNeeded }) => [
    ...[system, String(target.rows), percent(target.right.share), String(target.names.wrong), percent(target.falsePositives.share)],
    ...[degrees(target.angle.median), percent(target.coverage.share), target.auc?.toFixed(3) ?? "–"],
    samplesNeeded?.toLocaleString("en-US") ?? "not reached",
  ]);
  const head = ["system", "rows", "dimension right", "wrong names", "false positives", "angle", "within bound", "AUC", "samples needed"];
  return table([head, ...rows]);
}
