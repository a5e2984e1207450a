import { inflateSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodePng } from "../../src/report/png.js";

const test = suite("report/png");

interface Decoded {
  width: number;
  height: number;
  colorType: number;
  palette?: Buffer;
  pixels: number[];
}

/** CRC-32 by the definition, apart from zlib's. */
function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}

function decode(png: Uint8Array): Decoded {
  const bytes = Buffer.from(png);
  assert.is(bytes.toString("latin1", 0, 8), "\x89PNG\r\n\x1a\n");
  const chunks = new Map<string, Buffer>();
  let at = 8;
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    assert.is(bytes.readUInt32BE(at + 8 + length), crc(bytes.subarray(at + 4, at + 8 + length)));
    chunks.set(bytes.toString("latin1", at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  assert.equal([...chunks.keys()].at(-1), "IEND");
  const header = chunks.get("IHDR") as Buffer;
  const [width, height, colorType] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]];
  const raw = inflateSync(chunks.get("IDAT") as Buffer);
  const stride = raw.length / height;
  const pixels: number[] = [];
  for (let row = 0; row < height; row++) {
    assert.is(raw[row * stride], 0);
    pixels.push(...raw.subarray(row * stride + 1, (row + 1) * stride));
  }
  const palette = chunks.get("PLTE");
  return { width, height, colorType, pixels, ...(palette ? { palette } : {}) };
}

for (const [kind, channels, colorType] of [
  ["grey", 1, 0],
  ["RGB", 3, 2],
] as const) {
  test(`${kind} pixels come back`, () => {
    const pixels = Uint8Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37) % 256);
    const decoded = decode(encodePng({ width: 7, height: 5, pixels }));
    assert.equal([decoded.width, decoded.height, decoded.colorType], [7, 5, colorType]);
    assert.equal(decoded.pixels, [...pixels]);
  });
}

test("a palette comes back, with the indices", () => {
  const palette = Uint8Array.of(0, 0, 0, 255, 0, 0);
  const decoded = decode(encodePng({ width: 2, height: 1, pixels: Uint8Array.of(1, 0), palette }));
  assert.is(decoded.colorType, 3);
  assert.equal([...(decoded.palette as Buffer)], [...palette]);
  assert.equal(decoded.pixels, [1, 0]);
});

test("pixels that do not fit are an error", () => {
  for (const length of [0, 5, 8, 16]) {
    assert.throws(
      () => encodePng({ width: 2, height: 2, pixels: new Uint8Array(length) }),
      (error: { code: string }) => error.code === "ERR_LCONV_SHAPE",
    );
  }
});

test.run();
