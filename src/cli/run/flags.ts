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
  "auto (a GPU if there is one, else the CPU), cpu, or cuda[:k] (default: LCONV_DEVICE, else auto)",
);
export const precisionFlag = flag(
  "NAME",
  choice(precisions),
  "precision of matrix products and convolutions: fp32, bf16 (rounds the factors), or tf32 (GPU only)",
  "fp32",
);
/** The same for commands that take a network from a run. */
const { default: _none, ...runPrecision } = { ...precisionFlag, help: `${precisionFlag.help} (default: that of the run)` };
export const runPrecisionFlag = runPrecision;
export const threadsFlag = flag("N", integer(1, MOST_THREADS), "threads on the CPU (default: LCONV_THREADS, else all usable processors)");
/** The device that these three flags name. Throws as device(). */
export const chosenDevice = ({ device, precision, threads }: DeviceOptions & { device?: string }): Device =>
  deviceOf(device, defined({ precision, threads }));

export const progressFlag = flag(
  "MODE",
  choice(["auto", "bar", "plain", "jsonl", "silent"]),
  "form of the progress on stderr: auto (bars on a terminal, else plain), bar, plain, jsonl or silent",
  "auto",
);
export const outFlag = flag("DIR", text("a folder"), "folder of the run");
export const nameFlag = flag("NAME", folderName, "name of the run; its folder is runs/NAME");

/** Of commands that show how they get on. */
export const serveFlag = flag("PORT", integer(0, 65535), "show a live page with curves on http://127.0.0.1:PORT; 0 takes a free port");

/** Of commands that write a run folder. */
export const stealLockFlag = flag(
  "",
  toggle,
  "take over the lock of a run folder when it cannot be checked whether its process is alive, for example one on another machine; never the lock of a process that is alive",
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
  variant: flag(
    "NAME",
    choice(variants),
    `transformation of the images: ${variants.join(", ")}; scrambled means that all pixels are in one random order`,
    prepareDefaults.variant,
  ),
  splineOrder: flag(
    "ORDER",
    numberChoice([1, 3]),
    "interpolation when images are rotated: 1 (linear) or 3 (cubic spline)",
    prepareDefaults.order,
  ),
  holdOut: flag("FRACTION", fraction(0, 1, true), "fraction of the training file used for validation", prepareDefaults.holdOut),
  split: flag(
    "WAY",
    choice(["last", "seeded"]),
    "samples used for validation: last (the last ones of the file) or seeded (drawn by the seed)",
    prepareDefaults.split,
  ),
  samples: flag("N", integer(1), "train on the first N samples only (default: all)"),
  model: flag("NAME", choice(modelNames), modelNames.join(", "), "lconv"),
  layers: flag("N", numberChoice([1, 2]), "hidden layers: 1 or 2", modelOptions.layers.default),
  filters: flag("N", integer(1, 1 << 16), "channels of each hidden layer", modelOptions.filters.default),
  generators: flag("N", integer(1), "number of generators L_i of an L-conv layer, without L_0 = I (n_L)", modelOptions.generators.default),
  rank: flag("N", integer(1), "rank of each generator (d_h)", modelOptions.rank.default),
  kernel: flag("N", integer(1), "cnn, cnn-pool: side of the kernel in pixels", modelOptions.kernel.default),
  padding: flag(
    "WAY",
    choice(["valid", "same"]),
    "cnn, cnn-pool: valid (no padding) or same (zeros, so that the size stays)",
    modelOptions.padding.default,
  ),
  pool: flag(
    "NAME",
    choice(pools),
    "lconv, lconv-random: none, max (maximum over the generators), or strided (a learned layer after each one that keeps 1 position in --stride)",
    modelOptions.pool.default,
  ),
  stride: flag("N", integer(1), "downsampling factor of --pool strided", modelOptions.stride.default),
  optimizer: flag("NAME", choice(optimizerNames), optimizerNames.join(", "), "rmsprop"),
  lr: flag("RATE", positive, `learning rate (default: ${ruleDefault("lr")})`),
  momentum: flag("M", fraction(0, 1), `sgd: momentum (default: ${optimizerDefaults.sgd.momentum})`),
  weightDecay: flag("DECAY", fraction(0, Number.POSITIVE_INFINITY), `weight decay (default: ${ruleDefault("weightDecay")})`),
  clipNorm: flag("NORM", positive, "clip the norm of the gradients to this value (default: off)"),
  regularize: flag(
    "NAME=WEIGHT,...",
    weights(regularizerNames),
    `lconv: penalties on the generators, such as closure=1e-3,killing=1e-3, out of ${regularizerNames.join(", ")} (default: none)`,
  ),
  augment: flag(
    "DIR",
    text("a folder"),
    "folder of lconv discover --distribution: move each training sample along the flow of its generators, by another t at each step",
  ),
  augmentWidth: flag("T", positive, "--augment: t is drawn from -T to T, in radians of the root mean square frequency (default: 1)"),
  schedule: flag(
    "NAME",
    choice(["constant", "step", "cosine"]),
    "learning rate over the run: constant, step (divided by 10 every 10 epochs) or cosine (down to 0)",
    "constant",
  ),
  warmup: flag("STEPS", integer(0), "steps at the start over which the learning rate rises from 0", 0),
  batch: flag("N", integer(1, 1 << 20), "samples per step", 64),
  epochs: flag("N", integer(1, 1_000_000), "passes over the training samples", 30),
  seed: flag(
    "N",
    integer(0, Number.MAX_SAFE_INTEGER),
    "seed of the weights, the order of the samples, rotations and scrambling",
    modelOptions.seed.default,
  ),
  device: deviceFlag,
  precision: precisionFlag,
  threads: threadsFlag,
} as const;

export type RunValues = Given<typeof runFlags>;
