// What the regularisers of the generators cost: milliseconds of value and gradients while d, n_L and d_h are doubled in turn, and the share of a
// full train step (batch 64, SGD) that they take.
//
//   npx tsx bench/regularizers.ts [--seconds 1] [--rounds 3] [--out FILE.jsonl]

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { gradients } from "../src/autograd/autograd.js";
import { recordCase } from "../src/cost/cases.js";
import { timeSteps } from "../src/cost/measure.js";
import { defined } from "../src/defined.js";
import { type Device, device as deviceOf, planningDevice } from "../src/engine/device.js";
import { native } from "../src/engine/native.js";
import type { Program } from "../src/engine/program.js";
import { writeAtomic } from "../src/io/atomic.js";
import type { LowRank } from "../src/ops/generators.js";
import { type Regularize, regularization, regularizerNames } from "../src/symmetry/regularize.js";
import { randn } from "../src/tensor/random.js";
import { record } from "../src/tensor/record.js";
import { keep } from "../src/tensor/tensor.js";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "1" }, rounds: { type: "string", default: "3" }, out: { type: "string" } },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
const BATCH = 64;
const GROUP_MS = 10;
const all: Regularize = Object.fromEntries(regularizerNames.map((name) => [name, 1e-3]));
const sets: [string, Regularize][] = [...regularizerNames.map((name): [string, Regularize] => [name, { [name]: 1e-3 }]), ["all four", all]];
const lines: object[] = [];

interface Sizes {
  d: number;
  n_L: number;
  d_h: number;
}
interface Job {
  program: Program;
  dispose(): void;
}

const cpu = deviceOf("cpu");
lines.push({
  machine: cpus()[0].model.trim(),
  threads: cpu.threads,
  ...native().info(),
  node: process.version,
  date: new Date().toISOString(),
});
await growth();
for (const name of ["mnist/lconv", "mnist/lconv2"]) await share(name);
if (values.out) writeAtomic(values.out, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);

/** All four on generators of each size: what doubling one size multiplies. */
async function growth(): Promise<void> {
  const start: Sizes = { d: 784, n_L: 8, d_h: 8 };
  console.log("all four, value and gradients of U and V\n| d | n_L | d_h | ms | GFLOP |\n|---|---|---|---|---|");
  const sizes = [start, ...(["d", "n_L", "d_h"] as const).flatMap((key) => [2, 4].map((by) => ({ ...start, [key]: by * start[key] })))];
  const times = await medians(sizes.map((of) => regularizationJob(of, cpu)));
  sizes.forEach((of, i) => {
    const { flops } = counted((device) => regularizationJob(of, device));
    lines.push({ measure: "value and gradients", ...of, ms: round(times[i], 4), gflop: flops / 1e9 });
    console.log(`| ${of.d} | ${of.n_L} | ${of.d_h} | ${times[i].toFixed(2)} | ${(flops / 1e9).toFixed(3)} |`);
  });
}

function regularizationJob({ d, n_L, d_h }: Sizes, device: Device): Job {
  const [U, V] = [randn([n_L, d, d_h], { device }), randn([n_L, d_h, d], { device })].map(keep);
  U.requiresGrad = V.requiresGrad = true;
  const g: LowRank = { form: "lowRank", U, V };
  const program = record(() => gradients(regularization(g, all), [U, V]), device);
  return { program, dispose: () => [program, U, V].forEach((thing) => void thing.dispose()) };
}

/** A bench case without regularisers, with each of them, and with all. */
async function share(name: string): Promise<void> {
  const kinds: [string, Regularize | undefined][] = [["none", undefined], ...sets];
  const times = await medians(kinds.map(([, weights]) => recordCase(name, BATCH, cpu, defined({ regularize: weights }))));
  console.log(`\n${name}/b${BATCH}\n| regularisers | ms a step | share of the step | launches on a GPU |\n|---|---|---|---|`);
  kinds.forEach(([kind, weights], i) => {
    const { launches } = counted((device) => recordCase(name, BATCH, device, defined({ regularize: weights })));
    const part = 1 - times[0] / times[i];
    lines.push({
      measure: "train step",
      case: `${name}/b${BATCH}`,
      regularize: weights ?? {},
      ms: round(times[i], 4),
      share: round(part, 3),
      launches,
    });
    console.log(`| ${kind} | ${times[i].toFixed(2)} | ${Math.round(100 * part) + 0} % | ${launches} |`);
  });
}

/** Median milliseconds of each job. Shared machines change their speed from minute to minute, so the jobs take turns. */
async function medians(jobs: readonly Job[]): Promise<number[]> {
  const found: number[][] = jobs.map(() => []);
  for (let i = 0; i < rounds; i++) {
    for (const [k, { program }] of jobs.entries())
      found[k].push((await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), GROUP_MS, seconds / rounds)).median);
  }
  for (const job of jobs) job.dispose();
  return found.map((times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]);
}

/** What a step launches and computes on a GPU, counted without one. */
function counted(make: (device: Device) => Job): { flops: number; launches: number } {
  const job = make(planningDevice());
  const { stats } = job.program;
  if (!stats) throw new Error("the planning device does not count");
  job.dispose();
  return stats;
}

function round(x: number, digits: number): number {
  return Number(x.toFixed(digits));
}
