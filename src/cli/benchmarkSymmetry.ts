import { device as deviceOf } from "../engine/device.js";
import { check } from "../errors.js";
import { cellsOf } from "../experiments/symbench/grid.js";
import { Ledger } from "../experiments/symbench/ledger.js";
import { runCell } from "../experiments/symbench/run.js";
import { type Context, withReporter } from "./context.js";
import { type Given, text, toggle } from "./flags.js";
import { deviceFlag, progressFlag, threadsFlag } from "./trainFlags.js";

export const symmetryFlags = {
  quick: { value: "", kind: toggle, help: "3,000 samples and a noise of .1 alone, once: some minutes" },
  truths: { value: "A,B", kind: text("names with commas"), help: "only these truths (default: all)" },
  share: {
    value: "K/N",
    kind: text("two whole numbers such as 1/2", /^\d+\/\d+$/),
    help: "every Nth cell, from the Kth on: N processes share a grid",
  },
  out: {
    value: "DIR",
    kind: text("a folder"),
    help: "ledger and page go there; what its ledger holds is not done again",
    default: "symbench",
  },
  device: deviceFlag,
  threads: threadsFlag,
  progress: progressFlag,
} as const;

/** `lconv benchmark symmetry`: discovery against truths, a ledger line for each system and cell. */
export async function benchmarkSymmetry(flags: Given<typeof symmetryFlags>, { out, signal }: Context): Promise<void> {
  const { quick, truths, share, out: folder = "symbench", threads = 1, progress } = flags;
  const [part, of] = (share ?? "1/1").split("/").map(Number);
  check(part >= 1 && part <= of, "ERR_LCONV_ARGUMENT", () => `benchmark symmetry: --share K/N needs 1 <= K <= N, got ${share}`);
  process.env["LCONV_THREADS"] = String(threads);
  const device = deviceOf(flags.device);
  const ledger = new Ledger(folder, share?.replace("/", "of"));
  const cells = cellsOf(quick ? "quick" : "full", truths?.split(",")).filter((_, k) => k % of === part - 1);
  const open = cells.filter((cell) => !ledger.has(cell));
  await withReporter(progress, async (reporter) => {
    for (const [k, cell] of open.entries()) {
      const rows = await runCell(cell, device, signal);
      ledger.add(rows);
      for (const row of rows) out.emit({ event: "row", ...row });
      reporter.progress({ type: "task", name: "symmetry", value: cells.length - open.length + k + 1, total: cells.length, unit: "cells" });
    }
  });
  out.text(`${ledger.rows.length} rows in ${folder}`);
}
