import type { NetworkPlan, TrainingOptions } from "../../cost/networkPlan.js";
import { planNetwork } from "../../cost/networkPlan.js";
import { linkOf, linkPattern, MOST_RANKS, planRanks, type StepParts } from "../../cost/ranksPlan.js";
import { device as deviceOf } from "../../engine/device.js";
import { check } from "../../errors.js";
import { type ModelName, makeModel } from "../../models/models.js";
import type { InputSize, ModelOptions } from "../../models/options.js";
import { type Given, integer, text, withDefaults } from "../terminal/flags.js";
import { count, type Output } from "../terminal/output.js";
import { caseFlags } from "./cases.js";

export const ranksFlags = {
  ranks: {
    value: "N",
    kind: integer(2, MOST_RANKS),
    help: "what N processes that share the batch would bring (lconv train --ranks)",
  },
  network: {
    value: "NAME",
    kind: text("nvlink, or a bandwidth such as 10Gb/s or 10Gb/s:30us", linkPattern),
    help: "with --ranks: what connects them, nvlink or a bandwidth such as 10Gb/s, with a latency as 10Gb/s:30us",
    default: "10Gb/s",
  },
} as const;

/** A network and how it is trained. */
interface Trained {
  name: ModelName;
  input: InputSize;
  options: ModelOptions;
  training: TrainingOptions;
}

/** Milliseconds of a step. */
type StepTime = (plan: NetworkPlan) => number;

const planAgain = ({ name, input, options, training }: Trained, batch: number): NetworkPlan =>
  planNetwork(name, input, options, { ...training, batch, samples: batch });

/** What several ranks would bring, where they are asked for. */
export function showRanks(
  out: Output,
  planned: Trained,
  given: Given<typeof ranksFlags>,
  { what, timeOf }: { what: string; timeOf: StepTime },
): void {
  const { ranks } = given;
  if (ranks === undefined) return;
  const { network: name } = withDefaults(ranksFlags, given);
  const { batch = caseFlags.batch.default } = planned.training;
  check(ranks <= batch, "ERR_LCONV_ARGUMENT", () => `--ranks ${ranks} cannot share a batch of ${batch}; take a larger --batch`);
  const parts: StepParts = {
    ms: timeOf(planAgain(planned, batch)),
    partMs: timeOf(planAgain(planned, Math.ceil(batch / ranks))),
    layers: layersOf(planned, batch),
  };
  const plan = planRanks(parts, ranks, linkOf(name));
  out.emit({ part: "ranks", on: what.toLowerCase(), ...plan, oneMs: parts.ms, measured: false });
  const messages = plan.bucketBytes.map((bytes, i) => `${short(bytes / 1e6)} MB ${short(plan.bucketMs[i])} ms`).join(", ");
  out.text(
    `ESTIMATE for ${ranks} ranks by ${name}, one ${what} each, batch ${batch}: ${short(plan.stepMs)} ms a step, ${short(plan.speedup)} times as fast as one\n` +
      `gradients in ${plan.bucketBytes.length} message${plan.bucketBytes.length > 1 ? "s" : ""} (${messages}), of which ${short(plan.exposedMs)} ms a step are waited for\n` +
      `${verdictOf(plan.speedup, ranks)}\n`,
  );
}

function verdictOf(speedup: number, ranks: number): string {
  const sweeps = `${ranks} runs at once, by lconv sweep, do ${ranks} times as much`;
  if (speedup < 1) return `It does not pay: one is faster; ${sweeps}.`;
  return speedup < 0.7 * ranks ? `It pays for one run that is urgent; ${sweeps}.` : `It pays; ${sweeps}.`;
}

/** Shares of the step and sizes of trained tensors, layer by layer. */
function layersOf(planned: Trained, batch: number): StepParts["layers"] {
  const { layers } = planAgain(planned, batch);
  const model = makeModel(planned.name, planned.input, deviceOf("cpu"), planned.options);
  const sizes = model.parameters().map((t) => t.size);
  model.dispose();
  let next = 0;
  return layers.map(({ stepFlops, params }) => {
    const first = next;
    for (let left = params; left > 0 && next < sizes.length; next++) left -= sizes[next];
    return { share: stepFlops, sizes: sizes.slice(first, next) };
  });
}

/** Three digits, or all before the point. */
export const short = (x: number): string =>
  x >= 100 ? count(x) : x >= 10 ? x.toFixed(1) : x >= 1 ? x.toFixed(2) : x === 0 ? "0" : x.toPrecision(2);
