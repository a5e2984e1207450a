// The steps of gpu-check that measure: launch by launch, whole steps, beside others, and beside what was predicted.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchResult } from "../src/experiments/bench/steps.js";
import { type Check, findTool, lastLine, notFound, type Outcome, outcome, reasonOf } from "./gpuStep.js";
import type { PeerLine } from "./peers.js";
import { typescript } from "./process.js";

/** With a network more, torch.compile would need minutes for its autotuning. */
const peerCases = {
  graph: "mnist/lconv,mnist/lconv2",
  eager: "mnist/lconv,mnist/lconv2",
  jax: "mnist/lconv,mnist/lconv2",
  compile: "mnist/lconv",
};
/** What a process of bench/steps takes besides its peer. */
const OWN_SECONDS = 8;

/** A table of launches for each bench case, and its graph as DOT. */
export async function profile(check: Check): Promise<Outcome> {
  const graphs = join(check.out, "graphs");
  mkdirSync(graphs, { recursive: true });
  const env = { LCONV_CUDA_PROFILE: "1", LCONV_CUDA_DOT: graphs };
  const ended = await check.run("profile", typescript("bench/gpuParts.ts", "profile", ...(check.quick ? ["--quick"] : [])), { env });
  const programs = [...ended.stderr.matchAll(/^lconv profile, program \d+: sum ([\d.]+) us, longest chain ([\d.]+) us/gm)];
  if (check.emulated) {
    if (ended.code === 0) rmSync(join(check.out, "profile.txt"));
    return outcome(ended, `${programs.length} tables of launches, no timing: emulated`);
  }
  const names = lastLine(ended.stdout).split(",");
  return outcome(ended, programs.map(([, sum, chain], i) => `${names[i]} launches ${sum} us, longest chain ${chain} us`).join("; "));
}

export async function nsys(check: Check): Promise<Outcome> {
  const tool = findTool("nsys");
  if (tool === undefined) return { skipped: notFound("nsys") };
  if (check.emulated) return { skipped: "needs a real GPU" };
  const report = join(check.out, "nsys");
  const program = typescript("bench/steps.ts", "--device", "cuda", "--cases", "mnist/lconv", "--seconds", "0.2", "--peak", "1");
  const recording = ["profile", "-t", "cuda", "--cuda-graph-trace=node", "--force-overwrite", "true", "-o", report];
  const recorded = await check.run("nsys-profile", [tool, ...recording, ...program]);
  if (recorded.code !== 0) return outcome(recorded);
  const stats = await check.run("nsys-stats", [tool, "stats", "-r", "cuda_gpu_kern_sum", `${report}.nsys-rep`]);
  return outcome(stats, "kernels by time: nsys-stats.txt; all of it: nsys.nsys-rep");
}

/** Times of the emulation are not kept. */
const benchFile = (check: Check): string => join(check.emulated ? check.scratch : check.out, "steps.jsonl");

/** Steps of all networks at four batches. */
export async function bench(check: Check): Promise<Outcome> {
  const sizes = check.quick
    ? ["--cases", "mnist/lconv", "--batch", "2", "--seconds", "0.01"]
    : ["--batch", check.short ? "64,1024" : "64,256,1024,4096", "--seconds", check.short ? "0.1" : "0.2"];
  // A 2048^3 product takes the emulation minutes.
  const peak = check.emulated ? ["--peak", "1"] : [];
  const ended = await check.run("steps", typescript("bench/steps.ts", "--device", "cuda", ...sizes, ...peak, "--out", benchFile(check)));
  const ours = readLines(benchFile(check)).filter(({ by }) => by === "lconv");
  if (check.emulated) {
    if (ended.code === 0) rmSync(join(check.out, "steps.txt"));
    return outcome(ended, `${ours.length} lines, no timing: emulated`);
  }
  const first = ours[0];
  return outcome(ended, first ? `${first.case} ${(1e3 * first.msPerStep).toFixed(1)} us; ${ours.length} lines` : "no lines");
}

type Line = (BenchResult | PeerLine) & { by?: string; error?: string };

const readLines = (path: string): Line[] =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line)
    : [];

/** The same networks in other libraries, each in a process of its own, which may fail or take too long by itself. */
export async function peers(check: Check): Promise<Outcome> {
  const { python } = check;
  if (python === undefined) return { skipped: "no --python VENV/bin/python" };
  if (python.includes("/") && !existsSync(python)) return { failed: `--python ${python}: no such file` };
  if (check.emulated) return { skipped: "needs a real GPU" };
  const names = Object.entries(peerCases);
  const figures: string[] = [];
  const faults: string[] = [];
  for (const [i, [name, cases]] of names.entries()) {
    const out = join(check.out, `peers-${name}.jsonl`);
    const seconds = check.left() / (names.length - i);
    const sizes = ["--cases", cases, "--seconds", "0.3", "--peak", "1", "--peer-seconds", String(Math.max(1, seconds - OWN_SECONDS))];
    const command = ["--device", "cuda", ...sizes, "--python", python, "--peers", name, "--out", out];
    const ended = await check.run(`peers-${name}`, typescript("bench/steps.ts", ...command), { seconds });
    const lines = readLines(out).filter(({ by }) => by !== undefined);
    const fastest = (of: readonly Line[]): number =>
      Math.min(...of.filter((line) => line.error === undefined && line.case.startsWith("mnist/lconv")).map((line) => 1e3 * line.msPerStep));
    const [ours, theirs] = [lines.filter(({ by }) => by === "lconv"), lines.filter(({ by }) => by !== "lconv")];
    const fault = theirs.find(({ error }) => error !== undefined)?.error;
    if (Number.isFinite(fastest(theirs)))
      figures.push(`${name} ${fastest(theirs).toFixed(1)} us, lconv beside it ${fastest(ours).toFixed(1)} us`);
    else faults.push(`${name}: ${ended.timedOut ? "no end in time" : (fault ?? reasonOf(ended))}`);
  }
  const figure = [...figures, ...faults].join("; ");
  return figures.length > 0 ? { figure } : { failed: figure };
}

/** What `lconv plan` says of this GPU, beside what was measured: in the best round, and how far it is from the far end. */
export async function predictions(check: Check): Promise<Outcome> {
  const best = new Map<string, BenchResult>();
  for (const line of check.emulated ? [] : readLines(benchFile(check))) {
    if (!("predictedUsHigh" in line)) continue;
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
