import { check } from "../../errors.js";
import { type Context, withReporter } from "../terminal/context.js";
import { flagName } from "../terminal/flags.js";
import type { Reporter } from "../terminal/reporter.js";
import { type RunControl, runCell } from "./cell.js";
import type { Cell } from "./cells.js";
import { checkCells } from "./checks.js";
import { cellCommand } from "./child.js";
import { collect, summaryText } from "./collect.js";
import type { SweepValues } from "./flags.js";
import { beginSweep, isFolder, isSweep, openSweep, readSweep, type Sweep, withLock } from "./folder.js";
import { serveSweep, watchSweep } from "./follow.js";
import { readGrid } from "./grid.js";
import { threadsFor } from "./jobs.js";
import { runSweep } from "./local.js";
import { shellWord } from "./shell.js";
import { type SlurmJob, submitSweep } from "./slurm/submit.js";
import { stateOf } from "./state.js";
import { showStatus } from "./status.js";

/** What stands in place of a run of all cells; one of them at most. */
const modes = ["cell", "print", "status", "watch", "serve", "collect"] as const;

/** `lconv sweep`: every cell of a grid as a run of its own, and what came of them. `source` is a grid file, or the folder of a sweep that was begun. */
export async function sweep(source: string, given: SweepValues, context: Context): Promise<void> {
  const chosen = modes.filter((mode) => given[mode] !== undefined);
  check(
    chosen.length < 2,
    "ERR_LCONV_ARGUMENT",
    () => `lconv sweep: expected at most one of ${modes.map(flagName).join(", ")}, got ${chosen.map(flagName).join(" and ")}`,
  );
  checkLauncher(given, chosen[0]);
  const where = whereOf(source, given.out);
  await withReporter(given.progress, async (reporter) => {
    if (chosen.length === 0) return launch({ cells: undefined, ...where, given, control: controlOf(given) }, reporter, context);
    const all = await opened(where, given, context);
    if (given.cell !== undefined) return runCell(all, given.cell, controlOf(given), context);
    if (given.print) printCommands(all, controlOf(given), context);
    else if (given.status) showStatus(all, context.out);
    else if (given.watch) await watchSweep(all, context);
    else if (given.serve !== undefined) await serveSweep(all, given.serve, reporter, context);
    else showCollected(all, reporter, context);
  });
}

function checkLauncher({ launcher = "local", sbatch, retries }: SweepValues, mode: (typeof modes)[number] | undefined): void {
  const refuse = (bad: boolean, why: string): void => check(!bad, "ERR_LCONV_ARGUMENT", () => `lconv sweep: ${why}`);
  refuse(sbatch !== undefined && launcher !== "slurm", "--sbatch goes with --launcher slurm");
  refuse(launcher === "slurm" && mode !== undefined, `--launcher slurm submits cells, and does not go with ${flagName(mode ?? "")}`);
  refuse(launcher === "slurm" && retries !== undefined, "--retries goes with --launcher local; submitting again tries failed cells again");
}

const launch = (job: SlurmJob, reporter: Reporter, context: Context): Promise<void> =>
  (job.given.launcher === "slurm" ? submitSweep : runSweep)(job, reporter, context);

/** The folder of a sweep, and the cells of the grid where one was given. */
interface Where {
  folder: string;
  cells?: readonly Cell[];
}

function whereOf(source: string, out: string | undefined): Where {
  if (isFolder(source)) {
    check(
      out === undefined,
      "ERR_LCONV_ARGUMENT",
      () => `lconv sweep: --out goes with a grid file, and ${source} is a folder; leave one of them away`,
    );
    check(
      isSweep(source),
      "ERR_LCONV_ARGUMENT",
      () => `lconv sweep: ${source} holds no sweep; begin one with: lconv sweep GRID.json --out ${source}`,
    );
    return { folder: source };
  }
  const cells = readGrid(source);
  check(out !== undefined, "ERR_LCONV_ARGUMENT", () => "lconv sweep: a grid file needs --out, the folder of the sweep");
  return { folder: out, cells };
}

/** The sweep, which is begun where it was not; its data need not be on this machine. */
async function opened({ folder, cells }: Where, { jobs, stealLock, ...mode }: SweepValues, { signal }: Context): Promise<Sweep> {
  if (cells === undefined) return readSweep(folder);
  if (isSweep(folder)) return openSweep(folder, cells);
  check(
    mode.print || mode.cell !== undefined,
    "ERR_LCONV_ARGUMENT",
    () =>
      `lconv sweep: no sweep was begun in ${folder}; begin it without ${modes.filter((name) => mode[name] !== undefined).map(flagName)}`,
  );
  await checkCells({ cells, threads: 1 }, signal);
  return withLock(folder, stealLock, async () =>
    isSweep(folder) ? openSweep(folder, cells) : beginSweep(folder, cells, threadsFor(cells, jobs)),
  );
}

const controlOf = ({ checkpointSeconds, stealLock, progress }: SweepValues): RunControl => ({
  ...(checkpointSeconds === undefined ? {} : { checkpointSeconds }),
  ...(stealLock === undefined ? {} : { stealLock }),
  ...(progress === undefined ? {} : { progress }),
});

/** The commands name Node and its program in full, so that any shell runs them, also of another host with the same files. */
function printCommands({ folder, cells }: Sweep, control: RunControl, { out }: Context): void {
  for (const cell of cells.filter((one) => stateOf(folder, one) !== "done")) {
    const command = cellCommand(folder, cell.number, control).map(shellWord).join(" ");
    out.text(command);
    out.emit({ event: "command", cell: cell.number, command });
  }
}

function showCollected(all: Sweep, reporter: Reporter, { out }: Context): void {
  const { counts, summary, report } = collect(all);
  if (counts.done < all.cells.length) reporter.line(`${all.cells.length - counts.done} of ${all.cells.length} cells have no results yet`);
  if (counts.done > 0) out.text(summaryText(summary));
  out.text(`report: ${report}`);
  out.emit({ event: "done", out: all.folder, cells: all.cells.length, ...counts, report });
}
