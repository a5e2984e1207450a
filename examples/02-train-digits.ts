// Trains an L-conv classifier on drawn digits that were turned and scrambled, without any file.
import { data, device, fit, models } from "../src/index.js";

const digits = data.glyphs({ train: 3000, test: 500, seed: 0 });
const prepared = await data.prepare(digits, { variant: "rotated-scrambled", seed: 0 });
const model = models.makeModel("lconv", prepared.train, device(), { generators: 5, rank: 8, filters: 16, seed: 0 });

const result = await fit(model, prepared, {
  epochs: 5,
  batch: 32,
  onEvent: (event) => {
    if (event.type === "epoch")
      console.log(`epoch ${event.epoch}: loss ${event.loss.toFixed(3)}, validation accuracy ${event.valAccuracy?.toFixed(3)}`);
  },
});
console.log(`test accuracy ${result.testAccuracy?.toFixed(3)}, ${Math.round(result.samplesPerSecond)} samples/s`);
