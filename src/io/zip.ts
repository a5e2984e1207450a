import { crc32, inflateRawSync } from "node:zlib";
import { checkFormat, formatError } from "./files.js";

export interface ZipEntry {
  name: string;
  size: number; // uncompressed
  compressedSize: number;
  method: number; // 0 stored, 8 deflated
  crc: number;
  offset: number; // of the local header
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const DEFLATE_MOST_RATIO = 1032;

/**
 * The entries of a ZIP archive by its central directory, sizes checked before anything is inflated: no more than
 * `mostBytes` in all, and no entry beyond what deflate can expand to. Throws ERR_LCONV_FORMAT.
 */
export function zipEntries(bytes: Uint8Array, where: string, mostBytes: number): ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  checkFormat(end >= 0, where, () => "not a ZIP archive, or truncated: no end-of-directory record");
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  checkFormat(
    count < 0xffff && start <= end,
    where,
    () => "the ZIP directory is out of bounds, or the archive is above 4 GB (ZIP64), which is not read",
  );

  const entries: ZipEntry[] = [];
  let position = start;
  for (let i = 0; i < count; i++) {
    checkFormat(
      position + 46 <= end && view.getUint32(position, true) === CENTRAL,
      where,
      () => `damaged ZIP directory: entry ${i + 1} of ${count} is not where it should be`,
    );
    const nameLength = view.getUint16(position + 28, true);
    entries.push(readEntry(view, position, nameLength, where));
    position += 46 + nameLength + view.getUint16(position + 30, true) + view.getUint16(position + 32, true);
  }
  checkFormat(position <= end, where, () => "damaged ZIP directory: it runs past its end");
  const total = entries.reduce((sum, entry) => sum + entry.size, 0);
  checkFormat(total <= mostBytes, where, () => `its entries announce ${total} bytes, at most ${mostBytes} are allowed (maxBytes)`);
  return entries;
}

/** The contents of one entry, checked against its size and CRC-32. Throws ERR_LCONV_FORMAT. */
export function zipContents(bytes: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { name, offset, size, compressedSize } = entry;
  checkFormat(
    offset + 30 <= bytes.length && view.getUint32(offset, true) === LOCAL,
    where,
    () => `damaged ZIP archive: no entry "${name}" at byte ${offset}`,
  );
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  checkFormat(
    start + compressedSize <= bytes.length,
    where,
    () => `truncated: entry "${name}" ends at byte ${start + compressedSize}, the file has ${bytes.length}`,
  );
  const stored = bytes.subarray(start, start + compressedSize);
  const contents = entry.method === 0 ? new Uint8Array(stored) : inflate(stored, entry, where);
  const sound = contents.length === size && crc32(contents) === entry.crc;
  checkFormat(
    sound,
    where,
    () =>
      `entry "${name}" is damaged: expected ${size} bytes with CRC-32 ${hex(entry.crc)}, got ${contents.length} with ${hex(crc32(contents))}`,
  );
  return contents;
}

/** The record stands last, before a comment of at most 65,535 bytes that reaches exactly to the end. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === END && at + 22 + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return -1;
}

function readEntry(view: DataView, at: number, nameLength: number, where: string): ZipEntry {
  checkFormat(at + 46 + nameLength <= view.byteLength, where, () => "damaged ZIP directory: a name runs past its end");
  const name = Buffer.from(view.buffer, view.byteOffset + at + 46, nameLength).toString("utf8");
  const entry = {
    name,
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    compressedSize: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true),
  };
  checkFormat((view.getUint16(at + 8, true) & 1) === 0, where, () => `entry "${name}" is encrypted`);
  checkFormat(
    entry.method === 0 || entry.method === 8,
    where,
    () => `entry "${name}": expected compression method 0 or 8, got ${entry.method}`,
  );
  const wide = entry.size === 0xffffffff || entry.compressedSize === 0xffffffff || entry.offset === 0xffffffff;
  checkFormat(!wide, where, () => `entry "${name}" is above 4 GB (ZIP64), which is not read`);
  const most = entry.method === 0 ? entry.compressedSize : entry.compressedSize * DEFLATE_MOST_RATIO;
  checkFormat(
    entry.compressedSize <= view.byteLength && entry.size <= most,
    where,
    () => `entry "${name}" announces ${entry.size} bytes from ${entry.compressedSize}, which is impossible`,
  );
  return entry;
}

function inflate(stored: Uint8Array, { name, size }: ZipEntry, where: string): Uint8Array {
  try {
    // One chunk of the announced size: no second copy, and nothing beyond it is ever made.
    const inflated = inflateRawSync(stored, { maxOutputLength: size + 1, chunkSize: Math.max(size + 1, 64) });
    return new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.byteLength);
  } catch (error) {
    throw formatError(where, `entry "${name}" is damaged: ${(error as Error).message}`, error);
  }
}

const hex = (value: number): string => value.toString(16).padStart(8, "0");
