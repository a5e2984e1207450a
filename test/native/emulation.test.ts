// time limit: 1800 s
// The emulated GPU itself, and what it shows of the CUDA sources: the same bits in any order of blocks, threads and branches.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";

const test = suite("native/emulation");
const root = fileURLToPath(new URL("../../", import.meta.url));
const emu = join(root, "build/emu");
const seeds = Array.from({ length: 20 }, (_, i) => String(i + 1));
const execute = promisify(execFile);

const run = async (program: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string> =>
  (await execute(program, args, { env: { ...process.env, LD_LIBRARY_PATH: emu, ...env }, maxBuffer: 1 << 26 })).stdout;

function emulationTest(name: string, body: () => void | Promise<void>): void {
  test(name, () => (haveEmulation(emu) ? body() : skip("no emulated GPU was built (build/emu)")));
}

for (const program of ["emu_planted", "emu_cublas_checks"]) {
  emulationTest(`${program}: planted faults are caught, their sound twins pass`, async () => {
    assert.match((await run(join(emu, program))).trim().split("\n").at(-1) ?? "", /^[1-9]\d* passed, 0 failed$/);
  });
}

for (const program of ["emu_abi_values", "emu_cublas_abi_values"]) {
  emulationTest(`${program}: the emulated headers have NVIDIA's values`, async () => {
    const real = join(emu, `${program}_nvidia`);
    if (!existsSync(real)) return skip("NVIDIA's headers are not installed");
    assert.is(await run(join(emu, program)), await run(real));
  });
}

emulationTest("every row of the parity program: right, and the same bits for 20 orders of execution", async () => {
  const digests = new Set<string>();
  for (const seed of seeds) {
    const lines = (await run(join(root, "build/Release/parity"), ["--gpu"], emulated(emu, { LCONV_EMU_SEED: seed }))).trim().split("\n");
    assert.match(lines.at(-1) ?? "", /^[1-9]\d* passed, 0 failed$/, `seed ${seed}`);
    digests.add(lines.at(-2)!);
  }
  assert.is(digests.size, 1);
});

emulationTest("training: the same bits for 20 orders of execution, and what the CPU gets", async () => {
  const train = async (env: NodeJS.ProcessEnv): Promise<{ digest: string; weights: number[] }> => {
    const ended = await runChild("train", ["4", "1"], env, 300);
    assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
    return JSON.parse(ended.stdout);
  };
  const cpu = await train({ LCONV_DEVICE: "cpu" });
  const digests = new Set<string>();
  for (const seed of seeds) {
    const { digest, weights } = await train(emulated(emu, { LCONV_EMU_SEED: seed }));
    digests.add(digest);
    assert.ok(relError(weights, cpu.weights) < 1e-4, `seed ${seed}: ${relError(weights, cpu.weights)}`);
  }
  assert.is(digests.size, 1);
});

test.run();
