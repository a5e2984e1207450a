import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { makeModel } from "../../src/models/models.js";
import { mul } from "../../src/ops/arithmetic.js";
import { conv2d } from "../../src/ops/conv.js";
import { lconv } from "../../src/ops/lconv.js";
import { matmul } from "../../src/ops/matmul.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { fit } from "../../src/train/fit.js";
import { autogradOf } from "../support/gradcheck.js";
import * as reference from "../support/reference.js";
import { tinyData } from "../train/tiny.js";

const test = suite("engine/bf16");
const bf16 = device("cpu", { precision: "bf16" });

/** To nearest, ties to even: the upper 16 bits of a float32. */
function rounded(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer);
  bits[0] += 0x7fff + ((bits[0] >>> 16) & 1);
  bits[0] &= 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}
const on = (a: reference.Array64, where = bf16) => tensor(Float32Array.from(a.data), { shape: [...a.shape], device: where });

test("a product is that of the rounded factors, added up in float32", () => {
  scope(() => {
    for (const [M, K, N] of [
      [3, 5, 7],
      [40, 301, 50],
      [65, 1024, 9],
    ]) {
      const [a, b] = [reference.randn([M, K], 1), reference.randn([K, N], 2)];
      const want = reference.matmul(reference.map(a, rounded), reference.map(b, rounded));
      const got = matmul(on(a), on(b)).dataSync();
      assert.ok(reference.relError(got, want.data) < 1e-5, `${M} x ${K} x ${N}`);
      assert.ok(reference.relError(got, reference.matmul(a, b).data) > 1e-4, "the factors are rounded at all");
    }
  });
});

test("a convolution and its gradients are those of the rounded factors, added up in float32", () => {
  for (const [[B, m, o, p, q], kernel, padding] of [
    [[3, 1, 4, 6, 7], 3, 1],
    [[2, 1, 1, 5, 5], 3, 0],
    [[2, 3, 37, 4, 20], 3, 1],
    [[2, 4, 16, 9, 6], 1, 0],
    [[1, 5, 3, 6, 35], 5, 2],
    [[5, 32, 32, 14, 14], 3, 1],
  ] as [number[], number, number][]) {
    const factors = [
      [B, m, p, q],
      [o, m, kernel, kernel],
      [B, o, p + 2 * padding - kernel + 1, q + 2 * padding - kernel + 1],
    ].map((shape, i) => reference.randn(shape, i));
    const results = ([x, W, dy]: reference.Array64[], where = device("cpu")) => {
      const { value, grads } = autogradOf((x: Tensor, W: Tensor) => conv2d(x, W, { padding }), [x, W], dy, where);
      return [value, ...grads].map(({ data }) => data);
    };
    const want = results(factors.map((factor) => reference.map(factor, rounded)));
    const exact = results(factors);
    results(factors, bf16).forEach((got, i) => {
      const what = `${["value", "gradient of x", "gradient of W"][i]}, ${[B, m, o, p, q, kernel, padding]}`;
      assert.ok(reference.relError(got, want[i]) < 1e-5, what);
      assert.ok(reference.relError(got, exact[i]) > 1e-4, `the factors are rounded at all: ${what}`);
    });
  }
});

test("an L-conv layer in bf16 is that of float32 within the rounding, and elementwise operations are those of float32", () => {
  scope(() => {
    const [h, V, U, W] = [
      [4, 3, 60],
      [2, 5, 60],
      [2, 60, 5],
      [3, 3, 8],
    ].map((shape, i) => reference.randn(shape, i, 0.3));
    const layer = (where = bf16) => lconv(on(h, where), { form: "lowRank", U: on(U, where), V: on(V, where) }, on(W, where)).dataSync();
    const error = reference.relError(layer(), layer(device("cpu")));
    assert.ok(error > 1e-5 && error < 1e-2, `${error}`);
    const square = (where = bf16) => mul(on(h, where), on(h, where)).dataSync();
    assert.equal(square(), square(device("cpu")), "elementwise operations do not round");
  });
});

test("training in bf16 follows float32: weights stay float32, the same losses within 1 %, the same bits again", async () => {
  const losses = async (where = bf16) => {
    const model = makeModel("lconv", { channels: 1, height: 6, width: 6, classes: 2 }, where, { generators: 2, rank: 3, filters: 8 });
    const { history } = await fit(model, { train: tinyData(160) }, { epochs: 3, batch: 16, optimizer: "adam", lr: 0.01, device: where });
    model.dispose();
    return history.map(({ loss }) => loss);
  };
  const [got, again, want] = [await losses(), await losses(), await losses(device("cpu"))];
  assert.equal(got, again);
  assert.ok(reference.relError(got, want) < 1e-2, `${got} beside ${want}`);
  assert.is.not(got[0], want[0]);
});

test.run();
