import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ioError } from "./files.js";

/** Writes `parts` to `path` so that a reader sees the old file or the whole new one, never a piece. Makes the folder. Throws ERR_LCONV_IO. */
export function writeAtomic(path: string, parts: string | Uint8Array | Iterable<Uint8Array>): void {
  const file = new AtomicFile(path);
  try {
    if (typeof parts === "string") file.write(Buffer.from(parts));
    else if (parts instanceof Uint8Array) file.write(parts);
    else for (const part of parts) file.write(part);
    file.commit();
  } finally {
    file.abort();
  }
}

/** A file written beside its final name and renamed by `commit()`; `abort()` removes it and does nothing after a commit. */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  #file: number | undefined;

  constructor(path: string) {
    this.path = path;
    this.#temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
    this.#attempt(() => {
      mkdirSync(dirname(path), { recursive: true });
      this.#file = openSync(this.#temporary, "wx");
    });
  }

  write(bytes: Uint8Array): void {
    this.#attempt((file) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30));
    });
  }

  /** Data reach the disk before the name does, and the name before this returns. */
  commit(): void {
    this.#attempt((file) => {
      fsyncSync(file);
      closeSync(file);
      this.#file = undefined;
      renameSync(this.#temporary, this.path);
    });
    syncFolder(dirname(this.path));
  }

  abort(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    remove(this.#temporary);
  }

  #attempt(action: (file: number) => void): void {
    try {
      action(this.#file ?? -1);
    } catch (error) {
      this.abort();
      remove(this.#temporary);
      throw ioError("write", this.path, error);
    }
  }
}

/** Best effort: the error that led here is the one to tell. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

/** Best effort: some file systems and Windows cannot sync a folder, and the file itself is safe by now. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {}
}
