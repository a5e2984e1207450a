import { CHECKPOINT_SECONDS } from "../../train/options.js";
import { choice, fraction, type Given, integer, text } from "../terminal/flags.js";
import { flag, nameFlag, progressFlag, runFlags } from "./flags.js";
import { presetNames, presets } from "./presets.js";

/** Where a run is written, and how its progress is reported. */
export const controlFlags = {
  preset: flag(
    "NAME",
    choice(presetNames),
    `settings to start from; ${presetNames.map((name) => `${name}: ${presets[name].help}`).join("; ")}`,
  ),
  name: nameFlag,
  out: flag("DIR", text("a folder"), "folder of the run (default: runs/<dataset>-<variant>-<model>-seed<seed>)"),
  checkpointSeconds: flag(
    "SECONDS",
    fraction(0, Number.POSITIVE_INFINITY),
    "seconds between checkpoints (one is also written after every epoch)",
    CHECKPOINT_SECONDS,
  ),
  progress: progressFlag,
} as const;

/** A command that trains may do so by several processes. */
export const ranksFlags = {
  ranks: flag("N", integer(1, 1024), "train by N processes, each with a part of every batch, which mpirun starts (docs/distributed.md)"),
  hosts: flag(
    "A:2,B:2",
    text("names of machines, each with a number of ranks, as a:2,b:2", /^[\w.-]+(:[1-9]\d{0,3})?(,[\w.-]+(:[1-9]\d{0,3})?)*$/),
    "with --ranks, or for it: machines that mpirun reaches by ssh, and the ranks of each",
  ),
  restarts: flag(
    "N",
    integer(0, 1000),
    "with --ranks: start all again from the last checkpoint where one breaks down, N times at most (default: 3)",
  ),
} as const;

export const trainFlags = { ...runFlags, ...controlFlags } as const;

export type TrainValues = Given<typeof trainFlags>;
