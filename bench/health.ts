// What training does to the process around it, as JSON lines:
//   - the event loop's delay while a network trains, 99th percentile
//   - growth of the resident memory from step 1,000 to step 10,000
//   - seconds to rotate 60,000 images with cubic splines
//   - what looking for a GPU adds to loading the engine
//
//   npx tsx bench/health.ts
import { cpus } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { native } from "../src/engine/native.js";
import { data, device, fit, models, Philox, streams } from "../src/index.js";

const report = (line: object): void => console.log(JSON.stringify(line));
native(); // the engine itself is loaded
const [before, resident] = [performance.now(), process.memoryUsage().rss];
const { fault } = native().probeCuda();
const looked = { ms: performance.now() - before, MB: (process.memoryUsage().rss - resident) / 1e6, found: fault?.code ?? "a GPU" };
report({ machine: cpus()[0].model.trim(), threads: device().threads, node: process.version, date: new Date().toISOString() });
report({ measure: "looking for a GPU", ...looked });

const digits = data.glyphs({ train: 4000, test: 500 });
const prepared = await data.prepare(digits, { variant: "rotated-scrambled" });
const model = models.makeModel("lconv", prepared.train, device(), { generators: 5, rank: 8, filters: 16 });

const delay = monitorEventLoopDelay({ resolution: 1 });
const rss = new Map<number, number>();
let running = false;
await fit(model, prepared, {
  epochs: 101, // 100 steps each
  batch: 32,
  onEvent: (event) => {
    if (event.type !== "step") return;
    if (!running) delay.enable(); // set-up is over
    running = true;
    const mark = [1000, 10_000].find((step) => event.step >= step && !rss.has(step));
    if (mark) rss.set(mark, process.memoryUsage().rss);
  },
});
delay.disable();
report({
  measure: "event loop delay while training, ms",
  p50: delay.percentile(50) / 1e6,
  p99: delay.percentile(99) / 1e6,
  max: delay.max / 1e6,
});
report({ measure: "resident memory from step 1,000 to step 10,000, MB", growth: ((rss.get(10_000) ?? 0) - (rss.get(1000) ?? 0)) / 1e6 });

for (const side of [28, 32]) {
  const count = 60_000;
  const images = Float32Array.from({ length: count * side * side }, (_, i) => (i * 2654435761) % 255);
  const degrees = new Philox(0, streams.rotation).uniform(count).map((u) => (u - 0.5) * 180);
  const start = performance.now();
  data.rotate(images, side, side, degrees, { order: 3, threads: device().threads });
  report({ measure: `cubic rotation of ${count} images ${side} x ${side}, s`, seconds: (performance.now() - start) / 1e3 });
}
model.dispose();
