// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sub } from "../../src/ops/arithmetic.js";
import { log } from "../../src/ops/elementwise.js";
import { gather } from "../../src/ops/gather.js";
import { mse } from "../../src/ops/loss.js";
import { matmul } from "../../src/ops/matmul.js";
import { mean } from "../../src/ops/reduce.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { type MinimizeOptions, minimize } from "../../src/train/minimize.js";
import { randn } from "../support/reference.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("train/minimize");

const [N, slope, offset] = [60, 1.5, -0.5];
const xs = randn([N], 1).data;
const ys = xs.map((x, n) => slope * x + offset + 0.3 * randn([N], 2).data[n]);

/** The line through (xs, ys) by the normal equations, and its mean squared error. */
function closedForm(): { line: number[]; loss: number } {
  const average = (f: (n: number) => number): number => xs.reduce((sum, _, n) => sum + f(n), 0) / N;
  const [x, y, xx, xy] = [average((n) => xs[n]), average((n) => ys[n]), average((n) => xs[n] ** 2), average((n) => xs[n] * ys[n])];
  const a = (xy - x * y) / (xx - x * x);
  const b = y - a * x;
  return { line: [a, b], loss: average((n) => (a * xs[n] + b - ys[n]) ** 2) };
}

/** Fits w to the points; what `loss` is given counts up in `seen`. */
async function fitLine(options: Partial<MinimizeOptions> = {}): Promise<{ w: number[]; history: number[] }> {
  const w = zeros([2, 1], { requiresGrad: true });
  const design = tensor(
    Float32Array.from({ length: 2 * N }, (_, k) => (k % 2 === 0 ? xs[k / 2] : 1)),
    { shape: [N, 2] },
  );
  const targets = tensor(Float32Array.from(ys), { shape: [N, 1] });
  try {
    const history = await minimize({
      parameters: [w],
      loss: (index) => mse(matmul(gather(design, index), w), gather(targets, index)),
      ...{ samples: N, batch: N, epochs: 300, lr: 0.05 },
      ...options,
    });
    return { w: [...w.dataSync()], history };
  } finally {
    for (const t of [w, design, targets]) t.dispose();
  }
}

test("least squares end at their closed form, and the loss of every epoch is returned", async () => {
  const { line, loss } = closedForm();
  const { w, history } = await fitLine();
  w.forEach((value, k) => {
    assert.ok(Math.abs(value - line[k]) < 1e-4, `${w} against ${line}`);
  });
  assert.is(history.length, 300);
  assert.ok(Math.abs(history[299] - loss) < 1e-6, `${history[299]} against ${loss}`);
  const first = ys.reduce((sum, y) => sum + y * y, 0) / N; // w = 0
  assert.ok(Math.abs(history[0] - first) < 1e-5, "the loss before the first step");
});

test("in batches, by another rule, it ends near there", async () => {
  const { line } = closedForm();
  const { w, history } = await fitLine({ batch: 7, epochs: 60, optimizer: "sgd", lr: 0.02 });
  w.forEach((value, k) => {
    assert.ok(Math.abs(value - line[k]) < 0.1, `${w} against ${line}`);
  });
  assert.ok(history[59] < history[0]);
});

test("every epoch takes whole batches in a new order, each sample at most once", async () => {
  const w = zeros([N], { requiresGrad: true });
  const ones = tensor(new Float32Array(N).fill(1));
  // The gradient of the mean of -w over a batch of 7 is -1/7 at its samples: with lr 1 and one epoch w counts them.
  const counted = async (epochs: number): Promise<number[]> => {
    w.set(new Float32Array(N));
    await minimize({
      parameters: [w],
      loss: (i) => mean(sub(gather(ones, i), gather(w, i))),
      ...{ samples: N, batch: 7, epochs },
      optimizer: "sgd",
      lr: 7,
    });
    return Array.from(w.dataSync(), Math.round);
  };
  const [one, two] = [await counted(1), await counted(2)];
  assert.is(one.filter((count) => count === 1).length, 56);
  assert.is(one.filter((count) => count === 0).length, 4);
  assert.is(
    two.reduce((sum, count) => sum + count, 0),
    112,
  );
  assert.ok(
    one.some((count, n) => count === 0 && two[n] > 0),
    "the samples left out are others in the next epoch",
  );
  for (const t of [w, ones]) t.dispose();
});

test("the seed decides the result, bit for bit; the schedule counts", async () => {
  const run = (seed: number, schedule = (): number => 1): Promise<{ w: number[]; history: number[] }> =>
    fitLine({ seed, schedule, batch: 8, epochs: 3 });
  assert.equal(await run(5), await run(5));
  assert.is.not(String((await run(5)).w), String((await run(6)).w));
  const still = await run(5, () => 0);
  assert.equal(still.w, [0, 0]);
  const half = (step: number, steps: number): number => (step < steps / 2 ? 1 : 0); // of all steps, not of an epoch
  const stopped = await fitLine({ schedule: half, epochs: 10, batch: 20 });
  assert.equal(stopped.w, (await fitLine({ epochs: 5, batch: 20 })).w);
});

test("onEpoch hears of every epoch, from 1 on, with its mean loss", async () => {
  const heard: [number, number][] = [];
  const { history } = await fitLine({ epochs: 4, batch: 20, onEpoch: (epoch, loss) => heard.push([epoch, loss]) });
  assert.equal(
    heard,
    history.map((loss, k) => [k + 1, loss]),
  );
});

test("an AbortSignal stops it with its reason: before it starts, and between epochs", async () => {
  const rejects = (work: Promise<unknown>): Promise<void> =>
    work.then(
      () => assert.unreachable("it was aborted"),
      (error) => assert.is(error.message, "enough"),
    );
  const before = AbortSignal.abort(new Error("enough"));
  let epochs = 0;
  await rejects(fitLine({ signal: before, onEpoch: () => epochs++ }));
  assert.is(epochs, 0);
  const stop = new AbortController();
  await rejects(
    fitLine({
      signal: stop.signal,
      onEpoch: (epoch) => {
        epochs = epoch;
        if (epoch === 3) stop.abort(new Error("enough"));
      },
    }),
  );
  assert.is(epochs, 3);
  const { w } = await fitLine({ epochs: 300 });
  assert.ok(Math.abs(w[0] - closedForm().line[0]) < 1e-4, "the next run is not disturbed");
});

test("misuse", async () => {
  await rejectsCode(fitLine({ batches: 3 } as object), "ERR_LCONV_OPTION", "batch");
  await rejectsCode(fitLine({ batch: N + 1 }), "ERR_LCONV_ARGUMENT", "61", "60 samples");
  await rejectsCode(fitLine({ batch: 0 }), "ERR_LCONV_ARGUMENT", "batch");
  await rejectsCode(fitLine({ epochs: 0 }), "ERR_LCONV_ARGUMENT", "epochs");
  await rejectsCode(fitLine({ epochs: 2.5 }), "ERR_LCONV_ARGUMENT", "epochs");
  await rejectsCode(fitLine({ samples: 60.5 }), "ERR_LCONV_ARGUMENT", "samples");
  await rejectsCode(fitLine({ samples: Number.NaN }), "ERR_LCONV_ARGUMENT", "samples");
  await rejectsCode(fitLine({ parameters: [] }), "ERR_LCONV_ARGUMENT", "train");
  await rejectsCode(fitLine({ lr: -1 }), "ERR_LCONV_ARGUMENT", "lr");
  await rejectsCode(fitLine({ optimizer: "adamant" as "adam" }), "ERR_LCONV_ARGUMENT", "adam");
  const list = zeros([N], { requiresGrad: true });
  await rejectsCode(fitLine({ parameters: [list], loss: (index) => gather(list, index) }), "ERR_LCONV_SHAPE");
  list.dispose();
  await rejectsCode(fitLine({ loss: () => zeros([]) }), "ERR_LCONV_ARGUMENT", "requiresGrad");
});

test("a loss that is not finite is refused, with the epoch", async () => {
  const w = tensor([1], { requiresGrad: true });
  const loss = (): Tensor => mean(log(w)); // goes below 0 after the first step
  const run = minimize({ parameters: [w], loss, samples: 4, batch: 4, epochs: 5, optimizer: "sgd", lr: 2 });
  await rejectsCode(run, "ERR_LCONV_NONFINITE", "epoch 2");
  w.dispose();
});

test.run();
