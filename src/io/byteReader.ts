import { closeSync, createReadStream, readSync } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { LconvError } from "../errors.js";
import { allocate, checkFormat, formatError, ioError, openFile } from "./files.js";

// A deflate block needs at least 1 bit per literal or 2 bits per 258-byte match.
const DEFLATE_MOST_RATIO = 1032;
const MOST_INFLATED = 2 ** 32;
const FIRST_STEP = 1 << 26;

/** Reads a plain or gzip file from front to back in pieces of the requested sizes, with a buffer of a few hundred KB. */
export class ByteReader {
  readonly path: string;
  /** No more bytes than this come out, whatever a header in the file announces: what deflate can expand to, and at most 4 GiB of gzip data. */
  readonly mostBytes: number;
  readonly #size: number;
  #arrived = 0; // bytes of the stream so far
  readonly #gunzip: Gunzip | undefined;
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #position = 0;

  private constructor(path: string, descriptor: number, size: number, gzip: boolean) {
    this.path = path;
    this.#size = size;
    this.mostBytes = gzip ? Math.min(size * DEFLATE_MOST_RATIO, MOST_INFLATED) : size;
    const file = createReadStream(path, { fd: descriptor, highWaterMark: 1 << 18 }); // which closes it
    this.#gunzip = gzip ? createGunzip({ chunkSize: 1 << 18 }) : undefined;
    this.#stream = this.#gunzip ? pipeline(file, this.#gunzip, () => {}) : file;
    this.#chunks = this.#stream[Symbol.asyncIterator]();
  }

  /** Opens `path`; gzip is known by its first two bytes, not by the name. */
  static open(path: string): ByteReader {
    const { file, size } = openFile(path);
    try {
      return new ByteReader(path, file, size, isGzip(file));
    } catch (error) {
      closeSync(file);
      throw ioError("read", path, error);
    }
  }

  /** Runs `body` on the opened file, demands that it read all of it, and closes it whatever happens. */
  static async readAll<T>(path: string, body: (reader: ByteReader) => Promise<T>): Promise<T> {
    const reader = ByteReader.open(path);
    try {
      const result = await body(reader);
      await reader.end();
      return result;
    } finally {
      reader.close();
    }
  }

  /** Fills `target`; `what` names it in the message when the file ends early. */
  async readInto(target: Uint8Array, what: string): Promise<void> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0 && !(await this.#next())) {
        throw formatError(
          this.path,
          `truncated: expected ${target.length} bytes of ${what} from byte ${this.#position - filled}, got ${filled}; get the file again`,
        );
      }
      filled += this.#take(target, filled);
    }
  }

  /** `count` bytes. Memory grows with what gzip data really hold, so a header that lies costs nothing. */
  async read(count: number, what: string): Promise<Uint8Array> {
    let bytes = allocate(this.#gunzip ? Math.min(count, FIRST_STEP) : count, `${this.path}: ${what}`);
    await this.readInto(bytes, what);
    while (bytes.length < count) {
      const longer = allocate(Math.min(count, bytes.length * 4), `${this.path}: ${what}`);
      longer.set(bytes);
      await this.readInto(longer.subarray(bytes.length), what);
      bytes = longer;
    }
    return bytes;
  }

  /** Up to `most` bytes as they come, a view that lasts until the next call; undefined at the end of the file. */
  async readSome(most: number): Promise<Uint8Array | undefined> {
    if (this.#rest.length === 0 && !(await this.#next())) return undefined;
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    this.#position += piece.length;
    return piece;
  }

  /** Throws ERR_LCONV_FORMAT unless all has been read. */
  async end(): Promise<void> {
    const over = this.#rest.length > 0 || (await this.#next());
    checkFormat(!over, this.path, () => `over-long: expected ${this.#position} bytes, got more; get the file again`);
    const consumed = this.#gunzip?.bytesWritten ?? this.#size;
    checkFormat(
      consumed === this.#size,
      this.path,
      () => `over-long: ${this.#size - consumed} bytes follow the gzip data; get the file again`,
    );
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(target: Uint8Array, offset: number): number {
    const count = Math.min(this.#rest.length, target.length - offset);
    target.set(this.#rest.subarray(0, count), offset);
    this.#rest = this.#rest.subarray(count);
    this.#position += count;
    return count;
  }

  async #next(): Promise<boolean> {
    try {
      const { value, done } = await this.#chunks.next();
      if (done) return false;
      this.#rest = value;
      this.#arrived += value.length;
      checkFormat(this.#arrived <= this.mostBytes, this.path, () => `it holds more than the ${this.mostBytes} bytes that are read at most`);
      return true;
    } catch (error) {
      if (error instanceof LconvError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      if (!code?.startsWith("Z_")) throw ioError("read", this.path, error);
      throw formatError(this.path, `damaged or truncated gzip data after ${this.#position} bytes (${message}); get the file again`, error);
    }
  }
}

function isGzip(file: number): boolean {
  const magic = new Uint8Array(2);
  return readSync(file, magic, 0, 2, 0) === 2 && magic[0] === 0x1f && magic[1] === 0x8b;
}
