import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { type Group, StoppedTogether } from "../../distributed/group.js";
import type { Context } from "../terminal/context.js";
import { Interrupted } from "../terminal/interrupt.js";
import { Output } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";

/** What all say is said once, by rank 0. */
const mute: Reporter = { event() {}, line() {}, done() {} };

/** A rank has an error of its own if rank 0 still runs after this time; then it is told. */
const OWN_MS = 1000;

/** Set by `lconv train --ranks` for the ranks that it starts: standard input of rank 0 ends with it. */
export const launchedVariable = "LCONV_LAUNCHED";

/**
 * Runs the work of one rank: rank 0 reports for all, others tell only errors that rank 0 does not have. A rank that was stopped ends MPI with the
 * others, so that the launcher passes its exit code on.
 */
export async function asRank(
  group: Group,
  context: Context,
  reporter: Reporter,
  work: (context: Context, reporter: Reporter) => Promise<void>,
): Promise<void> {
  if (group.size === 1) return work(context, reporter);
  const first = group.rank === 0;
  const signal = first ? AbortSignal.any([context.signal, launcherGone()]) : context.signal;
  try {
    await work({ signal, out: new Output(context.out.json, !first) }, first ? reporter : mute);
  } catch (error) {
    if (error instanceof Interrupted || error instanceof StoppedTogether) {
      await group.close();
      throw error instanceof Interrupted ? error : new Interrupted("SIGUSR2");
    }
    if (!first) {
      await setTimeout(OWN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      process.stderr.write(`rank ${group.rank} on ${hostname()}: `);
    }
    throw error;
  }
}

/** Aborts when the process ends that started all ranks: without it nobody could stop them. */
function launcherGone(): AbortSignal {
  const controller = new AbortController();
  if (process.env[launchedVariable] !== "1") return controller.signal;
  process.stdin.once("end", () => controller.abort(new Interrupted("SIGHUP"))).resume();
  (process.stdin as { unref?: () => void }).unref?.();
  return controller.signal;
}
