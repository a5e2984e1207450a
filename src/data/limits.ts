import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { check, LconvError } from "../errors.js";

/** The largest size and the least speed of a download. */
export interface DownloadLimits {
  /** The most bytes of a file. Default: LCONV_DOWNLOAD_MAX_BYTES, else 4 GiB. */
  maxBytes?: number;
  /** The least bytes per second on average over `rateWindow`; 0 for no limit. Default: LCONV_DOWNLOAD_MIN_RATE, else 1000. */
  minRate?: number;
  /** In milliseconds. Default 30,000. */
  rateWindow?: number;
}

/** The limits in force. Throws ERR_LCONV_ARGUMENT for one that is no such number, also in the environment. */
export function downloadLimits({ maxBytes, minRate, rateWindow = 30_000 }: DownloadLimits = {}): Required<DownloadLimits> {
  checkNumber("rateWindow", rateWindow, 1);
  return {
    maxBytes: maxBytes === undefined ? setting("LCONV_DOWNLOAD_MAX_BYTES", 1, 2 ** 32) : checkNumber("maxBytes", maxBytes, 1),
    minRate: minRate === undefined ? setting("LCONV_DOWNLOAD_MIN_RATE", 0, 1000) : checkNumber("minRate", minRate, 0),
    rateWindow,
  };
}

function setting(name: string, least: number, normal: number): number {
  const text = process.env[name];
  return text === undefined || text === "" ? normal : checkNumber(name, Number(text), least, text);
}

function checkNumber(name: string, value: number, least: number, given: unknown = value): number {
  check(value >= least, "ERR_LCONV_ARGUMENT", () => `download: ${name} must be a number from ${least} on, got ${JSON.stringify(given)}`);
  return value;
}

/** Throws ERR_LCONV_IO unless the file system of `path` has room for `bytes`. */
export function checkSpace(path: string, bytes: number): void {
  const free = freeBytes(path);
  if (free >= bytes) return;
  throw new LconvError(
    "ERR_LCONV_IO",
    `cannot write ${path}: it needs ${bytes} bytes, ${free} are free there; free some space or choose another place (LCONV_DATA)`,
  );
}

/** Infinity where the file system does not tell. */
function freeBytes(path: string): number {
  try {
    const { bavail, bsize, blocks } = statfsSync(existsSync(path) ? path : dirname(path));
    return blocks > 0 ? bavail * bsize : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
