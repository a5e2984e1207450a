import { cpus } from "node:os";
import type { Dataset } from "../../data/dataset.js";
import type { Classifier } from "../../models/models.js";
import { LConvStrided } from "../../nn/pooling.js";
import type { GeneratorLayer } from "../../report/generators.js";
import type { ModelReport, SampleImages } from "../../report/html.js";
import type { FitResult } from "../../train/fit.js";

const SAMPLES = 10;

/** One trained model as the HTML report shows it. */
export function modelReport(model: Classifier, result: FitResult): ModelReport {
  const { model: name, params, layerParams, history, testAccuracy, seconds, samplesPerSecond } = result;
  return { name, params, layerParams, history, testAccuracy, seconds, samplesPerSecond, generators: generatorLayers(model) };
}

function generatorLayers(model: Classifier): GeneratorLayer[] {
  const pooled = model.hidden.findIndex((layer) => layer instanceof LConvStrided);
  return model.lconvLayers().flatMap((layer, i): GeneratorLayer[] => {
    const { generators, W } = layer;
    if (generators.form !== "lowRank") return [];
    const { U, V } = generators;
    const [count, d, rank] = U.shape;
    const [w, u, v] = [W, U, V].map((t) => t.dataSync() as Float32Array);
    const pixels = pooled < 0 || model.hidden.indexOf(layer) < pooled;
    return [{ name: String(i + 1), count, d, rank, W: w, U: u, V: v, pixels }];
  });
}

/** The first training images, as the networks see them; the report undoes the scrambling by itself. */
export function sampleImages(train: Dataset): SampleImages {
  const { channels, height, width } = train;
  const N = Math.min(SAMPLES, train.count);
  return {
    shape: [N, channels, height, width],
    seen: train.x.slice(0, N * channels * height * width),
    labels: [...train.labels.subarray(0, N)].map(String),
  };
}

/** When and where, for the head of a report. */
export const created = (): string =>
  `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC, ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.versions.node}`;
