import { datasetNames } from "../../data/catalog.js";
import { variants } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { type Device, type DeviceOptions, device as deviceOf, precisions } from "../../engine/device.js";
import { MOST_THREADS } from "../../engine/threads.js";
import { modelNames, pools } from "../../models/models.js";
import { optimizerNames } from "../../optim/optimizer.js";
import { regularizerNames } from "../../symmetry/regularize.js";
import {
  choice,
  type Flag,
  folderName,
  fraction,
  type Given,
  integer,
  type Kind,
  oneOf,
  positive,
  text,
  toggle,
  weights,
} from "../terminal/flags.js";

const flag = <T>(value: string, kind: Kind<T>, help: string, normal?: T): Flag<T> => ({
  value,
  kind,
  help,
  ...defined({ default: normal }),
});

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
  "threads of the CPU backend (default: LCONV_THREADS, else the processors that the process may use)",
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

/** What decides the outcome of a run; the keys of its config.json. */
export const runFlags = {
  dataset: flag("NAME|PATH", text("a data set"), `${datasetNames.join(", ")}, a folder of .npy files, or an .npz file`, "mnist"),
  variant: flag("NAME", choice(variants), `what is done to the images: ${variants.join(", ")}`, "default"),
  splineOrder: flag("ORDER", oneOf([1, 3]), "splines that rotate the images: 1 (linear) or 3 (cubic)", 3),
  holdOut: flag("FRACTION", fraction(0, 1, true), "part of the training file that is held out for validation", 0.2),
  split: flag("WAY", choice(["last", "seeded"]), "which samples are held out: the last ones, or drawn by the seed", "last"),
  samples: flag("N", integer(1), "train on the first N samples only (default: all)"),
  model: flag("NAME", choice(modelNames), modelNames.join(", "), "lconv"),
  layers: flag("N", oneOf([1, 2]), "hidden layers: 1 or 2", 1),
  filters: flag("N", integer(1, 1 << 16), "channels of each hidden layer", 32),
  generators: flag("N", integer(1), "n_L, the learned generators L_i; L_0 = I comes on top", 8),
  rank: flag("N", integer(1), "d_h, the rank of each generator", 16),
  kernel: flag("N", integer(1), "side of the kernel of cnn and cnn-pool, in pixels", 3),
  padding: flag("WAY", choice(["valid", "same"]), "padding of cnn and cnn-pool", "valid"),
  pool: flag(
    "NAME",
    choice(pools),
    "lconv and lconv-random: none; max, over the generators; strided, a learned layer behind each that leaves 1 position in --stride",
    "none",
  ),
  stride: flag("N", integer(1), "positions in for one position out of the layers of --pool strided", 2),
  optimizer: flag("NAME", choice(optimizerNames), optimizerNames.join(", "), "rmsprop"),
  lr: flag("RATE", positive, "learning rate (default: 0.001; 0.01 for sgd)"),
  momentum: flag("M", fraction(0, 1), "momentum of sgd (default: 0)"),
  weightDecay: flag("DECAY", fraction(0, Number.POSITIVE_INFINITY), "weight decay (default: 0; 0.01 for adamw)"),
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
  seed: flag("N", integer(0, Number.MAX_SAFE_INTEGER), "decides weights, order, rotations and scrambling", 0),
  device: deviceFlag,
  precision: precisionFlag,
  threads: threadsFlag,
} as const;

/** What says where a run goes and what is told of it. */
export const controlFlags = {
  preset: flag("NAME", choice(["paper"]), "paper: RMSprop, lr 0.001, batch 32, 30 epochs, cubic rotation, last 20 % held out"),
  name: nameFlag,
  out: flag("DIR", text("a folder"), "folder of the run (default: runs/<dataset>-<variant>-<model>-seed<seed>)"),
  checkpointSeconds: flag(
    "SECONDS",
    fraction(0, Number.POSITIVE_INFINITY),
    "write a checkpoint this often, in seconds, besides after every epoch",
    60,
  ),
  progress: progressFlag,
} as const;

export const trainFlags = { ...runFlags, ...controlFlags } as const;

export type RunValues = Given<typeof runFlags>;
export type TrainValues = Given<typeof trainFlags>;

/** The authors' recipe (Keras' defaults, as they ran it): rho 0.9 and epsilon 1e-7 are RMSprop's own defaults. */
export const presets: Record<"paper", RunValues> = {
  paper: {
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
};
