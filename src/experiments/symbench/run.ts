import { breathing } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import type { Cell } from "./grid.js";
import { answerPairs, pairsOf } from "./pairs.js";
import { problemOf, type Setting } from "./problem.js";
import { answerSamples, samplesAlone } from "./samples.js";
import { type Row, scored } from "./score.js";
import { answersOf, DISTRIBUTION, PAIRS, systems } from "./systems.js";
import { type Distribution, isFunction, type Truth } from "./truth.js";

/** One cell: the answers of those systems that `wanted` names, or whose networks it needs, scored. Throws as answersOf does. */
export async function runCell(cell: Cell, device: Device, wanted: readonly string[], signal?: AbortSignal): Promise<Row[]> {
  const { truth, ...setting } = cell;
  if (!isFunction(truth)) return [await ofSamples(truth, setting, device, signal)];
  const rows = systems.some((system) => wanted.includes(system)) ? await labeled(truth, setting, device, signal) : [];
  return wanted.includes(PAIRS) ? [...rows, await paired(truth, setting, signal)] : rows;
}

async function labeled(truth: Truth, setting: Setting, device: Device, signal?: AbortSignal): Promise<Row[]> {
  const start = performance.now();
  const problem = problemOf(truth, setting);
  const answers = await answersOf(truth, problem, setting, device, signal);
  const seconds = (performance.now() - start) / 1e3;
  const rows: Row[] = [];
  for (const system of systems) rows.push(await breathing(scored(truth, problem, setting, system, answers[system], seconds), signal));
  return rows;
}

async function paired(truth: Truth, setting: Setting, signal?: AbortSignal): Promise<Row> {
  const start = performance.now();
  const problem = pairsOf(truth, setting);
  const answer = await answerPairs(truth, problem, signal);
  return await breathing(scored(truth, problem, setting, PAIRS, answer, (performance.now() - start) / 1e3), signal);
}

async function ofSamples(truth: Distribution, setting: Setting, device: Device, signal?: AbortSignal): Promise<Row> {
  const { x, compared } = samplesAlone(truth, setting);
  const start = performance.now();
  const answer = await answerSamples(truth, x, setting.seed, device, signal);
  return await breathing(scored(truth, compared, setting, DISTRIBUTION, answer, (performance.now() - start) / 1e3), signal);
}
