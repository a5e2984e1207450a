import { setImmediate } from "node:timers/promises";
import { networkCosts } from "../cost/networkCost.js";
import { scramblePermutation } from "../data/transform.js";
import { defined, pick } from "../defined.js";
import { Device, device as deviceOf, type Precision, precisions } from "../engine/device.js";
import { check, checkOptions, LconvError, shown } from "../errors.js";
import { checkFormat, quote } from "../io/files.js";
import { architecture } from "../models/architecture.js";
import { Classifier, type ModelName, makeModel } from "../models/models.js";
import { modelOptionNames } from "../models/options.js";
import { type ModelFile, modelFileIn, readModel, writeModel } from "../train/modelFile.js";
import { checkPreparation, type Preparation } from "./forward.js";
import { Predictor } from "./predictor.js";

/** Options of loadModel. */
export interface LoadModelOptions {
  /** Where the network computes: a device, or its name as for `device()`. Default `device()`. */
  device?: Device | string;
  /** Of a device that is not given as such: as for `device()`. Default: that of the training, and fp32 in place of tf32. */
  precision?: Precision;
  /** Of a device that is not given as such: as for `device()`. */
  threads?: number;
  /** As that of Predictor. */
  batch?: number;
}

/**
 * A trained network, ready to predict raw samples: from the folder of a run of `lconv train`, from its model.safetensors, or from a file of `saveModel`. The file
 * has the weights, the architecture, the scale and the permutation of the pixels; the data set is not needed.
 * Rejects with ERR_LCONV_IO, ERR_LCONV_FORMAT for a damaged file, ERR_LCONV_CHECKPOINT for one that holds no such network and for a run that has not
 * ended, ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT, ERR_LCONV_OOM.
 *
 * @example
 * ```ts
 * import { data, device, loadModel, models, saveModel } from "lconv";
 *
 * const input = { channels: 1, height: 28, width: 28, classes: 10 };
 * saveModel("model.safetensors", models.makeModel("cnn", input, device()), { scale: 255 }); // as it was drawn
 *
 * const model = await loadModel("model.safetensors"); // or a folder of `lconv train`
 * const { classes } = await model.predict(data.glyphs({ test: 5 }).test.pixels);
 * ```
 */
export async function loadModel(path: string, options: LoadModelOptions = {}): Promise<Predictor<Classifier>> {
  checkOptions("loadModel", options, { device: 1, precision: 1, threads: 1, batch: 1 });
  check(typeof path === "string", "ERR_LCONV_ARGUMENT", () => `loadModel: expected the path of a run or a file, got ${shown(path)}`);
  const where = modelFileIn(path);
  const file = readModel(where);
  await setImmediate();
  const network = built(where, file, deviceFor(where, file, options));
  try {
    network.load(file.weights);
    const { scale } = file.input;
    const sound = scale === undefined || (typeof scale === "number" && Math.fround(scale) > 0);
    checkFormat(sound, where, () => `its scale should be a positive number, got ${quote(scale)}`);
    return new Predictor(network, {
      input: network.input,
      ...defined({ scale, permutation: permutationOf(where, file), batch: options.batch }),
    });
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/**
 * Writes a classifier to one .safetensors file, atomically, for `loadModel`. Without a scale raw samples reach the network as they are.
 * Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT, ERR_LCONV_IO.
 *
 * @example
 * ```ts
 * import { data, device, fit, models, saveModel } from "lconv";
 *
 * const prepared = await data.prepare(data.glyphs({ train: 200 }), { variant: "rotated-scrambled" });
 * const model = models.makeModel("lconv", prepared.train, device(), { generators: 2, rank: 4, filters: 4 });
 * await fit(model, prepared, { epochs: 1 });
 * saveModel("digits.safetensors", model, prepared); // with its scale and permutation
 * ```
 */
export function saveModel(path: string, model: Classifier, preparation: Preparation = {}): void {
  check(model instanceof Classifier, "ERR_LCONV_ARGUMENT", () => `saveModel: expected a network of models.makeModel, got ${shown(model)}`);
  const { scale, permutation } = preparation ?? {};
  const { name, options, input } = model;
  checkPreparation("saveModel", input, { scale, permutation });
  writeModel(path, model, { config: { model: name, ...options }, input: { ...input, ...defined({ scale }) }, ...defined({ permutation }) });
}

/** The network that the file describes, with random weights. Nothing is allocated for one whose weights the file does not hold. */
function built(where: string, { config, input, weights }: ModelFile, device: Device): Classifier {
  const options = pick(config as Record<string, never>, modelOptionNames);
  const name = config["model"] as ModelName;
  try {
    const wanted = networkCosts(architecture(name, input, options)).reduce((n, { parameters, frozen }) => n + parameters + frozen, 0);
    const held = [...weights.values()].reduce((n, { data }) => n + data.length, 0);
    check(wanted === held, "ERR_LCONV_CHECKPOINT", () => `it would have ${wanted} weights, and there are ${held}`);
    return makeModel(name, input, device, options);
  } catch (error) {
    if (!(error instanceof LconvError) || error.code === "ERR_LCONV_OOM") throw error;
    throw new LconvError("ERR_LCONV_CHECKPOINT", `${where} describes no network that can be built: ${error.message}`, { cause: error });
  }
}

/** A network that was trained with bf16 products is used with them; tf32, which only GPUs have, is a matter of speed alone. */
function deviceFor(where: string, { config }: ModelFile, { device, precision, threads }: LoadModelOptions): Device {
  const { precision: trained = "fp32" } = config;
  checkFormat(
    (precisions as readonly unknown[]).includes(trained),
    where,
    () => `its precision should be one of ${precisions.join(", ")}, got ${quote(trained)}`,
  );
  if (device instanceof Device) return device;
  return deviceOf(device, defined({ precision: precision ?? (trained === "bf16" ? "bf16" : "fp32"), threads }));
}

/** That of the file; lconv train scrambles by its seed, and files of older versions have nothing else. */
function permutationOf(where: string, { config, input, permutation }: ModelFile): Int32Array | undefined {
  const d = input.height * input.width;
  checkFormat(
    permutation === undefined || permutation.length === d,
    where,
    () => `its permutation has ${permutation?.length} pixels, not ${d}`,
  );
  if (permutation || config["variant"] !== "rotated-scrambled") return permutation;
  const seed = config["seed"] as number;
  checkFormat(Number.isSafeInteger(seed) && seed >= 0, where, () => `it was trained on scrambled images by a seed, got ${quote(seed)}`);
  return scramblePermutation(seed, d);
}
