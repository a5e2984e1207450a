import { crc32Of } from "./crc32.js";
import { DamagedFile, quote } from "./files.js";
import { parseShallow } from "./json.js";

/**
 * Checksums of a safetensors file, two entries of its `__metadata__`: the CRC-32 of every tensor (name, dtype, shape and data) as a JSON object by
 * name, and that of all other metadata. They are of what the file means and not of its bytes, so that another program may lay it out anew. A file has
 * both or neither: one bit flipped in the name of one does not make it a file without checksums.
 *
 * CRC-32 because it is against accidents: every burst of up to 32 bits is noticed, 100 MB take 0.1 s (SHA-256: 0.8 s), and zlib is in every language.
 */
const TENSORS = "lconv.crc32";
const METADATA = "lconv.crc32.metadata";
export const checksumKeys: readonly string[] = [TENSORS, METADATA];

export interface Summed {
  name: string;
  dtype: string;
  shape: readonly number[];
}

type Metadata = Record<string, string>;

/** `metadata` with the checksums of all. */
export function addChecksums<T extends Summed>(metadata: Metadata, tensors: readonly T[], bytesOf: (tensor: T) => Uint8Array): Metadata {
  const sums = tensors.map((tensor) => [tensor.name, sumOf(tensor, bytesOf(tensor))]);
  const all = { ...metadata, [TENSORS]: JSON.stringify(Object.fromEntries(sums)) };
  return { ...all, [METADATA]: sumOfMetadata(all) };
}

/** `metadata` without the checksums, which must be right where they are there. Throws ERR_LCONV_IO naming the tensor that is damaged. */
export function checkChecksums<T extends Summed>(
  where: string,
  metadata: Metadata,
  tensors: readonly T[],
  bytesOf: (tensor: T) => Uint8Array,
): Metadata {
  const { [TENSORS]: list, [METADATA]: sum, ...own } = metadata;
  if (list === undefined && sum === undefined) return metadata;
  if (list === undefined || sum === undefined)
    throw new DamagedFile(where, `its metadata are damaged: ${list === undefined ? TENSORS : METADATA} is missing`);
  const got = sumOfMetadata({ ...own, [TENSORS]: list });
  if (got !== sum) throw new DamagedFile(where, `its metadata are damaged: expected checksum ${quote(sum)}, got "${got}"`);
  const expected = parse(where, list);
  for (const tensor of tensors) {
    const [want, got] = [expected.get(tensor.name), sumOf(tensor, bytesOf(tensor))];
    if (want !== got)
      throw new DamagedFile(where, `tensor ${quote(tensor.name)} is damaged: expected checksum ${quote(want)}, got "${got}"`);
  }
  if (tensors.length === expected.size) return own;
  const names = new Set(tensors.map(({ name }) => name));
  const missing = [...expected.keys()].find((name) => !names.has(name));
  throw new DamagedFile(where, `tensor ${quote(missing)} is missing`);
}

/** Whether a file that cannot be read was one with checksums. */
export function hadChecksums(header: Uint8Array): boolean {
  return Buffer.from(header.buffer, header.byteOffset, header.byteLength).includes(`"${TENSORS}`);
}

function parse(where: string, list: string): ReadonlyMap<string, unknown> {
  try {
    return new Map(Object.entries(parseShallow(list) as object));
  } catch (error) {
    throw new DamagedFile(where, `its metadata are damaged: ${TENSORS} is no list of checksums`, error);
  }
}

function sumOf({ name, dtype, shape }: Summed, bytes: Uint8Array): string {
  return crc32Of(JSON.stringify([name, dtype, shape]), bytes);
}

function sumOfMetadata(metadata: Metadata): string {
  const entries = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return crc32Of(JSON.stringify(entries));
}
