import { breathing } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import type { Cell } from "./grid.js";
import { problemOf } from "./problem.js";
import { type Row, scored } from "./score.js";
import { answersOf, systems } from "./systems.js";

/** One cell: the answer of each system, scored. Throws as answersOf does. */
export async function runCell(cell: Cell, device: Device, signal?: AbortSignal): Promise<Row[]> {
  const { truth, ...setting } = cell;
  const start = performance.now();
  const problem = problemOf(truth, setting);
  const answers = await answersOf(truth, problem, setting, device, signal);
  const seconds = (performance.now() - start) / 1e3;
  const rows: Row[] = [];
  for (const system of systems) rows.push(await breathing(scored(truth, problem, setting, system, answers[system], seconds), signal));
  return rows;
}
