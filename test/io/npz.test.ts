import { join } from "node:path";
import { zipSync } from "fflate";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ArrayToWrite, encodeNpy } from "../../src/io/npy.js";
import { decodeNpz, encodeNpz, readNpz, writeNpz } from "../../src/io/npz.js";
import { fails, survives, temporaryFolder } from "./helpers.js";

const test = suite("io/npz");

const arrays: [string, ArrayToWrite][] = [
  ["x", { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ["labels", { shape: [2], data: BigInt64Array.of(0n, 1n) }],
  ["zeros", { shape: [1000], data: new Float32Array(1000) }],
];

/** The bytes with the 32-bit number at `offset` of the first central directory entry replaced. */
function patch(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const out = Buffer.from(bytes);
  out.writeUInt32LE(value, out.indexOf("PK\x01\x02", "latin1") + offset);
  return out;
}

for (const compress of [false, true]) {
  test(`what is written is read again, ${compress ? "deflated" : "stored"}`, () => {
    const path = join(temporaryFolder(), "a.npz");
    writeNpz(path, arrays, compress);
    const read = readNpz(path);
    assert.equal([...read.keys()], ["x", "labels", "zeros"]);
    for (const [name, { shape, data }] of arrays) {
      assert.equal(read.get(name)?.shape, shape);
      assert.equal(read.get(name)?.data, data);
    }
    assert.equal(encodeNpz(arrays, compress), encodeNpz(arrays, compress));
  });

  test(`a flipped bit in the data is found, ${compress ? "deflated" : "stored"}`, async () => {
    const bytes = encodeNpz([arrays[0]], compress);
    bytes[compress ? 60 : 30 + 5 + 128 + 2] ^= 1;
    await fails(() => decodeNpz(bytes, "a.npz"), "ERR_LCONV_FORMAT", /a\.npz: entry "x\.npy" is damaged/);
  });

  test(`damaged archives either decode or throw an LconvError, ${compress ? "deflated" : "stored"}`, () =>
    survives(encodeNpz(arrays, compress), (bytes) => decodeNpz(bytes), 1500));
}

test("members that are no arrays are skipped", () => {
  const bytes = zipSync({ "readme.txt": Buffer.from("hi"), "a/b.npy": encodeNpy(arrays[0][1]) });
  assert.equal([...decodeNpz(bytes).keys()], ["a/b"]);
});

test("a bomb is refused before it is inflated", async () => {
  const bytes = encodeNpz([["x", { shape: [2_000_000], data: new Float32Array(2_000_000) }]], true);
  await fails(
    () => decodeNpz(bytes, "a.npz", { maxBytes: 1e6 }),
    "ERR_LCONV_FORMAT",
    /announce 8000128 bytes, at most 1000000 are allowed/,
  );
  await fails(() => decodeNpz(patch(bytes, 24, 2 ** 31)), "ERR_LCONV_FORMAT", /announces 2147483648 bytes from \d+, which is impossible/);
});

test("an entry that holds more than it announces is refused", async () => {
  const bytes = encodeNpz([["x", { shape: [2000], data: new Float32Array(2000) }]], true);
  await fails(() => decodeNpz(patch(bytes, 24, 500)), "ERR_LCONV_FORMAT", /entry "x\.npy" is damaged/);
});

test("refuses what is not a ZIP archive, is cut, or is of another kind", async () => {
  const bytes = encodeNpz(arrays);
  await fails(() => decodeNpz(new Uint8Array(0)), "ERR_LCONV_FORMAT", /not a ZIP archive/);
  await fails(() => decodeNpz(bytes.subarray(0, bytes.length - 1)), "ERR_LCONV_FORMAT", /not a ZIP archive, or truncated/);
  await fails(() => decodeNpz(bytes.subarray(100)), "ERR_LCONV_FORMAT");
  await fails(() => decodeNpz(patch(bytes, 10, 12)), "ERR_LCONV_FORMAT", /compression method 0 or 8, got 12/);
  await fails(() => decodeNpz(patch(bytes, 8, 1)), "ERR_LCONV_FORMAT", /encrypted/);
  await fails(() => decodeNpz(patch(bytes, 42, 1e9)), "ERR_LCONV_FORMAT", /no entry "x\.npy" at byte 1000000000/);
  await fails(() => decodeNpz(patch(bytes, 20, 0xffffffff)), "ERR_LCONV_FORMAT", /ZIP64/);
});

test("refuses to write a name twice", () => fails(() => encodeNpz([arrays[0], arrays[0]]), "ERR_LCONV_ARGUMENT", /"x" is used twice/));

test.run();
