import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { defined } from "../defined.js";
import { check, checkOptions, LconvError, type OptionNames } from "../errors.js";
import { ioError } from "../io/files.js";
import { makeFolder } from "../io/folders.js";
import type { Checksum } from "./catalog.js";
import { doOnce } from "./doOnce.js";
import { openHttpAgent } from "./httpAgent.js";
import { type DownloadLimits, downloadLimits } from "./limits.js";
import { PartFile } from "./partFile.js";
import { fetchOnce, Passing, Refused, type Transfer } from "./transfer.js";

/** How far a download is. */
export interface DownloadProgress {
  /** Bytes so far. */
  received: number;
  /** Bytes of the file, if the size is known or the server states it. */
  total?: number;
}

/** Options of download. */
export interface DownloadOptions extends DownloadLimits {
  /** Called as bytes arrive. */
  onProgress?: (progress: DownloadProgress) => void;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
  /** Size of the file in bytes, if it is known; a file of another size is refused. */
  size?: number;
  /** Retries at each address after lost connections and answers 5xx. Default 4. */
  retries?: number;
  /** Milliseconds before the first retry, doubled for each further one. Default 500. */
  backoff?: number;
  /** Milliseconds to connect. Default 10,000. */
  connectTimeout?: number;
  /** Milliseconds without a byte, or, once connected, without an answer. Default 30,000. */
  idleTimeout?: number;
}

export const downloadOptions: OptionNames<DownloadOptions> = {
  ...{ onProgress: 1, signal: 1, size: 1, retries: 1, backoff: 1, connectTimeout: 1, idleTimeout: 1 },
  ...{ maxBytes: 1, minRate: 1, rateWindow: 1 },
};

/**
 * Downloads a file from the first of `urls` that serves it, through HTTP_PROXY, HTTPS_PROXY and NO_PROXY if they are set. The bytes go to
 * `<path>.part`, which a later call resumes; the file gets its name once its checksum is right. Nothing is done if `path` exists. Of
 * several calls for one path, in whatever processes, one downloads, and the others wait for it and report its progress.
 * Throws ERR_LCONV_DOWNLOAD (all addresses failed, too large, wrong checksum), ERR_LCONV_IO (also for a full disk, before it begins if the
 * size is known), ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION, or the reason of `signal`.
 */
export async function download(urls: readonly string[], path: string, checksum: Checksum, options: DownloadOptions = {}): Promise<void> {
  checkOptions("download", options, downloadOptions);
  await downloadOnce(path, [path], options, (signal) => receiveFile(urls, path, checksum, { ...options, signal }));
}

/** Does `work`, which makes the files `made` of the download `path`, as doOnce does; who waits reports how far the download is. */
export async function downloadOnce(
  path: string,
  made: readonly string[],
  { onProgress, size, signal }: DownloadOptions,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const isDone = (): boolean => made.every((file) => existsSync(file));
  if (isDone()) return;
  signal?.throwIfAborted();
  prepareFolder(dirname(path));
  const part = new PartFile(path);
  const onWait = (): void => onProgress?.({ received: part.size, ...defined({ total: size }) });
  await doOnce(`${path}.lock`, { isDone, work, onWait }, signal);
}

/** Downloads a file as `download` does, without sharing it with other processes. */
export async function receiveFile(urls: readonly string[], path: string, checksum: Checksum, options: DownloadOptions): Promise<void> {
  if (existsSync(path)) return;
  const { connectTimeout = 10_000, idleTimeout = 30_000, size, onProgress, signal = new AbortController().signal } = options;
  const limits = downloadLimits(options);
  const answerTimeout = Math.min(connectTimeout + idleTimeout, 2 ** 31 - 1); // no timer is longer
  check(
    size === undefined || size <= limits.maxBytes,
    "ERR_LCONV_DOWNLOAD",
    () => `${path} has ${size} bytes, at most ${limits.maxBytes} are allowed (maxBytes, LCONV_DOWNLOAD_MAX_BYTES)`,
  );
  const report = (received: number, total: number | undefined): void => onProgress?.({ received, ...defined({ total }) });
  const agent = await openHttpAgent(connectTimeout, idleTimeout);
  try {
    await fromFirst(urls, { path, checksum, size, ...limits, answerTimeout, report, signal, dispatcher: agent.dispatcher }, options);
  } finally {
    await agent.close();
  }
}

type Retries = Pick<DownloadOptions, "retries" | "backoff">;

async function fromFirst(urls: readonly string[], transfer: Transfer, retries: Retries): Promise<void> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return await withRetries(url, transfer, retries);
    } catch (error) {
      if (!(error instanceof Refused || error instanceof Passing)) throw error;
      failures.push(`  - ${url}: ${error.message}`);
    }
  }
  const advice = `check the connection (HTTPS_PROXY is ${(process.env["HTTPS_PROXY"] ?? process.env["https_proxy"]) ? "set" : "not set"}), or put the file at ${transfer.path} by hand`;
  throw new LconvError("ERR_LCONV_DOWNLOAD", `cannot download ${transfer.path}:\n${failures.join("\n")}\n${advice}`);
}

async function withRetries(url: string, transfer: Transfer, { retries = 4, backoff = 500 }: Retries): Promise<void> {
  const { signal } = transfer;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce(url, transfer);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Passing) || attempt >= retries) throw error;
      await setTimeout(backoff * 2 ** attempt * (1 + 0.25 * Math.random()), undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

function prepareFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (error) {
    throw ioError("create", folder, error);
  }
}
