// also on a GPU
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { type Classifier, type ModelName, makeModel } from "../../src/models/models.js";
import { parametersOf } from "../../src/ops/generators.js";
import { type Regularize, regularization, regularizers } from "../../src/symmetry/regularize.js";
import { scope } from "../../src/tensor/scope.js";
import type { TrainEvent } from "../../src/train/events.js";
import { fit } from "../../src/train/fit.js";
import type { FitOptions } from "../../src/train/options.js";
import { assertNear } from "../support/gradcheck.js";
import { rejectsCode } from "../support/throws.js";
import { tinyData, tinyModel } from "./tiny.js";

const test = suite("train/regularize");
const data = { train: tinyData(160) };
const settings: FitOptions = { epochs: 3, batch: 16, optimizer: "adam", lr: 0.01, seed: 3 };

const weights = (model: Classifier): string =>
  JSON.stringify([...model.namedParameters().values()].map((t) => Buffer.from(t.dataSync().buffer).toString("hex")));
const closures = (model: Classifier): number[] =>
  scope(() => model.lconvLayers().map(({ generators }) => regularizers.closure(generators).item()));

async function trained(options: FitOptions, of = tinyModel()): Promise<string> {
  await fit(of, data, { ...settings, ...options });
  const out = weights(of);
  of.dispose();
  return out;
}

test("weights of 0 are as none, bit for bit", async () => {
  const off = await trained({});
  assert.is(await trained({ regularize: {} }), off);
  assert.is(await trained({ regularize: { closure: 0, norm: 0 } }), off);
  assert.is.not(await trained({ regularize: { closure: 0.1 } }), off);
});

test("one step of sgd moves U and V by the gradient of every layer's penalty besides, and the loss is told without it", async () => {
  const regularize: Regularize = { closure: 0.5, killing: 0.25, orthogonality: 0.25, norm: 1e-3 };
  const [model, plain] = [tinyModel(1, { layers: 2 }), tinyModel(1, { layers: 2 })];
  const layers = model.lconvLayers().map(({ generators }) => generators);
  const wanted = scope(() => layers.map((g) => gradients(regularization(g, regularize), parametersOf(g)).map((t) => t.dataSync())));
  const options: FitOptions = { epochs: 1, batch: data.train.count, optimizer: "sgd", lr: 0.125 };
  const [with_, without] = [await fit(model, data, { ...options, regularize }), await fit(plain, data, options)];
  assert.is(with_.history[0].loss, without.history[0].loss);
  layers.forEach((g, i) => {
    const others = parametersOf(plain.lconvLayers()[i].generators);
    parametersOf(g).forEach((t, k) => {
      const [moved, before] = [t.dataSync(), others[k].dataSync()];
      assertNear(`layer ${i}`, { data: Array.from(moved, (x, at) => (before[at] - x) / 0.125) }, { data: wanted[i][k] }, 1e-4);
    });
  });
  for (const m of [model, plain]) m.dispose();
});

test("closure falls when it is asked for", async () => {
  const [start, plain, closed] = [tinyModel(), tinyModel(), tinyModel()];
  await fit(plain, data, { ...settings, epochs: 20 });
  const { trainAccuracy } = await fit(closed, data, { ...settings, epochs: 20, regularize: { closure: 1 } });
  const [[first], [without], [got]] = [start, plain, closed].map(closures);
  assert.ok(got < 0.1 * first && got < 0.1 * without, `${got}, from ${first}; ${without} without`);
  assert.ok((trainAccuracy ?? 0) > 0.9, `accuracy ${trainAccuracy}`);
  for (const m of [start, plain, closed]) m.dispose();
});

test("a stopped run goes on to the same weights, and only with the same regularisers", async () => {
  const dir = mkdtempSync(join(tmpdir(), "lconv-regularize-"));
  const regularize = { closure: 0.1, killing: 0.1 };
  const whole = await trained({ epochs: 12, regularize });
  const options: FitOptions = { ...settings, epochs: 12, regularize, checkpoint: join(dir, "c.safetensors") };
  const controller = new AbortController();
  const onEvent = (event: TrainEvent): void => {
    if (event.type === "epoch" && event.epoch === 5) controller.abort(new Error("enough"));
  };
  const stopped = tinyModel();
  const outcome = await fit(stopped, data, { ...options, signal: controller.signal, onEvent }).catch((error: Error) => error.message);
  assert.is(outcome, "enough");
  const again = (change: FitOptions): Promise<string> => trained({ ...options, resume: true, ...change }, tinyModel(9));
  await rejectsCode(again({ regularize: { closure: 0.1 } }), "ERR_LCONV_CHECKPOINT", "regularize");
  await rejectsCode(again({ regularize: { closure: 0 } }), "ERR_LCONV_CHECKPOINT", "regularize");
  assert.is(await again({ regularize: { killing: 0.1, closure: 0.1, norm: 0 } }), whole);
  stopped.dispose();
  rmSync(dir, { recursive: true });
});

test("misuse: models without trained generators, unknown names, bad weights", async () => {
  const model = tinyModel();
  const input = { channels: 1, height: 6, width: 6, classes: 2 };
  const others = (["lconv-random", "fc"] as ModelName[]).map((name) => makeModel(name, input, device(), { generators: 2, rank: 3 }));
  const before = device().memory().tensors;
  for (const other of others)
    await rejectsCode(
      fit(other, data, { ...settings, regularize: { closure: 1 } }),
      "ERR_LCONV_ARGUMENT",
      "no L-conv layer with trained generators",
    );
  await rejectsCode(
    fit(model, data, { ...settings, regularize: { kiling: 1 } as Regularize }),
    "ERR_LCONV_OPTION",
    'did you mean "killing"?',
  );
  await rejectsCode(fit(model, data, { ...settings, regularize: { killing: -1 } }), "ERR_LCONV_ARGUMENT", "weight of killing", "-1");
  assert.is(device().memory().tensors, before, "nothing is left on the device");
  for (const m of [model, ...others]) m.dispose();
});

test.run();
