import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defined } from "../../defined.js";
import { check, unknownName } from "../../errors.js";
import { type FigureName, figureNames, figureOf } from "../../experiments/reproduction/figures.js";
import type { JudgedRow, Verdict } from "../../experiments/reproduction/judge.js";
import type { Reproduction } from "../../experiments/reproduction/summary.js";
import { readings, verdictText } from "../../report/reproduction.js";
import { runFiles } from "../../train/runFolder.js";
import type { Cell } from "../sweep/cells.js";
import { isSweep, sweepFiles, withLock } from "../sweep/folder.js";
import { readGrid } from "../sweep/grid.js";
import { listUnfinished, runCells, type SweepJob } from "../sweep/local.js";
import { shellWord } from "../sweep/shell.js";
import { type Context, withReporter } from "../terminal/context.js";
import { withDefaults } from "../terminal/flags.js";
import type { Reporter } from "../terminal/reporter.js";
import { collectFigures, verdictsOf } from "./collect.js";
import { type ReproduceValues, reproduceFlags } from "./flags.js";

/** `lconv reproduce FIGURE`: the runs behind a figure of the paper, as a sweep, and what they say of the paper's claims. */
export async function reproduce(name: string, given: ReproduceValues, context: Context): Promise<void> {
  const names = figuresNamed(name);
  const { out: folder, collect, budget } = withDefaults(reproduceFlags, given);
  checkFolder(folder, collect);
  checkDatasets(name, given.datasets?.split(","));
  const jobs = names.map((figure) => jobOf(figure, name, folder, given)); // all are read before the first is run
  await withReporter(given.progress, async (reporter) => {
    const used = !collect && (await runWithin(budget, context.signal, (signal) => runAll(jobs, reporter, { ...context, signal })));
    const left = used ? `the budget of ${budget} min is used up; go on with: ${commandOf(name, folder, given)}` : undefined;
    if (left !== undefined) reporter.line(left);
    conclude(folder, context);
  });
}

function figuresNamed(name: string): FigureName[] {
  if (name === "all") return figureNames;
  check((figureNames as readonly string[]).includes(name), "ERR_LCONV_ARGUMENT", () =>
    unknownName("lconv reproduce", "figure", name, [...figureNames, "all"]),
  );
  return [name as FigureName];
}

/** Its report must not replace that of something else. */
function checkFolder(folder: string, collect = false): void {
  const other = [sweepFiles.sweep, runFiles.config].find((file) => existsSync(join(folder, file)));
  check(
    other === undefined,
    "ERR_LCONV_ARGUMENT",
    () => `${folder} is the folder of a sweep or of a run (it holds ${other}); take another one by --out`,
  );
  const begun = figureNames.some((figure) => isSweep(join(folder, figure)));
  check(begun || !collect, "ERR_LCONV_ARGUMENT", () => `no figure was begun in ${folder}; begin one without --collect`);
  const report = join(folder, sweepFiles.report);
  check(begun || !existsSync(report), "ERR_LCONV_ARGUMENT", () => `${report} is not of lconv reproduce; take another folder by --out`);
}

/** From src and from dist. */
export const gridFile = (name: FigureName): string => fileURLToPath(new URL(`../../../grids/${figureOf(name).grid}`, import.meta.url));

function jobOf(figure: FigureName, name: string, folder: string, given: ReproduceValues): SweepJob {
  const { seeds, datasets } = withDefaults(reproduceFlags, given);
  const cells = readGrid(gridFile(figure));
  const wanted = datasets?.split(",");
  const { jobs, retries, stealLock, checkpointSeconds } = given;
  return {
    folder: join(folder, figure),
    cells,
    given: defined({ jobs, retries, stealLock }),
    control: defined({ checkpointSeconds, stealLock }),
    selects: ({ values }: Cell) => values.seed < seeds && (wanted?.includes(values.dataset) ?? true),
    goOn: commandOf(name, folder, given),
  };
}

/** Each must be one of a figure that is to be run. */
function checkDatasets(name: string, wanted: readonly string[] = []): void {
  const known = [...new Set(figuresNamed(name).flatMap((figure) => figureOf(figure).groups.map(({ dataset }) => dataset)))];
  const unknown = wanted.find((dataset) => !known.includes(dataset));
  check(unknown === undefined, "ERR_LCONV_ARGUMENT", () => unknownName(`lconv reproduce ${name}`, "data set", unknown ?? "", known));
}

/** The same command again. */
function commandOf(name: string, folder: string, { seeds, datasets, budget }: ReproduceValues): string {
  const flags = Object.entries(defined({ seeds, datasets, budget })).map(([key, value]) => ` --${key} ${value}`);
  return `lconv reproduce ${name} --out ${shellWord(folder)}${flags.join("")}`;
}

async function runAll(jobs: readonly SweepJob[], reporter: Reporter, context: Context): Promise<void> {
  for (const job of jobs)
    await withLock(job.folder, job.given.stealLock, async () => {
      const { sweep, ends } = await runCells(job, reporter, context);
      listUnfinished(sweep, ends, context.out);
    });
}

/** Whether the budget, in minutes, ended the work. Throws what the work throws otherwise. */
async function runWithin(budget: number | undefined, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const spent = new AbortController();
  const timer = budget === undefined ? undefined : setTimeout(() => spent.abort(), budget * 60_000);
  try {
    await work(AbortSignal.any([signal, spent.signal]));
    return false;
  } catch (error) {
    if (error !== spent.signal.reason) throw error;
    return true;
  } finally {
    clearTimeout(timer);
  }
}

function conclude(folder: string, { out }: Context): void {
  const { reproduction, runs, report } = collectFigures(folder);
  out.text(claimsText(reproduction));
  for (const [name, { done, cells }] of Object.entries(runs)) out.text(`${name}: ${done} of ${cells} runs are done`);
  out.text(`report: ${report}`);
  for (const claim of verdictsOf(reproduction)) out.emit({ event: "claim", ...claim });
  out.emit({ event: "done", out: folder, runs, report });
}

/** Every claim with its verdict, how its rows stand, and the other readings where they say something else. */
function claimsText({ claims, sizes }: Reproduction): string {
  const lines = claims.flatMap(({ claim, judgements }) => {
    const [ours, ...others] = readings.map(({ mode, measure }) => judgements[mode][measure]);
    const verdict = verdictText(ours);
    const otherwise = others.flatMap((other, i) =>
      verdictText(other) === verdict ? [] : [`${readings[i + 1].name}: ${verdictText(other)}`],
    );
    return lineOf(verdict, claim, [claim.source, rowsText(ours.rows), ...otherwise].join("; "));
  });
  lines.push(...sizes.flatMap((size) => lineOf(size.verdict, size, `${size.source}; ${size.evidence}`)));
  return `${lines.join("\n")}\n`;
}

const lineOf = (verdict: string, { figure, text }: { figure: string; text: string }, evidence: string): string[] => [
  `${verdict.padEnd(13)}  ${figure}: ${text}`,
  `${" ".repeat(15)}${evidence}`,
];

function rowsText(rows: readonly JudgedRow[]): string {
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
  return `of ${rows.length} rows ${count("holds")} hold, ${count("does not hold")} do not, ${count("not decided")} are not decided`;
}
