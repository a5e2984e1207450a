// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { argmax, max, mean, sum, sumSquares } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp, onDevice } from "../support/gradcheck.js";
import { randn, reduce, relError, total } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/reduce");

type Reduction = (x: Tensor, axes?: readonly number[] | number, keepDims?: boolean) => Tensor;
const rows: Record<string, { op: Reduction; combine: (values: number[]) => number }> = {
  sum: { op: sum, combine: total },
  mean: { op: mean, combine: (values) => total(values) / values.length },
  max: { op: max, combine: (values) => Math.max(...values) },
};
const subsets = (rank: number): number[][] =>
  Array.from({ length: 2 ** rank }, (_, bits) => Array.from({ length: rank }, (_, i) => i).filter((i) => bits & (1 << i)));

for (const [name, { op, combine }] of Object.entries(rows)) {
  for (const shape of [[], [5], [3, 4], [2, 3, 4], [2, 3, 2, 3]]) {
    everyDevice(test, `${name} of [${shape}] over every subset of the axes`, (device) => {
      for (const axes of subsets(shape.length)) {
        for (const keepDims of [false, true]) {
          checkOp({
            op: (x) => op(x, axes, keepDims),
            reference: (x) => reduce(x, axes, combine, keepDims),
            inputs: [randn(shape, 3)],
            device,
          });
        }
      }
    });
  }
  everyDevice(test, `${name}: all axes by default, one axis as a number, negative axes, axes in any order`, (device) => {
    const x = randn([3, 4, 5], 8);
    checkOp({ op: (t) => op(t), reference: (a) => reduce(a, undefined, combine), inputs: [x], device });
    checkOp({ op: (t) => op(t, 1), reference: (a) => reduce(a, [1], combine), inputs: [x], device });
    checkOp({ op: (t) => op(t, -1), reference: (a) => reduce(a, [2], combine), inputs: [x], device });
    checkOp({ op: (t) => op(t, [2, 0]), reference: (a) => reduce(a, [0, 2], combine), inputs: [x], device });
  });
  test(`${name}: differences of the float32 forward pass`, () =>
    checkDirections((x) => op(x, [0, 2]), [randn([2, 3, 4], 8)], { step: 2e-3 }));
}

everyDevice(test, "argmax along every axis", (device) => {
  const x = randn([3, 4, 5], 12);
  for (let axis = 0; axis < 3; axis++) {
    const want = reduce(x, [axis], (values) => values.indexOf(Math.max(...values)));
    scope(() => {
      const got = argmax(onDevice(x, device), axis);
      assert.equal(got.shape, want.shape);
      assert.equal(got.dtype, "int32");
      assert.equal([...got.dataSync()], [...want.data]);
      assert.equal([...argmax(onDevice(x, device), axis - 3).dataSync()], [...want.data]);
    });
  }
});

test("max: the first of equal values gets the gradient, a NaN wins", () => {
  scope(() => {
    const x = tensor(
      [
        [1, 3, 3],
        [2, 2, 2],
      ],
      { requiresGrad: true },
    );
    assert.equal([...gradients(sum(max(x, 1)), [x])[0].dataSync()], [0, 1, 0, 1, 0, 0]);
    assert.equal([...argmax(x).dataSync()], [1, 0]);
    assert.ok(Number.isNaN(max(tensor([1, Number.NaN, 3])).item()));
    assert.is(argmax(tensor([1, Number.NaN, 3]), 0).item(), 1);
  });
});

test("long sums keep their digits: a million terms within 1e-6", () => {
  scope(() => {
    const host = Float32Array.from({ length: 1_000_000 }, (_, i) => 1 + (i % 7) / 7);
    const want = host.reduce((n, value) => n + value, 0);
    assert.ok(relError([sum(tensor(host)).item()], [want]) < 1e-6);
    assert.ok(relError([mean(tensor(host)).item()], [want / 1e6]) < 1e-6);
  });
});

test("empty axes: a sum is 0, a mean is NaN, a maximum is an error", () => {
  scope(() => {
    assert.equal([...sum(zeros([2, 0]), 1).dataSync()], [0, 0]);
    assert.ok([...mean(zeros([2, 0]), 1).dataSync()].every(Number.isNaN));
    assert.equal(sum(zeros([0, 3]), 1).shape, [0]);
    throwsCode(() => max(zeros([2, 0]), 1), "ERR_LCONV_SHAPE", "[2, 0]");
    throwsCode(() => argmax(zeros([2, 0]), 1), "ERR_LCONV_SHAPE", "[2, 0]");
  });
});

test("sumSquares of several tensors, over block borders", () => {
  scope(() => {
    const [a, b, c] = [randn([4096], 1), randn([4097], 2), randn([3, 5], 3)];
    const want = [a, b, c].reduce((n, x) => n + total([...x.data].map((value) => value ** 2)), 0);
    const got = sumSquares([a, b, c].map((x) => onDevice(x)));
    assert.equal(got.shape, [1]);
    assert.ok(relError([got.item()], [want]) < 1e-6);
    throwsCode(() => sumSquares([]), "ERR_LCONV_ARGUMENT");
    throwsCode(() => sumSquares([zeros([2], { dtype: "int32" })]), "ERR_LCONV_DTYPE");
  });
});

test("misuse", () => {
  scope(() => {
    for (const { op } of Object.values(rows)) {
      throwsCode(() => op(zeros([2, 3]), 2), "ERR_LCONV_ARGUMENT", "from -2 to 1", "got 2");
      throwsCode(() => op(zeros([2, 3]), [0, -3]), "ERR_LCONV_ARGUMENT", "got -3");
      throwsCode(() => op(zeros([2, 3]), 0.5), "ERR_LCONV_ARGUMENT", "got 0.5");
      throwsCode(() => op(zeros([2, 3], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    }
    throwsCode(() => argmax(zeros([2, 3]), 5), "ERR_LCONV_ARGUMENT", "got 5");
  });
});

test.run();
