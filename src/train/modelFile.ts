import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isPermutation } from "../data/transform.js";
import { defined } from "../defined.js";
import { check, clip, LconvError } from "../errors.js";
import { checkFormat, quote } from "../io/files.js";
import { duplicateKey, parseShallow } from "../io/json.js";
import { readSafetensors, writeSafetensors } from "../io/safetensors.js";
import type { InputSize } from "../models/options.js";
import type { Module, WeightsEntry } from "../nn/module.js";
import { commandOf, comparedModels, isPart, resumeCommand, runFiles } from "./runFolder.js";

const MODEL_FORMAT = "lconv-model-1";

/** What a model file says besides its weights. */
export interface ModelInfo {
  /** What the network was built with, "model" and the options of makeModel, and whatever else decided the run. */
  config: Readonly<Record<string, unknown>>;
  /** The images it takes. */
  input: InputSize & Scaling;
  /** Pixel mu of what the network sees is pixel permutation[mu] of the image, [d]; without it they are the same. */
  permutation?: Int32Array;
}

/** How pixels become what the network sees. */
export interface Scaling {
  /** x = pixel / scale - 1/2; x = pixel where it is left out. */
  scale?: number | undefined;
}

/** Writes the weights under their names, with what is needed to build the model again. Throws ERR_LCONV_IO. */
export function writeModel(path: string, model: Module, { config, input, permutation }: ModelInfo): void {
  const metadata = defined({ permutation: permutation && JSON.stringify([...permutation]) });
  writeSafetensors(path, model.save(), { format: MODEL_FORMAT, config: JSON.stringify(config), input: JSON.stringify(input), ...metadata });
}

/** A model file with its weights by name. */
export interface ModelFile extends ModelInfo {
  weights: ReadonlyMap<string, WeightsEntry>;
}

/**
 * Reads a file of writeModel. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_CHECKPOINT when it holds something else; whether the numbers in it fit
 * together is left to those who build the model.
 */
export function readModel(path: string): ModelFile {
  const { tensors, metadata } = readSafetensors(path);
  const { format } = metadata;
  check(
    format === MODEL_FORMAT,
    "ERR_LCONV_CHECKPOINT",
    () => `${path}: expected a model of format ${MODEL_FORMAT}, got ${format === undefined ? "none" : clip(format)}`,
  );
  const part = (name: string): unknown => parsePart(path, name, metadata[name]);
  const permutation = metadata["permutation"] === undefined ? undefined : permutationOf(path, part("permutation"));
  const [config, input] = [part("config"), part("input")] as [ModelInfo["config"], ModelInfo["input"]];
  for (const [name, value] of Object.entries({ config, input }))
    checkFormat(isObject(value), path, () => `its ${name} should be a JSON object, got ${quote(value)}`);
  return { config, input, weights: tensors, ...defined({ permutation }) };
}

function parsePart(path: string, name: string, text = "null"): unknown {
  try {
    const twice = duplicateKey(text);
    checkFormat(twice === undefined, path, () => `its ${name} holds the key ${quote(twice)} twice`);
    return parseShallow(text);
  } catch (error) {
    if (error instanceof LconvError) throw error;
    throw new LconvError("ERR_LCONV_FORMAT", `${path}: its ${name} is not JSON: ${clip((error as Error).message)}`, { cause: error });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function permutationOf(path: string, value: unknown): Int32Array {
  const list = Array.isArray(value) ? value : [];
  checkFormat(
    list.length > 0 && isPermutation(list),
    path,
    () => `its permutation should hold each of 0 to d - 1 once, got ${quote(value)}`,
  );
  return Int32Array.from(list);
}

/** Sets the weights of `model` from a file of writeModel. Throws as readModel does, and ERR_LCONV_CHECKPOINT when it is of another model. */
export function loadWeights(path: string, model: Module): void {
  model.load(readModel(path).weights);
}

/**
 * The model file that `path` is, or that the run folder `path` holds. Throws ERR_LCONV_IO when there is nothing, ERR_LCONV_CHECKPOINT for a comparison and
 * for a run that has not ended, with what to do.
 */
export function modelFileIn(path: string): string {
  check(existsSync(path), "ERR_LCONV_IO", () => `cannot read ${path}: no such file or folder`);
  if (!statSync(path).isDirectory()) return path;
  const file = join(path, runFiles.model);
  if (existsSync(file)) return file;
  check(
    existsSync(join(path, runFiles.config)) || isPart(path),
    "ERR_LCONV_IO",
    () => `${path} is no run folder: expected ${runFiles.config} in it`,
  );
  check(
    commandOf(path) === "train",
    "ERR_LCONV_CHECKPOINT",
    () => `${path} holds a comparison; each of its models has a folder of its own, such as ${join(path, comparedModels[0])}`,
  );
  throw new LconvError(
    "ERR_LCONV_CHECKPOINT",
    `${path} holds no trained model (${runFiles.model}); finish the run with: ${resumeCommand(path)}`,
  );
}
