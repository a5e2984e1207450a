import { existsSync } from "node:fs";
import type { Device } from "../../engine/device.js";
import { check } from "../../errors.js";
import { type Cell, cellsOf } from "../../experiments/symbench/grid.js";
import { Ledger } from "../../experiments/symbench/ledger.js";
import { runCell } from "../../experiments/symbench/run.js";
import { chosenDevice, deviceFlag, progressFlag, threadsFlag } from "../run/flags.js";
import { type Context, withReporter } from "../terminal/context.js";
import { type Given, text, toggle, withDefaults } from "../terminal/flags.js";
import type { Reporter } from "../terminal/reporter.js";
import { concludeSymmetry } from "./symmetryReport.js";

export const symmetryFlags = {
  quick: { value: "", kind: toggle, help: "run only 3,000 samples with noise 0.1 and one seed, which takes some minutes" },
  truths: {
    value: "A,B",
    kind: text("names with commas"),
    help: "run only these functions, by the names in docs/symbench.md (default: all)",
  },
  systems: {
    value: "A,B",
    kind: text("names with commas"),
    help: "run only these systems, such as pairs or distribution; lconv, oracle, liegg and random share networks and run together (default: all)",
  },
  share: {
    value: "K/N",
    kind: text("two whole numbers such as 1/2", /^\d{1,6}\/\d{1,6}$/),
    help: "run every Nth cell, starting with the Kth, so that N processes can share the work",
  },
  report: { value: "", kind: toggle, help: "run nothing, only summarise the ledgers in --out" },
  out: {
    value: "DIR",
    kind: text("a folder"),
    help: "folder of the results; cells that are already in its ledgers are not run again",
    default: "symbench",
  },
  device: deviceFlag,
  threads: { ...threadsFlag, help: "threads of the CPU backend", default: 1 },
  progress: progressFlag,
} as const;

/** `lconv benchmark symmetry`: discovery against truths, a ledger line for each system and cell, and what they come to. */
export async function benchmarkSymmetry(flags: Given<typeof symmetryFlags>, context: Context): Promise<void> {
  const { quick, truths, systems, share, report, out: folder, threads, progress } = withDefaults(symmetryFlags, flags);
  const by = systems?.split(",");
  const grid = cellsOf(quick ? "quick" : "full", truths?.split(","), by);
  const own = shareOf(grid, share);
  if (report) {
    check(existsSync(folder), "ERR_LCONV_ARGUMENT", () => `benchmark symmetry: there is no folder ${folder} to report on`);
    return concludeSymmetry(folder, grid, context.out);
  }
  const device = chosenDevice({ ...flags, threads });
  const ledger = new Ledger(folder, [...(by ?? []), ...(share ? [share.replace("/", "of")] : [])].join("-") || undefined);
  try {
    await withReporter(progress, (reporter) => runCells(own, by, ledger, device, reporter, context));
  } finally {
    concludeSymmetry(folder, grid, context.out); // also of a part, where it was stopped
  }
}

/** Every Nth cell from the Kth on, for "K/N". Throws ERR_LCONV_ARGUMENT. */
export function shareOf(cells: readonly Cell[], share = "1/1"): Cell[] {
  const [part, of] = share.split("/").map(Number);
  check(part >= 1 && part <= of, "ERR_LCONV_ARGUMENT", () => `benchmark symmetry: --share K/N needs 1 <= K <= N, got ${share}`);
  return cells.filter((_, k) => k % of === part - 1);
}

async function runCells(
  cells: readonly Cell[],
  by: readonly string[] | undefined,
  ledger: Ledger,
  device: Device,
  reporter: Reporter,
  { out, signal }: Context,
): Promise<void> {
  const missing = (cell: Cell): string[] => ledger.missing(cell).filter((system) => by?.includes(system) ?? true);
  const open = cells.filter((cell) => missing(cell).length > 0);
  for (const [k, cell] of open.entries()) {
    signal.throwIfAborted();
    const rows = await runCell(cell, device, missing(cell), signal);
    ledger.add(rows);
    for (const row of rows) out.emit({ event: "row", ...row });
    reporter.event({ type: "task", name: "symmetry", value: cells.length - open.length + k + 1, total: cells.length, unit: "cells" });
  }
}
