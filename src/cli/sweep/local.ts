import { join } from "node:path";
import type { Context } from "../terminal/context.js";
import { withDefaults } from "../terminal/flags.js";
import type { Reporter } from "../terminal/reporter.js";
import type { RunControl } from "./cell.js";
import type { Cell } from "./cells.js";
import { checkCells, checkData } from "./checks.js";
import { collect, summaryText } from "./collect.js";
import { type SweepValues, sweepFlags } from "./flags.js";
import { beginSweep, isSweep, openSweep, readSweep, type Sweep, withLock } from "./folder.js";
import { threadsFor, usualJobs } from "./jobs.js";
import { type CellEnd, runPool } from "./pool.js";
import { SharedData } from "./sharedData.js";
import { metricsOf, stateOf } from "./state.js";

/** What `lconv sweep` runs. */
export interface SweepJob {
  folder: string;
  /** Of the grid; undefined where the folder of a sweep was given. */
  cells: readonly Cell[] | undefined;
  given: Pick<SweepValues, "jobs" | "retries" | "stealLock">;
  control: RunControl;
  /** Those to run now. Default: all. */
  selects?(cell: Cell): boolean;
  /** Threads of a run of a new sweep. Default: what this machine has processors for. */
  threads?: number;
  /** Whether the cells run on other machines. */
  elsewhere?: boolean;
  /** The command that goes on after a stop. Default: lconv sweep with the folder. */
  goOn?: string;
}

/** Runs all cells that are not done on this machine, then collects. Exit code 1 where one failed. Throws as openSweep, checkCells, checkData and runPool do. */
export async function runSweep(job: SweepJob, reporter: Reporter, context: Context): Promise<void> {
  await withLock(job.folder, job.given.stealLock, async () => {
    const { sweep, ends } = await runCells(job, reporter, context);
    conclude(sweep, ends, context);
  });
}

/** Runs the selected cells that are not done, with the lock of the folder. Throws as openSweep, checkCells, checkData and runPool do. */
export async function runCells(job: SweepJob, reporter: Reporter, context: Context): Promise<{ sweep: Sweep; ends: CellEnd[] }> {
  const { sweep, left } = await prepare(job, reporter, context.signal);
  return { sweep, ends: await runLeft(sweep, left, job, reporter, context) };
}

/** All checks come before the first file of a new sweep. */
export async function prepare(
  { folder, cells = [], given, selects = () => true, threads, elsewhere = false }: SweepJob,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ sweep: Sweep; left: Cell[] }> {
  const isLeft = (cell: Cell): boolean => selects(cell) && stateOf(folder, cell) !== "done";
  const begun = isSweep(folder) ? (cells.length > 0 ? openSweep(folder, cells) : readSweep(folder)) : undefined;
  const left = (begun?.cells ?? cells).filter(isLeft);
  await checkCells({ cells: left, threads: begun?.threads ?? 1, elsewhere }, signal);
  await checkData(left, reporter, signal);
  return { sweep: begun ?? beginSweep(folder, cells, threads ?? threadsFor(cells, given.jobs)), left };
}

async function runLeft(
  sweep: Sweep,
  left: readonly Cell[],
  { given, control, selects = () => true, goOn = `lconv sweep ${sweep.folder}` }: SweepJob,
  reporter: Reporter,
  { out, signal }: Context,
): Promise<CellEnd[]> {
  const { folder } = sweep;
  const cells = sweep.cells.filter(selects);
  const { retries } = withDefaults(sweepFlags, given);
  const shared = new SharedData(folder, left);
  const ends: CellEnd[] = [];
  const progress = (): void => {
    const value = cells.length - left.length + ends.length;
    reporter.event({ type: "task", name: "sweep", value, total: cells.length, unit: "cells" });
  };
  progress();
  try {
    await runPool(sweep, left, {
      ...{ jobs: given.jobs ?? usualJobs({ ...sweep, cells: left }), retries, control, signal },
      onStart: (cell, pid) => out.emit({ event: "start", cell: cell.number, pid }),
      onRetry: (cell, failure) => {
        reporter.line(`cell ${cell.number} (${cell.label}) goes on after try ${failure.tries}: ${failure.message}`);
        out.emit({ event: "retry", cell: cell.number, ...failure });
      },
      onEnd: (end) => {
        ends.push(end);
        shared.release(end.cell);
        tell(folder, end, reporter, out);
        progress();
      },
    });
  } catch (error) {
    if (signal.aborted) reporter.line(`stopped; go on with: ${goOn}`);
    throw error;
  } finally {
    shared.end();
  }
  return ends;
}

function tell(folder: string, { cell, state, failure }: CellEnd, reporter: Reporter, out: Context["out"]): void {
  const figures = state === "done" ? metricsOf(folder, cell) : failure;
  out.emit({ event: "cell", cell: cell.number, state, out: join(folder, cell.run), ...figures });
  if (state !== "done") reporter.line(`cell ${cell.number} (${cell.label}) ${stateText(state)}: ${failure?.message}`);
}

const stateText = (state: CellEnd["state"]): string => (state === "failed" ? "failed" : "was left to another process");

function conclude(sweep: Sweep, ends: readonly CellEnd[], { out }: Context): void {
  const { counts, summary, report } = collect(sweep);
  if (counts.done > 0) out.text(`${summaryText(summary)}\n`);
  listUnfinished(sweep, ends, out);
  out.text(`report: ${report}`);
  out.emit({ event: "done", out: sweep.folder, cells: sweep.cells.length, ...counts, report });
}

/** Cells that came to no result, and exit code 1 where there are some. */
export function listUnfinished({ cells }: Sweep, ends: readonly CellEnd[], out: Context["out"]): void {
  const wrong = ends.filter(({ state }) => state !== "done");
  if (wrong.length === 0) return;
  const lines = wrong.map(({ cell, state, failure }) => `  cell ${cell.number} (${cell.label}) ${stateText(state)}: ${failure?.message}`);
  out.text(`${wrong.length} of ${cells.length} cells have no results:\n${lines.join("\n")}`);
  process.exitCode = 1;
}
