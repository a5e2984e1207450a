import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { type Group, init, StoppedTogether } from "../../distributed/group.js";
import { launcherOf } from "../../distributed/launcher.js";
import { LconvError } from "../../errors.js";
import type { Context } from "../terminal/context.js";
import { Failed, fail } from "../terminal/failure.js";
import { Interrupted } from "../terminal/interrupt.js";
import { Output } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";

/** What all say is said once, by rank 0. */
const mute: Reporter = { event() {}, line() {}, done() {} };

/** When rank 0 ends, the launcher ends all others within this time. A rank that still runs has an error of its own, and reports it. */
const OWN_MS = 3000;

/** For the daemon of MPI to pass on what a rank has said. */
const LAST_WORDS_MS = 1000;

/** Set by `lconv train --ranks` for the ranks that it starts: the standard input of rank 0 ends when they are to stop. */
export const launchedVariable = "LCONV_LAUNCHED";
const launched = process.env[launchedVariable] === "1";

/** The group of this process; a stop is heard while the others are waited for. Throws as distributed.init, and the reason of the signal. */
export async function joinGroup(signal: AbortSignal): Promise<Group> {
  const heard = launched && launcherOf(process.env)?.rank === 0 ? AbortSignal.any([signal, endOfInput()]) : signal;
  heard.throwIfAborted();
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(launched && heard.reason instanceof Interrupted ? new Failed(heard.reason.exitCode) : (heard.reason as Error));
    heard.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([init(), stopped]);
  } finally {
    heard.removeEventListener("abort", stop);
  }
}

/**
 * Runs the work of one rank. Rank 0 reports for all; others report only errors of their own. Ranks that are stopped end MPI together, so that the
 * launcher returns their exit code.
 */
export async function asRank(
  group: Group,
  context: Context,
  reporter: Reporter,
  work: (context: Context, reporter: Reporter) => Promise<void>,
): Promise<void> {
  if (group.size === 1 && !launched) return work(context, reporter);
  const first = group.rank === 0;
  const signal = first ? AbortSignal.any([context.signal, endOfInput()]) : context.signal;
  try {
    await work({ signal, out: new Output(context.out.json, !first) }, first ? reporter : mute);
  } catch (error) {
    if (error instanceof Interrupted || error instanceof StoppedTogether) {
      await group.close();
      const why = error instanceof Interrupted ? error : new Interrupted("SIGUSR2");
      throw first && !launched ? why : new Failed(why.exitCode);
    }
    if (!first) {
      await setTimeout(OWN_MS, undefined, { signal }).catch(() => {
        throw new Failed(1);
      });
      process.stderr.write(`rank ${group.rank} on ${hostname()}: `);
    }
    if (!launched || !(error instanceof LconvError) || error.code !== "ERR_LCONV_COLLECTIVE") throw error;
    const code = fail(error, context.out);
    await setTimeout(LAST_WORDS_MS);
    endDaemon();
    throw new Failed(code);
  }
}

/** Ends Open MPI's daemon on this machine, which waits for a quarter of an hour for a network that has gone. */
function endDaemon(): void {
  try {
    if (/^(orted|prted)$/m.test(readFileSync(`/proc/${process.ppid}/comm`, "utf8"))) process.kill(process.ppid, "SIGTERM");
  } catch {
    // no daemon, or none any more
  }
}

let inputEnds: AbortSignal | undefined;

/** Aborts when standard input ends, because the process that started the ranks stops them, or has ended. */
function endOfInput(): AbortSignal {
  if (inputEnds) return inputEnds;
  const controller = new AbortController();
  inputEnds = controller.signal;
  if (!launched) return inputEnds;
  process.stdin.once("end", () => controller.abort(new Interrupted("SIGUSR2"))).resume();
  (process.stdin as { unref?: () => void }).unref?.();
  return controller.signal;
}
