import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { check, LconvError } from "../errors.js";

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

/** Throws ERR_LCONV_FORMAT unless `ok`. */
export function checkFormat(ok: boolean, where: string, problem: () => string): asserts ok {
  if (!ok) throw formatError(where, problem());
}

/** The whole file in an array of its own, so that typed views at multiples of 8 are aligned. Throws ERR_LCONV_IO. */
export function readBytes(path: string): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const status = fstatSync(file);
    check(status.isFile(), "ERR_LCONV_IO", () => `cannot read ${path}: it is not a file`);
    return readFully(file, status.size);
  } catch (error) {
    throw ioError("read", path, error);
  } finally {
    if (file !== undefined) closeSync(file);
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
