import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readIdx, readIdxImages, readIdxLabels } from "../../src/data/idx.js";
import { ByteReader } from "../../src/io/byteReader.js";
import { fails, survives, temporaryFile, temporaryFolder } from "../io/helpers.js";
import { idx, pattern, writeIdxSet } from "./fixtures.js";

const test = suite("data/idx");

const images = idx([2051, 3, 4, 5], pattern(60));
const labels = idx([2049, 3], Uint8Array.of(0, 9, 4));

for (const [kind, pack, name] of [
  ["plain", (bytes: Buffer) => bytes, "a"],
  ["gzip", gzipSync, "a.gz"],
] as const) {
  test(`reads images and labels, ${kind}`, async () => {
    assert.equal(await readIdxImages(temporaryFile(name, pack(images))), { count: 3, height: 4, width: 5, pixels: pattern(60) });
    assert.equal(await readIdxLabels(temporaryFile(name, pack(labels))), Uint8Array.of(0, 9, 4));
  });

  const bad: [string, Buffer, RegExp][] = [
    ["a truncated body", images.subarray(0, -1), /truncated: .*60 bytes of pixels/],
    ["an over-long body", Buffer.concat([images, Buffer.of(0)]), /over-long: expected 76 bytes, got more/],
    ["a truncated header", images.subarray(0, 10), /truncated: expected 16 bytes of IDX header.* got 10/],
    ["an empty file", images.subarray(0, 0), /truncated: .*got 0/],
    ["labels for images", labels, /truncated|expected magic 2051, got 2049/],
    ["a wrong magic", idx([2052, 3, 4, 5], pattern(60)), /not an IDX file of images: expected magic 2051, got 2052/],
    [
      "2^40 pixels",
      idx([2051, 2 ** 20, 2 ** 10, 2 ** 10], pattern(60)),
      /truncated: its header announces 1099511627776 bytes of pixels, the file cannot hold more than \d+/,
    ],
    ["sizes beyond counting", idx([2051, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], pattern(60)), /expected 1 to 65536 a side/],
    ["images without pixels", idx([2051, 3, 0, 5], pattern(0)), /images of 0 x 5 pixels/],
  ];
  for (const [what, bytes, message] of bad)
    test(`refuses ${what}, ${kind}`, () => fails(() => readIdxImages(temporaryFile(name, pack(bytes))), "ERR_LCONV_FORMAT", message));

  test(`damaged files either decode or throw an LconvError, ${kind}`, () =>
    survives(pack(images), (bytes) => readIdxImages(temporaryFile(name, bytes)), 300));
}

test("gzip by content, whatever the name", async () => {
  assert.is((await readIdxImages(temporaryFile("plain-name", gzipSync(images)))).count, 3);
  assert.is((await readIdxImages(temporaryFile("a.gz", images))).count, 3);
});

test("damaged gzip is named as such", async () => {
  const zipped = gzipSync(images);
  const flipped = Buffer.from(zipped);
  flipped[zipped.length - 6] ^= 1; // in the CRC
  await fails(() => readIdxImages(temporaryFile("a.gz", flipped)), "ERR_LCONV_FORMAT", /a\.gz: damaged or truncated gzip data/);
  await fails(
    () => readIdxImages(temporaryFile("a.gz", zipped.subarray(0, -4))),
    "ERR_LCONV_FORMAT",
    /a\.gz: damaged or truncated gzip data/,
  );
  await fails(() => readIdxImages(temporaryFile("a.gz", Buffer.concat([zipped, Buffer.from("more")]))), "ERR_LCONV_FORMAT");
  await fails(() => readIdxImages(temporaryFile("a.gz", Buffer.concat([zipped, Buffer.alloc(9)]))), "ERR_LCONV_FORMAT", /9 bytes follow/);
});

test("a gzip bomb stops at the announced size", async () => {
  const bomb = gzipSync(Buffer.concat([images, Buffer.alloc(200_000_000)]));
  const before = process.memoryUsage().arrayBuffers;
  await fails(() => readIdxImages(temporaryFile("a.gz", bomb)), "ERR_LCONV_FORMAT", /over-long/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 20e6);
});

test("no gzip file gives more than 4 GiB", () => {
  const path = temporaryFile("a.gz", gzipSync(images));
  truncateSync(path, 50_000_000);
  const reader = ByteReader.open(path);
  assert.is(reader.mostBytes, 2 ** 32);
  reader.close();
});

test("a data set from plain and from gzip files", async () => {
  for (const gzip of [false, true]) {
    const folder = writeIdxSet(temporaryFolder(), 20, 5, gzip);
    const { train, test: held } = await readIdx(folder, "toy", 10);
    assert.equal([train.name, train.count], ["toy train", 20]);
    assert.equal(
      { ...held, pixels: 0 },
      { name: "toy test", pixels: 0, labels: Int32Array.of(0, 1, 2, 3, 4), count: 5, channels: 1, height: 4, width: 3, classes: 10 },
    );
    assert.equal(held?.pixels, pattern(60, 5));
  }
});

test("labels must fit the images and the classes", async () => {
  const folder = writeIdxSet(temporaryFolder());
  const write = (values: number[]): void =>
    writeFileSync(join(folder, "train-labels-idx1-ubyte"), idx([2049, values.length], Uint8Array.from(values)));
  write([1, 2, 3]);
  await fails(() => readIdx(folder, "toy", 10), "ERR_LCONV_FORMAT", /train-labels.*expected 20 labels.*got 3/);
  write([...Array(19).fill(0), 10]);
  await fails(() => readIdx(folder, "toy", 10), "ERR_LCONV_DATA", /sample 19 has label 10, expected 0 to 9/);
});

test("zero samples, and missing files", async () => {
  await fails(() => readIdx(writeIdxSet(temporaryFolder(), 0), "toy", 10), "ERR_LCONV_DATA", /at least one sample/);
  const folder = temporaryFolder();
  await fails(
    () => readIdx(folder, "toy", 10),
    "ERR_LCONV_IO",
    /train-images-idx3-ubyte: neither it nor train-images-idx3-ubyte\.gz is there/,
  );
  await fails(() => readIdxImages(folder), "ERR_LCONV_IO", /not a file/);
});

test.run();
