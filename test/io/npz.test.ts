import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { zipSync } from "fflate";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ArrayToWrite, encodeNpy } from "../../src/io/npy.js";
import { decodeNpz, deflateNpz, encodeNpz, NpzArchive, readNpz, writeNpz } from "../../src/io/npz.js";
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

interface Member {
  name: string;
  data: Uint8Array;
  size?: number; // instead of the length of the data
  /** How the local header gives the sizes; "stored": as they are, and nothing is deflated. */
  form?: "wide" | "streamed" | "stored";
}

interface Entry {
  name: string;
  method: number;
  flags: number;
  crc: number;
  compressedSize: number;
  size: number;
  offset: number;
}

/** A ZIP archive by hand; `lie` turns what is true into the entries of its directory. */
function zip(members: readonly Member[], lie: (entries: Entry[]) => Entry[] = (entries) => entries): Uint8Array {
  const parts: Uint8Array[] = [];
  const entries: Entry[] = [];
  let position = 0;
  const put = (part: Uint8Array): void => {
    parts.push(part);
    position += part.length;
  };
  for (const { name, data, form, size = data.length } of members) {
    const stored = form === "stored" ? data : deflateRawSync(data);
    const crc = crc32(data);
    const flags = form === "streamed" ? 8 : 0;
    const entry = { name, method: form === "stored" ? 0 : 8, flags, crc, compressedSize: stored.length, size, offset: position };
    entries.push(entry);
    const extra = Buffer.alloc(form === "wide" ? 20 : 0);
    if (form === "wide") {
      extra.writeUInt16LE(1);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(stored.length), 12);
    }
    const local = { wide: { compressedSize: 0xffffffff, size: 0xffffffff }, streamed: { crc: 0, compressedSize: 0, size: 0 }, stored: {} };
    put(Buffer.concat([header(0x04034b50, { ...entry, ...(form && local[form]) }, 30, extra.length), Buffer.from(name), extra]));
    put(stored);
    if (form === "streamed") put(Buffer.alloc(16));
  }
  const start = position;
  const directory = lie(entries);
  for (const entry of directory) put(Buffer.concat([header(0x02014b50, entry, 46, 0), Buffer.from(entry.name)]));
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(position - start, 12);
  end.writeUInt32LE(start, 16);
  return Buffer.concat([...parts, end]);
}

/** The fixed part of a local header (30 bytes) or of an entry of the directory (46 bytes, in which all but the signature stands 2 bytes later). */
function header(
  signature: number,
  { name, method, flags, crc, compressedSize, size, offset }: Entry,
  length: 30 | 46,
  extra: number,
): Buffer {
  const bytes = Buffer.alloc(length);
  const at = length === 46 ? 2 : 0;
  bytes.writeUInt32LE(signature);
  bytes.writeUInt16LE(flags, at + 6);
  bytes.writeUInt16LE(method, at + 8);
  bytes.writeUInt32LE(crc, at + 14);
  bytes.writeUInt32LE(compressedSize, at + 18);
  bytes.writeUInt32LE(size, at + 22);
  bytes.writeUInt16LE(Buffer.byteLength(name), at + 26);
  bytes.writeUInt16LE(extra, at + 28);
  if (length === 46) bytes.writeUInt32LE(offset, 42);
  return bytes;
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
  const data = encodeNpy({ shape: [2000], data: new Float32Array(2000) });
  const bytes = zip([{ name: "x.npy", data, size: 500 }]);
  await fails(() => decodeNpz(bytes), "ERR_LCONV_FORMAT", /entry "x\.npy" is damaged/);
});

test("only arrays that are asked for are inflated, and only they count", async () => {
  const large: ArrayToWrite = { shape: [100_000], data: new Float32Array(100_000) };
  const bytes = encodeNpz([["large", large], ...arrays], true);
  const broken = Buffer.from(bytes);
  broken[60] ^= 1; // in the data of the first member
  const path = join(temporaryFolder(), "a.npz");
  writeFileSync(path, broken);
  for (const read of [readNpz(path, { names: ["x", "none"], maxBytes: 1000 }), decodeNpz(broken, "a", { names: ["x"], maxBytes: 1000 })])
    assert.equal([...read.keys()], ["x"]);
  await fails(
    () => readNpz(path, { names: ["x", "labels", "zeros"], maxBytes: 1000 }),
    "ERR_LCONV_FORMAT",
    /asked for announce 4\d\d\d bytes/,
  );

  const archive = new NpzArchive(bytes, "a.npz", 5000);
  assert.equal(archive.names, ["large", "x", "labels", "zeros"]);
  assert.equal(archive.get("x")?.data, arrays[0][1].data);
  assert.equal(archive.get("zeros")?.shape, [1000]);
  assert.is(archive.get("none"), undefined);
  await fails(() => archive.get("zeros"), "ERR_LCONV_FORMAT", /asked for announce \d+ bytes, at most 5000/); // with those that were read
});

test("members that share bytes are refused, whatever is asked for", async () => {
  const zeros = encodeNpy({ shape: [250_000], data: new Float32Array(250_000) });
  const bomb = zip([{ name: "0.npy", data: zeros }], ([entry]) => Array.from({ length: 20 }, (_, i) => ({ ...entry, name: `${i}.npy` })));
  assert.ok(bomb.length < 10_000);
  for (const options of [{}, { names: ["0"] }, { names: [] }])
    await fails(() => decodeNpz(bomb, "a.npz", options), "ERR_LCONV_FORMAT", /a\.npz: the entries "0\.npy" and "1\.npy" overlap/);

  // The data of the first member quote the header of the second: the sizes of both fit into the file.
  const inner = encodeNpy({ shape: [1], data: new Float32Array(1) });
  const quoted = zip(
    [
      { name: "a.npy", data: inner },
      { name: "b.npy", data: inner },
    ],
    ([a, b]) => [{ ...a, compressedSize: b.offset + 10 }, b],
  );
  await fails(() => decodeNpz(quoted), "ERR_LCONV_FORMAT", /"a\.npy" and "b\.npy" overlap/);
  const past = zip([{ name: "a.npy", data: inner }], ([a]) => [{ ...a, compressedSize: a.compressedSize + 1 }]);
  await fails(() => decodeNpz(past), "ERR_LCONV_FORMAT", /entry "a\.npy" ends at byte \d+, inside the directory/);
});

test("a local header must say what the directory says", async () => {
  const data = encodeNpy(arrays[0][1]);
  const files = [{ name: "x.npy", data }];
  const changes: Partial<Entry>[] = [{ name: "y.npy" }, { method: 0 }, { crc: 1 }, { size: data.length - 1 }, { compressedSize: 40 }];
  for (const change of changes)
    await fails(
      () => decodeNpz(zip(files, ([entry]) => [{ ...entry, ...change }])),
      "ERR_LCONV_FORMAT",
      /the header of entry "[xy]\.npy" contradicts the directory|announces/,
    );
});

test("archives as NumPy writes them: sizes of 64 bits in the local header, or behind the data", () => {
  const data = encodeNpy(arrays[0][1]);
  for (const form of ["wide", "streamed"] as const)
    assert.equal(decodeNpz(zip([{ name: "x.npy", data, form }])).get("x")?.data, arrays[0][1].data);
});

test("a wide local header is compared, too", () =>
  fails(
    () =>
      decodeNpz(zip([{ name: "x.npy", data: encodeNpy(arrays[0][1]), form: "wide" }], ([entry]) => [{ ...entry, size: entry.size - 1 }])),
    "ERR_LCONV_FORMAT",
    /contradicts the directory/,
  ));

test("names are cut in messages, and cannot command a terminal", async () => {
  const data = encodeNpy(arrays[0][1]);
  const name = `\u001b[2J${"n".repeat(4000)}.npy`;
  const messages = [
    () => decodeNpz(zip([{ name, data }], (entries) => [...entries, ...entries])),
    () => decodeNpz(zip([{ name, data }], ([entry]) => [{ ...entry, method: 12 }])),
    () => decodeNpz(zip([{ name, data: Buffer.from("no array at all") }])),
    () =>
      decodeNpz(
        zip([
          { name, data },
          { name, data },
        ]),
      ),
  ].map((read) => {
    try {
      read();
    } catch (error) {
      return (error as Error).message;
    }
    return "nothing";
  });
  for (const message of messages) {
    assert.match(message, /\\u\{1b\}\[2Jnnnn/);
    assert.ok(message.length < 400 && !message.includes("\u001b"), message.slice(0, 400));
  }
});

test("many members cost no more than their bytes; names that V8 cannot tell apart by a hash are refused", async () => {
  const member = (name: string): Member => ({ name, data: Uint8Array.of(1), form: "stored" });
  const many = Array.from({ length: 20_000 }, (_, i) => member(`${"n".repeat(100)}${i}.npy`));
  assert.is(new NpzArchive(zip(many)).names.length, 20_000);
  await fails(() => new NpzArchive(zip([...many, many[0]])), "ERR_LCONV_FORMAT", /twice/);
  const long = Array.from({ length: 200 }, (_, i) => member(`${"n".repeat(60_000)}${100 + i}.npy`));
  await fails(() => new NpzArchive(zip(long)), "ERR_LCONV_FORMAT", /"n+…" has 60003 characters, at most 4096 are read/);
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

test("deflated aside: the same bytes, and the reason of a signal", async () => {
  const arrays = [
    ["x", { shape: [300_000], data: Int32Array.from({ length: 300_000 }, (_, i) => i % 977) }],
    ["y", { shape: [3], data: Float64Array.of(1, 2, 3) }],
  ] as const;
  const controller = new AbortController();
  const { signal } = controller;
  assert.equal(Buffer.from(await deflateNpz(arrays, signal)).compare(encodeNpz(arrays, true)), 0);
  const stopped = deflateNpz(arrays, signal);
  controller.abort(new Error("stopped"));
  for (const one of [stopped, deflateNpz(arrays, signal)])
    assert.is(await one.then(() => "", (error: Error) => error.message), "stopped"); // biome-ignore format: one line
});

test.run();
