// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Classifier } from "../../src/models/models.js";
import { fit } from "../../src/train/fit.js";
import { tinyData, tinyModel } from "./tiny.js";

const test = suite("train/together");

const weights = (model: Classifier): number[] => model.parameters().flatMap((t) => [...t.dataSync()]);

/** Trains a model of its own on data of its own, all decided by `seed`. */
async function trained(seed: number): Promise<{ losses: number[]; weights: number[] }> {
  const model = tinyModel(seed);
  const result = await fit(model, { train: tinyData(160, seed), validation: tinyData(40, seed + 50) }, { epochs: 3, batch: 20, seed });
  const ended = { losses: result.history.map(({ loss }) => loss), weights: weights(model) };
  model.dispose();
  return ended;
}

test("runs at the same time in one process end like runs one after the other, bit for bit", async () => {
  const seeds = [1, 2, 3];
  const alone: Awaited<ReturnType<typeof trained>>[] = [];
  for (const seed of seeds) alone.push(await trained(seed));
  assert.equal(await Promise.all(seeds.map(trained)), alone);
  assert.is.not(String(alone[0].weights), String(alone[1].weights));
});

test.run();
