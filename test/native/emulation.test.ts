// time limit: 900 s
// The emulated GPU itself, and what it shows of the CUDA sources: the same bits in any order of blocks, threads and branches.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { haveEmulation } from "../support/emulated.js";
import { long } from "../support/long.js";
import { skip } from "../support/skip.js";
import { emu, parity, parityInOrders, run, severalStepsInOrders, trainingInLittleMemory, trainingInOrders } from "./orders.js";

const test = suite("native/emulation");

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

emulationTest("every row of the parity program: right, and the same bits in two orders of execution", () => parityInOrders(2));
emulationTest("every row on a GPU of one multiprocessor, whose blocks have more to do each", async () => {
  await parity(1, { LCONV_EMU_SMS: "1" });
});
emulationTest("training: the same bits in other orders of execution, and what the CPU gets", () => trainingInOrders(long ? 3 : 2));
emulationTest("several steps in one graph: the bits of one step a graph, in other orders", () => severalStepsInOrders(long ? 4 : 2));
emulationTest("training where results share places in memory: the same bits", () => trainingInLittleMemory(2));

test.run();
