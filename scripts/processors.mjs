// How many processors this process may use: of the set-up and of src/engine/threads.ts. Only Node built-ins here, as the set-up runs before `npm ci`.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The processors this process may run on, limited by the CPU quota of its container (cgroup v2); at least 1. */
export const usableProcessors = (quotaFile = "/sys/fs/cgroup/cpu.max") => Math.max(1, Math.min(availableParallelism(), quota(quotaFile)));

/** Of "200000 100000", which are 2 processors; Infinity for "max 100000" and where there is no such file. */
function quota(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const [granted, period] = text.trim().split(" ").map(Number);
  return granted > 0 && period > 0 ? Math.ceil(granted / period) : Number.POSITIVE_INFINITY;
}
