// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { classificationLoss, crossEntropy, mse } from "../../src/ops/loss.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { array64, crossEntropy as crossEntropy64, randn, uniform } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/loss");

const labelsOf = (B: number, classes: number): Int32Array => {
  const next = uniform(B);
  return Int32Array.from({ length: B }, () => Math.floor(next() * classes));
};

everyDevice(test, "crossEntropy: value and gradient", (device) => {
  for (const [B, classes] of [
    [1, 1],
    [1, 2],
    [7, 10],
    [33, 5],
    [3, 100],
  ]) {
    const labels = labelsOf(B, classes);
    checkOp({
      op: (x) => crossEntropy(x, tensor(labels, { device })),
      reference: (x) => crossEntropy64(x, labels),
      inputs: [randn([B, classes], B, 3)],
      device,
    });
  }
});

test("crossEntropy: differences of the float32 forward pass", () => {
  checkDirections((x) => crossEntropy(x, tensor(labelsOf(6, 4))), [randn([6, 4], 1)]);
});

test("classificationLoss counts rows whose first largest logit is at the label", () => {
  scope(() => {
    const logits = tensor([
      [1, 2, 0],
      [3, 3, 1],
      [3, 3, 1],
      [0, 0, 9],
    ]);
    const { correct } = classificationLoss(logits, tensor(Int32Array.of(1, 0, 1, 2)));
    assert.is(correct.item(), 3);
  });
});

test("a label out of range and a NaN logit make the loss NaN and count nothing", () => {
  scope(() => {
    for (const label of [-1, 3, 2 ** 31 - 1, -(2 ** 31), 0x7fc00000]) {
      const { loss, correct } = classificationLoss(zeros([2, 3]), tensor(Int32Array.of(0, label)));
      assert.ok(Number.isNaN(loss.item()), `label ${label}`);
      assert.is(correct.item(), 1);
    }
    const { loss } = classificationLoss(tensor([[0, Number.NaN, 1]]), tensor(Int32Array.of(0)));
    assert.ok(Number.isNaN(loss.item()));
  });
});

test("huge logits do not overflow", () => {
  scope(() => assert.is(crossEntropy(tensor([[1e30, 0]]), tensor(Int32Array.of(0))).item(), 0));
});

everyDevice(test, "mse: value and gradient", (device) => {
  for (const shape of [[1], [3, 4], [2, 3, 4]]) {
    const reference = (a: ReturnType<typeof randn>, b: ReturnType<typeof randn>) =>
      array64([], [a.data.reduce((sum, x, i) => sum + (x - b.data[i]) ** 2, 0) / a.data.length]);
    checkOp({ op: mse, reference, inputs: [randn(shape, 1), randn(shape, 2)], device });
  }
  checkDirections(mse, [randn([3, 4], 1), randn([3, 4], 2)], { device });
});

test("misuse: code and both shapes", () => {
  scope(() => {
    const labels = (...values: number[]) => tensor(Int32Array.from(values));
    throwsCode(() => crossEntropy(zeros([4, 10]), labels(1, 2, 3)), "ERR_LCONV_SHAPE", "[4, 10]", "[3]", "[4]");
    throwsCode(() => crossEntropy(zeros([4]), labels(1)), "ERR_LCONV_SHAPE", "[4]");
    throwsCode(() => crossEntropy(zeros([0, 3]), labels()), "ERR_LCONV_SHAPE", "[0, 3]");
    throwsCode(() => crossEntropy(zeros([2, 0]), labels(0, 0)), "ERR_LCONV_SHAPE", "[2, 0]");
    throwsCode(() => crossEntropy(zeros([2, 3]), zeros([2])), "ERR_LCONV_DTYPE", "labels must be int32");
    throwsCode(() => crossEntropy(zeros([2, 3], { dtype: "int32" }), labels(0, 0)), "ERR_LCONV_DTYPE", "logits");
    throwsCode(() => mse(zeros([2, 3]), zeros([3])), "ERR_LCONV_SHAPE", "[2, 3]", "[3]");
  });
});

test.run();
