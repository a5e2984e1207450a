import { basename, resolve } from "node:path";
import { check, clip, LconvError } from "../../../errors.js";
import { quote } from "../../../io/files.js";
import type { Context } from "../../terminal/context.js";
import type { Reporter } from "../../terminal/reporter.js";
import { cellCommand } from "../child.js";
import type { SweepValues } from "../flags.js";
import { type Sweep, withLock } from "../folder.js";
import { prepare, type SweepJob } from "../local.js";
import { shellWord, splitWords } from "../shell.js";
import { checkSlurm, runSlurm } from "./programs.js";
import { logPattern, queuedCells, recordSubmission, type Submission } from "./queue.js";

/** What `--launcher slurm` submits. */
export type SlurmJob = SweepJob & { given: Pick<SweepValues, "launcher" | "jobs" | "stealLock" | "sbatch"> };

/** Stands for the number of the cell: the shell of the task puts it in. */
const TASK = '"$SLURM_ARRAY_TASK_ID"';

/** One thread a run where the grid names no other number: the processors of the machine that submits say nothing of those that train. */
const THREADS = 1;

/**
 * Submits the cells that are neither done nor in the queue as one array of jobs, and waits for none of them. Throws ERR_LCONV_SLURM before anything else
 * where there is no Slurm, and with the words of sbatch; else as runSweep does before its first cell.
 */
export async function submitSweep(job: SlurmJob, reporter: Reporter, { out, signal }: Context): Promise<void> {
  const more = sbatchOptions(job.given.sbatch);
  await checkSlurm();
  await withLock(job.folder, job.given.stealLock, async () => {
    const { sweep, left } = await prepare({ ...job, threads: THREADS, elsewhere: true }, reporter, signal);
    const queued = await queuedCells(job.folder);
    const cells = left.map(({ number }) => number).filter((number) => !queued.has(number));
    const counts = { cells: cells.length, done: sweep.cells.length - left.length, queued: left.length - cells.length };
    signal.throwIfAborted();
    if (cells.length === 0) return tell(sweep, null, counts, out);
    const array = arrayOf(cells);
    const id = await submit(sweep, array, job, more);
    await record(job.folder, { job: id, array, submitted: new Date().toISOString() });
    tell(sweep, id, counts, out);
  });
}

/** Those of an option that would make another job of it than lconv knows of. */
const own = ["--array", "-a", "--wrap", "--clusters", "-M", "--parsable"] as const;

/** The words of --sbatch. A word that is no option would be taken for the batch script. */
function sbatchOptions(text = ""): string[] {
  const all = splitWords(text, "--sbatch");
  for (const word of all) {
    check(
      word.startsWith("-") && word !== "--",
      "ERR_LCONV_ARGUMENT",
      () => `--sbatch: expected options, each in one word with its value, such as --partition=gpu or -pgpu, got ${quote(word)}`,
    );
    const taken = own.find((name) => (name.startsWith("--") ? word.split("=")[0] === name : word.startsWith(name) && word[1] !== "-"));
    check(taken === undefined, "ERR_LCONV_ARGUMENT", () => `--sbatch: ${taken} is set by lconv sweep itself; leave it out`);
  }
  return all;
}

async function submit(sweep: Sweep, array: string, { given, control }: SlurmJob, more: readonly string[]): Promise<string> {
  const folder = resolve(sweep.folder);
  // What comes later takes precedence: the defaults, the user's options, and what this depends on. B: sends the signal to the script, which Node has taken
  // the place of by exec; without it, it would go to job steps, of which there are none.
  const args = [
    ...[`--job-name=lconv-${basename(folder)}`, `--output=${logPattern(folder)}`, "--open-mode=append"],
    ...[`--cpus-per-task=${mostThreads(sweep)}`, "--requeue", "--signal=B:USR2@90"],
    ...more,
    ...[`--array=${array}${given.jobs === undefined ? "" : `%${given.jobs}`}`, "--parsable"],
  ];
  const printed = (await submitted(args, batchScript(folder, control))).trim();
  const id = /^(\d+)(;.*)?$/.exec(printed)?.[1];
  check(id !== undefined, "ERR_LCONV_SLURM", () => `sbatch: expected the number of a job, got "${clip(printed, 300)}"`);
  return id;
}

/** A job that no later submission would know of is taken back. */
async function record(folder: string, submission: Submission): Promise<void> {
  try {
    recordSubmission(folder, submission);
  } catch (error) {
    await runSlurm("scancel", [submission.job]);
    throw error;
  }
}

async function submitted(args: readonly string[], script: string): Promise<string> {
  try {
    return await runSlurm("sbatch", args, script);
  } catch (error) {
    if (!(error instanceof LconvError) || !/array specification/i.test(error.message)) throw error;
    throw new LconvError(error.code, `${error.message}; numbers of cells must be below Slurm's MaxArraySize: split the grid`, {
      cause: error,
    });
  }
}

const mostThreads = ({ cells, threads }: Sweep): number => Math.max(...cells.map(({ values }) => values.threads ?? threads));

function batchScript(folder: string, control: SlurmJob["control"]): string {
  const command = cellCommand(folder, TASK, control).map((word) => (word === TASK ? word : shellWord(word)));
  return `#!/bin/sh\nexec ${command.join(" ")}\n`;
}

/** 0-3,7,9-10 */
export function arrayOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}

function tell({ folder }: Sweep, job: string | null, counts: { cells: number; done: number; queued: number }, out: Context["out"]): void {
  const { cells, done, queued } = counts;
  const others = `${done} are done, ${queued} are in the queue already`;
  out.text(job === null ? `nothing to submit: ${others}` : `job ${job}: ${cells} cells are submitted, ${others}`);
  out.text(`to watch: lconv sweep ${folder} --status\nto collect: lconv sweep ${folder} --collect`);
  out.emit({ event: "submitted", out: folder, job, ...counts });
}
