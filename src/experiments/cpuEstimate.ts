import * as commands from "../engine/commands.js";
import type { Device } from "../engine/device.js";
import { makeOptimizer, type OptimizerName } from "../optim/optimizer.js";
import { rand } from "../tensor/random.js";
import { record } from "../tensor/record.js";
import { full, zeros } from "../tensor/tensor.js";
import { measurePeak, timeSteps } from "./benchSteps.js";
import type { LayerPlan, NetworkPlan } from "./networkPlan.js";

/** What a CPU does, by short measurements. */
export interface CpuFigures {
  /** GFLOP/s of a 2048^3 product. */
  peak_gflops: number;
  /** Read and written by a pass over as many bytes as the step holds. */
  gb_per_s: number;
  /** The optimiser's update of one parameter. */
  update_ns: number;
  /** One value that goes through a maximum, and its gradient; where the network has maxima. */
  maximum_ns: number;
}

/**
 * The share of the peak at which products and convolutions run apart from the time that their bytes take, and how often a convolution moves its bytes on
 * the CPU, which copies them into padded planes and tiles. Both were chosen for the measurements in bench/results/2026-11-25-plan-network.jsonl.
 */
const PRODUCT_SHARE = 0.85;
const CONV_COPIES = 3;

export interface LayerEstimate {
  arithmetic_ms: number;
  memory_ms: number;
  maximum_ms: number;
}

/** An ESTIMATE of one train step, not a measurement; those of bench/planNetwork.ts that take 0.15 ms or more are within a factor of 1.5 of it. */
export interface CpuEstimate {
  estimated_ms: number;
  update_ms: number;
  layers: readonly LayerEstimate[];
}

/**
 * Milliseconds of a step, one thing after the other: in each layer the products at PRODUCT_SHARE of the peak, all bytes at the bandwidth, and the maxima;
 * then gathering the samples and updating the parameters. The rates are those of `figures`.
 */
export function estimateOnCpu(plan: NetworkPlan, figures: CpuFigures): CpuEstimate {
  const { peak_gflops, gb_per_s, update_ns, maximum_ns } = figures;
  const layers = plan.layers.map(({ layer, step_flops, moved_bytes, maxima }) => ({
    arithmetic_ms: step_flops / (PRODUCT_SHARE * peak_gflops) / 1e6,
    memory_ms: ((layer === "conv" ? CONV_COPIES : 1) * moved_bytes) / gb_per_s / 1e6,
    maximum_ms: (maxima * maximum_ns) / 1e6,
  }));
  const update_ms = (plan.params * update_ns) / 1e6;
  const rest = plan.gather_bytes / gb_per_s / 1e6 + update_ms;
  const estimated_ms = layers.reduce((sum, { arithmetic_ms, memory_ms, maximum_ms }) => sum + arithmetic_ms + memory_ms + maximum_ms, rest);
  return { estimated_ms, update_ms, layers };
}

/** Measures what `estimateOnCpu` needs for this network, in about two seconds. */
export async function measureCpu(device: Device, plan: NetworkPlan, momentum?: number, signal?: AbortSignal): Promise<CpuFigures> {
  const peak_gflops = await measurePeak(device, 0.4);
  signal?.throwIfAborted();
  const gb_per_s = await measureBandwidth(device, plan.peak_bytes);
  const update_ns = await measureUpdate(device, plan.optimizer, momentum);
  const pooled = plan.layers.find(({ maxima }) => maxima > 0);
  return { peak_gflops, gb_per_s, update_ns, maximum_ns: pooled ? await measureMaximum(device, pooled.layer) : 0 };
}

const SECONDS = 0.15;
const GROUP_MS = 2;
/** Beyond every cache. */
const LARGEST_PASS = 256e6;

/** Milliseconds of what `trace` records. */
async function measured(device: Device, trace: () => void): Promise<number> {
  const program = record(trace, device);
  const { median } = await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), GROUP_MS, SECONDS);
  program.dispose();
  return median;
}

async function measureBandwidth(device: Device, bytes: number): Promise<number> {
  const n = Math.max(1, Math.ceil(Math.min(bytes, LARGEST_PASS) / 8));
  const [x, y] = [zeros([n], { device }), zeros([n], { device })];
  const ms = await measured(device, () => commands.unary(device, { name: "scale", parameter: 2 }, n, x, y));
  for (const t of [x, y]) t.dispose();
  return (8 * n) / ms / 1e6;
}

async function measureUpdate(device: Device, optimizer: OptimizerName, momentum: number | undefined): Promise<number> {
  const n = 1 << 20;
  const [w, g] = [zeros([n], { device, requiresGrad: true }), full([n], 1e-3, { device })];
  const made = makeOptimizer(optimizer, [w], momentum === undefined ? {} : { momentum });
  const ms = await measured(device, () => made.step([g]));
  for (const thing of [made, w, g]) thing.dispose();
  return (1e6 * ms) / n;
}

async function measureMaximum(device: Device, layer: LayerPlan["layer"]): Promise<number> {
  const pool = { planes: 64, p: 33, q: 33, size: 2, stride: 1 }; // 32 x 32 come out
  const line = { outer: 4, k: 9, inner: 1 << 14 };
  const results = pool.planes * 32 * 32; // = outer * inner too
  const isPool = layer === "max-pool";
  const values = isPool ? pool.planes * 33 * 33 : line.k * results;
  const x = rand([values], { device }); // a maximum of equal values is faster
  const [y, dx, at] = [zeros([results], { device }), zeros([values], { device }), zeros([results], { device, dtype: "int32" })];
  const ms = await measured(device, () => {
    if (isPool) {
      commands.maxPool(device, pool, x, y, at);
      commands.maxPoolGrad(device, pool, y, at, dx);
    } else {
      commands.max(device, line, x, y, at);
      commands.maxGrad(device, line, y, at, dx);
    }
  });
  for (const t of [x, y, dx, at]) t.dispose();
  return (1e6 * ms) / (results * (isPool ? pool.size ** 2 : line.k));
}
