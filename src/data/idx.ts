import { existsSync } from "node:fs";
import { join } from "node:path";
import { check, LconvError } from "../errors.js";
import { ByteReader } from "../io/byteReader.js";
import { checkFormat } from "../io/files.js";
import type { DatasetFiles, RawDataset } from "./dataset.js";

export interface IdxImages {
  count: number;
  height: number;
  width: number;
  pixels: Uint8Array; // [count, height, width]
}

const IMAGES = 2051;
const LABELS = 2049;
const LARGEST_SIDE = 1 << 16;

/**
 * Reads an IDX image file, plain or gzip: big-endian magic 2051, count, rows, columns, then a byte a pixel.
 * Throws ERR_LCONV_FORMAT unless the file is exactly that, ERR_LCONV_IO when it cannot be read.
 */
export function readIdxImages(path: string): Promise<IdxImages> {
  return ByteReader.readAll(path, async (reader) => {
    const [count, height, width] = await readHeader(reader, IMAGES, "images", 3);
    const sane = height > 0 && width > 0 && height <= LARGEST_SIDE && width <= LARGEST_SIDE;
    checkFormat(sane, path, () => `its header announces images of ${height} x ${width} pixels, expected 1 to ${LARGEST_SIDE} a side`);
    const pixels = await readBody(reader, count * height * width, 16, "pixels");
    return { count, height, width, pixels };
  });
}

/** Reads an IDX label file: magic 2049, count, then a byte a label. Throws as readIdxImages. */
export function readIdxLabels(path: string): Promise<Uint8Array> {
  return ByteReader.readAll(path, async (reader) => {
    const [count] = await readHeader(reader, LABELS, "labels", 1);
    return readBody(reader, count, 8, "labels");
  });
}

type Prefix = "train" | "t10k";
const imagesFile = (prefix: Prefix): string => `${prefix}-images-idx3-ubyte`;
const labelsFile = (prefix: Prefix): string => `${prefix}-labels-idx1-ubyte`;

/** The files of MNIST and its kin, each plain or as .gz: images and labels to train on, then those to test on. */
export const idxFiles: readonly string[] = (["train", "t10k"] as const).flatMap((prefix) => [imagesFile(prefix), labelsFile(prefix)]);

/** Whether `folder` holds the files to train on. */
export const isIdxIn = (folder: string): boolean =>
  [imagesFile("train"), labelsFile("train")].every((file) => findFile(folder, file) !== undefined);

/**
 * Reads the files of MNIST and its kin in `folder`. Throws as readIdxImages, and ERR_LCONV_DATA for labels beyond `classes` and for zero samples.
 */
export async function readIdx(folder: string, name: string, classes: number): Promise<DatasetFiles> {
  const train = await readSamples(folder, "train", `${name} train`, classes);
  if (!findFile(folder, imagesFile("t10k"))) return { train };
  return { train, test: await readSamples(folder, "t10k", `${name} test`, classes) };
}

async function readSamples(folder: string, prefix: Prefix, name: string, classes: number): Promise<RawDataset> {
  const imagesPath = requiredFile(folder, imagesFile(prefix));
  const labelsPath = requiredFile(folder, labelsFile(prefix));
  const { count, height, width, pixels } = await readIdxImages(imagesPath);
  const labels = await readIdxLabels(labelsPath);
  checkFormat(
    labels.length === count,
    labelsPath,
    () => `expected ${count} labels, one for each image of ${imagesPath}, got ${labels.length}`,
  );
  check(count > 0, "ERR_LCONV_DATA", () => `${imagesPath}: expected at least one sample, got none`);
  const bad = labels.findIndex((label) => label >= classes);
  check(bad < 0, "ERR_LCONV_DATA", () => `${labelsPath}: sample ${bad} has label ${labels[bad]}, expected 0 to ${classes - 1}`);
  return { name, pixels, labels: Int32Array.from(labels), count, channels: 1, height, width, classes };
}

/** The path of an IDX file under any name it goes by, or undefined. Torchvision's and some mirrors' archives write `.idx3`. */
function findFile(folder: string, base: string): string | undefined {
  const names = [base, `${base}.gz`];
  const dotted = base.replace(/-(idx\d)/, ".$1");
  return [...names, dotted, `${dotted}.gz`].map((name) => join(folder, name)).find((path) => existsSync(path));
}

function requiredFile(folder: string, base: string): string {
  const path = findFile(folder, base);
  if (path) return path;
  throw new LconvError("ERR_LCONV_IO", `cannot read ${join(folder, base)}: neither it nor ${base}.gz is there`);
}

async function readHeader(reader: ByteReader, magic: number, what: string, sizes: number): Promise<number[]> {
  const header = await reader.read(4 + 4 * sizes, "IDX header");
  const view = new DataView(header.buffer);
  checkFormat(
    view.getUint32(0) === magic,
    reader.path,
    () => `not an IDX file of ${what}: expected magic ${magic}, got ${view.getUint32(0)}`,
  );
  return Array.from({ length: sizes }, (_, i) => view.getUint32(4 + 4 * i));
}

/** The announced size is held against the file before memory is taken. */
async function readBody(reader: ByteReader, size: number, headerSize: number, what: string): Promise<Uint8Array> {
  checkFormat(
    size + headerSize <= reader.mostBytes,
    reader.path,
    () => `truncated: its header announces ${size} bytes of ${what}, the file cannot hold more than ${reader.mostBytes - headerSize}`,
  );
  return reader.read(size, what);
}
