import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { check, checkInteger } from "../errors.js";
import { BATCH, benchCases, checkCases, recordCase } from "./cases.js";
import { type Floors, fitsCache, floors, GPU, type GpuName } from "./floors.js";

/** What a program would do on a GPU, counted from its commands; only the floors and the prediction are about time. */
export interface StepCount extends Floors {
  device: string;
  commands: number;
  launches: number;
  longestPath: number;
  branches: number;
  mb: number;
  gflop: number;
  /** All that the device holds, and whether that stays in the GPU's second-level cache. */
  residentMb: number;
  fitsCache: boolean;
  measured: false;
}

/** One train step of a case. */
export interface PlanResult extends StepCount {
  case: string;
  params: number;
}

export interface PlanOptions {
  /** Names such as "mnist/lconv"; all by default. */
  cases?: readonly string[];
  batch?: number;
  /** Default "h100". */
  gpu?: GpuName;
  signal?: AbortSignal;
}

/** Records the train step of each case on a device that counts and does not run. Throws ERR_LCONV_ARGUMENT, and the reason of `signal`. */
export async function* planSteps(device: Device, options: PlanOptions = {}): AsyncGenerator<PlanResult> {
  const { cases = benchCases, batch = BATCH, gpu = GPU, signal } = options;
  checkInteger("plan", "batch", batch, 1, 1 << 20);
  checkCases("plan", cases);
  for (const name of cases) {
    await breathe(signal);
    yield planCase(name, batch, device, gpu);
  }
}

function planCase(name: string, batch: number, device: Device, gpu: GpuName): PlanResult {
  const { program, params, dispose } = recordCase(name, batch, device);
  try {
    return { case: `${name}/b${batch}`, ...countStep(program, device, gpu), params };
  } finally {
    dispose();
  }
}

/** Throws ERR_LCONV_DEVICE for a program of a device that does not count. */
export function countStep({ stats, commands }: Program, device: Device, gpu: GpuName): StepCount {
  check(stats !== undefined, "ERR_LCONV_DEVICE", () => `plan: the device "${device.name}" does not count what programs launch`);
  const { launches, longestPath, branches, bytes, flops } = stats;
  const resident = device.memory().bytes;
  return {
    device: device.name,
    commands,
    launches,
    longestPath,
    branches,
    mb: Number((bytes / 1e6).toFixed(2)),
    gflop: Number((flops / 1e9).toFixed(3)),
    residentMb: Number((resident / 1e6).toFixed(2)),
    fitsCache: fitsCache(resident, gpu),
    ...floors(stats, gpu),
    measured: false,
  };
}
