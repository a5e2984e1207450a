import { type PlanResult, planSteps } from "../../cost/casePlan.js";
import { BATCH, benchCases } from "../../cost/cases.js";
import { GPU, type GpuName, gpuNames, PREDICTED } from "../../cost/floors.js";
import { defined } from "../../defined.js";
import { planningDevice } from "../../engine/device.js";
import type { Context } from "../terminal/context.js";
import { choice, type Given, integer, text, withDefaults } from "../terminal/flags.js";
import { range, table } from "../terminal/output.js";

export const caseFlags = {
  cases: {
    value: "A,B",
    kind: text("names of cases, with commas"),
    help: `predict these cases instead of one network: ${benchCases.join(", ")} (default: all)`,
  },
  batch: { value: "N", kind: integer(1, 1 << 20), help: "samples per step", default: BATCH },
  gpu: { value: "NAME", kind: choice(gpuNames), help: "GPU to predict for: h100 or h200", default: GPU },
} as const;

/** `lconv plan --cases`: what the train steps of `lconv bench steps` would launch on a GPU, and no faster than what they can be; needs no GPU. */
export async function planCases(given: Given<typeof caseFlags>, { out, signal }: Context): Promise<void> {
  const { cases, batch, gpu } = withDefaults(caseFlags, given);
  const device = planningDevice();
  try {
    const rows = [header];
    for await (const result of planSteps(device, { gpu, batch, signal, ...defined({ cases: cases?.split(",") }) })) {
      out.emit(result);
      rows.push(row(result));
    }
    out.text(table(rows));
    out.text(prediction(gpu));
    out.text("The memory floor is that of main memory: (L2) marks steps that fit the cache, where it is pessimistic.");
  } finally {
    device.dispose();
  }
}

/** What the times for a GPU are worth. */
export const prediction = (gpu: GpuName): string =>
  `PREDICTION of ${PREDICTED} for one ${gpu.toUpperCase()}, fp32: counted from the programs and the GPU's figures; nothing here was measured. Predicted is\n` +
  "the greatest of the floors: memory traffic, arithmetic without tensor cores, and the longest chain, with 1.5 to 2.5 us for each launch,\n" +
  ".25 us for each 32 terms that its products add up one after the other, and 3 to 5 us from one graph to the next.";

const header = [
  "case",
  "commands",
  "launches",
  "path",
  "branches",
  "MB",
  "GFLOP",
  "memory us",
  "arith. us",
  "chain us",
  "predicted us",
  "by",
];

const row = (result: PlanResult): string[] => [
  result.case,
  ...[result.commands, result.launches, result.longestPath, result.branches].map(String),
  result.mb.toFixed(1),
  result.gflop.toFixed(3),
  `${result.memoryFloorUs.toFixed(1)}${result.fitsCache ? " (L2)" : ""}`,
  result.arithmeticFloorUs.toFixed(1),
  `${result.launchFloorUsLow.toFixed(0)}-${result.launchFloorUsHigh.toFixed(0)}`,
  range(result.predictedUsLow, result.predictedUsHigh),
  result.boundBy,
];
