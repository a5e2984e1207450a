// Train steps by several processes on this machine: milliseconds of a step, and how much of them is waiting for the other ranks.
//   npx tsx bench/distributed.ts [--cases A,B] [--batch 256] [--rounds 5] [--mpirun mpirun] [--out bench/results/FILE.jsonl]
// Each round times every way once, one after the other: one process with one and with two threads, and 1, 2 and 4 ranks of one thread, each with its part of
// the batch ("strong"), and each with as many samples as one has ("weak"). A line for each way has the medians over rounds.
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { native } from "../src/engine/native.js";
import { device, distributed } from "../src/index.js";
import { reportTo } from "./lines.js";
import { machineLine, nowLine } from "./machine.js";
import { typescript } from "./process.js";
import { median, runAsRanks, type Timed, timeSteps } from "./rankSteps.js";

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

const whole = Number(values.batch);
const ways: readonly Way[] = [
  { name: "one process", ranks: 1, threads: 1, batch: whole },
  { name: "one process", ranks: 1, threads: 2, batch: whole },
  ...[2, 4].map((ranks) => ({ name: "strong", ranks, threads: 1, batch: whole })),
  { name: "half the batch", ranks: 1, threads: 1, batch: whole / 2 },
  { name: "weak", ranks: 2, threads: 1, batch: whole },
];

const time = ({ ranks, threads, batch }: Way, name: string): Promise<Timed> =>
  runAsRanks(
    typescript(fileURLToPath(import.meta.url), "--seconds", values.seconds, "--rank", `${name} ${batch} ${threads}`),
    ranks,
    values.mpirun,
  );

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
  const world = await distributed.init();
  const cpu = device("cpu", { threads: Number(threads) });
  const timed = await timeSteps(world, cpu, { name, batch: Number(batch), seconds: Number(values.seconds) });
  if (world.rank === 0) console.log(JSON.stringify(timed));
}
