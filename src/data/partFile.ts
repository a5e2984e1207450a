import { createHash } from "node:crypto";
import { createReadStream, existsSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { ioError, readBytes } from "../io/files.js";
import { syncFolder } from "../io/folders.js";
import type { Checksum } from "./catalog.js";

/** Bytes are brought to the disk in portions, as nothing can be answered while many are. */
const SYNC_BYTES = 1 << 24;

/** `<path>.part`, and `<path>.part.json` with the address and validator (ETag or date) of the bytes in it. */
export class PartFile {
  readonly path: string;
  readonly #target: string;
  readonly #note: string;

  constructor(target: string) {
    this.#target = target;
    this.path = `${target}.part`;
    this.#note = `${target}.part.json`;
  }

  get size(): number {
    return existsSync(this.path) ? statSync(this.path).size : 0;
  }

  /** A validator only counts at the address that gave it; elsewhere the checksum alone decides. */
  resumePoint(url: string): { start: number; validator?: string } {
    const start = this.size;
    try {
      const note = JSON.parse(new TextDecoder().decode(readBytes(this.#note))) as { url?: unknown; validator?: unknown };
      return note.url === url && typeof note.validator === "string" ? { start, validator: note.validator } : { start };
    } catch {
      return { start };
    }
  }

  async remember(url: string, validator: string | undefined): Promise<void> {
    await this.#try(async () => writeFileSync(this.#note, JSON.stringify({ url, validator })));
  }

  /** Writes what comes from byte `from` on; `admit` is called with the size that each piece leads to, before it is written. Returns the size in the end. */
  async receive(pieces: AsyncIterable<Buffer>, from: number, admit: (size: number) => void): Promise<number> {
    const file = await this.#try(() => open(this.path, from > 0 ? "r+" : "w"));
    try {
      let [size, synced] = [from, from];
      for await (const piece of pieces) {
        admit(size + piece.length);
        await this.#try(() => writeAll(file, piece, size));
        size += piece.length;
        if (size - synced < SYNC_BYTES) continue;
        await this.#try(() => file.datasync());
        synced = size;
      }
      await this.#try(() => file.sync());
      return size;
    } finally {
      await this.#try(() => file.close());
    }
  }

  /** Gives the file its name. Durable when this returns. */
  async rename(): Promise<void> {
    await this.#try(async () => renameSync(this.path, this.#target));
    rmSync(this.#note, { force: true });
    syncFolder(dirname(this.#target));
  }

  discard(): void {
    rmSync(this.path, { force: true });
    rmSync(this.#note, { force: true });
  }

  async #try<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw ioError("write", this.path, error);
    }
  }
}

async function writeAll(file: FileHandle, piece: Buffer, position: number): Promise<void> {
  for (let done = 0; done < piece.length; ) done += (await file.write(piece, done, piece.length - done, position + done)).bytesWritten;
}

/** The checksum of a file, as lower-case hex. Throws ERR_LCONV_IO, the signal's reason. */
export async function hashFile(path: string, algorithm: Checksum["algorithm"], signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      hash.update(piece as Buffer);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError("read", path, error);
  }
  return hash.digest("hex");
}
