// The steps of gpu-check in their order: what each runs, and how its output is judged.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { findDataset } from "../src/data/catalog.js";
import type { RawDataset } from "../src/data/dataset.js";
import { glyphs } from "../src/data/glyphs.js";
import type { BenchResult } from "../src/experiments/bench/steps.js";
import { writeNpz } from "../src/io/npz.js";
import type { Ended, ProcessOptions } from "./process.js";
import { typescript } from "./process.js";

/** What steps have to work with. `run` keeps the raw output under `name` and holds to the time that is left. */
export interface Check {
  root: string;
  out: string;
  scratch: string;
  emulated: boolean;
  quick: boolean;
  python: string | undefined;
  run(name: string, command: readonly string[], options: ProcessOptions): Promise<Ended>;
}

export type Outcome = { figure: string } | { failed: string; timedOut?: boolean } | { skipped: string };

interface Step {
  name: string;
  run(check: Check): Promise<Outcome>;
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** The last line of stdout where the program ended well, else why not. */
function outcome(ended: Ended, figure = lastLine(ended.stdout)): Outcome {
  if (ended.timedOut) return { failed: `no end in time; last line: ${lastLine(ended.stdout) || "none"}`, timedOut: true };
  return ended.code === 0 ? { figure } : { failed: `${lastLine(ended.stdout) || lastLine(ended.stderr)} (exit code ${ended.code})` };
}

const onPath = (name: string): boolean => (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

/** Test files that say `// also on a GPU`: vectors, operations, gradients of all models, trajectories of training. */
async function tests(check: Check): Promise<Outcome> {
  const files = readdirSync(join(check.root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts") && /^\/\/ also on a GPU\b/m.test(readFileSync(join(check.root, "test", name), "utf8")))
    .filter((name) => !check.quick || /^(vectors|ops\/matmul)/.test(name));
  const gpu = ["LCONV_CUDA", "LCONV_CUBLAS"].filter((name) => process.env[name]).map((name) => `${name}=${process.env[name]}`);
  const settings = ["LCONV_DEVICE=cuda", ...gpu].flatMap((setting) => ["--env", setting]);
  const command = typescript("test/support/run.ts", ...settings, ...files.map((name) => `test/${name}`));
  return outcome(await check.run("tests", command, { seconds: 240 }));
}

const parity = (check: Check): string => join(check.root, "build/Release/parity");

async function sanitize(check: Check, tool: string): Promise<Outcome> {
  if (check.emulated) return { skipped: "needs a real GPU" };
  if (!onPath("compute-sanitizer")) return { skipped: "compute-sanitizer is not on PATH" };
  const command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "1", parity(check), "--gpu"];
  const ended = await check.run(`sanitizer-${tool}`, command, { seconds: tool === "memcheck" ? 90 : 60 });
  return outcome(ended, /ERROR SUMMARY: .*/.exec(ended.stdout + ended.stderr)?.[0] ?? lastLine(ended.stdout));
}

const part = async (check: Check, name: string, seconds: number): Promise<Outcome> =>
  outcome(await check.run(name, typescript("bench/gpuParts.ts", name, ...(check.quick ? ["--quick"] : [])), { seconds }));

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
      { seconds: 90 },
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

/** Times of the emulation are not kept. */
const benchFile = (check: Check): string => join(check.emulated ? check.scratch : check.out, "steps.jsonl");

/** Steps of all networks at four batches, beside the peers where there is a Python for them. */
async function bench(check: Check): Promise<Outcome> {
  const sizes = check.quick
    ? ["--cases", "mnist/lconv", "--batch", "2", "--seconds", "0.01"]
    : ["--batch", "64,256,1024,4096", "--seconds", "0.2"];
  // A 2048^3 product takes the emulation minutes.
  const peak = check.emulated ? ["--peak", "1"] : [];
  const peers = check.python && !check.emulated ? ["--python", check.python, "--peers", "eager,graph,jax"] : [];
  const command = typescript("bench/steps.ts", "--device", "cuda", ...sizes, ...peak, ...peers, "--out", benchFile(check));
  const ended = await check.run("steps", command, { seconds: check.python ? 240 : 120 });
  const ours = readBench(check);
  if (check.emulated) {
    if (ended.code === 0) rmSync(join(check.out, "steps.txt"));
    return outcome(ended, `${ours.length} lines, no timing: emulated`);
  }
  const first = ours[0];
  return outcome(ended, first ? `${first.case} ${(1e3 * first.msPerStep).toFixed(1)} us; ${ours.length} lines` : "no lines");
}

function readBench(check: Check): BenchResult[] {
  if (!existsSync(benchFile(check))) return [];
  const lines = readFileSync(benchFile(check), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as BenchResult & { by?: string }).filter(({ by }) => by === "lconv");
}

/** What `lconv plan` says of this GPU, beside what was measured: in the best round, and how far it is from the far end. */
async function predictions(check: Check): Promise<Outcome> {
  const best = new Map<string, BenchResult>();
  for (const line of check.emulated ? [] : readBench(check)) {
    if (line.predictedUsHigh === undefined) continue;
    if (line.msPerStep < (best.get(line.case)?.msPerStep ?? Number.POSITIVE_INFINITY)) best.set(line.case, line);
  }
  if (best.size === 0)
    return { skipped: check.emulated ? "nothing is timed on the emulated GPU" : "no measurement, or no figures for this GPU" };
  const ratios: number[] = [];
  const lines = [...best.values()].map((line) => {
    const measured = 1e3 * line.msPerStep;
    const ratio = measured / (line.predictedUsHigh ?? Number.NaN);
    ratios.push(ratio);
    const predicted = `${line.predictedUsLow}-${line.predictedUsHigh} us (${line.boundBy})`;
    return `${line.case.padEnd(22)} measured ${measured.toFixed(1)} us, predicted ${predicted}, ratio ${ratio.toFixed(2)}`;
  });
  writeFileSync(join(check.out, "predictions.txt"), `${lines.join("\n")}\n`);
  ratios.sort((a, b) => a - b);
  const [low, middle, high] = [ratios[0], ratios[Math.floor(ratios.length / 2)], ratios.at(-1)!].map((x) => x.toFixed(2));
  return { figure: `measured over predicted: ${low} to ${high}, median ${middle}, ${ratios.length} cases` };
}

export const steps: readonly Step[] = [
  { name: "doctor", run: async () => ({ skipped: "it comes before all" }) },
  { name: "parity", run: async (check) => outcome(await check.run("parity", [parity(check), "--gpu"], { seconds: 90 })) },
  { name: "precision", run: (check) => part(check, "precision", 60) },
  { name: "steps", run: bench },
  { name: "predictions", run: predictions },
  { name: "epoch", run: (check) => part(check, "epoch", 60) },
  { name: "training", run: training },
  { name: "tests", run: tests },
  ...["memcheck", "racecheck", "initcheck", "synccheck"].map((tool) => ({ name: tool, run: (check: Check) => sanitize(check, tool) })),
];
