import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { LconvError } from "../errors.js";

/**
 * Threads the CPU backend uses: LCONV_THREADS, else the processors this process may run on, limited by the CPU quota of
 * its container. Throws ERR_LCONV_ARGUMENT when LCONV_THREADS is no integer from 1 to 1024.
 */
export function threadCount(): number {
  const wanted = process.env["LCONV_THREADS"];
  if (wanted === undefined || wanted === "") return Math.max(1, Math.min(availableParallelism(), cpuQuota()));
  const threads = Number(wanted);
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new LconvError("ERR_LCONV_ARGUMENT", `LCONV_THREADS must be an integer from 1 to 1024, got "${wanted}"`);
  }
  return threads;
}

/** Whole processors granted by cgroup v2's cpu.max; Infinity where there is no limit. */
function cpuQuota(): number {
  try {
    const [quota, period] = readFileSync("/sys/fs/cgroup/cpu.max", "utf8").trim().split(" ").map(Number);
    return Number.isFinite(quota) ? Math.max(1, Math.ceil(quota / period)) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
