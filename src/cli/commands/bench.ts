import { BATCH, benchCases } from "../../cost/cases.js";
import { measurePeak } from "../../cost/measure.js";
import { defined } from "../../defined.js";
import { type BenchResult, benchSteps, SECONDS } from "../../experiments/bench/steps.js";
import { cudaNote } from "../run/examine.js";
import { chosenDevice, deviceFlag, precisionFlag, threadsFlag } from "../run/flags.js";
import type { Context } from "../terminal/context.js";
import { type Given, integer, positive, text } from "../terminal/flags.js";
import { range } from "../terminal/output.js";

export const benchFlags = {
  cases: { value: "A,B", kind: text("names of cases, with commas"), help: `cases to measure: ${benchCases.join(", ")} (default: all)` },
  batch: { value: "N", kind: integer(1, 1 << 20), help: "samples per step", default: BATCH },
  seconds: { value: "S", kind: positive, help: "seconds to measure each case", default: SECONDS },
  device: deviceFlag,
  precision: precisionFlag,
  threads: threadsFlag,
} as const;

/** `lconv bench steps`: a line for each case as soon as it is measured. */
export async function bench({ cases, batch, seconds, ...chosen }: Given<typeof benchFlags>, { out, signal }: Context): Promise<void> {
  const device = chosenDevice(chosen);
  const { precision } = device;
  const note = cudaNote(device);
  if (note !== undefined) process.stderr.write(`${note}\n`);
  const options = {
    device,
    signal,
    ...defined({ cases: cases?.split(","), batch, seconds }),
  };
  const peak = await measurePeak(device, signal);
  const how = device.name === "cpu" ? `${device.threads} threads, ${precision}` : precision;
  out.text(`${peak.toFixed(1)} GFLOP/s: a 2048^3 product, the peak (${device.name}, ${how}); floor: the useful arithmetic at the peak`);
  const onGpu = device.name !== "cpu";
  out.text(row("case", "ms/step", "best", "floor", "ratio", "GFLOP/s", "share", ...(onGpu ? gpuColumns : [])));
  for await (const result of benchSteps({ ...options, peak })) {
    out.emit({ ...result, ...contract(result), precision });
    const digits = onGpu ? 4 : 3;
    out.text(
      row(
        result.case,
        result.msPerStep.toFixed(digits),
        result.bestMs.toFixed(digits),
        result.floorMs.toFixed(digits),
        `${(result.msPerStep / result.floorMs).toFixed(2)} x`,
        result.gflops.toFixed(1),
        `${(100 * result.shareOfPeak).toFixed(1)} %`,
        ...(onGpu ? gpuCells(result) : []),
      ),
    );
  }
}

/** Keys that other programs read under these names. */
const contract = ({ msPerStep, bestMs }: BenchResult): object => ({ ms_per_step: msPerStep, best_ms: bestMs });

const gpuColumns = ["launches", "path", "nodes", "GB/s", "TFLOP/s", "predicted"];

/** The prediction is in microseconds, and only there where the GPU's figures are known. */
const gpuCells = (result: BenchResult): string[] => [
  ...[result.launches, result.longestPath, result.graphNodes].map(String),
  result.gbPerSecond?.toFixed(0) ?? "-",
  result.tflops?.toFixed(2) ?? "-",
  result.predictedUsLow === undefined ? "-" : `${range(result.predictedUsLow, result.predictedUsHigh ?? 0)} us`,
];

const row = (name: string, ...cells: string[]): string => name.padEnd(22) + cells.map((cell) => cell.padStart(10)).join("");
