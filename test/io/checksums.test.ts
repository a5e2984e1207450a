import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LconvError } from "../../src/errors.js";
import { decodeNpz, encodeNpz } from "../../src/io/npz.js";
import { decodeSafetensors, encodeSafetensors, readSafetensors, type TensorToWrite, writeSafetensors } from "../../src/io/safetensors.js";
import { bits, fails, temporaryFolder } from "./helpers.js";

const test = suite("io/checksums");

const tensors: [string, TensorToWrite][] = [
  ["0.U", { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 5, 6) }],
  ["0.V", { shape: [3, 2], data: Float32Array.of(1, -2, 3.5, 0, 5, 6) }],
  ["step", { shape: [], data: Int32Array.of(7) }],
  ["exact", { shape: [2], data: Float64Array.of(Math.PI, -0) }],
  ["é", { shape: [0], data: new Float32Array(0) }],
];
const metadata = { format: "1", state: JSON.stringify({ step: 1200, lossSum: 3.25 }) };

/** All that a reader gets, in a form that can be compared. */
const contents = (bytes: Uint8Array): string => {
  const file = decodeSafetensors(bytes, "m.safetensors");
  return JSON.stringify([
    file.metadata,
    [...file.tensors].sort().map(([name, { shape, dtype, data }]) => [name, shape, dtype, bits(data)]),
  ]);
};
const arraysIn = (bytes: Uint8Array): string =>
  JSON.stringify([...decodeNpz(bytes, "g.npz")].map(([name, { shape, dtype, data }]) => [name, shape, dtype, bits(data)]));

/** Flips every bit of `bytes`: each is noticed by a typed error, or changes nothing. Returns how many were noticed. */
function flipAll(bytes: Uint8Array, read: (bytes: Uint8Array) => string, codes: readonly string[]): number {
  const before = read(bytes);
  let noticed = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = new Uint8Array(bytes);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    try {
      assert.is(read(flipped), before, `bit ${bit & 7} of byte ${bit >> 3} was taken in silence`);
    } catch (error) {
      if (!(error instanceof LconvError) || !codes.includes(error.code)) throw error;
      noticed++;
    }
  }
  return noticed;
}

test("every bit of a safetensors file: noticed as damage, header and padding included", () => {
  const bytes = encodeSafetensors(tensors, metadata);
  assert.is(flipAll(bytes, contents, ["ERR_LCONV_IO"]), 8 * bytes.length);
});

test("every bit of an .npz archive: noticed, or without meaning", () => {
  const arrays = tensors.map(([name, { shape, data }]): [string, TensorToWrite] => [name, { shape, data }]);
  for (const compress of [false, true]) {
    const bytes = encodeNpz(arrays as never, compress);
    const noticed = flipAll(bytes, arraysIn, ["ERR_LCONV_IO", "ERR_LCONV_FORMAT"]);
    assert.ok(noticed > 0.6 * 8 * bytes.length, `${noticed} of ${8 * bytes.length}`);
  }
});

test("any file, any bit: noticed", () => {
  const tensor = fc.array(fc.float(), { maxLength: 9 }).map((values) => ({ shape: [values.length], data: Float32Array.from(values) }));
  const name = fc.string({ unit: "binary" }).filter((text) => !["__proto__", "__metadata__"].includes(text));
  const file = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 4 });
  fc.assert(
    fc.property(file, fc.nat(), fc.dictionary(fc.constantFrom("a", "b"), fc.string()), (named, n, notes) => {
      const bytes = encodeSafetensors(named, notes);
      const before = contents(bytes);
      const bit = n % (8 * bytes.length);
      bytes[bit >> 3] ^= 1 << (bit & 7);
      try {
        assert.is(contents(bytes), before);
      } catch (error) {
        if (!(error instanceof LconvError) || error.code !== "ERR_LCONV_IO") throw error;
      }
    }),
    { numRuns: 300 },
  );
});

test("the message names file, tensor and both checksums, and says what to do", async () => {
  const path = join(temporaryFolder(), "model.safetensors");
  writeSafetensors(path, tensors, metadata);
  const bytes = readFileSync(path);
  bytes[bytes.length - 3] ^= 4; // the last in the file is of the narrowest dtype, and of these the last
  writeFileSync(path, bytes);
  const message = /model\.safetensors: tensor "step" is damaged: expected checksum "[0-9a-f]{8}", got "[0-9a-f]{8}"; .*take a copy/;
  await fails(() => readSafetensors(path), "ERR_LCONV_IO", message);
  writeFileSync(path, bytes.subarray(0, bytes.length - 5));
  await fails(() => readSafetensors(path), "ERR_LCONV_IO", /model\.safetensors: it is damaged: truncated/);
});

/** A safetensors file of this header. */
function fileOf(header: object, data: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

const headerOf = (bytes: Uint8Array): { header: Record<string, { data_offsets: number[] }>; data: Uint8Array } => {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(Buffer.from(bytes.subarray(8, start)).toString()), data: bytes.subarray(start) };
};

test("a file without checksums is read; one that another program laid out anew keeps them valid", async () => {
  const { header, data } = headerOf(encodeSafetensors(tensors, metadata));
  const { __metadata__: sums, ...rest } = header;
  assert.equal(decodeSafetensors(fileOf(rest, data)).metadata, {});
  const turned = Object.fromEntries([...Object.entries(rest).reverse(), ["__metadata__", sums]]);
  assert.equal(decodeSafetensors(fileOf(turned, data)).metadata, metadata);
  const one = Object.fromEntries(Object.entries(sums).filter(([key]) => key !== "lconv.crc32"));
  await fails(() => decodeSafetensors(fileOf({ __metadata__: one, ...rest }, data)), "ERR_LCONV_IO", /lconv\.crc32 is missing/);
  const { "0.V": taken, ...fewer } = rest;
  assert.ok(taken);
  await fails(() => decodeSafetensors(fileOf({ __metadata__: sums, ...fewer }, data)), "ERR_LCONV_IO", /damaged/);
  await fails(() => encodeSafetensors([], { "lconv.crc32": "" }), "ERR_LCONV_ARGUMENT", /reserved/);
});

test("messages are short, whatever is in the file", async () => {
  const long = "x\n\u001b".repeat(300);
  const broken = fileOf({ [long]: { dtype: long, shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4));
  const axes = fileOf({ [long]: { dtype: "F32", shape: new Array(100_000).fill(1), data_offsets: [0, 4] } }, new Uint8Array(4));
  for (const bytes of [broken, axes]) {
    try {
      decodeSafetensors(bytes);
      assert.unreachable();
    } catch (error) {
      const { code, message } = error as LconvError;
      assert.is(code, "ERR_LCONV_FORMAT");
      assert.ok(message.length < 1000 && !message.includes("\u001b"), message.slice(0, 2000));
    }
  }
  await fails(() => decodeSafetensors(axes), "ERR_LCONV_FORMAT", /at most 64 non-negative integers/);
});

test.run();
