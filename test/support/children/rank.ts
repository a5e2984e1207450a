// rank TASK OPTIONS: what one process of a group does in test/distributed. Writes one object, with what came of it, into the folder RANKS_OUT.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Matrix } from "ml-matrix";
import { gradients } from "../../../src/autograd/autograd.js";
import { glyphs } from "../../../src/data/glyphs.js";
import { prepare } from "../../../src/data/transform.js";
import { type Group, init } from "../../../src/distributed/group.js";
import { device } from "../../../src/engine/device.js";
import { LconvError } from "../../../src/errors.js";
import { Basis } from "../../../src/lie/generators/basis.js";
import { lowRank } from "../../../src/lie/generators/generator.js";
import { makeModel } from "../../../src/models/models.js";
import { allReduce } from "../../../src/ops/allReduce.js";
import { mul } from "../../../src/ops/arithmetic.js";
import { sum } from "../../../src/ops/reduce.js";
import { record } from "../../../src/tensor/record.js";
import { keep, tensor, zeros } from "../../../src/tensor/tensor.js";
import { Augment } from "../../../src/train/augment.js";
import { fit } from "../../../src/train/fit.js";
import type { FitOptions } from "../../../src/train/options.js";

const [task = "", text = "{}"] = process.argv.slice(2);
const options = JSON.parse(text) as Record<string, unknown>;

const tasks: Record<string, (group: Group) => Promise<object>> = { group: useGroup, sums, times, train, wait, onGpu, wrong, early: wait };
Object.assign(process.env, (options["env"] as NodeJS.ProcessEnv[] | undefined)?.[rankHere()]); // of single ranks

if (task === "early" && rankHere() === 1) process.exit(2);

try {
  const group = await init();
  const { rank } = group;
  try {
    print({ rank, ...(await tasks[task](group)) });
  } catch (error) {
    print({ rank, ...told(error) });
    if (options["close"] !== false) await group.close(); // all ranks have failed alike
    process.exitCode = 3;
  }
} catch (error) {
  print({ rank: rankHere(), ...told(error) });
  process.exitCode = 2;
}

function rankHere(): number {
  return Number(process.env["OMPI_COMM_WORLD_RANK"] ?? process.env["PMI_RANK"] ?? 0);
}

function print(what: { rank: number; ready?: true } & Record<string, unknown>): void {
  if (what.ready) process.stdout.write(`${JSON.stringify(what)}\n`);
  writeFileSync(join(process.env["RANKS_OUT"] ?? ".", `${what.rank}.json`), JSON.stringify(what));
}

function told(error: unknown): object {
  const { name, code, message } = error as LconvError;
  return { name, code, message };
}

/** Everything that a group does on the host. */
async function useGroup(group: Group): Promise<object> {
  const own = [group.rank + 1, -group.rank, 0.1];
  const [total, least, greatest, first] = await Promise.all(
    (["sum", "min", "max", "first"] as const).map(async (how) => [...(await group.agree(own, how))]),
  );
  const many = await Promise.all(Array.from({ length: 40 }, async (_, i) => (await group.agree([i * (group.rank + 1)], "sum"))[0]));
  const bytes = [...(await group.broadcast(Uint8Array.of(group.rank, 7), group.size - 1))];
  const answer = await group.first(async () => ({ text: "from rank 0 ✓", list: [1, null] }));
  const failure = await group
    .first(() => {
      throw new LconvError("ERR_LCONV_IO", "no such file");
    })
    .then(() => ({}), told);
  const words = await group.text(`I am ${group.rank}`, group.size - 1);
  await group.barrier();
  const ticks: number[] = [];
  const timer = setInterval(() => ticks.push(performance.now()), 5);
  if (group.rank === 0) await setTimeout(200);
  await group.barrier(); // the others wait, and their event loops go on
  clearInterval(timer);
  const place = [group.rank, group.size, group.localRank, group.localSize];
  return { place, total, least, greatest, first, many, bytes, answer, failure, words, ticks: ticks.length };
}

/** Sums of tensors: at once, recorded, over several steps, and through a gradient. */
async function sums(group: Group): Promise<object> {
  const { way, fault } = await group.connect(device());
  const r = group.rank + 1;
  const x = tensor([r, 10 * r, 0.5], { requiresGrad: true });
  const eager = [...allReduce(x, group).dataSync()];
  const w = tensor([1, 2, 3]);
  const [dx] = gradients(sum(mul(mul(allReduce(x, group), w), r)), [x]);
  const total = keep(zeros([3]));
  const large = keep(tensor(Float32Array.from({ length: 300_000 }, (_, i) => i * r)));
  const program = record(() => [allReduce(mul(x, 2), group), allReduce(large, group)]);
  await program.run({ steps: 3 });
  const again = record(() => allReduce(x, group));
  await again.run({ steps: 2 });
  total.dispose();
  const { sums: messages, bytes } = group.traffic;
  return {
    eager,
    gradient: [...dx.dataSync()],
    commands: program.commands,
    stats: program.stats,
    way,
    fault,
    name: device().name,
    messages,
    bytes,
  };
}

/** The shortest time of a sum of so many bytes, of 20. */
async function times(group: Group): Promise<object> {
  const best: number[] = [];
  for (const bytes of options["bytes"] as number[]) {
    const x = keep(tensor(new Float32Array(bytes / 4)));
    const program = record(() => allReduce(x, group));
    const own: number[] = [];
    for (let i = 0; i < 20; i++) {
      await group.barrier();
      const begun = performance.now();
      await program.run({ steps: 1 });
      own.push((performance.now() - begun) / 1e3);
    }
    best.push(Math.min(...own));
  }
  return { best };
}

/** Trains a network on glyphs by `options.fit`; `options.own` holds options of single ranks. */
async function train(group: Group): Promise<object> {
  const {
    model = "lconv",
    network = {},
    samples = 640,
    fit: given = {},
    own = {},
    stopAt,
    spoil,
    augment,
  } = options as {
    model?: "lconv" | "cnn";
    network?: object;
    samples?: number;
    fit?: FitOptions;
    own?: Record<string, FitOptions & { samples?: number }>;
    stopAt?: { rank: number; step: number };
    spoil?: number;
    augment?: boolean;
  };
  const where = process.env["LCONV_DEVICE"] ? device() : device("cpu", { threads: 1 });
  const { samples: ownSamples = samples, ...differences } = own[group.rank] ?? {};
  const data = await prepare(glyphs({ train: ownSamples, test: 100 }), { variant: "rotated" });
  const net = makeModel(model, data.train, where, network);
  const stop = new AbortController();
  const events: string[] = [];
  const result = await fit(net, data, {
    epochs: 2,
    batch: 64,
    device: where,
    group,
    signal: stop.signal,
    ...(augment && { augment: turning(data.train.height * data.train.width) }),
    ...given,
    ...differences,
    onEvent: (event) => {
      events.push(event.type);
      if (event.type === "step" && stopAt?.rank === group.rank && event.step >= stopAt.step) stop.abort();
      if (event.type === "step" && spoil === group.rank) net.parameters()[0].set(new Float32Array(net.parameters()[0].size));
    },
  });
  const weights = Float32Array.from(net.parameters().flatMap((t) => [...(t.dataSync() as Float32Array)]));
  return {
    digest: createHash("sha256").update(weights).digest("hex"),
    weights: options["weights"] ? [...weights.subarray(0, 2000)] : [],
    losses: result.history.map(({ loss }) => loss),
    accuracies: result.history.map(({ accuracy, valAccuracy, testAccuracy }) => [accuracy, valAccuracy, testAccuracy]),
    valLosses: result.history.map(({ valLoss }) => valLoss),
    events,
  };
}

/** A rotation of the first two positions. */
function turning(d: number): Augment {
  const [U, V] = [Matrix.zeros(d, 2), Matrix.zeros(2, d)];
  U.set(0, 0, 1).set(1, 1, -1);
  V.set(0, 1, 1).set(1, 0, 1);
  return new Augment(new Basis([lowRank(U, V)]));
}

/** Sums on GPUs that go wrong: `options.lengths` of single ranks, `options.late` the rank that does not come, `options.leaves` ends while it waits. */
async function onGpu(group: Group): Promise<object> {
  const gpu = device();
  await group.connect(gpu);
  const { lengths = [], late, eager, leaves } = options as { lengths?: number[]; late?: number; eager?: boolean; leaves?: boolean };
  const x = keep(tensor(new Float32Array(lengths[group.rank] ?? 1000).fill(group.rank)));
  const program = record(() => allReduce(x, group));
  await group.barrier();
  if (late === group.rank) await setTimeout(60_000);
  const begun = performance.now();
  try {
    if (eager) allReduce(x, group).dataSync();
    else if (leaves) {
      void program.run({ steps: 3 });
      await setTimeout(300);
      print({ rank: group.rank, left: true });
      process.exit(5); // with 0 it would wait for the others
    } else await program.run({ steps: 3 });
    return { seconds: (performance.now() - begun) / 1e3, done: true };
  } catch (error) {
    const after = await program.run({ steps: 1 }).then(() => ({}), told);
    return { seconds: (performance.now() - begun) / 1e3, error: told(error), after };
  }
}

/** What ranks may do at once, and what they may not do together; each as its result or error. */
async function wrong(group: Group): Promise<object> {
  const r = group.rank;
  const result = (task: Promise<unknown>): Promise<unknown> =>
    task.then((value) => (value instanceof Float64Array ? [...value] : value), told);
  const together = await Promise.all([
    group.first(async () => {
      await setTimeout(20);
      return 7;
    }),
    group.agree([r + 1], "sum").then(([total]) => total),
    group.text(`rank ${r}`, 1),
    group.agree([r], "max").then(([most]) => most),
  ]);
  const lengths = await result(group.agree(r === 0 ? [1, 2, 3] : [1], "sum"));
  const ways = await result(group.agree([1], r === 0 ? "sum" : "max"));
  const kinds = await result(r === 0 ? group.agree([1], "first") : group.broadcast(new Uint8Array(8), 1));
  await group.connect(device());
  const x = keep(tensor([r + 1, 1]));
  const program = record(() => allReduce(x, group));
  const other = record(() => allReduce(mul(x, 2), group));
  const first = program.run({ steps: 200 });
  const second = await result(other.run({ steps: 3 }));
  let eager: unknown;
  try {
    allReduce(x, group);
  } catch (error) {
    eager = told(error);
  }
  const steps = [await first];
  const controller = new AbortController();
  if (r === 0) setTimeout(1).then(() => controller.abort());
  await program.run({ steps: 300, signal: controller.signal }).catch(() => {}); // the other rank does all steps, and so does this one
  const unequal = await result(program.run({ steps: 4 + r }));
  const after = [...allReduce(x, group).dataSync()];
  return { together, lengths, ways, kinds, second, eager, steps, unequal, after };
}

/** Waits for the others; `options.late` is a rank that does not come. */
async function wait(group: Group): Promise<object> {
  print({ rank: group.rank, pid: process.pid, ready: true });
  if (options["late"] === group.rank) await setTimeout(Number(options["ms"]));
  if (options["exits"] === group.rank) process.exit(Number(options["code"]));
  await group.barrier();
  return { came: true };
}
