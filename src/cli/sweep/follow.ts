import { setTimeout } from "node:timers/promises";
import { byInterest, liveColumns, liveRow } from "../../report/live.js";
import { LiveServer } from "../live/server.js";
import { announce } from "../live/training.js";
import type { Context } from "../terminal/context.js";
import { table } from "../terminal/output.js";
import { printable } from "../terminal/progressText.js";
import type { Reporter } from "../terminal/reporter.js";
import type { Sweep } from "./folder.js";
import { SweepView } from "./view.js";

const PAUSE_MS = 1000;
const CLEAR = "\u001b[H\u001b[J"; // from the upper left corner on

/** `lconv sweep DIR --serve PORT`: a live page until all cells are done, or until Ctrl-C. Throws as SweepView and LiveServer do, and the signal's reason. */
export async function serveSweep(sweep: Sweep, port: number, reporter: Reporter, { out, signal }: Context): Promise<void> {
  const view = new SweepView(sweep);
  const server = await LiveServer.open(`Sweep ${sweep.folder}`, port);
  announce(server.url, reporter, out);
  try {
    await untilEnded(view, (state) => server.show(state), signal);
  } finally {
    await server.close();
  }
}

/** `lconv sweep DIR --watch`: the runs of a sweep as a table that is drawn anew each second on a terminal; elsewhere a line whenever the summary changes. */
export async function watchSweep(sweep: Sweep, { out, signal }: Context): Promise<void> {
  const { stdout } = process;
  const draws = stdout.isTTY === true && process.env.TERM !== "dumb" && !out.json;
  let last = "";
  await untilEnded(
    new SweepView(sweep),
    ({ summary, runs }) => {
      if (draws) stdout.write(`${CLEAR}${screen(summary, runs, stdout.rows, stdout.columns)}\n`);
      else if (summary !== last) out.text(summary);
      if (summary !== last) out.emit({ event: "state", summary });
      last = summary;
    },
    signal,
  );
}

type State = ReturnType<SweepView["now"]>;

async function untilEnded(view: SweepView, show: (state: State) => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    const state = view.now();
    show(state);
    if (state.ended) return;
    await setTimeout(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Runs that run, then as many others as fit, each on one row. */
export function screen(summary: string, runs: State["runs"], rows = 24, columns = 80): string {
  const shown = [...runs].sort(byInterest).slice(0, Math.max(1, rows - 5));
  const cells = shown.map((run) => liveRow(run).map(printable));
  const lines = [summary, "", ...table([[...liveColumns], ...cells]).split("\n")];
  return lines.map((line) => line.slice(0, columns - 1)).join("\n");
}
