import { threadCount } from "../../engine/threads.js";
import { resolveSettings } from "../run/settings.js";
import type { Cell } from "./cells.js";
import type { Sweep } from "./folder.js";

/** Threads of each run of a new sweep: the processors, shared by `jobs` processes; one where as many run as there are processors. */
export const threadsFor = (cells: readonly Cell[], jobs = usualJobs({ cells, threads: 1 })): number =>
  Math.max(1, Math.floor(threadCount() / jobs));

/** As many processes as the processors can serve; on a GPU one, whose memory they would share. */
export function usualJobs({ cells, threads }: Pick<Sweep, "cells" | "threads">): number {
  const settled = cells.map(({ values }) => resolveSettings({ threads, ...values }));
  if (settled.some(({ device }) => device !== "cpu")) return 1;
  return Math.max(1, Math.floor(threadCount() / Math.max(1, ...settled.map((settings) => settings.threads))));
}
