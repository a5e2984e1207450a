import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Device, device, planningDevice } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import { add } from "../../src/ops/arithmetic.js";
import { lconv } from "../../src/ops/lconv.js";
import { matmul } from "../../src/ops/matmul.js";
import { adam, type Optimizer, rmsprop, sgd } from "../../src/optim/optimizer.js";
import { record } from "../../src/tensor/record.js";
import { type Tensor, zeros } from "../../src/tensor/tensor.js";
import { skip } from "../support/skip.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("engine/stats");

/** Registers a test on the device that counts launches; it needs lconv_cuda.so, but no GPU. */
function counted(name: string, body: (on: Device) => void | Promise<void>): void {
  test(name, () => {
    let on: Device;
    try {
      on = planningDevice();
    } catch (error) {
      if (error instanceof LconvError && error.code === "ERR_LCONV_CUDA_MODULE") return skip("this build has no CUDA part");
      throw error;
    }
    return body(on);
  });
}

test("the CPU launches nothing", () => {
  const x = zeros([4], { device: device("cpu") });
  assert.is(record(() => add(x, 1), device("cpu")).stats, undefined);
});

counted("independent work is counted beside each other, dependent work one after the other", (on) => {
  const [a, b] = [zeros([32, 32], { device: on }), zeros([32, 32], { device: on })];
  const apart = record(() => [matmul(a, a), matmul(b, b), matmul(a, b)], on).stats!;
  assert.equal([apart.launches, apart.longestPath, apart.branches], [3, 1, 3]);
  assert.is(apart.flops, 3 * 2 * 32 ** 3);
  assert.is(apart.bytes, 3 * 3 * 4 * 32 ** 2);
  const chain = record(() => matmul(matmul(matmul(a, a), a), a), on).stats!;
  assert.equal([chain.launches, chain.longestPath, chain.branches], [3, 3, 1]);
  assert.is(chain.graphNodes, 0, "nothing is captured without a GPU");
});

counted("a small result of long sums is lconv's own product, in parts that are added up", (on) => {
  const [a, b] = [zeros([64, 25_088], { device: on }), zeros([25_088, 10], { device: on })];
  const long = record(() => matmul(a, b), on).stats!;
  assert.equal([long.cublasProducts, long.ownProducts], [0, 1]);
  assert.ok(long.launches > 1, `${long.launches} launches`);
  assert.is(long.flops, 2 * 64 * 25_088 * 10);
  const [c, d] = [zeros([64, 1024], { device: on }), zeros([1024, 10], { device: on })];
  const short = record(() => matmul(c, d), on).stats!;
  assert.equal([short.cublasProducts, short.ownProducts, short.launches], [1, 0, 1]);
});

counted("an operation of several launches moves its operands once", (on) => {
  const [B, n_L, d_h, d, m, o] = [64, 2, 33, 1024, 4, 8]; // beyond what is one kernel
  const zero = (...shape: number[]): Tensor => zeros(shape, { device: on });
  const generators = { form: "lowRank", U: zero(n_L, d, d_h), V: zero(n_L, d_h, d) } as const;
  const [h, W] = [zero(B, m, d), zero(n_L + 1, m, o)];
  const { bytes } = record(() => lconv(h, generators, W, undefined, { order: "VUW" }), on).stats!;
  const r = n_L * d_h;
  const encode = B * m * d + r * d + B * m * r;
  const rest = B * m * d + B * m * r + n_L * d * d_h + (n_L + 1) * m * o + B * (n_L + 1) * m * d + B * o * d;
  assert.is(bytes, 4 * (encode + rest));
});

const optimizers: [string, (parameters: Tensor[]) => Optimizer, number][] = [
  ["sgd", (p) => sgd(p), 1],
  ["sgd with momentum", (p) => sgd(p, { momentum: 0.9 }), 1],
  ["rmsprop", (p) => rmsprop(p), 1],
  ["adam, whose corrections are a launch of their own", (p) => adam(p), 2],
];
for (const [name, make, updates] of optimizers) {
  counted(`${name}: one launch updates all parameters`, (on) => {
    const parameters = [3, 300, 70, 1, 16].map((n) => zeros([n], { device: on, requiresGrad: true }));
    const grads = parameters.map(({ shape }) => zeros(shape, { device: on }));
    const optimizer = make(parameters);
    const { launches, longestPath } = record(() => optimizer.step(grads), on).stats!;
    assert.is(launches, updates + 1, "and the step counter");
    assert.ok(longestPath <= updates + 1);
  });
}

counted("more parameters than a launch takes are spread over a few", (on) => {
  const parameters = Array.from({ length: 40 }, () => zeros([5], { device: on, requiresGrad: true }));
  const grads = parameters.map(({ shape }) => zeros(shape, { device: on }));
  const optimizer = sgd(parameters);
  assert.is(record(() => optimizer.step(grads), on).stats!.launches, 3 + 1);
});

counted("what only counts neither runs nor has values", async (on) => {
  const x = zeros([4], { device: on });
  const program = record(() => add(x, 1), on);
  await rejectsCode(program.run(), "ERR_LCONV_ARGUMENT", "cannot run programs");
  throwsCode(() => x.dataSync(), "ERR_LCONV_ARGUMENT", "has no values");
});

test.run();
