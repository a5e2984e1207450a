import { isDeepStrictEqual } from "node:util";
import { check, LconvError } from "../../errors.js";
import { flagName } from "../terminal/flags.js";
import { chosenDevice, type RunValues, runFlags } from "./flags.js";
import { inFull, resolveSettings, type Settings } from "./settings.js";
import type { TrainValues } from "./trainFlags.js";

const rounding: readonly (keyof RunValues)[] = ["device", "precision", "threads"];

/** Throws ERR_LCONV_ARGUMENT where one of the flags `keys`, which begin a run, is given besides --resume. */
export function refuseWithResume(given: object, keys: readonly string[]): void {
  const key = keys.find((name) => given[name as keyof typeof given] !== undefined);
  check(key === undefined, "ERR_LCONV_ARGUMENT", () => `${flagName(String(key))} begins a run and does not go with --resume`);
}

/**
 * The settings of a run in `folder` that was begun as `before`. Flags may not change what the run has been so far: only more epochs are taken, where
 * the learning rate does not depend on how many there are, and what merely rounds sums otherwise, with a warning. The device that the run began on is
 * not needed when another is given. Throws ERR_LCONV_CHECKPOINT for other changes, and as device().
 */
export function resumedSettings(folder: string, before: RunValues, given: TrainValues, warn: (text: string) => void): Settings {
  const changes: TrainValues = {};
  for (const key of Object.keys(runFlags) as (keyof typeof runFlags)[]) {
    const value = key === "device" ? deviceName(given, before) : inFull(key, given[key]);
    if (value === undefined || isDeepStrictEqual(value, before[key])) continue;
    if (key === "epochs") checkEpochs(folder, before, value as number);
    else if (!rounding.includes(key)) throw refusal(folder, key, value, before[key]);
    else warn(`${change(key, before[key], value)}; the last bits of its weights, or more, will differ from those of an uninterrupted run`);
    Object.assign(changes, { [key]: value });
  }
  return resolveSettings(changes, before);
}

const deviceName = (given: TrainValues, before: RunValues): string | undefined =>
  given.device && chosenDevice({ ...before, ...given }).name;

const show = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value ?? "unset"));

const change = (key: string, before: unknown, now: unknown): string =>
  `the run began with ${flagName(key)} ${show(before)} and goes on with ${show(now)}`;

function checkEpochs(folder: string, before: RunValues, epochs: number): void {
  if (epochs < (before.epochs ?? 0)) throw refusal(folder, "epochs", epochs, before.epochs);
  const reason = "; its cosine schedule is spread over the whole run";
  if (before.schedule === "cosine") throw refusal(folder, "epochs", epochs, before.epochs, reason);
}

const refusal = (folder: string, key: string, now: unknown, before: unknown, reason = ""): LconvError =>
  new LconvError(
    "ERR_LCONV_CHECKPOINT",
    `the run in ${folder} was begun with ${flagName(key)} ${show(before)}, got ${show(now)}${reason}; leave ${flagName(key)} away, or begin a new run with --out`,
  );
