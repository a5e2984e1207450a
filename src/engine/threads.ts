import { usableProcessors } from "../../scripts/processors.mjs";
import { LconvError } from "../errors.js";

export const MOST_THREADS = 1024;

/**
 * Threads for work on the CPU: `wanted`, else LCONV_THREADS, else the processors that this process may use. Throws ERR_LCONV_ARGUMENT for a number that
 * is no integer from 1 to 1024.
 */
export function threadCount(wanted?: number, where = "threadCount"): number {
  if (wanted !== undefined) return checked(`${where}: threads`, wanted, wanted);
  const setting = process.env["LCONV_THREADS"];
  return setting ? checked("LCONV_THREADS", Number(setting), `"${setting}"`) : usableProcessors();
}

function checked(what: string, threads: number, got: unknown): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw new LconvError("ERR_LCONV_ARGUMENT", `${what} must be an integer from 1 to ${MOST_THREADS}, got ${String(got)}`);
}
