// Train steps by several GPUs of this machine, each with a process of its own, and the time that GPUs need to add up so many bytes.
//   npx tsx bench/gpuDistributed.ts [--gpus 2,4,8] [--cases A,B] [--batch 256] [--rounds 5] [--mpirun mpirun] [--out bench/results/FILE.jsonl]
// Each round times every way once: one GPU, each number of GPUs with its part of the batch ("strong") and with as many samples as one has ("weak"), by NCCL,
// and the first number through memory of the host. A line for each way has the medians over rounds; "sum" lines have seconds and bytes a second.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Group } from "../src/distributed/group.js";
import { native } from "../src/engine/native.js";
import { type Device, device, distributed, ops, record, zeros } from "../src/index.js";
import { keep } from "../src/tensor/tensor.js";
import { reportTo } from "./lines.js";
import { machineLine, nowLine } from "./machine.js";
import { typescript } from "./process.js";
import { median, runAsRanks, type Timed, timeSteps } from "./rankSteps.js";

const { values } = parseArgs({
  options: {
    gpus: { type: "string" },
    cases: { type: "string", default: "mnist/lconv,mnist/lconv2,cifar100/lconv" },
    batch: { type: "string", default: "256" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    mpirun: { type: "string", default: "mpirun" },
    out: { type: "string" },
    rank: { type: "string" }, // of a rank that this program starts: "steps CASE BATCH" or "sums BYTES"
  },
});

interface Summed {
  way: string;
  seconds: number;
}

/** The shortest of some times in which all ranks add up so many bytes; ten sums a time, one behind the other. */
async function timeSum(world: Group, gpu: Device, bytes: number): Promise<Summed> {
  const SUMS = 10;
  const { way } = await world.connect(gpu);
  const x = keep(zeros([bytes / 4], { device: gpu }));
  const program = record(() => ops.allReduce(x, world));
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    await world.barrier();
    const begun = performance.now();
    await program.run({ steps: SUMS });
    times.push((performance.now() - begun) / 1e3 / SUMS);
  }
  program.dispose();
  x.dispose();
  return { way, seconds: Math.min(...times) };
}

async function asRank(task: string): Promise<void> {
  const world = await distributed.init();
  const gpu = device("cuda");
  const [what, name, batch] = task.split(" ");
  const timed = await (what === "sums"
    ? timeSum(world, gpu, Number(name))
    : timeSteps(world, gpu, { name, batch: Number(batch), seconds: Number(values.seconds) }));
  if (world.rank === 0) console.log(JSON.stringify(timed));
}

const start = <T>(ranks: number, task: string, env: NodeJS.ProcessEnv = {}): Promise<T> =>
  runAsRanks(typescript(fileURLToPath(import.meta.url), "--seconds", values.seconds, "--rank", task), ranks, values.mpirun, env);

interface Way {
  name: string;
  gpus: number;
  batch: number;
  env?: NodeJS.ProcessEnv;
}

function waysOf(counts: readonly number[]): Way[] {
  const batch = Number(values.batch);
  return [
    { name: "one GPU", gpus: 1, batch },
    ...counts.flatMap((gpus) => [
      { name: "strong", gpus, batch },
      { name: "weak", gpus, batch: batch * gpus },
    ]),
    { name: "through the host", gpus: counts[0], batch, env: { LCONV_NCCL: "/nowhere" } },
  ];
}

async function timeCase(name: string, ways: readonly Way[]): Promise<void> {
  const times = ways.map((): Timed[] => []);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [i, { gpus, batch, env }] of ways.entries()) times[i].push(await start<Timed>(gpus, `steps ${name} ${batch}`, env));
  const ms = times.map((list) => median(list.map((timed) => timed.ms)));
  ways.forEach(({ env: _, ...way }, i) => {
    const { bytes, sums } = times[i][0];
    const scaling = (ms[0] * way.batch) / (ms[i] * ways[0].batch * way.gpus);
    reportTo(values.out, { event: "way", case: name, ...way, ms: ms[i], scaling, bytes, sums, all: times[i].map((timed) => timed.ms) });
  });
}

async function timeSums(counts: readonly number[]): Promise<void> {
  for (const gpus of counts)
    for (const bytes of [2 ** 16, 2 ** 20, 2 ** 22, 2 ** 24, 2 ** 26]) {
      const { way, seconds } = await start<Summed>(gpus, `sums ${bytes}`);
      reportTo(values.out, { event: "sum", gpus, bytes, way, seconds, bytesPerSecond: bytes / seconds });
    }
}

if (values.rank !== undefined) await asRank(values.rank);
else {
  const { gpus, fault } = native().probeCuda();
  if (fault || gpus.length < 2) throw new Error(`two GPUs are needed, there ${gpus.length === 1 ? "is one" : "is none"}`);
  const counts = values.gpus?.split(",").map(Number) ?? [2, 4, 8].filter((count) => count <= gpus.length);
  reportTo(values.out, { event: "machine", gpus, mpi: native().mpiLibrary(), nccl: native().ncclLibrary(), ...machineLine(device("cpu")) });
  await timeSums(counts);
  for (const name of values.cases.split(",")) await timeCase(name, waysOf(counts));
  reportTo(values.out, { event: "end", ...nowLine() });
}
