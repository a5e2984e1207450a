// The steps of gpu-check in their order, the most telling first, with the time that each may take.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { findDataset } from "../src/data/catalog.js";
import type { RawDataset } from "../src/data/dataset.js";
import { glyphs } from "../src/data/glyphs.js";
import { writeNpz } from "../src/io/npz.js";
import { machine } from "./gpuMachine.js";
import { tryModes } from "./gpuModes.js";
import { parity } from "./gpuParity.js";
import { bench, nsys, peers, predictions, profile } from "./gpuSpeed.js";
import { type Check, findTool, lastLine, notFound, type Outcome, outcome, type Step } from "./gpuStep.js";
import { typescript } from "./process.js";

/** Test files that say `// also on a GPU`: vectors, operations, gradients of all models, trajectories of training. */
async function tests(check: Check): Promise<Outcome> {
  const files = readdirSync(join(check.root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts") && /^\/\/ also on a GPU\b/m.test(readFileSync(join(check.root, "test", name), "utf8")))
    .filter((name) => !check.quick || /^(vectors|ops\/matmul)/.test(name));
  const gpu = ["LCONV_CUDA", "LCONV_CUBLAS"].filter((name) => process.env[name]).map((name) => `${name}=${process.env[name]}`);
  const settings = ["LCONV_DEVICE=cuda", ...gpu].flatMap((setting) => ["--env", setting]);
  return outcome(await check.run("tests", typescript("test/support/run.ts", ...settings, ...files.map((name) => `test/${name}`))));
}

/** Our own kernels, on some of the rows: cuBLAS's are slow to watch, and their workspaces are none of our business. */
export async function sanitize(check: Check, tool: string, step: number): Promise<Outcome> {
  const sanitizer = findTool("compute-sanitizer");
  if (sanitizer === undefined) return { skipped: notFound("compute-sanitizer") };
  if (check.emulated) return { skipped: "needs a real GPU" };
  const watching = ["--tool", tool, "--kernel-regex", "kns=lieconv", "--error-exitcode", "1"];
  // The filter is a part of every row's name, and leaves the random programs out.
  const ended = await check.run(`sanitizer-${tool}`, [sanitizer, ...watching, check.parity, "--gpu", String(step), "("]);
  return outcome(ended, /ERROR SUMMARY: .*/.exec(ended.stdout + ended.stderr)?.[0] ?? lastLine(ended.stdout));
}

const part = async (check: Check, name: string): Promise<Outcome> =>
  outcome(
    await check.run(name, typescript("bench/gpuParts.ts", name, ...(check.quick ? ["--quick"] : [])), { env: { LCONV_DEVICE: "cuda" } }),
  );

/** Lines of `lconv train --json`: "epoch" has the loss, "done" the rest. */
interface TrainLine {
  event: string;
  loss: number;
  testAccuracy: number;
  seconds: number;
  device: string;
}

/** The paper's recipe for a few epochs on both devices, on MNIST where it is here: they must learn alike. */
async function training(check: Check): Promise<Outcome> {
  const official = (["mnist", "fashion-mnist"] as const).find((name) => findDataset(name) !== undefined) ?? "glyphs";
  const dataset = check.quick ? writeFewGlyphs(join(check.scratch, "glyphs.npz")) : official;
  const size = check.quick ? ["--epochs", "3", "--filters", "4"] : ["--epochs", "3", "--filters", "16", "--variant", "rotated-scrambled"];
  const recipe = ["--dataset", dataset, "--preset", "paper", "--generators", "5", "--rank", "8", ...size];
  const runs: { loss: number; accuracy: number }[] = [];
  const parts: string[] = [];
  for (const device of ["cuda", "cpu"]) {
    const command = ["train", ...recipe, "--device", device, "--json", "--progress", "silent"];
    const ended = await check.run(
      `train-${device}`,
      typescript("src/cli/main.ts", ...command, "--out", join(check.scratch, `train-${device}`)),
    );
    if (ended.code !== 0) return outcome(ended);
    const lines = ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as TrainLine);
    const done = lines.at(-1)!;
    const { loss } = lines.findLast(({ event }) => event === "epoch")!;
    runs.push({ loss, accuracy: done.testAccuracy });
    const time = check.emulated ? "" : ` in ${done.seconds.toFixed(1)} s`;
    parts.push(`${done.device} ${(100 * done.testAccuracy).toFixed(2)} %, loss ${loss.toFixed(4)}${time}`);
  }
  const figure = `${basename(dataset)}: ${parts.join("; ")}`;
  // Rounding makes two runs drift apart, the more the longer they are; a wrong gradient costs far more than this.
  const [gpu, cpu] = runs;
  const alike = Math.abs(gpu.accuracy - cpu.accuracy) <= (check.quick ? 0.05 : 0.02);
  return alike && Math.abs(gpu.loss - cpu.loss) <= (check.quick ? 0.001 : 0.1) * cpu.loss ? { figure } : { failed: figure };
}

function writeFewGlyphs(path: string): string {
  const { train, test } = glyphs({ train: 240, test: 60 });
  const images = ({ count, channels, height, width, pixels }: RawDataset) => ({ shape: [count, channels, height, width], data: pixels });
  const labels = ({ count, labels }: RawDataset) => ({ shape: [count], data: labels });
  writeNpz(path, [
    ["x", images(train)],
    ["labels", labels(train)],
    ["x_test", images(test)],
    ["labels_test", labels(test)],
  ]);
  return path;
}

/** Two processes, each of which trains alone and beside another program, end at the same weights. */
async function determinism(check: Check): Promise<Outcome> {
  const [first, second] = [await part(check, "determinism"), await part(check, "determinism")];
  if (!("figure" in first && "figure" in second) || first.figure === second.figure) return "figure" in first ? second : first;
  return { failed: `another process ends at other weights: ${first.figure}, then ${second.figure}` };
}

const watched = (tool: string, step: number) => (check: Check) => sanitize(check, tool, step);

/** Shares add up to 480 and 180 seconds; the last step also has what is left of all. */
export const steps: readonly Step[] = [
  { name: "machine", seconds: 10, short: 5, always: true, run: machine },
  { name: "parity", seconds: 60, short: 40, run: parity },
  { name: "memcheck", seconds: 40, short: 30, run: watched("memcheck", 30) },
  { name: "racecheck", seconds: 40, short: 0, run: watched("racecheck", 30) },
  { name: "precision", seconds: 15, short: 10, run: (check) => part(check, "precision") },
  { name: "training", seconds: 40, short: 25, run: training },
  { name: "modes", seconds: 40, short: 20, run: tryModes },
  { name: "determinism", seconds: 20, short: 0, run: determinism },
  { name: "profile", seconds: 20, short: 15, run: profile },
  { name: "steps", seconds: 40, short: 20, run: bench },
  { name: "predictions", seconds: 0, short: 0, run: predictions },
  { name: "peers", seconds: 75, short: 0, run: peers },
  { name: "nsys", seconds: 15, short: 0, run: nsys },
  { name: "epoch", seconds: 15, short: 0, run: (check) => part(check, "epoch") },
  { name: "initcheck", seconds: 10, short: 0, run: watched("initcheck", 100) },
  { name: "synccheck", seconds: 10, short: 0, run: watched("synccheck", 100) },
  { name: "tests", seconds: 15, short: 0, run: tests },
];
