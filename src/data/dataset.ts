import { check, showShape } from "../errors.js";

/** The layout of images: [N, m, p, q], channels first, row-major; d = p q. */
export interface ImageShape {
  /** Number of samples, N. */
  count: number;
  /** Number of channels, m. */
  channels: number;
  /** Height in pixels, p. */
  height: number;
  /** Width in pixels, q. */
  width: number;
  /** Number of classes. */
  classes: number;
}

/** Images as a file holds them; bytes stay bytes until `prepare` makes float32 of them. */
export interface RawDataset extends ImageShape {
  /** Name for messages. */
  name: string;
  /** [N, m, p, q] */
  pixels: Uint8Array | Float32Array;
  /** [N], from 0 to classes - 1. */
  labels: Int32Array;
}

/** Samples to train on. */
export interface Dataset extends ImageShape {
  /** Name for messages. */
  name: string;
  /** [N, m, d] */
  x: Float32Array;
  /** [N], from 0 to classes - 1. */
  labels: Int32Array;
}

/** The training file, and the official test file where there is one. */
export interface DatasetFiles {
  /** The training file. */
  train: RawDataset;
  /** The official test file, if there is one. */
  test?: RawDataset;
}

/** A data set as loaded. */
export interface LoadedDataset extends DatasetFiles {
  /** Where it is from, for people. */
  source: string;
}

/** Throws ERR_LCONV_DATA or ERR_LCONV_SHAPE unless the data can be trained on: sizes fit, samples exist, pixels are finite, labels in range. */
export function checkRaw(data: RawDataset): void {
  const { name, pixels, labels, count, channels, height, width, classes } = data;
  check(count > 0, "ERR_LCONV_DATA", () => `${name}: expected at least one sample, got none`);
  const sizes = [count, channels, height, width, classes];
  check(
    sizes.every((size) => Number.isSafeInteger(size) && size > 0),
    "ERR_LCONV_SHAPE",
    () => `${name}: expected positive sizes, got pixels ${showShape(sizes.slice(0, 4))} in ${classes} classes`,
  );
  const expected = count * channels * height * width;
  check(
    pixels.length === expected,
    "ERR_LCONV_SHAPE",
    () => `${name}: pixels ${showShape(sizes.slice(0, 4))} need ${expected} values, got ${pixels.length}`,
  );
  check(labels.length === count, "ERR_LCONV_SHAPE", () => `${name}: expected a label for each of ${count} samples, got ${labels.length}`);
  checkLabels(data);
  if (pixels instanceof Float32Array) checkFinite(name, pixels, channels * height * width);
}

function checkLabels({ name, labels, classes }: RawDataset): void {
  const bad = labels.findIndex((label) => label < 0 || label >= classes);
  check(bad < 0, "ERR_LCONV_DATA", () => `${name}: sample ${bad} has label ${labels[bad]}, expected 0 to ${classes - 1}`);
}

/** Throws ERR_LCONV_DATA for a value that is not finite, with its sample. */
export function checkFinite(name: string, pixels: Float32Array, sampleSize: number): void {
  // Not findIndex: a callback for each of 50 million pixels takes a second.
  for (let i = 0; i < pixels.length; i++) {
    if (Number.isFinite(pixels[i])) continue;
    const sample = Math.floor(i / sampleSize);
    check(
      false,
      "ERR_LCONV_DATA",
      () => `${name}: sample ${sample} has a pixel that is ${pixels[i]} (position ${i % sampleSize}); remove or repair it`,
    );
  }
}
