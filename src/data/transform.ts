import { setImmediate } from "node:timers/promises";
import { defined } from "../defined.js";
import { Philox, streams } from "../engine/random.js";
import { threadCount } from "../engine/threads.js";
import { check, checkInteger, checkOptions, oneOf } from "../errors.js";
import { checkRaw, type Dataset, type RawDataset } from "./dataset.js";
import { rotate } from "./rotate.js";

/** What is done to the images before training. */
export const variants = ["default", "rotated", "rotated-scrambled"] as const;
/** One of `variants`. */
export type Variant = (typeof variants)[number];

/** Options of prepare; `prepareDefaults` has the defaults. */
export interface PrepareOptions {
  /** What is done to the images before training. */
  variant?: Variant;
  /** Seed of angles, permutation and split. */
  seed?: number;
  /** Order of the spline of the rotation. */
  order?: 1 | 3;
  /** Which samples are held out: the last ones, as the authors do, or randomly drawn ones. */
  split?: "last" | "seeded";
  /** Fraction of the training file for validation, between 0 and 1. */
  holdOut?: number;
  /** Threads of the rotation, 1 to 1024. Default as for `device`. */
  threads?: number;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
}

/** Defaults of `PrepareOptions`: those of the authors, but for the variant. */
export const prepareDefaults = { variant: "default", seed: 0, order: 3, split: "last", holdOut: 0.2 } as const;

/** Samples to train, validate and test on. */
export interface PreparedData {
  /** The training file without what is held out. */
  train: Dataset;
  /** What is held out of the training file. */
  validation: Dataset;
  /** The official test file, if there is one. */
  test?: Dataset;
  /** The largest pixel of the first 100 training images: x = pixel / scale - 1/2. */
  scale: number;
  /** Pixel mu of a scrambled image is pixel permutation[mu] of the rotated one, [d]; undefined unless the images are scrambled. */
  permutation?: Int32Array;
}

/** How the pixels of one file become samples. */
interface Recipe {
  scale: number; // the largest pixel of the first 100 training images
  degrees?: Float64Array; // [N]
  permutation?: Int32Array; // [d]
  order: 1 | 3;
  threads: number;
  signal?: AbortSignal;
}

// Test images have angles of their own, however many training images there are.
const TEST_POSITION = 2 ** 40;
const BLOCK_PIXELS = 2 ** 19; // between two turns of the event loop: 2 MB, some 10 ms to rotate on two cores

/**
 * The authors' recipe: x = pixel / max(first 100 training images) - 1/2; each image turned by an angle ~ U(-90, 90) degrees; one
 * permutation of the d pixels for all images and channels; the last 20 % held out. Everything random depends on the seed alone, so all
 * models of a seed see the same data. The test file has other angles, the same scale and the same permutation.
 * Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT, ERR_LCONV_DATA, ERR_LCONV_SHAPE; the reason of `signal`.
 */
export async function prepare(data: { train: RawDataset; test?: RawDataset }, options: PrepareOptions = {}): Promise<PreparedData> {
  const { variant, seed, order, split, holdOut, threads, signal } = checkedOptions(options);
  const { train, test } = data;
  checkRaw(train);
  if (test) checkPair(train, test);

  const permutation = variant === "rotated-scrambled" ? scramblePermutation(seed, train.height * train.width) : undefined;
  const recipe = (raw: RawDataset, position: number): Recipe => ({
    scale,
    order,
    threads,
    ...defined({ degrees: variant === "default" ? undefined : rotationAngles(seed, raw.count, position), permutation, signal }),
  });
  const scale = pixelScale(train);
  const samples = split === "seeded" ? new Philox(seed, streams.split).permutation(train.count) : undefined;
  const whole = await transform(train, recipe(train, 0), samples);
  const [kept, held] = splitLast(whole, holdOut);
  return {
    train: kept,
    validation: held,
    scale,
    ...defined({ test: test && (await transform(test, recipe(test, TEST_POSITION))), permutation }),
  };
}

/** Angles in degrees, (u - 1/2) 180 with u ~ U[0, 1); the angle of image i does not depend on `count`. */
export const rotationAngles = (seed: number, count: number, position = 0): Float64Array =>
  new Philox(seed, streams.rotation, position).uniform(count).map((u) => (u - 0.5) * 180);

/** The permutation of d pixels by which `prepare` scrambles images with this seed, [d]. */
export const scramblePermutation = (seed: number, d: number): Int32Array => new Philox(seed, streams.scramble).permutation(d);

/** Whether `values` holds each of 0 to n - 1 once, n being its length. */
export function isPermutation(values: ArrayLike<unknown>): boolean {
  const seen = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) if (seen[values[i] as number]++ !== 0) return false; // undefined++ is NaN
  return true;
}

/** Puts pixel permutation[mu] of every plane of x [planes, d] at mu, in place. */
export function scramble(x: Float32Array, permutation: Int32Array): void {
  const d = permutation.length;
  const plane = new Float32Array(d);
  for (let start = 0; start < x.length; start += d) {
    plane.set(x.subarray(start, start + d));
    for (let mu = 0; mu < d; mu++) x[start + mu] = plane[permutation[mu]];
  }
}

/** The largest pixel of the first 100 images. Throws ERR_LCONV_DATA unless it is positive. */
export function pixelScale({ name, pixels, channels, height, width }: RawDataset): number {
  const first = pixels.subarray(0, 100 * channels * height * width);
  let scale = Number.NEGATIVE_INFINITY;
  for (const pixel of first) scale = Math.max(scale, pixel);
  check(
    scale > 0,
    "ERR_LCONV_DATA",
    () => `${name}: the largest pixel of the first 100 images is ${scale}, a positive one is needed to scale by`,
  );
  return scale;
}

/** A block of images at a time, so that they stay in the cache from step to step and the event loop gets its turn. */
async function transform(raw: RawDataset, recipe: Recipe, samples?: Int32Array): Promise<Dataset> {
  const { name, count, channels, height, width, classes } = raw;
  const size = channels * height * width;
  const x = new Float32Array(count * size);
  const degrees = recipe.degrees && gather(recipe.degrees, samples);
  const normalize = normalizer(raw.pixels, recipe.scale);
  const images = Math.max(1, Math.floor(BLOCK_PIXELS / size));
  for (let start = 0; start < count; start += images) {
    const end = Math.min(start + images, count);
    for (let i = start; i < end; i++) normalize((samples ? samples[i] : i) * size, x.subarray(i * size, (i + 1) * size));
    const block = x.subarray(start * size, end * size);
    if (degrees)
      rotate(block, height, width, degrees.subarray(start, end), {
        channels,
        order: recipe.order,
        threads: recipe.threads,
      });
    if (recipe.permutation) scramble(block, recipe.permutation);
    await setImmediate();
    recipe.signal?.throwIfAborted();
  }
  return { name, x, labels: gather(raw.labels, samples), count, channels, height, width, classes };
}

/** Writes pixels from `offset` on as pixel / scale - 1/2; bytes go through a table. */
function normalizer(pixels: Uint8Array | Float32Array, scale: number): (offset: number, out: Float32Array) => void {
  if (pixels instanceof Uint8Array) {
    const table = Float32Array.from({ length: 256 }, (_, byte) => byte / scale - 0.5);
    return (offset, out) => {
      for (let i = 0; i < out.length; i++) out[i] = table[pixels[offset + i]];
    };
  }
  return (offset, out) => {
    for (let i = 0; i < out.length; i++) out[i] = pixels[offset + i] / scale - 0.5;
  };
}

function gather<T extends Int32Array | Float64Array>(values: T, samples: Int32Array | undefined): T {
  const out = values.slice() as T;
  samples?.forEach((sample, i) => {
    out[i] = values[sample];
  });
  return out;
}

/**
 * Splits off the last `fraction` of the samples as Keras' validation_split does, at floor(N (1 - fraction)); both parts are views.
 * Throws ERR_LCONV_DATA if one would be empty.
 */
export function splitLast(data: Dataset, fraction: number): [Dataset, Dataset] {
  const at = Math.floor(data.count * (1 - fraction));
  check(
    at > 0 && at < data.count,
    "ERR_LCONV_DATA",
    () =>
      `${data.name}: holding out ${fraction} of ${data.count} samples leaves ${at} to train on and ${data.count - at} to validate on; each needs one`,
  );
  return [part(data, 0, at, "train"), part(data, at, data.count, "validation")];
}

function part(data: Dataset, start: number, end: number, role: string): Dataset {
  const size = data.channels * data.height * data.width;
  const name = `${data.name.replace(/ train$/, "")} ${role}`;
  return { ...data, name, count: end - start, x: data.x.subarray(start * size, end * size), labels: data.labels.subarray(start, end) };
}

function checkPair(train: RawDataset, test: RawDataset): void {
  checkRaw(test);
  for (const key of ["channels", "height", "width", "classes"] as const) {
    check(train[key] === test[key], "ERR_LCONV_SHAPE", () => `prepare: train and test differ in ${key}: ${train[key]} and ${test[key]}`);
  }
}

function checkedOptions(options: PrepareOptions) {
  checkOptions("prepare", options, { variant: 1, seed: 1, order: 1, split: 1, holdOut: 1, threads: 1, signal: 1 });
  const settled = { ...prepareDefaults, ...defined(options), threads: threadCount(options.threads, "prepare") };
  const { variant, seed, order, split, holdOut } = settled;
  oneOf("prepare", "variant", variant, variants);
  checkInteger("prepare", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
  check(order === 1 || order === 3, "ERR_LCONV_ARGUMENT", () => `prepare: order must be 1 or 3, got ${order}`);
  oneOf("prepare", "split", split, ["last", "seeded"]);
  check(holdOut > 0 && holdOut < 1, "ERR_LCONV_ARGUMENT", () => `prepare: holdOut must be between 0 and 1, got ${holdOut}`);
  return settled;
}
