import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../errors.js";
import { writeAtomic } from "../../io/atomic.js";
import { removeLitterOf } from "../../io/folders.js";
import { runFiles } from "../../train/runFolder.js";
import { readJson } from "../run/settings.js";
import { isObject } from "../terminal/flags.js";
import type { Cell } from "./cells.js";

/** Beside the files of a run: why it did not come to its end. */
const FAILED = "failed.json";

/** done: it has its results; failed: it ended with an error as often as was allowed; begun: it was stopped on its way; open: nothing is there. */
export type State = "done" | "failed" | "begun" | "open";

/** How a run ended that came to no result. */
export interface Failure {
  /** Of the process; null where a signal ended it. */
  exitCode: number | null;
  signal: string | null;
  /** Of the error, where it named one. */
  code: string | null;
  message: string;
  /** How often it was started. */
  tries: number;
}

/** What the folder of a cell says. The result is the last thing that a run writes. */
export function stateOf(folder: string, { run }: Cell): State {
  const has = (name: string): boolean => existsSync(join(folder, run, name));
  if (has(runFiles.result)) return "done";
  if (has(FAILED)) return "failed";
  return has(runFiles.config) ? "begun" : "open";
}

export function writeFailure(folder: string, { run }: Cell, failure: Failure): void {
  writeAtomic(join(folder, run, FAILED), `${JSON.stringify(failure, null, 2)}\n`);
}

export function clearFailure(folder: string, { run }: Cell): void {
  rmSync(join(folder, run, FAILED), { force: true });
  removeLitterOf(join(folder, run), [FAILED]);
}

/** The failure of a cell; one that cannot be read is told as such. */
export function failureOf(folder: string, { run }: Cell): Partial<Failure> {
  try {
    const value = readJson(join(folder, run, FAILED));
    return isObject(value) ? value : {};
  } catch (error) {
    return { message: (error as Error).message };
  }
}

/** Figures of a finished run, as it wrote them. */
export interface Metrics {
  valAccuracy: number | null;
  bestValAccuracy: number | null;
  testAccuracy: number | null;
  chosenTestAccuracy: number | null;
  trainAccuracy: number | null;
  params: number;
  layerParams: number;
  seconds: number;
  device: string;
}

const numbers = [
  ...(["valAccuracy", "bestValAccuracy", "testAccuracy", "chosenTestAccuracy", "trainAccuracy"] as const),
  ...(["params", "layerParams", "seconds"] as const),
];

/** Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export function metricsOf(folder: string, { run }: Cell): Metrics {
  const path = join(folder, run, runFiles.result);
  const found = readJson(path);
  const value = isObject(found) ? { chosenTestAccuracy: null, ...found } : found; // older versions did not measure it
  const known = isObject(value) && numbers.every((key) => value[key] === null || Number.isFinite(value[key]));
  check(known, "ERR_LCONV_FORMAT", () => `${path}: expected the figures ${numbers.join(", ")}; delete the file, and run the sweep again`);
  return { ...Object.fromEntries(numbers.map((key) => [key, value[key]])), device: String(value["device"]) } as Metrics;
}
