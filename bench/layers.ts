// One L-conv layer, forward and all gradients, on shapes nobody chose:
//   order    the contraction order that the layer takes against the best of the four pairs (forward, backward), for random shapes
//   growth   milliseconds as one of d, batch, n_L, d_h and the channels doubles and the others stay
//
//   npx tsx bench/layers.ts [--shapes 50] [--seed 0] [--seconds 0.2] [--precision fp32] [--out FILE.jsonl]
import { parseArgs } from "node:util";
import { gradients } from "../src/autograd/autograd.js";
import { timeSteps } from "../src/cost/measure.js";
import { type Device, device as deviceOf, type Precision } from "../src/engine/device.js";
import { Philox, streams } from "../src/engine/random.js";
import { writeAtomic } from "../src/io/atomic.js";
import { lconv } from "../src/ops/lconv.js";
import { chooseOrder, forwardCost, layerCost, type Order } from "../src/ops/order.js";
import { sum } from "../src/ops/reduce.js";
import { randn } from "../src/tensor/random.js";
import { record } from "../src/tensor/record.js";
import { keep } from "../src/tensor/tensor.js";
import { machineLine, nowLine } from "./machine.js";

const { values } = parseArgs({
  options: {
    shapes: { type: "string", default: "50" },
    seed: { type: "string", default: "0" },
    seconds: { type: "string", default: "0.2" },
    precision: { type: "string", default: "fp32" },
    out: { type: "string" },
  },
});
const [shapes, seed, seconds] = [values.shapes, values.seed, values.seconds].map(Number);
const cpu = deviceOf("cpu", { precision: values.precision as Precision });
const GROUP_MS = 2;

interface Layer {
  B: number;
  d: number;
  n_L: number;
  d_h: number;
  m: number;
  m_out: number;
}
const show = ({ B, d, n_L, d_h, m, m_out }: Layer): string => `batch ${B}, d ${d}, n_L ${n_L}, d_h ${d_h}, m ${m} -> ${m_out}`;
const trained = { U: true, V: true, W: true, h: true };

/** Multiply-adds of the layer, forward and backward, in the orders that it takes. */
function work(z: Layer): number {
  const { forward, backward } = layerCost({ form: "lowRank", d_h: z.d_h }, z, trained);
  return z.B * (forward + backward);
}

const lines: object[] = [machineLine(cpu)];
await orders();
await growth();
lines.push(nowLine());
if (values.out) writeAtomic(values.out, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);

/** Times of the layer in each of the given orders, the best of three rounds that take them in turn. */
async function times(z: Layer, wanted: readonly { order: Order; backwardOrder: Order }[]): Promise<number[]> {
  const programs = wanted.map((options) => recordLayer(z, cpu, options));
  const best = wanted.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 3; round++) {
    for (const [i, { program }] of programs.entries()) {
      const { median } = await timeSteps((steps) => program.run({ steps, chunkMs: 1e9 }), GROUP_MS, seconds / 3);
      best[i] = Math.min(best[i], median);
    }
  }
  for (const { dispose } of programs) dispose();
  return best;
}

function recordLayer(z: Layer, device: Device, options: { order: Order; backwardOrder: Order }) {
  const made = (shape: number[]) => {
    const t = keep(randn(shape, { device, seed: 1 }));
    t.requiresGrad = true;
    return t;
  };
  const [h, V, U] = [made([z.B, z.m, z.d]), made([z.n_L, z.d_h, z.d]), made([z.n_L, z.d, z.d_h])];
  const [W, b] = [made([z.n_L + 1, z.m, z.m_out]), made([z.m_out])];
  const all = [h, V, U, W, b];
  const program = record(() => {
    const y = lconv(h, { form: "lowRank", U, V }, W, b, { fn: { name: "relu" }, ...options });
    gradients(sum(y), all);
  }, device);
  return {
    program,
    dispose: () => {
      for (const thing of [program, ...all]) thing.dispose();
    },
  };
}

async function orders(): Promise<void> {
  const random = new Philox(seed, streams.user);
  const pairs = (["VWU", "VUW"] as const).flatMap((order) => (["VWU", "VUW"] as const).map((backwardOrder) => ({ order, backwardOrder })));
  console.log("chosen against best contraction order (forward, backward): milliseconds, ratio");
  let within = 0;
  for (let i = 0; i < shapes; i++) {
    const z = randomLayer(random);
    const ms = await times(z, pairs);
    const generators = { form: "lowRank", U: { shape: [z.n_L, z.d, z.d_h] }, V: { shape: [z.n_L, z.d_h, z.d] } } as never;
    const auto = chooseOrder(generators, { B: z.B, d: z.d, n_L: z.n_L, m: z.m }, z.m_out, trained, {});
    const chosen = pairs.findIndex(({ order, backwardOrder }) => order === auto.forward && backwardOrder === auto.backward);
    const best = ms.indexOf(Math.min(...ms));
    const ratio = ms[chosen] / ms[best];
    if (ratio <= 1.15) within++;
    const name = (k: number): string => `${pairs[k].order} ${pairs[k].backwardOrder}`;
    lines.push({
      part: "order",
      ...z,
      ms: Object.fromEntries(ms.map((value, k) => [name(k), value])),
      chosen: name(chosen),
      best: name(best),
      ratio,
    });
    console.log(
      `${show(z).padEnd(58)} ${name(chosen)} ${ms[chosen].toFixed(3).padStart(8)}   ${name(best)} ${ms[best].toFixed(3).padStart(8)}   ${ratio.toFixed(2)}`,
    );
  }
  console.log(`${within} of ${shapes} within 15 %\n`);
}

/** Sizes of even spread over their logarithms: d 16 to 16,384, n_L 1 to 64, d_h 1 to 128, channels 1 to 256, a batch of 16 million to 1,000 million multiply-adds. */
function randomLayer(random: Philox): Layer {
  for (;;) {
    const draw = (low: number, high: number): number => Math.round(low * (high / low) ** random.uniform(1)[0]);
    const d = draw(16, 16384);
    const z = { B: draw(1, 128), d, n_L: draw(1, 64), d_h: Math.min(d, draw(1, 128)), m: draw(1, 256), m_out: draw(1, 256) };
    const most = 3 * z.B * Math.max(...Object.values(forwardCost(z)));
    const bytesOfT = 4 * z.B * (z.n_L + 1) * z.m * z.d;
    if (work(z) > 16e6 && most < 4e9 && work(z) < 1e9 && bytesOfT < 1e9) return z;
  }
}

async function growth(): Promise<void> {
  const base: Layer = { B: 64, d: 784, n_L: 8, d_h: 8, m: 16, m_out: 16 };
  const axes: Record<string, Layer[]> = {
    d: [64, 256, 1024, 4096, 16384].map((d) => ({ ...base, B: 16, d })),
    batch: [1, 4, 16, 64, 256].map((B) => ({ ...base, B })),
    n_L: [1, 2, 4, 8, 16, 32, 64].map((n_L) => ({ ...base, n_L })),
    d_h: [1, 4, 16, 64, 128].map((d_h) => ({ ...base, d_h })),
    channels: [1, 4, 16, 64, 256].map((m) => ({ ...base, B: 8, m, m_out: m })),
  };
  console.log(`growth: milliseconds, and GFLOP/s of the multiply-adds that the orders taken need; others: ${show(base)}`);
  for (const [axis, layers] of Object.entries(axes)) {
    for (const z of layers) {
      const { order } = layerCost({ form: "lowRank", d_h: z.d_h }, z, trained);
      const [ms] = await times(z, [{ order: order.forward, backwardOrder: order.backward }]);
      const gflops = (2 * work(z)) / ms / 1e6;
      lines.push({ part: "growth", axis, ...z, ms, gflops, order: `${order.forward} ${order.backward}` });
      console.log(
        `${axis.padEnd(9)} ${show(z).padEnd(58)} ${ms.toFixed(3).padStart(9)} ms ${gflops.toFixed(0).padStart(5)} GFLOP/s  ${order.forward} ${order.backward}`,
      );
    }
  }
}
