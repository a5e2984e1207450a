import { datasetNames } from "../../data/catalog.js";
import { prepareDefaults, variants } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { type Device, type DeviceOptions, device as deviceOf, precisions } from "../../engine/device.js";
import { MOST_THREADS } from "../../engine/threads.js";
import { modelNames } from "../../models/models.js";
import { modelOptions, pools } from "../../models/options.js";
import { optimizerDefaults, optimizerNames } from "../../optim/optimizer.js";
import { regularizerNames } from "../../symmetry/regularize.js";
import {
  choice,
  type Flag,
  folderName,
  fraction,
  type Given,
  integer,
  type Kind,
  numberChoice,
  positive,
  text,
  toggle,
  weights,
} from "../terminal/flags.js";

export function flag<T>(value: string, kind: Kind<T>, help: string): Flag<T>;
export function flag<T>(value: string, kind: Kind<T>, help: string, normal: NoInfer<T>): Flag<T> & { default: T };
export function flag<T>(value: string, kind: Kind<T>, help: string, normal?: T): Flag<T> {
  return { value, kind, help, ...defined({ default: normal }) };
}

export const deviceFlag = flag(
  "DEVICE",
  text("auto, cpu, cuda or cuda:k", /^(auto|cpu|cuda(:\d+)?)$/),
  "auto, cpu or cuda[:k] (default: LCONV_DEVICE, else auto)",
);
export const precisionFlag = flag(
  "NAME",
  choice(precisions),
  "how matrices are multiplied, and convolutions on a CPU: fp32, bf16 (factors rounded), or on a GPU tf32",
  "fp32",
);
export const threadsFlag = flag(
  "N",
  integer(1, MOST_THREADS),
  "threads of the CPU backend (default: LCONV_THREADS, else all usable processors)",
);
/** The device that these three flags name. Throws as device(). */
export const chosenDevice = ({ device, precision, threads }: DeviceOptions & { device?: string }): Device =>
  deviceOf(device, defined({ precision, threads }));

export const progressFlag = flag(
  "MODE",
  choice(["auto", "bar", "plain", "jsonl", "silent"]),
  "progress on stderr: auto, bar, plain, jsonl or silent",
  "auto",
);
export const outFlag = flag("DIR", text("a folder"), "folder of the run");
export const nameFlag = flag("NAME", folderName, "name of the run; its folder is runs/NAME");

/** Of commands that write a run folder. */
export const stealLockFlag = flag(
  "",
  toggle,
  "take the run folder over from a process that cannot be asked whether it lives (of another machine, or without a name); never from one that does",
);

/** `0.001; 0.01 for sgd`: what the optimisers have where nothing is given. */
function ruleDefault(key: "lr" | "weightDecay"): string {
  const usual = optimizerDefaults.rmsprop[key];
  const others = optimizerNames.filter((name) => optimizerDefaults[name][key] !== usual);
  return [usual, ...others.map((name) => `${optimizerDefaults[name][key]} for ${name}`)].join("; ");
}

/** What decides the outcome of a run; the keys of its config.json. */
export const runFlags = {
  dataset: flag("NAME|PATH", text("a data set"), `${datasetNames.join(", ")}, a folder of .npy files, or an .npz file`, "mnist"),
  variant: flag("NAME", choice(variants), `what is done to the images: ${variants.join(", ")}`, prepareDefaults.variant),
  splineOrder: flag("ORDER", numberChoice([1, 3]), "splines that rotate the images: 1 (linear) or 3 (cubic)", prepareDefaults.order),
  holdOut: flag("FRACTION", fraction(0, 1, true), "part of the training file that is held out for validation", prepareDefaults.holdOut),
  split: flag("WAY", choice(["last", "seeded"]), "which samples are held out: the last ones, or drawn by the seed", prepareDefaults.split),
  samples: flag("N", integer(1), "train on the first N samples only (default: all)"),
  model: flag("NAME", choice(modelNames), modelNames.join(", "), "lconv"),
  layers: flag("N", numberChoice([1, 2]), "hidden layers: 1 or 2", modelOptions.layers.default),
  filters: flag("N", integer(1, 1 << 16), "channels of each hidden layer", modelOptions.filters.default),
  generators: flag("N", integer(1), "n_L, the learned generators L_i; L_0 = I comes on top", modelOptions.generators.default),
  rank: flag("N", integer(1), "d_h, the rank of each generator", modelOptions.rank.default),
  kernel: flag("N", integer(1), "side of the kernel of cnn and cnn-pool, in pixels", modelOptions.kernel.default),
  padding: flag("WAY", choice(["valid", "same"]), "padding of cnn and cnn-pool", modelOptions.padding.default),
  pool: flag(
    "NAME",
    choice(pools),
    "lconv and lconv-random: none; max, over the generators; strided, a learned layer behind each that leaves 1 position in --stride",
    modelOptions.pool.default,
  ),
  stride: flag("N", integer(1), "positions in for one position out of the layers of --pool strided", modelOptions.stride.default),
  optimizer: flag("NAME", choice(optimizerNames), optimizerNames.join(", "), "rmsprop"),
  lr: flag("RATE", positive, `learning rate (default: ${ruleDefault("lr")})`),
  momentum: flag("M", fraction(0, 1), `momentum of sgd (default: ${optimizerDefaults.sgd.momentum})`),
  weightDecay: flag("DECAY", fraction(0, Number.POSITIVE_INFINITY), `weight decay (default: ${ruleDefault("weightDecay")})`),
  clipNorm: flag("NORM", positive, "scale gradients down to this norm at most (default: off)"),
  regularize: flag(
    "NAME=WEIGHT,...",
    weights(regularizerNames),
    `of lconv: what its generators are held to, ${regularizerNames.join(", ")}, as in closure=1e-3,killing=1e-3 (default: off)`,
  ),
  schedule: flag(
    "NAME",
    choice(["constant", "step", "cosine"]),
    "learning rate: constant; step, a tenth every 10 epochs; cosine, down to 0 over the run",
    "constant",
  ),
  warmup: flag("STEPS", integer(0), "steps in which the learning rate rises from 0 first", 0),
  batch: flag("N", integer(1, 1 << 20), "samples in a step", 64),
  epochs: flag("N", integer(1, 1_000_000), "passes over the training samples", 30),
  seed: flag("N", integer(0, Number.MAX_SAFE_INTEGER), "decides weights, order, rotations and scrambling", modelOptions.seed.default),
  device: deviceFlag,
  precision: precisionFlag,
  threads: threadsFlag,
} as const;

export type RunValues = Given<typeof runFlags>;
