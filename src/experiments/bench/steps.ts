import { BATCH, benchCases, checkCases, forwardFlops, recordCase } from "../../cost/cases.js";
import { type Floors, floors, gpuOf } from "../../cost/floors.js";
import { GPU_GROUP_MS, GROUP_MS, groups, measurePeak, timeSteps } from "../../cost/measure.js";
import type { ProgramStats } from "../../engine/addon.js";
import { breathe } from "../../engine/breathe.js";
import { type Device, device as deviceOf, gpuModel } from "../../engine/device.js";
import { checkInteger } from "../../errors.js";

export interface BenchResult extends Partial<GpuResult> {
  case: string;
  device: string;
  /** Median and minimum milliseconds of one train step. */
  msPerStep: number;
  bestMs: number;
  /** Useful GFLOP/s: three times the forward pass in the cheaper contraction order, as bench/peers counts it. */
  gflops: number;
  /** `gflops` over the peak measured in the same run. */
  shareOfPeak: number;
  /** Milliseconds that the useful arithmetic would take at that peak. */
  floorMs: number;
  params: number;
}

/** What a step launches and achieves on a GPU; with floors and a prediction where the GPU's figures are known. */
export interface GpuResult extends Partial<Floors> {
  launches: number;
  longestPath: number;
  graphNodes: number;
  /** All that the commands read and write, and all their arithmetic, over the median. */
  gbPerSecond: number;
  tflops: number;
}

/** Time spent on a case where none is asked for. */
export const SECONDS = 3;

export interface BenchOptions {
  /** Names such as "mnist/lconv"; all by default. */
  cases?: readonly string[];
  batch?: number;
  /** Time spent on each case. */
  seconds?: number;
  /** GFLOP/s that shares are of; measured first by default. */
  peak?: number;
  device?: Device;
  signal?: AbortSignal;
}

/** Times full train steps (gather, forward, backward, SGD) on random data, one case after the other. Throws ERR_LCONV_ARGUMENT for an unknown case. */
export async function* benchSteps(options: BenchOptions = {}): AsyncGenerator<BenchResult> {
  const { cases = benchCases, batch = BATCH, seconds = SECONDS, device = deviceOf(), signal } = options;
  checkInteger("bench steps", "batch", batch, 1, 1 << 20);
  checkCases("bench steps", cases);
  const peak = options.peak ?? (await measurePeak(device, signal));
  for (const name of cases) {
    await breathe(signal);
    yield await benchCase(name, batch, seconds, device, peak, signal);
  }
}

async function benchCase(
  name: string,
  batch: number,
  seconds: number,
  device: Device,
  peak: number,
  signal: AbortSignal | undefined,
): Promise<BenchResult> {
  const { program, params, dispose } = recordCase(name, batch, device);
  try {
    const { stats } = program;
    const groupMs = stats ? GPU_GROUP_MS : GROUP_MS;
    const { median, best } = await timeSteps(groups(program, signal), groupMs, seconds);
    const flops = 3 * batch * forwardFlops(name);
    const gflops = flops / median / 1e6;
    return {
      case: `${name}/b${batch}`,
      device: device.name,
      msPerStep: round(median, 4),
      bestMs: round(best, 4),
      gflops: round(gflops, 1),
      shareOfPeak: round(gflops / peak, 3),
      floorMs: round(flops / peak / 1e6, 4),
      params,
      ...(stats && onGpu(stats, median, device)),
    };
  } finally {
    dispose();
  }
}

function onGpu(stats: ProgramStats, ms: number, device: Device): GpuResult {
  const { launches, longestPath, graphNodes, bytes, flops } = stats;
  const gpu = gpuOf(gpuModel(device), device.info().multiprocessors);
  return {
    launches,
    longestPath,
    graphNodes,
    gbPerSecond: round(bytes / ms / 1e6, 1),
    tflops: round(flops / ms / 1e9, 3),
    ...(gpu && floors(stats, gpu, device.precision)),
  };
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));
