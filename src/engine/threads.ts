import { usableProcessors } from "../../scripts/processors.mjs";
import { LconvError } from "../errors.js";

export const MOST_THREADS = 1024;

/** Processes of one group on this host. */
let sharers = 1;
/** Says that `processes` share the processors of this host, each as many threads as the others. */
export function shareProcessors(processes: number): void {
  sharers = processes;
}

/** Threads of a process that shares the processors of this host with nobody. Throws as threadCount. */
export const wholeThreadCount = (): number => settingOr(usableProcessors());

/**
 * Threads for work on the CPU: `wanted`, else LCONV_THREADS, else the processors that this process may use, divided by the ranks of its
 * host. Throws ERR_LCONV_ARGUMENT for a number that
 * is no integer from 1 to 1024.
 */
export function threadCount(wanted?: number, where = "threadCount"): number {
  if (wanted !== undefined) return checked(`${where}: threads`, wanted, wanted);
  return settingOr(Math.max(1, Math.floor(usableProcessors() / sharers)));
}

function settingOr(threads: number): number {
  const setting = process.env["LCONV_THREADS"];
  return setting ? checked("LCONV_THREADS", Number(setting), `"${setting}"`) : threads;
}

function checked(what: string, threads: number, got: unknown): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw new LconvError("ERR_LCONV_ARGUMENT", `${what} must be an integer from 1 to ${MOST_THREADS}, got ${String(got)}`);
}
