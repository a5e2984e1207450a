import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const ELF64_HEADER = 64;
const PT_LOAD = 1;
const SHT_NOBITS = 8;

/** e_machine values of the processors Node runs on, by `process.arch`. */
const machines: Record<number, string> = {
  3: "ia32",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};

/**
 * Why `path` cannot be a shared object for this process, or undefined when its headers are sound.
 * dlopen maps a file by its headers and dies with SIGBUS on pages that a truncated file does not have, so this looks first.
 */
export function elfFault(path: string, arch: string = process.arch): string | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a named pipe must not block
  try {
    const status = fstatSync(file);
    return status.isFile() ? headerFault(file, status.size, arch) : "not a file";
  } finally {
    closeSync(file);
  }
}

function headerFault(file: number, size: number, arch: string): string | undefined {
  const header = readAt(file, 0, ELF64_HEADER);
  if (header.length < ELF64_HEADER) return `corrupted: ${size} bytes are too few for a shared object`;
  if (header.readUInt32BE(0) !== 0x7f454c46) return "corrupted: not a shared object (no ELF magic)";
  if (header[4] !== 2 || header[5] !== 1) return "wrong architecture: not a 64-bit little-endian binary";
  const machine = machines[header.readUInt16LE(18)] ?? `machine ${header.readUInt16LE(18)}`;
  if (machine !== arch) return `wrong architecture: built for ${machine}, this Node is ${arch}`;
  return segmentFault(file, size, header) ?? sectionFault(file, size, header);
}

/** Program headers: e_phoff, e_phentsize, e_phnum. */
function segmentFault(file: number, size: number, header: Buffer): string | undefined {
  const table = readTable(file, size, header.readBigUInt64LE(32), header.readUInt16LE(54), header.readUInt16LE(56), 56);
  if (!table || table.length === 0) return truncated(size);
  for (const entry of table) {
    const end = Number(entry.readBigUInt64LE(8) + entry.readBigUInt64LE(32));
    if (entry.readUInt32LE(0) === PT_LOAD && end > size) return truncated(size, end);
  }
  return undefined;
}

/** Section headers: e_shoff, e_shentsize, e_shnum. They stand last in the file, so they are what a truncated copy lacks. */
function sectionFault(file: number, size: number, header: Buffer): string | undefined {
  const table = readTable(file, size, header.readBigUInt64LE(40), header.readUInt16LE(58), header.readUInt16LE(60), 64);
  if (!table) return truncated(size);
  for (const entry of table) {
    const end = Number(entry.readBigUInt64LE(24) + entry.readBigUInt64LE(32));
    if (entry.readUInt32LE(4) !== SHT_NOBITS && end > size) return truncated(size, end);
  }
  return undefined;
}

function readTable(file: number, size: number, offset: bigint, entrySize: number, count: number, least: number): Buffer[] | undefined {
  if (count === 0) return [];
  if (entrySize < least || offset + BigInt(entrySize * count) > BigInt(size)) return undefined;
  const bytes = readAt(file, Number(offset), entrySize * count);
  if (bytes.length < entrySize * count) return undefined;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * entrySize, (i + 1) * entrySize));
}

function readAt(file: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
}

const truncated = (size: number, needed?: number): string =>
  `corrupted: truncated at ${size} bytes${needed === undefined ? "" : `, its headers name ${needed}`}`;
