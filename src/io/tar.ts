import { setImmediate } from "node:timers/promises";
import { AtomicFile } from "./atomic.js";
import { ByteReader } from "./byteReader.js";
import { checkFormat } from "./files.js";

const BLOCK = 512;
const PIECE = 1 << 18;

/**
 * Extracts the members named in `wanted` (full name in the archive -> path of the file to write) from a .tar or .tar.gz in one pass.
 * Names in the archive never become paths, and a file appears whole or not at all, whoever else extracts it at the same time.
 * Throws ERR_LCONV_FORMAT for a damaged archive or a missing member, ERR_LCONV_IO, the signal's reason.
 */
export async function extractTar(archive: string, wanted: ReadonlyMap<string, string>, signal?: AbortSignal): Promise<void> {
  const missing = new Map(wanted);
  const files: AtomicFile[] = [];
  try {
    await ByteReader.readAll(archive, async (reader) => {
      for (let header = await reader.read(BLOCK, "a tar header"); !isZero(header); header = await reader.read(BLOCK, "a tar header")) {
        signal?.throwIfAborted();
        const { name, size, regular } = readHeader(header, archive);
        const target = regular ? missing.get(name) : undefined;
        if (target !== undefined) {
          files.push(new AtomicFile(target));
          missing.delete(name);
        }
        await copyMember(reader, size, target === undefined ? undefined : files.at(-1), signal);
      }
      while (await reader.readSome(PIECE)) signal?.throwIfAborted(); // padding after the end mark
    });
    checkFormat(
      missing.size === 0,
      archive,
      () => `expected the members ${[...missing.keys()].join(", ")}, which the archive does not hold`,
    );
    for (const file of files) {
      file.commit(); // not before the checksum of the gzip data has been seen
      await setImmediate(); // a file takes a while to reach the disk, and an abort cannot come meanwhile
      signal?.throwIfAborted();
    }
  } finally {
    for (const file of files) file.abort();
  }
}

interface Member {
  name: string;
  size: number;
  regular: boolean;
}

function readHeader(block: Uint8Array, archive: string): Member {
  const header = Buffer.from(block.buffer, block.byteOffset, BLOCK);
  // The checksum counts its own eight bytes as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  checkFormat(octal(header, 148, 8) === sum, archive, () => "damaged tar archive: the checksum of a header is wrong");
  const ustar = text(header, 257, 6).startsWith("ustar");
  const prefix = ustar && header[257 + 5] === 0 ? text(header, 345, 155) : "";
  const size = octal(header, 124, 12);
  checkFormat(Number.isSafeInteger(size), archive, () => "a tar header has a size that is not an octal number");
  const name = text(header, 0, 100);
  return { name: prefix ? `${prefix}/${name}` : name, size, regular: header[156] === 0 || header[156] === 48 };
}

async function copyMember(reader: ByteReader, size: number, file: AtomicFile | undefined, signal: AbortSignal | undefined): Promise<void> {
  for (let left = size; left > 0; ) {
    signal?.throwIfAborted();
    const piece = (await reader.readSome(left)) ?? (await reader.read(1, "a tar member"));
    file?.write(piece);
    left -= piece.length;
  }
  await reader.read((BLOCK - (size % BLOCK)) % BLOCK, "tar padding");
}

const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

const text = (header: Buffer, start: number, length: number): string => header.toString("latin1", start, start + length).split("\0", 1)[0];

function octal(header: Buffer, start: number, length: number): number {
  const digits = text(header, start, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}
