import { crc32 } from "node:zlib";

/** A 32-bit number as messages and files show it. */
export const hex32 = (value: number): string => value.toString(16).padStart(8, "0");

/** The CRC-32 of `parts` one after the other, texts as UTF-8, in hex. */
export function crc32Of(...parts: readonly (string | ArrayBufferView)[]): string {
  let sum = 0;
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    if (bytes.length > 0) sum = crc32(bytes, sum); // zlib answers 0 where there is no memory behind the bytes
  }
  return hex32(sum);
}
