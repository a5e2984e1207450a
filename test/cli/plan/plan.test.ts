import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { floors, gpuOf } from "../../../src/cost/floors.js";
import { skip } from "../../support/skip.js";
import { lconv, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/plan");
const folder = temporaryFolder();
const module = process.env["LCONV_CUDA"] || fileURLToPath(new URL("../../../build/Release/lconv_cuda.so", import.meta.url));
const plan = (...args: string[]) => lconv(folder, ["plan", "--json", ...args], { CUDA_VISIBLE_DEVICES: "" });

interface Line {
  case: string;
  commands: number;
  launches: number;
  longestPath: number;
  branches: number;
  gflop: number;
  predictedUsLow: number;
  predictedUsHigh: number;
  measured: boolean;
}

/** The paper's symbols stay as they are. */
const camelCase = /^([a-z][a-zA-Z]*|n_L|d_h|m_in|m_out)$/;

/** All keys of a JSON value, at any depth. */
const keysIn = (value: unknown): string[] =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [...(Array.isArray(value) ? [] : [key]), ...keysIn(inner)])
    : [];

async function planned(...args: string[]): Promise<Line[]> {
  const { code, lines, stderr } = await plan(...args);
  assert.is(code, 0, stderr);
  for (const key of keysIn(lines)) assert.match(key, camelCase);
  return lines as unknown as Line[];
}

function plannedTest(name: string, body: () => Promise<void>): void {
  test(name, async () => (existsSync(module) ? body() : skip("lconv_cuda.so was not built")));
}

plannedTest("short chains: mnist/lconv takes at most 19 launches, 10 of them in turn, mnist/lconv2 at most 34 and 17", async () => {
  const [one, two] = await planned("--cases", "mnist/lconv,mnist/lconv2");
  assert.equal([one.case, two.case], ["mnist/lconv/b64", "mnist/lconv2/b64"]);
  assert.ok(one.launches <= 19 && one.longestPath <= 10, `mnist/lconv: ${one.launches}, ${one.longestPath}`);
  assert.ok(two.launches <= 34 && two.longestPath <= 17, `mnist/lconv2: ${two.launches}, ${two.longestPath}`);
  for (const line of [one, two]) {
    assert.ok(line.launches >= line.longestPath && line.longestPath > 0 && line.branches >= 1);
    assert.ok(line.predictedUsLow > 0 && line.predictedUsLow <= line.predictedUsHigh);
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
    assert.ok(faster[i].predictedUsHigh <= line.predictedUsHigh, line.case);
  }
});

plannedTest("docs/cuda.md has the launches that it counts", async () => {
  const docs = readFileSync(new URL("../../../docs/cuda.md", import.meta.url), "utf8");
  const rows = [...docs.matchAll(/^\| ((?:mnist|cifar100)\/\w+) \| (\d+) \| (\d+) \|$/gm)].map(([, name, ...counts]) => [
    name,
    ...counts.map(Number),
  ]);
  assert.is(rows.length, 6);
  const lines = await planned("--cases", rows.map(([name]) => name).join(","));
  assert.equal(
    lines.map((line) => [line.case.replace("/b64", ""), line.launches, line.longestPath]),
    rows,
  );
});

plannedTest("text says that it is a prediction", async () => {
  const { stdout } = await lconv(folder, ["plan", "--cases", "mnist/cnn"]);
  assert.match(stdout, /^mnist\/cnn\/b64 /m);
  assert.match(stdout, /PREDICTION of \d{4}-\d\d-\d\d .* nothing here was measured/);
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

const nowhere = { LCONV_CUDA: `${folder}/none.so`, LCONV_DATA: `${folder}/no-data`, XDG_CACHE_HOME: folder };

/** The lines of a network's plan by their part, on a machine without data and without lconv_cuda.so. */
async function network(...args: string[]): Promise<Record<string, Record<string, unknown>[]>> {
  const { code, lines, stderr } = await lconv(folder, ["plan", "--json", ...args], nowhere);
  assert.is(code, 0, stderr);
  const parts: Record<string, Record<string, unknown>[]> = {};
  for (const line of lines) {
    const part = String(line["part"]);
    parts[part] = [...(parts[part] ?? []), line];
    assert.is(line["measured"], false);
    for (const key of keysIn(line)) assert.match(key, camelCase);
  }
  return parts;
}

test("a network: layers, other generators, sums and an estimate, without its data and without a GPU's module", async () => {
  const parts = await network("--dataset", "cifar10", "--layers", "2", "--rank", "8", "--batch", "16", "--samples", "1000");
  assert.equal(Object.keys(parts), ["layer", "generators", "network", "cpu"]);
  assert.equal(
    parts["layer"].map(({ number, layer, out }) => [number, layer, out]),
    [
      [1, "lconv", [32, 1024]],
      [2, "lconv", [32, 1024]],
      [3, "linear", [10]],
    ],
  );
  assert.equal(
    parts["generators"].map(({ layer, d, m_in }) => [layer, d, m_in]),
    [
      [1, 1024, 3],
      [2, 1024, 32],
    ],
  );
  const layer = (m: number): number => 2 * 8 * 1024 * 8 + 9 * m * 32 + 32;
  const [{ params, batch, input }] = parts["network"];
  assert.is(params, layer(3) + layer(32) + (32 * 1024 + 1) * 10);
  assert.equal([batch, input], [16, { channels: 3, height: 32, width: 32, classes: 10 }]);
  const [{ threads, estimatedMs, samplesPerSecond, minutesPerEpoch, peakGflops, gbPerSecond }] = parts["cpu"] as Record<string, number>[];
  assert.is(threads, 1);
  assert.ok(estimatedMs > 0 && peakGflops > 0 && gbPerSecond > 0);
  assert.ok(Math.abs(samplesPerSecond * estimatedMs - 16e3) < 1);
  assert.ok(Math.abs(minutesPerEpoch * 60 * samplesPerSecond - 1000) < 1);
});

test("a network for images that do not exist yet, and for a file of one's own", async () => {
  const own = await network("--input", "2,5,4,3", "--model", "cnn", "--kernel", "2", "--filters", "6");
  assert.equal(Object.keys(own), ["layer", "network", "cpu"]);
  assert.is(own["network"][0]["params"], 6 * (2 * 4 + 1) + 3 * (6 * 4 * 3 + 1));
  assert.is(own["cpu"][0]["minutesPerEpoch"], null);
  writeTinyImages(`${folder}/tiny.npz`);
  const file = await network("--dataset", "tiny.npz", "--model", "fc-shallow");
  assert.equal(file["network"][0]["input"], { channels: 1, height: 8, width: 8, classes: 4 });
  assert.is(file["network"][0]["dataBytes"], 4 * 400 * 65);
});

test("text of a network says that its time is an estimate", async () => {
  const { code, stdout } = await lconv(folder, ["plan", "--pool", "max"], nowhere);
  assert.is(code, 0);
  assert.match(stdout, /^1 lconv-max +32 x 784 /m);
  assert.match(stdout, /^memory held +/m);
  assert.match(stdout, /By count low rank takes no more than dense up to d_h = \d+/);
  assert.match(stdout, /ESTIMATE for this CPU, 1 thread: [\d.,]+ ms a step/);
  assert.not.match(stdout, "PREDICTION");
});

plannedTest("a network on a GPU: alone with --device cuda, with the figures of --gpu", async () => {
  const { code, lines, stderr } = await plan("--model", "lconv", "--device", "cuda", "--gpu", "h200");
  assert.is(code, 0, stderr);
  const { part, gpu, launches, gflop, measured } = lines.at(-1) as Record<string, unknown>;
  assert.equal([part, gpu, measured], ["gpu", "h200", false]);
  assert.ok(Number(launches) > 0);
  const network = lines.find((line) => line["part"] === "network");
  assert.is(gflop, Number((Number(network?.["stepFlops"]) / 1e9).toFixed(3)));
  assert.not(lines.some((line) => line["part"] === "cpu"));
  const text = await lconv(folder, ["plan", "--model", "lconv", "--device", "cuda"]);
  assert.match(text.stdout, /PREDICTION of \d{4}-\d\d-\d\d for one H100.* nothing here was measured/);
  const cpuAlone = await plan("--model", "fc-shallow", "--device", "cpu");
  assert.equal(cpuAlone.lines.at(-1)?.["part"], "cpu");
});

test("misuse of a network's flags: what goes together, what exists, what is written how", async () => {
  const wrong: [string[], number, string][] = [
    [["--cases", "mnist/lconv", "--model", "cnn"], 2, "--cases"],
    [["--dataset", "mnits"], 2, 'did you mean "mnist"?'],
    [["--dataset", "gone.npz"], 1, "ERR_LCONV_IO"],
    [["--input", "1,28,28"], 2, "C,H,W,CLASSES"],
    [["--input", "1,28,0x1c,10"], 2, "C,H,W,CLASSES"],
    [["--input", "1,28,28,10", "--dataset", "mnist"], 2, "--dataset"],
    [["--optimizer", "adam", "--momentum", "0.9"], 2, "momentum"],
    [["--model", "cnn", "--pool", "max"], 2, "cnn-pool"],
    [["--device", "cuda"], 1, "ERR_LCONV_CUDA_MODULE"],
    [["--device", "cpu", "--gpu", "h100", "--model", "fc-shallow"], 1, "ERR_LCONV_CUDA_MODULE"],
  ];
  for (const [args, expected, text] of wrong) {
    const { code, stderr } = await lconv(folder, ["plan", ...args], nowhere);
    assert.is(code, expected, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, text);
  }
});

test("the greatest floor bounds a step", () => {
  const stats = {
    launches: 1,
    longestPath: 11,
    chainLaunches: 10,
    chainSlices: 8,
    branches: 1,
    graphNodes: 1,
    graphSteps: 4,
    cublasProducts: 1,
    ownProducts: 0,
    bytes: 3e6,
    flops: 67e6,
  };
  const { memoryFloorUs, arithmeticFloorUs, predictedUsLow, predictedUsHigh, boundBy } = floors(stats, "h100");
  assert.equal([memoryFloorUs, arithmeticFloorUs, predictedUsLow, predictedUsHigh, boundBy], [1, 1, 17.75, 28.25, "launches"]);
  assert.is(floors({ ...stats, bytes: 300e6 }, "h100").boundBy, "memory");
  assert.equal(floors({ ...stats, flops: 67e8 }, "h100").boundBy, "arithmetic");
  assert.is(floors({ ...stats, flops: 67e8 }, "h100", "bf16").boundBy, "launches");
});

test("figures are taken for the GPUs that they belong to", () => {
  assert.is(gpuOf("NVIDIA H100 80GB HBM3", 132), "h100");
  assert.is(gpuOf("NVIDIA H200", 132), "h200");
  assert.is(gpuOf("NVIDIA H100 PCIe", 114), undefined);
  assert.is(gpuOf("Emulated GPU", 4), undefined);
  assert.is(gpuOf(undefined, undefined), undefined);
});

test.run();
