import { existsSync } from "node:fs";
import { join } from "node:path";
import { check, LconvError } from "../errors.js";
import { ByteReader } from "../io/byteReader.js";
import type { DatasetFiles, RawDataset } from "./dataset.js";

/** How one of the two CIFAR sets is stored: records of label bytes and 3 x 32 x 32 pixels, channels first. */
export interface CifarLayout {
  classes: number;
  labelBytes: number; // the last one is the (fine) label
  train: readonly string[];
  test: string;
  trainRecords: number; // in each training file
  testRecords: number;
}

export const cifar10: CifarLayout = {
  classes: 10,
  labelBytes: 1,
  train: [1, 2, 3, 4, 5].map((k) => `data_batch_${k}.bin`),
  test: "test_batch.bin",
  trainRecords: 10_000,
  testRecords: 10_000,
};

export const cifar100: CifarLayout = {
  classes: 100,
  labelBytes: 2,
  train: ["train.bin"],
  test: "test.bin",
  trainRecords: 50_000,
  testRecords: 10_000,
};

const PIXELS = 3 * 32 * 32;

/** Bytes of all files of a set. */
export const cifarBytes = ({ labelBytes, train, trainRecords, testRecords }: CifarLayout): number =>
  (train.length * trainRecords + testRecords) * (labelBytes + PIXELS);

/** Whether `folder` holds the files to train on. */
export const isCifarIn = (folder: string, { train }: CifarLayout): boolean => train.every((file) => findFile(folder, file) !== undefined);

/**
 * The training images of `folder`, in file order, and the official test images where there are any. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT (not exactly
 * the official length), ERR_LCONV_DATA (labels).
 */
export async function readCifar(folder: string, name: string, layout: CifarLayout): Promise<DatasetFiles> {
  const paths = layout.train.map((file) => {
    const path = findFile(folder, file);
    if (path) return path;
    throw new LconvError("ERR_LCONV_IO", `cannot read ${join(folder, file)}: neither it nor ${file}.gz is there`);
  });
  const train = await readFiles(paths, layout.trainRecords, layout, `${name} train`);
  const testPath = findFile(folder, layout.test);
  if (!testPath) return { train };
  return { train, test: await readFiles([testPath], layout.testRecords, layout, `${name} test`) };
}

const findFile = (folder: string, file: string): string | undefined =>
  [join(folder, file), join(folder, `${file}.gz`)].find((path) => existsSync(path));

async function readFiles(
  paths: readonly string[],
  records: number,
  { labelBytes, classes }: CifarLayout,
  name: string,
): Promise<RawDataset> {
  const count = records * paths.length;
  const pixels = new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  for (const [i, path] of paths.entries()) {
    const first = i * records;
    await ByteReader.readAll(path, (reader) =>
      readRecords(reader, records, labelBytes, pixels.subarray(first * PIXELS), labels.subarray(first)),
    );
    const bad = labels.subarray(first, first + records).findIndex((label) => label >= classes);
    check(bad < 0, "ERR_LCONV_DATA", () => `${path}: sample ${bad} has label ${labels[first + bad]}, expected 0 to ${classes - 1}`);
  }
  return { name, pixels, labels, count, channels: 3, height: 32, width: 32, classes };
}

/** A thousand records at a time: few awaits, and no second copy of the file. */
async function readRecords(reader: ByteReader, records: number, labelBytes: number, pixels: Uint8Array, labels: Int32Array): Promise<void> {
  const recordSize = labelBytes + PIXELS;
  for (let done = 0; done < records; ) {
    const count = Math.min(1000, records - done);
    const block = await reader.read(count * recordSize, `records ${done} to ${done + count - 1} of ${records}`);
    for (let i = 0; i < count; i++, done++) {
      labels[done] = block[i * recordSize + labelBytes - 1];
      pixels.set(block.subarray(i * recordSize + labelBytes, (i + 1) * recordSize), done * PIXELS);
    }
  }
}
