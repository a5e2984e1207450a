// ms per train step, ours beside PyTorch and JAX, in one run on one machine.
//
//   npx tsx bench/steps.ts --python VENV/bin/python [--device cpu|cuda] [--precision fp32,tf32,bf16] [--batch 64,256,1024,4096]
//                          [--seconds 3] [--cases mnist/lconv,…] [--peers eager,compile,graph,jax]
//                          [--peer-seconds 3600, after which each of them is ended] [--peak GFLOP/s, not to measure it] [--out FILE.jsonl] [--chart FILE.svg]
//
// Every line of every program goes to --out, with who said it and with its keys in camelCase; the tables are on stdout. The best peer of a case is the
// fastest of: PyTorch eager, torch.compile and (on a GPU) a captured CUDA graph in its three layouts, JAX jit in both contraction orders.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { benchCases } from "../src/cost/cases.js";
import { measurePeak } from "../src/cost/measure.js";
import { device as deviceOf, gpuModel, type Precision } from "../src/engine/device.js";
import { native } from "../src/engine/native.js";
import { type BenchResult, benchSteps } from "../src/experiments/bench/steps.js";
import { writeAtomic } from "../src/io/atomic.js";
import { barChart } from "../src/report/barChart.js";
import { standalone } from "../src/report/chart.js";
import { caseOf, defaultPeers, type Failure, type PeerLine, peerLines } from "./peers.js";
import { activate } from "./python.js";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    device: { type: "string", default: "cpu" },
    precision: { type: "string", default: "fp32" },
    batch: { type: "string", default: "64" },
    seconds: { type: "string", default: "3" },
    cases: { type: "string" },
    peers: { type: "string" },
    "peer-seconds": { type: "string", default: "3600" },
    peak: { type: "string" },
    out: { type: "string" },
    chart: { type: "string" },
  },
});
activate(values.python);
const ROUNDS = 3;
const seconds = Number(values.seconds);
const cases = values.cases?.split(",") ?? [...benchCases];
const onGpu = values.device !== "cpu";
const peers = values.python === undefined ? [] : (values.peers?.split(",") ?? defaultPeers(onGpu));
const lines: object[] = [];

const first = deviceOf(values.device);
const model = gpuModel(first);
if (model === undefined) console.log(`${cpus()[0].model.trim()}, ${first.threads} threads, oneDNN ${native().info().oneDNN ?? "none"}`);
else console.log(model === "Emulated GPU" ? `${model}: none of these figures is a speed` : model);
for (const precision of values.precision.split(",") as Precision[])
  for (const batch of values.batch.split(",").map(Number)) await compare(precision, batch);

async function compare(precision: Precision, batch: number): Promise<void> {
  const device = deviceOf(values.device, { precision });
  const machine = {
    machine: cpus()[0].model.trim(),
    threads: device.threads,
    gpu: model,
    device: device.info(),
    precision,
    ...native().info(),
    node: process.version,
    date: new Date().toISOString(),
  };
  const peaks: number[] = [];
  const rounds: BenchResult[][] = [];
  const measureOurs = async (): Promise<void> => {
    const peak = values.peak === undefined ? await measurePeak(device) : Number(values.peak);
    const round: BenchResult[] = [];
    for await (const result of benchSteps({ cases, batch, seconds, peak, device })) round.push(result);
    peaks.push(peak);
    rounds.push(round);
  };
  const found: (PeerLine | Failure)[] = [];

  // Shared machines change their speed from minute to minute: ours runs three times, before, between and after the peers, and so does the peak.
  await measureOurs();
  for (const [i, peer] of peers.entries()) {
    found.push(
      ...(await peerLines(peer, {
        python: values.python!,
        onGpu,
        precision,
        batch,
        seconds,
        cases,
        limit: Number(values["peer-seconds"]),
      })),
    );
    if (i === 0) await measureOurs();
  }
  while (rounds.length < ROUNDS) await measureOurs();
  const peak = [...peaks].sort((x, y) => x - y)[Math.floor(ROUNDS / 2)];
  lines.push(
    { ...machine, peakGflops: peak, peaks },
    ...rounds.flatMap((round, i) => round.map((result) => ({ by: "lconv", precision, round: i + 1, ...result }))),
    ...found,
  );
  if (values.out) writeAtomic(values.out, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
  for (const line of found) if ("error" in line) console.log(`${line.by} failed: ${line.error}`);
  console.log(`\n${precision}, batch ${batch}, peak ${peak.toFixed(0)} GFLOP/s (2048^3)`);
  const ours = cases.map((_, i) => atPeak(middle(rounds.map((round) => round[i])), peak));
  const theirs = found.filter((line): line is PeerLine => "case" in line);
  printTable(ours, theirs);
  if (values.chart)
    writeAtomic(
      chartPath(values.chart, precision, batch),
      standalone(chart(ours, theirs, `${machine.machine}, ${precision}, batch ${batch}`)),
    );
}

/** FILE.svg for the first precision and batch, FILE-bf16-b64.svg for the others. */
function chartPath(path: string, precision: Precision, batch: number): string {
  if (`${precision},${batch}` === `${values.precision.split(",")[0]},${Number(values.batch.split(",")[0])}`) return path;
  return path.replace(/(\.svg)?$/, `-${precision}-b${batch}.svg`);
}

/** Share of the peak of everyone, so that the distance to the machine's limit can be seen as well as that between them. */
function chart(ours: readonly BenchResult[], theirs: readonly PeerLine[], where: string): string {
  const series = ["lconv", "PyTorch", "JAX"];
  const fastest = (result: BenchResult, by: string): number =>
    Math.min(...theirs.filter((line) => line.by.startsWith(by) && caseOf(line.case) === result.case).map((line) => line.msPerStep));
  const groups = ours.map((result) => {
    const times = [result.msPerStep, fastest(result, "torch"), fastest(result, "jax")];
    return { name: result.case, values: times.map((time) => (Number.isFinite(time) ? (100 * result.floorMs) / time : undefined)) };
  });
  return barChart({
    title: `Train steps, ${where}`,
    xLabel: "share of the peak of a 2048^3 product",
    series,
    groups,
    format: (v) => `${v.toFixed(0)} %`,
  });
}

function middle(results: BenchResult[]): BenchResult {
  return results.sort((x, y) => x.msPerStep - y.msPerStep)[Math.floor(results.length / 2)];
}

/** The same result, with what is told by the peak told by this one. */
function atPeak(result: BenchResult, peak: number): BenchResult {
  const share = result.gflops / peak;
  return { ...result, shareOfPeak: share, floorMs: share * result.msPerStep };
}

function printTable(ours: readonly BenchResult[], found: readonly PeerLine[]): void {
  console.log(
    "| case | lconv ms | floor ms | share of peak | best peer ms | which | ratio | PyTorch eager ms | ratio |\n|---|---|---|---|---|---|---|---|---|",
  );
  for (const result of ours) {
    const same = found.filter((line) => caseOf(line.case) === result.case).sort((x, y) => x.msPerStep - y.msPerStep);
    const [best] = same;
    const eager = same.find((line) => line.by === "torch eager");
    const ratio = (line: PeerLine): string => `${(line.msPerStep / result.msPerStep).toFixed(1)} x`;
    const which = best ? `${best.by}, ${best.case.split("/").slice(1, -1).join("/")}` : "-";
    const cells = [
      result.case,
      ms(result.msPerStep),
      ms(result.floorMs),
      `${(100 * result.shareOfPeak).toFixed(0)} %`,
      ...(best ? [ms(best.msPerStep), which, ratio(best)] : ["-", "-", "-"]),
      ...(eager ? [ms(eager.msPerStep), ratio(eager)] : ["-", "-"]),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

function ms(value: number): string {
  return value.toFixed(onGpu ? 4 : 2);
}
