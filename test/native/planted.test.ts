// time limit: 900 s
// Faults planted in the CUDA sources, one at a time: each must turn the check red that it is written down with, and the sound sources none.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { haveEmulation } from "../support/emulated.js";
import { haveNvcc } from "../support/nvcc.js";
import { complaint } from "../support/planted/checks.js";
import { faults, plant } from "../support/planted/faults.js";
import { Modules } from "../support/planted/modules.js";
import { each } from "../support/ptx/build.js";
import { skip } from "../support/skip.js";
import { emu } from "./orders.js";

const test = suite("native/planted");
const root = fileURLToPath(new URL("../../", import.meta.url));
const missing = haveEmulation(emu) ? undefined : "no emulated GPU was built (build/emu)";
const folder = missing ? "" : mkdtempSync(join(root, "build/planted-"));
test.after(() => {
  if (!missing) rmSync(folder, { recursive: true });
});

const possible = faults.filter(({ by }) => haveNvcc || typeof by === "string" || !("ptx" in by));
let making: Promise<Modules> | undefined;
const made = (): Promise<Modules> => (making ??= Modules.make(folder));

function plantedTest(name: string, body: () => Promise<void>): void {
  test(name, () => (missing ? skip(missing) : body()));
}

test("a text that is not there just once is an error", () => {
  const fault = { ...faults[0], from: "a b", to: "c" };
  assert.is(plant(fault, "0 a b 1"), "0 c 1");
  assert.throws(() => plant(fault, "0"), /0 places/);
  assert.throws(() => plant(fault, "a b a b"), /2 places/);
});

plantedTest("the sound sources pass every check", async () => {
  const sound = await (await made()).sound();
  const checks = new Map(possible.map(({ by, file }) => [JSON.stringify(by), { by, file }]));
  const complaints = await each([...checks.values()], ({ by, file }) => complaint(by, sound, file));
  assert.equal(
    complaints.filter((text) => text !== undefined),
    [],
  );
});

plantedTest(`${possible.length} faults are caught`, async () => {
  if (possible.length < faults.length) skip("nvcc is not installed, so faults in what it makes are left out");
  const modules = await made();
  const rows = await each(possible, async (fault) => {
    const caught = await complaint(fault.by, await modules.faulty(fault), fault.file);
    return { ...fault, caught: caught?.slice(0, 110) ?? "ESCAPED" };
  });
  console.log(rows.map(({ name, file, caught }) => `${name.padEnd(60)} ${file.padEnd(20)} ${caught}`).join("\n"));
  assert.equal(
    rows.filter(({ caught }) => caught === "ESCAPED"),
    [],
  );
});

test.run();
