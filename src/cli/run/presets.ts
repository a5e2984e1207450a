import type { RunValues } from "./flags.js";

/** A recipe of --preset: a line of the help, and the flags that it stands for. A new one is an entry here. */
interface Preset {
  help: string;
  values: RunValues;
}

export const presets = {
  /** The authors' recipe (Keras' defaults, as they ran it): rho 0.9 and epsilon 1e-7 are RMSprop's own defaults. */
  paper: {
    help: "those of the paper's authors (rmsprop, lr 0.001, batch 32, 30 epochs, cubic rotation, the last 20 % for validation)",
    values: {
      optimizer: "rmsprop",
      lr: 1e-3,
      batch: 32,
      epochs: 30,
      schedule: "constant",
      warmup: 0,
      splineOrder: 3,
      split: "last",
      holdOut: 0.2,
      padding: "valid",
    },
  },
} satisfies Record<string, Preset>;

export const presetNames = Object.keys(presets) as (keyof typeof presets)[];
