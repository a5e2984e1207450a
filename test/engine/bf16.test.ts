import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { makeModel } from "../../src/models/models.js";
import { conv2d } from "../../src/ops/conv.js";
import { lconv } from "../../src/ops/lconv.js";
import { matmul } from "../../src/ops/matmul.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor } from "../../src/tensor/tensor.js";
import { fit } from "../../src/train/fit.js";
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

test("an L-conv layer in bf16 is that of float32 within the rounding, and what is no product is float32", () => {
  scope(() => {
    const [h, V, U, W] = [
      [4, 3, 60],
      [2, 5, 60],
      [2, 60, 5],
      [3, 3, 8],
    ].map((shape, i) => reference.randn(shape, i, 0.3));
    const layer = (where = bf16) => lconv(on(h, where), { kind: "lowRank", U: on(U, where), V: on(V, where) }, on(W, where)).dataSync();
    const error = reference.relError(layer(), layer(device("cpu")));
    assert.ok(error > 1e-5 && error < 1e-2, `${error}`);
    const [x, kernel] = [reference.randn([2, 3, 8, 8], 5), reference.randn([4, 3, 3, 3], 6)];
    const conv = (where = bf16) => conv2d(on(x, where), on(kernel, where)).dataSync();
    assert.equal(conv(), conv(device("cpu")), "convolutions do not round");
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
