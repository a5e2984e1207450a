import { drawGlyphs } from "../../data/glyphs.js";
import { type PreparedData, prepare, scramble, scramblePermutation, type Variant } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { breathing } from "../../engine/breathe.js";
import { type Classifier, type ModelName, makeModel } from "../../models/models.js";
import type { LConv } from "../../nn/lconv.js";
import type { Tensor } from "../../tensor/tensor.js";
import { fit } from "../../train/fit.js";
import { atLeast, atMost, type Check, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const SEEDS = [0, 1, 2, 3, 4];
const STUDENT_T = 2.132; // 95 % quantile for 4 degrees of freedom
const MARGIN = 0.03;
const [SAMPLES, EPOCHS, BATCH] = [5000, 8, 50];
const options = { filters: 8, generators: 5, rank: 8 };

/**
 * L-conv on rotated images and on the same images with their pixels scrambled. Exactly: with the initial weights permuted like the pixels,
 * both runs are the same run. In distribution: with weights drawn anew, the accuracies of five seeds are equivalent (two one-sided t tests at
 * 5 %: the 90 % confidence interval of the mean difference lies within +-3 points), where those of a CNN, as a control, are not.
 */
export async function scrambling(setting: Setting): Promise<Verdict> {
  const total = 1 + 2 * SEEDS.length;
  setting.onProgress?.(0, total);
  const same = await sameRun(setting);
  setting.onProgress?.(1, total);
  const differences = { lconv: [] as number[], cnn: [] as number[] };
  for (const [k, model] of (["lconv", "cnn"] as const).entries()) {
    for (const seed of SEEDS) {
      differences[model].push(
        (await accuracy(setting, model, "rotated", seed)) - (await accuracy(setting, model, "rotated-scrambled", seed)),
      );
      setting.onProgress?.(2 + k * SEEDS.length + seed, total);
    }
  }
  const [ours, control] = [interval(differences.lconv), interval(differences.cnn)];
  return verdict(
    "scrambling",
    "L-conv does not see whether pixels are scrambled: its generators are learned, not given by the grid.",
    [
      same,
      atLeast("L-conv, rotated less scrambled: low end of the 90 % interval of accuracy", ours.low, -MARGIN),
      atMost("L-conv, rotated less scrambled: high end", ours.high, MARGIN),
      atLeast("CNN, as a control: the farther end from 0", Math.max(Math.abs(control.low), Math.abs(control.high)), MARGIN),
    ],
    { notes: [`means over ${SEEDS.length} seeds: L-conv ${points(ours.mean)}, CNN ${points(control.mean)} points`] },
  );
}

const points = (share: number): string => (100 * share).toFixed(2);

function interval(values: readonly number[]): { mean: number; low: number; high: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const half = STUDENT_T * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

const input = { channels: 1, height: 28, width: 28, classes: 10 };

async function images(count: number, variant: Variant, seed: number, { device, signal }: Setting): Promise<PreparedData> {
  const raw = await breathing(drawGlyphs({ train: count, test: 1, seed }), signal);
  return prepare(raw, { variant, seed, order: 1, threads: device.threads, ...defined({ signal }) });
}

async function accuracy(setting: Setting, name: ModelName, variant: Variant, seed: number): Promise<number> {
  const { device, signal } = setting;
  const { train, validation } = await images(SAMPLES, variant, seed, setting);
  const model = makeModel(name, input, device, { ...options, seed });
  try {
    const run = { device, epochs: EPOCHS, batch: BATCH, seed, ...defined({ signal }) };
    return (await fit(model, { train, validation }, run)).valAccuracy ?? Number.NaN;
  } finally {
    model.dispose();
  }
}

/** The losses of a run, and of the run whose pixels and initial weights are permuted alike. */
async function sameRun(setting: Setting): Promise<Check> {
  const { device, signal } = setting;
  const { train, validation } = await images(1000, "rotated", 9, setting);
  const d = input.height * input.width;
  const permutation = scramblePermutation(9, d);
  const scrambled = { ...train, x: train.x.slice() };
  scramble(scrambled.x, permutation);
  const models = [0, 1].map(() => makeModel("lconv", input, device, { ...options, seed: 9 }));
  permuteWeights(models[1], permutation);
  try {
    const losses: number[][] = [];
    for (const [k, data] of [train, scrambled].entries()) {
      const run = { device, epochs: 6, batch: BATCH, seed: 9, optimizer: "sgd" as const, lr: 0.02, ...defined({ signal }) };
      losses.push((await fit(models[k], { train: data, validation }, run)).history.map(({ loss }) => loss));
    }
    return atMost(
      "relative error of the losses of a run with pixels and weights permuted alike",
      relativeError(losses[1], losses[0]),
      1e-5,
    );
  } finally {
    for (const model of models) model.dispose();
  }
}

/** U_i[mu, :], V_i[:, mu] and the head's weights of position mu become those of position permutation[mu], as the pixels did. */
function permuteWeights(model: Classifier, permutation: Int32Array): void {
  const { U, V } = (model.lconvLayers()[0] as LConv).generators as { U: Tensor; V: Tensor };
  const d = permutation.length;
  const permute = (t: Tensor, row: (mu: number) => number): void => {
    const data = t.dataSync() as Float32Array;
    t.set(Float32Array.from(data, (_, k) => data[row(k)]));
  };
  const d_h = U.shape[2];
  permute(V, (k) => k - (k % d) + permutation[k % d]);
  permute(U, (k) => (Math.floor(k / (d * d_h)) * d + permutation[Math.floor(k / d_h) % d]) * d_h + (k % d_h));
  const { W } = model.head; // [m d, classes]
  const classes = W.shape[1];
  permute(W, (k) => {
    const at = Math.floor(k / classes);
    return (at - (at % d) + permutation[at % d]) * classes + (k % classes);
  });
}
