import { join } from "node:path";
import type { Output } from "../terminal/output.js";
import { table } from "../terminal/output.js";
import { stateCounts } from "./collect.js";
import type { Sweep } from "./folder.js";
import { failureOf, stateOf } from "./state.js";

/** `lconv sweep DIR --status`: how many cells are in each state, and which failed or are begun. A cell that runs is a begun one. */
export function showStatus({ folder, cells }: Sweep, out: Output): void {
  const states = cells.map((cell) => stateOf(folder, cell));
  const counts = stateCounts(states);
  const left: string[][] = [];
  cells.forEach((cell, i) => {
    const failure = states[i] === "failed" ? failureOf(folder, cell) : {};
    out.emit({ event: "cell", cell: cell.number, state: states[i], out: join(folder, cell.run), ...failure });
    if (states[i] === "failed" || states[i] === "begun")
      left.push([String(cell.number), states[i], cell.label, failure.message?.split("\n")[0] ?? ""]);
  });
  const { done, failed, begun, open } = counts;
  out.emit({ event: "done", out: folder, cells: cells.length, ...counts });
  out.text(`${done} of ${cells.length} cells are done, ${failed} failed, ${begun} are begun, ${open} are open`);
  if (left.length > 0) out.text(`\n${table([["cell", "state", "settings", ""], ...left])}`);
}
