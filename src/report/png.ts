import { crc32, deflateSync } from "node:zlib";
import { check } from "../errors.js";

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

export interface PngImage {
  width: number;
  height: number;
  pixels: Uint8Array; // [height, width, 1 (grey or palette index) | 3 (RGB)]
  palette?: Uint8Array; // [1..256, 3]; the pixels are then indices into it
}

/** An 8-bit PNG: grey, RGB or with a palette. Throws ERR_LCONV_SHAPE when `pixels` does not fit the size. */
export function encodePng(image: PngImage): Uint8Array {
  const { width, height, pixels, palette } = image;
  const channels = pixels.length / (width * height);
  const fits = width > 0 && height > 0 && (channels === 1 || (channels === 3 && !palette));
  check(fits, "ERR_LCONV_SHAPE", () => `encodePng: a ${width}x${height} image needs 1 or 3 bytes a pixel, got ${pixels.length} bytes`);

  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits a sample
  header.setUint8(9, palette ? 3 : channels === 1 ? 0 : 2); // colour type
  const parts = [signature, chunk("IHDR", new Uint8Array(header.buffer))];
  if (palette) parts.push(chunk("PLTE", palette));
  parts.push(chunk("IDAT", deflateSync(scanlines(pixels, height, width * channels))), chunk("IEND", new Uint8Array(0)));
  return Buffer.concat(parts);
}

export const pngDataUri = (image: PngImage): string => `data:image/png;base64,${Buffer.from(encodePng(image)).toString("base64")}`;

/** Each row behind its filter byte, 0: none. */
function scanlines(pixels: Uint8Array, height: number, stride: number): Uint8Array {
  const out = new Uint8Array(height * (stride + 1));
  for (let row = 0; row < height; row++) out.set(pixels.subarray(row * stride, (row + 1) * stride), row * (stride + 1) + 1);
  return out;
}

/** Length, type, data and the checksum over type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}
