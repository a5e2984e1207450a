// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { conv2d, maxPool2d, type Padding } from "../../src/ops/conv.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { conv2d as conv64, maxPool2d as maxPool64, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/conv");

/** x [B, m, p, q], W [o, m, k_p, k_q], padding */
const convolutions: [number[], number[], Padding, number][] = [
  [[2, 3, 5, 7], [2, 3, 3, 3], "valid", 0],
  [[2, 3, 5, 7], [2, 3, 3, 3], "same", 1],
  [[1, 1, 6, 6], [1, 1, 5, 5], "same", 2],
  [[2, 2, 5, 4], [3, 2, 2, 3], "valid", 0],
  [[2, 2, 5, 4], [3, 2, 2, 3], 1, 1],
  [[1, 2, 3, 3], [2, 2, 1, 1], "same", 0],
  [[1, 1, 3, 4], [2, 1, 3, 4], "valid", 0],
  [[1, 1, 2, 2], [1, 1, 3, 3], "same", 1],
  [[3, 1, 1, 1], [1, 1, 1, 1], "valid", 0],
  [[2, 4, 9, 6], [5, 4, 4, 2], 1, 1],
];
everyDevice(test, "conv2d: value and gradient", (device) => {
  for (const [x, W, padding, pad] of convolutions) {
    checkOp({
      op: (x, W) => conv2d(x, W, { padding }),
      reference: (x, W) => conv64(x, W, pad),
      inputs: [randn(x, 1), randn(W, 2)],
      device,
    });
  }
});

everyDevice(test, "conv2d: images and channels as in the networks", (device) => {
  for (const [B, m, o, size] of [
    [2, 1, 32, 28],
    [2, 32, 32, 13],
  ]) {
    const [x, W] = [randn([B, m, size, size], 1), randn([o, m, 3, 3], 2)];
    scope(() => {
      const y = conv2d(
        tensor(Float32Array.from(x.data), { shape: x.shape, device }),
        tensor(Float32Array.from(W.data), { shape: W.shape, device }),
      );
      const want = conv64(x, W);
      let worst = 0;
      y.dataSync().forEach((value, i) => {
        worst = Math.max(worst, Math.abs(value - want.data[i]));
      });
      assert.ok(worst < 1e-4, `worst ${worst}`);
    });
  }
});

test("conv2d of no sample has no result and a zero gradient", () => {
  scope(() => assert.equal(conv2d(zeros([0, 2, 5, 5]), zeros([3, 2, 3, 3])).shape, [0, 3, 3, 3]));
  checkOp({ op: (x, W) => conv2d(x, W), reference: (x, W) => conv64(x, W), inputs: [randn([0, 2, 5, 5], 1), randn([3, 2, 3, 3], 2)] });
});

everyDevice(test, "maxPool2d: value and gradient, windows apart and overlapping, sizes that do not divide", (device) => {
  for (const [shape, size, stride] of [
    [[2, 3, 6, 4], 2, 2],
    [[2, 1, 7, 9], 2, 2],
    [[1, 2, 6, 6], 3, 1],
    [[1, 2, 7, 5], 3, 2],
    [[2, 2, 3, 5], 1, 1],
    [[1, 1, 5, 5], 2, 3],
    [[1, 1, 4, 4], 4, 4],
  ] as [number[], number, number][]) {
    checkOp({ op: (x) => maxPool2d(x, { size, stride }), reference: (x) => maxPool64(x, size, stride), inputs: [randn(shape, 9)], device });
  }
  checkOp({ op: (x) => maxPool2d(x), reference: (x) => maxPool64(x, 2), inputs: [randn([1, 1, 4, 4], 9)], device });
});

test("maxPool2d: the first of equal values wins, a NaN wins over all", () => {
  scope(() => {
    const x = tensor([
      [
        [
          [1, 5, Number.NaN, 2],
          [5, 5, 9, 2],
        ],
      ],
    ]);
    const [a, b] = maxPool2d(x).dataSync();
    assert.ok(a === 5 && Number.isNaN(b));
  });
});

test("differences of the float32 forward pass", () => {
  checkDirections((x, W) => conv2d(x, W, { padding: "same" }), [randn([1, 2, 4, 5], 1), randn([2, 2, 3, 3], 2)]);
  checkDirections((x) => maxPool2d(x, { size: 3, stride: 1 }), [randn([1, 2, 5, 5], 1)], { step: 1e-3 });
});

test("misuse: code and both shapes", () => {
  scope(() => {
    const z = (...shape: number[]) => zeros(shape);
    throwsCode(() => conv2d(z(1, 3, 5, 5), z(2, 4, 3, 3)), "ERR_LCONV_SHAPE", "[1, 3, 5, 5]", "[2, 4, 3, 3]");
    throwsCode(() => conv2d(z(3, 5, 5), z(2, 3, 3, 3)), "ERR_LCONV_SHAPE", "x must be", "[3, 5, 5]");
    throwsCode(() => conv2d(z(1, 3, 5, 5), z(3, 3, 3)), "ERR_LCONV_SHAPE", "W must be", "[3, 3, 3]");
    throwsCode(() => conv2d(z(1, 1, 2, 5), z(1, 1, 3, 3)), "ERR_LCONV_SHAPE", "3 x 3", "2 x 5");
    throwsCode(() => conv2d(z(1, 0, 5, 5), z(1, 0, 3, 3)), "ERR_LCONV_SHAPE", "[1, 0, 5, 5]", "[1, 0, 3, 3]");
    throwsCode(() => conv2d(z(1, 1, 5, 5), z(1, 1, 2, 2), { padding: "same" }), "ERR_LCONV_ARGUMENT", "2 x 2");
    throwsCode(() => conv2d(z(1, 1, 5, 5), z(1, 1, 3, 3), { padding: 3 }), "ERR_LCONV_ARGUMENT", "got 3");
    throwsCode(() => conv2d(z(1, 1, 5, 5), z(1, 1, 3, 3), { padding: "full" as Padding }), "ERR_LCONV_ARGUMENT", "full");
    throwsCode(() => maxPool2d(z(1, 5, 5)), "ERR_LCONV_SHAPE", "[1, 5, 5]");
    throwsCode(() => maxPool2d(z(1, 1, 5, 5), { size: 6 }), "ERR_LCONV_ARGUMENT", "got 6");
    throwsCode(() => maxPool2d(z(1, 1, 5, 5), { stride: 0 }), "ERR_LCONV_ARGUMENT", "got 0");
  });
});

test.run();
