import { crc32, inflateRawSync } from "node:zlib";
import { clip } from "../errors.js";
import { hex32 } from "./crc32.js";
import { checkFormat, formatError } from "./files.js";

export interface ZipEntry {
  name: string;
  size: number; // uncompressed
  compressedSize: number;
  method: number; // 0 stored, 8 deflated
  crc: number;
  flags: number;
  offset: number; // of the local header
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const LOCAL_SIZE = 30; // of a local header, before name and extra field
const CENTRAL_SIZE = 46;
const ENCRYPTED = 1;
const SIZES_FOLLOW = 8; // CRC and sizes stand behind the data, not in the local header
const WIDE = 0xffffffff; // the number itself is in the extra field of ZIP64
const DEFLATE_MOST_RATIO = 1032;

/**
 * The entries of a ZIP archive by its central directory. No two of them, nor the directory, share a byte, so that what an archive inflates to
 * is bounded by what deflate can expand its bytes to. Throws ERR_LCONV_FORMAT.
 */
export function zipEntries(bytes: Uint8Array, where: string): ZipEntry[] {
  const view = viewOf(bytes);
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
      position + CENTRAL_SIZE <= end && view.getUint32(position, true) === CENTRAL,
      where,
      () => `damaged ZIP directory: entry ${i + 1} of ${count} is not where it should be`,
    );
    const nameLength = view.getUint16(position + 28, true);
    const next = position + CENTRAL_SIZE + nameLength + view.getUint16(position + 30, true) + view.getUint16(position + 32, true);
    checkFormat(next <= end, where, () => "damaged ZIP directory: it runs past its end");
    entries.push(readEntry(view, position, nameLength, where));
    position = next;
  }
  const sound = view.getUint16(end + 8, true) === count && view.getUint32(end + 12, true) === position - start;
  checkFormat(sound, where, () => `damaged ZIP directory: its ${count} entries are not all that it announces`);
  checkApart(view, entries, start, where);
  for (const entry of entries) checkName(view, entry, where); // also of members that are not read: a flipped bit may have turned another name into this one
  return entries;
}

/** Throws ERR_LCONV_FORMAT for an entry that is encrypted, uses an unsupported compression, or announces what deflate cannot expand to. */
export function checkReadable({ name, method, flags, size, compressedSize }: ZipEntry, where: string): void {
  checkFormat((flags & ENCRYPTED) === 0, where, () => `entry "${clip(name)}" is encrypted`);
  checkFormat(method === 0 || method === 8, where, () => `entry "${clip(name)}": expected compression method 0 or 8, got ${method}`);
  checkFormat(
    size <= (method === 0 ? compressedSize : compressedSize * DEFLATE_MOST_RATIO),
    where,
    () => `entry "${clip(name)}" announces ${size} bytes from ${compressedSize}, which is impossible`,
  );
}

/** The contents of one entry, checked against its local header, its size and its CRC-32. Throws ERR_LCONV_FORMAT. */
export function zipContents(bytes: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  checkReadable(entry, where);
  const view = viewOf(bytes);
  checkLocal(view, entry, where);
  const start = dataStart(view, entry.offset);
  const stored = bytes.subarray(start, start + entry.compressedSize);
  const contents = entry.method === 0 ? new Uint8Array(stored) : inflate(stored, entry, where);
  const crc = crc32(contents);
  checkFormat(
    contents.length === entry.size && crc === entry.crc,
    where,
    () =>
      `entry "${clip(entry.name)}" is damaged: expected ${entry.size} bytes with CRC-32 ${hex32(entry.crc)}, got ${contents.length} with ${hex32(crc)}`,
  );
  return contents;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The record stands last, before a comment of at most 65,535 bytes that reaches exactly to the end. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--) {
    if (view.getUint32(at, true) === END && at + 22 + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return -1;
}

function readEntry(view: DataView, at: number, nameLength: number, where: string): ZipEntry {
  const entry = {
    name: nameAt(view, at + CENTRAL_SIZE, nameLength).toString("utf8"),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    compressedSize: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    offset: view.getUint32(at + 42, true),
  };
  const wide = entry.size === WIDE || entry.compressedSize === WIDE || entry.offset === WIDE;
  checkFormat(!wide, where, () => `entry "${clip(entry.name)}" is above 4 GB (ZIP64), which is not read`);
  return entry;
}

/** Each entry takes the bytes from its local header to the end of its data; these lie before the directory and do not overlap. */
function checkApart(view: DataView, entries: readonly ZipEntry[], directory: number, where: string): void {
  let [end, before] = [0, ""];
  for (const { name, offset, compressedSize } of entries.toSorted((a, b) => a.offset - b.offset)) {
    checkFormat(
      offset + LOCAL_SIZE <= directory && view.getUint32(offset, true) === LOCAL,
      where,
      () => `damaged ZIP archive: no entry "${clip(name)}" at byte ${offset}`,
    );
    checkFormat(offset >= end, where, () => `the entries "${clip(before)}" and "${clip(name)}" overlap, which no program writes`);
    end = dataStart(view, offset) + compressedSize;
    checkFormat(
      end <= directory,
      where,
      () => `entry "${clip(name)}" ends at byte ${end}, inside the directory, which begins at ${directory}`,
    );
    before = name;
  }
}

const dataStart = (view: DataView, offset: number): number =>
  offset + LOCAL_SIZE + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);

function checkName(view: DataView, { name, offset }: ZipEntry, where: string): void {
  const local = nameAt(view, offset + LOCAL_SIZE, view.getUint16(offset + 26, true)).toString("utf8");
  checkFormat(local === name, where, () => `damaged ZIP archive: the header of entry "${clip(name)}" contradicts the directory`);
}

/** The local header repeats the directory entry; both must agree, or readers that trust one of them would see different files. */
function checkLocal(view: DataView, entry: ZipEntry, where: string): void {
  const { name, offset } = entry;
  const flags = view.getUint16(offset + 6, true);
  const extra = offset + LOCAL_SIZE + view.getUint16(offset + 26, true);
  const kind = ((flags ^ entry.flags) & ENCRYPTED) === 0 && view.getUint16(offset + 8, true) === entry.method;
  const numbers =
    (flags & SIZES_FOLLOW) !== 0 ||
    (view.getUint32(offset + 14, true) === entry.crc && sameSizes(view, offset, extra, dataStart(view, offset), entry));
  checkFormat(kind && numbers, where, () => `damaged ZIP archive: the header of entry "${clip(name)}" contradicts the directory`);
}

/** NumPy writes the sizes of a local header in 64 bits, as it does not know them when it begins. */
function sameSizes(view: DataView, offset: number, extra: number, end: number, entry: ZipEntry): boolean {
  const [compressedSize, size] = [view.getUint32(offset + 18, true), view.getUint32(offset + 22, true)];
  if (size !== WIDE || compressedSize !== WIDE) return size === entry.size && compressedSize === entry.compressedSize;
  for (let at = extra; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1 || at + 20 > end) continue;
    return view.getBigUint64(at + 4, true) === BigInt(entry.size) && view.getBigUint64(at + 12, true) === BigInt(entry.compressedSize);
  }
  return false;
}

const nameAt = (view: DataView, at: number, length: number): Buffer => Buffer.from(view.buffer, view.byteOffset + at, length);

function inflate(stored: Uint8Array, { name, size }: ZipEntry, where: string): Uint8Array {
  try {
    // One chunk of the announced size: no second copy, and nothing beyond it is ever made.
    const inflated = inflateRawSync(stored, { maxOutputLength: size + 1, chunkSize: Math.max(size + 1, 64) });
    return new Uint8Array(inflated.buffer, inflated.byteOffset, inflated.byteLength);
  } catch (error) {
    throw formatError(where, `entry "${clip(name)}" is damaged: ${(error as Error).message}`, error);
  }
}
