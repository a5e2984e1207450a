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

const inOrder = (seed: number): NodeJS.ProcessEnv => emulated(emu, { LCONV_EMU_SEED: String(seed) });

/** Every row of the parity program is right, with the same bits in every order. */
export async function parityInOrders(count: number): Promise<void> {
  const digests = new Set<string>();
  for (let seed = 1; seed <= count; seed++) {
    const lines = (await run(join(root, "build/Release/parity"), ["--gpu"], inOrder(seed))).trim().split("\n");
    assert.match(lines.at(-1) ?? "", /^[1-9]\d* passed, 0 failed$/, `seed ${seed}`);
    digests.add(lines.at(-2)!);
  }
  assert.is(digests.size, 1);
}

/** Training ends at the same bits in every order, and at what the CPU gets. */
export async function trainingInOrders(count: number): Promise<void> {
  const train = async (env: NodeJS.ProcessEnv): Promise<{ digest: string; weights: number[] }> => {
    const ended = await runChild("train", ["4", "1"], env, 300);
    assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
    return JSON.parse(ended.stdout);
  };
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
  const train = async (steps: string, seed: number): Promise<{ digest: string; stats: ProgramStats }> => {
    const ended = await runChild("train", ["7", "1"], { ...inOrder(seed), LCONV_CUDA_STEPS: steps }, 300);
    assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
    return JSON.parse(ended.stdout);
  };
  const one = await train("1", 1);
  assert.is(one.stats.graphSteps, 0);
  for (const steps of ["2", "4"]) {
    for (let seed = 1; seed <= count; seed++) {
      const { digest, stats } = await train(steps, seed);
      assert.is(stats.graphSteps, Number(steps), stats.note);
      assert.is(digest, one.digest, `${steps} steps, seed ${seed}`);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = Number(process.argv[2]);
  await parityInOrders(count);
  await trainingInOrders(count);
  await severalStepsInOrders(count);
  console.log(`rows of parity, training and several steps at once: the same bits in ${count} orders of execution`);
}
