// The emulated GPU with blocks, threads and branches in other orders. `node --import tsx test/native/orders.ts COUNT` goes through COUNT of them;
// emulation.test.ts through a few.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as assert from "uvu/assert";
import type { ProgramStats } from "../../src/engine/addon.js";
import { runChild } from "../support/child.js";
import { emulated } from "../support/emulated.js";
import { relError } from "../support/reference.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
export const emu = join(root, "build/emu");
const execute = promisify(execFile);

export const run = async (program: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> =>
  (await execute(program, args, { env: { ...process.env, LD_LIBRARY_PATH: emu, ...env }, maxBuffer: 1 << 26 })).stdout;

const inOrder = (seed: number, settings: Record<string, string> = {}): NodeJS.ProcessEnv =>
  emulated(emu, { LCONV_EMU_SEED: String(seed), ...settings });

/** The digest of the results of every row of the parity program, which are all right. */
export async function parity(seed: number, settings: Record<string, string> = {}): Promise<string> {
  const lines = (await run(join(root, "build/Release/parity"), ["--gpu"], inOrder(seed, settings))).trim().split("\n");
  assert.match(lines.at(-1) ?? "", /^[1-9]\d* passed, 0 failed$/, `seed ${seed}`);
  return lines.at(-2)!;
}

/** Every row of the parity program is right, with the same bits in every order. */
export async function parityInOrders(count: number): Promise<void> {
  const digests = new Set<string>();
  for (let seed = 1; seed <= count; seed++) digests.add(await parity(seed));
  assert.is(digests.size, 1);
}

interface Trained {
  digest: string;
  weights: number[];
  arenaBytes: number;
  stats: ProgramStats;
}

async function train(env: NodeJS.ProcessEnv, steps = 4): Promise<Trained> {
  const ended = await runChild("train", [String(steps), "1"], env, 300);
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

/** Training ends at the same bits in every order, and at what the CPU gets. */
export async function trainingInOrders(count: number): Promise<void> {
  const cpu = await train({ LCONV_DEVICE: "cpu" });
  const digests = new Set<string>();
  for (let seed = 1; seed <= count; seed++) {
    const { digest, weights } = await train(inOrder(seed));
    digests.add(digest);
    assert.ok(relError(weights, cpu.weights) < 1e-4, `seed ${seed}: ${relError(weights, cpu.weights)}`);
  }
  assert.is(digests.size, 1);
}

/** Steps of which several are one graph end at the same bits as steps of a graph each, in every order. */
export async function severalStepsInOrders(count: number): Promise<void> {
  const steps = 7; // one, two and four of them at a time
  const one = await train(inOrder(1, { LCONV_CUDA_STEPS: "1" }), steps);
  assert.is(one.stats.graphSteps, 0);
  for (const several of ["2", "4"]) {
    for (let seed = 1; seed <= count; seed++) {
      const { digest, stats } = await train(inOrder(seed, { LCONV_CUDA_STEPS: several }), steps);
      assert.is(stats.graphSteps, Number(several), stats.note);
      assert.is(digest, one.digest, `${several} steps, seed ${seed}`);
    }
  }
}

/** On a GPU with little memory results share places, and training ends at the same bits all the same. */
export async function trainingInLittleMemory(count: number): Promise<void> {
  const usual = await train(inOrder(1));
  for (let seed = 1; seed <= count; seed++) {
    const { digest, arenaBytes } = await train(inOrder(seed, { LCONV_EMU_MEMORY: String(64 << 20), LCONV_EMU_CAPABILITY: "8.0" }));
    assert.ok(arenaBytes < 0.7 * usual.arenaBytes, `an arena of ${arenaBytes} bytes, usually ${usual.arenaBytes}`);
    assert.is(digest, usual.digest, `seed ${seed}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2]);
  await parityInOrders(count);
  await trainingInOrders(count);
  await severalStepsInOrders(count);
  await trainingInLittleMemory(count);
  console.log(`rows of parity, training, several steps at once, little memory: the same bits in ${count} orders of execution`);
}
