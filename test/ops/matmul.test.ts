// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Fn } from "../../src/ops/elementwise.js";
import { linear, matmul } from "../../src/ops/matmul.js";
import { scope } from "../../src/tensor/scope.js";
import { zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { binary, map, matmul as matmul64, pointwise, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/matmul");

const transposes = [
  { transA: false, transB: false },
  { transA: true, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: true },
];
/** M, N, K */
const sizes = [
  [1, 1, 1],
  [2, 3, 4],
  [5, 1, 7],
  [1, 6, 1],
  [7, 17, 6],
];
/** Batch of a and of b; undefined is a plain matrix. */
const batches: [number | undefined, number | undefined][] = [
  [undefined, undefined],
  [3, 3],
  [3, undefined],
  [undefined, 3],
  [1, 1],
];
const stored = (batch: number | undefined, rows: number, cols: number, transposed: boolean): number[] => [
  ...(batch === undefined ? [] : [batch]),
  ...(transposed ? [cols, rows] : [rows, cols]),
];

for (const options of transposes) {
  for (const [ba, bb] of batches) {
    everyDevice(test, `${JSON.stringify(options)}, batch ${ba} by ${bb}: value and gradient`, (device) => {
      for (const [M, N, K] of sizes) {
        const a = randn(stored(ba, M, K, options.transA), M * 31 + K);
        const b = randn(stored(bb, K, N, options.transB), N * 37 + K);
        checkOp({ op: (x, y) => matmul(x, y, options), reference: (x, y) => matmul64(x, y, options), inputs: [a, b], device });
      }
    });
  }
}

everyDevice(test, "large products, tiles and remainders of every kind", (device) => {
  for (const [M, N, K] of [
    [97, 513, 257],
    [130, 70, 300],
    [1, 1000, 129],
    [257, 1, 64],
  ]) {
    for (const options of transposes) {
      const a = randn(stored(undefined, M, K, options.transA), M);
      const b = randn(stored(undefined, K, N, options.transB), N);
      scope(() => {
        const c = matmul(...([a, b].map((x) => zeros(x.shape, { device }).set(Float32Array.from(x.data))) as [never, never]), options);
        const want = matmul64(a, b, options);
        let [distance, size] = [0, 0];
        c.dataSync().forEach((value, i) => {
          distance += (value - want.data[i]) ** 2;
          size += want.data[i] ** 2;
        });
        assert.ok(Math.sqrt(distance / size) < 1e-6, `${M} x ${N} x ${K} ${JSON.stringify(options)}: ${Math.sqrt(distance / size)}`);
      });
    }
  }
});

test("empty factors: no rows, no columns, nothing between (a product of zeros), no batch", () => {
  scope(() => {
    assert.equal(matmul(zeros([0, 3]), zeros([3, 2])).shape, [0, 2]);
    assert.equal(matmul(zeros([2, 3]), zeros([3, 0])).shape, [2, 0]);
    assert.equal([...matmul(zeros([2, 0]), zeros([0, 2])).dataSync()], [0, 0, 0, 0]);
    assert.equal(matmul(zeros([0, 2, 3]), zeros([3, 2])).shape, [0, 2, 2]);
  });
});

const activations: (Fn | undefined)[] = [
  undefined,
  { name: "linear" },
  { name: "relu" },
  { name: "leakyRelu", parameter: 0.01 },
  { name: "tanh" },
  { name: "sigmoid" },
];
for (const fn of activations) {
  everyDevice(test, `linear with ${fn?.name ?? "no"} activation, with and without bias`, (device) => {
    const [x, W, b] = [randn([4, 5], 1), randn([5, 3], 2), randn([3], 3)];
    const f = pointwise[fn?.name ?? "linear"];
    checkOp({
      op: (x, W, b) => linear(x, W, b, fn),
      reference: (x, W, b) =>
        map(
          binary(matmul64(x, W), b, (y, bias) => y + bias),
          f,
        ),
      inputs: [x, W, b],
      device,
    });
    checkOp({ op: (x, W) => linear(x, W, undefined, fn), reference: (x, W) => map(matmul64(x, W), f), inputs: [x, W], device });
  });
}

test("differences of the float32 forward pass", () => {
  checkDirections((a, b) => matmul(a, b, { transB: true }), [randn([3, 4, 5], 1), randn([6, 5], 2)]);
  checkDirections((x, W, b) => linear(x, W, b, { name: "tanh" }), [randn([4, 5], 1, 0.5), randn([5, 3], 2, 0.5), randn([3], 3)]);
});

test("misuse: code, both shapes, what transposed means", () => {
  scope(() => {
    const z = (...shape: number[]) => zeros(shape);
    throwsCode(() => matmul(z(2, 3), z(4, 5)), "ERR_LCONV_SHAPE", "[2, 3]", "[4, 5]");
    throwsCode(() => matmul(z(2, 3), z(4, 5), { transA: true, transB: true }), "ERR_LCONV_SHAPE", "[2, 3] transposed", "[4, 5] transposed");
    throwsCode(() => matmul(z(2, 3, 4), z(3, 4, 5)), "ERR_LCONV_SHAPE", "[2, 3, 4]", "[3, 4, 5]");
    throwsCode(() => matmul(z(3), z(3, 4)), "ERR_LCONV_SHAPE", "a must be", "[3]");
    throwsCode(() => matmul(z(3, 3), z(1, 1, 3, 3)), "ERR_LCONV_SHAPE", "b must be", "[1, 1, 3, 3]");
    throwsCode(() => matmul(zeros([2, 2], { dtype: "int32" }), z(2, 2)), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => linear(z(2, 3), z(4, 5)), "ERR_LCONV_SHAPE", "[2, 3]", "[4, 5]");
    throwsCode(() => linear(z(2, 4), z(4, 5), z(4)), "ERR_LCONV_SHAPE", "[4, 5]", "[4]", "b must be [5]");
    throwsCode(() => linear(z(2, 4), zeros([4, 5], { dtype: "int32" })), "ERR_LCONV_DTYPE", "W", "int32");
    throwsCode(() => linear(z(2, 4), z(4, 5), undefined, { name: "gelu" }), "ERR_LCONV_ARGUMENT", "gelu", "cannot be fused");
    throwsCode(() => linear(z(2, 4), z(4, 5), undefined, { name: "leakyRelu", parameter: -1 }), "ERR_LCONV_ARGUMENT", "-1");
  });
});

test.run();
