import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { LconvError } from "../errors.js";
import { ioError } from "../io/files.js";
import type { Checksum } from "./catalog.js";
import { openHttpAgent } from "./httpAgent.js";

export interface DownloadProgress {
  received: number;
  total?: number; // when the server says so
}

export interface DownloadOptions {
  onProgress?: (progress: DownloadProgress) => void;
  signal?: AbortSignal;
  retries?: number; // after lost connections and 5xx, for each address; default 4
  backoff?: number; // ms before the first retry, doubled each time; default 500
  connectTimeout?: number; // ms to connect; default 10,000
  idleTimeout?: number; // ms without a byte; default 30,000
}

/** A failure that another attempt may mend. */
class Passing extends Error {}

/** A failure of this address: another one may do. */
class Refused extends Error {}

/**
 * Downloads a file from the first of `urls` that gives it, through HTTP_PROXY, HTTPS_PROXY and NO_PROXY where set. The bytes go to `<path>.part`,
 * which a later call resumes; the file gets its name once its checksum is right. Nothing is done when `path` is there.
 * Throws ERR_LCONV_DOWNLOAD (all addresses failed, wrong checksum), ERR_LCONV_IO, or the signal's reason.
 */
export async function download(urls: readonly string[], path: string, checksum: Checksum, options: DownloadOptions = {}): Promise<void> {
  if (existsSync(path)) return;
  options.signal?.throwIfAborted();
  const { connectTimeout = 10_000, idleTimeout = 30_000 } = options;
  const agent = await openHttpAgent(connectTimeout, idleTimeout);
  try {
    makeFolder(dirname(path));
    await fromFirst(urls, { path, checksum, options, dispatcher: agent.dispatcher });
  } finally {
    await agent.close();
  }
}

/** The checksum of a file, as lower-case hex. Throws ERR_LCONV_IO. */
export async function hashFile(path: string, algorithm: Checksum["algorithm"]): Promise<string> {
  const hash = createHash(algorithm);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw ioError("read", path, error);
  }
  return hash.digest("hex");
}

interface Task {
  path: string;
  checksum: Checksum;
  options: DownloadOptions;
  dispatcher: Dispatcher;
}

async function fromFirst(urls: readonly string[], task: Task): Promise<void> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return await withRetries(url, task);
    } catch (error) {
      if (!(error instanceof Refused || error instanceof Passing)) throw error;
      failures.push(`  - ${url}: ${error.message}`);
    }
  }
  const advice = `check the connection (HTTPS_PROXY is ${(process.env["HTTPS_PROXY"] ?? process.env["https_proxy"]) ? "set" : "not set"}), or put the file at ${task.path} by hand`;
  throw new LconvError("ERR_LCONV_DOWNLOAD", `cannot download ${task.path}:\n${failures.join("\n")}\n${advice}`);
}

async function withRetries(url: string, task: Task): Promise<void> {
  const { retries = 4, backoff = 500, signal } = task.options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce(url, task);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Passing) || attempt >= retries) throw error;
      await setTimeout(backoff * 2 ** attempt * (1 + 0.25 * Math.random()), undefined, signal ? { signal } : {}).catch(() =>
        signal?.throwIfAborted(),
      );
    }
  }
}

/** One request, from where the part file ends; then the check and the rename. */
async function fetchOnce(url: string, task: Task): Promise<void> {
  const part = new PartFile(task.path);
  const { start, validator } = part.resumePoint(url);
  const { response, body } = await request(url, start, validator, task);
  const resumed = response.statusCode === 206 && rangeStart(response) === start;
  if (start > 0 && !resumed && response.statusCode !== 200) {
    drop(body);
    // A part that is whole already, left by a process that was killed before its rename, has nothing to continue.
    if ((await hashFile(part.path, task.checksum.algorithm)) === task.checksum.hex) return part.rename();
    part.discard();
    throw new Passing(`it cannot continue at byte ${start} (HTTP ${response.statusCode})`);
  }
  const from = resumed ? start : 0;
  part.remember(url, response);
  await part.receive(body, from, totalSize(response, from), task.options);
  await finish(part, task, resumed);
}

interface Answer {
  response: Dispatcher.ResponseData;
  body: Dispatcher.ResponseData["body"];
}

async function request(url: string, start: number, validator: string | undefined, { dispatcher, options }: Task): Promise<Answer> {
  const { request } = await import("undici");
  const headers: Record<string, string> = { "user-agent": "lconv", "accept-encoding": "identity" };
  if (start > 0) headers["range"] = `bytes=${start}-`;
  if (start > 0 && validator) headers["if-range"] = validator;
  let response: Dispatcher.ResponseData;
  try {
    response = await request(url, { dispatcher, headers, signal: options.signal ?? null });
  } catch (error) {
    throw passing(error);
  }
  const { statusCode, body } = response;
  if (statusCode === 200 || statusCode === 206 || (statusCode === 416 && start > 0)) return { response, body };
  drop(body);
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429) throw new Passing(`HTTP ${statusCode}`);
  throw new Refused(`HTTP ${statusCode}`);
}

/** An answer nobody reads holds its connection, and tells of its end by an error. */
const drop = (body: Answer["body"]): void => void body.on("error", () => {}).destroy();

/** The checksum settles whether a resumed file fits together. A wrong one that was resumed gets another try from nothing. */
async function finish(part: PartFile, { path, checksum }: Task, resumed: boolean): Promise<void> {
  const got = await hashFile(part.path, checksum.algorithm);
  if (got === checksum.hex) return part.rename();
  part.discard();
  if (resumed) throw new Passing("the continued file has the wrong checksum");
  throw new LconvError(
    "ERR_LCONV_DOWNLOAD",
    `${path}: wrong checksum: expected ${checksum.algorithm} ${checksum.hex}, got ${got}; the download was deleted, try again later or put the file there by hand`,
  );
}

/** `<path>.part`, and `<path>.part.json` with the address and validator (ETag or date) of the bytes in it. */
class PartFile {
  readonly path: string;
  readonly #target: string;
  readonly #note: string;

  constructor(target: string) {
    this.#target = target;
    this.path = `${target}.part`;
    this.#note = `${target}.part.json`;
  }

  /** A validator only counts at the address that gave it; elsewhere the checksum alone decides. */
  resumePoint(url: string): { start: number; validator?: string } {
    const start = existsSync(this.path) ? statSync(this.path).size : 0;
    try {
      const note = JSON.parse(readFileSync(this.#note, "utf8")) as { url?: unknown; validator?: unknown };
      return note.url === url && typeof note.validator === "string" ? { start, validator: note.validator } : { start };
    } catch {
      return { start };
    }
  }

  remember(url: string, { headers }: Dispatcher.ResponseData): void {
    const etag = headers["etag"];
    const validator = typeof etag === "string" && !etag.startsWith("W/") ? etag : headers["last-modified"];
    this.#attempt(() => writeFileSync(this.#note, JSON.stringify({ url, validator })));
  }

  async receive(
    body: AsyncIterable<Buffer>,
    from: number,
    total: number | undefined,
    { onProgress, signal }: DownloadOptions,
  ): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(this.path, from > 0 ? "r+" : "w");
    } catch (error) {
      throw ioError("write", this.path, error);
    }
    try {
      const received = await this.#copy(body, file, from, (count) =>
        onProgress?.({ received: count, ...(total !== undefined && { total }) }),
      );
      if (total !== undefined && received !== total) throw new Passing(`the connection was cut at byte ${received} of ${total}`);
      await file.sync();
    } catch (error) {
      signal?.throwIfAborted();
      throw passing(error);
    } finally {
      await file.close();
    }
  }

  async #copy(body: AsyncIterable<Buffer>, file: FileHandle, from: number, report: (received: number) => void): Promise<number> {
    let received = from;
    report(received);
    for await (const chunk of body) {
      try {
        await file.write(chunk, 0, chunk.length, received);
      } catch (error) {
        throw ioError("write", this.path, error);
      }
      received += chunk.length;
      report(received);
    }
    return received;
  }

  rename(): void {
    this.#attempt(() => renameSync(this.path, this.#target));
    rmSync(this.#note, { force: true });
  }

  discard(): void {
    rmSync(this.path, { force: true });
    rmSync(this.#note, { force: true });
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw ioError("write", this.path, error);
    }
  }
}

/** Connection failures may pass, an LconvError may not. (An abort is known by the signal: undici calls refusals of a proxy so, too.) */
function passing(error: unknown): Error {
  if (error instanceof LconvError || error instanceof Passing || error instanceof Refused) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new Passing(code && !message.includes(code) ? `${message} (${code})` : message || String(code), { cause: error });
}

function rangeStart({ headers }: Dispatcher.ResponseData): number {
  return Number(/^bytes (\d+)-/.exec(String(headers["content-range"] ?? ""))?.[1] ?? Number.NaN);
}

function totalSize({ headers }: Dispatcher.ResponseData, from: number): number | undefined {
  const length = Number(headers["content-length"] ?? Number.NaN);
  return Number.isSafeInteger(length) ? from + length : undefined;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw ioError("create", folder, error);
  }
}
