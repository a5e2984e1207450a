// ms per train step, ours beside PyTorch and JAX, in one run on one machine.
//
//   npx tsx bench/steps.ts --python VENV/bin/python [--batch 64] [--seconds 3] [--cases mnist/lconv,…] [--out FILE.jsonl]
//
// Every line of every program goes to --out as it came, with who said it; the table is on stdout. The best peer of a case is the
// fastest of: PyTorch eager and torch.compile in its three layouts, JAX jit in both contraction orders.
import { execFile } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs, promisify } from "node:util";
import { device } from "../src/engine/device.js";
import { native } from "../src/engine/native.js";
import { type BenchResult, benchCases, benchSteps, measurePeak } from "../src/experiments/benchSteps.js";
import { writeAtomic } from "../src/io/atomic.js";

interface Line {
  by: string;
  case: string;
  ms_per_step: number;
}

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    batch: { type: "string", default: "64" },
    seconds: { type: "string", default: "3" },
    cases: { type: "string" },
    out: { type: "string" },
  },
});
const batch = Number(values.batch);
const seconds = Number(values.seconds);
const cases = values.cases?.split(",") ?? benchCases;
const here = new URL("peers/", import.meta.url).pathname;
const run = promisify(execFile);

/** The peers name layouts ("lconv-cf1") and orders ("lconv1/vwu"); all of these do the work of one case of ours. */
function caseOf(name: string): string {
  const [data, model] = name.split("/");
  return `${data}/${model.replace(/-(cf1|cf2|einsum)$/, "").replace(/^lconv1$/, "lconv")}/b${batch}`;
}

async function peer(by: string, script: string, args: string[]): Promise<Line[]> {
  if (!values.python) return [];
  const { stdout } = await run(values.python, [`${here}${script}`, ...args], { maxBuffer: 1 << 24 });
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => ({ by, ...JSON.parse(line) }));
}

const machine = {
  machine: cpus()[0].model.trim(),
  threads: device().threads,
  ...native().info(),
  node: process.version,
  date: new Date().toISOString(),
  peak_gflops: await measurePeak(),
};
const rounds: BenchResult[][] = [];
async function measureOurs(): Promise<void> {
  const round: BenchResult[] = [];
  for await (const result of benchSteps({ cases, batch, seconds, peak: machine.peak_gflops })) round.push(result);
  rounds.push(round);
}
const models = "lconv,lconv-cf1,lconv-cf2,lconv2,lconv2-cf1,rand,cnn,cnn2,fc";
const common = ["--batch", String(batch), "--seconds", String(seconds), "--models", models];

// Shared machines change their speed from minute to minute: ours runs three times, before, between and after the peers.
await measureOurs();
const eager = await peer("torch eager", "torch_lconv.py", common);
await measureOurs();
const compiled = await peer("torch compile", "torch_lconv.py", [...common, "--compile"]);
const jax = await peer("jax jit", "jax_lconv.py", [String(batch)]);
await measureOurs();
const peers = [...eager, ...compiled, ...jax];
const middle = (results: BenchResult[]): BenchResult =>
  results.sort((x, y) => x.ms_per_step - y.ms_per_step)[Math.floor(results.length / 2)];
const ours = cases.map((_, i) => middle(rounds.map((round) => round[i])));

const bestOf = new Map<string, Line>();
for (const line of peers) {
  const key = caseOf(line.case);
  if (line.ms_per_step < (bestOf.get(key)?.ms_per_step ?? Number.POSITIVE_INFINITY)) bestOf.set(key, line);
}
console.log(
  `${machine.machine}, ${machine.threads} threads, oneDNN ${machine.oneDNN ?? "none"}, peak ${machine.peak_gflops.toFixed(0)} GFLOP/s (2048^3)`,
);
console.log("| case | lconv ms | share of peak | best peer ms | which | ratio |\n|---|---|---|---|---|---|");
for (const result of ours) {
  const best = bestOf.get(result.case);
  const tail = best
    ? `${best.ms_per_step.toFixed(2)} | ${best.by}, ${best.case.split("/").slice(1, -1).join("/")} | ${(best.ms_per_step / result.ms_per_step).toFixed(1)} x`
    : "- | - | -";
  console.log(`| ${result.case} | ${result.ms_per_step.toFixed(2)} | ${(100 * result.share_of_peak).toFixed(0)} % | ${tail} |`);
}
if (values.out) {
  const lines = [machine, ...rounds.flatMap((round, i) => round.map((result) => ({ by: "lconv", round: i + 1, ...result }))), ...peers].map(
    (line) => JSON.stringify(line),
  );
  writeAtomic(values.out, `${lines.join("\n")}\n`);
}
