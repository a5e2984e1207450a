// models: a step or two of training of every model on a few images; and of both ways of pooling; prints the weights of each by its name, as one JSON object.
import { device } from "../../../src/engine/device.js";
import { makeModel, modelNames } from "../../../src/models/models.js";
import { fit } from "../../../src/train/fit.js";
import { tinyData } from "../../train/tiny.js";

const weights: Record<string, number[]> = {};
const pooled = (["max", "strided"] as const).map((pool) => ({ name: "lconv", pool }) as const);
for (const { name, ...pooling } of [...modelNames.map((name) => ({ name })), ...pooled]) {
  const train = tinyData(16);
  const model = makeModel(name, train, device(), { filters: 3, generators: 2, rank: 2, ...pooling });
  await fit(model, { train }, { epochs: 2, batch: 8, optimizer: "sgd", lr: 0.05, device: device() });
  weights[Object.values({ name, ...pooling }).join(" ")] = model.parameters().flatMap((parameter) => [...parameter.dataSync()]);
  model.dispose();
}
process.stdout.write(JSON.stringify(weights));
