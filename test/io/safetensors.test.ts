import { join } from "node:path";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeSafetensors, encodeSafetensors, readSafetensors, type TensorToWrite, writeSafetensors } from "../../src/io/safetensors.js";
import { bits, fails, survives, temporaryFolder } from "./helpers.js";

const test = suite("io/safetensors");

const sample = (): [string, TensorToWrite][] => [
  ["U", { shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, Number.NaN, 6) }],
  ["labels", { shape: [3], data: Int32Array.of(-1, 0, 2 ** 31 - 1) }],
  ["step", { shape: [], data: BigInt64Array.of(-(2n ** 63n)) }],
  ["check", { shape: [1, 2], data: Float64Array.of(Math.PI, -0) }],
  ["mask", { shape: [5], data: Uint8Array.of(0, 1, 2, 254, 255) }],
  ["empty", { shape: [0, 7], data: new Float32Array(0) }],
];

/** A file with this header text, and `size` bytes of data. */
function file(header: string | Uint8Array, size = 0, announced?: bigint): Uint8Array {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(announced ?? BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(size)]);
}

const entry = (shape: unknown, offsets: unknown, dtype: unknown = "F32"): string => JSON.stringify({ dtype, shape, data_offsets: offsets });

test("what is written is read again, bit for bit, aligned", () => {
  const path = join(temporaryFolder(), "model.safetensors");
  writeSafetensors(path, sample(), { format: "pt", "é\n": "ü" });
  const { tensors, metadata } = readSafetensors(path);
  assert.equal(metadata, { format: "pt", "é\n": "ü" });
  assert.is(tensors.size, 6);
  for (const [name, { shape, data }] of sample()) {
    const read = tensors.get(name);
    assert.equal(read?.shape, shape, name);
    assert.is(read?.data.constructor, data.constructor, name);
    assert.is(read && bits(read.data), bits(data), name);
  }
  assert.equal(readSafetensors(encodeSafetensors(sample())).metadata, {});
});

test("the data begin at a multiple of 8", () => {
  for (const name of ["a", "ab", "abc", "abcd", "é", "abcdefg"]) {
    const bytes = encodeSafetensors([[name, { shape: [1], data: Float64Array.of(1) }]]);
    assert.is(Number(new DataView(bytes.buffer).getBigUint64(0, true)) % 8, 0);
  }
});

test("bytes at an odd offset are read all the same", () => {
  const bytes = encodeSafetensors(sample());
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const { tensors } = decodeSafetensors(Buffer.from(shifted.buffer, 3));
  for (const [name, { data }] of sample()) assert.is(bits(tensors.get(name)?.data ?? new Uint8Array(1)), bits(data));
});

test("F16 and BF16 are widened", () => {
  const header = `{"h":${entry([6], [0, 12], "F16")},"b":${entry([2], [12, 16], "BF16")}}`;
  const bytes = file(header, 16);
  const data = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 16);
  [0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x3555].forEach((bits, i) => data.setUint16(2 * i, bits, true));
  [0x3f80, 0xc049].forEach((bits, i) => data.setUint16(12 + 2 * i, bits, true));
  const { tensors } = decodeSafetensors(bytes);
  assert.equal(tensors.get("h"), {
    dtype: "F32",
    shape: [6],
    data: Float32Array.of(1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, 0.333251953125),
  });
  assert.equal(tensors.get("b"), { dtype: "F32", shape: [2], data: Float32Array.of(1, -3.140625) });
});

const bad: [string, Uint8Array, RegExp][] = [
  ["no length", Uint8Array.of(1, 2, 3), /at least 8 bytes, got 3/],
  ["a header beyond the cap", file("{}", 0, 2n ** 40n), /announces 1099511627776 bytes, at most 100000000/],
  ["a header beyond the file", file("{}", 0, 50n), /truncated: its header announces 50 bytes, the file has 2/],
  ["bad JSON", file('{"a":'), /not UTF-8 JSON/],
  ["bad UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), /not UTF-8 JSON/],
  ["a header that is a list", file("[]"), /not a JSON object/],
  ["deep nesting", file("[".repeat(100_000)), /not UTF-8 JSON: it is nested more than 4 deep/],
  ["deep nesting that is no error of syntax", file(`{"a":${"[".repeat(99)}${"]".repeat(99)}}`), /nested more than 4 deep/],
  ["a name twice", file(`{"a":${entry([1], [0, 4])},"a":${entry([1], [0, 4])}}`, 4), /"a" twice/],
  ["a name twice, once escaped", file(`{"a":${entry([1], [0, 4])}, "\\u0061" : ${entry([1], [0, 4])}}`, 4), /"a" twice/],
  ["__proto__", file(`{"__proto__":${entry([1], [0, 4])}}`, 4), /__proto__/],
  ["__proto__ in the metadata", file('{"__metadata__":{"__proto__":"x"}}'), /__metadata__/],
  ["metadata that are no strings", file('{"__metadata__":{"a":1}}'), /object of strings/],
  ["a tensor that is null", file('{"a":null}'), /expected a dtype/],
  ["an unknown dtype", file(`{"a":${entry([1], [0, 4], "Q7")}}`, 4), /expected a dtype of F64.*got "Q7"/],
  ["a negative size", file(`{"a":${entry([-1], [0, 4])}}`, 4), /non-negative integers, got \[-1\]/],
  ["a shape that is no list", file(`{"a":${entry("12", [0, 4])}}`, 4), /non-negative integers/],
  ["2^40 elements", file(`{"a":${entry([2 ** 40], [0, 2 ** 42])}}`, 4), /truncated: tensor "a" ends at byte 4398046511104/],
  ["2^80 elements", file(`{"a":${entry([2 ** 40, 2 ** 40], [0, 4])}}`, 4), /needs .* bytes, its data_offsets hold 4/],
  ["a size that does not fit", file(`{"a":${entry([3], [0, 4])}}`, 4), /F32 of shape \[3\] needs 12 bytes, its data_offsets hold 4/],
  ["reversed offsets", file(`{"a":${entry([1], [4, 0])}}`, 4), /data_offsets/],
  ["one offset", file(`{"a":${entry([1], [4])}}`, 4), /data_offsets/],
  ["an overlap", file(`{"a":${entry([2], [0, 8])},"b":${entry([2], [4, 12])}}`, 12), /"b".*begin at byte 8, got 4/],
  ["a hole", file(`{"a":${entry([1], [0, 4])},"b":${entry([1], [8, 12])}}`, 12), /"b".*begin at byte 4, got 8/],
  ["data cut short", file(`{"a":${entry([2], [0, 8])}}`, 7), /truncated: tensor "a" ends at byte 8 of the data, the file has 7/],
  ["data too long", file(`{"a":${entry([2], [0, 8])}}`, 9), /over-long.*need 8 bytes of data, the file has 9/],
];
for (const [what, bytes, message] of bad) {
  test(`refuses ${what}`, () =>
    fails(() => decodeSafetensors(bytes, "x.safetensors"), "ERR_LCONV_FORMAT", new RegExp(`^x\\.safetensors: .*${message.source}`)));
}

test("refuses to write what could not be read", async () => {
  const one = { shape: [1], data: Float32Array.of(1) };
  await fails(() => encodeSafetensors([["a", { ...one, shape: [2] }]]), "ERR_LCONV_SHAPE", /"a" of shape \[2\] needs 2 values, got 1/);
  await fails(
    () =>
      encodeSafetensors([
        ["a", one],
        ["a", one],
      ]),
    "ERR_LCONV_ARGUMENT",
    /twice/,
  );
  await fails(() => encodeSafetensors([["__proto__", one]]), "ERR_LCONV_ARGUMENT", /reserved/);
  await fails(() => encodeSafetensors([["a", { shape: [1], data: new Uint16Array(1) as never }]]), "ERR_LCONV_DTYPE");
  const shapes: unknown[] = [[-1, -1], [0.5, 2], [Number.NaN], Array(1), Int32Array.of(1), "1", undefined, [1n], ["1"], Array(65).fill(1)];
  for (const shape of shapes)
    await fails(
      () => encodeSafetensors([["a", { ...one, shape: shape as number[] }]]),
      "ERR_LCONV_SHAPE",
      /"a": expected a shape of at most 64 non-negative integers, got/,
    );
  const long = "k".repeat(4097);
  await fails(() => encodeSafetensors([[long, one]]), "ERR_LCONV_ARGUMENT", /the name "k+….* has 4097 characters, too many/);
  await fails(() => encodeSafetensors([["\n".repeat(2049), one]]), "ERR_LCONV_ARGUMENT", /has 4098 characters/);
  await fails(() => encodeSafetensors([], { [long]: "" }), "ERR_LCONV_ARGUMENT", /has 4097 characters, too many/);
  await fails(() => encodeSafetensors([[5 as never, one]]), "ERR_LCONV_ARGUMENT", /must be a string, got 5/);
  for (const metadata of [{ a: 1 }, { a: undefined }, null, ["x"], JSON.parse('{"__proto__":"x"}')] as never[])
    await fails(() => encodeSafetensors([], metadata), "ERR_LCONV_ARGUMENT", /metadata must be an object of strings/);
});

test("any names, shapes and values survive the round trip", () => {
  const tensor = fc.array(fc.float(), { maxLength: 20 }).map((values) => ({ shape: [1, values.length], data: Float32Array.from(values) }));
  const names = fc.string({ unit: "binary" }).filter((name) => name !== "__proto__" && name !== "__metadata__");
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(names, tensor), { selector: ([name]) => name, maxLength: 5 }), (tensors) => {
      const read = decodeSafetensors(encodeSafetensors(tensors)).tensors;
      assert.is(read.size, tensors.length);
      for (const [name, { data }] of tensors) assert.is(bits(read.get(name)?.data ?? new Uint8Array(1)), bits(data));
    }),
    { numRuns: 100 },
  );
});

test("damaged files either decode or throw an LconvError", () =>
  survives(encodeSafetensors(sample(), { note: "x" }), decodeSafetensors, 1500));

test.run();
