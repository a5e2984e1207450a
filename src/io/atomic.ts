import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ioError } from "./files.js";
import { makeFolder, syncFolder, temporaryName } from "./folders.js";

/** What happens to the file that is replaced. */
export interface AtomicOptions {
  /** The name under which the old file stays, if there is one; a file of that name is replaced. Default: it does not stay. */
  keep?: string | undefined;
}

/**
 * Writes `parts` to `path` so that a reader sees the old file or the whole new one, never a piece. Makes the folder. Throws ERR_LCONV_IO.
 */
export function writeAtomic(path: string, parts: string | Uint8Array | Iterable<Uint8Array>, options: AtomicOptions = {}): void {
  const file = new AtomicFile(path);
  try {
    if (typeof parts === "string") file.write(Buffer.from(parts));
    else if (parts instanceof Uint8Array) file.write(parts);
    else for (const part of parts) file.write(part);
    file.commit(options);
  } finally {
    file.abort();
  }
}

/** A file written beside its final name and renamed by `commit()`; `abort()` removes it and does nothing after a commit. */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  #file: number | undefined;
  #ended = false;

  constructor(path: string) {
    this.path = path;
    this.#temporary = temporaryName(path, randomBytes(4).toString("hex"));
    this.#attempt(() => {
      makeFolder(dirname(path));
      this.#file = openSync(this.#temporary, "wx");
    });
  }

  write(bytes: Uint8Array): void {
    this.#attempt((file) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30));
    });
  }

  /** Data reach the disk before the name does, and the name before this returns. */
  commit({ keep }: AtomicOptions = {}): void {
    this.#attempt((file) => {
      fsyncSync(file);
      this.#close();
      if (keep !== undefined) keepOld(this.path, keep);
      renameSync(this.#temporary, this.path);
      this.#ended = true;
    });
    syncFolder(dirname(this.path));
  }

  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#close();
    } catch {
      // the data are not wanted
    }
    remove(this.#temporary);
  }

  /** Once, also where it fails: by then the number may be another file's. */
  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file);
  }

  #attempt(action: (file: number) => void): void {
    try {
      action(this.#file ?? -1);
    } catch (error) {
      this.abort();
      throw ioError("write", this.path, error);
    }
  }
}

/** What link() says where the file system, or the number of links, does not allow it. */
const noLinks: readonly unknown[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** `path` gets the second name `keep`; where files have one name only, that name, until the new file comes. */
function keepOld(path: string, keep: string): void {
  try {
    rmSync(keep, { force: true });
    linkSync(path, keep);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (noLinks.includes(code)) renameSync(path, keep);
    else if (code !== "ENOENT") throw error;
  }
}

/** Best effort: the error that led here is the one to report. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
