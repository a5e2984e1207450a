import { device } from "../../src/engine/device.js";
import { Philox, streams } from "../../src/engine/random.js";
import { type Classifier, type ModelOptions, makeModel } from "../../src/models/models.js";
import type { HostData } from "../../src/train/samples.js";

/** Two classes of 6 x 6 images that differ by which half is brighter; learnable in a few epochs. */
export function tinyData(count: number, seed = 0): HostData & { classes: number } {
  const [height, width] = [6, 6];
  const random = new Philox(seed, streams.user);
  const labels = Int32Array.from(random.uniform(count), (u) => (u < 0.5 ? 0 : 1));
  const x = Float32Array.from(random.normal(count * 36), (noise, i) => {
    const top = i % 36 < 18;
    return 0.8 * noise + (top === (labels[Math.floor(i / 36)] === 0) ? 0.5 : -0.5);
  });
  return { x, labels, count, channels: 1, height, width, classes: 2 };
}

export const tinyModel = (seed = 0, options: ModelOptions = {}): Classifier =>
  makeModel("lconv", { channels: 1, height: 6, width: 6, classes: 2 }, device(), { filters: 4, generators: 2, rank: 3, seed, ...options });
