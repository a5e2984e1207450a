import { flag, progressFlag, stealLockFlag } from "../run/flags.js";
import { controlFlags } from "../run/trainFlags.js";
import { sweepFlags } from "../sweep/flags.js";
import { fraction, type Given, integer, text, toggle } from "../terminal/flags.js";

export const reproduceFlags = {
  seeds: flag("N", integer(1, 10), "run seeds 0 to N - 1 of each network, at most 10", 3),
  datasets: flag("A,B", text("names with commas"), "run these data sets only (default: all of the figure)"),
  budget: flag("MIN", fraction(0, 30_000, true), "stop after so many minutes, with checkpoints; the same command goes on (default: none)"),
  out: flag(
    "DIR",
    text("a folder"),
    "folder of the runs, a sweep for each figure; runs that are done there are not run again",
    "reproduction",
  ),
  collect: flag("", toggle, "run nothing, write report.html and the tables of what is done"),
  jobs: { ...sweepFlags.jobs, help: "runs at the same time, each with one thread (default: one a processor; on a GPU one)" },
  retries: sweepFlags.retries,
  checkpointSeconds: controlFlags.checkpointSeconds,
  stealLock: stealLockFlag,
  progress: progressFlag,
} as const;

export type ReproduceValues = Given<typeof reproduceFlags>;
