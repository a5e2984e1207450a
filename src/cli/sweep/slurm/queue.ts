import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { check, LconvError } from "../../../errors.js";
import { writeAtomic } from "../../../io/atomic.js";
import { ioError } from "../../../io/files.js";
import { makeFolder, removeLitterOf } from "../../../io/folders.js";
import { isObject } from "../../terminal/flags.js";
import { runSlurm } from "./programs.js";

/** An array of jobs that was submitted for a sweep; its tasks have the numbers of their cells. */
export interface Submission {
  /** The number that Slurm gave the array. */
  job: string;
  /** The cells, as sbatch takes them: 0-3,7. */
  array: string;
  /** ISO 8601. */
  submitted: string;
}

/** What Slurm has to do with a sweep, in the folder of the sweep: the submissions, and a log of each task. */
const FOLDER = "slurm";
const JOBS = "jobs.jsonl";

/** Where tasks write. Slurm puts the numbers of the array and of the task in the place of %A and %a; it makes no folder. */
export function logPattern(folder: string): string {
  const path = join(folder, FOLDER);
  try {
    makeFolder(path);
  } catch (error) {
    throw ioError("create", path, error);
  }
  return join(path.replaceAll("%", "%%"), "%A_%a.log");
}

/** For the caller that holds the lock of the sweep. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export function recordSubmission(folder: string, submission: Submission): void {
  removeLitterOf(join(folder, FOLDER), [JOBS]);
  const all = [...submissionsOf(folder), submission];
  writeAtomic(join(folder, FOLDER, JOBS), all.map((one) => `${JSON.stringify(one)}\n`).join(""));
}

/** Cells whose tasks wait, run or are about to end. The queue is the authority; that a cell is in a submission says nothing of today. */
export async function queuedCells(folder: string): Promise<Set<number>> {
  const jobs = submissionsOf(folder).map(({ job }) => job);
  if (jobs.length === 0) return new Set();
  const lines = await listTasks(["--noheader", "--array", "--format=%i", `--jobs=${jobs.join(",")}`]);
  return new Set(
    lines
      .split("\n")
      .flatMap((line) => /^\s*\d+_(\d+)\s*$/.exec(line)?.[1] ?? [])
      .map(Number),
  );
}

/** A job that Slurm has forgotten is over. */
async function listTasks(args: readonly string[]): Promise<string> {
  try {
    return await runSlurm("squeue", args);
  } catch (error) {
    if (error instanceof LconvError && /invalid job id/i.test(error.message)) return "";
    throw error;
  }
}

function submissionsOf(folder: string): Submission[] {
  const path = join(folder, FOLDER, JOBS);
  if (!existsSync(path)) return [];
  const lines = textOf(path)
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => {
    const value = parsed(line);
    const fits = isObject(value) && /^\d+$/.test(String(value["job"]));
    check(
      fits,
      "ERR_LCONV_FORMAT",
      () => `${path}: expected a submission a line; delete the file once no job of this sweep is in the queue`,
    );
    return value as unknown as Submission;
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("read", path, error);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
