import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { floors, gpuOf } from "../../src/experiments/floors.js";
import { skip } from "../support/skip.js";
import { lconv, temporaryFolder } from "./command.js";

const test = suite("cli/plan");
const folder = temporaryFolder();
const module = process.env["LCONV_CUDA"] || fileURLToPath(new URL("../../build/Release/lconv_cuda.so", import.meta.url));
const plan = (...args: string[]) => lconv(folder, ["plan", "--json", ...args], { CUDA_VISIBLE_DEVICES: "" });

interface Line {
  case: string;
  commands: number;
  launches: number;
  longest_path: number;
  branches: number;
  gflop: number;
  predicted_us_low: number;
  predicted_us_high: number;
  measured: boolean;
}

async function planned(...args: string[]): Promise<Line[]> {
  const { code, lines, stderr } = await plan(...args);
  assert.is(code, 0, stderr);
  return lines as unknown as Line[];
}

function plannedTest(name: string, body: () => Promise<void>): void {
  test(name, async () => (existsSync(module) ? body() : skip("lconv_cuda.so was not built")));
}

plannedTest("short chains: mnist/lconv takes at most 20 dependent launches, mnist/lconv2 at most 32", async () => {
  const [one, two] = await planned("--cases", "mnist/lconv,mnist/lconv2");
  assert.equal([one.case, two.case], ["mnist/lconv/b64", "mnist/lconv2/b64"]);
  assert.ok(one.longest_path <= 20, `mnist/lconv: ${one.longest_path}`);
  assert.ok(two.longest_path <= 32, `mnist/lconv2: ${two.longest_path}`);
  for (const line of [one, two]) {
    assert.ok(line.launches >= line.longest_path && line.longest_path > 0 && line.branches >= 1);
    assert.ok(line.predicted_us_low > 0 && line.predicted_us_low <= line.predicted_us_high);
    assert.is(line.measured, false);
  }
});

plannedTest("every case is planned; work grows with the batch, on a faster GPU the prediction does not", async () => {
  const small = await planned();
  const large = await planned("--batch", "256");
  const faster = await planned("--batch", "256", "--gpu", "h200");
  assert.is(small.length, 12);
  for (const [i, line] of large.entries()) {
    assert.ok(line.gflop > 2 * small[i].gflop, line.case);
    assert.ok(faster[i].predicted_us_high <= line.predicted_us_high, line.case);
  }
});

plannedTest("text says that it is a prediction", async () => {
  const { stdout } = await lconv(folder, ["plan", "--cases", "mnist/cnn"]);
  assert.match(stdout, /^mnist\/cnn\/b64 /m);
  assert.match(stdout, /PREDICTION .* nothing here was measured/);
});

test("without lconv_cuda.so: ERR_LCONV_CUDA_MODULE and what to do", async () => {
  const { code, lines, stderr } = await lconv(folder, ["plan", "--json"], { LCONV_CUDA: `${folder}/none.so` });
  assert.equal([code, lines.at(-1)?.code], [1, "ERR_LCONV_CUDA_MODULE"]);
  assert.match(stderr, "npm run setup");
});

plannedTest("a case that is not known is refused", async () => {
  const { code, stderr } = await plan("--cases", "mnist/lconw");
  assert.is(code, 2);
  assert.match(stderr, 'did you mean "mnist/lconv"?');
});

test("the greatest floor bounds a step", () => {
  const stats = { launches: 1, longestPath: 10, branches: 1, graphNodes: 1, bytes: 3e6, flops: 67e6 };
  const { memory_floor_us, arithmetic_floor_us, predicted_us_low, predicted_us_high, bound_by } = floors(stats, "h100");
  assert.equal([memory_floor_us, arithmetic_floor_us, predicted_us_low, predicted_us_high, bound_by], [1, 1, 15, 25, "launches"]);
  assert.is(floors({ ...stats, bytes: 300e6 }, "h100").bound_by, "memory");
  assert.equal(floors({ ...stats, flops: 67e8 }, "h100").bound_by, "arithmetic");
  assert.is(floors({ ...stats, flops: 67e8 }, "h100", "bf16").bound_by, "launches");
});

test("figures are taken for the GPUs that they belong to", () => {
  assert.is(gpuOf("NVIDIA H100 80GB HBM3", 132), "h100");
  assert.is(gpuOf("NVIDIA H200", 132), "h200");
  assert.is(gpuOf("NVIDIA H100 PCIe", 114), undefined);
  assert.is(gpuOf("Emulated GPU", 4), undefined);
  assert.is(gpuOf(undefined, undefined), undefined);
});

test.run();
