import { type Device, device as deviceOf } from "../engine/device.js";
import { check, checkInteger, type OptionNames } from "../errors.js";
import type { OptimizerName } from "../optim/optimizer.js";
import { constant, type Schedule } from "../optim/schedule.js";
import { activeWeights, type Regularize } from "../symmetry/regularize.js";

/** How `fit` and `train` are to train. */
export interface FitOptions {
  /** Name in events. Default "model". */
  name?: string;
  epochs?: number;
  batch?: number;
  /** Decides the order of the samples; the weights were drawn with the model's own seed. */
  seed?: number;
  optimizer?: OptimizerName;
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  clipNorm?: number;
  schedule?: Schedule;
  /**
   * Weights of regularisers (lie.regularizers) that are minimised along with the loss, in every L-conv layer whose generators are trained, by default
   * none. The losses in events and results are the cross-entropy alone.
   */
  regularize?: Regularize;
  /** File for checkpoints: after every epoch, every `checkpointSeconds`, and when stopped. The one before the last stays beside it, as NAME.previous.EXT. */
  checkpoint?: string;
  /** Default 60. */
  checkpointSeconds?: number;
  /**
   * Goes on from the checkpoint file when it exists, or from the one before it when that is damaged; the result is the same as without the interruption.
   * Other options, learning rates or samples are refused (samples that are on the device already are not compared), and fewer epochs than the file holds.
   */
  resume?: boolean;
  device?: Device;
  /** Stops after the chunk under way, of steps or of a validation, writes a checkpoint and throws the signal's reason. */
  signal?: AbortSignal;
}
export const fitOptionNames: OptionNames<FitOptions> = {
  ...{ name: 1, epochs: 1, batch: 1, seed: 1, optimizer: 1, lr: 1, momentum: 1, nesterov: 1, weightDecay: 1, clipNorm: 1 },
  ...{ schedule: 1, regularize: 1, checkpoint: 1, checkpointSeconds: 1, resume: 1, device: 1, signal: 1 },
};

/** Between two checkpoints. */
export const CHECKPOINT_SECONDS = 60;

type Defaults = "name" | "epochs" | "batch" | "seed" | "optimizer" | "schedule" | "checkpointSeconds" | "device";
/** The options of a run with their defaults. */
export type Settings = FitOptions & Required<Pick<FitOptions, Defaults>>;

/** The options with their defaults. Throws ERR_LCONV_ARGUMENT. */
export function settle({ regularize, ...options }: FitOptions, samples: number): Settings {
  const {
    name = "model",
    epochs = 30,
    batch = 32,
    seed = 0,
    optimizer = "rmsprop",
    schedule = constant,
    checkpointSeconds = CHECKPOINT_SECONDS,
    device = deviceOf(),
  } = options;
  checkInteger("fit", "epochs", epochs, 1);
  checkInteger("fit", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
  checkInteger("fit", "batch", batch, 1);
  check(
    batch <= samples,
    "ERR_LCONV_ARGUMENT",
    () => `fit: batch is ${batch}, but there are only ${samples} training samples; take a batch of at most ${samples}`,
  );
  const settings = { ...options, name, epochs, batch, seed, optimizer, schedule, checkpointSeconds, device };
  const weights = activeWeights("fit: regularize", regularize ?? {});
  return Object.keys(weights).length > 0 ? { ...settings, regularize: weights } : settings;
}

/** Options that are the optimiser's. */
export const ruleOptions = ["momentum", "nesterov", "weightDecay", "clipNorm", "lr"] as const;
