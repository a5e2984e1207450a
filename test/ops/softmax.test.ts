// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logSoftmax, softmax } from "../../src/ops/softmax.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { randn, softmax as softmax64 } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/softmax");

for (const [name, op, log] of [
  ["softmax", softmax, false],
  ["logSoftmax", logSoftmax, true],
] as const) {
  everyDevice(test, `${name} on each axis of one to four axes`, (device) => {
    for (const shape of [[6], [3, 5], [2, 3, 4], [2, 3, 2, 3], [4, 1]]) {
      for (let axis = -shape.length; axis < shape.length; axis++) {
        checkOp({ op: (x) => op(x, axis), reference: (x) => softmax64(x, axis, log), inputs: [randn(shape, 6, 3)], device });
      }
    }
    checkOp({ op: (x) => op(x), reference: (x) => softmax64(x, -1, log), inputs: [randn([2, 7], 5)], device });
  });
  test(`${name}: differences of the float32 forward pass`, () => checkDirections((x) => op(x, 0), [randn([5, 3], 2)]));
  test(`${name}: logits of any size, and long rows`, () => {
    scope(() => {
      const [a, b, c] = op(tensor([1000, 999, -1e30])).dataSync();
      const want = log ? [-0.31326169, -1.31326169] : [0.73105858, 0.26894142];
      assert.ok(Math.abs(a - want[0]) < 1e-6 && Math.abs(b - want[1]) < 1e-6 && (log ? c < -1e29 : c === 0));
      const row = op(zeros([1, 50_000])).dataSync();
      assert.ok(Math.abs(row[49_999] / (log ? -Math.log(50_000) : 1 / 50_000) - 1) < 1e-5);
    });
  });
  test(`${name}: misuse`, () => {
    scope(() => {
      throwsCode(() => op(zeros([2, 3]), 2), "ERR_LCONV_ARGUMENT", "got 2");
      throwsCode(() => op(zeros([])), "ERR_LCONV_SHAPE", "[]");
      throwsCode(() => op(zeros([2, 0])), "ERR_LCONV_SHAPE", "[2, 0]");
      throwsCode(() => op(zeros([2], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    });
  });
}

test.run();
