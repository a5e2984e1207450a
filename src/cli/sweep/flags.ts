import { flag, progressFlag, serveFlag, stealLockFlag } from "../run/flags.js";
import { controlFlags } from "../run/trainFlags.js";
import { choice, type Given, integer, text, toggle } from "../terminal/flags.js";

export const sweepFlags = {
  out: flag("DIR", text("a folder"), "folder of the sweep; cells that are done there are not run again"),
  jobs: flag(
    "K",
    integer(1, 1024),
    "processes at the same time (default: one a processor, each with one thread; on a GPU one). A new sweep gives each processors / K threads, and keeps that number. slurm: tasks at the same time (default: all)",
  ),
  retries: flag("N", integer(0, 1000), "how often a cell that ends with an error is started again; it resumes from its checkpoint", 2),
  launcher: flag(
    "NAME",
    choice(["local", "slurm"]),
    "local (processes on this machine) or slurm (submit the cells as jobs, and end)",
    "local",
  ),
  sbatch: flag("OPTIONS", text("options of sbatch"), 'slurm: more options for sbatch, such as "--time=2:00:00 --partition=gpu"'),
  cell: flag("I", integer(0), "run cell I alone, in this process: for the jobs of a cluster"),
  print: flag("", toggle, "run nothing, print a command for each cell that is not done: for GNU parallel, xargs or a cluster"),
  status: flag("", toggle, "run nothing, say what is done, failed, begun and open"),
  watch: flag("", toggle, "run nothing, show the runs of a sweep that runs elsewhere as they move, until all are done"),
  serve: { ...serveFlag, help: "run nothing, show the same as a live page with curves on http://127.0.0.1:PORT; 0 takes a free port" },
  collect: flag("", toggle, "run nothing, write results.jsonl, results.csv and report.html of the cells that are done"),
  checkpointSeconds: controlFlags.checkpointSeconds,
  stealLock: stealLockFlag,
  progress: progressFlag,
} as const;

export type SweepValues = Given<typeof sweepFlags>;
