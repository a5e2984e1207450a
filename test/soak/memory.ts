// node --expose-gc --import tsx test/soak/memory.ts [--share S] [--only NAME]: a long life in one process. 10^6 training steps, 10^5 programs made, run
// once and disposed, 200 workers that train and end; S times as many of each, by default 1. Prints how much memory was resident meanwhile, and exits
// with 1 where that is not flat.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { gradients } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { crossEntropy } from "../../src/ops/loss.js";
import { sgd } from "../../src/optim/optimizer.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor } from "../../src/tensor/tensor.js";
import { fit } from "../../src/train/fit.js";
import { tsWorker } from "../support/tsWorker.js";
import { tinyData, tinyModel } from "../train/tiny.js";
import { Flatness } from "./flatness.js";

// Two threads would wait for each other at every one of these small commands.
process.env["LCONV_THREADS"] ??= "1";

type Work = (count: number, memory: Flatness) => Promise<void>;
const BATCH = 4;
const EPOCH = 10_000; // steps

/** One run of `count` steps with its events and checkpoints. Epochs are long, as their history is kept and grows by what it says. */
async function steps(count: number, memory: Flatness): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lconv-memory-"));
  const model = tinyModel();
  try {
    await fit(
      model,
      { train: tinyData(EPOCH * BATCH) },
      {
        epochs: Math.ceil(count / EPOCH),
        batch: BATCH,
        checkpoint: join(folder, "checkpoint.safetensors"),
        onEvent: (event) => event.type === "step" && memory.sample(event.step / event.steps),
      },
    );
  } finally {
    model.dispose();
    rmSync(folder, { recursive: true });
  }
}

/** `count` programs: a training step recorded, run once with a signal that all share, read and disposed. */
async function programs(count: number, memory: Flatness): Promise<void> {
  const { signal } = new AbortController();
  const model = tinyModel();
  const { x, labels } = tinyData(BATCH);
  const images = tensor(x, { shape: [BATCH, 1, 36] });
  const answers = tensor(labels);
  const optimizer = sgd(model.parameters(), { lr: 1e-3 });
  for (let i = 0; i <= count; i++) {
    memory.sample(i / count);
    await scope(async () => {
      const program = record(() => {
        const loss = crossEntropy(model.forward(images), answers);
        optimizer.step(gradients(loss, model.parameters()));
        return loss;
      });
      await program.run({ signal });
      program.dispose();
    });
  }
  for (const thing of [model, images, answers, optimizer]) thing.dispose();
}

/** `count` workers, one after the other, each with an engine of its own that is left to the end of the worker. */
async function workers(count: number, memory: Flatness): Promise<void> {
  for (let i = 0; i <= count; i++) {
    memory.sample(i / count);
    const worker = tsWorker(import.meta.url, { workerData: { memoryOf: "worker" } });
    await new Promise<void>((done, fail) => worker.once("error", fail).once("exit", () => done()));
  }
}

interface Life {
  /** How much there is to do, and of a share of it, at least. */
  count: number;
  least: number;
  /** Megabytes that the resident memory may grow by once a tenth is done. Workers that do not even open the engine move it by 12. */
  allowed: number;
  work: Work;
}

const all: Record<string, Life> = {
  steps: { count: 1e6, least: 2e4, allowed: 5, work: steps },
  programs: { count: 1e5, least: 1e3, allowed: 5, work: programs },
  workers: { count: 200, least: 10, allowed: 16, work: workers },
};

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { share: { type: "string", default: "1" }, only: { type: "string" } } });
  for (const [name, { count, least, allowed, work }] of Object.entries(all)) {
    if (values.only !== undefined && values.only !== name) continue;
    const memory = new Flatness();
    const wanted = Math.max(least, Math.round(Number(values.share) * count));
    const start = performance.now();
    await work(wanted, memory);
    const seconds = (performance.now() - start) / 1e3;
    const { tensors } = device().memory();
    const flat = memory.growth <= allowed && tensors === 0;
    console.log(memory.table());
    console.log(
      `${flat ? "flat" : "NOT FLAT"}: ${wanted} ${name} in ${seconds.toFixed(0)} s, ` +
        `${memory.growth.toFixed(1)} MB of growth after the first tenth (${allowed} allowed), ${tensors} tensors left\n`,
    );
    if (!flat) process.exitCode = 1;
  }
}

if (parentPort && workerData?.memoryOf) {
  await fit(tinyModel(), { train: tinyData(40) }, { epochs: 2, batch: BATCH });
} else await main();
