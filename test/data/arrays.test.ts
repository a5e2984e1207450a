import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readArrays } from "../../src/data/arrays.js";
import { type ArrayToWrite, writeNpy } from "../../src/io/npy.js";
import { encodeNpz } from "../../src/io/npz.js";
import { fails, survives, temporaryFile, temporaryFolder } from "../io/helpers.js";

const test = suite("data/arrays");

const x: ArrayToWrite = { shape: [3, 2, 2], data: Float32Array.from({ length: 12 }, (_, i) => i / 4) };
const labels: ArrayToWrite = { shape: [3], data: BigInt64Array.of(0n, 4n, 1n) };

function npz(arrays: Record<string, ArrayToWrite>): string {
  return temporaryFile("mine.npz", encodeNpz(Object.entries(arrays)));
}

function folderOf(arrays: Record<string, ArrayToWrite>): string {
  const folder = temporaryFolder();
  for (const [name, array] of Object.entries(arrays)) writeNpy(join(folder, `${name}.npy`), array);
  return folder;
}

for (const [kind, place] of [
  ["a folder of .npy files", folderOf],
  [".npz", npz],
] as const) {
  test(`reads ${kind}`, () => {
    const path = place({ x, labels });
    const { train, test: held, source } = readArrays(path);
    assert.is(source, path);
    assert.is(held, undefined);
    assert.equal([train.count, train.channels, train.height, train.width, train.classes], [3, 1, 2, 2, 5]);
    assert.equal(train.pixels, x.data);
    assert.equal(train.labels, Int32Array.of(0, 4, 1));
  });

  test(`reads a test set from ${kind}; classes are those of both`, () => {
    const { train, test: held } = readArrays(place({ x, labels, x_test: x, labels_test: { shape: [3, 1], data: Uint8Array.of(1, 7, 0) } }));
    assert.equal([train.classes, held?.classes], [8, 8]);
    assert.equal(held?.labels, Int32Array.of(1, 7, 0));
  });
}

test("Keras' names, bytes kept as bytes, other numbers as float32", () => {
  const keras = readArrays(
    npz({ x_train: { shape: [2, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 255) }, y_train: { shape: [2], data: Uint8Array.of(0, 1) } }),
  );
  assert.equal(keras.train.pixels, Uint8Array.of(1, 2, 3, 4, 5, 255));
  const wide = readArrays(
    npz({ x: { shape: [2, 3], data: Float64Array.of(1, 2, 3, 4, 5, 6) }, labels: { shape: [2], data: Float32Array.of(0, 1) } }),
  );
  assert.equal(wide.train.pixels, Float32Array.of(1, 2, 3, 4, 5, 6));
  assert.equal([wide.train.height, wide.train.width], [1, 3]);
  const channels = readArrays(npz({ x: { shape: [1, 3, 2, 1], data: new Int16Array(6) }, labels: { shape: [1], data: Int8Array.of(0) } }));
  assert.equal([channels.train.channels, channels.train.height, channels.train.width], [3, 2, 1]);
});

test("arrays that are not asked for are not read", () => {
  const bytes = encodeNpz(Object.entries({ images: { shape: [50], data: new Float64Array(50) }, x, labels }));
  bytes[200] ^= 1; // in the data of "images", for which "x" stands
  assert.equal(readArrays(temporaryFile("mine.npz", bytes)).train.pixels, x.data);
});

test("refuses what cannot be trained on", async () => {
  const floats = (values: number[], shape: number[]): ArrayToWrite => ({ shape, data: Float32Array.from(values) });
  await fails(() => readArrays(npz({ x })), "ERR_LCONV_DATA", /mine\.npz: expected arrays named "x" and "labels", "labels" is missing/);
  await fails(() => readArrays(npz({ labels })), "ERR_LCONV_DATA", /"x" is missing/);
  await fails(() => readArrays(npz({ x, labels, x_test: x })), "ERR_LCONV_DATA", /only come together/);
  await fails(
    () => readArrays(npz({ x, labels: { ...labels, shape: [3, 1, 1] } })),
    "ERR_LCONV_SHAPE",
    /x \[3, 2, 2\] needs labels \[3\], got \[3, 1, 1\]/,
  );
  await fails(() => readArrays(npz({ x: floats([1, 2], [2]), labels })), "ERR_LCONV_SHAPE", /expected x as/);
  await fails(() => readArrays(npz({ x: { shape: [1, 8, 8, 3], data: new Uint8Array(192) }, labels })), "ERR_LCONV_SHAPE", /channels-last/);
  await fails(() => readArrays(npz({ x, labels: floats([0, 1.5, 1], [3]) })), "ERR_LCONV_DATA", /sample 1 has label 1\.5/);
  await fails(() => readArrays(npz({ x, labels: floats([0, 1, -1], [3]) })), "ERR_LCONV_DATA", /sample 2 has label -1/);
  await fails(
    () => readArrays(npz({ x, labels: { shape: [3], data: BigInt64Array.of(0n, 2n ** 40n, 0n) } })),
    "ERR_LCONV_DATA",
    /sample 1 has label 1099511627776, expected a whole number from 0 to 1048575/,
  );
  await fails(() => readArrays(npz({ x: floats([], [0, 2, 2]), labels: floats([], [0]) })), "ERR_LCONV_DATA", /at least one sample/);
  await fails(
    () => readArrays(npz({ x: floats([0, 1, 2, Number.NaN], [2, 2]), labels: floats([0, 1], [2]) })),
    "ERR_LCONV_DATA",
    /sample 1 has a pixel that is NaN \(position 1\)/,
  );
  await fails(
    () => readArrays(npz({ x, labels, x_test: floats([1, 2, 3], [1, 1, 3]), labels_test: floats([0], [1]) })),
    "ERR_LCONV_SHAPE",
    /\[1, 2, 2\], those of x_test \[1, 1, 3\]/,
  );
  await fails(() => readArrays(join(temporaryFolder(), "none.npz")), "ERR_LCONV_IO", /no such file/);
  await fails(() => readArrays(temporaryFile("x.npz", "hello")), "ERR_LCONV_FORMAT", /not a ZIP archive/);
});

test("damaged files either decode or throw an LconvError", async () => {
  const path = folderOf({ x, labels });
  const bytes = encodeNpz(
    [
      ["x", x],
      ["labels", labels],
    ],
    true,
  );
  await survives(bytes, (damaged) => readArrays(temporaryFile("x.npz", damaged)), 200);
  writeFileSync(join(path, "labels.npy"), "");
  await fails(() => readArrays(path), "ERR_LCONV_FORMAT", /labels\.npy/);
});

test.run();
