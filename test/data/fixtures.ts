import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { RawDataset } from "../../src/data/dataset.js";

/** An IDX file: the big-endian words of its header, then its bytes. */
export function idx(words: readonly number[], body: Uint8Array): Buffer {
  const header = Buffer.alloc(4 * words.length);
  words.forEach((word, i) => header.writeUInt32BE(word, 4 * i));
  return Buffer.concat([header, body]);
}

/** Bytes that differ from each other and from run to run of a position. */
export const pattern = (size: number, offset = 0): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 31 + offset * 7 + 1) % 251);

/** `folder` with the four files of a small MNIST: N images of 4 x 3 pixels, label i mod 10. */
export function writeIdxSet(folder: string, train = 20, test = 5, gzip = false): string {
  mkdirSync(folder, { recursive: true });
  for (const [prefix, count] of [
    ["train", train],
    ["t10k", test],
  ] as const) {
    const put = (name: string, bytes: Buffer): void =>
      writeFileSync(join(folder, gzip ? `${name}.gz` : name), gzip ? gzipSync(bytes) : bytes);
    put(`${prefix}-images-idx3-ubyte`, idx([2051, count, 4, 3], pattern(count * 12, count)));
    put(
      `${prefix}-labels-idx1-ubyte`,
      idx(
        [2049, count],
        Uint8Array.from({ length: count }, (_, i) => i % 10),
      ),
    );
  }
  return folder;
}

export function rawDataset(count: number, channels = 1, height = 4, width = 3): RawDataset {
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  return { name: "toy train", pixels: pattern(count * channels * height * width), labels, count, channels, height, width, classes: 10 };
}
