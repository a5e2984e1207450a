// How far the estimates of `lconv plan` are off on this CPU, and which form of generators is the fastest one beside which takes the fewest
// multiply-adds: low rank, dense or sparse.
//
//   npx tsx bench/planNetwork.ts [--seconds 0.3] [--rounds 3] [--out FILE.jsonl]
import { parseArgs } from "node:util";
import { gradients } from "../src/autograd/autograd.js";
import { recordStep } from "../src/cost/cases.js";
import { estimateOnCpu, measureCpu } from "../src/cost/cpuEstimate.js";
import { lconvWork } from "../src/cost/lconvWork.js";
import { timeSteps } from "../src/cost/measure.js";
import { planNetwork } from "../src/cost/networkPlan.js";
import { imageShapes } from "../src/data/catalog.js";
import { device as deviceOf } from "../src/engine/device.js";
import type { Program } from "../src/engine/program.js";
import { writeAtomic } from "../src/io/atomic.js";
import { Basis } from "../src/lie/generators/basis.js";
import { sparse } from "../src/lie/generators/generator.js";
import { kernelOffsets } from "../src/lie/generators/grids.js";
import type { LConvSpec } from "../src/models/architecture.js";
import type { ModelName, ModelOptions } from "../src/models/models.js";
import { type Generators, parametersOf } from "../src/ops/generators.js";
import { lconv } from "../src/ops/lconv.js";
import type { GeneratorForm } from "../src/ops/order.js";
import { sum } from "../src/ops/reduce.js";
import type { OptimizerName } from "../src/optim/optimizer.js";
import { disposeGenerators, toTensors } from "../src/symmetry/tensors.js";
import { randn } from "../src/tensor/random.js";
import { record } from "../src/tensor/record.js";
import { keep } from "../src/tensor/tensor.js";
import { machineLine, nowLine } from "./machine.js";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "0.3" }, rounds: { type: "string", default: "3" }, out: { type: "string" } },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
const GROUP_MS = 2;
/** Of the L-conv layers whose generators change their form; OWN is the rank that sparse ones are compared with. */
const [N_L, BATCH, OWN] = [8, 64, 16];
const NNZ = [1, 4, 9, 25, 49];
const RANK_SHARES = [1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1];

const cpu = deviceOf("cpu");
const lines: object[] = [machineLine(cpu)];
await estimates();
await forms();
lines.push(nowLine());
if (values.out) writeAtomic(values.out, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);

interface Network {
  name: string;
  model: ModelName;
  options?: ModelOptions;
  optimizer?: OptimizerName;
}

/** A train step of each network against its estimate; the rates are measured right before it, as a neighbour may slow both down. */
async function estimates(): Promise<void> {
  const networks: Network[] = [
    { name: "lconv", model: "lconv" },
    { name: "lconv2", model: "lconv", options: { layers: 2 } },
    { name: "lconv-random", model: "lconv-random" },
    { name: "lconv-max", model: "lconv", options: { pool: "max" } },
    { name: "lconv-strided", model: "lconv", options: { pool: "strided" } },
    { name: "cnn", model: "cnn" },
    { name: "cnn2", model: "cnn", options: { layers: 2 } },
    { name: "cnn-pool", model: "cnn-pool" },
    { name: "fc", model: "fc" },
    { name: "fc-adam", model: "fc", optimizer: "adam" },
  ];
  console.log("| step | estimated ms | measured ms | ratio |\n|---|---|---|---|");
  const ratios: number[] = [];
  for (const data of ["mnist", "cifar100"] as const)
    for (const network of networks) for (const batch of [16, 64, 256]) ratios.push(await estimate(data, network, batch));
  const within = (factor: number): number => ratios.filter((ratio) => ratio < factor && ratio > 1 / factor).length;
  const summary = {
    measure: "estimates",
    cases: ratios.length,
    within: Object.fromEntries([1.25, 1.5, 2].map((factor) => [factor, within(factor)])),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
    median: median(ratios),
  };
  lines.push(summary);
  console.log(summary);
}

/** Returns estimate / measured. */
async function estimate(
  data: "mnist" | "cifar100",
  { name, model, options = {}, optimizer = "rmsprop" }: Network,
  batch: number,
): Promise<number> {
  const { count: _count, ...input } = imageShapes[data];
  const plan = planNetwork(model, input, options, { batch, optimizer });
  const step = recordStep(model, input, options, cpu, { batch, optimizer });
  const found: { estimated: number; ms: number; ratio: number }[] = [];
  for (let i = 0; i < rounds; i++) {
    const estimated = estimateOnCpu(plan, await measureCpu(cpu, plan)).estimatedMs;
    const ms = await timed(step.program);
    found.push({ estimated, ms, ratio: estimated / ms });
  }
  step.dispose();
  const [estimatedMs, ms, ratio] = (["estimated", "ms", "ratio"] as const).map((key) => median(found.map((each) => each[key])));
  lines.push({ measure: "estimate", case: `${data}/${name}/b${batch}`, estimatedMs, ms, ratio });
  console.log(`| ${data}/${name}/b${batch} | ${estimatedMs.toFixed(3)} | ${ms.toFixed(3)} | ${ratio.toFixed(2)} |`);
  return ratio;
}

/** L-conv layers by form of their generators: forward and all gradients, below a sum in place of what follows in a network. */
async function forms(): Promise<void> {
  console.log(
    "\n| d | channels | low rank 16 | dense | sparse 1 | sparse 9 | d_h no slower than dense: counted, tried | nnz no slower than low rank 16 |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const side of [10, 20, 28, 32]) for (const m of [1, 32]) await layerForms(side, m, 32);
}

async function layerForms(side: number, m: number, m_out: number): Promise<void> {
  const d = side * side;
  const ranks = [...new Set([OWN, ...RANK_SHARES.map((share) => Math.round(share * d))])].sort((a, b) => a - b);
  const tried: GeneratorForm[] = [
    ...ranks.map((d_h): GeneratorForm => ({ form: "lowRank", d_h })),
    { form: "dense" },
    ...NNZ.map((nnz): GeneratorForm => ({ form: "sparse", nnz: nnz * d })),
  ];
  const jobs = tried.map((g) => layerJob(g, side, m, m_out));
  const times = await medians(jobs);
  const work = (g: GeneratorForm): number => {
    const generators = { kind: "learned", n_L: N_L, d_h: OWN } as const;
    const spec: LConvSpec = { layer: "lconv", options: { d, m_in: m, m_out, generators } };
    const { forward, backward } = lconvWork(spec, g, m > 1);
    return forward + backward;
  };
  tried.forEach((g, i) => {
    const sizes = { d, m, m_out, n_L: N_L, batch: BATCH };
    lines.push({ measure: "form", ...sizes, ...g, ms: times[i], gflop: (2 * BATCH * work(g)) / 1e9 });
  });
  const timeOf = (form: GeneratorForm["form"], size?: number): number =>
    times[tried.findIndex((f) => f.form === form && (f.form === "dense" || size === (f.form === "lowRank" ? f.d_h : f.nnz / d)))];
  const [own, dense] = [timeOf("lowRank", OWN), timeOf("dense")];
  const rank = ranks.filter((d_h) => timeOf("lowRank", d_h) <= dense).at(-1) ?? 0;
  const countedRank = ranks.filter((d_h) => work({ form: "lowRank", d_h }) <= work({ form: "dense" })).at(-1) ?? 0;
  const nnz = NNZ.filter((n) => timeOf("sparse", n) <= own).at(-1) ?? 0;
  const countedNnz = NNZ.filter((n) => work({ form: "sparse", nnz: n * d }) <= work({ form: "lowRank", d_h: OWN })).at(-1) ?? 0;
  const cells = [own, dense, timeOf("sparse", 1), timeOf("sparse", 9)].map((ms) => ms.toFixed(2));
  console.log(`| ${d} | ${m} -> ${m_out} | ${cells.join(" | ")} | ${countedRank}, ${rank} | ${countedNnz}, ${nnz} |`);
}

interface Job {
  program: Program;
  dispose(): void;
}

/** The gradient of h is wanted where h has more channels than an image: behind another layer. */
function layerJob(g: GeneratorForm, side: number, m: number, m_out: number): Job {
  const d = side * side;
  const h = keep(randn([BATCH, m, d]));
  const W = keep(randn([N_L + 1, m, m_out]));
  const generators = makeGenerators(g, side);
  const leaves = [W, ...parametersOf(generators), ...(m > 1 ? [h] : [])];
  for (const leaf of leaves) leaf.requiresGrad = true;
  const program = record(() => gradients(sum(lconv(h, generators, W)), leaves), cpu);
  return {
    program,
    dispose: () => {
      for (const thing of [program, h, W]) thing.dispose();
      disposeGenerators(generators);
    },
  };
}

function makeGenerators(g: GeneratorForm, side: number): Generators {
  const d = side * side;
  if (g.form === "dense") return { form: "dense", L: keep(randn([N_L, d, d])) };
  if (g.form === "lowRank") return { form: "lowRank", U: keep(randn([N_L, d, g.d_h])), V: keep(randn([N_L, g.d_h, d])) };
  return toTensors(cpu, new Basis(Array.from({ length: N_L }, (_, i) => stencil(side, g.nnz / d, i))), false);
}

/** A stencil of nnz places on a circular grid, moved by `by`. */
function stencil(side: number, nnz: number, by: number) {
  const d = side * side;
  const kernel = Math.ceil(Math.sqrt(nnz));
  const offsets = kernelOffsets([kernel, kernel]).slice(0, nnz);
  const places = Array.from({ length: d }, (_, mu) => offsets.map(([p, q]) => [mu, (mu + d + p * side + q + by) % d])).flat();
  return sparse(
    d,
    places.map(([row]) => row),
    places.map(([, column]) => column),
    places.map(() => 1 / nnz),
  );
}

/** Median milliseconds of each job. Shared machines change their speed from minute to minute, so the jobs take turns. */
async function medians(jobs: readonly Job[]): Promise<number[]> {
  const found: number[][] = jobs.map(() => []);
  for (let i = 0; i < rounds; i++) for (const [k, { program }] of jobs.entries()) found[k].push(await timed(program));
  for (const job of jobs) job.dispose();
  return found.map(median);
}

async function timed(program: Program): Promise<number> {
  return (await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), GROUP_MS, seconds)).median;
}

function median(xs: readonly number[]): number {
  return xs.toSorted((a, b) => a - b)[Math.floor(xs.length / 2)];
}
