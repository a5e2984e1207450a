import { existsSync } from "node:fs";
import { join } from "node:path";
import { defined } from "../../defined.js";
import { check, LconvError } from "../../errors.js";
import { runFiles } from "../../train/runFolder.js";
import type { TrainValues } from "../run/trainFlags.js";
import type { Context } from "../terminal/context.js";
import { Interrupted } from "../terminal/interrupt.js";
import { train } from "../train/train.js";
import type { Cell } from "./cells.js";
import type { Sweep } from "./folder.js";
import { sharedFile } from "./sharedData.js";
import { requeueAfter } from "./slurm/task.js";
import { clearFailure, type Failure, failureOf, stateOf, writeFailure } from "./state.js";

/** How a run reports, and how often it is saved. */
export type RunControl = Pick<TrainValues, "checkpointSeconds" | "progress"> & { stealLock?: boolean };

/**
 * `lconv sweep DIR --cell I`: begins, resumes or, where it is finished, leaves the run of a cell. Where no parent waits for the outcome, an error is kept
 * in the folder. Throws as train does, ERR_LCONV_ARGUMENT for a number without a cell.
 */
export async function runCell(sweep: Sweep, number: number, control: RunControl, context: Context): Promise<void> {
  const { folder, cells, threads } = sweep;
  const cell = cells[number];
  check(cell !== undefined, "ERR_LCONV_ARGUMENT", () => `--cell: expected a number from 0 to ${cells.length - 1}, got ${number}`);
  if (stateOf(folder, cell) === "done") {
    context.out.text(`cell ${number} is done: ${join(folder, cell.run)}`);
    context.out.emit({ event: "finished", cell: number, out: join(folder, cell.run) });
    return;
  }
  const { signal, release } = whileParentLives(context.signal);
  try {
    const prepared = defined({ prepared: sharedFile(folder, cell) });
    await begin(join(folder, cell.run), { threads, ...cell.values }, { ...control, ...prepared }, { ...context, signal });
    clearFailure(folder, cell);
  } catch (error) {
    if (!process.connected && error instanceof LconvError && error.code !== "ERR_LCONV_LOCKED") keep(folder, cell, error);
    if (!process.connected) await requeueAfter(error, context);
    throw error;
  } finally {
    release();
  }
}

function begin(run: string, values: TrainValues, control: RunControl & { prepared?: string }, context: Context): Promise<void> {
  const resumes = existsSync(join(run, runFiles.config));
  return train({ ...values, ...control, ...(resumes ? { resume: run } : { out: run }) }, context);
}

function keep(folder: string, cell: Cell, { code, message }: LconvError): void {
  const before = stateOf(folder, cell) === "failed" ? (failureOf(folder, cell).tries ?? 0) : 0;
  const failure: Failure = { exitCode: 1, signal: null, code, message, tries: before + 1 };
  try {
    writeFailure(folder, cell, failure);
  } catch {
    // a full disk, most likely: the error that led here is the one to report
  }
}

/** Stops the run, with a checkpoint, when the process that started it is killed. Otherwise it would go on alone, and keep its folder locked for the next sweep. */
function whileParentLives(signal: AbortSignal): { signal: AbortSignal; release(): void } {
  if (!process.connected) return { signal, release: () => {} };
  const controller = new AbortController();
  const orphaned = (): void => controller.abort(new Interrupted("SIGHUP"));
  process.once("disconnect", orphaned);
  const release = (): void => {
    process.removeListener("disconnect", orphaned);
  };
  return { signal: AbortSignal.any([signal, controller.signal]), release };
}
