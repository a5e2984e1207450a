import { defined } from "../defined.js";
import * as commands from "../engine/commands.js";
import type { Device } from "../engine/device.js";
import { makeOptimizer } from "../optim/optimizer.js";
import { rand } from "../tensor/random.js";
import { record } from "../tensor/record.js";
import { full, zeros } from "../tensor/tensor.js";
import { GROUP_MS, groups, measurePeak, timeSteps } from "./measure.js";
import type { LayerPlan, NetworkPlan } from "./networkPlan.js";

/** How fast a CPU is, by short measurements. */
export interface CpuRates {
  /** GFLOP/s of a 2048^3 product. */
  peakGflops: number;
  /** Read and written by a pass over as many bytes as the step holds, without the samples, of which it reads a batch. */
  gbPerSecond: number;
  /** The optimiser's update of one parameter. */
  updateNs: number;
  /** One value that goes through a maximum, and its gradient; 0 where the network has none. */
  maximumNs: number;
}

/**
 * An ESTIMATE of one train step, not a measurement. Of 60 steps in bench/results/2026-11-25-plan-network.jsonl 48 were within a factor of 1.5 of it and 56
 * within 2; most took longer, the median 1.2 times, as not every product reaches the peak and not every pass the bandwidth.
 */
export interface CpuEstimate {
  estimatedMs: number;
  /** Of each layer; what is left of the sum gathers the samples and updates the parameters. */
  layerMs: readonly number[];
}

/**
 * Milliseconds of a step, one thing after the other: in each layer all products at the peak, all bytes at the bandwidth, and the maxima; then gathering the
 * samples and updating the parameters. There are no constants but the measured rates.
 */
export function estimateOnCpu(plan: NetworkPlan, { peakGflops, gbPerSecond, updateNs, maximumNs }: CpuRates): CpuEstimate {
  const ms = (flops: number, bytes: number, ns: number): number => (flops / peakGflops + bytes / gbPerSecond + ns) / 1e6;
  const layerMs = plan.layers.map(({ stepFlops, movedBytes, maxima }) => ms(stepFlops, movedBytes, maxima * maximumNs));
  const rest = ms(0, plan.gatherBytes, plan.params * updateNs);
  return { estimatedMs: layerMs.reduce((sum, each) => sum + each, rest), layerMs };
}

/** Measures what `estimateOnCpu` needs for this network, in a few seconds. Throws the reason of `signal`. */
export async function measureCpu(device: Device, plan: NetworkPlan, momentum?: number, signal?: AbortSignal): Promise<CpuRates> {
  const peakGflops = await measurePeak(device, signal, 0.4);
  const gbPerSecond = await measureBandwidth(device, plan.peakBytes - plan.dataBytes, signal);
  const updateNs = await measureUpdate(device, plan, momentum, signal);
  const pooled = plan.layers.find(({ maxima }) => maxima > 0);
  return { peakGflops, gbPerSecond, updateNs, maximumNs: pooled ? await measureMaximum(device, pooled.layer, signal) : 0 };
}

const SECONDS = 0.15;
/** Beyond every cache. */
const LARGEST_PASS = 256e6;
const MOST_UPDATED = 1 << 22;

type Stop = AbortSignal | undefined;

/** Milliseconds of what `trace` records; `used` is disposed of in any case. */
async function measured(device: Device, signal: Stop, used: readonly { dispose(): void }[], trace: () => void): Promise<number> {
  try {
    const program = record(trace, device);
    try {
      return (await timeSteps(groups(program, signal), GROUP_MS, SECONDS)).median;
    } finally {
      program.dispose();
    }
  } finally {
    for (const thing of used) thing.dispose();
  }
}

async function measureBandwidth(device: Device, bytes: number, signal: Stop): Promise<number> {
  const n = Math.max(1, Math.ceil(Math.min(bytes, LARGEST_PASS) / 8));
  const [x, y] = [zeros([n], { device }), zeros([n], { device })];
  const ms = await measured(device, signal, [x, y], () => commands.unary(device, { name: "scale", parameter: 2 }, n, x, y));
  return (8 * n) / ms / 1e6;
}

/** On as many parameters as there are, within bounds: too few are timed badly, very many take no longer each. */
async function measureUpdate(
  device: Device,
  { optimizer, params }: Pick<NetworkPlan, "optimizer" | "params">,
  momentum: number | undefined,
  signal: Stop,
): Promise<number> {
  const n = Math.min(Math.max(params, 1 << 16), MOST_UPDATED);
  const [w, g] = [zeros([n], { device, requiresGrad: true }), full([n], 1e-3, { device })];
  const made = makeOptimizer(optimizer, [w], defined({ momentum }));
  const ms = await measured(device, signal, [made, w, g], () => made.step([g]));
  return (1e6 * ms) / n;
}

async function measureMaximum(device: Device, layer: LayerPlan["layer"], signal: Stop): Promise<number> {
  const pool = { planes: 64, p: 33, q: 33, size: 2, stride: 1 }; // 32 x 32 come out
  const line = { outer: 4, k: 9, inner: 1 << 14 };
  const results = pool.planes * 32 * 32; // = outer * inner too
  const isPool = layer === "max-pool";
  const values = isPool ? pool.planes * 33 * 33 : line.k * results;
  const x = rand([values], { device }); // a maximum of equal values is faster
  const [y, dx, at] = [zeros([results], { device }), zeros([values], { device }), zeros([results], { device, dtype: "int32" })];
  const ms = await measured(device, signal, [x, y, dx, at], () => {
    if (isPool) {
      commands.maxPool(device, pool, x, y, at);
      commands.maxPoolGrad(device, pool, y, at, dx);
    } else {
      commands.max(device, line, x, y, at);
      commands.maxGrad(device, line, y, at, dx);
    }
  });
  return (1e6 * ms) / (results * (isPool ? pool.size ** 2 : line.k));
}
