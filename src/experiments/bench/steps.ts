import type { ProgramStats } from "../../engine/addon.js";
import { breathe } from "../../engine/breathe.js";
import { type Device, device as deviceOf, gpuModel } from "../../engine/device.js";
import type { Program } from "../../engine/program.js";
import { Philox, streams } from "../../engine/random.js";
import { checkInteger } from "../../errors.js";
import { matmul } from "../../ops/matmul.js";
import { record } from "../../tensor/record.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { type Floors, floors, gpuOf } from "../plan/floors.js";
import { benchCases, checkCases, forwardFlops, recordCase } from "./cases.js";

export interface BenchResult extends Partial<GpuResult> {
  case: string;
  device: string;
  /** Median and minimum milliseconds of one train step. */
  ms_per_step: number;
  best_ms: number;
  /** Useful GFLOP/s: three times the forward pass in the cheaper contraction order, as bench/peers counts it. */
  gflops: number;
  /** `gflops` over the peak measured in the same run. */
  share_of_peak: number;
  /** Milliseconds that the useful arithmetic would take at that peak. */
  floor_ms: number;
  params: number;
}

/** What a step launches and achieves on a GPU; with floors and a prediction where the GPU's figures are known. */
export interface GpuResult extends Partial<Floors> {
  launches: number;
  longest_path: number;
  graph_nodes: number;
  /** All that the commands read and write, and all their arithmetic, over the median. */
  gb_per_s: number;
  tflops: number;
}

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

/** Groups of steps are this long, so that the call around them, and the wait for a GPU, do not count. */
const GROUP_MS = 2;
const GPU_GROUP_MS = 50;

/** GFLOP/s of a 2048^3 product: what "share of peak" is measured against. Throws the reason of `signal`. */
export async function measurePeak(device: Device = deviceOf(), signal?: AbortSignal, seconds = 1.5): Promise<number> {
  const n = 2048;
  const random = new Philox(0, streams.user);
  const values = (): Tensor => {
    const [u, x] = [random.uniform(n * n), new Float32Array(n * n)];
    for (let i = 0; i < x.length; i++) x[i] = u[i] - 0.5;
    return tensor(x, { shape: [n, n], device });
  };
  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(thing: T): T => {
    owned.push(thing);
    return thing;
  };
  try {
    await breathe(signal);
    const a = own(values());
    await breathe(signal);
    const b = own(values());
    const program = own(record(() => matmul(a, b), device));
    const { median } = await timeSteps(groups(program, signal), program.stats ? GPU_GROUP_MS : GROUP_MS, seconds);
    return (2 * n ** 3) / median / 1e6;
  } finally {
    for (const thing of owned.reverse()) thing.dispose();
  }
}

/** Times full train steps (gather, forward, backward, SGD) on random data, one case after the other. Throws ERR_LCONV_ARGUMENT for an unknown case. */
export async function* benchSteps(options: BenchOptions = {}): AsyncGenerator<BenchResult> {
  const { cases = benchCases, batch = 64, seconds = 3, device = deviceOf(), signal } = options;
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
      ms_per_step: round(median, 4),
      best_ms: round(best, 4),
      gflops: round(gflops, 1),
      share_of_peak: round(gflops / peak, 3),
      floor_ms: round(flops / peak / 1e6, 4),
      params,
      ...(stats && onGpu(stats, median, device)),
    };
  } finally {
    dispose();
  }
}

function onGpu(stats: ProgramStats, ms: number, device: Device): GpuResult {
  const gpu = gpuOf(gpuModel(device), device.info().multiprocessors);
  return {
    launches: stats.launches,
    longest_path: stats.longestPath,
    graph_nodes: stats.graphNodes,
    gb_per_s: round(stats.bytes / ms / 1e6, 1),
    tflops: round(stats.flops / ms / 1e9, 3),
    ...(gpu && floors(stats, gpu, device.precision)),
  };
}

/** What timeSteps runs to time a program: all steps of a group in one go. Throws the reason of `signal`. */
export const groups =
  (program: Program, signal?: AbortSignal) =>
  (steps: number): Promise<number> =>
    program.run({ steps, chunkMs: 1e9, ...(signal && { signal }) });

/** Median and best milliseconds of one step, over groups of steps of at least `groupMs`; the search for their size warms up. */
export async function timeSteps(
  run: (steps: number) => Promise<unknown>,
  groupMs: number,
  seconds: number,
): Promise<{ median: number; best: number }> {
  const timed = async (steps: number): Promise<number> => {
    const start = performance.now();
    await run(steps);
    return performance.now() - start;
  };
  await run(3);
  let group = 1;
  for (let ms = await timed(group); ms < groupMs; ms = await timed(group)) group = Math.ceil(group * Math.max(1.1, groupMs / ms));
  const times: number[] = [];
  for (const end = performance.now() + seconds * 1e3; performance.now() < end || times.length < 3; )
    times.push((await timed(group)) / group);
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(times.length / 2)], best: times[0] };
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));
