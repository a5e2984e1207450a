import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { check, clip, LconvError, showShape } from "../errors.js";
import { readBytes } from "../io/files.js";
import { parseShallow } from "../io/json.js";
import { decodeNpy, type NpyArray, readNpy } from "../io/npy.js";
import { NpzArchive } from "../io/npz.js";
import { flatten, type Nested, nestedShape } from "../tensor/nested.js";
import { checkRaw, type LoadedDataset, type RawDataset } from "./dataset.js";

/** Labels are below this; the network has an output for each. */
const MOST_CLASSES = 2 ** 20;

/** The names an array may go by, ours first, then those of Keras' .npz files. */
const names = {
  x: ["x", "images", "x_train"],
  labels: ["labels", "y", "y_train"],
  xTest: ["x_test", "images_test"],
  labelsTest: ["labels_test", "y_test"],
};

/**
 * Images and labels of the user's own: an .npz archive, or a folder of .npy files, with `x` and `labels`, and optionally
 * `x_test` and `labels_test`. x: [N, p, q] or [N, m, p, q] or [N, d] (read as one row); labels: whole numbers, [N] or [N, 1].
 * Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_SHAPE, ERR_LCONV_DATA.
 */
export function readArrays(path: string): LoadedDataset {
  const find = openArrays(path);
  const name = basename(path);
  const x = find(names.x);
  const labels = find(names.labels);
  const seen = `${path}: expected arrays named "x" and "labels"`;
  check(x !== undefined && labels !== undefined, "ERR_LCONV_DATA", () => `${seen}, "${x ? "labels" : "x"}" is missing`);
  const train = toRaw(`${name} train`, x, labels);

  const xTest = find(names.xTest);
  const labelsTest = find(names.labelsTest);
  check(
    (xTest === undefined) === (labelsTest === undefined),
    "ERR_LCONV_DATA",
    () => `${path}: "x_test" and "labels_test" only come together, one is missing`,
  );
  const test = xTest && labelsTest ? toRaw(`${name} test`, xTest, labelsTest) : undefined;

  train.classes = Math.max(train.classes, test?.classes ?? 0);
  checkRaw(train);
  if (!test) return { train, source: path };
  test.classes = train.classes;
  checkRaw(test);
  const [a, b] = [train, test].map(({ channels, height, width }) => showShape([channels, height, width]));
  check(a === b, "ERR_LCONV_SHAPE", () => `${path}: the images of x are ${a}, those of x_test ${b}`);
  return { train, test, source: path };
}

/** An .npz archive or a folder of .npy files: reads an array by the first name that is there, and no other. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export function openArrays(path: string): (candidates: readonly string[]) => NpyArray | undefined {
  if (!existsSync(path)) throw new LconvError("ERR_LCONV_IO", `cannot read ${path}: no such file or folder`);
  if (statSync(path).isDirectory()) {
    return (candidates) => {
      const name = candidates.find((candidate) => existsSync(join(path, `${candidate}.npy`)));
      return name === undefined ? undefined : readNpy(join(path, `${name}.npy`));
    };
  }
  const archive = NpzArchive.open(path);
  return (candidates) => archive.get(candidates.find((candidate) => archive.has(candidate)) ?? "");
}

/** Images without labels. */
export interface Images {
  /** [N, m, p, q] or another shape of N samples, or that of one. */
  shape: readonly number[];
  /** Row-major. */
  data: Uint8Array | Float32Array;
}

/** The images in a .npy file, or under the name "x" or "images" in an .npz archive or a folder of .npy files. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_DATA. */
export function readImages(path: string): Images {
  return existsSync(path) && statSync(path).isFile() ? decodeImages(readBytes(path), path) : imagesOf(openArrays(path)(names.x), path);
}

/** The same from bytes: of a .npy file, an .npz archive, or JSON with nested arrays of numbers. `where` names them in errors. */
export function decodeImages(bytes: Uint8Array, where: string): Images {
  check(bytes.length > 0, "ERR_LCONV_DATA", () => `${where}: expected images as .npz, .npy or JSON, got nothing`);
  const mark = bytes[0] === 0xef ? 3 : 0; // a byte order mark, which may stand before JSON, as white space may
  const first = bytes.subarray(mark).find((byte) => byte > 0x20) ?? 0;
  switch (String.fromCharCode(first)) {
    case "P": {
      const archive = new NpzArchive(bytes, where);
      return imagesOf(archive.get(names.x.find((name) => archive.has(name)) ?? ""), where);
    }
    case "[":
      return imagesInJson(new TextDecoder().decode(bytes), where);
    default:
      return imagesOf(decodeNpy(bytes, where), where);
  }
}

function imagesOf(array: NpyArray | undefined, where: string): Images {
  check(
    array !== undefined,
    "ERR_LCONV_DATA",
    () => `${where}: expected images in an array named ${names.x.map((name) => `"${name}"`).join(" or ")}`,
  );
  return { shape: array.shape, data: toPixels(array) };
}

function imagesInJson(text: string, where: string): Images {
  try {
    const values = parseShallow(text) as Nested;
    return { shape: nestedShape(values), data: Float32Array.from(flatten(where, values)) };
  } catch (cause) {
    if (cause instanceof LconvError) throw cause;
    throw new LconvError("ERR_LCONV_FORMAT", `${where}: expected nested arrays of numbers as JSON: ${clip((cause as Error).message)}`, {
      cause,
    });
  }
}

function toRaw(name: string, x: NpyArray, labels: NpyArray): RawDataset {
  const [count, channels, height, width] = imageShape(name, x.shape);
  const flat = labels.shape.length === 1 || (labels.shape.length === 2 && labels.shape[1] === 1);
  check(
    flat && labels.shape[0] === count,
    "ERR_LCONV_SHAPE",
    () => `${name}: x ${showShape(x.shape)} needs labels [${count}], got ${showShape(labels.shape)}`,
  );
  const values = wholeLabels(name, labels);
  const classes = values.reduce((most, label) => Math.max(most, label + 1), 1);
  return { name, pixels: toPixels(x), labels: values, count, channels, height, width, classes };
}

function imageShape(name: string, shape: readonly number[]): [number, number, number, number] {
  if (shape.length === 2) return [shape[0], 1, 1, shape[1]];
  if (shape.length === 3) return [shape[0], 1, shape[1], shape[2]];
  check(shape.length === 4, "ERR_LCONV_SHAPE", () => `${name}: expected x as [N, m, p, q], [N, p, q] or [N, d], got ${showShape(shape)}`);
  const [count, channels, height, width] = shape;
  const channelsLast = channels === height && width <= 4 && channels > 4;
  check(
    !channelsLast,
    "ERR_LCONV_SHAPE",
    () => `${name}: x ${showShape(shape)} looks channels-last; write it as [N, m, p, q], e.g. x.transpose(0, 3, 1, 2)`,
  );
  return [count, channels, height, width];
}

function toPixels({ dtype, data }: NpyArray): Uint8Array | Float32Array {
  if (dtype === "u1" && data instanceof Uint8Array) return data;
  if (data instanceof Float32Array) return data;
  return data instanceof BigInt64Array ? Float32Array.from(data, Number) : new Float32Array(data);
}

function wholeLabels(name: string, { data }: NpyArray): Int32Array {
  const labels = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const label = Number(data[i]);
    const sound = Number.isInteger(label) && label >= 0 && label < MOST_CLASSES;
    const expected = `expected a whole number from 0 to ${MOST_CLASSES - 1}`;
    check(sound, "ERR_LCONV_DATA", () => `${name}: sample ${i} has label ${data[i]}, ${expected}`);
    labels[i] = label;
  }
  return labels;
}
