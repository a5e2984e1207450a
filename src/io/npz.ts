import { zipSync } from "fflate";
import { check } from "../errors.js";
import { writeAtomic } from "./atomic.js";
import { checkFormat, readBytes } from "./files.js";
import { type ArrayToWrite, decodeNpy, encodeNpy, type NpyArray } from "./npy.js";
import { zipContents, zipEntries } from "./zip.js";

export interface NpzReadOptions {
  maxBytes?: number; // of all arrays together once inflated; default 4 GiB
}

/** Reads a NumPy .npz archive, stored or deflated; names come without ".npy", other members are skipped. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export const readNpz = (path: string, options: NpzReadOptions = {}): Map<string, NpyArray> => decodeNpz(readBytes(path), path, options);

/** As readNpz on bytes. */
export function decodeNpz(bytes: Uint8Array, where = ".npz data", { maxBytes = 2 ** 32 }: NpzReadOptions = {}): Map<string, NpyArray> {
  const arrays = new Map<string, NpyArray>();
  for (const entry of zipEntries(bytes, where, maxBytes)) {
    if (!entry.name.endsWith(".npy")) continue;
    const name = entry.name.slice(0, -4);
    checkFormat(!arrays.has(name), where, () => `it holds the array "${name}" twice`);
    arrays.set(name, decodeNpy(zipContents(bytes, entry, where), `${where} (${entry.name})`));
  }
  return arrays;
}

/** Writes a .npz archive atomically, deflated when `compress`. Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT (a name twice), ERR_LCONV_IO. */
export function writeNpz(path: string, arrays: Iterable<readonly [string, ArrayToWrite]>, compress = false): void {
  writeAtomic(path, encodeNpz(arrays, compress));
}

/** The bytes that writeNpz writes; the same arrays give the same bytes. */
export function encodeNpz(arrays: Iterable<readonly [string, ArrayToWrite]>, compress = false): Uint8Array {
  const members: Record<string, Uint8Array> = {};
  for (const [name, array] of arrays) {
    check(!Object.hasOwn(members, `${name}.npy`), "ERR_LCONV_ARGUMENT", () => `.npz: the name "${name}" is used twice`);
    members[`${name}.npy`] = encodeNpy(array);
  }
  return zipSync(members, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });
}
