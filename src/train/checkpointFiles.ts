import { existsSync, rmSync } from "node:fs";
import { join, parse } from "node:path";
import { LconvError } from "../errors.js";
import { DamagedFile, ioError } from "../io/files.js";
import { readSafetensors, type SafetensorsFile, type TensorToWrite, writeSafetensors } from "../io/safetensors.js";

/** What happens to the file that a checkpoint replaces. last: it becomes the previous one; previous: the previous one stays; none: both go. */
export type Kept = "last" | "previous" | "none";

/** Where the checkpoint before the last one is: `c.previous.safetensors` for `c.safetensors`. */
export function previousOf(path: string): string {
  const { dir, name, ext } = parse(path);
  return join(dir, `${name}.previous${ext}`);
}

/**
 * Writes a checkpoint so that at every moment one of the two files is whole, whenever the process ends: "last" is right when the file at `path` is known
 * to be whole and of this run, "previous" when it is damaged and "none" when it is another run's. Throws ERR_LCONV_IO.
 */
export function writeCheckpoint(
  path: string,
  tensors: Iterable<readonly [string, TensorToWrite]>,
  metadata: Record<string, string>,
  kept: Kept,
): void {
  writeSafetensors(path, tensors, metadata, { keep: kept === "last" ? previousOf(path) : undefined });
  if (kept === "none") remove(previousOf(path));
}

export interface FoundCheckpoint {
  path: string;
  file: SafetensorsFile;
  /** Why the newest one was not taken, where this is the one before it. */
  damage?: LconvError;
}

/**
 * The newest checkpoint at `path` that is whole; undefined when there is none. Which run it belongs to is not checked here.
 * Throws ERR_LCONV_IO naming both when both are damaged, and when one cannot be read for other reasons.
 */
export function findCheckpoint(path: string): FoundCheckpoint | undefined {
  const previous = previousOf(path);
  if (!existsSync(path) && !existsSync(previous)) return undefined;
  try {
    return { path, file: readSafetensors(path) };
  } catch (damage) {
    if (!isDamage(damage) || !existsSync(previous)) throw damage;
    return { path: previous, file: readPrevious(previous, damage), damage };
  }
}

/** Where the newest whole checkpoint at `path` is; undefined when there is none. */
export function wholeCheckpoint(path: string): string | undefined {
  try {
    return findCheckpoint(path)?.path;
  } catch {
    return undefined;
  }
}

function readPrevious(path: string, damage: LconvError): SafetensorsFile {
  try {
    return readSafetensors(path);
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new LconvError(
      "ERR_LCONV_IO",
      `neither checkpoint can be read: ${damage.message}. And ${error.message}. Begin the run again, in another folder`,
      { cause: damage },
    );
  }
}

/** Whether another file may be better: this one is broken, or missing (killed where files have one name only), or the disk cannot read it. */
function isDamage(error: unknown): error is LconvError {
  if (!(error instanceof LconvError)) return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return error instanceof DamagedFile || error.code === "ERR_LCONV_FORMAT" || code === "ENOENT" || code === "EIO";
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw ioError("remove", path, error);
  }
}
