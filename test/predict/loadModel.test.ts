import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { scramblePermutation } from "../../src/data/transform.js";
import { Device, device } from "../../src/engine/device.js";
import type { ErrorCode } from "../../src/errors.js";
import { readSafetensors, type TensorToWrite, writeSafetensors } from "../../src/io/safetensors.js";
import { makeModel, modelNames } from "../../src/models/models.js";
import { loadModel, Predictor, saveModel } from "../../src/predict/index.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("predict/loadModel");

const folder = mkdtempSync(join(tmpdir(), "lconv-load-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const input = { channels: 1, height: 6, width: 5, classes: 4 };
const pixels = Uint8Array.from({ length: 7 * 30 }, (_, i) => (i * 2654435761) >>> 24);
const options = { generators: 2, rank: 3, filters: 3, kernel: 2, seed: 9 };
const network = (name: (typeof modelNames)[number] = "lconv") => makeModel(name, input, device("cpu"), options);

for (const name of modelNames)
  test(`${name}: what saveModel wrote predicts as the network did, from one file`, async () => {
    const path = join(folder, `${name}.safetensors`);
    const permutation = scramblePermutation(1, 30);
    const preparation = { scale: 255, permutation };
    const model = network(name);
    saveModel(path, model, { ...preparation, train: "more than is needed" } as typeof preparation);
    using before = new Predictor(model, { input, ...preparation });
    using after = await loadModel(path, { device: device("cpu") });
    assert.equal(after.input, input);
    assert.is(after.network.name, name);
    assert.equal([...after.network.save()], [...model.save()]);
    assert.equal((await after.predict(pixels)).probabilities, (await before.predict(pixels)).probabilities);
  });

test("without a scale raw samples stay as they are", async () => {
  const path = join(folder, "raw.safetensors");
  const model = network();
  saveModel(path, model);
  using before = new Predictor(model, { input });
  using after = await loadModel(path, { device: "cpu", threads: 1, batch: 2 });
  const x = Float32Array.from(pixels, (byte) => byte / 100 - 1);
  const [a, b] = [await after.predict(x), await before.predict(x)];
  a.probabilities.forEach((p, i) => {
    assert.ok(Math.abs(p - b.probabilities[i]) < 1e-6);
  });
});

/** A file of saveModel with other metadata or tensors. */
function changed(name: string, change: (metadata: Record<string, string>, tensors: Map<string, TensorToWrite>) => void): string {
  const path = join(folder, `${name}.safetensors`);
  saveModel(path, network(), { scale: 255, permutation: scramblePermutation(1, 30) });
  const { tensors, metadata } = readSafetensors(path);
  change(metadata, tensors);
  writeSafetensors(path, tensors, metadata);
  return path;
}

const edited = (key: "config" | "input", fields: object) => (metadata: Record<string, string>) => {
  metadata[key] = JSON.stringify({ ...(JSON.parse(metadata[key]) as object), ...fields });
};

test("a file of lconv train has its permutation by the seed where it does not state it", async () => {
  const stated = await loadModel(
    changed("stated", () => {}),
    { device: "cpu" },
  );
  const derived = await loadModel(
    changed("derived", (metadata) => {
      delete metadata["permutation"];
      edited("config", { variant: "rotated-scrambled", seed: 1 })(metadata);
    }),
    { device: "cpu" },
  );
  assert.equal((await derived.predict(pixels)).probabilities, (await stated.predict(pixels)).probabilities);
  for (const model of [stated, derived]) model.dispose();
});

const broken: [string, Parameters<typeof changed>[1], ErrorCode, string][] = [
  ["another format", (metadata) => void (metadata["format"] = "pt"), "ERR_LCONV_CHECKPOINT", "expected a model of format lconv-model-1"],
  ["no configuration", (metadata) => void delete metadata["config"], "ERR_LCONV_FORMAT", "config should be a JSON object, got null"],
  ["broken JSON", (metadata) => void (metadata["input"] = "{"), "ERR_LCONV_FORMAT", "its input is not JSON"],
  ["a key twice", (metadata) => void (metadata["input"] = '{"height":1,"height":2}'), "ERR_LCONV_FORMAT", 'the key "height" twice'],
  ["a list", (metadata) => void (metadata["config"] = "[1]"), "ERR_LCONV_FORMAT", "config should be a JSON object"],
  ["an unknown model", edited("config", { model: "vit" }), "ERR_LCONV_CHECKPOINT", "describes no network that can be built"],
  ["a model that is an object", edited("config", { model: { toString: 1 } }), "ERR_LCONV_CHECKPOINT", "describes no network"],
  ["an order that is an object", edited("config", { order: { toString: 5 } }), "ERR_LCONV_CHECKPOINT", "describes no network"],
  ["a precision that is none", edited("config", { precision: "fp8" }), "ERR_LCONV_FORMAT", "its precision should be one of"],
  [
    "scrambled images and no seed",
    (metadata) => {
      delete metadata["permutation"];
      edited("config", { variant: "rotated-scrambled", seed: undefined })(metadata);
    },
    "ERR_LCONV_FORMAT",
    "by a seed",
  ],
  ["no model", edited("config", { model: undefined }), "ERR_LCONV_CHECKPOINT", "describes no network"],
  ["an option of another type", edited("config", { rank: "3" }), "ERR_LCONV_CHECKPOINT", "rank (d_h) must be an integer"],
  ["another rank", edited("config", { rank: 4 }), "ERR_LCONV_CHECKPOINT", "weights, and there are"],
  ["a height that is none", edited("input", { height: 2.5 }), "ERR_LCONV_CHECKPOINT", "height must be an integer"],
  ["more classes than memory", edited("input", { classes: 2 ** 31 - 1 }), "ERR_LCONV_CHECKPOINT", "weights, and there are"],
  ["larger images than memory", edited("input", { height: 2 ** 20, width: 2 ** 20 }), "ERR_LCONV_CHECKPOINT", "weights, and there are"],
  ["a scale of 0", edited("input", { scale: 0 }), "ERR_LCONV_FORMAT", "its scale should be a positive number, got 0"],
  ["a scale that is text", edited("input", { scale: "255" }), "ERR_LCONV_FORMAT", "its scale should be"],
  ["a permutation that repeats", (metadata) => void (metadata["permutation"] = "[0,0]"), "ERR_LCONV_FORMAT", "each of 0 to d - 1 once"],
  ["a permutation of fewer pixels", (metadata) => void (metadata["permutation"] = "[1,0]"), "ERR_LCONV_FORMAT", "has 2 pixels, not 30"],
  [
    "a weight of another name",
    (_, tensors) => {
      tensors.set("head.Z", tensors.get("0.b") as TensorToWrite);
      tensors.delete("0.b");
    },
    "ERR_LCONV_CHECKPOINT",
    '"0.b"',
  ],
];
for (const [name, change, code, text] of broken)
  test(`refuses a file with ${name}, and frees what it made`, async () => {
    const path = changed("broken", change);
    const own = new Device("cpu", 1);
    await rejectsCode(loadModel(path, { device: own }), code, text);
    assert.is(own.memory().tensors, 0);
    own.dispose();
  });

test("what is no model says what to do", async () => {
  const load = (path: string) => loadModel(join(folder, path), { device: "cpu" });
  await rejectsCode(load("nothing"), "ERR_LCONV_IO", "no such file or folder");
  mkdirSync(join(folder, "empty"));
  await rejectsCode(load("empty"), "ERR_LCONV_IO", "is no run folder");
  mkdirSync(join(folder, "begun"));
  writeFileSync(join(folder, "begun/config.json"), "{}");
  await rejectsCode(load("begun"), "ERR_LCONV_CHECKPOINT", "lconv train --resume");
  mkdirSync(join(folder, "both"));
  writeFileSync(join(folder, "both/config.json"), '{"command":"compare"}');
  await rejectsCode(load("both"), "ERR_LCONV_CHECKPOINT", "both/lconv");
  mkdirSync(join(folder, "both/cnn"));
  await rejectsCode(load("both/cnn"), "ERR_LCONV_CHECKPOINT", "lconv compare --resume");
  writeFileSync(join(folder, "text.safetensors"), "no weights");
  await rejectsCode(load("text.safetensors"), "ERR_LCONV_FORMAT", "text.safetensors");
  await rejectsCode(loadModel(undefined as unknown as string), "ERR_LCONV_ARGUMENT", "path of a run");
  await rejectsCode(loadModel(folder, { devices: 1 } as object), "ERR_LCONV_OPTION", "device");
});

test("saveModel refuses what could not be loaded, and writes nothing", () => {
  const path = join(folder, "refused.safetensors");
  throwsCode(() => saveModel(path, network(), { scale: -1 }), "ERR_LCONV_ARGUMENT", "saveModel: scale");
  throwsCode(() => saveModel(path, network(), { permutation: Int32Array.of(0) }), "ERR_LCONV_ARGUMENT", "each of the 30 pixels");
  throwsCode(() => saveModel(path, {} as ReturnType<typeof network>), "ERR_LCONV_ARGUMENT", "a network of models.makeModel");
  throwsCode(() => readSafetensors(path), "ERR_LCONV_IO");
  throwsCode(() => saveModel(join(folder, "raw.safetensors/in.safetensors"), network()), "ERR_LCONV_IO");
});

test.run();
