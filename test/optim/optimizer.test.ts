// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LconvError } from "../../src/errors.js";
import {
  adam,
  adamw,
  makeOptimizer,
  type Optimizer,
  type OptimizerName,
  optimizerDefaults,
  optimizerNames,
  rmsprop,
  sgd,
} from "../../src/optim/optimizer.js";
import { constant, cosine, ratesOf, stepDecay, warmUp } from "../../src/optim/schedule.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";

const test = suite("optim");

const start = [1.5, -0.7, 0.2, -2];
const target = [0.3, 0.4, -1, 0.25];
const curvature = [0.9, 0.1, 2, 0.5];
const STEPS = 40;

type Update = (w: number, g: number, state: number[], t: number) => number;

/** Minimises sum(s (w - w0)^2) / 2 in float64 with `update`, one coordinate at a time. */
function reference(update: Update): number[] {
  return start.map((first, i) => {
    const state = [0, 0];
    let w = first;
    for (let t = 1; t <= STEPS; t++) w = update(w, curvature[i] * (w - target[i]), state, t);
    return w;
  });
}

function trained(make: (parameters: readonly Tensor[]) => Optimizer): number[] {
  return scope(() => {
    const w = tensor(start, { requiresGrad: true });
    const optimizer = make([w]);
    for (let t = 0; t < STEPS; t++) {
      scope(() => {
        const g = [...w.dataSync()].map((x, i) => curvature[i] * (x - target[i]));
        optimizer.step([tensor(g)]);
      });
    }
    const out = [...w.dataSync()];
    optimizer.dispose();
    return out;
  });
}

const rows: [string, (parameters: readonly Tensor[]) => Optimizer, Update][] = [
  ["sgd", (p) => sgd(p, { lr: 0.1 }), (w, g) => w - 0.1 * g],
  ["sgd, weight decay", (p) => sgd(p, { lr: 0.1, weightDecay: 0.2 }), (w, g) => w - 0.1 * (g + 0.2 * w)],
  [
    "sgd, momentum",
    (p) => sgd(p, { lr: 0.05, momentum: 0.9 }),
    (w, g, s) => {
      s[0] = 0.9 * s[0] + g;
      return w - 0.05 * s[0];
    },
  ],
  [
    "sgd, Nesterov and weight decay",
    (p) => sgd(p, { lr: 0.05, momentum: 0.8, nesterov: true, weightDecay: 0.1 }),
    (w, g, s) => {
      const decayed = g + 0.1 * w;
      s[0] = 0.8 * s[0] + decayed;
      return w - 0.05 * (decayed + 0.8 * s[0]);
    },
  ],
  [
    "adam, weight decay",
    (p) => adam(p, { lr: 0.05, beta2: 0.99, weightDecay: 0.1 }),
    (w, g, s, t) => {
      const decayed = g + 0.1 * w;
      s[0] = 0.9 * s[0] + 0.1 * decayed;
      s[1] = 0.99 * s[1] + 0.01 * decayed ** 2;
      return w - (0.05 * (s[0] / (1 - 0.9 ** t))) / (Math.sqrt(s[1] / (1 - 0.99 ** t)) + 1e-8);
    },
  ],
  [
    "adamw",
    (p) => adamw(p, { lr: 0.05, weightDecay: 0.1 }),
    (w, g, s, t) => {
      s[0] = 0.9 * s[0] + 0.1 * g;
      s[1] = 0.999 * s[1] + 0.001 * g ** 2;
      return w * (1 - 0.05 * 0.1) - (0.05 * (s[0] / (1 - 0.9 ** t))) / (Math.sqrt(s[1] / (1 - 0.999 ** t)) + 1e-8);
    },
  ],
  [
    "rmsprop, epsilon outside the root",
    (p) => rmsprop(p, { lr: 0.01, rho: 0.95, epsilon: 0.1 }),
    (w, g, s) => {
      s[0] = 0.95 * s[0] + 0.05 * g ** 2;
      return w - (0.01 * g) / (Math.sqrt(s[0]) + 0.1);
    },
  ],
];

for (const [title, make, update] of rows) {
  test(`${title}: ${STEPS} steps as in float64`, () => {
    const [got, want] = [trained(make), reference(update)];
    got.forEach((w, i) => {
      assert.ok(Math.abs(w - want[i]) < 1e-4 * (1 + Math.abs(want[i])), `coordinate ${i}: ${w} against ${want[i]}`);
    });
  });
}

test("clipping scales all gradients together to the given norm, and leaves small ones alone", () => {
  scope(() => {
    const [a, b] = [tensor([0, 0], { requiresGrad: true }), tensor([0], { requiresGrad: true })];
    const optimizer = sgd([a, b], { lr: 1, clipNorm: 2 });
    optimizer.step([tensor([3, 0]), tensor([4])]);
    assert.ok(Math.abs(a.dataSync()[0] + 1.2) < 1e-5 && Math.abs(b.dataSync()[0] + 1.6) < 1e-5);
    optimizer.step([tensor([0.5, 0]), tensor([0.25])]);
    assert.ok(Math.abs(a.dataSync()[0] + 1.7) < 1e-5 && Math.abs(b.dataSync()[0] + 1.85) < 1e-5);
    assert.is(optimizer.steps.item(), 2);
    optimizer.dispose();
  });
});

test("clipping sums squares over more than one block", () => {
  scope(() => {
    const n = 10_000;
    const w = tensor(new Float32Array(n), { requiresGrad: true });
    const optimizer = sgd([w], { lr: 1, clipNorm: 1 });
    optimizer.step([tensor(new Float32Array(n).fill(1))]);
    assert.ok(w.dataSync().every((x) => Math.abs(x + 0.01) < 1e-6));
    optimizer.dispose();
  });
});

test("schedules: values at the places that matter", () => {
  assert.is(constant(7, 10), 1);
  assert.equal(
    [0, 9, 10, 20].map((step) => Number(stepDecay(10, 0.5)(step, 100).toFixed(6))),
    [1, 1, 0.5, 0.25],
  );
  const half = cosine(0.1);
  assert.ok(Math.abs(half(0, 100) - 1) < 1e-12 && Math.abs(half(50, 100) - 0.55) < 1e-12 && Math.abs(half(100, 100) - 0.1) < 1e-12);
  const warm = warmUp(4, cosine());
  assert.equal(
    [0, 1, 2, 3].map((step) => warm(step, 104)),
    [0.25, 0.5, 0.75, 1],
  );
  assert.ok(Math.abs(warm(54, 104) - 0.5) < 1e-12);
  assert.equal([...ratesOf(stepDecay(2, 0.5), 0.5, 4)], [0.5, 0.5, 0.25, 0.25]);
});

test("the learning rate on the host is the device's, in float32; the default is that of optimizerDefaults", () => {
  for (const name of optimizerNames)
    scope(() => {
      const optimizer = makeOptimizer(name, [tensor([1], { requiresGrad: true })], {});
      assert.is(optimizer.learningRate, optimizer.lr.item());
      assert.is(optimizer.learningRate, Math.fround(optimizerDefaults[name].lr));
      optimizer.setLearningRate(0.3);
      assert.is(optimizer.learningRate, optimizer.lr.item());
      assert.is(optimizer.learningRate, Math.fround(0.3));
      optimizer.dispose();
    });
});

const misuse: [string, () => unknown, string, RegExp][] = [
  ["negative rate", () => trained((p) => sgd(p, { lr: -1 })), "ERR_LCONV_ARGUMENT", /lr must be a positive number, got -1/],
  ["NaN rate", () => trained((p) => adam(p, { lr: Number.NaN })), "ERR_LCONV_ARGUMENT", /NaN/],
  ["momentum 1", () => trained((p) => sgd(p, { momentum: 1 })), "ERR_LCONV_ARGUMENT", /momentum/],
  ["Nesterov without momentum", () => trained((p) => sgd(p, { nesterov: true })), "ERR_LCONV_ARGUMENT", /nesterov/],
  ["unknown option", () => trained((p) => sgd(p, { momentm: 0.9 } as object)), "ERR_LCONV_OPTION", /did you mean "momentum"/],
  ["nothing to train", () => sgd([]), "ERR_LCONV_ARGUMENT", /nothing to train/],
  ["unknown optimiser", () => makeOptimizer("adamm" as OptimizerName, [], {}), "ERR_LCONV_ARGUMENT", /did you mean "adam"/],
  ["no gradients", () => scope(() => sgd([tensor([1], { requiresGrad: true })]).step()), "ERR_LCONV_ARGUMENT", /no gradient/],
];
for (const [title, act, code, message] of misuse) {
  test(`misuse: ${title}`, () => {
    assert.throws(act, (error: unknown) => error instanceof LconvError && error.code === code && message.test(error.message));
  });
}

test.run();
