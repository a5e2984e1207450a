import type { ProgramStats } from "../engine/addon.js";
import type { Precision } from "../engine/device.js";

/** What bounds a step on a GPU, from its data sheet and from copies and graphs that others have timed on it. */
interface GpuFigures {
  /** Of a large copy, reads and writes together. */
  bytesPerSecond: number;
  /** Dense; the unit that is used depends on the precision. */
  flopsPerSecond: Record<Precision, number>;
  multiprocessors: number;
  l2Bytes: number;
}

const hopper = { flopsPerSecond: { fp32: 67e12, tf32: 494e12, bf16: 989e12 }, multiprocessors: 132, l2Bytes: 50e6 };
const gpus = {
  h100: { ...hopper, bytesPerSecond: 3.0e12 },
  h200: { ...hopper, bytesPerSecond: 4.3e12 },
} satisfies Record<string, GpuFigures>;

export type GpuName = keyof typeof gpus;
export const gpuNames = Object.keys(gpus) as GpuName[];
/** Whose figures count where no other is asked for. */
export const GPU: GpuName = "h100";

/** From one graph node to the next that depends on it, at best and at worst. */
const NODE_US = [1.5, 2.5] as const;
/** Of 32 terms of a product in a block that has to wait for memory of each, which is what few blocks with long sums take. */
const SLICE_US = 0.25;
/** From the end of a graph to the begin of the next one. */
const GRAPH_US = [3, 5] as const;
/** Of these figures: nothing has been held against a measurement since. */
export const PREDICTED = "2026-12-01";

/** Microseconds that a step cannot take less than, and the PREDICTION that follows: the greatest of them, which nothing has measured. */
export interface Floors {
  gpu: GpuName;
  memoryFloorUs: number;
  arithmeticFloorUs: number;
  /** Of the longest chain of dependent launches, with the sums of its products and the way from graph to graph. */
  launchFloorUsLow: number;
  launchFloorUsHigh: number;
  predictedUsLow: number;
  predictedUsHigh: number;
  boundBy: "memory" | "arithmetic" | "launches";
}

export function floors(
  { bytes, flops, chainLaunches, chainSlices, graphSteps }: ProgramStats,
  gpu: GpuName,
  precision: Precision = "fp32",
): Floors {
  const { bytesPerSecond, flopsPerSecond } = gpus[gpu];
  const memory = (1e6 * bytes) / bytesPerSecond;
  const arithmetic = (1e6 * flops) / flopsPerSecond[precision];
  const [low, high] = NODE_US.map((us, k) => us * chainLaunches + SLICE_US * chainSlices + GRAPH_US[k] / Math.max(1, graphSteps));
  const device = Math.max(memory, arithmetic);
  const us = (x: number): number => Number(x.toFixed(2));
  return {
    gpu,
    memoryFloorUs: us(memory),
    arithmeticFloorUs: us(arithmetic),
    launchFloorUsLow: us(low),
    launchFloorUsHigh: us(high),
    predictedUsLow: us(Math.max(device, low)),
    predictedUsHigh: us(Math.max(device, high)),
    boundBy: device < (low + high) / 2 ? "launches" : memory >= arithmetic ? "memory" : "arithmetic",
  };
}

/** Which figures hold for a GPU; undefined for others, such as the PCIe cards of the same name. */
export function gpuOf(model: string | undefined, multiprocessors: number | undefined): GpuName | undefined {
  return gpuNames.find((gpu) => model?.toLowerCase().includes(gpu) && multiprocessors === gpus[gpu].multiprocessors);
}

/** Whether `bytes` stay in the second-level cache: the memory floor is then pessimistic, as it is that of main memory. */
export const fitsCache = (bytes: number, gpu: GpuName): boolean => bytes <= gpus[gpu].l2Bytes;
