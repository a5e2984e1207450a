// Train steps by several processes on this machine: milliseconds of a step, and how much of them is waiting for the other ranks.
//   npx tsx bench/distributed.ts [--cases A,B] [--batch 256] [--rounds 5] [--mpirun mpirun] [--out bench/results/FILE.jsonl]
// Each round times every way once, one after the other: one process with one and with two threads, and 1, 2 and 4 ranks of one thread, each with its part of
// the batch ("strong"), and each with as many samples as one has ("weak"). A line for each way has the medians over rounds.
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { recordCase } from "../src/cost/cases.js";
import { native } from "../src/engine/native.js";
import { device, distributed } from "../src/index.js";
import { reportTo } from "./lines.js";
import { machineLine, nowLine } from "./machine.js";
import { runProcess, typescript } from "./process.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "mnist/lconv,mnist/lconv2,cifar100/lconv" },
    batch: { type: "string", default: "256" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    mpirun: { type: "string", default: "mpirun" },
    out: { type: "string" },
    rank: { type: "string" }, // of a rank that this program starts: CASE BATCH THREADS
  },
});

interface Way {
  name: string;
  ranks: number;
  threads: number;
  /** Of all ranks. */
  batch: number;
}

interface Timed {
  ms: number;
  /** Waiting for sums, of rank 0. */
  waitedMs: number;
  bytes: number;
  sums: number;
}

const whole = Number(values.batch);
const ways: readonly Way[] = [
  { name: "one process", ranks: 1, threads: 1, batch: whole },
  { name: "one process", ranks: 1, threads: 2, batch: whole },
  ...[2, 4].map((ranks) => ({ name: "strong", ranks, threads: 1, batch: whole })),
  { name: "half the batch", ranks: 1, threads: 1, batch: whole / 2 },
  { name: "weak", ranks: 2, threads: 1, batch: whole },
];

/** One rank, or a process alone: the time of a step over some seconds of them, which all ranks begin together. */
async function timeHere(name: string, batch: number, threads: number): Promise<void> {
  const world = await distributed.init();
  const { program } = recordCase(name, batch, device("cpu", { threads }), { group: world });
  const run = (steps: number): Promise<number> => program.run({ steps, chunkMs: Number.POSITIVE_INFINITY });
  await run(3);
  const begun = performance.now();
  await run(5);
  const [steps] = await world.agree([Math.max(5, Math.round((1e3 * Number(values.seconds) * 5) / (performance.now() - begun)))], "first");
  const before = world.traffic;
  await world.barrier();
  const start = performance.now();
  await run(steps);
  const ms = (performance.now() - start) / steps;
  const { waitedSeconds, bytes, sums } = world.traffic;
  const line: Timed = {
    ms,
    waitedMs: (1e3 * (waitedSeconds - before.waitedSeconds)) / steps,
    bytes: (bytes - before.bytes) / steps,
    sums: (sums - before.sums) / steps,
  };
  if (world.rank === 0) console.log(JSON.stringify(line));
}

async function time({ ranks, threads, batch }: Way, name: string): Promise<Timed> {
  const own = typescript(fileURLToPath(import.meta.url), "--seconds", values.seconds, "--rank", `${name} ${batch} ${threads}`);
  const launcher = [values.mpirun, "--bind-to", "none", "--oversubscribe", "--quiet", "-n", String(ranks)];
  const env = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const { code, stdout, stderr } = await runProcess(ranks === 1 ? own : [...launcher, ...own], { env, seconds: 300 });
  if (code !== 0) throw new Error(stderr || stdout);
  return JSON.parse(stdout) as Timed;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function compare(name: string): Promise<void> {
  const times = ways.map((): Timed[] => []);
  for (let round = 0; round < Number(values.rounds); round++) for (const [i, way] of ways.entries()) times[i].push(await time(way, name));
  const ms = times.map((list) => median(list.map((timed) => timed.ms)));
  ways.forEach((way, i) => {
    const { bytes, sums } = times[i][0];
    const waitedMs = median(times[i].map((timed) => timed.waitedMs));
    reportTo(values.out, { event: "way", case: name, ...way, ms: ms[i], waitedMs, bytes, sums, all: times[i].map((timed) => timed.ms) });
  });
  const efficiency = { twoRanksOverTwoThreads: ms[1] / ms[2], weak: ms[4] / ms[5] };
  reportTo(values.out, { event: "efficiency", case: name, batch: whole, ...efficiency });
}

if (values.rank === undefined) {
  reportTo(values.out, {
    event: "machine",
    processors: cpus().length,
    mpi: native().mpiLibrary(),
    ...machineLine(device("cpu", { threads: 1 })),
  });
  for (const name of values.cases.split(",")) await compare(name);
  reportTo(values.out, { event: "end", ...nowLine() });
} else {
  const [name, batch, threads] = values.rank.split(" ");
  await timeHere(name, Number(batch), Number(threads));
}
