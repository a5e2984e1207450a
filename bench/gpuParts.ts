// Parts of gpu-check that need the engine itself: node --import tsx bench/gpuParts.ts precision|epoch|determinism|profile [--quick]
// The last line of stdout is the figure; exit code 1 where it is out of bounds.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { recordCase } from "../src/cost/cases.js";
import { device as deviceOf, gpuModel, type Precision } from "../src/engine/device.js";
import { Philox, streams } from "../src/engine/random.js";
import { benchSteps } from "../src/experiments/bench/steps.js";
import { makeModel } from "../src/models/models.js";
import { matmul } from "../src/ops/matmul.js";
import { scope } from "../src/tensor/scope.js";
import { tensor } from "../src/tensor/tensor.js";
import { fit } from "../src/train/fit.js";
import { type SmallTraining, smallTraining } from "../test/support/smallTraining.js";

const quick = process.argv.includes("--quick");

/** Relative error of a product, in the Frobenius norm: no less than the lower bound, or factors were not rounded as asked for. */
const bounds: Record<Precision, [number, number]> = { fp32: [0, 1e-6], tf32: [3e-5, 2e-3], bf16: [3e-4, 1e-2] };

function precision(): boolean {
  const n = quick ? 64 : 512;
  const random = new Philox(0, streams.user);
  const [a, b] = [0, 1].map(() => Float32Array.from(random.uniform(n * n), (u) => u - 0.5));
  const want = product(a, b, n);
  const errors = Object.entries(bounds).map(([name, [low, high]]) => {
    const device = deviceOf("cuda", { precision: name as Precision });
    const shape = [n, n];
    const got = scope(() => matmul(tensor(a, { shape, device }), tensor(b, { shape, device })).dataSync());
    const [error, size] = [want.reduce((sum, w, i) => sum + (got[i] - w) ** 2, 0), want.reduce((sum, w) => sum + w * w, 0)];
    const relative = Math.sqrt(error / size);
    return { text: `${name} ${relative.toExponential(1)}`, fits: relative >= low && relative <= high };
  });
  const wrong = errors.filter(({ fits }) => !fits).map(({ text }) => text);
  console.log(`${errors.map(({ text }) => text).join(", ")}${wrong.length > 0 ? `; out of bounds: ${wrong.join(", ")}` : ""}`);
  return wrong.length === 0;
}

function product(a: Float32Array, b: Float32Array, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}

/** Whole epochs of training against the same steps in the bench, and what the event loop feels of them. */
async function epoch(): Promise<boolean> {
  const [count, batch, epochs] = quick ? [64, 32, 3] : [60_000, 64, 21];
  const device = deviceOf("cuda");
  const timed = gpuModel(device) !== "Emulated GPU";
  const input = { channels: 1, height: 28, width: 28, classes: 10 };
  const model = makeModel("lconv", input, device, { generators: 9, rank: 16, filters: 32 });
  const random = new Philox(0, streams.user);
  const x = Float32Array.from(random.uniform(count * 784));
  const labels = Int32Array.from(random.uniform(count), (u) => Math.floor(10 * u));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const seconds: number[] = [];
  await fit(
    model,
    { train: { x, labels, count, ...input } },
    {
      ...{ epochs, batch, optimizer: "sgd", lr: 1e-3, device },
      onEvent: (event) => {
        if (event.type !== "epoch") return;
        delay.enable(); // from the second epoch on: set-up is over
        seconds.push(event.seconds);
      },
    },
  );
  delay.disable();
  const steps = Math.floor(count / batch);
  const p99 = delay.percentile(99) / 1e6;
  if (!timed) {
    console.log(`${epochs} epochs of ${steps} steps; no timing: emulated`);
    return seconds.length === epochs;
  }
  const measured = [];
  for await (const result of benchSteps({ cases: ["mnist/lconv"], batch, seconds: 1, peak: 1, device })) measured.push(result.msPerStep);
  const later = seconds.slice(1).sort((a, b) => a - b);
  const epochMs = 1e3 * later[Math.floor(later.length / 2)];
  const ratio = epochMs / (steps * measured[0]);
  console.log(
    `an epoch of ${steps} steps ${epochMs.toFixed(1)} ms, ${ratio.toFixed(3)} of its steps (at most 1.15); event loop delay p99 ${p99.toFixed(1)} ms`,
  );
  return ratio <= 1.15;
}

/** The weights of the same training, twice alone and twice at once, have the same bits. */
async function determinism(): Promise<boolean> {
  const steps = quick ? 2 : 300;
  const train = async (count: number): Promise<string[]> => {
    const trainings = Array.from({ length: count }, (): SmallTraining => smallTraining(1));
    const programs = trainings.map((training) => training.program());
    await Promise.all(programs.map((program) => program.run({ steps })));
    for (const program of programs) program.dispose();
    return trainings.map((training) => training.digest());
  };
  const digests = [...(await train(1)), ...(await train(1)), ...(await train(2))];
  const names = ["alone", "again", "beside another", "as the other"];
  const others = names.filter((_, i) => digests[i] !== digests[0]);
  console.log(
    others.length === 0
      ? `the same weights 4 times: ${digests[0].slice(0, 16)}`
      : `other weights ${others.join(", ")}: ${digests.join(" ")}`,
  );
  return others.length === 0;
}

/** Steps of bench cases, for LCONV_CUDA_PROFILE, whose tables follow each other in the order of the last line. */
async function profile(): Promise<boolean> {
  const cases = quick ? ["mnist/lconv"] : ["mnist/lconv", "mnist/lconv2", "mnist/cnn", "cifar100/lconv"];
  for (const name of cases) {
    const { program, dispose } = recordCase(name, quick ? 2 : 64, deviceOf("cuda"));
    await program.run({ steps: quick ? 2 : 100 });
    dispose();
  }
  console.log(cases.join(","));
  return true;
}

const parts: Record<string, () => boolean | Promise<boolean>> = { precision, epoch, determinism, profile };
process.exitCode = (await parts[process.argv[2]]()) ? 0 : 1;
