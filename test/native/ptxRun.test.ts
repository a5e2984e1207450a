// time limit: 900 s
// What nvcc makes of the kernels, run: its PTX is translated to C++ (test/support/ptx) and takes the place of the kernels that g++ compiled on
// the emulated GPU. All rows of the parity program and a training, for the oldest, the usual and the newest architecture; and faults planted
// in the PTX, which must show; with --env LCONV_VERDICTS=1 it prints how.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { haveNvcc } from "../support/nvcc.js";
import { each, type Ptx, PtxLibraries, ptxOf } from "../support/ptx/build.js";
import { type Mutation, mutated, mutations } from "../support/ptx/mutations.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";
import { emu } from "./orders.js";

const test = suite("native/ptxRun");
const root = fileURLToPath(new URL("../../", import.meta.url));
const module = join(emu, "lconv_cuda_emu.so");
const missing = !haveNvcc ? "nvcc is not installed" : haveEmulation(emu) ? undefined : "no emulated GPU was built (build/emu)";
const folder = missing ? "" : mkdtempSync(join(root, "build/ptx-"));
const libraries = new PtxLibraries(folder, module);
test.after(() => {
  if (!missing) rmSync(folder, { recursive: true });
});
if (missing) test("all of it", () => skip(missing));

function ptxTest(name: string, body: () => Promise<void>): void {
  if (!missing) test(name, body);
}

interface Ended {
  passed: boolean;
  output: string;
}

const on = (library: string): NodeJS.ProcessEnv => emulated(emu, { LCONV_EMU_SEED: "1", LCONV_EMU_PTX: library });

async function parity(library: string, rows: string[] = []): Promise<Ended> {
  const options = { env: { ...process.env, ...on(library) }, maxBuffer: 1 << 28, timeout: 300_000 };
  try {
    const { stdout, stderr } = await promisify(execFile)(join(root, "build/Release/parity"), ["--gpu", ...rows], options);
    return { passed: true, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { passed: false, output: stdout + stderr };
  }
}

const cpuWeights = memo(
  async (): Promise<number[]> => JSON.parse((await runChild("train", ["4", "1"], { LCONV_DEVICE: "cpu" })).stdout).weights,
);

async function training(library: string): Promise<Ended> {
  const { code, stdout, stderr } = await runChild("train", ["4", "1"], on(library), 300);
  if (code !== 0) return { passed: false, output: stderr };
  const error = relError(JSON.parse(stdout).weights, await cpuWeights());
  return { passed: error < 1e-4, output: `weights ${error} away from the CPU's\n${stderr}` };
}

function memo<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const usual = memo(() => ptxOf("compute_90"));
const architectures = {
  compute_75: () => ptxOf("compute_75"),
  compute_80: () => ptxOf("compute_80"),
  compute_90: usual,
  compute_120: () => ptxOf("compute_120"),
};
/** Architectures whose instructions are the same share a library, and what was seen of it. */
const seen = new Map<string, string>();

for (const [name, ptx] of Object.entries(architectures)) {
  ptxTest(`${name}: every row of the parity program, and a training`, async () => {
    const library = await libraries.make(await ptx());
    if (seen.has(library)) return console.log(`${name}: the instructions of ${seen.get(library)}`);
    const [rows, trained] = await Promise.all([parity(library), training(library)]);
    assert.match(rows.output, /^[1-9]\d* passed, 0 failed$/m);
    assert.ok(rows.passed, rows.output);
    const [, run, known] = /^emulated CUDA: (\d+) of (\d+) kernels run from PTX$/m.exec(rows.output) ?? [];
    assert.ok(Number(known) > 0 && run === known, rows.output);
    assert.ok(trained.passed, trained.output);
    seen.set(library, name);
  });
}

/** Why the fault does not count as caught; undefined where it does. */
async function escapes(ptx: Ptx, mutation: Mutation): Promise<string | undefined> {
  const library = await libraries.make(mutated(ptx, mutation));
  const { passed, output } = mutation.rows === undefined ? await training(library) : await parity(library, [mutation.rows]);
  if (passed) return `${mutation.name}: escaped`;
  if (/no row has/.test(output) || !(mutation.says ?? /./).test(output))
    return `${mutation.name}: caught in another way: ${output.slice(0, 2000)}`;
  if (process.env["LCONV_VERDICTS"])
    console.log(
      `${mutation.name}: ${output
        .split("\n")
        .find((line) => /fail|kernel|weights/.test(line))
        ?.slice(0, 200)}`,
    );
  return undefined;
}

ptxTest(`${mutations.length} faults planted in the PTX are caught`, async () => {
  const ptx = await usual();
  const verdicts = await each(mutations, (mutation) => escapes(ptx, mutation).catch((error) => String(error)));
  assert.equal(
    verdicts.filter((verdict) => verdict !== undefined),
    [],
  );
});

ptxTest("a library that is not there ends the process", async () => {
  const { passed, output } = await parity("/nowhere.so", [" fill("]);
  assert.not(passed);
  assert.match(output, /LCONV_EMU_PTX=\/nowhere\.so: .*cannot open/);
});

test.run();
