import { join } from "node:path";
import { check } from "../../errors.js";
import { checkedConfig } from "../../train/configText.js";
import { commandOf, resumeCommand, runFiles } from "../../train/runFolder.js";
import { type Flag, isObject } from "../terminal/flags.js";
import { type RunValues, runFlags } from "./flags.js";
import { mergeSettings, readConfig, readJson, settingsIn } from "./settings.js";
import { type TrainValues, trainFlags } from "./trainFlags.js";

/** What `lconv compare` keeps in config.json: why it took its data, and the settings of each model. */
export interface Comparison {
  data: string;
  models: readonly RunValues[];
}

const checksum: Flag = { value: "", kind: { what: "anything", is: (_): _ is unknown => true, read: (text) => text }, help: "" };

/** A file of --config. It may be an edited copy of a run's config.json, whose checksum does not matter then. Throws as readConfig. */
export function readGivenConfig(path: string): TrainValues {
  const { checksum: _, ...settings } = readConfig(path, { ...trainFlags, checksum });
  return settings;
}

/**
 * The settings of the run of `lconv train` in `folder`. Throws ERR_LCONV_CHECKPOINT when another command began it, ERR_LCONV_IO when its checksum does
 * not match, and as readConfig does.
 */
export function readRun(folder: string): RunValues {
  const { path, value } = readOwnConfig(folder);
  checkCommand(folder, "train");
  return mergeSettings({}, settingsIn(value, runFlags, path));
}

function readOwnConfig(folder: string): { path: string; value: unknown } {
  const path = join(folder, runFiles.config);
  return { path, value: checkedConfig(path, readJson(path)) };
}

/** The comparison that `lconv compare` began in `folder`. Throws as readRun. */
export function readComparison(folder: string): Comparison {
  const { path, value } = readOwnConfig(folder);
  checkCommand(folder, "compare");
  check(
    isComparison(value),
    "ERR_LCONV_FORMAT",
    () => `${path}: expected "command", "data" and the settings of two "models", as lconv compare writes them`,
  );
  const { data, models } = value;
  return { data, models: models.map((settings, i) => mergeSettings({}, settingsIn(settings, runFlags, `${path}: models[${i}]`))) };
}

function isComparison(value: unknown): value is { data: string; models: unknown[] } {
  if (!isObject(value)) return false;
  const { command, data, models, ...others } = value;
  return command === "compare" && typeof data === "string" && Array.isArray(models) && models.length === 2 && isEmpty(others);
}

const isEmpty = (object: object): boolean => Object.keys(object).length === 0;

function checkCommand(folder: string, wanted: "train" | "compare"): void {
  const began = commandOf(folder);
  check(began === wanted, "ERR_LCONV_CHECKPOINT", () => `${folder} holds a run of lconv ${began}; go on with: ${resumeCommand(folder)}`);
}
