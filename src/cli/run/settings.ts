import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { datasetNames } from "../../data/catalog.js";
import { defined, pick } from "../../defined.js";
import { threadCount } from "../../engine/threads.js";
import { check, clip, LconvError, unknownName } from "../../errors.js";
import { quote, readBytes } from "../../io/files.js";
import { duplicateKey, longKey, parseShallow } from "../../io/json.js";
import { modelsWith } from "../../models/architecture.js";
import { optimizerDefaults } from "../../optim/optimizer.js";
import { type Flags, type Given, isObject, type Settled, withDefaults, wrongValue } from "../terminal/flags.js";
import { chosenDevice, type RunValues, runFlags } from "./flags.js";
import { presets } from "./presets.js";
import { type TrainValues, trainFlags } from "./trainFlags.js";

type Merged = Settled<typeof runFlags>;

/** Everything that decides a run, with nothing left open. */
export type Settings = Merged & { lr: number; device: string; threads: number };

/** Flags win over --preset, that over the keys of --config, these over the preset that the file names, and all over the defaults. */
export const resolveSettings = (given: TrainValues, config: TrainValues = {}): Settings => settle(mergeSettings(given, config));

/** The same with all left open that depends on other settings or on this machine. */
export const mergeSettings = (given: TrainValues, config: TrainValues): Merged =>
  withDefaults(runFlags, { ...valuesOf(config.preset), ...config, ...valuesOf(given.preset), ...given });

const valuesOf = (preset: TrainValues["preset"]): RunValues => (preset === undefined ? {} : presets[preset].values);

/** Fills in what depends on other settings or on this machine. Throws ERR_LCONV_ARGUMENT, and as device() does. */
function settle(values: Merged): Settings {
  const { optimizer, momentum, regularize, model, lr = optimizerDefaults[optimizer].lr, threads = threadCount() } = values;
  check(
    momentum === undefined || optimizer === "sgd",
    "ERR_LCONV_ARGUMENT",
    () => `--momentum goes with --optimizer sgd only, got ${optimizer}`,
  );
  const regular = modelsWith("trainsGenerators");
  check(
    regularize === undefined || regular.includes(model),
    "ERR_LCONV_ARGUMENT",
    () => `--regularize goes with --model ${regular.join(" or ")} only, as ${model} has no generators that are trained`,
  );
  check(
    values.augmentWidth === undefined || values.augment !== undefined,
    "ERR_LCONV_ARGUMENT",
    () => "--augment-width goes with --augment",
  );
  const { name: device } = chosenDevice({ ...values, threads });
  const paths = defined({ augment: inFull("augment", values.augment), dataset: inFull("dataset", values.dataset) });
  return pick({ ...values, ...paths, lr, threads, device }, Object.keys(runFlags) as (keyof Settings)[]);
}

/** A setting as config.json has it: paths in full, so that the run can be resumed from another folder. */
export function inFull<T>(key: string, value: T): T {
  if (typeof value !== "string") return value;
  return (key === "augment" ? resolve(value) : key === "dataset" ? absolute(value) : value) as T;
}

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
