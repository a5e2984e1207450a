import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ArrayToWrite, decodeNpy, encodeNpy, readNpy, writeNpy } from "../../src/io/npy.js";
import { bits, fails, survives, temporaryFolder } from "./helpers.js";

const test = suite("io/npy");

/** A .npy file with this header text as NumPy's versions 1 to 3 write it. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]), length, Buffer.from(header), data]);
}

const dict = (descr: string, shape: string, fortran = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;

const arrays: ArrayToWrite[] = [
  { shape: [2, 3], data: Float32Array.of(1, -2, 3, Number.NaN, 5, 6) },
  { shape: [], data: Float64Array.of(Math.E) },
  { shape: [3], data: Int8Array.of(-128, 0, 127) },
  { shape: [1, 2], data: Uint8Array.of(0, 255) },
  { shape: [2], data: Int16Array.of(-5, 5) },
  { shape: [2], data: Uint16Array.of(0, 65535) },
  { shape: [2], data: Int32Array.of(-(2 ** 31), 7) },
  { shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
  { shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
  { shape: [0, 4], data: new Float32Array(0) },
];

test("what is written is read again", () => {
  const folder = temporaryFolder();
  for (const [i, array] of arrays.entries()) {
    writeNpy(join(folder, `${i}.npy`), array);
    const { shape, data } = readNpy(join(folder, `${i}.npy`));
    assert.equal(shape, array.shape);
    assert.is(data.constructor, array.data.constructor);
    assert.is(bits(data), bits(array.data));
  }
});

test("the bytes are NumPy's", () => {
  const bytes = encodeNpy({ shape: [2], data: Int16Array.of(1, 2) });
  const header = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }";
  assert.equal(Buffer.from(bytes).toString("latin1"), `\x93NUMPY\x01\x00\x76\x00${header.padEnd(117)}\n\x01\x00\x02\x00`);
});

test("versions 1, 2 and 3, any key order and quotes", () => {
  for (const version of [1, 2, 3])
    assert.equal(decodeNpy(npy(dict("|u1", "(2,)"), Uint8Array.of(7, 8), version)).data, Uint8Array.of(7, 8));
  const mixed = `{"shape": (1L, 2), "fortran_order": False, "descr": "|b1"}`;
  assert.equal(decodeNpy(npy(mixed, Uint8Array.of(0, 1))), { dtype: "b1", shape: [1, 2], data: Uint8Array.of(0, 1) });
});

test("big-endian data are swapped", () => {
  const data = Buffer.alloc(8);
  data.writeFloatBE(1.5, 0);
  data.writeFloatBE(-2, 4);
  assert.equal(decodeNpy(npy(dict(">f4", "(2,)"), data)).data, Float32Array.of(1.5, -2));
  const wide = Buffer.alloc(8);
  wide.writeBigInt64BE(-3n);
  assert.equal(decodeNpy(npy(dict(">i8", "(1,)"), wide)).data, BigInt64Array.of(-3n));
});

test("Fortran order becomes row-major", () => {
  // a[i, j, k] = 100 i + 10 j + k, first index fastest in the file
  const values: number[] = [];
  for (let k = 0; k < 4; k++) for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) values.push(100 * i + 10 * j + k);
  const { data, shape } = decodeNpy(npy(dict("|u1", "(2, 3, 4)", "True"), Uint8Array.from(values)));
  assert.equal(shape, [2, 3, 4]);
  for (let i = 0; i < 2; i++)
    for (let j = 0; j < 3; j++) for (let k = 0; k < 4; k++) assert.is(data[(i * 3 + j) * 4 + k], 100 * i + 10 * j + k);
});

test("64 axes, and sizes of zero, in both orders", () => {
  const ones = "1, ".repeat(31);
  for (const order of ["False", "True"]) {
    const { shape, data } = decodeNpy(npy(dict("|u1", `(2, ${ones}${ones}2)`, order), Uint8Array.of(1, 2, 3, 4)));
    assert.is(shape.length, 64);
    assert.equal(data, order === "True" ? Uint8Array.of(1, 3, 2, 4) : Uint8Array.of(1, 2, 3, 4));
    assert.equal(decodeNpy(npy(dict("<f8", "(4096, 0, 3)", order), new Uint8Array(0))).shape, [4096, 0, 3]);
  }
});

const bad: [string, Uint8Array, RegExp][] = [
  ["wrong magic", Buffer.from("PK\x03\x04 and so on"), /not a \.npy file/],
  ["nothing", new Uint8Array(0), /not a \.npy file/],
  ["an unknown version", npy(dict("|u1", "(1,)"), Uint8Array.of(1), 9), /version 1, 2 or 3, got 9/],
  ["a header beyond the file", npy(dict("|u1", "(1,)"), Uint8Array.of(1), 1).subarray(0, 30), /truncated: the \.npy header/],
  ["short data", npy(dict("<f4", "(3,)"), new Uint8Array(11)), /truncated: f4 of shape \[3\] needs 12 bytes of data, got 11/],
  ["long data", npy(dict("<f4", "(3,)"), new Uint8Array(13)), /over-long: f4 of shape \[3\] needs 12/],
  ["2^40 elements", npy(dict("<f4", "(1099511627776,)"), new Uint8Array(4)), /truncated: .*4398046511104/],
  ["more than can be counted", npy(dict("<f4", "(99999999999999999999,)"), new Uint8Array(4)), /cannot read the \.npy header/],
  ["complex numbers", npy(dict("<c8", "(1,)"), new Uint8Array(8)), /got "c8"; convert it/],
  ["objects", npy(dict("|O", "(1,)"), new Uint8Array(8)), /got "O"/],
  ["records", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)), /cannot read the \.npy header/],
  ["code", npy("{'descr': '<f4', 'fortran_order': False, 'shape': exit(), }", new Uint8Array(4)), /cannot read the \.npy header/],
  ["65 axes", npy(dict("|u1", `(${"1, ".repeat(65)})`), Uint8Array.of(1)), /expected at most 64 axes, as NumPy has them, got 65/],
  [
    "500,000 axes in Fortran order",
    npy(dict("|u1", `(${"1,".repeat(500_000)})`, "True"), Uint8Array.of(1), 2),
    /the \.npy header has 10000\d\d bytes, at most 65535 are read/,
  ],
  ["30,000 axes in Fortran order", npy(dict("|u1", `(${"1,".repeat(30_000)})`, "True"), Uint8Array.of(1)), /at most 64 axes.* got 30000/],
  [
    "sizes whose product overflows",
    npy(dict("<f4", `(${"9007199254740991, ".repeat(64)})`), new Uint8Array(4)),
    /beyond what can be counted/,
  ],
  [
    "such sizes beside a zero",
    npy(dict("<f4", "(0, 9007199254740991, 9007199254740991)"), new Uint8Array(0)),
    /\[0, 9007199254740991, 9007199254740991\] is beyond what can be counted/,
  ],
  ["a long type", npy(dict(`<${"f".repeat(60_000)}`, "(1,)"), new Uint8Array(4)), /got "f{79}…"; convert it/],
  [
    "a long header",
    npy(`{'descr': "${"\u001b[2J".repeat(15_000)}"}`, new Uint8Array(4)),
    /cannot read the \.npy header "\{'descr': "\\u\{1b\}\[2J.*…"$/,
  ],
  ["a key twice", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(4)), /cannot read/],
];
for (const [what, bytes, message] of bad)
  test(`refuses ${what}`, () => fails(() => decodeNpy(bytes, "x.npy"), "ERR_LCONV_FORMAT", message));

test("refuses a shape that does not fit its values", () =>
  fails(() => encodeNpy({ shape: [3], data: new Float32Array(2) }), "ERR_LCONV_SHAPE", /needs 3 values, got 2/));

test("refuses to write more axes than NumPy reads", () =>
  fails(() => encodeNpy({ shape: Array(65).fill(1), data: new Float32Array(1) }), "ERR_LCONV_SHAPE", /at most 64 axes, got 65/));

test("damaged files either decode or throw an LconvError", () => survives(encodeNpy(arrays[0]), decodeNpy, 1500));

test.run();
