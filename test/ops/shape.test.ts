// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { concat, diagonal, flatten, onDiagonal, permute, reshape, slice, transpose } from "../../src/ops/shape.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { type Array64, at, build, permute as permute64, randn, reshape as reshape64 } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/shape");

const orders = (n: number): number[][] =>
  n === 0 ? [[]] : orders(n - 1).flatMap((rest) => Array.from({ length: n }, (_, i) => [...rest.slice(0, i), n - 1, ...rest.slice(i)]));

everyDevice(test, "permute: every order of up to four axes", (device) => {
  for (const shape of [[], [3], [2, 3], [2, 3, 4], [2, 1, 3, 2]]) {
    for (const axes of orders(shape.length))
      checkOp({ op: (x) => permute(x, axes), reference: (x) => permute64(x, axes), inputs: [randn(shape, 4)], device });
  }
  checkOp({ op: (x) => permute(x, [-1, 0, 1]), reference: (x) => permute64(x, [2, 0, 1]), inputs: [randn([2, 3, 4], 4)], device });
});

everyDevice(test, "transpose: the last two axes", (device) => {
  checkOp({ op: transpose, reference: (x) => permute64(x, [1, 0]), inputs: [randn([3, 5], 1)], device });
  checkOp({ op: transpose, reference: (x) => permute64(x, [0, 2, 1]), inputs: [randn([2, 3, 5], 1)], device });
});

everyDevice(test, "reshape: values stay, one size may be left open", (device) => {
  const x = randn([2, 3, 4], 2);
  for (const [asked, got] of [
    [[24], [24]],
    [
      [4, 6],
      [4, 6],
    ],
    [[-1], [24]],
    [
      [2, -1, 2],
      [2, 6, 2],
    ],
    [
      [1, 24, 1, -1],
      [1, 24, 1, 1],
    ],
  ]) {
    checkOp({ op: (t) => reshape(t, asked), reference: (a) => reshape64(a, got), inputs: [x], device });
  }
  checkOp({ op: flatten, reference: (a) => reshape64(a, [2, 12]), inputs: [x], device });
});

test("a reshaped tensor outlives the tensor it shares memory with", () => {
  scope(() => {
    const x = tensor([1, 2, 3, 4]);
    const y = reshape(x, [2, 2]);
    x.dispose();
    tensor([9, 9, 9, 9]);
    assert.equal([...y.dataSync()], [1, 2, 3, 4]);
  });
});

everyDevice(test, "slice: boxes at every place", (device) => {
  const shape = [3, 4, 5];
  for (const [starts, sizes] of [
    [
      [0, 0, 0],
      [3, 4, 5],
    ],
    [
      [1, 0, 0],
      [1, 4, 5],
    ],
    [
      [0, 2, 1],
      [3, 2, 3],
    ],
    [
      [2, 3, 4],
      [1, 1, 1],
    ],
    [
      [1, 1, 1],
      [2, 0, 2],
    ],
    [
      [3, 0, 0],
      [0, 4, 5],
    ],
  ]) {
    checkOp({
      op: (x) => slice(x, starts, sizes),
      reference: (x) =>
        build(sizes, (index) =>
          at(
            x,
            index.map((i, axis) => i + starts[axis]),
          ),
        ),
      inputs: [randn(shape, 3)],
      device,
    });
  }
});

function concat64(xs: readonly Array64[], axis: number): Array64 {
  const shape = xs[0].shape.map((size, i) => (i === axis ? xs.reduce((n, x) => n + x.shape[i], 0) : size));
  return build(shape, (index) => {
    let place = index[axis];
    const x = xs.find((candidate) => {
      if (place < candidate.shape[axis]) return true;
      place -= candidate.shape[axis];
      return false;
    }) as Array64;
    return at(
      { shape: x.shape, data: x.data },
      index.map((i, k) => (k === axis ? place : i)),
    );
  });
}

everyDevice(test, "concat along every axis, also of one tensor and of empty ones", (device) => {
  for (let axis = 0; axis < 3; axis++) {
    const shapes = [2, 1, 3].map((size) => [2, 3, 4].map((other, i) => (i === axis ? size : other)));
    const inputs = shapes.map((shape, i) => randn(shape, i));
    checkOp({ op: (...xs) => concat(xs, axis), reference: (...xs) => concat64(xs, axis), inputs, device });
    checkOp({ op: (...xs) => concat(xs, axis - 3), reference: (...xs) => concat64(xs, axis), inputs: inputs.slice(0, 1), device });
  }
  checkOp({
    op: (...xs) => concat(xs),
    reference: (...xs) => concat64(xs, 0),
    inputs: [randn([2, 3], 1), randn([0, 3], 1), randn([1, 3], 2)],
    device,
  });
});

everyDevice(test, "diagonal of the first two axes, and back onto it", (device) => {
  for (const shape of [
    [1, 1],
    [4, 4],
    [3, 3, 2],
    [2, 2, 3, 4],
  ]) {
    const [n, , ...rest] = shape;
    checkOp({
      op: diagonal,
      reference: (x) => build([n, ...rest], ([i, ...place]) => at(x, [i, i, ...place])),
      inputs: [randn(shape, 5)],
      device,
    });
    checkOp({
      op: onDiagonal,
      reference: (x) => build(shape, ([i, j, ...place]) => (i === j ? at(x, [i, ...place]) : 0)),
      inputs: [randn([n, ...rest], 6)],
      device,
    });
  }
});

test("integers move unchanged", () => {
  scope(() => {
    const x = tensor(Int32Array.of(1, -2, 2 ** 31 - 1, 0x7fc00000, 5, 6), { shape: [2, 3] });
    assert.equal([...transpose(x).dataSync()], [1, 0x7fc00000, -2, 5, 2 ** 31 - 1, 6]);
    assert.equal([...slice(x, [0, 1], [2, 2]).dataSync()], [-2, 2 ** 31 - 1, 5, 6]);
    assert.equal([...concat([x, x], 1).dataSync()].length, 12);
    assert.is(reshape(x, [6]).dtype, "int32");
  });
});

test("differences of the float32 forward pass", () => {
  checkDirections((x) => permute(x, [2, 0, 1]), [randn([2, 3, 4], 1)]);
  checkDirections((x, y) => concat([slice(x, [0, 1], [2, 2]), reshape(y, [2, 3])], 1), [randn([2, 3], 1), randn([6], 2)]);
});

test("misuse: code and both shapes", () => {
  scope(() => {
    const x = zeros([2, 3]);
    throwsCode(() => reshape(x, [4, 2]), "ERR_LCONV_SHAPE", "[2, 3]", "[4, 2]");
    throwsCode(() => reshape(x, [-1, -1]), "ERR_LCONV_SHAPE", "[2, 3]", "[-1, -1]");
    throwsCode(() => reshape(x, [-1, 4]), "ERR_LCONV_SHAPE", "[-1, 4]");
    throwsCode(() => reshape(x, [1.5, 4]), "ERR_LCONV_SHAPE", "[1.5, 4]");
    throwsCode(() => reshape(x, [-2, -3]), "ERR_LCONV_SHAPE", "[-2, -3]");
    throwsCode(() => reshape(zeros([0]), [0, -1]), "ERR_LCONV_SHAPE", "[0, -1]");
    throwsCode(() => x.view([1.5, 4]), "ERR_LCONV_SHAPE", "1.5");
    throwsCode(() => permute(x, [0]), "ERR_LCONV_SHAPE", "[2, 3]");
    throwsCode(() => permute(x, [0, 0]), "ERR_LCONV_SHAPE", "[0, 0]", "[2, 3]");
    throwsCode(() => permute(x, [0, 2]), "ERR_LCONV_ARGUMENT", "got 2");
    throwsCode(() => transpose(zeros([3])), "ERR_LCONV_SHAPE", "[3]");
    throwsCode(() => slice(x, [0, 2], [2, 2]), "ERR_LCONV_SHAPE", "[0, 2]", "[2, 2]", "[2, 3]");
    throwsCode(() => slice(x, [-1, 0], [1, 1]), "ERR_LCONV_SHAPE", "[-1, 0]");
    throwsCode(() => slice(x, [0.5, 0], [1, 1]), "ERR_LCONV_SHAPE", "[0.5, 0]");
    throwsCode(() => slice(x, [0], [1]), "ERR_LCONV_SHAPE", "[2, 3]");
    throwsCode(() => concat([x, zeros([2, 4])], 0), "ERR_LCONV_SHAPE", "[2, 3]", "[2, 4]");
    throwsCode(() => concat([x, zeros([2, 3], { dtype: "int32" })], 0), "ERR_LCONV_SHAPE", "int32");
    throwsCode(() => concat([x, zeros([2])], 0), "ERR_LCONV_SHAPE", "[2, 3]", "[2]");
    throwsCode(() => diagonal(x), "ERR_LCONV_SHAPE", "[2, 3]");
    throwsCode(() => diagonal(zeros([3])), "ERR_LCONV_SHAPE", "[3]");
    throwsCode(() => onDiagonal(zeros([])), "ERR_LCONV_SHAPE", "[]");
    throwsCode(() => onDiagonal(zeros([2], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => concat([]), "ERR_LCONV_ARGUMENT");
    throwsCode(() => concat([x], 2), "ERR_LCONV_ARGUMENT", "got 2");
  });
});

test.run();
