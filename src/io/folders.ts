import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * Makes `path` and what is missing above it, durably, and returns what was made, the uppermost first. Throws the system's error and leaves nothing then.
 * Not mkdir's `recursive`: it says ENOENT on a read-only file system, and on one like /proc it never returns.
 */
export function makeFolder(path: string): string[] {
  const missing: string[] = [];
  for (let at = resolve(path); !isFolder(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  const made: string[] = [];
  try {
    for (const folder of missing) if (makeOne(folder)) made.push(folder);
  } catch (error) {
    removeEmpty(made);
    throw error;
  }
  for (const folder of made) syncFolder(dirname(folder));
  return made;
}

/** False when another process was faster. */
function makeOne(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && isFolder(folder)) return false;
    throw error;
  }
}

/** Removes those of `folders` in which nothing is, the last one first; best effort. */
export function removeEmpty(folders: readonly string[]): void {
  for (const folder of [...folders].reverse()) {
    try {
      rmdirSync(folder);
    } catch {
      // it is not there, or in use
    }
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Best effort: some file systems and Windows cannot sync a folder, and the file itself is safe by now. */
export function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {}
}

/** The name under which `path` is written before it is renamed; lockFile.mjs uses the same pattern. */
export const temporaryName = (path: string, random: string): string => `${path}.${process.pid}-${random}.tmp`;

const litter = /^(.+)\.\d+-[0-9a-f]{8}\.tmp$/;

/** Whether a file is called as those that are renamed once they are whole, `of` one name or any. */
export function isTemporary(name: string, of?: string): boolean {
  const [, target] = litter.exec(name) ?? [];
  return target !== undefined && (of === undefined || target === of);
}

/** Removes the temporary files that killed writers of the files `names` left in `folder`, as far as that is possible, where they are `age` ms old (default: 0). */
export function removeLitterOf(folder: string, names: readonly string[], age = 0): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    if (names.some((of) => isTemporary(name, of)) && !isRecent(path, age)) removeFile(path);
  }
}

function removeFile(path: string): void {
  try {
    if (lstatSync(path).isFile()) rmSync(path, { force: true });
  } catch {}
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isRecent(path: string, age: number): boolean {
  try {
    return Math.abs(Date.now() - lstatSync(path).ctimeMs) < age;
  } catch {
    return true;
  }
}

/** Bytes that are left on the file system of `path`. */
export function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY; // not every file system can tell
  }
}
