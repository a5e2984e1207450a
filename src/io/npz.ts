import { type Zippable, zip, zipSync } from "fflate";
import { check, clip } from "../errors.js";
import { writeAtomic } from "./atomic.js";
import { checkFormat, readBytes } from "./files.js";
import { type ArrayToWrite, decodeNpy, encodeNpy, type NpyArray } from "./npy.js";
import { checkReadable, type ZipEntry, zipContents, zipEntries } from "./zip.js";

/** Options of readNpz. */
export interface NpzReadOptions {
  /** Names of the arrays to read, without ".npy"; those that are missing are left out. Default: all. */
  names?: readonly string[];
  /** The most bytes of all arrays together once inflated. Default 4 GiB. */
  maxBytes?: number;
}

const MOST_BYTES = 2 ** 32;
const MOST_NAME = 4096; // V8 hashes strings above 16,383 characters by their length alone, so a map of them is quadratic

/** A NumPy .npz archive whose arrays are inflated when they are requested. Names are without ".npy"; other members are ignored. */
export class NpzArchive {
  readonly #bytes: Uint8Array;
  readonly #where: string;
  readonly #maxBytes: number;
  readonly #entries = new Map<string, ZipEntry>();
  #announced = 0; // bytes of the arrays read so far

  /**
   * `where` names the bytes in errors; `maxBytes` is the most that is inflated in all (default 4 GiB). Throws ERR_LCONV_FORMAT, also for a
   * name that occurs twice and for members that overlap.
   */
  constructor(bytes: Uint8Array, where = ".npz data", maxBytes = MOST_BYTES) {
    [this.#bytes, this.#where, this.#maxBytes] = [bytes, where, maxBytes];
    for (const entry of zipEntries(bytes, where)) {
      if (!entry.name.endsWith(".npy")) continue;
      const name = entry.name.slice(0, -4);
      checkFormat(
        name.length <= MOST_NAME,
        where,
        () => `the name "${clip(name)}" has ${name.length} characters, at most ${MOST_NAME} are read`,
      );
      checkFormat(!this.#entries.has(name), where, () => `it holds the array "${clip(name)}" twice`);
      this.#entries.set(name, entry);
    }
  }

  /** The archive in a file. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
  static open(path: string): NpzArchive {
    return new NpzArchive(readBytes(path), path);
  }

  /** Names of the arrays. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Whether there is an array of this name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Reads an array; undefined if there is none of this name. Throws ERR_LCONV_FORMAT, also beyond `maxBytes`. */
  get(name: string): NpyArray | undefined {
    return this.read([name]).get(name);
  }

  /** Those of the arrays `names` that exist, by name. Nothing is inflated unless all of them fit into `maxBytes`. Throws as `get` does. */
  read(names: readonly string[]): Map<string, NpyArray> {
    const wanted = [...new Set(names)].flatMap((name) => {
      const entry = this.#entries.get(name);
      return entry ? [[name, entry] as const] : [];
    });
    for (const [, entry] of wanted) checkReadable(entry, this.#where);
    const announced = wanted.reduce((sum, [, { size }]) => sum + size, this.#announced);
    checkFormat(
      announced <= this.#maxBytes,
      this.#where,
      () => `the arrays asked for announce ${announced} bytes, at most ${this.#maxBytes} are allowed (maxBytes)`,
    );
    this.#announced = announced;
    return new Map(
      wanted.map(([name, entry]) => [
        name,
        decodeNpy(zipContents(this.#bytes, entry, this.#where), `${this.#where} (${clip(entry.name)})`),
      ]),
    );
  }
}

/**
 * Reads a NumPy .npz archive, stored or deflated, by name; names are without ".npy", other members are ignored. Throws ERR_LCONV_IO,
 * ERR_LCONV_FORMAT.
 */
export const readNpz = (path: string, options: NpzReadOptions = {}): Map<string, NpyArray> => decodeNpz(readBytes(path), path, options);

/** As `readNpz` on bytes; `where` names them in errors. Throws ERR_LCONV_FORMAT. */
export function decodeNpz(bytes: Uint8Array, where = ".npz data", { names, maxBytes }: NpzReadOptions = {}): Map<string, NpyArray> {
  const archive = new NpzArchive(bytes, where, maxBytes);
  return archive.read(names ?? archive.names);
}

/**
 * Writes a .npz archive atomically, deflated if `compress` (default false).
 * Throws ERR_LCONV_SHAPE, ERR_LCONV_DTYPE, ERR_LCONV_ARGUMENT for a name that occurs twice, ERR_LCONV_IO.
 */
export function writeNpz(path: string, arrays: Iterable<readonly [string, ArrayToWrite]>, compress = false): void {
  writeAtomic(path, encodeNpz(arrays, compress));
}

/** The bytes that `writeNpz` writes; the same arrays give the same bytes. Throws as it does but for ERR_LCONV_IO. */
export const encodeNpz = (arrays: Iterable<readonly [string, ArrayToWrite]>, compress = false): Uint8Array =>
  zipSync(membersOf(arrays), zipOptions(compress));

/** The same, deflated, on threads of its own while the event loop is free. Throws the reason of `signal`. */
export function deflateNpz(arrays: Iterable<readonly [string, ArrayToWrite]>, signal: AbortSignal): Promise<Uint8Array> {
  const members = membersOf(arrays);
  return new Promise((done, fail) => {
    signal.throwIfAborted();
    const stop = (): void => {
      terminate();
      fail(signal.reason);
    };
    const terminate = zip(members, zipOptions(true), (error, bytes) => {
      signal.removeEventListener("abort", stop);
      if (error) fail(error);
      else done(bytes);
    });
    signal.addEventListener("abort", stop, { once: true });
  });
}

const zipOptions = (compress: boolean): { level: 0 | 6; mtime: Date } => ({ level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) });

function membersOf(arrays: Iterable<readonly [string, ArrayToWrite]>): Zippable & Record<string, Uint8Array> {
  const members: Record<string, Uint8Array> = {};
  for (const [name, array] of arrays) {
    check(!Object.hasOwn(members, `${name}.npy`), "ERR_LCONV_ARGUMENT", () => `.npz: the name "${name}" is used twice`);
    members[`${name}.npy`] = encodeNpy(array);
  }
  return members;
}
