import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { check, clip, LconvError } from "../errors.js";

/** What a system error code means for the user who has to act on it. */
const reasons: Record<string, string> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied; choose a place this user may use, or change its permissions",
  EPERM: "operation not permitted; choose a place this user may use, or change its permissions",
  EROFS: "the file system is read-only; choose another place",
  ENOSPC: "no space left on the device; free some space or choose another place",
  EDQUOT: "the disk quota is used up; free some space or choose another place",
  EISDIR: "it is a folder, a file was expected",
  ENOTDIR: "a part of the path is a file, a folder was expected",
  EEXIST: "a file of this name stands in the way",
  EMFILE: "too many open files; raise `ulimit -n`",
  EIO: "the device reported an input/output error",
};

/** The ERR_LCONV_IO for a failed `action` ("read", "write", "create") on `path`. An LconvError passes through unchanged. */
export function ioError(action: string, path: string, cause: unknown): LconvError {
  if (cause instanceof LconvError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const reason = (code !== undefined && reasons[code]) || (cause instanceof Error ? cause.message : String(cause));
  return new LconvError("ERR_LCONV_IO", `cannot ${action} ${path}: ${reason}${code ? ` (${code})` : ""}`, { cause });
}

/** The ERR_LCONV_FORMAT for a file that is not what it should be. */
export const formatError = (where: string, problem: string, cause?: unknown): LconvError =>
  new LconvError("ERR_LCONV_FORMAT", `${where}: ${problem}`, cause === undefined ? undefined : { cause });

/** The ERR_LCONV_IO for a file that is no longer what was written: a checksum does not match, or nothing can be made of it. */
export class DamagedFile extends LconvError {
  constructor(where: string, problem: string, cause?: unknown) {
    const advice = "the file has changed since it was written; take a copy of it, or make it again";
    super("ERR_LCONV_IO", `${where}: ${problem}; ${advice}`, cause === undefined ? undefined : { cause });
  }
}

/** A name or value that a file made, as messages show it: as JSON, clipped. */
export const quote = (value: unknown): string => clip(JSON.stringify(typeof value === "string" ? value.slice(0, 100) : value) ?? "nothing");

/** Throws ERR_LCONV_FORMAT unless `ok`. */
export function checkFormat(ok: boolean, where: string, problem: () => string): asserts ok {
  if (!ok) throw formatError(where, problem());
}

/** The descriptor of a file to read, and its size in bytes. Throws ERR_LCONV_IO, also for what is no file: a folder, a named pipe, a device. */
export function openFile(path: string): { file: number; size: number } {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // without the latter, a named pipe blocks until somebody writes
    const status = fstatSync(file);
    check(status.isFile(), "ERR_LCONV_IO", () => `cannot read ${path}: it is not a file`);
    return { file, size: status.size };
  } catch (error) {
    if (file !== undefined) closeSync(file);
    throw ioError("read", path, error);
  }
}

/** The whole file in an array of its own, so that typed views at multiples of 8 are aligned. Throws ERR_LCONV_IO. */
export function readBytes(path: string): Uint8Array {
  const { file, size } = openFile(path);
  try {
    return readFully(file, size);
  } catch (error) {
    throw ioError("read", path, error);
  } finally {
    closeSync(file);
  }
}

// Not readFileSync: it stops at 2 GiB.
function readFully(file: number, size: number): Uint8Array {
  const bytes = allocate(size, "the file");
  let filled = 0;
  while (filled < size) {
    const got = readSync(file, bytes, filled, Math.min(size - filled, 2 ** 30), filled);
    if (got === 0) break;
    filled += got;
  }
  return filled === size ? bytes : bytes.slice(0, filled);
}

/** The number of elements of `shape`; NaN or Infinity when it is beyond counting. */
export const product = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1);

/** `size` zero bytes. Throws ERR_LCONV_OOM, naming `what` they are for. */
export function allocate(size: number, what: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (error) {
    throw new LconvError("ERR_LCONV_OOM", `no memory for ${size} bytes of ${what}`, { cause: error });
  }
}
