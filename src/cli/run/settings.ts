import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { datasetNames } from "../../data/catalog.js";
import { threadCount } from "../../engine/threads.js";
import { check, clip, LconvError, unknownName } from "../../errors.js";
import { quote, readBytes } from "../../io/files.js";
import { duplicateKey, longKey, parseShallow } from "../../io/json.js";
import { type Flag, type Flags, type Given, isObject, wrongValue } from "../terminal/flags.js";
import { chosenDevice, presets, type RunValues, runFlags, type TrainValues, trainFlags } from "./flags.js";

type Optional = "samples" | "momentum" | "weightDecay" | "clipNorm" | "regularize";

/** Everything that decides a run, with nothing left open. */
export type Settings = Required<Omit<RunValues, Optional>> & Pick<RunValues, Optional>;

/** Flags win over --preset, that over the keys of --config, these over the preset that the file names, and all over the defaults. */
export const resolveSettings = (given: TrainValues, config: TrainValues = {}): Settings => settle(mergeSettings(given, config));

/** The same with all left open that depends on other settings or on this machine. */
export function mergeSettings(given: TrainValues, config: TrainValues): RunValues {
  const merged: TrainValues = {
    ...(config.preset && presets[config.preset]),
    ...config,
    ...(given.preset && presets[given.preset]),
    ...given,
  };
  const settings: Record<string, unknown> = {};
  for (const [key, flag] of Object.entries(runFlags)) settings[key] = merged[key as keyof RunValues] ?? (flag as Flag).default;
  return settings as RunValues;
}

/** Fills in what depends on other settings or on this machine. Throws ERR_LCONV_ARGUMENT, and as device() does. */
function settle(values: RunValues): Settings {
  const { optimizer = "rmsprop", momentum, regularize, model, threads = threadCount() } = values;
  check(
    momentum === undefined || optimizer === "sgd",
    "ERR_LCONV_ARGUMENT",
    () => `--momentum goes with --optimizer sgd only, got ${optimizer}`,
  );
  check(
    regularize === undefined || model === "lconv",
    "ERR_LCONV_ARGUMENT",
    () => `--regularize goes with --model lconv only, as ${model} has no generators that are trained`,
  );
  const device = chosenDevice({ ...values, threads }).name;
  const settled = {
    ...values,
    dataset: absolute(values.dataset ?? "mnist"),
    lr: values.lr ?? (optimizer === "sgd" ? 0.01 : 1e-3),
    threads,
    device,
  };
  return Object.fromEntries(Object.entries(settled).filter(([, value]) => value !== undefined)) as unknown as Settings;
}

/** A path is kept in full, so that the run can be resumed from another folder. */
const absolute = (dataset: string): string =>
  (datasetNames as readonly string[]).includes(dataset) || !existsSync(dataset) ? dataset : resolve(dataset);

/** A configuration file: keys as the flags of `flags`, in camelCase. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_OPTION (unknown or double key), ERR_LCONV_ARGUMENT. */
export const readConfig = <F extends Flags = typeof trainFlags>(path: string, flags: F = trainFlags as unknown as F): Given<F> =>
  settingsIn(readJson(path), flags, path);

/** The settings in `value`, which was found at `where`. Throws as readConfig. */
export function settingsIn<F extends Flags>(value: unknown, flags: F, where: string): Given<F> {
  if (!isObject(value)) {
    const got = Array.isArray(value) ? "an array" : quote(value);
    throw new LconvError("ERR_LCONV_FORMAT", `${where}: expected a JSON object of settings, got ${got}`);
  }
  for (const [key, setting] of Object.entries(value)) {
    if (!Object.hasOwn(flags, key)) throw new LconvError("ERR_LCONV_OPTION", unknownName(where, "key", key, Object.keys(flags)));
    const { kind } = flags[key];
    if (!kind.is(setting)) throw new LconvError("ERR_LCONV_ARGUMENT", `${where}: ${key}: ${wrongValue(kind, setting)}`);
  }
  return value as Given<F>;
}

/** A JSON file without double keys. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_OPTION. */
export function readJson(path: string): unknown {
  const text = new TextDecoder().decode(readBytes(path));
  const long = longKey(text);
  check(long === undefined, "ERR_LCONV_OPTION", () => `${path}: the key ${quote(long)} has ${long?.length} characters, too many`);
  let value: unknown;
  try {
    value = parseShallow(text);
  } catch (error) {
    throw new LconvError("ERR_LCONV_FORMAT", `${path}: expected JSON, ${clip((error as Error).message, 300)}`, { cause: error });
  }
  const twice = duplicateKey(text);
  check(twice === undefined, "ERR_LCONV_OPTION", () => `${path}: the key ${quote(twice)} is there twice`);
  return value;
}
