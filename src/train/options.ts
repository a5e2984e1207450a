import { Group } from "../distributed/group.js";
import { type Device, device as deviceOf } from "../engine/device.js";
import { check, checkInteger, type OptionNames } from "../errors.js";
import type { OptimizerName } from "../optim/optimizer.js";
import { constant, type Schedule } from "../optim/schedule.js";
import { activeWeights, type Regularize } from "../symmetry/regularize.js";
import { Augment } from "./augment.js";

/** Options of fit and train. */
export interface FitOptions {
  /** Name in events. Default "model". */
  name?: string;
  /** Passes over the training samples. Default 30. */
  epochs?: number;
  /** Samples of a step, at most the number of training samples. Default 32. */
  batch?: number;
  /** Seed of the order of the samples; the weights were drawn with the model's seed. Default 0. */
  seed?: number;
  /** Default "rmsprop". */
  optimizer?: OptimizerName;
  /** Base learning rate, which `schedule` multiplies. Default: that of the optimiser. */
  lr?: number;
  /** For sgd; see `optim.SgdOptions`. */
  momentum?: number;
  /** For sgd; see `optim.SgdOptions`. */
  nesterov?: boolean;
  /** From 0 on. Default: that of the optimiser. */
  weightDecay?: number;
  /** The greatest norm of all gradients together. Default: no limit. */
  clipNorm?: number;
  /** Default `optim.constant`. */
  schedule?: Schedule;
  /**
   * Weights of regularisers (lie.regularizers) that are minimised along with the loss, in every L-conv layer whose generators are trained.
   * Default: none. The losses in events and results are the cross-entropy alone.
   */
  regularize?: Regularize;
  /** Moves each training sample along the flow of generators, by another t at each step. Default: none. */
  augment?: Augment;
  /**
   * File for checkpoints: after every epoch, every `checkpointSeconds`, and when stopped. The checkpoint before it is kept as
   * NAME.previous.EXT. Default: none.
   */
  checkpoint?: string;
  /** Seconds between checkpoints within an epoch. Default 60. */
  checkpointSeconds?: number;
  /**
   * Resumes from the checkpoint file if it exists, or from the one before it if that is damaged; the result is the same as without the
   * interruption. Other options, learning rates or samples are refused (samples on the device are not compared), and fewer epochs than the
   * file holds. Default false.
   */
  resume?: boolean;
  /** Where it trains; the model must be there. Default `device()`. */
  device?: Device;
  /**
   * The ranks that train this network together, from `distributed.init`: `batch` is that of all of them, each takes its part of every batch, and all
   * end with the same weights and results. Every rank holds all samples and calls `fit` with the same options. Rank 0 alone reads and writes the
   * checkpoint. Default: this process alone.
   */
  group?: Group;
  /** Stops after the chunk of steps or of a validation under way, writes a checkpoint and throws the reason of the signal. */
  signal?: AbortSignal;
}
export const fitOptionNames: OptionNames<FitOptions> = {
  ...{ name: 1, epochs: 1, batch: 1, seed: 1, optimizer: 1, lr: 1, momentum: 1, nesterov: 1, weightDecay: 1, clipNorm: 1 },
  ...{ schedule: 1, regularize: 1, augment: 1, checkpoint: 1, checkpointSeconds: 1, resume: 1, device: 1, group: 1, signal: 1 },
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
  check(samples > 0, "ERR_LCONV_DATA", () => "fit: there are no samples to train on");
  check(
    batch <= samples,
    "ERR_LCONV_ARGUMENT",
    () => `fit: batch is ${batch}, but there are only ${samples} training samples; take a batch of at most ${samples}`,
  );
  check(
    options.augment === undefined || options.augment instanceof Augment,
    "ERR_LCONV_ARGUMENT",
    () => "fit: augment is an Augment, such as new Augment(basis)",
  );
  checkGroup(options.group, batch);
  const settings = { ...options, name, epochs, batch, seed, optimizer, schedule, checkpointSeconds, device };
  const weights = activeWeights("fit: regularize", regularize ?? {});
  return Object.keys(weights).length > 0 ? { ...settings, regularize: weights } : settings;
}

function checkGroup(group: Group | undefined, batch: number): void {
  if (group === undefined) return;
  check(group instanceof Group, "ERR_LCONV_ARGUMENT", () => "fit: group is that of await distributed.init()");
  check(
    batch >= group.size,
    "ERR_LCONV_ARGUMENT",
    () => `fit: a batch of ${batch} cannot be shared by ${group.size} ranks; take a batch of at least ${group.size}, or fewer ranks`,
  );
}

/** Options that are the optimiser's. */
export const ruleOptions = ["momentum", "nesterov", "weightDecay", "clipNorm", "lr"] as const;
