import { train } from "../../train/fit.js";
import type { Settings } from "../run/settings.js";
import { buildModel, firstSamples, fitOptions, type Workload } from "../run/workload.js";

const PROBE_SAMPLES = 4096;
const PROBE_MS = 1500;
const FORWARD_SHARE = 1 / 3; // of the work of a train step

export interface Plan {
  epochs: number;
  samples: number;
  /** Why they are fewer than asked for. */
  reason?: string;
}

/**
 * Epochs, and samples where not even one epoch fits, so that training all models takes about `minutes` at most on this machine.
 * Only speed decides, measured on models that are thrown away: what is then trained depends on the plan alone.
 */
export async function planRuns(runs: readonly Settings[], work: Workload, minutes: number, signal: AbortSignal): Promise<Plan> {
  const { train: all, validation } = work.data;
  let epochSeconds = 0;
  for (const settings of runs)
    epochSeconds += (all.count + FORWARD_SHARE * validation.count) / (await samplesPerSecond(settings, work, signal));
  const [wanted, budget] = [runs[0].epochs, minutes * 60];
  if (wanted * epochSeconds <= budget) return { epochs: wanted, samples: all.count };
  const epochs = Math.max(1, Math.floor(budget / epochSeconds));
  const samples = Math.min(all.count, Math.max(runs[0].batch, Math.floor((all.count * budget) / epochSeconds)));
  const shorter = samples < all.count ? `1 epoch of ${samples.toLocaleString("en-US")} images` : `${epochs} epoch${epochs > 1 ? "s" : ""}`;
  const estimate = `${wanted} epochs would take about ${((wanted * epochSeconds) / 60).toFixed(1)} minutes on this machine`;
  return { epochs, samples, reason: `${estimate}: training for ${shorter} instead; --epochs ${wanted} insists` };
}

/** The speed of a model after its first chunk, which is slower. */
async function samplesPerSecond(settings: Settings, work: Workload, signal: AbortSignal): Promise<number> {
  const model = buildModel(settings, work);
  const few = { train: firstSamples(work.data.train, Math.max(PROBE_SAMPLES, settings.batch)) };
  const run = train(model, few, { ...fitOptions(settings, work), epochs: 1000, signal });
  let [start, first, last] = [0, 0, 0];
  try {
    for (let next = await run.next(); !next.done; next = await run.next()) {
      const event = next.value;
      if (event.type !== "step") continue;
      last = event.step;
      if (start === 0) [start, first] = [performance.now(), last];
      else if (performance.now() - start > PROBE_MS) break;
    }
    return (1e3 * (last - first) * settings.batch) / (performance.now() - start);
  } finally {
    await run.return(undefined as never);
    model.dispose();
  }
}
