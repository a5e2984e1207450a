import { defined } from "../defined.js";
import { breathe } from "../engine/breathe.js";
import { type Device, device as deviceOf } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { Philox, streams } from "../engine/random.js";
import { matmul } from "../ops/matmul.js";
import { record } from "../tensor/record.js";
import { type Tensor, tensor } from "../tensor/tensor.js";

/** Groups of steps are this long, so that the call around them, and the wait for a GPU, do not count. */
export const GROUP_MS = 2;
export const GPU_GROUP_MS = 50;

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

/** What timeSteps runs to time a program: all steps of a group in one go. Throws the reason of `signal`. */
export const groups =
  (program: Program, signal?: AbortSignal) =>
  (steps: number): Promise<number> =>
    program.run({ steps, chunkMs: 1e9, ...defined({ signal }) });

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
