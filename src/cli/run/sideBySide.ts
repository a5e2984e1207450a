import type { TrainEvent } from "../../train/events.js";
import type { FitResult } from "../../train/fit.js";

type Run = AsyncGenerator<TrainEvent, FitResult>;

/**
 * Trains all `runs` in turns of one chunk, always the one that is furthest behind, so that their epochs end together. Stopped by `signal`, which
 * the runs have to hear themselves, each of them gets to write its checkpoint.
 */
export async function sideBySide(runs: readonly Run[], onEvent: (event: TrainEvent) => void, signal?: AbortSignal): Promise<FitResult[]> {
  const shares = runs.map(() => 0); // of the steps done; Infinity at the end
  const results = new Array<FitResult>(runs.length);
  try {
    for (let least = Math.min(...shares); least < Number.POSITIVE_INFINITY; least = Math.min(...shares)) {
      const i = shares.indexOf(least);
      const next = await runs[i].next();
      if (next.done) {
        results[i] = next.value;
        shares[i] = Number.POSITIVE_INFINITY;
      } else {
        if (next.value.type === "step") shares[i] = next.value.step / next.value.steps;
        onEvent(next.value);
      }
    }
    return results;
  } catch (error) {
    if (signal?.aborted) for (const run of runs) await toItsEnd(run, onEvent);
    throw error;
  } finally {
    await Promise.all(runs.map((run) => run.return(undefined as never)));
  }
}

/** Lets a stopped run write its checkpoint. It then throws the same reason as the first run, which is reported once. */
async function toItsEnd(run: Run, onEvent: (event: TrainEvent) => void): Promise<void> {
  try {
    for (let next = await run.next(); !next.done; next = await run.next()) onEvent(next.value);
  } catch {
    // the first run has reported it
  }
}
