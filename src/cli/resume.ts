import { join } from "node:path";
import { device as deviceOf } from "../engine/device.js";
import { check, LconvError } from "../errors.js";
import { runFiles } from "../train/runFolder.js";
import { flagName } from "./flags.js";
import { readConfig, resolveSettings, type Settings } from "./settings.js";
import { runFlags, type TrainValues } from "./trainFlags.js";

const unrelated = ["preset", "name", "out"] as const;

/**
 * The settings of the run in `folder`. Flags may not change what the run has been so far: only more epochs are taken, where the
 * learning rate does not depend on how many there are, and another number of threads, with a warning as sums are then rounded otherwise.
 * Throws ERR_LCONV_CHECKPOINT for other changes, ERR_LCONV_ARGUMENT for flags that begin a run, and as readConfig does.
 */
export function resumedSettings(folder: string, given: TrainValues, warn: (text: string) => void): Settings {
  for (const key of unrelated)
    check(given[key] === undefined, "ERR_LCONV_ARGUMENT", () => `${flagName(key)} begins a run and does not go with --resume`);
  const before = resolveSettings({}, readConfig(join(folder, runFiles.config), runFlags));
  const changes: TrainValues = {};
  for (const key of Object.keys(runFlags) as (keyof typeof runFlags)[]) {
    const value = key === "device" && given.device ? deviceOf(given.device).name : given[key];
    if (value === undefined || value === before[key]) continue;
    if (key === "epochs") checkEpochs(folder, before, value as number);
    else if (key !== "threads") throw refusal(folder, key, value, before[key]);
    Object.assign(changes, { [key]: value });
  }
  if (changes.threads)
    warn(
      `the run began with ${before.threads} threads; with ${changes.threads} the last bits of its weights will differ from those of an uninterrupted run`,
    );
  return resolveSettings(changes, before);
}

function checkEpochs(folder: string, before: Settings, epochs: number): void {
  if (epochs < before.epochs) throw refusal(folder, "epochs", epochs, before.epochs);
  const reason = "; its cosine schedule is spread over the whole run";
  if (before.schedule === "cosine") throw refusal(folder, "epochs", epochs, before.epochs, reason);
}

const refusal = (folder: string, key: string, now: unknown, before: unknown, reason = ""): LconvError =>
  new LconvError(
    "ERR_LCONV_CHECKPOINT",
    `the run in ${folder} was begun with ${flagName(key)} ${String(before ?? "unset")}, got ${String(now)}${reason}; leave ${flagName(key)} away, or begin a new run with --out`,
  );
