// `predict` against a recorded program of the same network and batch, and what a server sees, as JSON lines:
//   - samples a second, in turn: of the program alone, always on the same batch; of the program by hand, which is given float32 samples that were scaled
//     before, and whose results are read; and of predict, which takes bytes and gives classes, too
//   - under 64 clients that each send one sample and wait for the answer: answers a second, latency, and the event loop's delay, 99th percentile
//   - resident memory over 100,000 such requests
//
//   npx tsx bench/predict.ts
import { monitorEventLoopDelay } from "node:perf_hooks";
import { noGrad } from "../src/autograd/autograd.js";
import { device, models, ops, Predictor, record, zeros } from "../src/index.js";
import { machineLine, nowLine } from "./machine.js";

const report = (line: object): void => console.log(JSON.stringify(line));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
const here = device();
report(machineLine(here));

const BATCH = 64;
const ROUNDS = 15;
const mnist = { channels: 1, height: 28, width: 28, classes: 10 };
const cifar = { channels: 3, height: 32, width: 32, classes: 100 };
const paper = { generators: 9, rank: 16, filters: 32 };
const networks = {
  "mnist/lconv": () => ({ input: mnist, network: models.makeModel("lconv", mnist, here, paper) }),
  "mnist/lconv2": () => ({ input: mnist, network: models.makeModel("lconv", mnist, here, { ...paper, layers: 2, rank: 8 }) }),
  "mnist/cnn": () => ({ input: mnist, network: models.makeModel("cnn", mnist, here, { filters: 32, padding: "same" }) }),
  "cifar100/lconv": () => ({ input: cifar, network: models.makeModel("lconv", cifar, here, paper) }),
};

for (const [name, make] of Object.entries(networks)) {
  const { input, network } = make();
  const predictor = new Predictor(network, { input, scale: 255, batch: BATCH });
  const size = input.channels * input.height * input.width;
  const x = zeros([BATCH, input.channels, input.height * input.width], { device: here });
  let probabilities = x;
  const program = record(() => noGrad(() => (probabilities = ops.softmax(network.forward(x)))), here);
  const start = performance.now();
  await program.run({ steps: 20 });
  const steps = Math.max(20, Math.round(20 * (200 / (performance.now() - start)))); // about .2 s a round
  const bytes = Uint8Array.from({ length: BATCH * steps * size }, (_, i) => (i * 2654435761) >>> 24);
  await predictor.predict(bytes.subarray(0, BATCH * size));
  const floats = Float32Array.from(bytes, (byte) => byte / 255 - 0.5);
  const byHand = async (): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      x.set(floats.subarray(step * x.size, (step + 1) * x.size));
      await program.run();
      probabilities.dataSync();
    }
  };
  const rates: Record<"recorded" | "byHand" | "predict", number[]> = { recorded: [], byHand: [], predict: [] };
  for (let round = 0; round < ROUNDS; round++) {
    rates.recorded.push(await perSecond(BATCH * steps, () => program.run({ steps })));
    rates.byHand.push(await perSecond(BATCH * steps, byHand));
    rates.predict.push(await perSecond(BATCH * steps, () => predictor.predict(bytes)));
  }
  const [recorded, hand, predict] = [median(rates.recorded), median(rates.byHand), median(rates.predict)];
  const ratios = { predictToRecorded: predict / recorded, predictToByHand: predict / hand };
  report({ measure: "samples a second", network: name, batch: BATCH, recorded, byHand: hand, predict, ...ratios, rates });
  if (name === "mnist/lconv") await clients(predictor, bytes, size);
  program.dispose();
  x.dispose();
  predictor.dispose();
}

report(nowLine());

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (1e3 * count) / (performance.now() - start);
}

async function clients(predictor: Predictor, bytes: Uint8Array, size: number): Promise<void> {
  const [CLIENTS, REQUESTS] = [64, 100_000];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const latencies: number[] = [];
  const resident: number[] = [];
  let left = REQUESTS;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const at = (left % 64) * size;
      const start = performance.now();
      await predictor.predict(bytes.subarray(at, at + size));
      latencies.push(performance.now() - start);
      if (latencies.length % 10_000 === 0) resident.push(process.memoryUsage().rss / 1e6);
    }
  };
  delay.enable();
  const start = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const seconds = (performance.now() - start) / 1e3;
  delay.disable();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(share * (latencies.length - 1))];
  report({
    ...{ measure: "64 clients", requests: REQUESTS, perSecond: REQUESTS / seconds },
    latencyMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
    eventLoopDelayMs: { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    residentMB: resident.map(Math.round),
  });
}
