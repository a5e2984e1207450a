// The time of a train step by several processes that MPI starts on this machine.
import { recordCase } from "../src/cost/cases.js";
import type { Group } from "../src/distributed/group.js";
import type { Device } from "../src/engine/device.js";

import { runProcess } from "./process.js";

export interface Timed {
  ms: number;
  /** Waiting for sums, of rank 0; on GPUs sums are part of the graph, and this is 0. */
  waitedMs: number;
  /** Of the sums of a step. */
  bytes: number;
  sums: number;
}

/** One rank, or a process alone: the time of a step over some seconds of them, which all ranks begin together. */
export async function timeSteps(
  world: Group,
  device: Device,
  { name, batch, seconds }: { name: string; batch: number; seconds: number },
): Promise<Timed> {
  await world.connect(device);
  const { program, dispose } = recordCase(name, batch, device, { group: world });
  const run = (steps: number): Promise<number> => program.run({ steps, chunkMs: Number.POSITIVE_INFINITY });
  await run(3);
  const begun = performance.now();
  await run(5);
  const [steps] = await world.agree([Math.max(5, Math.round((1e3 * seconds * 5) / (performance.now() - begun)))], "first");
  const before = world.traffic;
  await world.barrier();
  const start = performance.now();
  await run(steps);
  const ms = (performance.now() - start) / steps;
  const { waitedSeconds, bytes, sums } = world.traffic;
  dispose();
  return {
    ms,
    waitedMs: (1e3 * (waitedSeconds - before.waitedSeconds)) / steps,
    bytes: (bytes - before.bytes) / steps,
    sums: (sums - before.sums) / steps,
  };
}

/** Runs a command as so many ranks, one as a process alone; what rank 0 prints is an object. */
export async function runAsRanks<T>(command: readonly string[], ranks: number, mpirun: string, more: NodeJS.ProcessEnv = {}): Promise<T> {
  const launcher = [mpirun, "--bind-to", "none", "--oversubscribe", "--quiet", "-n", String(ranks)];
  const env = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1", ...more };
  const { code, stdout, stderr } = await runProcess(ranks === 1 ? command : [...launcher, ...command], { env, seconds: 300 });
  if (code !== 0) throw new Error(stderr || stdout);
  return JSON.parse(stdout) as T;
}

export const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
