// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { graphFlow } from "../../src/lie/generators/groups.js";
import { cnnAsLConv, deepSetsAsLConv, fcAsLConv, gcnAsLConv } from "../../src/models/asLConv.js";
import { Conv2d, Linear, WeightSource } from "../../src/nn/index.js";
import type { Module } from "../../src/nn/module.js";
import { mul } from "../../src/ops/arithmetic.js";
import { gather } from "../../src/ops/gather.js";
import { classificationLoss } from "../../src/ops/loss.js";
import { sum } from "../../src/ops/reduce.js";
import { flatten, reshape } from "../../src/ops/shape.js";
import { sgd } from "../../src/optim/optimizer.js";
import { randn } from "../../src/tensor/random.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertNear } from "../support/gradcheck.js";
import { throwsCode } from "../support/throws.js";

const test = suite("models/asLConv");
const source = (seed = 0): WeightSource => new WeightSource(device(), seed);
const near = (what: string, got: Tensor, want: ArrayLike<number>, tolerance = 1e-5): void =>
  assertNear(what, { data: got.dataSync() }, { data: want }, tolerance);

/** y[b, a, at] = sum_{c, k} K[a, c, k] x[b, c, at + k - before] in float64; what lies outside is 0 or comes around. */
function convolution(
  x: ArrayLike<number>,
  K: ArrayLike<number>,
  [B, m_in, m_out]: number[],
  shape: readonly number[],
  kernel: readonly number[],
  padding: "valid" | "same" | "circular",
): number[] {
  const before = kernel.map((k) => (padding === "valid" ? 0 : (k - 1) / 2));
  const out = shape.map((n, axis) => (padding === "valid" ? n - kernel[axis] + 1 : n));
  const size = (sizes: readonly number[]): number => sizes.reduce((product, n) => product * n, 1);
  const places = (sizes: readonly number[]): number[][] =>
    sizes.reduce<number[][]>((all, n) => all.flatMap((at) => Array.from({ length: n }, (_, i) => [...at, i])), [[]]);
  const index = (at: readonly number[], sizes: readonly number[]): number => at.reduce((sum, i, axis) => sum * sizes[axis] + i, 0);
  const y: number[] = [];
  for (let b = 0; b < B; b++)
    for (let a = 0; a < m_out; a++)
      for (const at of places(out)) {
        let total = 0;
        places(kernel).forEach((k, tap) => {
          let from = at.map((i, axis) => i + k[axis] - before[axis]);
          if (padding === "circular") from = from.map((i, axis) => (i + shape[axis]) % shape[axis]);
          if (from.some((i, axis) => i < 0 || i >= shape[axis])) return;
          for (let c = 0; c < m_in; c++)
            total += K[(a * m_in + c) * size(kernel) + tap] * x[(b * m_in + c) * size(shape) + index(from, shape)];
        });
        y.push(total);
      }
  return y;
}

for (const [shape, kernel] of [
  [[11], [3]],
  [[9], [4]],
  [
    [6, 5],
    [3, 3],
  ],
  [
    [6, 7],
    [2, 3],
  ],
  [
    [4, 3, 5],
    [3, 3, 3],
  ],
] as const) {
  for (const padding of ["valid", "same", "circular"] as const) {
    if (padding !== "valid" && kernel.some((k) => k % 2 === 0)) continue;
    test(`a ${padding} convolution in ${shape.length} dimensions, kernel ${kernel.join(" x ")} (Prop 4)`, () => {
      scope(() => {
        const [B, m_in, m_out] = [2, 2, 3];
        const model = cnnAsLConv(source(), { shape, kernel, padding, m_in, m_out });
        const d = shape.reduce((product, n) => product * n, 1);
        const x = randn([B, m_in, d], { seed: 1 });
        const K = randn([m_out, m_in, ...kernel], { seed: 2 }).dataSync();
        model.setKernel(K);
        near("y", model.forward(x), convolution(x.dataSync(), K, [B, m_in, m_out], shape, kernel, padding));
        model.dispose();
      });
    });
  }
}

/** Losses and weights of `steps` SGD steps on the same batches of 8 of 40 samples. */
function trained(model: Module, head: Linear, x: Tensor, labels: Tensor, steps: number): { losses: number[]; weights: Float32Array[] } {
  const parameters = [...model.parameters(), ...head.parameters()];
  const optimizer = sgd(parameters, { lr: 0.1, momentum: 0.9 });
  const losses = Array.from({ length: steps }, (_, step) =>
    scope(() => {
      const index = tensor(Int32Array.from({ length: 8 }, (_, i) => (8 * step + i) % 40));
      const { loss } = classificationLoss(head.forward(flatten(model.forward(gather(x, index)))), gather(labels, index));
      optimizer.step(gradients(loss, parameters));
      return loss.item();
    }),
  );
  optimizer.dispose();
  return { losses, weights: parameters.map((t) => t.dataSync() as Float32Array) };
}

const labels = (): Tensor => tensor(Int32Array.from({ length: 40 }, (_, i) => i % 3));

test("a whole training run is that of Conv2d (Prop 4)", () => {
  scope(() => {
    const [p, q, m_out] = [6, 6, 4];
    const conv = new Conv2d(source(3), 1, m_out, { kernel: 3, padding: "valid", activation: "relu" });
    const shifted = cnnAsLConv(source(3), { shape: [p, q], m_in: 1, m_out, activation: "relu" });
    shifted.setKernel(conv.W.dataSync());
    const x = randn([40, 1, p * q], { seed: 5 });
    const heads = [0, 1].map(() => new Linear(source(4), m_out * 16, 3));
    const byConv = trained(conv, heads[0], reshape(x, [40, 1, p, q]), labels(), 25);
    const byShifts = trained(shifted, heads[1], x, labels(), 25);
    assertNear("losses", { data: byShifts.losses }, { data: byConv.losses }, 1e-4);
    assert.ok(byConv.losses[24] < byConv.losses[0]);
    for (const module of [conv, shifted, ...heads]) module.dispose();
  });
});

test("fully connected: values, gradients and a whole training run are those of Linear (Prop 3)", () => {
  scope(() => {
    const [d, m] = [7, 5];
    const linear = new Linear(source(1), d, m, { activation: "relu" });
    const byGl = fcAsLConv(source(2), { d, m, activation: "relu" });
    byGl.W.set(linear.W.dataSync() as Float32Array);
    const b = randn([m], { seed: 9 }).dataSync() as Float32Array;
    for (const layer of [linear, byGl]) (layer.b as Tensor).set(b);
    const x = randn([40, 1, d], { seed: 3 });
    x.requiresGrad = true;
    const flat = reshape(x, [40, d]);
    near("y", byGl.forward(x), linear.forward(flat).dataSync());
    const c = randn([40, m], { seed: 4 });
    const wanted = gradients(sum(mul(linear.forward(flat), c)), [linear.W, linear.b as Tensor, x]);
    gradients(sum(mul(byGl.forward(x), c)), [byGl.W, byGl.b as Tensor, x]).forEach((grad, i) => {
      near(`gradient ${i}`, grad, wanted[i].dataSync(), 1e-4);
    });
    const heads = [0, 1].map(() => new Linear(source(4), m, 3));
    const [one, other] = [trained(linear, heads[0], flat.detach(), labels(), 25), trained(byGl, heads[1], x.detach(), labels(), 25)];
    assertNear("losses", { data: other.losses }, { data: one.losses }, 1e-4);
    other.weights.forEach((weights, i) => {
      assertNear(`weights ${i}`, { data: weights }, { data: one.weights[i] }, 1e-4);
    });
    for (const module of [linear, byGl, ...heads]) module.dispose();
  });
});

test("a graph convolution f(A h W + b), with normalised A (Prop 5)", () => {
  scope(() => {
    const [B, m_in, m_out, d] = [2, 3, 2, 4];
    const edges = [0, 1, 2, 3]
      .map((a) => [a, (a + 1) % 4, 1 + a] as const)
      .flatMap(([a, b, w]): [number, number, number][] => [
        [a, b, w],
        [b, a, w],
      ]);
    const model = gcnAsLConv(source(), { flow: graphFlow(d, edges, { selfLoops: true }), m_in, m_out, activation: "tanh" });
    const A = Array.from({ length: d }, (_, a) => Array.from({ length: d }, (_, b): number => (a === b ? 1 : 0)));
    for (const [a, b, w] of edges) A[a][b] += w;
    const degree = A.map((row) => row.reduce((total, w) => total + w, 0));
    (model.b as Tensor).set(Float32Array.of(0.3, -0.2));
    const [h, W] = [randn([B, m_in, d], { seed: 1 }), model.W.dataSync()];
    const x = h.dataSync();
    const expected: number[] = [];
    for (let b = 0; b < B; b++)
      for (let a = 0; a < m_out; a++)
        for (let mu = 0; mu < d; mu++) {
          let total = [0.3, -0.2][a];
          for (let nu = 0; nu < d; nu++)
            for (let c = 0; c < m_in; c++)
              total += (A[mu][nu] / Math.sqrt(degree[mu] * degree[nu])) * x[(b * m_in + c) * d + nu] * W[c * m_out + a];
          expected.push(Math.tanh(total));
        }
    near("y", model.forward(h), expected);
    assert.equal([...model.namedParameters().keys()], ["W", "b"]);
    model.dispose();
  });
});

test("Deep Sets: values by hand, and permutations of the elements pass through", () => {
  scope(() => {
    const [B, m_in, m_out, d] = [2, 2, 3, 6];
    const model = deepSetsAsLConv(source(), { d, m_in, m_out, activation: "relu" });
    const [h, W] = [randn([B, m_in, d], { seed: 1 }), model.W.dataSync()];
    const x = Float32Array.from(h.dataSync());
    const y = model.forward(h).dataSync();
    const order = [3, 1, 5, 0, 2, 4];
    const permuted = Float32Array.from(x, (_, k) => x[k - (k % d) + order[k % d]]);
    const after = model.forward(tensor(permuted, { shape: [B, m_in, d] })).dataSync();
    for (let b = 0; b < B; b++)
      for (let a = 0; a < m_out; a++)
        for (let mu = 0; mu < d; mu++) {
          let total = 0;
          for (let c = 0; c < m_in; c++) {
            const line = x.slice((b * m_in + c) * d, (b * m_in + c + 1) * d);
            total += W[c * m_out + a] * line[mu] + W[(m_in + c) * m_out + a] * line.reduce((total, value) => total + value, 0);
          }
          assert.ok(Math.abs(y[(b * m_out + a) * d + mu] - Math.max(0, total)) < 1e-5);
          assert.ok(Math.abs(after[(b * m_out + a) * d + mu] - y[(b * m_out + a) * d + order[mu]]) < 1e-5);
        }
    model.dispose();
  });
});

test("misuse", () => {
  const cnn = (options: object) => () => cnnAsLConv(source(), { shape: [5, 5], m_in: 1, m_out: 1, ...options });
  throwsCode(cnn({ stride: 2 }), "ERR_LCONV_ARGUMENT", "stride 2", "LConvStrided");
  throwsCode(cnn({ padding: "full" }), "ERR_LCONV_ARGUMENT", '"full"');
  throwsCode(cnn({ kernel: [3] }), "ERR_LCONV_ARGUMENT", "[3]", "[5, 5]");
  throwsCode(cnn({ kernel: [6, 3] }), "ERR_LCONV_ARGUMENT", "1 to 5, got 6");
  throwsCode(cnn({ kernel: [2, 2], padding: "same" }), "ERR_LCONV_ARGUMENT", "odd");
  throwsCode(cnn({ kernel: [1, 1] }), "ERR_LCONV_ARGUMENT", "L_0 = I");
  throwsCode(cnn({ paddin: "same" }), "ERR_LCONV_OPTION", 'did you mean "padding"?');
  throwsCode(() => fcAsLConv(source(), { d: 65, m: 1 }), "ERR_LCONV_ARGUMENT", "64", "65");
  const flow = graphFlow(2, [[0, 1, 1], [1, 0, 1]]); // biome-ignore format: two edges
  throwsCode(() => gcnAsLConv(source(), { flow, m_in: 0, m_out: 1 }), "ERR_LCONV_ARGUMENT", "m_in");
  scope(() => {
    const model = cnnAsLConv(source(), { shape: [5], m_in: 1, m_out: 1 });
    throwsCode(() => model.setKernel([1, 2]), "ERR_LCONV_SHAPE", "[1, 1, 3]", "2 values");
    model.dispose();
  });
});

test.run();
